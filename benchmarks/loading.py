"""Seconds from a file to a graph that is ready to run: straight as arrays, or by way of networkx.

`seconds` is `graphs.load`; `by_networkx` reads the same file as a networkx graph first, which is
what other formats cost. Both give the same graph, which is checked. Seconds are of the processor,
so that other work on the machine counts less.
"""

import functools
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.io
import scipy.sparse

from ntkexec import graphs
from ntkexec.graphs import Graph
from ntkexec.programs import inputs

# By suffix and colouring; the last is how a million nodes are coloured fastest.
CASES = (
    (".txt", "largest_first", 100_000),
    (".mtx", "largest_first", 100_000),
    (".npz", "largest_first", 100_000),
    (".txt", "parallel", 1_000_000),
)
DEGREE = 4


def run() -> dict[str, Any]:
    """The table of files."""
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for suffix, strategy, num_nodes in CASES:
            path = Path(folder) / f"graph{suffix}"
            _write(graphs.random_regular(num_nodes, DEGREE, seed=0), path)
            found, seconds = _timed(functools.partial(graphs.load, path, strategy=strategy))
            expected, by_networkx = _timed(functools.partial(_by_networkx, path, strategy))
            assert found.names == expected.names
            assert np.array_equal(found.colours, expected.colours)
            assert np.array_equal(found.tuple.senders, expected.tuple.senders)
            assert np.array_equal(found.tuple.receivers, expected.tuple.receivers)
            rows.append(
                {
                    "file": suffix,
                    "nodes": num_nodes,
                    "edges": found.num_edges,
                    "megabytes": path.stat().st_size / 1e6,
                    "colouring": strategy,
                    "seconds": seconds,
                    "by_networkx": by_networkx,
                    "times_faster": by_networkx / seconds,
                }
            )
    return {"rows": rows}


def _by_networkx(path: Path, strategy: str) -> Graph:
    return graphs.from_networkx(graphs.read(path), strategy=strategy)


def _write(graph: Graph, path: Path) -> None:
    if path.suffix == ".txt":
        senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
        once = senders < receivers
        pairs = zip(senders[once].tolist(), receivers[once].tolist(), strict=True)
        path.write_text("".join(f"{u} {v}\n" for u, v in pairs))
        return
    matrix = inputs.adjacency(graph)
    if path.suffix == ".npz":
        scipy.sparse.save_npz(path, matrix)
    else:
        scipy.io.mmwrite(path, matrix)


def _timed(load: Callable[[], Graph]) -> tuple[Graph, float]:
    start = time.process_time()
    graph = load()
    return graph, time.process_time() - start
