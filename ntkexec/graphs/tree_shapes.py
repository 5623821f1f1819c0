"""The tree that stands for a node of too many neighbours; it depends on two numbers alone."""

import functools
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64

# Shapes that are remembered; a graph has one for every degree above D that occurs.
MAX_SHAPES = 1024


class TreeShape(NamedTuple):
    """The tree of a node with d neighbours; its t nodes are numbered breadth-first, the root 0.

    up: the node above each, -1 at the root; shape (t,).
    home: where each neighbour hangs, in their order; shape (d,).
    depth: hops from the root to the last node.
    """

    up: Int64[np.ndarray, "t"]
    home: Int64[np.ndarray, "d"]
    depth: int


@functools.lru_cache(MAX_SHAPES)
def tree_shape(num_neighbours: int, degree: int) -> TreeShape:
    """The fewest nodes, filled breadth-first; neighbours hang in the order of a walk.

    The walk goes through the nodes below a node, from left to right, and then to what hangs on the
    node itself. Places that stay free, fewer than D - 2, are the last node's.

    Args:
        num_neighbours: d; a tree of one node if it is at most D.
        degree: D, at least 3.
    """
    # t nodes have t * D places, of which the t - 1 edges between them take two each.
    size = max(1, -(-(num_neighbours - 2) // (degree - 2)))
    nodes = np.arange(size)
    # D nodes below the root and D - 1 below every other one.
    up = np.where(nodes <= degree, 0, 1 + (nodes - degree - 1) // (degree - 1))
    up[0] = -1
    hanging = degree - (nodes > 0) - np.bincount(up[1:], minlength=size)
    hanging[-1] -= hanging.sum() - num_neighbours
    levels = _levels(size, degree)
    # What hangs on a node and below it, and how much of the rest the walk meets before.
    total = hanging.copy()
    for level in reversed(levels[1:]):
        np.add.at(total, up[level], total[level])
    before = np.zeros(size, np.int64)
    for level in levels[1:]:
        so_far = np.cumsum(total[level]) - total[level]
        eldest = np.searchsorted(up[level], up[level])
        before[level] = before[up[level]] + so_far - so_far[eldest]
    order = np.argsort(before + total - hanging, kind="stable")
    home = np.repeat(order, hanging[order])
    up.flags.writeable = home.flags.writeable = False
    return TreeShape(up, home, len(levels) - 1)


def _levels(size: int, degree: int) -> list[slice]:
    """Where the nodes of each depth lie."""
    found, start, width = [slice(0, 1)], 1, degree
    while start < size:
        found.append(slice(start, min(start + width, size)))
        start, width = start + width, width * (degree - 1)
    return found
