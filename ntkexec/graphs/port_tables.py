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
    table = np.full((ports, len(counts)), free, values.dtype)
    if len(values) == 0:
        return table
    starts = np.cumsum(counts, dtype=np.int64) - counts
    for port, row in enumerate(table):
        # Read for each port in turn: twice as fast as a mask of all places that are taken.
        some = values.take(starts + port, mode="clip")
        row[...] = np.where(counts > port, some, row)
    return table
