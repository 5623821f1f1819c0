"""Ports: a node's neighbours in the order of their identifiers."""

import numpy as np
from jaxtyping import Int

from ntkexec.graphs.graph import Graph


def in_neighbours(graph: Graph, degree: int) -> Int[np.ndarray, "n d"]:
    """The nodes that each node hears, by port, as indices into the batch; -1 where a port is free.

    Ports follow the neighbours' identifiers, smallest first.

    Args:
        graph: one graph or a batch.
        degree: number of ports, at least the largest in-degree.
    """
    senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    # Edges are sorted by receiver and then by sender, so the place in its block is the port.
    starts = np.searchsorted(receivers, np.arange(graph.num_nodes))
    ports = np.full((graph.num_nodes, degree), -1)
    ports[receivers, np.arange(len(receivers)) - starts[receivers]] = senders
    return ports


def port_slots(graph: Graph, degree: int) -> Int[np.ndarray, "n d"]:
    """The slot (colour) of the neighbour at each port; -1 where a port is free."""
    neighbours = in_neighbours(graph, degree)
    return np.where(neighbours < 0, -1, graph.colours[neighbours])
