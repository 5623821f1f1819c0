"""Figures for measurements: drawn from their details, computing nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ntkexec.check import Measurement

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(width: float = 7.0, height: float = 3.5) -> tuple[Figure, Axes]:
    """An empty figure that no global state knows, in inches, and its axes."""
    # Here, because measuring and judging do without it.
    from matplotlib.figure import Figure

    made = Figure(figsize=(width, height), layout="constrained")
    return made, made.subplots()


def draw_arms(axes: Axes, arms: Mapping[str, Mapping[str, float]], *, unit: str) -> Axes:
    """One point with its 95 % interval for every arm, best on top; returns the axes."""
    names = sorted(arms, key=lambda name: arms[name]["value"])
    for place, name in enumerate(names):
        arm = arms[name]
        bars = [[arm["value"] - arm["low"]], [arm["high"] - arm["value"]]]
        axes.errorbar(arm["value"], place, xerr=bars, fmt="o", color="C0", capsize=3)
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.5, len(names) - 0.5)  # no point on the frame
    axes.set_xlabel(f"{unit} (mean and 95 % interval over seeds)")
    axes.grid(axis="x", alpha=0.3)
    return axes


def arms(unit: str) -> Callable[[Measurement], Figure]:
    """A plot for a check whose details hold `arms`, as `statistics.arms` makes them."""

    def plot(measurement: Measurement) -> Figure:
        made, axes = figure(height=0.9 + 0.35 * len(measurement.details["arms"]))
        draw_arms(axes, measurement.details["arms"], unit=unit)
        return made

    return plot


def lines(x: str, y: str, *, log: bool = False) -> Callable[[Measurement], Figure]:
    """A plot for a check whose details hold `x` and `lines`, a mapping from names to values.

    Args:
        x: label of the horizontal axis, with its unit.
        y: label of the vertical axis, with its unit.
        log: whether the vertical axis is logarithmic.
    """

    def plot(measurement: Measurement) -> Figure:
        made, axes = figure()
        shown: Mapping[str, Sequence[Any]] = measurement.details["lines"]
        for name, values in shown.items():
            axes.plot(measurement.details["x"], values, marker=".", label=name)
        axes.set(xlabel=x, ylabel=y, yscale="log" if log else "linear")
        axes.grid(alpha=0.3)
        axes.legend()
        return made

    return plot
