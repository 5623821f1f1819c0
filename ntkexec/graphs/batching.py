"""Thousands of small networkx graphs as one batch: dictionaries are read once, all else is arrays."""

import dataclasses
import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence
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
# Neighbours of a node, up to which a sorting network takes less time than to sort all edges.
FEW_PORTS = 8
# Graphs that are read at once: of 20 nodes each, their dictionaries are a megabyte.
AT_ONCE = 128


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
    if weight is None and not parts[0].is_directed() and (found := _read(parts)) is not None:
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


class _Adjacency(NamedTuple):
    """Undirected graphs on 0..n-1, one after the other.

    sizes: nodes of each graph; shape (g,).
    degrees: by node its number of neighbours; shape (n,).
    senders: the neighbours of the first node, ascending, then those of the second, and so on, as
        indices into the batch; shape (e,).
    """

    sizes: Int32[np.ndarray, "g"]
    degrees: Int[np.ndarray, "n"]
    senders: Int32[np.ndarray, "e"]


def _read(parts: Sequence[nx.Graph]) -> _Adjacency | None:
    """The neighbours in networkx's dictionaries; None unless all nodes are integers from 0 on.

    Each pass over names is one call of C code, and all passes over some graphs come before the next
    graphs', while their dictionaries are in the processor's cache.
    """
    outer = [_dictionary(part) for part in parts]
    if not all(outer):
        return None
    sizes = np.fromiter(map(len, outer), np.int32, len(outer))
    base, num_nodes = int(sizes.max()), int(sizes.sum())
    read = []
    for first in range(0, len(outer), AT_ONCE):
        some = outer[first : first + AT_ONCE]
        names = list(itertools.chain.from_iterable(some))
        if set(map(type, names)) != {int}:
            return None
        inner = list(itertools.chain.from_iterable(map(dict.values, some)))
        try:
            degrees = _integers(map(len, inner), len(names), base)
            num_edges = int(degrees.sum(dtype=np.int64))
            heard = _integers(itertools.chain.from_iterable(inner), num_edges, base)
            read.append((_integers(names, len(names), base), degrees, heard))
        except (TypeError, ValueError, OverflowError):
            return None
    called, degrees, heard = map(np.concatenate, zip(*read, strict=True))
    starts = np.cumsum(sizes, dtype=np.int64) - sizes
    own = np.repeat(starts, sizes)
    if np.array_equal(called, np.arange(num_nodes) - own):
        senders = np.repeat(own.astype(np.int32), degrees)
        senders += heard.astype(np.int32)
        return _Adjacency(sizes, degrees, _ascending(senders, degrees))
    if called.min() < 0 or (called >= np.repeat(sizes, sizes)).any():
        return None
    identifiers = own + called
    in_order = np.zeros(num_nodes, degrees.dtype)
    in_order[identifiers] = degrees
    edges = np.repeat(identifiers * num_nodes + own, degrees) + heard
    edges.sort()
    return _Adjacency(sizes, in_order, (edges % num_nodes).astype(np.int32))


def _ascending(
    senders: Int32[np.ndarray, "e"], degrees: Int[np.ndarray, "n"]
) -> Int32[np.ndarray, "e"]:
    """The neighbours of every node in order.

    Args:
        senders: those of the first node in any order, then those of the second, and so on.
        degrees: by node its number of neighbours.
    """
    num_nodes, most = len(degrees), int(degrees.max(initial=0))
    if most > FEW_PORTS:
        keys = np.repeat(np.arange(num_nodes) * num_nodes, degrees) + senders
        keys.sort()
        return (keys % num_nodes).astype(np.int32)
    taken = np.arange(most) < degrees[:, None]
    table = np.full((num_nodes, most), num_nodes, np.int32)
    table[taken] = senders
    # A sorting network over the ports, of all nodes at once.
    ports = np.ascontiguousarray(table.T)
    for turn in range(most):
        for port in range(turn % 2, most - 1, 2):
            low = np.minimum(ports[port], ports[port + 1])
            np.maximum(ports[port], ports[port + 1], out=ports[port + 1])
            ports[port] = low
    return np.ascontiguousarray(ports.T)[taken]


def _dictionary(graph: nx.Graph) -> dict[Hashable, Mapping[Hashable, object]]:
    """networkx's own neighbours of every node, or a copy for graphs that keep them otherwise."""
    # What subclasses and views hold may be of another kind.
    own = graph._adj if type(graph) is nx.Graph else None
    return own if type(own) is dict else dict(graph.adjacency())


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
    sizes, degrees, senders = found
    starts = np.cumsum(sizes, dtype=np.int32) - sizes
    receivers = np.repeat(np.arange(len(degrees), dtype=np.int32), degrees)
    is_loop = senders == receivers
    if is_loop.any():
        called = senders - starts[np.searchsorted(starts, senders, side="right") - 1]
        raise GraphError(
            f"node {shown(int(called[is_loop.argmax()]))} of graph {shown(label)} has an edge to "
            "itself; self_loops='drop' leaves such edges out"
        )
    colours = colour_side_by_side(sizes, senders, receivers)
    ranges = {size: tuple(range(size)) for size in set(sizes.tolist())}
    return Graph(
        tuple=GraphsTuple(
            nodes=None,
            edges=None,
            senders=senders,
            receivers=receivers,
            globals=None,
            n_node=sizes,
            n_edge=np.add.reduceat(degrees, starts, dtype=np.int32),
        ),
        names=tuple(itertools.chain.from_iterable(map(ranges.__getitem__, sizes.tolist()))),
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
