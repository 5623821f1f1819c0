"""Two-hop colouring of many small graphs at once: the i-th nodes of all graphs in one go."""

import numpy as np
from jaxtyping import Int, Int32

from ntkexec.graphs.colouring.parallel import WORD_BITS, jones_plassmann
from ntkexec.graphs.port_tables import by_port

# Graphs beside each other, on average, from which on this takes less time than `jones_plassmann`.
MIN_WIDTH = 64


def colour_side_by_side(
    sizes: Int[np.ndarray, "g"],
    degrees: Int[np.ndarray, "n"],
    senders: Int[np.ndarray, "e"],
    table: Int[np.ndarray, "d n"] | None = None,
) -> Int32[np.ndarray, "n"]:
    """Colours for which nodes within two hops differ; at most D^2 + 1 of them.

    Nodes of a graph choose the smallest free colour one after the other, in the order of their
    identifiers; nodes of different graphs never meet, so those in the same place choose at once.
    Few graphs, or of a degree with more colours than a word has bits, are coloured by
    `jones_plassmann`.

    Args:
        sizes: nodes of each graph, at least one; its nodes and edges lie together.
        degrees: neighbours of each node.
        senders: the neighbours of the first node, then those of the second, and so on; every edge is
            there in both directions.
        table: by port the neighbours of each node within its graph, and at free ports the node itself,
            if that is known already.

    Returns:
        A colour for each node, numbered from 0 without gaps.
    """
    num_nodes, most = len(degrees), int(degrees.max())
    smallest, largest = int(sizes.min()), int(sizes.max())
    if most**2 + 1 > WORD_BITS or num_nodes < MIN_WIDTH * largest:
        return jones_plassmann(num_nodes, senders, np.repeat(np.arange(num_nodes), degrees))
    starts = np.cumsum(sizes, dtype=np.intp) - sizes
    if table is None:
        own = np.arange(num_nodes, dtype=np.int32)
        table = by_port(senders, degrees, most, -1)
        table = np.where(table < 0, own, table) - np.repeat(starts.astype(np.int32), sizes)
    word = np.dtype(np.uint32 if most**2 + 1 <= WORD_BITS // 2 else np.uint64)
    chosen, one = np.zeros(num_nodes, word), np.ones((), word)
    # By node the colours of its closed neighbourhood, as bits.
    taken = np.zeros(num_nodes, word)
    for place in range(largest):
        first = starts if place < smallest else starts[sizes > place]
        nodes = first + place
        around = np.concatenate([nodes[None], table.take(nodes, axis=1) + first])
        heard = taken.take(around)
        union = np.bitwise_or.reduce(heard)
        lowest = ~union & (union + one)
        chosen[nodes] = lowest
        # The neighbours of a node are different ones, and those of two are too; a free port leads to
        # the node itself, which hears the same twice.
        taken[around] = heard | lowest
    return np.bitwise_count(chosen - one).astype(np.int32)
