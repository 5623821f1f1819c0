"""Breadth-first search on real graphs and graphs like them, hubs split into trees, beside networkx.

Real are those whose files lie in the folder that `--data` names: a power grid (4,941 nodes; Watts
and Strogatz 1998), the internet of July 2006 (22,963 autonomous systems; M. Newman) and the roads of
Luxembourg (114,599 nodes; OpenStreetMap, 10th DIMACS challenge), all three in the SuiteSparse Matrix
Collection. The others are made: an internet by preferential attachment of that size (Barabasi and
Albert), and a road map as a thinned random triangulation. `seconds` is the compiled search;
`prepare` (splitting, and the states before the first step) comes before it, `decode` after.
"""

import time
from pathlib import Path
from typing import Any

import networkx as nx
import numpy as np

from benchmarks import families, measure
from ntkexec import executor, graphs, pipeline

SPLIT_DEGREE, UNSPLIT_DEGREE = 3, 6
MADE = {"internet-like": 22_963, "road-like": 100_000}
REAL = {"power-grid": "power", "internet": "as-22july06", "roads": "luxembourg_osm"}
"""Rows, and what their files are called before the suffix."""


def run(data: Path | None = None) -> dict[str, Any]:
    """The rows of all graphs.

    Args:
        data: a folder with files of real graphs, in any format that `graphs.load` reads.
    """
    found = {} if data is None else {name: _files(data, stem) for name, stem in REAL.items()}
    measured = {name: graphs.load(files[0]) for name, files in found.items() if files}
    measured |= {name: _made(name, num_nodes) for name, num_nodes in MADE.items()}
    rows = [one(name, graph, degree) for name, graph in measured.items() for degree in ways(graph)]
    missing = [name for name in REAL if not found.get(name)]
    return {"rows": rows} | ({"not_measured": ", ".join(missing)} if missing else {})


def ways(graph: graphs.Graph) -> list[int | None]:
    """Degrees to split at; also None, as it is, where that is not much more to compile."""
    return [None, SPLIT_DEGREE] if graph.degree <= UNSPLIT_DEGREE else [SPLIT_DEGREE]


def one(name: str, graph: graphs.Graph, split_degree: int | None) -> dict[str, Any]:
    """One graph; distances are compared with networkx's before anything is timed."""
    rival = graph.to_networkx()
    begun = time.perf_counter()
    instance = pipeline.prepare("bfs", graph, split_degree=split_degree)
    prepared = time.perf_counter()
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    engine = pipeline.make_engine("kernel-packed", certificate)

    def search() -> executor.Execution:
        return instance.execute(engine, executor.Executing(verify=False))

    first = search()
    ended = time.perf_counter()
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
        "split": split_degree or "no",
        "executed_nodes": instance.executed_graph.num_nodes,
        "steps": instance.num_steps,
        "prepare": prepared - begun,
        "compile": first.compile_seconds,
        "seconds": seconds,
        "decode": decoded - ended,
        "networkx": by_networkx,
        "times_networkx": seconds / by_networkx,
    }


def _files(data: Path, stem: str) -> list[Path]:
    return sorted(path for path in data.glob(f"{stem}.*") if path.is_file())


def _made(name: str, num_nodes: int) -> graphs.Graph:
    if name == "road-like":
        graph = next(families.road(num_nodes))[0]
    else:
        graph = nx.barabasi_albert_graph(num_nodes, 2, seed=0)
    return graphs.from_networkx(graph, strategy="parallel", label=name)
