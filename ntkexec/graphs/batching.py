"""Thousands of small networkx graphs as one batch: dictionaries are read once, all else is arrays."""

import dataclasses
from collections.abc import Iterable, Sequence

import networkx as nx
import numpy as np

from ntkexec.errors import GraphError, shown
from ntkexec.graphs.colouring.side_by_side import colour_side_by_side
from ntkexec.graphs.conversion import endpoints, from_arrays
from ntkexec.graphs.dictionaries import Adjacency, read_dictionaries
from ntkexec.graphs.graph import Graph
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.graphs.nodes import ordered_nodes
from ntkexec.graphs.weights import weights_of


def batch_from_networkx(
    graphs: Iterable[nx.Graph], *, weight: str | None = None, label: str = "batch"
) -> Graph:
    """Thousands of small networkx graphs as one batch, checked and coloured together.

    The same as `graphs.batch` of `from_networkx` of each but for the colours, and many times
    faster, most of all for undirected graphs without weights whose nodes are called 0 to n - 1.

    Args:
        graphs: at least one; all directed or none.
        weight: as in `from_networkx`.
        label: what to call the batch.

    Raises:
        GraphError: as in `from_networkx`; or there is no graph, or some are directed.
    """
    parts = list(graphs)
    if not parts:
        raise GraphError("a batch needs at least one graph; got none")
    # Ten thousand calls of `len` and `is_directed` are a tenth of all; plain graphs need none.
    if set(map(type, parts)) != {nx.Graph}:
        _check(parts, label)
    if (
        weight is None
        and not parts[0].is_directed()
        and (found := read_dictionaries(parts)) is not None
    ):
        return _numbered(found, label)
    _check(parts, label)
    return _named(parts, weight, label)


def _check(parts: Sequence[nx.Graph], label: str) -> None:
    for number, part in enumerate(parts):
        if not isinstance(part, nx.Graph) or len(part) == 0:
            raise GraphError(
                f"graph {number} of {shown(label)} must be a networkx graph with nodes"
            )
    if len({part.is_directed() for part in parts}) > 1:
        raise GraphError(f"batch {shown(label)} is directed as a whole or not at all")


def _numbered(found: Adjacency, label: str) -> Graph:
    """The batch of graphs whose nodes are called by their identifiers."""
    sizes, sums, degrees, senders, names, table = found
    receivers = np.repeat(np.arange(len(degrees), dtype=np.int32), degrees)
    is_loop = senders == receivers
    if is_loop.any():
        raise GraphError(
            f"node {shown(names[senders[is_loop.argmax()]])} of graph {shown(label)} has an edge to "
            "itself; self_loops='drop' leaves such edges out"
        )
    colours = colour_side_by_side(sizes, degrees, senders, table)
    return Graph(
        tuple=GraphsTuple(
            nodes=None,
            edges=None,
            senders=senders,
            receivers=receivers,
            globals=None,
            n_node=sizes,
            n_edge=sums,
        ),
        names=names,
        colours=colours,
        num_colours=int(colours.max()) + 1,
        degree=int(degrees.max()),
        directed=False,
        label=label,
    )


def _named(parts: Sequence[nx.Graph], weight: str | None, label: str) -> Graph:
    """The batch of graphs whose nodes are called anything, directed or weighted perhaps."""
    names = [ordered_nodes(part) for part in parts]
    ends = [endpoints(part, own) for part, own in zip(parts, names, strict=True)]
    sizes = np.array([len(own) for own in names], np.int32)
    starts = np.cumsum(sizes) - sizes
    shift = np.repeat(starts, [len(senders) for senders, _ in ends])
    union = from_arrays(
        [name for own in names for name in own],
        np.concatenate([senders for senders, _ in ends]) + shift,
        np.concatenate([receivers for _, receivers in ends]) + shift,
        weights=None
        if weight is None
        else np.concatenate([weights_of(part, weight, label, 1, None) for part in parts]),
        directed=parts[0].is_directed(),
        label=label,
    )
    owner = np.searchsorted(starts, union.tuple.receivers, side="right") - 1
    return dataclasses.replace(
        union,
        tuple=union.tuple._replace(
            n_node=sizes, n_edge=np.bincount(owner, minlength=len(parts)).astype(np.int32)
        ),
    )
