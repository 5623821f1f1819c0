"""COCO's files of instances and of results, as COCO itself, LVIS and many converters write them."""

import json
import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.annotated import (
    MOST_BYTES,
    AnnotatedPictures,
    DividedPictures,
    Picture,
    Region,
    divided_pictures,
)
from experiments.data.formats.run_lengths import outline_of
from experiments.data.objects import Detections, enclosing
from experiments.files.sources import as_file, content
from experiments.files.storage import as_folder
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

PARTS = ("train", "val")


def read(path: Path | str, name: str, key: str) -> DividedPictures:
    """COCO as it is unpacked: `annotations/instances_val2017.json` and the pictures in `val2017/`.

    Args:
        path: of the folder.
        name: of the set.
        key: the year that its names end with, such as `2017`.

    Returns:
        Those of `train` and `val` that are there, read when they are asked for.

    Raises:
        ExperimentError: none is there.

    Source: Lin et al., Microsoft COCO, arXiv:1405.0312.
    """
    path = as_folder(path)
    files = {part: path / "annotations" / f"instances_{part}{key}.json" for part in PARTS}
    return _divided(name, {p: (f, path / f"{p}{key}") for p, f in files.items()})


def read_lvis(path: Path | str, name: str, key: str) -> DividedPictures:
    """LVIS: `lvis_v1_val.json`, and COCO's pictures in `train2017/` and `val2017/` beside it.

    Which classes a picture was not searched for exhaustively is not read: average precision as COCO counts
    it is not LVIS's, which leaves these out.

    Args:
        path: of the folder.
        name: of the set.
        key: what its files' names begin with, `lvis_v1`.

    Raises:
        ExperimentError: none of them is there.

    Source: Gupta, Dollar and Girshick, LVIS, arXiv:1908.03195.
    """
    path = as_folder(path)
    return _divided(name, {part: (path / f"{key}_{part}.json", path) for part in PARTS})


def read_instances(path: Path | str, folder: Path | str, name: str = "") -> AnnotatedPictures:
    """Pictures, classes and objects of one file of instances.

    Args:
        path: of the JSON file.
        folder: below which the pictures lie.
        name: of the set, for messages; by default that of the file.

    Returns:
        Pictures in the file's order, classes in that of their numbers. Masks are made when they are
        asked for.

    Raises:
        ExperimentError: names the file and the entry that does not fit.
    """
    path, folder = as_file(path), as_folder(folder)
    where = shown(path)
    whole = _json(path)
    if not isinstance(whole, dict):
        raise ExperimentError(f"{where} holds no instances: it is no object of JSON")
    classes = sorted(
        _entries(whole, "categories", where), key=lambda one: _number(one, "id", where)
    )
    identities = [_number(one, "id", where) for one in classes]
    labels = {identity: label for label, identity in enumerate(identities)}
    images = _entries(whole, "images", where)
    regions: dict[int, list[Region]] = {_number(one, "id", where): [] for one in images}
    for kind, entries, known in (("images", images, regions), ("categories", classes, labels)):
        if len(known) < len(entries):
            raise ExperimentError(f"two of the {kind} in {where} have the same id")
    for place, entry in enumerate(_entries(whole, "annotations", where), 1):
        said = f"annotation {place} in {where}"
        owner, label = _number(entry, "image_id", said), _number(entry, "category_id", said)
        if owner not in regions or label not in labels:
            wrong = f"picture {owner}" if owner not in regions else f"category {label}"
            raise ExperimentError(f"{said} is of {wrong}, which the file does not list")
        regions[owner].append(_region(entry, labels[label], said))
    return AnnotatedPictures(
        name or path.name,
        folder,
        tuple(_text(one, "name", where) for one in classes),
        tuple(identities),
        tuple(_picture(one, regions[_number(one, "id", where)], where) for one in images),
    )


