"""XML files of strangers, and what their elements say: numbers, marks, texts."""

import math
import re
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers import expat

from experiments.files.sources import content_up_to
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

MOST_BYTES = 2**24
"""Of one XML file."""
OUTSIDE = re.compile("[^\\t\\n\\r\\u0020-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
"""What XML 1.0 has no way to write."""
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
DEEPEST = 64
"""Elements within each other; VOC's are five."""


def read_tree(path: Path) -> ElementTree.Element:
    """The elements of a file.

    Raises:
        ExperimentError: names the file: it is larger than `MOST_BYTES`, is no XML, is nested deeper than
            `DEEPEST`, or declares a type of document, in which entities could be.
    """
    bytes_ = content_up_to(path, MOST_BYTES)
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


def text_in(entry: ElementTree.Element, name: str, where: str) -> str:
    """What an element within says.

    Raises:
        ExperimentError: nothing, or there is none.
    """
    found = (entry.findtext(name) or "").strip()
    if not found:
        raise ExperimentError(f"{where} has no {name}")
    return found


def real_in(entry: ElementTree.Element, name: str, where: str) -> float:
    """What an element within says as a number of pixels.

    Raises:
        ExperimentError: it is none, or far too large.
    """
    text = text_in(entry, name, where)
    # Python takes 1_0 for 10, and digits of any script.
    found = float(text) if NUMBER.fullmatch(text) else math.nan
    if not abs(found) < 1e9:
        raise ExperimentError(f"{name} of {where} is no number of pixels: {quoted(text, 80)}")
    return found


def whole_in(entry: ElementTree.Element, name: str, where: str) -> int:
    """As `real_in`, of a whole number.

    Raises:
        ExperimentError: as `real_in`, or it is none.
    """
    found = real_in(entry, name, where)
    if found != int(found):
        raise ExperimentError(f"{name} of {where} is no whole number: {found}")
    return int(found)


def mark_in(entry: ElementTree.Element, name: str, where: str) -> bool:
    """Whether a mark is set, which may be left out.

    Raises:
        ExperimentError: it is neither 0 nor 1.
    """
    text = (entry.findtext(name) or "0").strip() or "0"
    if text not in ("0", "1"):
        raise ExperimentError(f"{name} of {where} is 0 or 1, got {quoted(text, 80)}")
    return text == "1"


def add_text(parent: ElementTree.Element, name: str, text: str) -> None:
    """Puts a named text into an element.

    Raises:
        ExperimentError: a character that XML cannot hold.
    """
    if OUTSIDE.search(text):
        raise ExperimentError(f"XML cannot hold {quoted(text, 80)}")
    ElementTree.SubElement(parent, name).text = text
