"""Values of edges by the port of their receiver: a row for each port, as wide as there are nodes."""

import numpy as np
from jaxtyping import Int


def by_port(
    values: Int[np.ndarray, "e"], counts: Int[np.ndarray, "n"], ports: int, free: int
) -> Int[np.ndarray, "p n"]:
    """A value for each edge at its receiver's port.

    Args:
        values: those of the first node's edges in the order of its ports, then those of the second,
            and so on.
        counts: edges of each node.
        ports: number of rows, at least the largest count.
        free: stands where a port is free.
    """
    if len(values) == 0:
        return np.full((ports, len(counts)), free, values.dtype)
    table = np.empty((ports, len(counts)), values.dtype)
    edges = np.cumsum(counts, dtype=np.intp) - counts
    for port, row in enumerate(table):
        # Read port by port: twice as fast as to fill all places that are taken at once.
        values.take(edges, mode="clip", out=row)
        # By index, which takes a quarter of the time that a mask does.
        row[np.flatnonzero(counts <= port)] = free
        edges += 1
    return table
