"""From a model's reply to a count: read only where it can be read in one way, else refused."""

import dataclasses
import json
import re
from typing import Any

from experiments.files.words import quoted, shown

MOST = 1_000_000
"""The largest count that is believed."""
QUOTED = 200
"""Characters of a reply that a refusal repeats."""
UNFINISHED = {"length": "was cut at its largest length", "content_filter": "was filtered"}
"""Reasons for which a reply ended before it was whole, and what is said of them."""
PLAIN = """
    a about all altogether an and answer appear approximately are around be best can clearly correct count
    counted counting depicted displayed estimate estimated exactly final found have here i image in is it
    items me my nearly number objects of ok okay picture present rough roughly see seem seen shown sure that
    the them there these they think this to together total visible we
"""
FRAME = frozenset(PLAIN.split())
"""Words that may stand around the number of a reply in prose; with any other it may mean all else."""
THOUGHT = re.compile(r"</?(?:think|thinking|thought|reasoning)\b[^<>]*>", re.IGNORECASE)
FENCE = re.compile(r"```[^\n`]*\n(.*?)```", re.DOTALL)
NUMBER = re.compile(r"\d+|\d{1,3}(?:,\d{3})+", re.ASCII)


@dataclasses.dataclass(frozen=True)
class Reply:
    """What a model answered.

    Args:
        count: the number of objects.
        too_many: whether it says that there are too many to count.
    """

    count: int
    too_many: bool = False


def message(answer: Any) -> str:
    """The words in the answer of a server, which is plain data.

    Raises:
        ValueError: there is no message, none of text, or one that was cut before its end.
    """
    try:
        choice = answer["choices"][0]
        content = choice["message"]["content"]
        reason = choice.get("finish_reason")
    except (AttributeError, KeyError, IndexError, TypeError) as error:
        raise ValueError(f"an answer without a message: {shown(answer, QUOTED)}") from error
    if isinstance(reason, str) and reason in UNFINISHED:
        raise ValueError(f"a reply that {UNFINISHED[reason]}: {shown(content, QUOTED)}")
    if isinstance(content, list):
        # Some servers answer in parts, as they are asked.
        parts = [part.get("text") if isinstance(part, dict) else None for part in content]
        texts = [part for part in parts if isinstance(part, str)]
        content = "".join(texts) if parts and len(texts) == len(parts) else None
    if not isinstance(content, str):
        raise ValueError(f"an answer without a message of text: {shown(answer, QUOTED)}")
    return content


def parsed(text: str, target: str = "") -> Reply:
    """The count in a reply.

    It is that of the JSON that was asked for, alone or fenced or between other words; without JSON it
    is the one number of a sentence that says nothing else, such as "There are 12 red discs.". What a
    model thought before it replied is left out.

    Args:
        text: the reply.
        target: what was counted; its words may stand beside the number.

    Raises:
        ValueError: there is no count, a negative or incredible one, more than one, or one among words
            by which it may mean something else, such as "in row 2" or "at least 20".
    """
    reply = _without_thoughts(text)
    found = _objects(reply)
    if found:
        counts = {_of_object(entry, text) for entry in found}
        if len(counts) > 1:
            raise ValueError(f"a reply with {len(counts)} counts: {shown(text, QUOTED)}")
        return counts.pop()
    return Reply(_of_prose(reply, target, text))


def _without_thoughts(text: str) -> str:
    marks = list(THOUGHT.finditer(text))
    if not marks:
        return text.strip()
    # Some servers leave out the first mark, none the last, unless the reply was cut.
    if not marks[-1].group().startswith("</"):
        raise ValueError(f"a reply that ends in thought: {shown(text, QUOTED)}")
    return text[marks[-1].end() :].strip()


def _objects(reply: str) -> list[dict[str, Any]]:
    """The JSON objects in a reply: all of it, or what is fenced, or what stands between words."""
    fenced = [match.group(1) for match in FENCE.finditer(reply)]
    for parts in ([reply], fenced):
        whole = [entry for part in parts if (entry := _whole(part)) is not None]
        if whole:
            return whole
    found, place = [], reply.find("{")
    while place >= 0:
        try:
            entry, end = DECODER.raw_decode(reply, place)
        except (ValueError, RecursionError):
            raise ValueError(f"a reply with a broken object: {shown(reply, QUOTED)}") from None
        found.append(entry)
        place = reply.find("{", end)
    return found


def _whole(text: str) -> dict[str, Any] | None:
    try:
        entry = DECODER.decode(text)
    except (ValueError, RecursionError):
        return None
    return entry if isinstance(entry, dict) else None


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    entry = dict(pairs)
    if len(entry) < len(pairs):
        raise ValueError("an object with one name twice")
    return entry


DECODER = json.JSONDecoder(object_pairs_hook=_once)


def _of_object(entry: dict[str, Any], text: str) -> Reply:
    count = entry.get("count")
    if type(count) is not int:
        raise ValueError(f"a reply without a count: {shown(text, QUOTED)}")
    return Reply(_credible(count, text), entry.get("can_not_count_because_too_many") is True)


def _of_prose(reply: str, target: str, text: str) -> int:
    words = [word for word in (_bare(w) for w in re.split(r"[\s:=]+", reply)) if word]
    if words == ["zero"]:  # as the question asks for
        return 0
    numbers = [word for word in words if NUMBER.fullmatch(word)]
    if len(numbers) != 1:
        raise ValueError(f"a reply with {len(numbers)} numbers: {shown(text, QUOTED)}")
    asked = [_bare(word) for word in target.split()]
    known = FRAME | {_singular(word) for word in asked}
    odd = [word for word in words if word in asked and word in numbers]
    odd += [w for w in words if w not in numbers and w not in known and _singular(w) not in known]
    if odd:
        raise ValueError(
            f"a reply whose number may mean something else, by {quoted(odd[0], 40)}: "
            f"{shown(text, QUOTED)}"
        )
    return _credible(int(numbers[0].replace(",", "")), text)


def _bare(word: str) -> str:
    # A point before a number is part of it.
    return word.lstrip("*_`\"'(~≈").rstrip("*_`\"'.,;!?)").lower()


def _singular(word: str) -> str:
    return word.removesuffix("s")


def _credible(count: int, text: str) -> int:
    if not 0 <= count <= MOST:
        raise ValueError(f"a count below 0 or above {MOST}: {shown(text, QUOTED)}")
    return count
