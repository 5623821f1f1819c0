"""The order in which networkx lists the neighbours of a node, as ports."""

from collections.abc import Callable, Hashable, Iterable, Iterator

import networkx as nx
import numpy as np
from jaxtyping import Int64

from ntkexec.errors import GraphError, shown
from ntkexec.vocabulary import PORT_ORDERS

NeighbourOrder = Callable[[Iterator[Hashable]], Iterable[Hashable]]
"""Puts the names of a node's neighbours in order, as `sort_neighbors` of `networkx.bfs_edges`."""


def check_port_order(order: object) -> None:
    """Raises GraphError unless it is a word for an order of ports, or a function."""
    if order not in PORT_ORDERS and not callable(order):
        words = " or ".join(map(repr, PORT_ORDERS))
        raise GraphError(f"port_order is {shown(order)}; it must be {words}, or a function")


def adjacency_ports(
    graph: nx.Graph, order: NeighbourOrder | None, label: str
) -> Int64[np.ndarray, "a"]:
    """The port of each directed edge, these sorted by receiver and sender; identifiers are places.

    An edge from a node to itself has no port.

    Args:
        graph: any; in a directed one a node lists its predecessors.
        order: of the neighbours; by default as networkx lists them.
        label: what to call the graph in messages.

    Raises:
        GraphError: `order` leaves out a neighbour, or adds one.
    """
    index = {name: i for i, name in enumerate(graph)}
    heard = graph.pred if graph.is_directed() else graph.adj
    ports: list[int] = []
    for node, name in enumerate(graph):
        listed = list(heard[name]) if order is None else list(order(iter(heard[name])))
        if order is not None and (len(listed) != len(heard[name]) or set(listed) != {*heard[name]}):
            raise GraphError(
                f"port_order gives node {shown(name)} of graph {shown(label)} the neighbours "
                f"{shown(listed)}; all of {shown(list(heard[name]))}, each once, would fit"
            )
        others = [index[other] for other in listed if index[other] != node]
        # Edges come by their senders' identifiers: the smallest one's is the place of the smallest.
        ports += sorted(range(len(others)), key=others.__getitem__)
    return np.array(ports, np.int64)
