"""What is known of a port without loading it: its about.toml."""

import dataclasses
import math
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, get_args

from ntkexec.errors import ExperimentError

FILE = "about.toml"
Provenance = Literal["paper", "public code", "reconstructed", "ours"]
"""Where a statement comes from: the paper says it, only its public code does, we had to fill in what
neither says, or it is a statement of our own."""
Expected = Literal["holds", "fails", "undecided", "not measured"]
"""The last one where a quick run has not the time for it."""


@dataclasses.dataclass(frozen=True)
class Paper:
    """Where a port comes from.

    Args:
        title: in full.
        authors: family names, or the first few and "et al.".
        year: of the version that is ported.
        venue: conference or journal; empty for a preprint.
        arxiv: the number, without a version; empty if there is none.
        code: the public code, as owner/name; empty if there is none.
        provenance: "reconstructed" where the port as a whole rests on our reading.
    """

    title: str
    authors: str
    year: int
    venue: str = ""
    arxiv: str = ""
    code: str = ""
    provenance: Provenance = "paper"

    def __str__(self) -> str:
        where = ", ".join(
            part for part in (self.venue, self.arxiv and f"arXiv:{self.arxiv}") if part
        )
        return f"{self.authors}: {self.title} ({where or 'preprint'}, {self.year})"


@dataclasses.dataclass(frozen=True)
class About:
    """What lists and pages say of a port, read without loading it.

    Args:
        slug: its name on the command line; the folder is the same with underscores.
        area: the folder above: graphs, vision, language or systems.
        title: one line for lists.
        paper: the reference.
        data: names of the sets of the data room that its studies can use.
        expected: by claim, the verdict that we expect of a quick run with all data there.
        cpu_seconds: of processor time that the last quick run took, all seeds together; 0 before there
            was one.
        folder: where all of it lies.
    """

    slug: str
    area: str
    title: str
    paper: Paper
    data: tuple[str, ...]
    expected: Mapping[str, Expected]
    cpu_seconds: float
    folder: Path

    @property
    def package(self) -> str:
        """The name by which Python imports the port."""
        return f"experiments.{self.area}.{self.folder.name}"

    @property
    def readme(self) -> Path:
        """The port's page."""
        return self.folder / "README.md"

    def to_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return {
            "slug": self.slug,
            "area": self.area,
            "title": self.title,
            "paper": dataclasses.asdict(self.paper),
            "data": list(self.data),
            "expected": dict(self.expected),
            # Nought is what stands there before anything was measured.
            "cpu_seconds": self.cpu_seconds or None,
        }


def read_about(folder: Path) -> About:
    """What a port's about.toml says.

    Args:
        folder: of the port.

    Raises:
        ExperimentError: names the file and the entry that is missing, unknown or of another kind.
    """
    path = folder / FILE
    try:
        found = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ExperimentError(f"{path} cannot be read: {error}") from error
    _check(
        path, found, {"title": str, "data": list, "cpu_seconds": (int, float)}, "paper", "expected"
    )
    for name in found["data"]:
        if not isinstance(name, str):
            raise ExperimentError(f"{path}: data names sets, and {name!r} is no text")
    if not 0 <= found["cpu_seconds"] < math.inf:
        raise ExperimentError(f"{path}: cpu_seconds cannot be {found['cpu_seconds']}")
    paper = found["paper"]
    kinds = {
        field.name: int if field.name == "year" else str for field in dataclasses.fields(Paper)
    }
    _check(path, paper, {name: kind for name, kind in kinds.items() if name in paper})
    if missing := {"title", "authors", "year"} - set(paper):
        raise ExperimentError(f"{path}: [paper] says nothing of {min(missing)}")
    _check_word(path, "provenance", paper.get("provenance", "paper"), get_args(Provenance))
    for name, verdict in found["expected"].items():
        _check_word(path, f"expected.{name}", verdict, get_args(Expected))
    return About(
        folder.name.replace("_", "-"),
        folder.parent.name,
        found["title"],
        Paper(**paper),
        tuple(found["data"]),
        found["expected"],
        float(found["cpu_seconds"]),
        folder,
    )


def _check(path: Path, found: Mapping[str, Any], kinds: Mapping[str, Any], *tables: str) -> None:
    for name, kind in {**kinds, **dict.fromkeys(tables, dict)}.items():
        # A truth value is a number in Python, and nowhere else.
        if not isinstance(found.get(name), kind) or isinstance(found.get(name), bool):
            raise ExperimentError(f"{path}: {name} is missing or no {_word(kind)}")
    if unknown := set(found) - set(kinds) - set(tables):
        raise ExperimentError(f"{path}: nothing is called {min(unknown)!r}")


def _word(kind: Any) -> str:
    return {str: "text", int: "whole number", list: "list", dict: "table"}.get(kind, "number")


def _check_word(path: Path, name: str, found: Any, words: tuple[str, ...]) -> None:
    if found not in words:
        raise ExperimentError(f"{path}: {name} is {found!r}, and can be {', '.join(words)}")
