"""Draws the pictures of the documentation: `python docs/figures.py` writes them to docs/images."""

import pathlib

import jax.numpy as jnp
import matplotlib.pyplot as plt
import networkx as nx
import numpy as np

import ntkexec
from ntkexec import pipeline
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import decide
from ntkexec.programs.graph import flooding

IMAGES = pathlib.Path(__file__).parent / "images"
# Okabe-Ito, safe for colour-blind readers.
WAITING, INFORMED, NEW, WRONG = "#dddddd", "#0072b2", "#e69f00", "#d55e00"


def flooding_on_karate() -> plt.Figure:
    """Four rounds of flooding by trained networks, and the margin of every decision they made."""
    result = ntkexec.run("flooding", "karate", source=0, message="1011", trace=True)
    assert result.exact
    assert result.ensemble is not None
    assert result.execution.trace is not None
    graph = result.instance.graph.to_networkx()
    layout = nx.spring_layout(graph, seed=4)
    fields = [result.instance.program.layout.unpack(s) for s in result.execution.trace]
    rounds = range(0, len(fields), flooding.STEPS_PER_ROUND)

    figure = plt.figure(figsize=(11, 5.6), layout="constrained")
    upper, lower = figure.subfigures(2, 1, height_ratios=[1, 0.75])
    for axes, step in zip(upper.subplots(1, len(rounds)), rounds, strict=True):
        informed = fields[step]["informed"]
        before = fields[max(0, step - flooding.STEPS_PER_ROUND)]["informed"]
        colours = np.where(informed, np.where(before, INFORMED, NEW), WAITING)
        nx.draw_networkx_edges(graph, layout, ax=axes, edge_color="#bbbbbb", width=0.6)
        nx.draw_networkx_nodes(
            graph, layout, ax=axes, node_color=list(colours), node_size=55, edgecolors="#444444"
        )
        axes.set_title(f"round {step // flooding.STEPS_PER_ROUND}: {informed.sum()} of 34 informed")
        axes.set_axis_off()

    engine = pipeline.make_engine("ensemble", result.certificate, result.ensemble)
    axes = lower.subplots()
    rng = np.random.default_rng(0)
    for step, states in enumerate(result.execution.trace[:-1]):
        matches = encode(engine.encoding, jnp.asarray(states).T)
        found = decide(engine, matches)
        relative = np.asarray(found.means - found.thresholds).ravel()
        should_be = np.asarray(matches.matched_writers > 0).ravel()
        for one, colour in ((False, "#999999"), (True, INFORMED)):
            x = step + rng.uniform(-0.35, 0.35, (should_be == one).sum())
            y = relative[should_be == one]
            wrong = (y > 0) != one
            axes.scatter(x, y, s=5, color=np.where(wrong, WRONG, colour).tolist(), linewidths=0)
    axes.axhline(0, color="black", linewidth=0.8)
    axes.set_xlabel("step (sending, receiving, sending, ...)")
    axes.set_ylabel("network output - threshold")
    config = result.ensemble.config
    axes.set_title(
        f"all {result.instance.num_decisions:,} decisions; networks per bit: {config.members}, of "
        f"width {config.width}. 1-bits blue, 0-bits grey, mistakes red",
        fontsize=10,
    )
    return figure


def main() -> None:
    """Writes all pictures."""
    IMAGES.mkdir(exist_ok=True)
    flooding_on_karate().savefig(IMAGES / "flooding-karate.png", dpi=130)


if __name__ == "__main__":
    main()
