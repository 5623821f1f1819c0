"""Two-hop colouring of many small graphs at once: the i-th nodes of all graphs in one go."""

import numpy as np
from jaxtyping import Int, Int32

from ntkexec.graphs.colouring.parallel import WORD_BITS, jones_plassmann

# Graphs beside each other, on average, from which on this takes less time than `jones_plassmann`.
MIN_WIDTH = 64


def colour_side_by_side(
    sizes: Int[np.ndarray, "g"],
    senders: Int[np.ndarray, "e"],
    receivers: Int[np.ndarray, "e"],
) -> Int32[np.ndarray, "n"]:
    """Colours for which nodes within two hops differ; at most D^2 + 1 of them.

    Nodes of a graph choose the smallest free colour one after the other, in the order of their
    identifiers; nodes of different graphs never meet, so those in the same place choose at once.
    Few graphs, or of a degree with more colours than a word has bits, are coloured by
    `jones_plassmann`.

    Args:
        sizes: nodes of each graph; its nodes and edges lie together.
        senders: one end of each edge, in both directions.
        receivers: the other end, ascending.

    Returns:
        A colour for each node, numbered from 0 without gaps.
    """
    num_nodes = int(sizes.sum())
    degrees = np.bincount(receivers, minlength=num_nodes)
    most = int(degrees.max(initial=0))
    if most**2 + 1 > WORD_BITS or num_nodes < MIN_WIDTH * int(sizes.max()):
        return jones_plassmann(num_nodes, senders, receivers)
    # The last place stands for a free port: nobody, who takes no colour.
    table = np.full((num_nodes, most), num_nodes, np.int32)
    # Edges stand in the order of nodes and their ports, which is that of the taken places.
    table[np.arange(most) < degrees[:, None]] = senders
    starts = np.cumsum(sizes) - sizes
    word = np.dtype(np.uint32 if most**2 + 1 <= WORD_BITS // 2 else np.uint64)
    chosen, one = np.zeros(num_nodes, word), np.ones((), word)
    # By node the colours of its closed neighbourhood, as bits.
    taken = np.zeros(num_nodes + 1, word)
    for place in range(int(sizes.max())):
        nodes = (starts if place < sizes.min() else starts[sizes > place]) + place
        around = np.ascontiguousarray(table[nodes].T)
        union = taken[nodes]
        for others in around:
            union |= taken[others]
        lowest = ~union & (union + one)
        chosen[nodes] = lowest
        taken[nodes] |= lowest
        # The neighbours of a node are different ones, and those of two are too.
        for others in around:
            taken[others] |= lowest
        taken[num_nodes] = 0
    return np.bitwise_count(chosen - one).astype(np.int32)
