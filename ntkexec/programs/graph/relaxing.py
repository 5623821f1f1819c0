"""Weights of edges, and rounds in which all nodes relax at once, in NumPy: what sums will occur."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Int, Int64

from ntkexec.errors import ProgramError, shown
from ntkexec.graphs import Graph

# Sums beyond it are not followed; 64 bits hold one more addition.
LARGEST_SUM = 1 << 62
UNREACHED = np.iinfo(np.int64).max


class Relaxed(NamedTuple):
    """What happens when all nodes relax at once, round after round.

    low: the smallest sum that any node meets, and 0.
    high: the largest one, and 0.
    rounds: in so many rounds some distance fell. Without a negative cycle in reach these are the most
        hops that a shortest walk of fewest hops has; with one, all rounds there were.
    distances: in the end; `UNREACHED` where there is none; shape (n,).
    """

    low: int
    high: int
    rounds: int
    distances: Int64[np.ndarray, "n"]


def relax(
    graph: Graph, weights: Int[np.ndarray, "e"], sources: Sequence[int], *, rounds: int
) -> Relaxed:
    """Relaxes all nodes until nothing falls any more, in a step of NumPy a round.

    Sums that lose against a smaller one count, and what distances become while they fall along a
    negative cycle.

    Args:
        graph: one graph or a batch.
        weights: of its directed edges.
        sources: indices of the nodes at distance 0.
        rounds: at most so many.

    Raises:
        ProgramError: sums beyond `LARGEST_SUM`.
    """
    senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    heaviest = int(np.abs(weights).max(initial=0))
    distances = np.full(graph.num_nodes, UNREACHED)
    distances[list(sources)] = 0
    low, high = 0, 0
    for done in range(rounds):
        if max(high, -low) + heaviest >= LARGEST_SUM:
            raise ProgramError(
                f"sums of weights on graph {shown(graph.label)} reach {LARGEST_SUM:,} in round "
                f"{done + 1:,}; smaller weights would fit"
            )
        live = distances[senders] != UNREACHED
        sums = distances[senders[live]] + weights[live]
        if not len(sums):
            return Relaxed(low, high, done, distances)
        low, high = min(low, int(sums.min())), max(high, int(sums.max()))
        after = distances.copy()
        np.minimum.at(after, receivers[live], sums)
        if np.array_equal(after, distances):
            return Relaxed(low, high, done, distances)
        distances = after
    return Relaxed(low, high, rounds, distances)


def weights_of(graph: Graph) -> Int[np.ndarray, "e"]:
    """The weight of every directed edge; 1 without weights."""
    edges = graph.tuple.edges
    return np.ones(len(graph.tuple.senders), int) if edges is None else np.asarray(edges, int)


def by_port(graph: Graph, weights: Int[np.ndarray, "e"], num_ports: int) -> Int[np.ndarray, "n d"]:
    """The weight of the edge from the neighbour at each port; 0 where a port is free."""
    found = np.zeros((graph.num_nodes, num_ports), int)
    found[np.asarray(graph.tuple.receivers), graph.edge_ports] = weights
    return found
