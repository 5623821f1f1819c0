"""Boxes as VOC's XML files tell of them, also those of DIOR, with VOC's painted outlines."""

import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from jaxtyping import Bool

from experiments.data.annotated import (
    AnnotatedPictures,
    DividedPictures,
    Picture,
    Region,
    divided_pictures,
)
from experiments.data.formats.xml_elements import (
    add_text,
    mark_in,
    read_tree,
    real_in,
    text_in,
    whole_in,
)
from experiments.data.objects import Objects
from experiments.files.rasters import numbers_of
from experiments.files.sources import as_file, content
from experiments.files.storage import as_folder, write_atomically
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

CLASSES = (
    "aeroplane",
    "bicycle",
    "bird",
    "boat",
    "bottle",
    "bus",
    "car",
    "cat",
    "chair",
    "cow",
    "diningtable",
    "dog",
    "horse",
    "motorbike",
    "person",
    "pottedplant",
    "sheep",
    "sofa",
    "train",
    "tvmonitor",
)
"""Of VOC, in its own order."""
DIOR_CLASSES = (
    "airplane",
    "airport",
    "baseballfield",
    "basketballcourt",
    "bridge",
    "chimney",
    "dam",
    "Expressway-Service-area",
    "Expressway-toll-station",
    "golffield",
    "groundtrackfield",
    "harbor",
    "overpass",
    "ship",
    "stadium",
    "storagetank",
    "tenniscourt",
    "trainstation",
    "vehicle",
    "windmill",
)
PARTS = ("train", "val", "trainval", "test")
CORNERS = ("xmin", "ymin", "xmax", "ymax")


@dataclasses.dataclass(frozen=True, eq=False)
class PaintedObject:
    """The pixels of one number in a picture of numbers, such as those in `SegmentationObject`.

    Args:
        path: of the picture.
        number: of the object, from 1 on; 0 is the background, 255 the rim between objects.
    """

    path: Path
    number: int

    def mask(self, height: int, width: int) -> Bool[np.ndarray, "h w"]:
        """The pixels.

        Raises:
            ExperimentError: the picture has another size, holds colours and no numbers, or cannot be read.
            MissingExtraError: without Pillow.
        """
        numbers = numbers_of(self.path)
        if numbers.shape != (height, width):
            raise ExperimentError(
                f"{shown(self.path)} has {numbers.shape[0]} x {numbers.shape[1]} pixels, the picture "
                f"{height} x {width}"
            )
        return numbers == self.number


def read(
    path: Path | str, name: str, key: str = "", *, classes: Sequence[str] = CLASSES
) -> DividedPictures:
    """VOC as it is unpacked: `Annotations`, `ImageSets/Main`, `JPEGImages`, perhaps `SegmentationObject`.

    Args:
        path: of the year's folder, such as `VOCdevkit/VOC2012`.
        name: of the set.
        key: is not needed here.
        classes: names, of which a label is a place; VOC's own by default.

    Returns:
        Those of train, val, trainval and test that have a list. Objects that are hard to see are marked.

    Raises:
        ExperimentError: none has a list.

    Source: Everingham et al., The PASCAL visual object classes challenge, 2010 and 2015.
    """
    path = as_folder(path)
    lists = path / "ImageSets" / "Main"
    return _divided(path, name, lists, path / "Annotations", _class_names(classes))


def read_dior(path: Path | str, name: str, key: str) -> DividedPictures:
    """DIOR as it is unpacked: `JPEGImages-trainval`, `JPEGImages-test` and boxes that lie straight.

    Args:
        path: of the folder.
        name: of the set.
        key: the folder of the lists below it, `ImageSets/Main` or `Main`.

    Source: Li et al., Object detection in optical remote sensing images, arXiv:1909.00133.
    """
    path = as_folder(path)
    boxes = path / "Annotations" / "Horizontal Bounding Boxes"
    return _divided(path, name, path / key, boxes, DIOR_CLASSES)


def read_annotation(
    path: Path | str, classes: Sequence[str], *, painted: Path | str | None = None
) -> Picture:
    """A picture's objects, out of one XML file.

    VOC counts pixels from 1 and boxes have their last pixels inside; here the first pixel begins at 0 and
    a box ends after its last, so 1 is taken off the left and top ends only.

    Args:
        path: of the file.
        classes: names, told apart without regard to capitals.
        painted: a picture in which the objects are numbered in the order of the file, if there is one.

    Raises:
        ExperimentError: names the file: it is no XML, defines entities, or holds no such boxes.
    """
    path, classes = as_file(path), _class_names(classes)
    drawn = None if painted is None else as_file(painted)
    where = shown(path)
    root = read_tree(path)
    if root.tag != "annotation":
        raise ExperimentError(f"{where} holds no annotation, but {quoted(root.tag, 80)}")
    height, width = (whole_in(root, f"size/{side}", where) for side in ("height", "width"))
    labels = {name.casefold(): label for label, name in enumerate(classes)}
    regions = []
    for place, entry in enumerate(root.findall("object"), 1):
        said = f"object {place} in {where}"
        called = text_in(entry, "name", said)
        if called.casefold() not in labels:
            raise ExperimentError(
                f"{said} is of no known class: {quoted(called, 80)}; known are {shown(', '.join(classes))}; "
                f"give others as `classes`"
            )
        left, top, right, bottom = (real_in(entry, f"bndbox/{side}", said) for side in CORNERS)
        if right < left or bottom < top:
            raise ExperimentError(f"the box of {said} ends before it begins")
        regions.append(
            Region(
                (left - 1, top - 1, right, bottom),
                labels[called.casefold()],
                None if drawn is None else PaintedObject(drawn, place),
                difficult=mark_in(entry, "difficult", said),
            )
        )
    try:
        return Picture(text_in(root, "filename", where), height, width, path.stem, tuple(regions))
    except ExperimentError as error:
        raise ExperimentError(f"{where}: {error}") from error


