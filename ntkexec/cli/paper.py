"""The papers line by line: what each says, what checks it here, and the last verdict that is stored."""

import dataclasses
import json
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
RESULTS, RUN = HERE / "paper.toml", HERE / "paper_run.json"


@dataclasses.dataclass(frozen=True)
class Paper:
    """A paper, and how far it could be read.

    Args:
        name: short.
        title, authors, arxiv, year, code: what it is.
        read: what the table below rests on.
        unread: what could not be read, and what that leaves open.
    """

    name: str
    title: str
    authors: str
    arxiv: str
    year: int
    code: str
    read: str
    unread: str

    @property
    def bibtex(self) -> str:
        """Its entry for a bibliography."""
        key = self.authors.split(",")[0].split()[-1].lower()
        return (
            f"@misc{{{key}{self.year},\n"
            f"  title = {{{self.title}}},\n"
            f"  author = {{{' and '.join(self.authors.split(', '))}}},\n"
            f"  year = {{{self.year}}},\n"
            f"  eprint = {{{self.arxiv}}},\n"
            "  archivePrefix = {arXiv},\n"
            "  primaryClass = {cs.LG}\n"
            "}"
        )


@dataclasses.dataclass(frozen=True)
class Result:
    """One thing that a paper says or shows.

    Args:
        paper: its name.
        kind: `theory`, `figure` or `experiment`.
        what: what it says, in words of ours.
        checks: statements of `ntkexec check` about it.
        command: what else shows it.
        published: what the paper or its code says, where it is a number.
        ours: what comes out here.
    """

    paper: str
    kind: str
    what: str
    checks: tuple[str, ...] = ()
    command: str = ""
    published: str = ""
    ours: str = ""

    @property
    def commands(self) -> list[str]:
        """What to run."""
        checked = [f"ntkexec check {' '.join(self.checks)}"] if self.checks else []
        return checked + ([self.command] if self.command else [])

    def verdict(self, run: Mapping[str, Any]) -> str:
        """The verdicts of a stored run, in words: all alike, or each by name.

        They are about the statements of ours, which may contradict what a paper says.
        """
        if not self.checks:
            return "by another command"
        found = {
            name: run["checks"][name]["verdict"]
            if name in run["checks"]
            else "not in the stored run"
            for name in self.checks
        }
        if len(set(found.values())) == 1:
            (only,) = set(found.values())
            if only == "holds":
                return "holds" if len(found) == 1 else f"all {len(found)} hold"
            return only if len(found) == 1 else f"all {len(found)}: {only}"
        return "; ".join(f"{name}: {verdict}" for name, verdict in found.items())


def papers() -> tuple[Paper, ...]:
    """The papers, in their order."""
    return tuple(Paper(**one) for one in _data()["paper"])


def results() -> tuple[Result, ...]:
    """What the papers say, in their order."""
    return tuple(
        Result(**{**one, "checks": tuple(one.get("checks", ()))}) for one in _data()["result"]
    )


# Any: plain data of TOML and JSON.
def _data() -> dict[str, Any]:
    return tomllib.loads(RESULTS.read_text())


def stored_run() -> dict[str, Any]:
    """The run of the checks that `python -m benchmarks.paper` stored last.

    `scale`, `version` and `checks`: by name the verdict, the value that was measured and its bound.
    """
    found: dict[str, Any] = json.loads(RUN.read_text())
    return found


def as_data() -> dict[str, Any]:
    """All of it as plain data, for JSON."""
    run = stored_run()
    return {
        "papers": [dataclasses.asdict(one) | {"bibtex": one.bibtex} for one in papers()],
        "stored_run": {key: value for key, value in run.items() if key != "checks"},
        "results": [
            dataclasses.asdict(one)
            | {
                "commands": one.commands,
                "verdict": one.verdict(run),
                "measured": {name: run["checks"].get(name) for name in one.checks},
            }
            for one in results()
        ],
    }


def as_lines(found: Sequence[Result]) -> list[str]:
    """Results for a terminal, some lines each."""
    run, lines = stored_run(), []
    for paper in papers():
        mine = [one for one in found if one.paper == paper.name]
        lines += [f"{paper.title}, arXiv:{paper.arxiv}", f"  read: {paper.read}"]
        lines += [f"  not read: {paper.unread}", ""]
        for one in mine:
            lines.append(f"  {one.kind}: {one.what}")
            if one.published:
                lines.append(f"    published  {one.published}")
            if one.ours:
                lines.append(f"    ours       {one.ours}")
            lines.append(f"    checks     {one.verdict(run)}")
            lines += [f"    run        {command}" for command in one.commands]
        lines.append("")
    lines.append(told(run))
    return lines


def told(run: Mapping[str, Any]) -> str:
    """One sentence about the stored run."""
    verdicts = [one["verdict"] for one in run["checks"].values()]
    counts = ", ".join(
        f"{verdicts.count(word)} {'hold' if word == 'holds' else word}"
        for word in dict.fromkeys(verdicts)
    )
    return (
        f"Checks have the verdicts of the last stored run: ntkexec {run['version']}, scale "
        f"{run['scale']}; of {len(verdicts)} statements {counts}. `ntkexec check` carries them out anew. "
        "They judge our statements; where a paper says otherwise, its line tells."
    )
