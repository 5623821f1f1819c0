"""Ports: the order in which a node lists its neighbours, that of their identifiers or another one."""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np
from jaxtyping import Int

from ntkexec.errors import GraphError, shown
from ntkexec.graphs.graph import Graph
from ntkexec.graphs.port_tables import by_port

Order = Callable[[int, Iterable[int]], list[int]]
"""`order(node, others)`: some of a node's neighbours in the order of its ports."""


def in_neighbours(graph: Graph, degree: int) -> Int[np.ndarray, "n d"]:
    """The nodes that each node hears, by port, as indices into the batch; -1 where a port is free.

    Args:
        graph: one graph or a batch.
        degree: number of ports, at least the largest in-degree.
    """
    return _at_ports(graph, np.asarray(graph.tuple.senders), degree)


def port_slots(graph: Graph, degree: int) -> Int[np.ndarray, "n d"]:
    """The slot (colour) of the neighbour at each port; -1 where a port is free."""
    return _at_ports(graph, graph.colours[np.asarray(graph.tuple.senders)], degree)


def heard_at(graph: Graph, ports: Int[np.ndarray, "n"]) -> Int[np.ndarray, "n"]:
    """The node that each node hears at one of its ports; -1 where that port is free.

    Args:
        graph: one graph or a batch.
        ports: of every node, not negative.
    """
    senders, counts = np.asarray(graph.tuple.senders), graph.in_degrees
    if graph.ports is not None:
        nodes = np.arange(graph.num_nodes)
        degree = max(int(ports.max(initial=0)) + 1, int(counts.max(initial=0)))
        return in_neighbours(graph, degree)[nodes, ports]
    edges = np.cumsum(counts, dtype=np.int64) - counts + ports
    heard = np.append(senders, np.int32(-1))[np.minimum(edges, len(senders))]
    return np.where(ports < counts, heard, -1)


def _at_ports(graph: Graph, values: Int[np.ndarray, "e"], degree: int) -> Int[np.ndarray, "n d"]:
    """A value for each directed edge by the receiver's ports; -1 where a port is free.

    A view whose memory is port-major, as the executors need it.
    """
    if graph.ports is None:
        return by_port(values, graph.in_degrees, degree, -1).T
    found = np.full((degree, graph.num_nodes), -1, values.dtype)
    found[graph.ports, np.asarray(graph.tuple.receivers)] = values
    return found.T


def with_ports(graph: Graph, ports: Int[np.ndarray, "e"]) -> Graph:
    """The same graph, whose nodes list their neighbours in another order.

    Args:
        graph: one graph or a batch.
        ports: for each directed edge of `graph.tuple`, the port of its receiver at which it arrives.
            The ports of a node that hears d others are 0 to d - 1, each once.

    Raises:
        GraphError: another number of ports than of edges, or a node with a port twice or left out.

    Example:
        >>> from ntkexec.graphs import load
        >>> path = load("path:3")
        >>> path.edge_ports.tolist(), in_neighbours(path, 2).tolist()
        ([0, 0, 1, 0], [[1, -1], [0, 2], [1, -1]])
        >>> in_neighbours(with_ports(path, np.array([0, 1, 0, 0])), 2).tolist()
        [[1, -1], [2, 0], [1, -1]]
    """
    found = np.asarray(ports)
    receivers = np.asarray(graph.tuple.receivers)
    if found.shape != receivers.shape or not np.issubdtype(found.dtype, np.integer):
        raise GraphError(
            f"graph {shown(graph.label)} takes {len(receivers)} ports, whole numbers, one for each "
            f"directed edge; got {found.dtype} of shape {found.shape}"
        )
    in_order = found[np.lexsort((found, receivers))]
    wrong = np.flatnonzero(in_order != dataclasses.replace(graph, ports=None).edge_ports)
    if len(wrong):
        node = int(receivers[wrong[0]])
        own = found[receivers == node]
        raise GraphError(
            f"node {shown(graph.names[node])} of graph {shown(graph.label)} has the ports "
            f"{own.tolist()}; 0 to {len(own) - 1}, each once, would fit"
        )
    return dataclasses.replace(graph, ports=found.astype(np.int32))


def by_identifiers(graph: Graph) -> Graph:
    """The same graph with ports in the order of the neighbours' identifiers."""
    return graph if graph.ports is None else dataclasses.replace(graph, ports=None)


def port_order(graph: Graph) -> Order:
    """How the nodes of a graph order their neighbours, for references that know nothing of arrays.

    A sender without a port, such as a node that hears itself, comes last.
    """
    if graph.ports is None:
        return lambda node, others: sorted(others)
    ends = (np.asarray(graph.tuple.receivers).tolist(), np.asarray(graph.tuple.senders).tolist())
    port_of = dict(zip(zip(*ends, strict=True), graph.ports.tolist(), strict=True))
    last = len(port_of)
    return lambda node, others: sorted(others, key=lambda other: port_of.get((node, other), last))