def write_annotation(
    path: Path | str,
    picture: Picture,
    objects: Objects,
    classes: Sequence[str],
    *,
    difficult: Sequence[bool] = (),
) -> None:
    """Writes an XML file as `read_annotation` and others read it.

    Args:
        path: of the file.
        picture: its file and size; its regions are not looked at.
        objects: boxes and classes; ends are written as whole numbers where they are ones.
        classes: names.
        difficult: which are hard to see; none are by default.

    Raises:
        ExperimentError: a label without a name, marks of another number, a character that XML cannot
            hold, or a file that cannot be written.
    """
    if difficult and len(difficult) != len(objects):
        raise ExperimentError(
            f"{len(objects)} objects and {len(difficult)} marks of difficult ones"
        )
    root = ElementTree.Element("annotation")
    add_text(root, "filename", picture.file)
    size = ElementTree.SubElement(root, "size")
    for side, value in (("width", picture.width), ("height", picture.height), ("depth", 3)):
        add_text(size, side, str(value))
    add_text(root, "segmented", "0")
    hard = difficult or [False] * len(objects)
    for box, label, mark in zip(objects.boxes, objects.labels, hard, strict=True):
        if not 0 <= label < len(classes):
            raise ExperimentError(f"labels are from 0 to {len(classes) - 1}, got {label}")
        entry = ElementTree.SubElement(root, "object")
        add_text(entry, "name", classes[label])
        add_text(entry, "difficult", str(int(mark)))
        ends = ElementTree.SubElement(entry, "bndbox")
        for side, value in zip(CORNERS, np.add(box, [1, 1, 0, 0]), strict=True):
            add_text(ends, side, str(int(value)) if value == int(value) else repr(float(value)))
    ElementTree.indent(root)
    write_atomically(as_file(path), ElementTree.tostring(root, encoding="utf-8") + b"\n")


def _divided(
    path: Path, name: str, lists: Path, boxes: Path, classes: tuple[str, ...]
) -> DividedPictures:
    lists_of = {part: lists / f"{part}.txt" for part in PARTS}
    return divided_pictures(
        name,
        {
            part: (listed, partial(_part, path, f"{name} {part}", listed, boxes, classes))
            for part, listed in lists_of.items()
        },
    )


def _part(
    path: Path, name: str, listed: Path, boxes: Path, classes: tuple[str, ...]
) -> AnnotatedPictures:
    try:
        # A second word of a line, which lists of one class have, says whether that class is there.
        names = [line.split()[0] for line in content(listed).decode().splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ExperimentError(f"{shown(listed)} is no UTF-8 text: byte {error.start}") from None
    if wrong := [one for one in names if Path(one).name != one or "\\" in one or "\0" in one]:
        raise ExperimentError(
            f"{shown(listed)} lists what is no picture's name: {quoted(wrong[0])}"
        )
    folders = ("JPEGImages", "JPEGImages-trainval", "JPEGImages-test")
    pictures = []
    for one in names:
        if not (boxes / f"{one}.xml").exists():
            raise ExperimentError(
                f"{shown(listed)} lists {quoted(one, 80)}, which {shown(boxes)} lacks"
            )
        drawn = path / "SegmentationObject" / f"{one}.png"
        found = read_annotation(
            boxes / f"{one}.xml", classes, painted=drawn if drawn.is_file() else None
        )
        there = [folder for folder in folders if (path / folder / found.file).is_file()]
        file = f"{(there or folders)[0]}/{found.file}"
        pictures.append(dataclasses.replace(found, file=file))
    return AnnotatedPictures(name, path, classes, tuple(range(len(classes))), tuple(pictures))


def _class_names(classes: Sequence[str]) -> tuple[str, ...]:
    """Names that are told apart; a text is a sequence too, of its letters, and never meant so."""
    names = tuple(classes)
    if isinstance(classes, str) or not all(isinstance(one, str) and one.strip() for one in names):
        raise ExperimentError(f"classes are names one after another, got {quoted(classes)}")
    if len({one.casefold() for one in names}) < len(names):
        raise ExperimentError(f"two classes have the same name, but for capitals: {quoted(names)}")
    return names
