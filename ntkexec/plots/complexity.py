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
    "theory": ("theory: 8 n0 log(decisions/δ), δ = {delta:g}", "-"),
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
    "weight_std": "standard deviation of the weights",
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
        "weight_std": record["weight_std"],
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
    _draw(axes, records, size)
    figure.suptitle(_title(records[0]), fontsize=11)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure


def varying(records: "Sequence[StudyRecord]") -> list[str]:
    """The sizes of which the studies have several values: n0 and m only if nothing else varies."""
    several = [
        name
        for name in SIZES
        if len({x for x in (size_of(one, name) for one in records) if not np.isnan(x)}) > 1
    ]
    chosen = [name for name in several if name not in ("n0", "m")]
    return chosen or several[:1] or ["n0"]


def panels(records: "Sequence[StudyRecord]") -> "Figure":
    """A panel for each size that varies: the smallest number of networks against it.

    Where several sizes vary, a panel has a line for each combination of the others.

    Args:
        records: studies as plain data.
    """
    sizes = varying(records)
    figure = new_figure(max(7.0, 4.6 * len(sizes)), 6.4)
    row = figure.subplots(1, len(sizes), squeeze=False)[0]
    for axes, size in zip(row, sizes, strict=True):
        groups = _draw(axes, records, size, others=[name for name in sizes if name != size])
        apart = [[part for part in key if not _in_all(part, groups)] for key in groups]
        for (name, colour), parts in zip(groups.items(), apart, strict=True):
            axes.plot([], [], "o-", color=colour, label=", ".join(parts or name))
        # What was drawn has labels that say everything; here colours are told apart, lines below.
        handles = axes.get_lines()[-len(groups) :]
        axes.legend(handles=handles, fontsize=8, loc="upper left", framealpha=0.7)
    figure.legend(handles=_lines(records), fontsize=8, loc="outside lower center", ncols=2)
    figure.suptitle(_title(records[0]), fontsize=11)
    return figure


def _in_all(part: str, groups: "Mapping[tuple[str, ...], str]") -> bool:
    return all(part in key for key in groups)


def _lines(records: "Sequence[StudyRecord]") -> list[Any]:
    """What each kind of line stands for, in black."""
    from matplotlib.lines import Line2D

    own = list({name: None for record in records for name in record["own_bounds"]})
    delta = records[0]["delta"]
    return [
        Line2D([], [], color="black", marker="o", label="measured (median, 95 % interval)"),
        *(
            Line2D([], [], color="black", linestyle=line, label=label.format(delta=delta))
            for label, line in BOUNDS.values()
        ),
        *(
            Line2D([], [], color="black", marker="d", linestyle=_own_line(index), label=name)
            for index, name in enumerate(own)
        ),
    ]


def _title(first: "StudyRecord") -> str:
    return (
        f"{first['algorithm']}: smallest N that executes {first['num_graphs']:,} graphs exactly, "
        f"{len(first['stable'])} repetitions"
    )


def _draw(
    axes: "Axes", records: "Sequence[StudyRecord]", size: str, others: "Sequence[str]" = ()
) -> "dict[tuple[str, ...], str]":
    """Measured numbers and bounds against a size, each group of networks in its colour.

    Args:
        axes: where.
        records: studies as plain data.
        size: along the axis.
        others: sizes that vary too, by which groups are told apart.

    Returns:
        By group, its colour.
    """
    colours: dict[tuple[str, ...], str] = {}
    groups: dict[tuple[str, ...], list[StudyRecord]] = {}
    for record in records:
        rest = (f"{name} {size_of(record, name):g}" for name in others)
        key = (record["kind"], record["draw"], f"thresholds {record['threshold']}", *rest)
        groups.setdefault(key, []).append(record)
    kinds: list[str] = []
    for index, (name, group) in enumerate(groups.items()):
        group = sorted(group, key=lambda record: size_of(record, size))
        colour = colours[name] = COLOURS[index % len(COLOURS)]
        _group(axes, group, size, colour, ", ".join(name))
        own = [bound for bound in BOUNDS if bound not in OF_SIZE]
        several = len(groups) > 1
        _bounds(axes, group, size, own, colour if several else GREY, ", ".join(name) * several)
        _own_bounds(axes, group, size, colour if several else GREY, ", ".join(name) * several)
        # Of the kind alone, unless another size is told apart by lines of its own.
        same = ", ".join((name[0], *name[3:]))
        if same not in kinds:
            kinds.append(same)
            unlike = {(key[0], *key[3:]) for key in groups}
            grey = colour if others else GREY
            _bounds(axes, group, size, OF_SIZE, grey, same * (len(unlike) > 1))
    axes.set_yscale("log")
    ticks = sorted({size_of(record, size) for record in records})
    if len(ticks) > 1 and ticks[-1] / ticks[0] > 4:
        axes.set_xscale("log")
    if len(ticks) <= 10:
        axes.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
    axes.set_xlabel(SIZES[size])
    axes.set_ylabel("networks N (per learning problem)")
    axes.grid(axis="y", which="major", alpha=0.3)
    return colours


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


OWN_LINES = ((0, (3, 1, 1, 1, 1, 1)), (0, (8, 2)), (0, (2, 2)))


def _own_line(index: int) -> Any:
    return OWN_LINES[index % len(OWN_LINES)]


def _own_bounds(
    axes: "Axes", group: "Sequence[StudyRecord]", size: str, colour: str, of: str
) -> None:
    """Somebody's own bounds, by their names, where they say something."""
    x = np.array([size_of(record, size) for record in group])
    names = list({name: None for record in group for name in record["own_bounds"]})
    for index, name in enumerate(names):
        values = [record["own_bounds"].get(name) for record in group]
        axes.plot(
            x,
            np.array([np.nan if value is None else value for value in values], float),
            linestyle=_own_line(index),
            marker="d",
            markersize=5,
            color=colour,
            linewidth=1.8,
            label=name + (f" ({of})" if of else ""),
        )
