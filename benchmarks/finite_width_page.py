"""The page of `python -m benchmarks.finite_width`."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.complexity_page import table
from ntkexec.theory.bias_fit import FITS

INTRODUCTION = """# Finite width: what the closed forms leave out

Written by `python -m benchmarks.finite_width`; the statements that can fail are `ntkexec check
finite-width`.

The mean of trained networks over their initial weights has a closed form in the limit of infinite
width. At a finite width h it is off by a *bias*, the same for every member, so that **no ensemble
averages it away**. It was measured on trained networks (float32, CPU) in cells of n0 templates, w
of which write the bit, and a state that matches m of them, a of them writers: n0 from 2 to 256, w
= 1, n0/4, n0/2, 3n0/4, 7n0/8 and n0, a = 0, 1 and as many as can be, six random match sets a
cell, 6 to 200 networks. A control variate of mean exactly 0, f0(x) - v(x) f0(X), takes the spread
of the untrained networks out. Numbers after +- are standard errors.
"""
DESCENTS = ("auto", "whitened", "plain", "heavy-ball")
WIDTHS = (512, 1024, 2048, 4096)


@dataclasses.dataclass(frozen=True)
class Cell:
    """A row of the data."""

    descent: str
    seed: int
    n0: int
    width: int
    outputs: int
    weight_std: float
    antisymmetric: bool
    w: int
    m: int
    a: int
    bias: float
    error: float
    spread: float
    steps: float
    peak: float | None
    trained: bool

    @property
    def plain(self) -> bool:
        """One output, unit weights, no opposite halves."""
        return self.outputs == 1 and self.weight_std == 1 and not self.antisymmetric

    @property
    def part(self) -> float:
        """|bias| and two standard errors, over sqrt(n0 m / h)."""
        return (abs(self.bias) + 2 * self.error) / np.sqrt(self.n0 * self.m / self.width)


def cells(data: Mapping[str, Any]) -> list[Cell]:
    """All rows."""
    found = []
    for name, piece in data.items():
        if name.startswith("program="):
            continue
        given = dict(item.split("=") for item in name.split())
        runs = {run[0]: run[1:] for run in piece["runs"]}
        for w, m, a, bias, error, spread in piece["cells"]:
            steps, peak, residual = runs[w]
            trained = residual is not None and residual <= 1e-4
            found.append(
                Cell(
                    given["descent"],
                    int(given["seed"]),
                    int(given["num_inputs"]),
                    int(given["width"]),
                    int(given.get("outputs", 1)),
                    float(given.get("weight_std", 1)),
                    "antisymmetric" in given,
                    w, m, a, bias, error, spread, steps, peak, trained,
                )
            )  # fmt: skip
    return found


def by_descent(rows: Sequence[Cell], n0: int, w: int, m: int, a: int) -> list[str]:
    """Bias by descent and width of one cell, with steps and peak at width 1,024."""
    lines = []
    for descent in DESCENTS:
        found = {
            c.width: c
            for c in rows
            if c.plain
            and c.seed == 0
            and (c.descent, c.n0, c.w, c.m, c.a) == (descent, n0, w, m, a)
        }
        shown = [
            f"{found[h].bias:+.3f} +- {found[h].error:.3f}" if found[h].trained else "diverges"
            for h in WIDTHS
        ]
        one = found[1024]
        lines.append(
            [f"`{descent}`", *shown, f"{one.steps:.0f}", f"{one.peak:.2f}" if one.peak else "-"]
        )
    return table(["descent", *(f"h = {h:,}" for h in WIDTHS), "steps", "peak"], lines)


GROUPS: tuple[tuple[str, Callable[[Cell], bool]], ...] = (
    ("w = n0, a = m", lambda c: c.w == c.n0),
    ("w = 7n0/8, a = 0", lambda c: 8 * c.w == 7 * c.n0 and c.a == 0),
    ("w = 3n0/4, a = 0", lambda c: 4 * c.w == 3 * c.n0 and c.a == 0),
    ("w = n0/2, a = 0", lambda c: 2 * c.w == c.n0 and c.a == 0),
    ("w = n0/2, a as large as can be", lambda c: 2 * c.w == c.n0 and c.a > 1),
    ("w = 1, a = 1", lambda c: c.w == 1 and c.a == 1 and c.n0 > 4),
)


def laws(rows: Sequence[Cell]) -> list[str]:
    """Least squares of the logarithm of the bias, where it is 3 standard errors from 0."""
    lines = []
    for descent in DESCENTS:
        for name, belongs in GROUPS:
            for sign, word in ((1, "positive"), (-1, "negative")):
                some = [
                    c
                    for c in rows
                    if c.plain and c.trained and c.descent == descent and belongs(c)
                    and sign * c.bias > 3 * c.error
                ]  # fmt: skip
                if len(some) < 25:
                    continue
                y = np.log([abs(c.bias) for c in some])
                x = np.array([[1, *np.log([c.width, c.n0, c.m])] for c in some])
                found = np.linalg.lstsq(x, y)[0]
                rest = y - x @ found
                scale = np.sqrt(rest @ rest / (len(y) - 4) * np.diag(np.linalg.inv(x.T @ x)))
                reach = stats.t.ppf(0.975, len(y) - 4) * scale
                powers = (f"{p:+.2f} +- {r:.2f}" for p, r in zip(found[1:], reach[1:], strict=True))
                lines.append(
                    [f"`{descent}`", name, word, f"{np.exp(found[0]):.3g}", *powers, len(some),
                     f"{rest.std():.2f}"]
                )  # fmt: skip
    return table(
        [
            "descent",
            "cells",
            "sign",
            "factor",
            "power of h",
            "of n0",
            "of m",
            "cells",
            "rms of log",
        ],
        lines,
    )


def bounds(rows: Sequence[Cell]) -> list[str]:
    """The constants of the fitted bound and what they cover."""
    lines = []
    for descent, fits in FITS.items():
        for fit in fits:
            low, high = fit.num_inputs
            some = [c for c in rows if c.plain and c.descent == descent and low <= c.n0 <= high]
            trained = [c for c in some if c.trained]
            worst = [max(c.part for c in trained if c.seed == seed) for seed in (0, 1)]
            lines.append(
                [f"`{descent}`", f"{low} to {high}", f"{fit.widths[0]} to {fit.widths[1]:,}",
                 f"{fit.constant:.2f}", *(f"{w:.3f}" for w in worst), f"{len(trained):,}",
                 len(some) - len(trained)]
            )  # fmt: skip
    return table(
        ["descent", "n0", "h", "C", "largest, fitted cells", "largest, fresh seeds", "cells",
         "not trained"],
        lines,
    )  # fmt: skip


def variants(rows: Sequence[Cell]) -> list[str]:
    """Several outputs and other weights."""
    lines = []
    for descent in ("auto", "heavy-ball"):
        for name, belongs in (
            *((f"{o} outputs", lambda c, o=o: c.outputs == o) for o in (4, 16, 64)),
            ("weight_std 2", lambda c: c.weight_std == 2),
            ("antisymmetric", lambda c: c.antisymmetric),
        ):
            some = [c for c in rows if c.descent == descent and belongs(c)]
            trained = [c for c in some if c.trained]
            worst = max(trained, key=lambda c: c.part)
            lines.append(
                [f"`{descent}`", name, f"{worst.part:.2f}",
                 f"{worst.bias:+.3f} (n0 {worst.n0}, w {worst.w}, m {worst.m}, h {worst.width})",
                 f"{max(c.peak or 0 for c in trained):.2f}", len(trained), len(some) - len(trained)]
            )  # fmt: skip
    return table(
        ["descent", "networks", "largest C", "there the bias is", "highest peak", "cells",
         "not trained"],
        lines,
    )  # fmt: skip


def halves(rows: Sequence[Cell]) -> list[str]:
    """Antisymmetric beside plain networks of the same total width."""

    def place(c: Cell) -> tuple[int, ...]:
        return c.n0, c.width, c.w, c.m, c.a

    plain = {place(c): c for c in rows if c.plain and c.descent == "auto" and c.seed == 0}
    lines = []
    for n0 in (16, 64):
        for width in WIDTHS:
            pairs = [
                (c, plain[place(c)])
                for c in rows
                if c.antisymmetric and c.descent == "auto" and (c.n0, c.width) == (n0, width)
            ]
            ratios = np.array([c.spread / other.spread for c, other in pairs])
            mixed = [(c, o) for c, o in pairs if abs(o.bias) > 4 * o.error and o.bias > 0.02]
            biases = "-"
            if len(mixed) >= 5:
                ratio = sum(c.bias for c, _ in mixed) / sum(o.bias for _, o in mixed)
                biases = f"{ratio:.2f} ({len(mixed)} cells)"
            lines.append(
                [n0, f"{width:,}", f"{np.median(ratios):.2f}", f"{ratios.max():.2f}", biases]
            )
    return table(
        ["n0", "h", "spread, median", "spread, largest", "sum of the biases, where clear of 0"],
        lines,
    )


def programs(data: Mapping[str, Any]) -> list[str]:
    """Joint programs at their default width."""
    found = {n.removeprefix("program="): p for n, p in data.items() if n.startswith("program=")}
    header = list(next(iter(found.values()), {}))
    lines = [[name, *(f"{one[h]:,}" for h in header)] for name, one in found.items()]
    return table(["program", *header], lines)


def page(data: Mapping[str, Any]) -> str:
    """The whole page."""
    rows = cells(data)
    parts = [
        INTRODUCTION,
        "## Most of it was the optimiser",
        """*Peak* is the highest mean output, relative to its target, on the way, over an output's training
