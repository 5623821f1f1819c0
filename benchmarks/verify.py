"""What it costs to compare every step of a packed search with the program.

Breadth-first search by `kernel-packed`: alone; compared with the program on packed states
(`verify="program"`); and compared, number by number, with the plain engine too (`verify=True`).
"""

from typing import Any

import numpy as np

from benchmarks import measure
from ntkexec import executor, graphs, pipeline
from ntkexec.graphs import Graph
from ntkexec.programs.graph import bfs
from ntkexec.vocabulary import Verify

DEGREE = 4
CASES = (
    ("random-regular", 10_000),
    ("random-regular", 100_000),
    ("random-regular", 1_000_000),
    ("grid", 10_000),
    ("grid", 100_000),
)
LARGEST_FOR_PLAIN = 10_000


def run() -> dict[str, Any]:
    """Seconds of each, and how many times those of the run alone."""
    return {"rows": [one(family, num_nodes) for family, num_nodes in CASES]}


def one(family: str, num_nodes: int) -> dict[str, Any]:
    """One graph."""
    graph = graph_of(family, num_nodes)
    instance = bfs.instance(graph, sources=[0])
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    engine = pipeline.make_engine("kernel-packed", certificate)

    def seconds(verify: Verify, repeat: int) -> float:
        times = []
        for _ in range(repeat + 1):
            found = executor.execute(
                engine,
                instance.program,
                instance.graphs,
                num_steps=instance.num_steps,
                verify=verify,
            )
            assert found.verification is None or found.verification.exact
            times.append(found.run_seconds)
        # The first may have had to compile.
        return float(np.median(times[1:] or times))

    alone, compared = seconds(False, 5), seconds("program", 3)
    plain = None
    if graph.num_nodes <= LARGEST_FOR_PLAIN:
        # Its own count of seconds leaves out the comparison.
        plain = measure.seconds(lambda: seconds(True, 0), repeat=1)
    return {
        "graph": family,
        "nodes": graph.num_nodes,
        "steps": instance.num_steps,
        "seconds": alone,
        "beside_program": compared,
        "times_alone": compared / alone,
        "beside_plain_engine": plain,
    }


def graph_of(family: str, num_nodes: int) -> Graph:
    """A random regular graph, or a square grid of about so many nodes."""
    if family == "grid":
        side = round(num_nodes**0.5)
        return graphs.grid(side, side)
    return graphs.random_regular(num_nodes, DEGREE, seed=0)
