"""Neighbours out of networkx's dictionaries: many small graphs whose nodes are called 0 to n - 1."""

import functools
import itertools
import marshal
import operator
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
from jaxtyping import Int, Int32

from ntkexec.graphs.port_tables import by_port

# Nodes of a graph whose identifiers are bytes.
BYTE = 1 << 8
# Neighbours of a node, up to which a sorting network takes less time than to sort all edges.
FEW_PORTS = 8
# Graphs that are read at once: of 20 nodes each, their dictionaries are a megabyte.
AT_ONCE = 128
# In a dumped list of the format's second version, which knows no references, before the first item.
DUMP_VERSION, DUMP_HEAD = 2, 5

_neighbours_of = operator.attrgetter("_adj")


class Adjacency(NamedTuple):
    """Undirected graphs on 0..n-1, one after the other.

    sizes: nodes of each graph; shape (g,).
    sums: of each graph the degrees of all its nodes together; shape (g,).
    degrees: by node its number of neighbours; shape (n,).
    senders: the neighbours of the first node, ascending, then those of the second, and so on, as
        indices into the batch; shape (e,).
    names: what the nodes are called, in the order of the indices; n of them.
    table: by port the neighbours of each node within its graph, and at free ports the node itself;
        shape (d, n), or None where it was not needed.
    """

    sizes: Int32[np.ndarray, "g"]
    sums: Int32[np.ndarray, "g"]
    degrees: Int[np.ndarray, "n"]
    senders: Int32[np.ndarray, "e"]
    names: tuple[int, ...]
    table: Int[np.ndarray, "d n"] | None


class _Listed(NamedTuple):
    """What the dictionaries hold, in their order.

    sizes, sums: as in `Adjacency`.
    names: of all nodes, integers.
    ordered: whether they are 0 to n - 1 in every graph, in this order.
    heard: the neighbours of the first node, then those of the second, and so on, by name.
    symmetric: whether who has a neighbour is sure to be one of its neighbours.
    """

    sizes: Int32[np.ndarray, "g"]
    sums: Int32[np.ndarray, "g"]
    names: list[int]
    ordered: bool
    heard: Int[np.ndarray, "e"]
    symmetric: bool


def read_dictionaries(parts: Sequence[nx.Graph]) -> Adjacency | None:
    """The neighbours in networkx's dictionaries; None unless all nodes are integers from 0 on.

    Args:
        parts: at least one; all undirected.
    """
    listed = _listed(parts)
    if listed is None:
        return None
    sizes, sums, names, ordered, heard, symmetric = listed
    starts = np.cumsum(sizes, dtype=np.int32) - sizes
    own = np.repeat(starts, sizes)
    identifiers = np.arange(len(names)) if ordered else _identifiers(names, sizes, own)
    if identifiers is None:
        return None
    senders = np.repeat(starts, sums)
    if symmetric:
        # A node is heard as often as it has neighbours, so nobody need ask two hundred thousand
        # dictionaries for their length.
        degrees = np.bincount(senders + heard, minlength=len(names))
    else:
        inner = itertools.chain.from_iterable(map(dict.values, _dictionaries(parts)[0]))
        degrees = np.zeros(len(names), np.int64)
        degrees[identifiers] = np.fromiter(map(len, inner), np.int64, len(names))
    if ordered and degrees.max() <= FEW_PORTS:
        in_order, table = _ascending(heard, degrees, (identifiers - own).astype(heard.dtype))
        senders += in_order
        return Adjacency(sizes, sums, degrees, senders, tuple(names), table)
    edges = np.repeat(identifiers * len(names), degrees[identifiers]) + senders + heard
    edges.sort()
    senders = (edges % len(names)).astype(np.int32)
    called = tuple(itertools.chain.from_iterable(map(range, sizes.tolist())))
    return Adjacency(sizes, sums, degrees, senders, called, None)


