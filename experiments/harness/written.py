"""The tables of results that READMEs hold, read again: they are there without any stored run."""

import dataclasses
import re

from experiments.harness import readme
from experiments.harness.about import About
from ntkexec.errors import ExperimentError

VERDICTS = ("holds", "fails", "undecided", "not measured")
# What `tables.told` writes of a published figure.
_PUBLISHED = re.compile(
    r"(?P<ours>\S+) ?(?P<unit>[^\[]*?) \[(?P<low>\S+), (?P<high>\S+)\], published (?P<published>\S+), "
    r"within (?P<within>\S+)"
)


@dataclasses.dataclass(frozen=True)
class Published:
    """A published figure beside ours.

    Args:
        ours: the mean.
        low, high: its interval, 95 %.
        published: the paper's.
        within: how far from it ours may lie.
    """

    ours: float
    low: float
    high: float
    published: float
    within: float


@dataclasses.dataclass(frozen=True)
class Written:
    """A row of a README's table.

    Args:
        slug: of the port.
        claim: its name.
        verdict: one of `VERDICTS`.
        published: where the claim compares with a published figure and was measured.
    """

    slug: str
    claim: str
    verdict: str
    published: Published | None


def rows(about: About, scale: str = readme.QUICK) -> list[Written]:
    """The rows of a port's table; none where it has no table of that scale.

    Raises:
        ExperimentError: a row that no run wrote.
    """
    text = about.readme.read_text(encoding="utf-8")
    start, end = readme.start_of(about.slug, scale), readme.end_of(scale)
    if start not in text:
        return []
    table = text.split(start)[1].split(end)[0]
    lines = [line for line in table.splitlines() if line.startswith("| `")]
    return [_row(about, line) for line in lines]


def _row(about: About, line: str) -> Written:
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    name = re.match(r"`([^`]+)`", cells[0])
    verdict = cells[-1].split(",")[0]
    if name is None or len(cells) != 3 or verdict not in VERDICTS:
        raise ExperimentError(f"{about.readme} has a row that no run wrote: {line[:120]}")
    found = _PUBLISHED.fullmatch(cells[1])
    published = None
    if found:
        numbers = (found[part] for part in ("ours", "low", "high", "published", "within"))
        published = Published(*(float(number.replace(",", "")) for number in numbers))
    return Written(about.slug, name[1], verdict, published)
