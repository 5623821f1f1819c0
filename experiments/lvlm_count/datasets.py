"""The paper's data sets, read from the files in which they are distributed.

Each reader takes the data set's folder and returns questions; pictures are read when they are needed.
None of these files is shipped: put them below the folder that `--data` or NTKEXEC_DATA names.
"""

import csv
import dataclasses
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32

from experiments.lvlm_count.segment import Image
from ntkexec.errors import ExperimentError, MissingExtraError

Point = tuple[float, float]
Box = tuple[float, float, float, float]


@dataclasses.dataclass(frozen=True)
class Question:
    """How many objects of a kind a picture shows.

    Args:
        picture: its file.
        target: what is counted, in words.
        answer: the true number; of the penguins, the annotators' median.
        points: one (x, y) in each object, in pixels of the picture, where they are annotated.
        boxes: left, top, right and bottom of each object, where they are annotated.
        radius: pixels around a point that surely belong to its object.
    """

    picture: Path
    target: str
    answer: int
    points: tuple[Point, ...] = ()
    boxes: tuple[Box, ...] = ()
    radius: float = 0.0


def read(path: Path) -> Image:
    """The picture's RGB pixels, transparent ones on white.

    Raises:
        ExperimentError: for a file that is no picture.
        MissingExtraError: without Pillow.
    """
    try:
        from PIL import Image as Pillow
    except ImportError as error:
        raise MissingExtraError("pictures need Pillow: install ntkexec[experiments]") from error
    try:
        with Pillow.open(path) as opened:
            layer = opened.convert("RGBA")
    except (OSError, ValueError, Pillow.DecompressionBombError) as error:
        raise ExperimentError(f"cannot read the picture {path}: {error}") from error
    white = Pillow.new("RGBA", layer.size, "white")
    return np.asarray(Pillow.alpha_composite(white, layer).convert("RGB"))


def emoji_count(folder: Path) -> tuple[Question, ...]:
    """Emoji-Count: `benchmark_data.json` and `images/`; look-alike icons on white, no positions.

    Source: the paper's public code, data under CC BY 4.0: 415 questions on 82 pictures.
    """
    return tuple(
        Question(
            folder / "images" / _text(row, "image_file", place),
            _text(row, "object_of_interest", place),
            _number(row, "answer", place),
        )
        for row, place in _rows(folder / "benchmark_data.json")
    )


def fsc_147(folder: Path, split: str = "test") -> tuple[Question, ...]:
    """FSC-147: a point in every object, and boxes around three of them.

    Args:
        folder: holds `annotation_FSC147_384.json`, `Train_Test_Val_FSC_147.json`,
            `ImageClasses_FSC147.txt` and `images_384_VarV2/`.
        split: `train`, `val` or `test`.

    Source: Ranjan et al., Learning to count everything, CVPR 2021.
    """
    splits = _object(folder / "Train_Test_Val_FSC_147.json")
    annotations = _object(folder / "annotation_FSC147_384.json")
    kinds = dict(_kinds(folder / "ImageClasses_FSC147.txt"))
    if split not in splits:
        raise ExperimentError(f"FSC-147 has no split {split!r}; it has {', '.join(splits)}")
    found = []
    for name in splits[split]:
        if name not in annotations or name not in kinds:
            raise ExperimentError(f"{folder} holds no annotation or no class of {name}")
        place = f"{folder / 'annotation_FSC147_384.json'}, {name}"
        try:
            points = tuple((float(x), float(y)) for x, y in annotations[name]["points"])
            corners = np.array(annotations[name]["box_examples_coordinates"], float)
            sides = np.ptp(corners.reshape(-1, 4, 2), axis=1)
        except (KeyError, TypeError, ValueError) as error:
            raise ExperimentError(f"{place}: no points and boxes of four corners") from error
        found.append(
            Question(
                folder / "images_384_VarV2" / name,
                kinds[name],
                len(points),
                points=points,
                # A quarter of the smallest side: a disc that lies within the object.
                radius=float(sides.min()) / 4 if sides.size else 0.0,
            )
        )
    return tuple(found)


def voc_2007(folder: Path, split: str = "test") -> tuple[Question, ...]:
    """PASCAL VOC 2007: boxes around every object of twenty kinds.

    Args:
        folder: holds `VOCdevkit/VOC2007/`. With the public code's `pascal.csv` beside it, its questions
            and answers are taken, also those whose answer is none; without, one for every kind in
            every picture.
        split: of `ImageSets/Main/`, where there is no `pascal.csv`.

    Source: Everingham et al., the PASCAL visual object classes challenge 2007.
    """
    root = folder / "VOCdevkit" / "VOC2007"
    if (table := folder / "pascal.csv").exists():
        rows = [
            (_text(r, "image_name", p), _text(r, "category_name", p), _number(r, "answer", p))
            for r, p in _table(table)
        ]
    else:
        rows = []
        for name in _read(root / "ImageSets" / "Main" / f"{split}.txt").split():
            kinds = [kind for kind, _ in _voc_objects(root, name)]
            rows += [(f"{name}.jpg", kind, kinds.count(kind)) for kind in sorted(set(kinds))]
    return tuple(
        Question(
            root / "JPEGImages" / name,
            kind,
            answer,
            boxes=tuple(box for found, box in _voc_objects(root, Path(name).stem) if found == kind),
        )
        for name, kind, answer in rows
    )


