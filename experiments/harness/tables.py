"""Outcomes in few words, for terminals, READMEs and pages."""

import dataclasses
from collections.abc import Iterable

from experiments.harness.report import Report
from ntkexec.check import Outcome, in_words, rendering

RECONSTRUCTED = "Reconstructed in substance: what fails may be our reading."


def told(outcome: Outcome) -> str:
    """What was measured, beside its bound or the published figure; or why nothing was."""
    found = outcome.measurement
    details = found.details
    if found.reason or "ours" not in details or "interval" not in details:
        return rendering.measured(outcome)
    unit = f" {details['unit']}" if details.get("unit") else ""
    low, high = (rendering.number(end) for end in details["interval"])
    return (
        f"{rendering.number(details['ours'])}{unit} [{low}, {high}], published "
        f"{rendering.number(details['published'])}, within {rendering.number(outcome.check.bound)}"
    )


def verdict(report: Report, outcome: Outcome) -> str:
    """The verdict, and what was expected where that surprises."""
    surprise = f", {report.expected(outcome)} expected" if report.surprises(outcome) else ""
    return outcome.verdict + surprise


def conditions(report: Report) -> str:
    """How a report came about: scale, seeds, processor time, versions."""
    seeds = [record.seed for record in report.records]
    counted = f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {seeds[0]} to {seeds[-1]}"
    spent = f"{report.cpu_seconds:.0f} s of processor time"
    return f"scale {report.scale}, {counted}, {spent}, {versions_of(report)}"


def versions_of(report: Report) -> str:
    """Of the libraries that a figure depends on most."""
    return ", ".join(f"{name} {report.environment[name]}" for name in ("jax", "flax", "optax"))


def summary(report: Report) -> str:
    """The verdicts counted, and how many of them surprise."""
    surprising = ", ".join(outcome.check.name for outcome in report.surprising)
    return in_words(report.outcomes) + (
        f"; contrary to what was expected: {surprising}" * bool(surprising)
    )


def text(report: Report, out: str) -> str:
    """A report for a terminal: one claim, what was measured for it, and the verdict."""
    about = report.experiment.about
    total = len(report.records) * len(report.experiment.studies.functions)
    lines = [
        f"{about.slug}: {about.title}",
        f"  {about.paper}",
        f"  {conditions(report)}; {report.reused} of {total} results were in {out}",
        "",
    ]
    for outcome in report.outcomes:
        check = outcome.check
        lines += [f"{outcome.verdict:<12}  {check.name}: {check.claim}", f"{'':<14}{told(outcome)}"]
        if report.surprises(outcome):
            lines.append(f"{'':<14}{report.expected(outcome)} was expected")
    return "\n".join([*lines, "", summary(report)])


def claims(report: Report, out: str) -> str:
    """What a port claims, where each claim comes from, what is expected, and what was last measured."""
    found = any(record.results for record in report.records)
    slug = report.experiment.slug
    lines = [
        sentence(conditions(report))
        if found
        else f"Nothing of the scale {report.scale} is stored in {out}: `ntkexec experiment run {slug}` "
        "measures it. What we measured is on the page."
    ]
    for claim, outcome in zip(report.experiment.claims, report.outcomes, strict=True):
        expected = report.expected(outcome)
        lines.append(f"{claim.name} ({claim.provenance}; {expected} expected): {claim.claim}")
        if found:
            lines.append(f"  {outcome.verdict}: {told(outcome)}")
    return "\n".join(lines)


def markdown(report: Report, *, measured_alone: bool = False) -> str:
    """A report as the table of a README, with the conditions above it.

    Args:
        report: what was measured and judged.
        measured_alone: whether claims that were not measured are left out.
    """
    outcomes = [o for o in report.outcomes if not (measured_alone and o.measurement.reason)]
    rows = [
        ["claim", "measured", "verdict"],
        ["---"] * 3,
        *([f"`{o.check.name}`: {o.check.claim}", told(o), verdict(report, o)] for o in outcomes),
    ]
    table = "\n".join(as_row(cells) for cells in rows)
    counted = sentence(summary(dataclasses.replace(report, outcomes=tuple(outcomes))))
    return f"{sentence(conditions(report))} {counted}\n\n{table}\n"


def sentence(words: str) -> str:
    """Words as a sentence."""
    return f"{words[:1].upper()}{words[1:]}."


def as_row(cells: Iterable[str]) -> str:
    """Cells as a row of a table in Markdown."""
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
