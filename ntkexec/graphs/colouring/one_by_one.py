"""Nodes that choose colours one after the other."""

from collections.abc import Callable, Iterable, Sequence

import numpy as np
from jaxtyping import Int32


def first_free(
    order: Sequence[int], neighbours: Callable[[int], Iterable[int]]
) -> Int32[np.ndarray, "n"]:
    """Each node in its turn takes the first colour that no node within two hops has."""
    colours = [0] * len(order)
    # By node the colours of its closed neighbourhood, as bits of one integer.
    taken = [0] * len(order)
    for node in order:
        around = neighbours(node)
        union = taken[node]
        for other in around:
            union |= taken[other]
        bit = ~union & (union + 1)
        colours[node] = bit.bit_length() - 1
        taken[node] |= bit
        for other in around:
            taken[other] |= bit
    return np.array(colours, np.int32)