pairs that want a 1 (1 is no overshoot). Where every template writes the bit, the target is the
top eigenvector of the kernel: the heavy ball's first step has a learning rate of 2.4 over the
largest eigenvalue, the output jumps to 2.4 times its target, and the units leave the regime that
the closed forms are about. `auto`, the default ([why](decisions/descent.md)), does not.

n0 = w = m = 64, where the limit's mean is 1.31:
""",
        *by_descent(rows, 64, 64, 64, 64),
        "\nn0 = 64, w = 48, m = 16, a = 0 (mixed targets, nearly the worst case of `auto`):\n",
        *by_descent(rows, 64, 48, 16, 0),
        "\nn0 = 128, w = 64, m = 16, a = 0:\n",
        *by_descent(rows, 128, 64, 16, 0),
        "\n## The law",
        """
Least squares of log |bias| over log h, log n0 and log m, over cells that are at least three
standard errors from 0, which favours large biases: powers describe this range, no more. +- are 95
% intervals.
""",
        *laws(rows),
        "\n## A bound, fitted",
        """
|bias| <= C sqrt(n0 m / h) in every cell, two standard errors included, for networks of one output
and weights of standard deviation 1: `bias_fit.bias_bound`. **A fit, not a theorem**; outside
this range, and for fewer than 4 hidden units a template, the function says *not covered*. C was
fitted on seed 0 and holds on the fresh seed 1.
""",
        *bounds(rows),
        "\n## What it does not cover",
        """