def read_results(path: Path | str, like: AnnotatedPictures) -> list[Detections]:
    """What somebody found, from a file of results, picture by picture of `like`.

    Args:
        path: of the JSON file: a list with `image_id`, `category_id`, `score` and `bbox`, `segmentation` or
            both. Without `bbox`, boxes enclose the masks.
        like: the pictures, by which numbers of pictures and classes are known.

    Raises:
        ExperimentError: names the file and the entry that does not fit; entries with and without masks, or
            masks of more than `MOST_BYTES` together, which are all made at once.
    """
    path = as_file(path)
    where = shown(path)
    whole = _json(path)
    if not isinstance(whole, list) or not all(isinstance(one, dict) for one in whole):
        raise ExperimentError(f"{where} holds no results: they are a list of objects of JSON")
    labels = {identity: label for label, identity in enumerate(like.identities)}
    found: dict[int | str, list[tuple[Any, ...]]] = {one.identity: [] for one in like.pictures}
    sizes = {one.identity: (one.height, one.width) for one in like.pictures}
    taken = 0
    for place, entry in enumerate(whole, 1):
        said = f"result {place} in {where}"
        owner, label = _number(entry, "image_id", said), _number(entry, "category_id", said)
        if owner not in found or label not in labels:
            wrong = f"picture {owner}" if owner not in found else f"category {label}"
            raise ExperimentError(f"{said} is of {wrong}, which {shown(like.name)} does not have")
        score = _finite([entry.get("score")], f"score of {said}")[0]
        mask = None
        try:
            if (outline := outline_of(entry.get("segmentation"))) is not None:
                taken += math.prod(sizes[owner])
                if taken > MOST_BYTES:
                    raise ExperimentError(f"masks up to here take more than {MOST_BYTES} bytes")
                mask = outline.mask(*sizes[owner])
        except ExperimentError as error:
            raise ExperimentError(f"{said}: {error}") from error
        if "bbox" in entry or mask is None:
            box = _box(entry, said)
        else:
            box = tuple(enclosing(mask[None])[0].tolist())
        found[owner].append((box, score, labels[label], mask))
    if len({mask is None for entries in found.values() for *_, mask in entries}) > 1:
        raise ExperimentError(f"some results in {where} have masks and some have none")
    return [_detections(found[one.identity]) for one in like.pictures]


def _detections(entries: Sequence[tuple[Any, ...]]) -> Detections:
    masks = [mask for *_, mask in entries]
    return Detections(
        np.array([box for box, *_ in entries], np.float64).reshape(-1, 4),
        np.array([score for _, score, *_ in entries], np.float64),
        np.array([label for _, _, label, _ in entries], np.int64),
        np.stack(masks) if masks and masks[0] is not None else None,
    )


def _divided(name: str, files: dict[str, tuple[Path, Path]]) -> DividedPictures:
    return divided_pictures(
        name,
        {
            part: (file, partial(read_instances, file, folder, f"{name} {part}"))
            for part, (file, folder) in files.items()
        },
    )


def _json(path: Path) -> Any:
    try:
        return json.loads(content(path).decode("utf-8"))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ExperimentError):
            raise
        raise ExperimentError(f"{shown(path)} is no JSON: {shown(error)}") from None


def _entries(whole: dict[str, Any], name: str, where: str) -> list[dict[str, Any]]:
    found = whole.get(name)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ExperimentError(f"{where} has no list of {name}")
    return found


def _number(entry: dict[str, Any], name: str, where: str) -> int:
    found = entry.get(name)
    if type(found) is not int or not 0 <= found < 2**63:
        raise ExperimentError(
            f"{name} in {where} is no whole number from 0 on, without a point: {quoted(found, 80)}"
        )
    return found


def _text(entry: dict[str, Any], name: str, where: str) -> str:
    found = entry.get(name)
    if not isinstance(found, str):
        raise ExperimentError(f"{name} in {where} is no text: {quoted(found, 80)}")
    return found


def _finite(values: Any, what: str) -> list[float]:
    # True is an int, and whole numbers of JSON have no bound.
    if not isinstance(values, list) or not all(
        type(one) in (int, float) and abs(one) < 1e15 and math.isfinite(one) for one in values
    ):
        raise ExperimentError(f"the {what} is not of numbers: {quoted(values, 80)}")
    return [float(one) for one in values]


def _box(entry: dict[str, Any], said: str) -> tuple[float, float, float, float]:
    found = _finite(entry.get("bbox"), f"bbox of {said}")
    if len(found) != 4 or min(found[2:]) < 0:
        raise ExperimentError(f"the bbox of {said} is no x, y, width, height: {quoted(found)}")
    left, top, width, height = found
    return (left, top, left + width, top + height)


def _region(entry: dict[str, Any], label: int, said: str) -> Region:
    area = entry.get("area")
    if area is not None and (area := _finite([area], f"area of {said}")[0]) < 0:
        raise ExperimentError(f"the area of {said} is negative: {area}")
    crowd = entry.get("iscrowd", 0)
    if type(crowd) not in (int, bool) or crowd not in (0, 1):
        raise ExperimentError(f"iscrowd of {said} is 0 or 1, got {quoted(crowd, 80)}")
    try:
        outline = outline_of(entry.get("segmentation"))
    except ExperimentError as error:
        raise ExperimentError(f"{said}: {error}") from error
    return Region(_box(entry, said), label, outline, area, bool(crowd))


def _picture(entry: dict[str, Any], regions: list[Region], where: str) -> Picture:
    if "file_name" in entry:
        file = _text(entry, "file_name", where)
    else:
        # LVIS tells of COCO's addresses alone, which end in the folder and the file.
        file = "/".join(_text(entry, "coco_url", where).split("/")[-2:])
    height, width, identity = (_number(entry, one, where) for one in ("height", "width", "id"))
    try:
        return Picture(file, height, width, identity, tuple(regions))
    except ExperimentError as error:
        raise ExperimentError(f"{where}: {error}") from error
