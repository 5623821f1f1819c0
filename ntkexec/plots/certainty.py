"""How certain an execution is, from too few networks to enough."""

from typing import TYPE_CHECKING, Any

import numpy as np

from ntkexec.plots.style import COLOURS, GREY, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ntkexec.complexity.records import BoundName, StudyRecord


def plot(record: "StudyRecord") -> "Figure":
    """Probability that all executions are exact, by number of networks.

    Args:
        record: a study as plain data.
    """
    figure = new_figure(8, 4.8)
    axes = figure.subplots()
    found = record["certainty"]
    members, measured = np.array(found["members"]), np.array(found["measured"])
    # Not more points than can be told apart on a logarithmic axis.
    shown = np.unique(np.geomspace(1, len(members), 40).round().astype(int)) - 1
    error = np.array([measured - np.array(found["low"]), np.array(found["high"]) - measured])
    axes.errorbar(
        members[shown],
        measured[shown],
        error[:, shown],
        fmt="o",
        markersize=4,
        capsize=2,
        linewidth=1,
        color=COLOURS[0],
        label=f"measured: {record['draw']} networks, {found['repeat']} repetitions\n"
        "(95 % Clopper-Pearson)",
    )
    axes.plot(
        members,
        found["predicted"],
        color=COLOURS[1],
        label=f"predicted: Gaussian, {found['simulations']:,} simulations",
    )
    axes.plot(
        members, found["independent"], ":", color=COLOURS[2], label="if decisions were independent"
    )
    axes.plot(members, found["union"], "--", color=GREY, label="union bound (at least)")
    lines: list[tuple[BoundName, Any]] = [("certificate", "-."), ("numerical", (0, (1, 1)))]
    for name, line in lines:
        bound = record["bounds"][name]
        if bound is not None:
            axes.axvline(
                bound, color=GREY, linestyle=line, linewidth=1, label=f"{name} N = {bound}"
            )
    for index, (own, bound_of_own) in enumerate(record["own_bounds"].items()):
        if bound_of_own is not None:
            axes.axvline(
                bound_of_own,
                color=COLOURS[3 + index % 3],
                linewidth=1.5,
                label=f"{own} N = {bound_of_own:g}",
            )
    axes.set_xscale("log")
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("networks N (per learning problem)")
    axes.set_ylabel("probability that every step on every graph is exact")
    axes.set_title(
        f"{record['algorithm']} on {record['num_graphs']:,} graphs: {record['kind']}, "
        f"n0 = {record['num_inputs']}",
        fontsize=11,
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5), frameon=False)
    return figure
