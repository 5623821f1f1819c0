"""Files of instances and of results as COCO's tools read them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from experiments.data.annotated import AnnotatedPictures, Picture
from experiments.data.formats.run_lengths import packed, runs_of
from experiments.data.objects import Detections, Objects
from experiments.files.sources import as_file
from experiments.files.storage import write_atomically
from ntkexec.errors import ExperimentError


def write_instances(
    path: Path | str,
    pictures: Sequence[Picture],
    objects: Sequence[Objects],
    classes: Sequence[str],
) -> None:
    """Writes what is in pictures; masks as run lengths, packed into text.

    Args:
        path: of the JSON file.
        pictures: files, sizes and whole numbers as identities; their regions are not looked at.
        objects: of each picture.
        classes: names; label 0 becomes category 1, and so on.

    Raises:
        ExperimentError: lists that do not belong together, or a file that cannot be written.
    """
    _check_lengths(pictures, objects)
    annotations: list[dict[str, Any]] = []
    for picture, found in zip(pictures, objects, strict=True):
        assert found.crowd is not None
        assert found.areas is not None
        if len(found) and not 0 <= found.labels.min() <= found.labels.max() < len(classes):
            raise ExperimentError(
                f"labels are from 0 to {len(classes) - 1}, got {found.labels.tolist()}"
            )
        for one in range(len(found)):
            entry: dict[str, Any] = {
                "id": len(annotations) + 1,
                "image_id": picture.identity,
                "category_id": int(found.labels[one]) + 1,
                "bbox": _sides(found.boxes[one]),
                "area": float(found.areas[one]),
                "iscrowd": int(found.crowd[one]),
            }
            if found.masks is not None:
                entry["segmentation"] = encoded(found.masks[one])
            annotations.append(entry)
    images = [
        {"id": one.identity, "file_name": one.file, "height": one.height, "width": one.width}
        for one in pictures
    ]
    categories = [{"id": place, "name": name} for place, name in enumerate(classes, 1)]
    _write(path, {"images": images, "categories": categories, "annotations": annotations})


def write_results(path: Path | str, found: Sequence[Detections], like: AnnotatedPictures) -> None:
    """Writes what was found in the pictures of `like`, which must have numbers as identities.

    Raises:
        ExperimentError: another number of pictures, a label that `like` has no class for, or a file that
            cannot be written.
    """
    _check_lengths(like.pictures, found)
    results = []
    for picture, detections in zip(like.pictures, found, strict=True):
        for one in range(len(detections)):
            label = int(detections.labels[one])
            if not 0 <= label < len(like.identities):
                raise ExperimentError(
                    f"labels are from 0 to {len(like.identities) - 1}, got {label}"
                )
            entry: dict[str, Any] = {
                "image_id": picture.identity,
                "category_id": like.identities[label],
                "bbox": _sides(detections.boxes[one]),
                "score": float(detections.scores[one]),
            }
            if detections.masks is not None:
                entry["segmentation"] = encoded(detections.masks[one])
            results.append(entry)
    _write(path, results)


def encoded(mask: Bool[np.ndarray, "h w"]) -> dict[str, Any]:
    """A mask as COCO's files hold it: `size` and packed `counts`."""
    return {"size": list(mask.shape), "counts": packed(runs_of(mask))}


def _sides(box: np.ndarray) -> list[float]:
    left, top, right, bottom = (float(end) for end in box)
    return [left, top, right - left, bottom - top]


def _check_lengths(pictures: Sequence[Picture], found: Sequence[Any]) -> None:
    if len(pictures) != len(found):
        raise ExperimentError(f"objects are of {len(found)} pictures, files of {len(pictures)}")
    if wrong := [one.identity for one in pictures if not isinstance(one.identity, int)]:
        raise ExperimentError(f"COCO knows pictures by whole numbers, got {wrong[0]!r}")


def _write(path: Path | str, data: Any) -> None:
    write_atomically(as_file(path), json.dumps(data).encode())
