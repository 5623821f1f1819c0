"""Breadth-first search on graphs like real ones, hubs split into trees, beside networkx.

None of the graphs is data: an internet is a graph of preferential attachment of the size of that of July
2006 (22,963 systems, Barabasi and Albert), and a road map is a thinned random triangulation. `seconds`
is the compiled search; `read`, `split` and `states` come before it, `decode` after.
"""

import time
from typing import Any

import networkx as nx
import numpy as np

from benchmarks import families, measure
from ntkexec import executor, graphs, pipeline

SPLIT_DEGREE = 3
NODES = {"internet-like": 22_963, "road-like": 100_000}


def run() -> dict[str, Any]:
    """The rows of all graphs."""
    return {"rows": [one(name, num_nodes) for name, num_nodes in NODES.items()]}


def one(name: str, num_nodes: int) -> dict[str, Any]:
    """One graph; distances are compared with networkx's before anything is timed."""
    rival = _graph(name, num_nodes)
    times = [time.perf_counter()]
    graph = graphs.from_networkx(rival, strategy="parallel", label=name)
    times.append(time.perf_counter())
    instance = pipeline.prepare("bfs", graph, split_degree=SPLIT_DEGREE)
    times.append(time.perf_counter())
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    engine = pipeline.make_engine("kernel-packed", certificate)

    def search() -> executor.Execution:
        return instance.execute(engine, executor.Executing(verify=False))

    first = search()
    begun = time.perf_counter()
    distance = instance.decode(first.states)["distance"]
    decoded = time.perf_counter()
    lengths = nx.single_source_shortest_path_length(rival, graph.names[0])
    assert np.array_equal(distance, [lengths.get(node, -1) for node in graph.names])
    seconds = float(np.median([search().run_seconds for _ in range(3)]))
    by_networkx = measure.seconds(
        lambda: len(nx.single_source_shortest_path_length(rival, graph.names[0])), repeat=3
    )
    return {
        "graph": name,
        "nodes": graph.num_nodes,
        "edges": graph.num_edges,
        "degree": graph.degree,
        "executed_nodes": instance.executed_graph.num_nodes,
        "steps": instance.num_steps,
        "read": times[1] - times[0],
        "split_and_states": times[2] - times[1],
        "compile": first.compile_seconds,
        "seconds": seconds,
        "decode": decoded - begun,
        "networkx": by_networkx,
        "times_networkx": seconds / by_networkx,
    }


def _graph(name: str, num_nodes: int) -> nx.Graph:
    if name == "road-like":
        return next(families.road(num_nodes))[0]
    return nx.barabasi_albert_graph(num_nodes, 2, seed=0)
