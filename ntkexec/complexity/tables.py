"""Studies as tables for other programs: rows of plain values, CSV, LaTeX, pandas."""

import csv
import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ntkexec.complexity.records import BoundName, StudyRecord
from ntkexec.errors import MissingExtraError, clean

if TYPE_CHECKING:
    from pandas import DataFrame

Cell = str | int | float | None
BOUNDS: tuple[BoundName, ...] = (
    "lower",
    "union",
    "certificate",
    "numerical",
    "theory",
    "published",
)
COLUMNS = (
    *("algorithm", "degree", "word", "kind", "draw", "width", "weight_std", "threshold"),
    *("n0", "m", "w", "steps", "graphs", "states", "decisions", "noise_ratio", "margin"),
    *("repetitions", "median", "median_low", "median_high", "quantile_99", "delta", *BOUNDS),
)
"""Of every row; bounds of one's own have columns of their own names, and shares of exact runs too."""

EXACT_AT = "exact_at_"


def is_column(name: str) -> bool:
    """Whether a column is called so, or may be, whatever bounds of one's own there are."""
    return name in COLUMNS or name.startswith(EXACT_AT)


def row(record: StudyRecord) -> dict[str, Cell]:
    """The values of a study by column; None where there is none, or none is finite."""
    low, high = record["median_interval"]
    sizes = record["parameters"]
    return {
        "algorithm": record["algorithm"],
        "degree": sizes.get("degree"),
        "word": sizes.get("word", sizes.get("message_bits")),
        "kind": record["kind"],
        "draw": record["draw"],
        "width": record["width"],
        "weight_std": record["weight_std"],
        "threshold": record["threshold"],
        "n0": record["num_inputs"],
        "m": record["max_matches"],
        "w": record["max_writers"],
        "steps": record["num_steps"],
        "graphs": record["num_graphs"],
        "states": record["num_states"],
        "decisions": record["num_decisions"],
        "noise_ratio": record["noise_ratio"],
        "margin": record["smallest_margin"],
        "repetitions": len(record["stable"]),
        "median": record["median"],
        "median_low": low,
        "median_high": high,
        "quantile_99": record["quantile_99"],
        "delta": record["delta"],
        **{name: record["bounds"][name] for name in BOUNDS},
        **record["own_bounds"],
        **{f"{EXACT_AT}{n}": share for n, share in record["exact_at"].items()},
    }


def columns(rows: Sequence[dict[str, Cell]]) -> list[str]:
    """The columns of all rows, in the order in which they first occur."""
    return list({name: None for one in rows for name in one})


def as_csv(rows: Sequence[dict[str, Cell]]) -> str:
    """Comma-separated values with a header; an empty cell where there is no value."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, columns(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def as_frame(rows: Sequence[dict[str, Cell]]) -> "DataFrame":
    """A table of pandas.

    Raises:
        MissingExtraError: pandas is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise MissingExtraError(
            "a frame needs pandas, which is not installed and no part of ntkexec: pip install pandas; "
            "`rows()` holds the same as plain values, and --csv FILE writes them"
        ) from None
    return pandas.DataFrame(list(rows), columns=columns(rows))


# What a paper's table has, and how it is headed; bounds of one's own follow.
LATEX = {
    "kind": "networks",
    "draw": "draw",
    "threshold": "thresholds",
    "degree": "$D$",
    "word": r"$\ell$",
    "width": "$h$",
    "weight_std": r"$\sigma_w$",
    "n0": "$n_0$",
    "m": "$m$",
    "states": "states",
    "noise_ratio": r"$\sigma^2/\mu^2$",
    "median": "$N$",
    "lower": "lower",
    "union": "union",
    "certificate": "certificate",
    "published": "published",
}
LONGEST = 10**15
"""Whole numbers from here on are written as a power of 10, like others."""

NAMED = ("kind", "draw", "threshold")
_ESCAPES = str.maketrans(
    {c: "\\" + c for c in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


def as_latex(records: Sequence[StudyRecord]) -> str:
    """A table in LaTeX (package booktabs), columns that are empty or say the same throughout left out.

    Args:
        records: studies of one algorithm as plain data, a row each.
    """
    rows = [row(one) for one in records]
    own = list({name: None for one in records for name in one["own_bounds"]})
    always = {"n0", "m", "median", "union", "published", *own}
    shown = [
        name
        for name in (*LATEX, *own)
        if name in always or len({one.get(name) for one in rows}) > 1
    ]
    first = records[0]
    told = [first["algorithm"], *(str(rows[0][n]) for n in NAMED if n not in shown)]
    heads = [LATEX.get(name) or name.translate(_ESCAPES) for name in shown]
    lines = [
        # What says the same in all rows has no column.
        "% " + ", ".join(map(clean, told)),
        f"% {first['num_graphs']:,} graphs, {len(first['stable'])} repetitions, "
        f"bounds at delta = {first['delta']:g} (published: without)",
        r"\begin{tabular}{" + "".join("l" if n in NAMED else "r" for n in shown) + "}",
        r"\toprule",
        " & ".join(heads) + r" \\",
        r"\midrule",
        *(" & ".join(_latex(one.get(name)) for name in shown) + r" \\" for one in rows),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join(lines) + "\n"


def _latex(value: Cell) -> str:
    if value is None:
        return "--"
    if isinstance(value, str):
        return value.translate(_ESCAPES)
    if not math.isfinite(value):
        return "--"
    if abs(value) < LONGEST and float(value).is_integer():
        return f"{int(value):,}".replace(",", r"\,")
    return f"{value:.3g}" if 1e-3 <= abs(value) < 1e4 else _power(value)


def _power(value: float) -> str:
    digits, exponent = f"{value:.2e}".split("e")
    return rf"${digits} \cdot 10^{{{int(exponent)}}}$"
