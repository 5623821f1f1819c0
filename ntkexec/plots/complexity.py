"""Ensemble complexity: the measured smallest number of networks below every bound."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ntkexec.plots.style import COLOURS, GREY, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from ntkexec.complexity.records import BoundName, StudyRecord

BOUNDS: "Mapping[BoundName, tuple[str, Any]]" = {
    "published": ("published: 8 n0 log(2 n0 T I), I = 2^n0", (0, (5, 1))),
    "theory": ("theory: 8 n0 log(D/δ), δ = {delta:g}", "-"),
    "certificate": ("certificate N(δ), δ = {delta:g}", "-."),
    "union": ("union bound on distinct states", ":"),
    "lower": ("lower bound: worst decision alone", (0, (1, 3))),
}
SIZES = {
    "n0": "training pairs n0",
    "m": "largest number of matches m",
    "degree": "degree D",
    "word": "bits of a word",
    "width": "width h",
}


# What depends on n0 alone, and so is the same for all kinds, draws and thresholds of a size.
OF_SIZE: "tuple[BoundName, ...]" = ("published", "theory")


def size_of(record: "StudyRecord", size: str) -> float:
    """The size of a study by which it is plotted."""
    sizes = record["parameters"]
    values = {
        "n0": record["num_inputs"],
        "m": record["max_matches"],
        "degree": sizes.get("degree"),
        "word": sizes.get("word", sizes.get("message_bits")),
        "width": record["width"],
    }
    return float(values[size] or np.nan)


def plot(records: "Sequence[StudyRecord]", size: str = "n0") -> "Figure":
    """The smallest number of networks over repetitions, against a size.

    Args:
        records: studies as plain data; several kinds, draws or conventions of thresholds get
            colours of their own.
        size: a key of `SIZES`.
    """
    figure = new_figure(9.5, 5.2)
    axes = figure.subplots()
    groups: dict[tuple[str, str, str], list[StudyRecord]] = {}
    for record in records:
        key = (record["kind"], record["draw"], f"thresholds {record['threshold']}")
        groups.setdefault(key, []).append(record)
    kinds: list[str] = []
    for index, (name, group) in enumerate(groups.items()):
        group = sorted(group, key=lambda record: size_of(record, size))
        colour = COLOURS[index % len(COLOURS)]
        _group(axes, group, size, colour, ", ".join(name))
        own = [bound for bound in BOUNDS if bound not in OF_SIZE]
        several = len(groups) > 1
        _bounds(axes, group, size, own, colour if several else GREY, ", ".join(name) * several)
        if name[0] not in kinds:
            kinds.append(name[0])
            _bounds(axes, group, size, OF_SIZE, GREY, name[0] * (len({k for k, *_ in groups}) > 1))
    axes.set_yscale("log")
    ticks = sorted({size_of(record, size) for record in records})
    if len(ticks) > 1 and ticks[-1] / ticks[0] > 4:
        axes.set_xscale("log")
    if len(ticks) <= 10:
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    axes.set_xlabel(SIZES[size])
    axes.set_ylabel("networks N (per learning problem)")
    first = records[0]
    figure.suptitle(
        f"{first['algorithm']}: smallest N that executes {first['num_graphs']:,} graphs exactly, "
        f"{len(first['stable'])} repetitions",
        fontsize=11,
    )
    axes.grid(axis="y", which="major", alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def _group(axes: "Axes", group: "Sequence[StudyRecord]", size: str, colour: str, name: str) -> None:
    x = np.array([size_of(record, size) for record in group])
    spread = 0.012 * (x.max() - x.min() or x.max())
    for position, record in zip(x, group, strict=True):
        numbers = np.array([n for n in record["stable"] if n is not None], float)
        jitter = np.random.default_rng(0).uniform(-spread, spread, len(numbers))
        axes.plot(position + jitter, numbers, ".", color=colour, alpha=0.3, markersize=4)
    medians = np.array([record["median"] or np.nan for record in group], float)
    intervals = np.array(
        [[np.nan if v is None else v for v in record["median_interval"]] for record in group], float
    )
    error = np.abs(intervals.T - medians[None, :])
    axes.errorbar(
        x,
        medians,
        error,
        color=colour,
        marker="o",
        capsize=3,
        linewidth=1.5,
        label=f"measured, {name}\n(median, 95 % interval)",
    )


def _bounds(
    axes: "Axes",
    group: "Sequence[StudyRecord]",
    size: str,
    names: "Sequence[BoundName]",
    colour: str,
    of: str,
) -> None:
    x = np.array([size_of(record, size) for record in group])
    for name in names:
        label, line = BOUNDS[name]
        numbers = (record["bounds"][name] for record in group)
        values = [number for number in numbers if number is not None]
        if len(values) < len(group):
            continue
        axes.plot(
            x,
            values,
            linestyle=line,
            marker="_" if len(x) == 1 else None,
            markersize=12,
            color=colour,
            linewidth=1.2,
            label=label.format(delta=group[0]["delta"]) + (f" ({of})" if of else ""),
        )
