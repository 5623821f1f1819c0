"""PASCAL-5i and COCO-20i: masks as numbered pictures, lists of which picture shows which class by fold."""

import re
from pathlib import Path
from typing import Any

from experiments.data.formats.pickles import unpickled
from experiments.data.masked import Fold, FoldSet, MaskedPicture
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

FOLDS = 4
PARTS = ("trn", "val")
PASCAL = (
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "dining table",
    "dog", "horse", "motorbike", "person", "potted plant", "sheep", "sofa", "train", "tv monitor",
)  # fmt: skip
COCO = (
    "person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light",
    "fire hydrant", "stop sign", "parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow",
    "elephant", "bear", "zebra", "giraffe", "backpack", "umbrella", "handbag", "tie", "suitcase", "frisbee",
    "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove", "skateboard", "surfboard",
    "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple",
    "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch",
    "potted plant", "bed", "dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard",
    "cell phone", "microwave", "oven", "toaster", "sink", "refrigerator", "book", "clock", "vase",
    "scissors", "teddy bear", "hair drier", "toothbrush",
)  # fmt: skip
_LINE = re.compile(r"(\d{4}_\d{6})__(\d{2})", re.ASCII)
_NAME = re.compile(r"(train2014|val2014)/(COCO_\1_\d{12})\.jpg", re.ASCII)


def read_pascal(folder: Path, name: str, key: str = "") -> FoldSet:
    """PASCAL-5i as the code of HSNet has it: of twenty classes, each fold holds out five in a row.

    Args:
        folder: holds `VOC2012/JPEGImages`, `VOC2012/SegmentationClassAug` (numbers of classes from 1, and
            255 on outlines), and `splits/pascal/trn/fold0.txt` to `val/fold3.txt`, with a picture and a
            class from 01 on each line: `2007_000033__01`.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and the line that does not fit.

    Source: Shaban et al., One-shot learning for semantic segmentation, BMVC 2017; Min et al., HSNet, ICCV
    2021.
    """
    lists = {(part, fold): _lines(folder, part, fold) for part in PARTS for fold in range(FOLDS)}
    made = []
    for fold in range(FOLDS):
        others = [one for other in range(FOLDS) if other != fold for one in lists["trn", other]]
        made.append(Fold(_pascal_classes(fold), tuple(others), tuple(lists["val", fold])))
    return FoldSet(name, PASCAL, tuple(made))


def _pascal_classes(fold: int) -> tuple[int, ...]:
    each = len(PASCAL) // FOLDS
    return tuple(range(fold * each, (fold + 1) * each))


def _lines(folder: Path, part: str, fold: int) -> list[MaskedPicture]:
    path = folder / f"splits/pascal/{part}/fold{fold}.txt"
    found = []
    try:
        lines = content(path).decode("ascii").splitlines()
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{shown(path)} is no text: byte {error.start}") from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        fits = _LINE.fullmatch(line.strip())
        label = int(fits[2]) - 1 if fits else -1
        if fits is None or label not in _pascal_classes(fold):
            raise ExperimentError(
                f"line {number} of {shown(path)} is no picture with a class of fold {fold}: {quoted(line)}"
            )
        found.append(
            MaskedPicture(
                fits[1],
                folder / f"VOC2012/JPEGImages/{fits[1]}.jpg",
                folder / f"VOC2012/SegmentationClassAug/{fits[1]}.png",
                label,
                label + 1,
            )
        )
    if not found:
        raise ExperimentError(f"{shown(path)} lists no pictures")
    return found


def read_coco(folder: Path, name: str, key: str = "") -> FoldSet:
    """COCO-20i as the code of HSNet has it: of eighty classes, each fold holds out every fourth one.

    Args:
        folder: holds `COCO2014/train2014`, `val2014`, below `annotations` masks in folders of the same
            names (numbers of classes from 1), and `splits/coco/trn/fold0.pkl` to `val/fold3.pkl`: names
            such as `val2014/COCO_val2014_000000429717.jpg` by class from 0.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit. Pickles are read, not run.

    Source: Nguyen and Todorovic, Feature weighting and boosting, ICCV 2019; Min et al., HSNet, ICCV 2021.
    """
    made = []
    for fold in range(FOLDS):
        held_out = tuple(range(fold, len(COCO), FOLDS))
        rest = tuple(label for label in range(len(COCO)) if label not in held_out)
        train, test = (
            _by_class(folder, part, fold, classes)
            for part, classes in zip(PARTS, (rest, held_out), strict=True)
        )
        made.append(Fold(held_out, train, test))
    return FoldSet(name, COCO, tuple(made))


def _by_class(
    folder: Path, part: str, fold: int, classes: tuple[int, ...]
) -> tuple[MaskedPicture, ...]:
    path = folder / f"splits/coco/{part}/fold{fold}.pkl"
    listed: Any = unpickled(path)
    if (
        not isinstance(listed, dict)
        or not listed
        or not all(type(label) is int for label in listed)
    ):
        raise ExperimentError(f"{shown(path)} holds no lists of pictures by number of class")
    found = []
    for label, names in sorted(listed.items()):
        if not isinstance(names, list) or (names and label not in classes):
            raise ExperimentError(
                f"{shown(path)} has {quoted(names, 60)} at {label}; in {part} of fold {fold} are lists of "
                f"pictures with a class such as {classes[0]} and {classes[-1]}"
            )
        for each in names:
            fits = _NAME.fullmatch(each) if isinstance(each, str) else None
            if fits is None:
                raise ExperimentError(f"{shown(path)} has no name of a picture: {quoted(each, 60)}")
            inner = f"{fits[1]}/{fits[2]}"
            found.append(
                MaskedPicture(
                    fits[2],
                    folder / f"COCO2014/{inner}.jpg",
                    folder / f"COCO2014/annotations/{inner}.png",
                    label,
                    label + 1,
                )
            )
    if not found:
        raise ExperimentError(f"{shown(path)} lists no pictures")
    return tuple(found)
