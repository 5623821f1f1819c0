"""Sizes of graphs in buckets, so that graphs of about the same size share compiled code.

XLA compiles for arrays of one shape. A graph is filled up to the next size of a coarse grid with
nodes that hear nobody and that nobody hears. They are masked: neither verified, nor waited for, nor
counted where messages meet, and cut off from whatever an execution returns.
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from ntkexec.graphs.message_passing import GraphsTuple

# Up to so many, a number of nodes is rounded up by at most a quarter, beyond by at most an eighth.
COARSE = 1 << 12
# From so many nodes on a run takes longer than compiling, and nothing is added.
LARGEST = 1 << 17


def bucket(size: int, steps: int = 2) -> int:
    """The least size of a grid that is not below `size`.

    Args:
        size: not negative.
        steps: the grid has 2^steps sizes from one power of two to the next.

    Example:
        >>> [bucket(size) for size in (0, 7, 34, 36, 101)], bucket(34, 0), bucket(34, 3)
        ([0, 7, 40, 40, 112], 64, 36)
    """
    grain = 1 << max(0, (size - 1).bit_length() - 1 - steps)
    return -(-size // grain) * grain


def fine(size: int) -> int:
    """The bucket of something that costs as much as it is large: memory, or decisions of nodes."""
    return bucket(size, 2 if size <= COARSE else 3)


class Filled(NamedTuple):
    """A graph that was filled up.

    graphs: with nodes and edges added; without what compiled code does not read.
    mask: False at nodes that were added or that did not count before.
    """

    graphs: GraphsTuple
    mask: Bool[np.ndarray, "n"]


def filled(graphs: GraphsTuple, mask: Bool[np.ndarray, "n"]) -> Filled:
    """The same graph with as many nodes and edges as its bucket has.

    Edges that are added lead from the last node to itself, so they stay sorted by receiver.

    Args:
        graphs: one graph or a batch; `nodes` are states, (n, k). Edges, globals and how the nodes
            are divided among graphs are left out: steps do not depend on them.
        mask: False at nodes that do not count.
    """
    states = np.asarray(graphs.nodes, bool)
    num_nodes, num_edges = len(states), len(graphs.senders)
    nodes, edges = num_nodes, num_edges
    if num_nodes < LARGEST:
        # A message costs little beside what a node decides.
        edges = bucket(num_edges, 0 if num_edges <= COARSE else 3)
        # An added edge needs an added node.
        nodes = fine(num_nodes + (edges > num_edges))
    senders, receivers = (
        _longer(np.asarray(end, np.int32), edges, nodes - 1)
        for end in (graphs.senders, graphs.receivers)
    )
    return Filled(
        GraphsTuple(
            nodes=_longer(states, nodes, False),
            edges=None,
            senders=senders,
            receivers=receivers,
            globals=None,
            n_node=np.array([nodes], np.int32),
            n_edge=np.array([edges], np.int32),
        ),
        _longer(mask, nodes, False),
    )


def _longer(array: np.ndarray, size: int, value: int) -> np.ndarray:
    """The array with `value` after its end; the very same where nothing is added."""
    more = size - len(array)
    if not more:
        return array
    return np.pad(array, ((0, more), *((0, 0),) * (array.ndim - 1)), constant_values=value)
