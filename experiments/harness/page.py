"""Reports as one self-contained HTML page: claims, verdicts, plots, configuration."""

import html
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.files.storage import check_writable
from experiments.harness import tables
from experiments.harness.claim import Claim
from experiments.harness.report import Report
from ntkexec.check import Outcome, rendering
from ntkexec.errors import MissingExtraError
from ntkexec.report.page import palette

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--ink); background: var(--paper); overflow-wrap: anywhere; } a { color: var(--blue); }
h1 { line-height: 1.2; } h1 + p { margin-top: 0; } section + section { margin-top: 4rem; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid var(--line); }
.claims { table-layout: fixed; } .claims th:first-child { width: 7rem; }
.claims th:nth-child(3) { width: 13rem; } .claims td:nth-child(3) { font-variant-numeric: tabular-nums; }
.fails, .undecided { font-weight: 600; }
.undecided { background: color-mix(in srgb, var(--amber) 18%, transparent); }
.surprise { background: color-mix(in srgb, var(--bad) 18%, transparent); }
small { color: var(--soft); font-weight: normal; } figure { margin: 1.5rem 0; }
img { max-width: 100%; background: #fff; border-radius: 6px; }
@media (max-width: 50rem) {
  .claims tbody, .claims tr, .claims td { display: block; } .claims tr:first-child { display: none; }
  .claims td { border: 0; padding: .2rem .6rem; }
  .claims tr { border-bottom: 1px solid var(--line); padding: .4rem 0; }
}
"""


def check_target(path: Path) -> None:
    """Raises before any work is done if the page could not be drawn or written.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ExperimentError: the path is a folder, or lies where nothing can be written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("the page needs matplotlib: install ntkexec[experiments]")
    check_writable(path, "the page")


def render(reports: Sequence[Report]) -> str:
    """The page, with every plot inlined; it loads nothing."""
    title = ", ".join(report.experiment.slug for report in reports)
    body = "\n".join(_experiment(report) for report in reports)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>ntkexec experiments: {html.escape(title)}</title>"
        f"<style>{palette()}{rendering.colour_rules()}{STYLE}</style></head>\n"
        f"<body>{_contents(reports) if len(reports) > 1 else ''}{body}</body></html>\n"
    )


def _contents(reports: Sequence[Report]) -> str:
    """Which reports the page holds and what each came to, where there are several."""
    rows = "".join(
        f'<tr><td><a href="#{report.experiment.slug}">{report.experiment.slug}</a></td>'
        f"<td>{html.escape(tables.summary(report))}</td></tr>"
        for report in reports
    )
    return f"<h1>Experiments</h1><table>{rows}</table>\n"


def _experiment(report: Report) -> str:
    about = report.experiment.about
    judged = zip(report.experiment.claims, report.outcomes, strict=True)
    rows = "\n".join(_row(report, claim, outcome) for claim, outcome in judged)
    plots = "\n".join(_plot(report, outcome) for outcome in report.outcomes)
    data = report.to_data()
    settings = _table({"scale": report.scale, "seeds": len(report.records), **data["config"]})
    reading = f"<p>{tables.RECONSTRUCTED}</p>" * (about.paper.provenance == "reconstructed")
    return (
        f'<section id="{about.slug}"><h1>{html.escape(about.title)}</h1>'
        f"<p>{html.escape(str(about.paper))}</p>{reading}"
        f"<p>{html.escape(tables.sentence(tables.summary(report)))}"
        f" {html.escape(tables.sentence(tables.conditions(report)))}</p>"
        f'<table class="claims"><tr><th>verdict</th><th>claim</th><th>measured</th>'
        f"<th>how, and from where the bound comes</th></tr>{rows}</table>{plots}"
        f"<details><summary>Configuration</summary>{settings}</details>"
        f"<details><summary>Environment</summary>{_table(report.environment)}</details></section>"
    )


def _row(report: Report, claim: Claim, outcome: Outcome) -> str:
    expected = report.expected(outcome)
    # That a claim holds as expected is what a reader takes for granted.
    kind = beside = ""
    if report.surprises(outcome):
        kind, beside = ' class="surprise"', f"<br><small>{expected} expected</small>"
    elif expected == outcome.verdict != "holds":
        beside = "<br><small>as expected</small>"
    name = html.escape(claim.name)
    if _drawn(outcome):
        name = f'<a href="#{_anchor(report, outcome)}">{name}</a>'
    return (
        f"<tr{kind}><td>{rendering.verdict_html(outcome)}{beside}</td>"
        f"<td><b>{name}</b><br>{html.escape(claim.claim)}<br>"
        f"<small>{html.escape(f'{claim.provenance}: {claim.source}')}</small></td>"
        f"<td>{html.escape(tables.told(outcome))}</td>"
        f"<td>{html.escape(claim.how)}<br><small>{html.escape(claim.bound_from)}</small></td></tr>"
    )


def _drawn(outcome: Outcome) -> bool:
    return outcome.check.plot is not None and not outcome.measurement.reason


def _anchor(report: Report, outcome: Outcome) -> str:
    return html.escape(f"{report.experiment.slug}-{outcome.check.name}")


def _plot(report: Report, outcome: Outcome) -> str:
    if not _drawn(outcome):
        return ""
    check = outcome.check
    image = rendering.plot_html(outcome, check.name, image="png")
    # Intervals of two arms may overlap where that of their difference says who is better.
    told = f"{outcome.verdict}, {tables.told(outcome)}"
    if outcome.measurement.details.get("paired"):
        told += "; the verdict is on the difference under the same seeds"
    caption = f"<b>{html.escape(check.name)}</b> ({html.escape(told)}): {html.escape(check.how)}"
    anchor = _anchor(report, outcome)
    return f'<figure id="{anchor}">{image}<figcaption>{caption}</figcaption></figure>'


def _table(values: Mapping[str, Any]) -> str:
    return rendering.rows_html((name, str(value)) for name, value in values.items())
