"""Thousands of small networkx graphs as one batch: dictionaries are read once, all else is arrays."""

import dataclasses
import itertools
from collections.abc import Collection, Hashable, Iterable, Sequence
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from jaxtyping import Int, Int32

from ntkexec.errors import GraphError, shown
from ntkexec.graphs.colouring.side_by_side import colour_side_by_side
from ntkexec.graphs.conversion import endpoints, from_arrays
from ntkexec.graphs.graph import Graph
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.graphs.nodes import ordered_nodes
from ntkexec.graphs.weights import weights_of

# Nodes of a graph whose identifiers, and numbers of neighbours, are bytes.
BYTE = 1 << 8


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
    for number, part in enumerate(parts):
        if not isinstance(part, nx.Graph) or len(part) == 0:
            raise GraphError(
                f"graph {number} of {shown(label)} must be a networkx graph with nodes"
            )
    if len({part.is_directed() for part in parts}) > 1:
        raise GraphError(f"batch {shown(label)} is directed as a whole or not at all")
    if weight is None and not parts[0].is_directed() and (found := _read(parts)) is not None:
        return _numbered(found, label)
    return _named(parts, weight, label)


class _Adjacency(NamedTuple):
    """Undirected graphs on 0..n-1, one after the other.

    sizes: nodes of each graph; shape (g,).
    degrees: by node its number of neighbours; shape (n,).
    edges: each twice, receiver times `base` plus what the sender is called, ascending; shape (e,).
    base: more than any graph has nodes.
    """

    sizes: Int32[np.ndarray, "g"]
    degrees: Int[np.ndarray, "n"]
    edges: Int[np.ndarray, "e"]
    base: int


def _read(parts: Sequence[nx.Graph]) -> _Adjacency | None:
    """The neighbours in networkx's dictionaries; None unless all nodes are integers from 0 on."""
    names: list[Hashable] = list(itertools.chain.from_iterable(parts))
    if set(map(type, names)) != {int}:
        return None
    sizes = np.fromiter(map(len, parts), np.int32, len(parts))
    base = int(sizes.max())
    try:
        called = _integers(names, len(names), base)
        inner = [others for part in parts for _, others in part.adjacency()]
        degrees = _integers(map(len, inner), len(inner), base)
        heard = _integers(itertools.chain.from_iterable(inner), int(degrees.sum()), base)
    except (TypeError, ValueError, OverflowError):
        return None
    starts = np.cumsum(sizes, dtype=np.int64) - sizes
    identifiers = np.repeat(starts, sizes) + called
    if called.min() < 0 or (called >= np.repeat(sizes, sizes)).any():
        return None
    in_order = np.zeros(len(names), degrees.dtype)
    in_order[identifiers] = degrees
    # A name twice, as 1 and as True for example, is none: names of a graph are different.
    narrow = np.int32 if len(names) * base <= np.iinfo(np.int32).max else np.int64
    edges = np.repeat((identifiers * base).astype(narrow), degrees) + heard
    edges.sort()
    return _Adjacency(sizes, in_order, edges, base)


def _integers(values: Iterable[Any], count: int, base: int) -> Int[np.ndarray, "c"]:
    """Integers below `base`, perhaps others too; by way of bytes in half the time.

    Raises:
        TypeError, ValueError or OverflowError: something that is no such integer.
    """
    if base < BYTE:
        return np.frombuffer(bytes(values), np.uint8)
    return np.fromiter(values, np.int64, count)


def _numbered(found: _Adjacency, label: str) -> Graph:
    """The batch of graphs whose nodes are called by their identifiers."""
    sizes, degrees = found.sizes, found.degrees.astype(np.int32)
    starts = np.cumsum(sizes, dtype=np.int32) - sizes
    receivers = np.repeat(np.arange(len(degrees), dtype=np.int32), degrees)
    first = np.repeat(np.repeat(starts, sizes), degrees)
    called = (found.edges - receivers.astype(found.edges.dtype) * found.base).astype(np.int32)
    senders = first + called
    is_loop = senders == receivers
    if is_loop.any():
        raise GraphError(
            f"node {shown(int(called[is_loop.argmax()]))} of graph {shown(label)} has an edge to "
            "itself; self_loops='drop' leaves such edges out"
        )
    colours = colour_side_by_side(sizes, senders, receivers)
    names: Collection[int] = itertools.chain.from_iterable(map(range, sizes.tolist()))  # type: ignore[assignment]
    return Graph(
        tuple=GraphsTuple(
            nodes=None,
            edges=None,
            senders=senders,
            receivers=receivers,
            globals=None,
            n_node=sizes,
            n_edge=np.add.reduceat(degrees, starts).astype(np.int32),
        ),
        names=tuple(names),
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