Several outputs add up: with 64 dense outputs (half of the templates write each) the bias is four
times what C allows one. By the exact identity f(s, y) = s^2 f(1, y / s^2) weights of standard
deviation 2 learn a quarter of the targets and quadruple the result: less bias, 4 times the
spread. C here is the largest |bias| and two standard errors over sqrt(n0 m / h).
""",
        *variants(rows),
        "\n## Predicted without training",
        """
`first_order.predicted_bias` moves freshly drawn units along the residuals of infinite width
under the same schedule, evaluates them, and repairs the training points by the linear response.
It needs seconds, any number of outputs and any match sets. It is of first order: trust it where
it says so (|bias| < 0.2, and units that move by less than 1, squared, in any one direction:
`first_order.coherent_movement`). There the slope of measured on predicted biases was 0.7 to 1;
beyond, it overestimates mixed targets up to twofold and underestimates the heavy ball's
overshoot.

Joint programs at degree 3, on all states of one random 3-regular graph of 12 nodes, 16 networks,
default width, no padding, a threshold for each bit and number of matches (the margin is half of
what one matched writer adds). *Part of the margin* is the largest over all decisions, noise
included (*error* is the standard error there); *spread* is the standard deviation over networks
in parts of the limit's; *wrong* counts decisions that the mean of all networks gets wrong.
""",
        *programs(data),
        "\n## Two opposite halves",
        """
`--draw antisymmetric`: each network is two copies of half the width, one subtracted. The
untrained output is 0, so the limit of infinite width has **no spread**, and one network is enough
there. At finite width part of the spread is left, and **the bias is not reduced**. Ratios to
plain networks of the same total width, over all cells of that n0:
""",
        *halves(rows),
        "",
    ]
    return "\n".join(parts)
