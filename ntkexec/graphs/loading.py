"""One entrance for everything that can be a graph: a file, a generator's name, a networkx graph."""

import os
from pathlib import Path

import networkx as nx
import numpy as np

from ntkexec.errors import GraphError
from ntkexec.graphs import formats, generators
from ntkexec.graphs.conversion import INT32, from_arrays, from_networkx
from ntkexec.graphs.edge_arrays import EdgeArrays
from ntkexec.graphs.graph import Graph

# What files and generators call the weights of edges.
WEIGHT = "weight"


def load(
    spec: str | os.PathLike[str] | nx.Graph,
    *,
    weight: str | None = None,
    degree: int | None = None,
    strategy: str = "largest_first",
    label: str | None = None,
    self_loops: str = "refuse",
) -> Graph:
    """A graph from a file, a generator's name or networkx, ready to run programs on.

    Args:
        spec: a path (see `formats.read`), a generator (see `generators.parse`) or a graph. Text is
            a path if it has a suffix of a graph file or a separator of folders.
        weight: as in `from_networkx`; files and generators store weights as "weight".
        degree: as in `from_networkx`.
        strategy: as in `from_networkx`.
        label: what to call the graph; by default the name of the file, `spec` itself, or the name
            of the networkx graph.
        self_loops: as in `from_networkx`.

    Raises:
        GraphError: `spec` is neither a file nor a generator, or the graph breaks a rule.
    """
    if isinstance(spec, nx.Graph):
        graph, found_label = spec, str(spec.name) or "graph"
    elif isinstance(spec, os.PathLike) or (isinstance(spec, str) and _is_path(spec)):
        found_label = Path(spec).name if label is None else label
        edges = formats.read_edges(spec)
        if edges is not None and _are_plain(edges, weight, self_loops):
            return from_arrays(
                edges.names,
                edges.senders,
                edges.receivers,
                weights=None if weight is None else np.asarray(edges.weights, np.int32),
                directed=edges.directed,
                degree=degree,
                strategy=strategy,
                label=found_label,
                self_loops=self_loops,
            )
        graph = formats.read(spec)
    elif isinstance(spec, str):
        if generators.name_of(spec) not in generators.GENERATORS:
            raise GraphError(
                f"{spec!r} is neither a graph file ({formats.KNOWN}) nor "
                f"{generators.unknown_name(spec)}"
            )
        graph, found_label = generators.parse(spec), spec
    else:
        raise GraphError(
            f"cannot load a graph from {type(spec).__name__}; give a path, a generator such as "
            f"'grid:8x8', or a networkx graph"
        )
    return from_networkx(
        graph,
        weight=weight,
        degree=degree,
        strategy=strategy,
        label=found_label if label is None else label,
        self_loops=self_loops,
    )


def _are_plain(edges: EdgeArrays, weight: str | None, self_loops: str) -> bool:
    """Whether no rule is broken that only `from_networkx` explains edge by edge."""
    if self_loops == "refuse" and (edges.senders == edges.receivers).any():
        return False
    if weight is None:
        return True
    if weight != WEIGHT or edges.weights is None:
        return False
    return bool(((edges.weights >= INT32.min) & (edges.weights <= INT32.max)).all())


def _is_path(text: str) -> bool:
    separators = {os.sep, os.altsep or os.sep}
    return formats.suffix_of(text) in formats.SUFFIXES or any(s in text for s in separators)
