"""One row for each system: how its claims came out, and its published figures beside ours.

The first is ntkexec's own, of the papers that it was made for; each of the others is a port's.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.harness import tables
from experiments.harness.report import Report
from ntkexec.check import VERDICTS, Verdict, counts
from ntkexec.check.rendering import number
from ntkexec.cli import paper


@dataclasses.dataclass(frozen=True)
class Figure:
    """A published figure and ours, on the paper's own data.

    Args:
        claim: that compares them.
        data: the set.
        published, ours: as means.
        interval: of ours, 95 %.
        unit: of both.
        verdict: of the claim.
        scale: of a longer run that measured it, where the row's own could not; else empty.
    """

    claim: str
    data: str
    published: float
    ours: float
    interval: tuple[float, float]
    unit: str
    verdict: str
    scale: str = ""

    def __str__(self) -> str:
        low, high = map(number, self.interval)
        unit = f" {self.unit}" if self.unit else ""
        where = f" ({self.data})" if self.data and self.data != self.claim else ""
        return (
            f"`{self.claim}`{where}: {number(self.published)}{unit}, "
            f"ours {number(self.ours)} [{low}, {high}]{f' at {self.scale}' if self.scale else ''}: "
            f"{self.verdict}"
        )


@dataclasses.dataclass(frozen=True)
class Row:
    """What became of a paper.

    Args:
        slug: of its port.
        area: of the port.
        paper: the reference, in words.
        provenance: of the port as a whole.
        verdicts: how many claims hold, fail, are undecided and not measured.
        figures: published ones beside ours, where the data are the paper's own and were there.
        scale: at which it was measured.
        seeds: that were measured; None where each check has its own.
        cpu_seconds: that this took; None where it was not stored.
    """

    slug: str
    area: str
    paper: str
    provenance: str
    verdicts: Mapping[Verdict, int]
    figures: tuple[Figure, ...]
    scale: str
    seeds: int | None
    cpu_seconds: float | None

    def to_data(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        return dataclasses.asdict(self)


def row(report: Report, longer: Sequence[Report] = ()) -> Row:
    """A port's row, from its last run.

    Args:
        report: of the run; it alone decides the verdicts that are counted.
        longer: runs at larger scales, for figures that it could not measure.
    """
    about = report.experiment.about
    return Row(
        about.slug,
        about.area,
        str(about.paper),
        about.paper.provenance,
        counts(report.outcomes),
        _figures(report) + tuple(figure for one in longer for figure in _further(report, one)),
        report.scale,
        sum(bool(record.results) for record in report.records),
        report.cpu_seconds,
    )


def own_row() -> Row:
    """The row of ntkexec itself, from the run that its page of papers was written from.

    Its claims are the statements of `ntkexec check` that the page names, each once.
    """
    run = paper.stored_run()
    found = [one["verdict"] for one in run["checks"].values()]
    told = "; ".join(f"{one.authors}, *{one.title}*, {one.year}" for one in paper.papers())
    verdicts = {verdict: found.count(verdict) for verdict in VERDICTS}
    return Row("ntkexec", "own", told, "paper", verdicts, (), run["scale"], None, None)


def _further(report: Report, longer: Report) -> list[Figure]:
    """Figures of claims that the report could not measure, and the longer run could."""
    left = {one.check.name for one in report.outcomes if one.measurement.reason}
    found = [figure for figure in _figures(longer) if figure.claim in left]
    return [dataclasses.replace(figure, scale=longer.scale) for figure in found]


def _figures(report: Report) -> tuple[Figure, ...]:
    found = []
    for outcome in report.outcomes:
        details: Mapping[str, Any] = outcome.measurement.details
        if not outcome.measurement.reason and "interval" in details and "published" in details:
            low, high = details["interval"]
            found.append(
                Figure(
                    outcome.check.name,
                    details["data"],
                    details["published"],
                    details["ours"],
                    (low, high),
                    details.get("unit", ""),
                    outcome.verdict,
                )
            )
    return tuple(found)


def markdown(
    reports: Sequence[Report], longer: Mapping[str, Sequence[Report]], own: Row | None = None
) -> str:
    """All rows, of which there are some, as a table, and what they sum to.

    Args:
        reports: of every port.
        longer: by port, runs at larger scales; see `row`.
        own: the row of ntkexec itself, which comes first; see `own_row`.
    """
    rows = [row(report, longer.get(report.experiment.slug, ())) for report in reports]
    verdicts = list(rows[0].verdicts)
    lines = [tables.as_row(["system", *verdicts, "published, and ours", "seeds", "CPU s"])]
    lines.append(tables.as_row(["---", *["---:"] * len(verdicts), "---", "---:", "---:"]))
    if own is not None:
        published = "[line by line](paper.md)"
        lines.append(_line(f"[{own.slug}](paper.md)<br>{own.paper}", own, published))
    for report, one in zip(reports, rows, strict=True):
        about = report.experiment.about
        link = f"[{one.slug}](../experiments/{one.area}/{about.folder.name}/README.md)"
        mark = ", reconstructed" * (one.provenance == "reconstructed")
        said = f"{link}{mark}<br>{about.paper.authors}, *{about.paper.title}*, {about.paper.year}"
        lines.append(_line(said, one, "<br>".join(map(str, one.figures)) or "-"))
    everyone = rows if own is None else [own, *rows]
    sums = [str(sum(one.verdicts[name] for one in everyone)) for name in verdicts]
    spent = f"{sum(one.cpu_seconds or 0 for one in everyone):.0f}"
    lines.append(tables.as_row([f"{len(everyone)} systems", *sums, "", "", spent]))
    scales = ", ".join(dict.fromkeys(one.scale for one in everyone))
    said = f"Scale {scales}, {tables.versions_of(reports[-1])}."
    return f"{said}\n\n" + "\n".join(lines) + "\n"


def _line(said: str, one: Row, published: str) -> str:
    """A row of the table, under what is said of its system."""
    seeds = "-" if one.seeds is None else str(one.seeds)
    spent = "-" if one.cpu_seconds is None else f"{one.cpu_seconds:.0f}"
    return tables.as_row([said, *map(str, one.verdicts.values()), published, seeds, spent])
