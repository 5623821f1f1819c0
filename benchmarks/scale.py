"""Breadth-first search by the packed engine, from 10^3 to 10^6 nodes of degree 4.

Rivals, on the same graph and source in the same run: networkx's
`single_source_shortest_path_length`, SciPy's `csgraph.breadth_first_order`, and the kernel engine
up to 10^5 nodes. Distances are compared with networkx's and parents with the rule (the neighbour
with the smallest identifier on the previous level) before anything is timed.
Every graph runs in a process of its own, so that its peak memory is its own.
"""

import functools
import json
import subprocess
import sys
import time
from typing import Any

import networkx as nx
import numpy as np
import scipy.sparse.csgraph

from benchmarks import measure
from benchmarks.verify import graph_of
from ntkexec import executor, pipeline
from ntkexec.engines.packed.execution import PackedExecution, prepare
from ntkexec.programs import inputs
from ntkexec.programs.graph import bfs
from ntkexec.programs.instance import Instance

SIZES = (1_000, 10_000, 100_000, 300_000, 1_000_000)
# From so many nodes on, a search is more than what every call costs.
LINEAR_FROM = 10_000
FAMILIES = ("random-regular", "grid")
LARGEST_FOR_KERNEL = 100_000
MEASURED_SECONDS, MOST_REPEATED = 1.0, 25


def run() -> dict[str, Any]:
    """The table of sizes, and the slopes of log seconds a search against log nodes."""
    rows = []
    for family in FAMILIES:
        for size in SIZES:
            command = [sys.executable, "-m", "benchmarks.scale", family, str(size)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            rows.append(json.loads(done.stdout))
    result: dict[str, Any] = {"rows": rows}
    for family in FAMILIES:
        fitted = [row for row in rows if row["graph"] == family and row["nodes"] >= LINEAR_FROM]
        result[f"slope_{family}"] = measure.slope(
            [row["nodes"] for row in fitted], [row["seconds"] for row in fitted]
        )
    return result


def one(family: str, num_nodes: int) -> dict[str, Any]:
    """One graph, in this process."""
    graph = graph_of(family, num_nodes)
    instance = bfs.instance(graph, sources=[0])
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    engine = pipeline.make_engine("kernel-packed", certificate)
    before = measure.peak_memory()

    def search(update: Any) -> executor.Execution:
        return executor.execute(
            update, instance.program, instance.graphs, num_steps=instance.num_steps, verify=False
        )

    found = search(engine)
    peak = measure.peak_memory()
    # Short searches more often: what else a machine does takes a while.
    repeat = min(MOST_REPEATED, 3 + int(MEASURED_SECONDS / search(engine).run_seconds))
    ours = float(np.median([search(engine).run_seconds for _ in range(repeat)]))
    start = time.perf_counter()
    search(engine)
    whole = time.perf_counter() - start
    kernel = None
    if graph.num_nodes <= LARGEST_FOR_KERNEL:
        plain = pipeline.make_engine("kernel", certificate)
        assert np.array_equal(search(plain).states, found.states)
        kernel = search(plain).run_seconds
    rivals = _rivals(instance, found.states)
    prepared = prepare(engine.packed, instance.graphs)  # type: ignore[attr-defined]
    packed_state = sum(row.nbytes for row in prepared.start.rows.values())
    tables = prepared.neighbours.num_bytes
    turning = rows_of_a_round(prepared) * prepared.neighbours.valid.nbytes
    return {
        "graph": family,
        "nodes": graph.num_nodes,
        "steps": instance.num_steps,
        "seconds": ours,
        "us_a_step": ours / instance.num_steps * 1e6,
        "with_packing": whole,
        "compile": found.compile_seconds,
        "kernel": kernel,
        "networkx": rivals["networkx"],
        "scipy": rivals["scipy"],
        "times_networkx": ours / rivals["networkx"],
        "times_scipy": ours / rivals["scipy"],
        "first_state_bytes_a_node": packed_state / graph.num_nodes,
        "state_bytes_a_node": turning / graph.num_nodes,
        "graph_bytes_a_node": tables / graph.num_nodes,
        "memory_to_first_state": (packed_state + tables) / packed_state,
        "memory_to_state": (turning + tables) / turning,
        "peak_bytes_a_node": (peak - before) / graph.num_nodes,
    }


def rows_of_a_round(prepared: PackedExecution) -> int:
    """Rows that may be 1 between two rounds, which a search holds all the time."""
    start = frozenset(prepared.start.rows)
    return len(prepared.packed.possible_when_ring_starts(start, prepared.orbit.ring))


def _rivals(instance: Instance, states: np.ndarray) -> dict[str, float]:
    """Seconds of the rivals, after their answers were compared with ours."""
    graph = instance.graph
    answer = instance.decode(states)
    senders, receivers = graph.tuple.senders, graph.tuple.receivers
    once = senders < receivers
    rival: nx.Graph = nx.Graph()
    rival.add_nodes_from(range(graph.num_nodes))
    rival.add_edges_from(zip(senders[once].tolist(), receivers[once].tolist(), strict=True))
    lengths = nx.single_source_shortest_path_length(rival, 0)
    distance = np.array([lengths.get(node, -1) for node in range(graph.num_nodes)])
    assert np.array_equal(answer["distance"], distance)
    assert np.array_equal(answer["parent"], _parents(distance, senders, receivers))
    adjacency = inputs.adjacency(graph)
    csgraph = functools.partial(scipy.sparse.csgraph.breadth_first_order, adjacency, 0)
    return {
        "networkx": measure.seconds(
            lambda: len(nx.single_source_shortest_path_length(rival, 0)), repeat=3
        ),
        "scipy": measure.seconds(lambda: len(csgraph()[0]), repeat=9),
    }


def _parents(distance: np.ndarray, senders: np.ndarray, receivers: np.ndarray) -> np.ndarray:
    """For every node the smallest neighbour on the previous level, -1 for none."""
    above = (distance[senders] == distance[receivers] - 1) & (distance[senders] >= 0)
    smallest = np.full(len(distance), len(distance))
    np.minimum.at(smallest, receivers[above], senders[above])
    return np.where(smallest == len(distance), -1, smallest)


if __name__ == "__main__":
    print(json.dumps(one(sys.argv[1], int(sys.argv[2]))))