# The list's names in words against those of the annotations.
VOC_WORDS = {
    "diningtable": "dining table",
    "pottedplant": "potted plant",
    "tvmonitor": "tv monitor",
}


def _voc_objects(root: Path, name: str) -> list[tuple[str, Box]]:
    path = root / "Annotations" / f"{name}.xml"
    try:
        tree = ElementTree.fromstring(_read(path))
        found = []
        for item in tree.iter("object"):
            kind = str(item.findtext("name"))
            sides = [float(str(item.findtext(f"bndbox/{s}"))) for s in ("xmin", "ymin")]
            sides += [float(str(item.findtext(f"bndbox/{s}"))) for s in ("xmax", "ymax")]
            left, top, right, bottom = sides
            found.append((VOC_WORDS.get(kind, kind), (left - 1, top - 1, right, bottom)))
    except (ElementTree.ParseError, ValueError) as error:
        raise ExperimentError(f"{path} holds no boxes of PASCAL VOC: {error}") from error
    return found


def penguins(folder: Path) -> tuple[Question, ...]:
    """The penguins: `penguin.csv` of the public code and `images/*.JPG`; no positions.

    The answer is the median of the annotators' counts. Pictures that nobody counted are left out.

    Source: Arteta et al., Counting in the wild, ECCV 2016; the list is the public code's.
    """
    return tuple(
        Question(
            folder / "images" / f"{_text(row, 'image_name', place)}.JPG",
            "penguins",
            _number(row, "median", place),
        )
        for row, place in _table(folder / "penguin.csv")
        if row.get("median", "").strip()
    )


DATASETS: Mapping[str, Callable[[Path], tuple[Question, ...]]] = {
    "emoji-count": emoji_count,
    "fsc-147": fsc_147,
    "voc-2007": voc_2007,
    "penguins": penguins,
}
"""Readers by the name of a data set, which is also that of its folder."""


def annotated(question: Question, image: Image) -> Int32[np.ndarray, "h w"]:
    """A map of the picture's objects from its annotation; empty where it has none.

    A point stands for a disc of the question's radius, at most half as wide as the next point is far;
    a box for itself. What is smaller lies above what is larger, so that every object keeps a place.

    Args:
        question: with points or boxes in this picture's pixels.
        image: its picture.

    Returns:
        Objects counted from 1; 0 is none of them.
    """
    height, width = image.shape[:2]
    rows, columns = np.mgrid[:height, :width]
    made = np.zeros((height, width), np.int32)
    for number, box in enumerate(sorted(question.boxes, key=_area, reverse=True), 1):
        left, top, right, bottom = (round(side) for side in box)
        made[max(0, top) : bottom, max(0, left) : right] = number
    points = np.array(question.points, float).reshape(-1, 2)
    for number, point in enumerate(points, len(question.boxes) + 1):
        apart = np.hypot(*(np.delete(points, number - 1 - len(question.boxes), 0) - point).T)
        radius = min([question.radius, *(apart / 2 - 1)])
        x, y = np.clip(np.floor(point).astype(int), 0, (width - 1, height - 1))
        made[(rows - y) ** 2 + (columns - x) ** 2 <= max(0.0, radius) ** 2] = number
    return made


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ExperimentError(f"cannot read {path}: {error}") from error


def _json(path: Path) -> Any:
    try:
        return json.loads(_read(path))
    except ValueError as error:
        raise ExperimentError(f"{path} is no JSON: {error}") from error


def _object(path: Path) -> dict[str, Any]:
    if not isinstance(found := _json(path), dict):
        raise ExperimentError(f"{path} holds no JSON object")
    return found


def _rows(path: Path) -> Iterator[tuple[Mapping[str, Any], str]]:
    if not isinstance(found := _json(path), list):
        raise ExperimentError(f"{path} holds no JSON list")
    for number, row in enumerate(found, 1):
        if not isinstance(row, dict):
            raise ExperimentError(f"{path}, entry {number}: no JSON object")
        yield row, f"{path}, entry {number}"


def _table(path: Path) -> Iterator[tuple[Mapping[str, str], str]]:
    for number, row in enumerate(csv.DictReader(_read(path).splitlines()), 2):
        yield row, f"{path}, line {number}"


def _kinds(path: Path) -> Iterator[tuple[str, str]]:
    for number, line in enumerate(_read(path).splitlines(), 1):
        name, tab, kind = line.partition("\t")
        if line.strip():
            if not tab:
                raise ExperimentError(f"{path}, line {number}: no tab after the picture's name")
            yield name.strip(), kind.strip()


def _text(row: Mapping[str, Any], name: str, place: str) -> str:
    if not isinstance(found := row.get(name), str) or not found:
        raise ExperimentError(f"{place}: no {name!r}, but {found!r}")
    return found


def _number(row: Mapping[str, Any], name: str, place: str) -> int:
    try:
        found = float(row[name])
    except (KeyError, TypeError, ValueError):
        found = -1.0
    if found < 0 or found != int(found):
        raise ExperimentError(f"{place}: {name!r} is no whole number, but {row.get(name)!r}")
    return int(found)
