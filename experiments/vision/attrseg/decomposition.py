"""Attributes of classes, from a table or from whatever a user calls; kept in a file, since answers vary."""

import dataclasses
import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from experiments.files.sources import content
from experiments.files.storage import write_atomically
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

Source = Mapping[str, Iterable[str]] | Callable[[str], Iterable[str]]
"""A table of phrases by class, or what is asked for the phrases of one class."""
LONGEST = 200
"""Characters of a phrase."""


@dataclasses.dataclass(frozen=True)
class Decomposition:
    """Phrases that describe each class.

    Args:
        attributes: of each class, at least one; none twice, since a repeated one would weigh more.
        note: where they come from: of a language model's, the prompt and the date.

    Raises:
        ExperimentError: names the class whose phrases are none; `decompose` makes what fits of lists.
    """

    attributes: Mapping[str, tuple[str, ...]]
    note: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.attributes, Mapping) or not self.attributes:
            raise ExperimentError(
                f"attributes are a table of phrases by class, got {quoted(self.attributes)}"
            )
        for name, phrases in self.attributes.items():
            _check_name(name)
            if not isinstance(phrases, tuple):
                raise ExperimentError(
                    f"attributes of {quoted(name)} are a tuple of phrases, got {quoted(phrases)}; "
                    "`decompose(table, table)` makes tuples of lists"
                )
            for phrase in phrases:
                _check_phrase(name, phrase)
                if phrase != " ".join(phrase.split()) or not phrase:
                    raise ExperimentError(
                        f"attributes of {quoted(name)} have one blank between words and none around them, "
                        f"got {quoted(phrase)}"
                    )
            if not phrases or len(set(phrases)) < len(phrases):
                raise ExperimentError(
                    f"attributes of {quoted(name)} are at least one and none twice, got {quoted(phrases)}"
                )

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(self.attributes)

    def write(self, path: Path | str) -> None:
        """Keeps it as JSON, which `read_decomposition` reads.

        Raises:
            ExperimentError: the file cannot be written.
        """
        kept = {"note": self.note, "attributes": {c: list(a) for c, a in self.attributes.items()}}
        text = json.dumps(kept, indent=1, ensure_ascii=False) + "\n"
        write_atomically(Path(path), text.encode())


def decompose(
    classes: Iterable[str], by: Source, *, most: int = 15, note: str = ""
) -> Decomposition:
    """The phrases of each class, checked; blanks around them, and the same phrase again, are left out.

    Args:
        classes: names; each is asked for once.
        by: a mapping of phrases, or a function of the class's name, such as one that asks a language
            model. Nothing here does.
        most: phrases of a class.
        note: see `Decomposition`.

    Raises:
        ExperimentError: names the class: it is twice there, not in the table, or has no phrases, too
            many, or one that is no text.
    """
    if most < 1:
        raise ExperimentError(f"a class has at least one phrase, so at most {most} is none")
    found: dict[str, tuple[str, ...]] = {}
    if isinstance(classes, str | bytes):
        raise ExperimentError(f"classes are a list of names, got {quoted(classes)}")
    for name in classes:
        _check_name(name)
        if name in found:
            raise ExperimentError(f"the class {quoted(name)} is there twice")
        found[name] = _phrases(name, _asked(name, by), most)
    if not found:
        raise ExperimentError("there are no classes to decompose")
    return Decomposition(found, note)


def _asked(name: str, by: Source) -> Iterable[str]:
    if not isinstance(by, Mapping):
        return by(name)
    if name not in by:
        raise ExperimentError(
            f"the table has no attributes of {quoted(name)}; it has those of {quoted(list(by))}"
        )
    return by[name]


def _phrases(name: str, given: object, most: int) -> tuple[str, ...]:
    # A text is itself a sequence of texts.
    if isinstance(given, str | bytes) or not isinstance(given, Iterable):
        raise ExperimentError(
            f"attributes of {quoted(name)} are a list of phrases, got {quoted(given)}"
        )
    found: dict[str, None] = {}
    for place, phrase in enumerate(given):
        # Whoever is asked may go on for ever.
        if place > 100 * most or len(found) > most:
            raise ExperimentError(f"{quoted(name)} has more than {most} attributes")
        if words := " ".join(_check_phrase(name, phrase).split()):
            found[words] = None
    if not 1 <= len(found) <= most:
        raise ExperimentError(f"{quoted(name)} has {len(found)} attributes, not 1 to {most}")
    return tuple(found)


def _check_name(name: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise ExperimentError(
            f"the name of a class is a text that is not blank, got {quoted(name)}"
        )


def _check_phrase(name: str, phrase: object) -> str:
    if not isinstance(phrase, str) or len(phrase) > LONGEST:
        raise ExperimentError(
            f"attributes of {quoted(name)} are phrases of up to {LONGEST} characters, got {quoted(phrase)}"
        )
    return phrase


def read_decomposition(path: Path | str, *, most: int = 15) -> Decomposition:
    """What `Decomposition.write` kept, or a plain table of phrases by class, as Fantastic Beasts has it.

    Args:
        path: of a JSON file.
        most: phrases of a class.

    Raises:
        ExperimentError: names the file, if it cannot be read or holds something else.
    """
    where = shown(path)
    try:
        found = json.loads(content(Path(path)))
        if not isinstance(found, dict):
            raise ExperimentError(f"it holds no table, but {quoted(found)}")
        if set(found) == {"note", "attributes"} and isinstance(found["note"], str):
            table, note = found["attributes"], found["note"]
        else:
            table, note = found, ""
        if not isinstance(table, dict):
            raise ExperimentError(f"attributes are a table by class, got {quoted(table)}")
        return decompose(table, table, most=most, note=note)
    except (ValueError, RecursionError) as error:
        raise ExperimentError(f"cannot read the attributes in {where}: {shown(error)}") from None
