"""All algorithms by name, and ready to run on a graph."""

import dataclasses
import os
from collections.abc import Mapping
from typing import Any

import networkx as nx

from ntkexec.errors import EnsembleError, NtkexecError, did_you_mean
from ntkexec.graphs import Graph, load, split
from ntkexec.program.program import Program
from ntkexec.programs import arithmetic
from ntkexec.programs.graph import (
    bellman_ford,
    bellman_ford_split,
    bfs,
    bfs_queue,
    bfs_split,
    dfs,
    dfs_split,
    flooding,
    flooding_split,
)
from ntkexec.programs.instance import Algorithm, Instance
from ntkexec.programs.local.examples import FAMILIES

ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        flooding.ALGORITHM,
        flooding_split.ALGORITHM,
        bfs.ALGORITHM,
        bfs_split.ALGORITHM,
        bfs_queue.ALGORITHM,
        dfs.ALGORITHM,
        dfs_split.ALGORITHM,
        dfs.FOREST,
        dfs_split.FOREST,
        # On trees it is the same program; what prepares it for them builds on it.
        dataclasses.replace(
            bellman_ford.ALGORITHM, split=bellman_ford_split.prepare, same_program=True
        ),
        *(family.algorithm() for family in FAMILIES),
        *arithmetic.ALGORITHMS,
    )
}
"""In the order in which they are listed."""


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of a name.

    Raises:
        NtkexecError: there is none; suggests the nearest name.
    """
    if name not in ALGORITHMS:
        known = ", ".join(ALGORITHMS)
        raise NtkexecError(
            # First, for of a long message the middle is left out.
            f"no algorithm {name!r}{did_you_mean(name, ALGORITHMS)}; there is {known}; a program of "
            "one's own is FILE.npz, FILE.json or module:function"
        )
    return ALGORITHMS[name]


def program_learned(algorithm: str, sizes: Mapping[str, int]) -> Program:
    """The program that a stored ensemble says it learned.

    Args:
        algorithm: its name.
        sizes: of the program, by name.

    Raises:
        EnsembleError: the algorithm has other sizes.
        NtkexecError: no such algorithm, or a size out of range.
    """
    try:
        return find_algorithm(algorithm).program(**sizes)
    except TypeError:
        names = ", ".join(sizes) or "none"
        raise EnsembleError(f"{algorithm} does not have the sizes {names:.80}") from None


def prepare(
    algorithm: str,
    graph: Graph | nx.Graph | str | os.PathLike[str],
    *,
    sizes: Mapping[str, int] | None = None,
    weights: str | None = None,
    weight_scale: int = 1,
    directed: bool | None = None,
    split_degree: int | None = None,
    **inputs: Any,
) -> Instance:
    """An algorithm on a graph, ready to run.

    Args:
        algorithm: a name in `ALGORITHMS`.
        graph: a graph, a file, or a generator such as `grid:8x8`.
        sizes: sizes of the program, if given.
        weights: edge attribute that holds the weights, 1 by default; a `Graph` brings its own.
        weight_scale, directed: how to read the graph, see `ntkexec.graphs.load`; not for a `Graph`.
        split_degree: D, at least 3, to run on the graph whose nodes of more neighbours are split into
            trees (`graphs.split`), as some algorithms can; by default nothing is split.
        inputs: what the algorithm asks, `Algorithm.inputs`; None is as good as left out.

    Raises:
        NtkexecError: an unknown algorithm or input, or an input that does not fit.
    """
    found = find_algorithm(algorithm)
    given = found.asked(inputs)
    graph = read_graph(found, graph, weights=weights, weight_scale=weight_scale, directed=directed)
    if split_degree is None:
        return found.prepare(graph, sizes=sizes, **given)
    on_split = found.require_split()
    return on_split(split(graph, split_degree), sizes=sizes, **given)


READING = ("weights", "weight_scale", "directed")
"""What says how a graph is read, see `read_graph`."""


def read_graph(
    algorithm: Algorithm,
    graph: Graph | nx.Graph | str | os.PathLike[str],
    *,
    weights: str | None = None,
    weight_scale: int = 1,
    directed: bool | None = None,
) -> Graph:
    """The graph that an algorithm is to run on; arguments as for `prepare`.

    Raises:
        NtkexecError: no such graph, weights that nobody reads, or a `Graph` that is to be read anew.
    """
    if weights is not None and not algorithm.weighted:
        raise NtkexecError(f"{algorithm.name} reads no weights, but {weights!r} was given")
    if not isinstance(graph, Graph):
        return load(graph, weight=weights, weight_scale=weight_scale, directed=directed)
    if weights is not None:
        raise NtkexecError(f"weights {weights!r} are chosen when a graph is loaded; this one is")
    if weight_scale != 1 or directed is not None:
        raise NtkexecError(
            "weight_scale and directed say how a graph is loaded; this one is loaded already"
        )
    return graph
