"""Boxes as VOC's XML files tell of them, also those of DIOR, with VOC's painted outlines."""

import dataclasses
import math
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

import numpy as np
from jaxtyping import Bool

from experiments.data.annotated import AnnotatedPictures, DividedPictures, Picture, Region
from experiments.data.objects import Objects
from experiments.files.sources import content, picture
from experiments.files.storage import write_atomically
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
MOST_BYTES = 2**24
"""Of one XML file."""
OUTSIDE = re.compile("[^\\t\\n\\r\\u0020-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""What XML 1.0 has no way to write."""
DEEPEST = 64
"""Elements within each other; VOC's are five."""


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
            ExperimentError: the picture has another size, or cannot be read.
            MissingExtraError: without Pillow.
        """
        image = picture(self.path, "P")
        if image.size != (width, height):
            raise ExperimentError(
                f"{shown(self.path)} has {image.size[1]} x {image.size[0]} pixels, the picture "
                f"{height} x {width}"
            )
        return np.asarray(image) == self.number


def read(path: Path, name: str, key: str = "") -> DividedPictures:
    """VOC as it is unpacked: `Annotations`, `ImageSets/Main`, `JPEGImages`, perhaps `SegmentationObject`.

    Args:
        path: of the year's folder, such as `VOCdevkit/VOC2012`.
        name: of the set.
        key: is not needed here.

    Returns:
        Those of train, val, trainval and test that have a list. Objects that are hard to see are marked.

    Source: Everingham et al., The PASCAL visual object classes challenge, 2010 and 2015.
    """
    lists = path / "ImageSets" / "Main"
    return _divided(path, name, lists, path / "Annotations", CLASSES)


def read_dior(path: Path, name: str, key: str) -> DividedPictures:
    """DIOR as it is unpacked: `JPEGImages-trainval`, `JPEGImages-test` and boxes that lie straight.

    Args:
        path: of the folder.
        name: of the set.
        key: the folder of the lists below it, `ImageSets/Main` or `Main`.

    Source: Li et al., Object detection in optical remote sensing images, arXiv:1909.00133.
    """
    boxes = path / "Annotations" / "Horizontal Bounding Boxes"
    return _divided(path, name, path / key, boxes, DIOR_CLASSES)


def read_annotation(path: Path, classes: Sequence[str], *, painted: Path | None = None) -> Picture:
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
    where = shown(path)
    root = _tree(path)
    if root.tag != "annotation":
        raise ExperimentError(f"{where} holds no annotation, but {quoted(root.tag, 80)}")
    height, width = (_whole(root, f"size/{side}", where) for side in ("height", "width"))
    labels = {name.casefold(): label for label, name in enumerate(classes)}
    regions = []
    for place, entry in enumerate(root.findall("object"), 1):
        said = f"object {place} in {where}"
        called = _text(entry, "name", said)
        if called.casefold() not in labels:
            raise ExperimentError(f"{said} is of no known class: {quoted(called, 80)}")
        left, top, right, bottom = (_real(entry, f"bndbox/{side}", said) for side in CORNERS)
        if right < left or bottom < top:
            raise ExperimentError(f"the box of {said} ends before it begins")
        regions.append(
            Region(
                (left - 1, top - 1, right, bottom),
                labels[called.casefold()],
                None if painted is None else PaintedObject(painted, place),
                difficult=(entry.findtext("difficult") or "0").strip() == "1",
            )
        )
    try:
        return Picture(_text(root, "filename", where), height, width, path.stem, tuple(regions))
    except ExperimentError as error:
        raise ExperimentError(f"{where}: {error}") from error


def write_annotation(
    path: Path,
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
    _add(root, "filename", picture.file)
    size = ElementTree.SubElement(root, "size")
    for side, value in (("width", picture.width), ("height", picture.height), ("depth", 3)):
        _add(size, side, str(value))
    _add(root, "segmented", "0")
    hard = difficult or [False] * len(objects)
    for box, label, mark in zip(objects.boxes, objects.labels, hard, strict=True):
        if not 0 <= label < len(classes):
            raise ExperimentError(f"labels are from 0 to {len(classes) - 1}, got {label}")
        entry = ElementTree.SubElement(root, "object")
        _add(entry, "name", classes[label])
        _add(entry, "difficult", str(int(mark)))
        ends = ElementTree.SubElement(entry, "bndbox")
        for side, value in zip(CORNERS, np.add(box, [1, 1, 0, 0]), strict=True):
            _add(ends, side, str(int(value)) if value == int(value) else repr(float(value)))
    ElementTree.indent(root)
    write_atomically(path, ElementTree.tostring(root, encoding="utf-8") + b"\n")


def _divided(
    path: Path, name: str, lists: Path, boxes: Path, classes: tuple[str, ...]
) -> DividedPictures:
    return DividedPictures(
        name,
        {
            part: partial(_part, path, f"{name} {part}", lists / f"{part}.txt", boxes, classes)
            for part in PARTS
            if (lists / f"{part}.txt").exists()
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


def _tree(path: Path) -> ElementTree.Element:
    """The elements of a file; a declared type of document, in which entities could be, is refused."""
    bytes_ = content(path)
    if len(bytes_) > MOST_BYTES:
        raise ExperimentError(f"{shown(path)} has more than {MOST_BYTES} bytes")
    builder, parser, depth = ElementTree.TreeBuilder(), expat.ParserCreate(), 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal depth
        depth += 1
        if depth > DEEPEST:
            raise ExperimentError(f"{shown(path)} has elements nested deeper than {DEEPEST}")
        builder.start(tag, attributes)

    def end(tag: str) -> None:
        nonlocal depth
        depth -= 1
        builder.end(tag)

    def refuse(*_: object) -> None:
        raise ExperimentError(f"{shown(path)} declares a type of document, which is not read")

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.CharacterDataHandler = builder.data
    parser.StartDoctypeDeclHandler = refuse
    try:
        parser.Parse(bytes_, True)
        return builder.close()
    except ExperimentError:
        raise
    except (expat.ExpatError, ValueError, LookupError, AssertionError) as error:
        raise ExperimentError(f"{shown(path)} is no XML: {shown(error)}") from None


def _text(entry: ElementTree.Element, name: str, where: str) -> str:
    found = (entry.findtext(name) or "").strip()
    if not found:
        raise ExperimentError(f"{where} has no {name}")
    return found


def _real(entry: ElementTree.Element, name: str, where: str) -> float:
    text = _text(entry, name, where)
    try:
        found = float(text)
    except ValueError:
        found = math.nan
    if not abs(found) < 1e9:
        raise ExperimentError(f"{name} of {where} is no number of pixels: {quoted(text, 80)}")
    return found


def _whole(entry: ElementTree.Element, name: str, where: str) -> int:
    found = _real(entry, name, where)
    if found != int(found):
        raise ExperimentError(f"{name} of {where} is no whole number: {found}")
    return int(found)


def _add(parent: ElementTree.Element, name: str, text: str) -> None:
    if OUTSIDE.search(text):
        raise ExperimentError(f"XML cannot hold {quoted(text, 80)}")
    ElementTree.SubElement(parent, name).text = text
