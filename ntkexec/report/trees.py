"""The trees of a split graph as plain data, from which a page opens a hub into its tree."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from ntkexec.graphs.ports import in_neighbours
from ntkexec.graphs.splitting import SplitGraph

# Ends of an edge: of the original graph (indices of its nodes), or of the split one.
Ends = Sequence[Sequence[int]]


def tree_data(
    split: SplitGraph, *, arcs: Ends, places: Sequence[Sequence[float]]
) -> dict[str, Any]:
    """What a page needs to draw the trees in the place of their owners.

    Args:
        split: of a single graph.
        arcs: the edges of the original graph that the page draws, each once.
        places: of the original nodes in the unit square, upwards.

    Returns:
        By node of the split graph its name, colour, owner, the ring that it stands on (its depth) and
        the angle there; by original node the root of its tree; `ends`, where each of `arcs` hangs;
        `inner`, the edges of the trees, the upper node first; and `told`, what was split in words.
    """
    graph = split.graph
    senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    owners = split.owner[senders], split.owner[receivers]
    outer = owners[0] != owners[1]
    hanging = {
        (u, v): [x, y]
        for u, v, x, y in zip(
            *(a[outer].tolist() for a in (*owners, senders, receivers)), strict=True
        )
    }
    down = ~outer & split.upper[receivers, graph.edge_ports]
    rings, angles = _around(split, np.asarray(places, float))
    return {
        "told": told(split),
        "degree": split.most,
        "depth": split.depth,
        "names": [str(name) for name in graph.names],
        "colours": graph.colours.tolist(),
        "owner": split.owner.tolist(),
        "roots": split.roots.tolist(),
        "ends": [hanging[u, v] for u, v in arcs],
        "inner": np.stack([senders[down], receivers[down]], axis=1).tolist(),
        "rings": rings.tolist(),
        "angles": np.round(angles, 4).tolist(),
    }


def told(split: SplitGraph) -> str:
    """What was split, in a sentence."""
    nodes = split.original.num_nodes
    hubs = int((np.bincount(split.owner, minlength=nodes) > 1).sum())
    return (
        f"Nodes of more than {split.most} neighbours, {hubs} of {nodes}, are trees of depth at most "
        f"{split.depth}: the program runs on {split.graph.num_nodes} nodes."
    )


def _around(
    split: SplitGraph, places: Float[np.ndarray, "n 2"]
) -> tuple[Int[np.ndarray, "N"], Float[np.ndarray, "N"]]:
    """The ring and the angle of every node around the place of its owner.

    The neighbours of a hub share the circle in the order of its ports, and a node stands in the middle
    of those that hang below it. The circle is turned to where most of them lie.
    """
    rings, angles = np.zeros(len(split.owner), int), np.zeros(len(split.owner))
    hanging = _hanging(split)
    for hub in np.flatnonzero(np.bincount(split.owner) > 1).tolist():
        entered: list[tuple[int, int]] = []  # nodes of the tree, each with the neighbours before it
        others: list[int] = []
        path: list[int] = []
        below: Counter[int] = Counter()
        for node, depth, other in _walk(hanging, int(split.roots[hub])):
            del path[depth:]
            path.append(node)
            if other is None:
                rings[node] = depth
                entered.append((node, len(others)))
            else:
                others.append(int(split.owner[other]))
                below.update(path)
        step = 2 * np.pi / max(1, len(others))
        away = (places[others] - places[hub]) @ np.array([1, 1j])
        unit = away / np.maximum(np.abs(away), 1e-9)
        turn = float(np.angle(np.sum(unit * np.exp(-1j * step * np.arange(len(others))))))
        for node, before in entered:
            angles[node] = turn + step * (before + (below[node] - 1) / 2)
    return rings, angles


Hanging = Mapping[int, Sequence[tuple[int, bool]]]


def _hanging(split: SplitGraph) -> Hanging:
    """By node of the split graph what hangs below it, in the order of its ports, and whether outside.

    In a directed graph those that a node tells and does not hear come last.
    """
    found: dict[int, list[tuple[int, bool]]] = {x: [] for x in range(len(split.owner))}
    neighbours = in_neighbours(split.graph, split.most)
    for x, port in np.argwhere((neighbours >= 0) & ~split.upper).tolist():
        found[x].append((int(neighbours[x, port]), bool(split.outer[x, port])))
    if split.graph.directed:
        ends = (split.graph.tuple.senders.tolist(), split.graph.tuple.receivers.tolist())
        for x, y in zip(*ends, strict=True):
            if split.owner[x] != split.owner[y] and (y, True) not in found[x]:
                found[x].append((y, True))
    return found


def _walk(hanging: Hanging, root: int) -> Iterator[tuple[int, int, int | None]]:
    """A tree in the order of its ports.

    Yields (node, depth, None) as a node is entered, and (node, depth, other) for an outer edge.
    """
    stack: list[tuple[int, int, int | None]] = [(root, 0, None)]
    while stack:
        node, depth, other = stack.pop()
        yield node, depth, other
        if other is None:
            for end, outer in reversed(hanging[node]):
                stack.append((node, depth, end) if outer else (end, depth + 1, None))
