"""How far the predictions of a run were from their thresholds, step by step."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ntkexec.plots.style import COLOURS, GREY, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure


# Any: the margins as plain data, `ntkexec.report.margins`.
def plot(record: Mapping[str, Any]) -> "Figure":
    """Mean minus threshold over the steps: the range of bits that should be 1, and of the others.

    Args:
        record: by step, under `ones` and `zeros`, the smallest, middle and largest margin (None
            where there is no such bit), under `wrong` the mistakes; `title` is a sentence.
    """
    figure = new_figure(8, 4.2)
    axes = figure.subplots()
    for name, colour, words in (
        ("ones", COLOURS[0], "should be 1"),
        ("zeros", COLOURS[4], "should be 0"),
    ):
        found = [(s, *row) for s, row in enumerate(record[name]) if row is not None]
        if found:
            steps, low, middle, high = zip(*found, strict=True)
            axes.fill_between(steps, low, high, color=colour, alpha=0.3, linewidth=0)
            axes.plot(steps, middle, color=colour, label=f"{words}: smallest, median, largest")
    for step, count in enumerate(record["wrong"]):
        if count:
            axes.axvline(step, color=COLOURS[1], linewidth=1)
    axes.axhline(0, color=GREY, linewidth=1)
    axes.set(xlabel="step", ylabel="mean minus threshold")
    axes.legend(fontsize=9, loc="center right")
    mistakes = sum(record["wrong"])
    axes.set_title(f"{record['title']}; {mistakes or 'no'} mistakes", fontsize=10)
    return figure
