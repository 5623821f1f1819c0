"""One self-contained page of checked statements: formula, verdict, numbers, plot."""

import html
import importlib.util
import platform
from collections.abc import Sequence
from pathlib import Path
from string import Template
from typing import Any

from ntkexec.check import Outcome, in_words, rendering
from ntkexec.errors import MissingExtraError, NtkexecError
from ntkexec.report.page import palette
from ntkexec.runtime import files
from ntkexec.vocabulary import Scale

PAGE = Template("""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>ntkexec: statements of the theory</title>
<meta name="viewport" content="width=device-width">
<style>
$palette
$formulas
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
  color: var(--ink); background: var(--paper); } a { color: var(--blue); }
section { border-top: 1px solid var(--line); padding: .5rem 0 1rem; }
h2 { font-size: 1.1rem; margin: .5rem 0; }
$colours
math { font-size: 1.2rem; } img { max-width: 100%; background: #fff; border-radius: 6px; }
table { border-collapse: collapse; } td { padding: .1rem .8rem .1rem 0; vertical-align: top; }
section td:first-child { color: var(--soft); } td:first-child { white-space: nowrap; }
nav td:nth-child(2) { white-space: nowrap; }
</style></head><body>
<h1>Statements of the theory, measured</h1>
<p>$summary</p>
<nav><table>$index</table></nav>
$sections
</body></html>
""")


def check_target(path: Path) -> None:
    """Raises before any work is done if the page could not be written.

    Raises:
        MissingExtraError: latex2mathml or matplotlib is not installed.
        NtkexecError: nothing can be written there.
    """
    for needed in ("latex2mathml", "matplotlib"):
        if importlib.util.find_spec(needed) is None:
            raise MissingExtraError(
                f"the page needs {needed}, which is not installed: install ntkexec[proofs]"
            )
    files.check_target(path)


def write(path: Path, outcomes: Sequence[Outcome], scale: Scale) -> None:
    """Writes the page, all or nothing.

    Args:
        path: the file.
        outcomes: what was measured.
        scale: how much work that was.

    Raises:
        NtkexecError: the file cannot be written.
    """
    try:
        files.write(path, render(outcomes, scale).encode())
    except OSError as error:
        raise NtkexecError(f"cannot write {path}: {error.strerror}") from error


def render(outcomes: Sequence[Outcome], scale: Scale) -> str:
    """The page as text; nothing outside it is loaded."""
    import jax
    import numpy as np

    summary = (
        f"Of {len(outcomes)} statements {in_words(outcomes)}. Undecided is one whose interval contains "
        f"the bound: it neither holds nor fails. Scale: {scale}; "
        f"{sum(o.seconds for o in outcomes):.0f} s; Python {platform.python_version()}, "
        f"JAX {jax.__version__} on {jax.default_backend()}, NumPy {np.__version__}."
    )
    index = "".join(
        f'<tr>{rendering.verdict_html(o, tag="td")}<td><a href="#{o.check.name}">{o.check.name}</a>'
        f"</td><td>{html.escape(o.check.claim)}</td></tr>"
        for o in outcomes
    )
    return PAGE.substitute(
        palette=palette(),
        formulas=rendering.formula_rules(),
        colours=rendering.colour_rules(),
        summary=summary,
        index=index,
        sections="\n".join(_section(o) for o in outcomes),
    )


def _section(outcome: Outcome) -> str:
    check, found = outcome.check, outcome.measurement
    rows = [("measured", check.how)]
    if found.reason:
        rows.append(("not measured", found.reason))
    else:
        value = f"{found.value:.4g}"
        if found.interval is not None:
            value += f", interval {found.interval[0]:.4g} to {found.interval[1]:.4g}"
        rows += [
            ("value", value),
            ("allowed", f"{check.relation} {check.bound:.4g}: {check.bound_from}"),
        ]
    rows += [("source", check.source), ("time", f"{outcome.seconds:.1f} s")]
    rows += [(name, _short(value)) for name, value in found.details.items()]
    formula = f"<p>{rendering.mathml(check.formula)}</p>" if check.formula else ""
    plot = rendering.plot_html(outcome, f"plot of {check.name}", image="svg")
    return (
        f'<section id="{check.name}"><h2>{rendering.verdict_html(outcome)}: '
        f"{html.escape(check.claim)}</h2>{formula}{rendering.rows_html(rows)}{plot}</section>"
    )


# Any: a detail is whatever JSON can hold.
def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, dict):
        return "; ".join(f"{name} {_short(one)}" for name, one in value.items())
    if isinstance(value, list | tuple):
        shown = ", ".join(_short(one) for one in value[:8])
        return shown + (f", ... ({len(value)} in all)" if len(value) > 8 else "")
    return str(value)
