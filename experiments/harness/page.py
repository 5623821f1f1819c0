"""Reports as one self-contained HTML page: claims, verdicts, plots, configuration."""

import html
import importlib.util
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.files.storage import check_writable
from experiments.harness import tables
from experiments.harness.report import Report
from ntkexec.check import Outcome, rendering
from ntkexec.errors import MissingExtraError

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem;
  color: #1c1c1c; }
h1, h2 { line-height: 1.2; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .4rem .6rem; border-bottom: 1px solid #ddd; }
td.number { font-variant-numeric: tabular-nums; white-space: nowrap; }
.fails { font-weight: 600; } .undecided { background: #fff3d6; font-weight: 600; }
small { color: #555; } figure { margin: 1rem 0; } img { max-width: 100%; }
"""


def check_target(path: Path) -> None:
    """Raises before any work is done if the page could not be drawn or written.

    Raises:
        MissingExtraError: matplotlib is not installed.
        ExperimentError: the path is a folder, or lies where nothing can be written.
    """
    if importlib.util.find_spec("matplotlib") is None:
        raise MissingExtraError("the page needs matplotlib: pip install 'ntkexec[experiments]'")
    check_writable(path, "the page")


def render(reports: Sequence[Report]) -> str:
    """The page, with every plot inlined; it loads nothing."""
    title = ", ".join(report.experiment.slug for report in reports)
    body = "\n".join(_experiment(report) for report in reports)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>ntkexec experiments: {html.escape(title)}</title>"
        f"<style>{rendering.colour_rules()}{STYLE}</style></head>\n"
        f"<body>{body}</body></html>\n"
    )


def _experiment(report: Report) -> str:
    about = report.experiment.about
    rows = "\n".join(_row(report, outcome) for outcome in report.outcomes)
    plots = "\n".join(_plot(outcome) for outcome in report.outcomes)
    data = report.to_data()
    settings = _table({"scale": report.scale, "seeds": len(report.records), **data["config"]})
    return (
        f"<h1>{html.escape(about.title)}</h1><p>{html.escape(str(about.paper))}</p>"
        f"<p>{html.escape(tables.summary(report))}. {html.escape(tables.conditions(report))}.</p>"
        f"<table><tr><th>verdict</th><th>claim</th><th>measured, with its interval</th>"
        f"<th>how, and from where the bound comes</th></tr>{rows}</table>{plots}"
        f"<details><summary>Configuration</summary>{settings}</details>"
        f"<details><summary>Environment</summary>{_table(report.environment)}</details>"
    )


def _row(report: Report, outcome: Outcome) -> str:
    check = outcome.check
    surprise = "<small>" + html.escape(f"{report.expected(outcome)} was expected") + "</small>"
    return (
        f"<tr>{rendering.verdict_html(outcome, tag='td')}"
        f"<td><b>{html.escape(check.name)}</b><br>{html.escape(check.claim)}<br>"
        f"<small>{html.escape(check.source)}</small></td>"
        f'<td class="{"number" if not outcome.measurement.reason else ""}">'
        f"{html.escape(tables.told(outcome))}"
        f"{'<br>' + surprise if report.surprises(outcome) else ''}</td>"
        f"<td>{html.escape(check.how)}<br><small>{html.escape(check.bound_from)}</small></td></tr>"
    )


def _plot(outcome: Outcome) -> str:
    name = outcome.check.name
    image = rendering.plot_html(outcome, name, image="png")
    caption = html.escape(f"{name}: {outcome.check.how}")
    return image and f"<figure>{image}<figcaption>{caption}</figcaption></figure>"


def _table(values: Mapping[str, Any]) -> str:
    return rendering.rows_html((name, str(value)) for name, value in values.items())
