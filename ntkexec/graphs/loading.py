"""One entrance for everything that can be a graph: a file, a generator's name, a networkx graph."""

import dataclasses
import os
from pathlib import Path

import networkx as nx
import numpy as np
from jaxtyping import Int32

from ntkexec.errors import GraphError, shown
from ntkexec.graphs import generators
from ntkexec.graphs.conversion import from_arrays, from_networkx
from ntkexec.graphs.graph import Graph
from ntkexec.graphs.io import formats
from ntkexec.graphs.io.edge_arrays import EdgeArrays
from ntkexec.graphs.io.formats import check_direction
from ntkexec.graphs.weights import check_scale, missing, whole_weights

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
    directed: bool | None = None,
    weight_scale: int = 1,
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
        directed: as in `formats.read`: how to read an edge list or a matrix. A generator and a
            networkx graph must agree.
        weight_scale: as in `from_networkx`; goes with `weight`.

    Raises:
        GraphError: `spec` is neither a file nor a generator, or the graph breaks a rule.
    """
    scale = check_scale(weight_scale)
    if scale != 1 and weight is None:
        raise GraphError(f"weight_scale={scale} goes with weights, and none are read")
    if isinstance(spec, nx.Graph):
        graph, found_label = spec, str(spec.name) or "graph"
        check_direction(graph, directed, shown(found_label))
    elif isinstance(spec, os.PathLike) or (isinstance(spec, str) and _is_path(spec)):
        found_label = Path(spec).name if label is None else label
        edges = formats.read_edges(spec, directed=directed)
        if edges is not None:
            loaded = from_arrays(
                edges.names,
                edges.senders,
                edges.receivers,
                weights=None if weight is None else _weights(edges, weight, found_label, scale),
                directed=edges.directed,
                degree=degree,
                strategy=strategy,
                label=found_label,
                self_loops=self_loops,
            )
            # Those of a dropped loop are no weights that a run could use.
            is_edge = edges.senders != edges.receivers
            unread = weight is None and edges.weights is not None
            if unread and (edges.weights[is_edge] != 1).any():  # type: ignore[index]
                return dataclasses.replace(loaded, unread_weights=WEIGHT)
            return loaded
        graph = formats.read(spec, directed=directed)
    elif isinstance(spec, str):
        if generators.name_of(spec) not in generators.GENERATORS:
            raise GraphError(
                f"{shown(spec)} is neither a graph file ({formats.KNOWN}) nor "
                f"{generators.unknown_name(spec)}"
            )
        graph, found_label = generators.parse(spec), spec
        if directed and not graph.is_directed():
            raise GraphError(f"graph {shown(spec)} is undirected; a generator takes directed=1")
        check_direction(graph, directed, f"graph {shown(spec)}")
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
        weight_scale=scale,
    )


def _weights(edges: EdgeArrays, weight: str, label: str, scale: int) -> Int32[np.ndarray, "e"]:
    """The weights of a file's edges, as `from_networkx` would find them.

    Raises:
        GraphError: names the edge, its weight and the rule.
    """

    def describe(index: int) -> str:
        ends = (edges.names[edges.senders[index]], edges.names[edges.receivers[index]])
        return f"edge {shown(ends[0])}-{shown(ends[1])} of graph {shown(label)}"

    if len(edges.senders) == 0:
        return np.zeros(0, np.int32)
    if weight != WEIGHT or edges.weights is None:
        attributes = [] if edges.weights is None else [WEIGHT]
        raise missing(describe(0), weight, attributes, scale)
    return whole_weights(
        edges.weights,
        scale=scale,
        is_dropped=edges.senders == edges.receivers,
        describe=describe,
        name=weight,
    )


def _is_path(text: str) -> bool:
    separators = {os.sep, os.altsep or os.sep}
    return formats.suffix_of(text) in formats.SUFFIXES or any(s in text for s in separators)
