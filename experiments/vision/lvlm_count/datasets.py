"""The paper's data sets, read from the files in which they are distributed.

Each reader takes the data set's folder and returns questions; pictures are read when they are needed.
None of these files is shipped: put them below the folder that `--data` or NTKEXEC_DATA names.
"""

import dataclasses
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int32

from experiments.files.sources import content, picture
from experiments.files.words import quoted, shown
from experiments.vision.lvlm_count import tables
from experiments.vision.lvlm_count.segment import Image
from ntkexec.errors import ExperimentError

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
    layer = picture(path, "RGBA")
    from PIL import Image as Pillow

    white = Pillow.new("RGBA", layer.size, "white")
    return np.asarray(Pillow.alpha_composite(white, layer).convert("RGB"))


def emoji_count(folder: Path) -> tuple[Question, ...]:
    """Emoji-Count: `benchmark_data.json` and `images/`; look-alike icons on white, no positions.

    Source: the paper's public code, data under CC BY 4.0: 415 questions on 82 pictures.
    """
    listed = folder / "benchmark_data.json"
    return _some(
        (
            Question(
                folder / "images" / tables.file_name(row.get("image_file"), place),
                tables.word(row, "object_of_interest", place),
                tables.number(row, "answer", place),
            )
            for row, place in tables.json_rows(listed)
        ),
        listed,
    )


def fsc_147(folder: Path, split: str = "test") -> tuple[Question, ...]:
    """FSC-147: a point in every object, and boxes around three of them.

    Args:
        folder: holds `annotation_FSC147_384.json`, `Train_Test_Val_FSC_147.json`,
            `ImageClasses_FSC147.txt` and `images_384_VarV2/`.
        split: `train`, `val` or `test`.

    Source: Ranjan et al., Learning to count everything, CVPR 2021.
    """
    listed, noted = folder / "Train_Test_Val_FSC_147.json", folder / "annotation_FSC147_384.json"
    splits, annotations = tables.json_object(listed), tables.json_object(noted)
    kinds = dict(tables.pairs(folder / "ImageClasses_FSC147.txt"))
    if split not in splits:
        known = shown(", ".join(splits))
        raise ExperimentError(f"FSC-147 has no split {split!r}; it has {known}")
    if not isinstance(splits[split], list):
        raise ExperimentError(f"{shown(listed)}: {split!r} is no list of pictures")
    found = []
    for entry in splits[split]:
        name = tables.file_name(entry, shown(listed))
        if name not in annotations or name not in kinds:
            raise ExperimentError(
                f"{shown(folder)} holds no annotation or no class of {shown(name)}"
            )
        points, radius = _annotation(annotations[name], f"{shown(noted)}, {shown(name)}")
        picture_path = folder / "images_384_VarV2" / name
        found.append(Question(picture_path, kinds[name], len(points), points, radius=radius))
    return _some(found, listed)


def _annotation(entry: Any, place: str) -> tuple[tuple[Point, ...], float]:
    """FSC-147's points, and the radius of discs around them that lie within their objects."""
    try:
        points = [(x, y) for x, y in entry["points"]]
        corners = [(x, y) for box in entry["box_examples_coordinates"] for x, y in box]
    except (KeyError, TypeError, ValueError) as error:
        raise ExperimentError(f"{place}: no points and boxes of corners") from error
    checked = [tables.coordinates(point, place, "a point") for point in points]
    sides = [tables.coordinates(corner, place, "a corner") for corner in corners]
    if len(sides) % 4:
        raise ExperimentError(f"{place}: {len(sides)} corners make no boxes of four")
    # A quarter of the smallest side: a disc that lies within the object.
    lengths = np.ptp(np.array(sides).reshape(-1, 4, 2), axis=1)
    return tuple((x, y) for x, y in checked), float(lengths.min()) / 4 if sides else 0.0


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
    listed = folder / "pascal.csv"
    rows: list[tuple[str, str, int | None]] = []
    if listed.exists():
        for row, place in tables.table(listed, ("image_name", "category_name", "answer")):
            name = tables.file_name(row["image_name"], place)
            kind = tables.word(row, "category_name", place)
            rows.append((name, kind, tables.number(row, "answer", place)))
    else:
        listed = root / "ImageSets" / "Main" / f"{split}.txt"
        for entry in tables.text(listed).split():
            name = tables.file_name(entry, shown(listed))
            kinds = {kind for kind, _ in _voc_objects(root, name)}
            rows += [(f"{name}.jpg", kind, None) for kind in sorted(kinds)]
    found = []
    for name, kind, answer in rows:
        boxes = tuple(box for k, box in _voc_objects(root, Path(name).stem) if k == kind)
        number = len(boxes) if answer is None else answer
        found.append(Question(root / "JPEGImages" / name, kind, number, boxes=boxes))
    return _some(found, listed)


# The list's names in words against those of the annotations.
VOC_WORDS = {
    "diningtable": "dining table",
    "pottedplant": "potted plant",
    "tvmonitor": "tv monitor",
}


def _voc_objects(root: Path, name: str) -> list[tuple[str, Box]]:
    path = root / "Annotations" / f"{name}.xml"
    # Bytes, since the file itself says in which encoding it is written.
    written = content(path)
    try:
        tree = ElementTree.fromstring(written)
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ExperimentError(
            f"{shown(path)} holds no boxes of PASCAL VOC: {shown(error)}"
        ) from error
    return [_voc_object(item, shown(path)) for item in tree.iter("object")]


def _voc_object(item: ElementTree.Element, place: str) -> tuple[str, Box]:
    kind = item.findtext("name") or ""
    texts = [item.findtext(f"bndbox/{side}") or "" for side in ("xmin", "ymin", "xmax", "ymax")]
    left, top, right, bottom = tables.coordinates(texts, place, "a box")
    if not kind.strip() or left > right or top > bottom:
        raise ExperimentError(
            f"{place} holds no boxes of PASCAL VOC: {quoted(kind)} from {texts[:2]} to {texts[2:]}"
        )
    return VOC_WORDS.get(kind, kind), (left - 1, top - 1, right, bottom)


def penguins(folder: Path) -> tuple[Question, ...]:
    """The penguins: `penguin.csv` of the public code and `images/*.JPG`; no positions.

    The answer is the median of the annotators' counts. Pictures that nobody counted are left out.

    Source: Arteta et al., Counting in the wild, ECCV 2016; the list is the public code's.
    """
    listed = folder / "penguin.csv"
    return _some(
        (
            Question(
                folder / "images" / f"{tables.file_name(row['image_name'], place)}.JPG",
                "penguins",
                tables.number(row, "median", place),
            )
            for row, place in tables.table(listed, ("image_name", "median"))
            if row["median"].strip()
        ),
        listed,
    )


def _some(questions: Iterable[Question], listed: Path) -> tuple[Question, ...]:
    """The questions, if there are any: an empty set is a wrong file, and no result."""
    found = tuple(questions)
    if not found:
        raise ExperimentError(f"{shown(listed)} holds no question")
    return found


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