def _listed(parts: Sequence[nx.Graph]) -> _Listed | None:
    """All dictionaries, read once; None if some node is no integer, or some graph has none.

    Each pass is one call of C code, and all passes over some graphs come before the next graphs',
    while their dictionaries are in the processor's cache.
    """
    sizes: list[int] = []
    sums: list[int] = []
    names: list[Any] = []
    heard: list[np.ndarray] = []
    ordered = symmetric = True
    for first in range(0, len(parts), AT_ONCE):
        some, theirs = _dictionaries(parts[first : first + AT_ONCE])
        own = list(map(len, some))
        called = list(itertools.chain.from_iterable(some))
        if not _are_ordered(called, own):
            if not all(own) or set(map(type, called)) != {int}:
                return None
            ordered = False
        # Any: names, of which we learn only by asking whether they are whole numbers.
        inner: Iterable[Any] = map(itertools.chain.from_iterable, map(dict.values, some))
        try:
            # By way of bytes in half the time.
            if max(own) < BYTE:
                found: list[Any] = list(map(bytes, inner))
                heard.append(np.frombuffer(b"".join(found), np.uint8))
            else:
                found = [np.fromiter(called_so, np.int32) for called_so in inner]
                heard.append(np.concatenate(found))
        except (TypeError, ValueError, OverflowError):
            return None
        sums += map(len, found)
        sizes += own
        names += called
        symmetric = symmetric and theirs
    counts = (np.array(sizes, np.int32), np.array(sums, np.int32))
    return _Listed(*counts, names, ordered, np.concatenate(heard), symmetric)


def _dictionaries(
    parts: Sequence[nx.Graph],
) -> tuple[list[dict[Hashable, Mapping[Hashable, object]]], bool]:
    """networkx's own neighbours of every node, and True; or copies, and False, if some graph is one
    that may keep them otherwise, such as a view, which need not be symmetric either."""
    if set(map(type, parts)) == {nx.Graph}:
        own = list(map(_neighbours_of, parts))
        if set(map(type, own)) == {dict}:
            return own, True
    return [dict(part.adjacency()) for part in parts], False


def _are_ordered(called: list[Any], sizes: list[int]) -> bool:
    """Whether the nodes of graphs of these sizes are the integers from 0 on, in order, and no graph
    is without.

    Dumped, since that tells True from 1 in a fraction of the time that it takes to ask every type.
    """
    try:
        dumped = marshal.dumps(called, DUMP_VERSION)
    except ValueError:
        return False
    return all(sizes) and dumped[DUMP_HEAD:] == b"".join(map(_dumped_range, sizes))


@functools.lru_cache
def _dumped_range(size: int) -> bytes:
    return marshal.dumps(list(range(size)), DUMP_VERSION)[DUMP_HEAD:]


def _identifiers(
    names: list[int], sizes: Int32[np.ndarray, "g"], own: Int32[np.ndarray, "n"]
) -> Int[np.ndarray, "n"] | None:
    """The index of every node in the batch; None unless they are called 0 to n - 1 in some order.

    Args:
        names: distinct within a graph.
        sizes: of each graph.
        own: of each node the index of its graph's first node.
    """
    try:
        called = np.fromiter(names, np.int64, len(names))
    except OverflowError:
        return None
    fits = called.min() >= 0 and (called < np.repeat(sizes, sizes)).all()
    return own + called if fits else None


def _ascending(
    heard: Int[np.ndarray, "e"], degrees: Int[np.ndarray, "n"], own: Int[np.ndarray, "n"]
) -> tuple[Int[np.ndarray, "e"], Int[np.ndarray, "d n"]]:
    """The neighbours of every node in order; and by port, as the table of `Adjacency`.

    Args:
        heard: those of the first node in any order, then those of the second, and so on, within their
            graph; less than the largest number of their kind.
        degrees: by node its number of neighbours.
        own: every node within its graph.
    """
    most, free = int(degrees.max()), np.iinfo(heard.dtype).max
    ports = by_port(heard, degrees, most, free)
    # A sorting network over the ports, of all nodes at once; free ones go to the end.
    for turn in range(most):
        for port in range(turn % 2, most - 1, 2):
            low = np.minimum(ports[port], ports[port + 1])
            np.maximum(ports[port], ports[port + 1], out=ports[port + 1])
            ports[port] = low
    in_order = np.ascontiguousarray(ports.T).ravel()
    for row in ports:
        nobody = np.flatnonzero(row == free)
        row[nobody] = own[nobody]
    return in_order[in_order != free], ports
