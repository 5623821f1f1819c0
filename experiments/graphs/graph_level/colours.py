"""What roots that are paths can tell apart: colour refinement, and the smallest k that a task needs."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64, UInt64

from experiments.data.graph_sets import Graph, GraphSet
from experiments.graphs.graph_level.paths import MOST_ROOTS, path_roots
from ntkexec.errors import ExperimentError

ODD = (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB)
"""Multipliers of splitmix64, whose output stands for a colour."""


def path_colours(graphs: Sequence[Graph], k: int) -> Int64[np.ndarray, "G"]:
    """Classes of graphs that colour refinement with roots of k edges cannot tell apart.

    For each path its nodes are marked by their places in it, colours are refined until they are stable, and
    the path's colour is those of all nodes and of its own. A node's colour is the multiset of those of its
    paths, a graph's that of its nodes. A network of the same reach tells no more apart.

    Multisets are stood for by sums of 64 bit hashes: what is equal is always found equal, and two of
    N different ones are confused with a probability of about N^2 / 2^65.

    Args:
        graphs: with node labels or without.
        k: edges of a root; -1 refines the graph itself, without any root (1-WL).

    Returns:
        A class for each graph, from 0 in order of appearance.
    """
    codes = np.array([_code(graph, k) for graph in graphs], np.uint64)
    _, first, places = np.unique(codes, return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first))
    return rank[places].astype(np.int64)


@dataclasses.dataclass(frozen=True)
class Choice:
    """What `choose_k` found.

    Args:
        k: the smallest that tells every pair of graphs of different targets apart; none where no k up to
            the largest does.
        confused: for each k from -1 up, pairs of different targets that look the same.
        roots: for each k from 0 up, paths of all graphs looked at.
        bytes: for each k from 0 up, of the activations of one layer of the largest graph, all roots at once.
        proof: places in the set of a pair that the largest k looked at does not tell apart, if any.
    """

    k: int | None
    confused: tuple[int, ...]
    roots: tuple[int, ...]
    bytes: tuple[int, ...]
    proof: tuple[int, int] | None


def choose_k(
    graphs: GraphSet,
    *,
    most: int = 2,
    sample: int | None = None,
    generator: np.random.Generator | None = None,
    width: int = 32,
) -> Choice:
    """The smallest k that suffices for a set's targets, before anything is trained, and what it costs.

    Args:
        graphs: whose targets are to be told apart; those of numbers count as different if they differ.
        most: the largest k that is tried.
        sample: graphs that are looked at; without it, all.
        generator: draws the sample.
        width: of a layer, for the bytes.

    Raises:
        ExperimentError: a sample without a generator.
    """
    chosen = np.arange(len(graphs.graphs))
    if sample is not None and sample < len(chosen):
        if generator is None:
            raise ExperimentError(f"a sample of {sample} graphs needs a generator")
        chosen = np.sort(generator.choice(chosen, sample, replace=False))
    some = [graphs.graphs[i] for i in chosen]
    _, targets = np.unique(graphs.targets[chosen], axis=0, return_inverse=True)
    confused: list[int] = []
    roots: list[int] = []
    sizes: list[int] = []
    proof: tuple[int, int] | None = None
    for k in range(-1, most + 1):
        classes = path_colours(some, k)
        number, pair = _confused(classes, targets.reshape(-1))
        confused.append(number)
        proof = None if pair is None else (int(chosen[pair[0]]), int(chosen[pair[1]]))
        if k >= 0:
            counts = [len(path_roots(graph, k).paths) for graph in some]
            roots.append(sum(counts))
            sizes.append(
                max(4 * width * c * g.num_nodes for c, g in zip(counts, some, strict=True))
            )
        if not number and k >= 0:
            break
    return Choice(
        None if confused[-1] else len(confused) - 2, tuple(confused), tuple(roots), tuple(sizes), proof
    )  # fmt: skip


def _confused(classes: np.ndarray, targets: np.ndarray) -> tuple[int, tuple[int, int] | None]:
    """How many pairs have one class and two targets, and one of them."""
    number, pair = 0, None
    for c in np.unique(classes):
        members = np.flatnonzero(classes == c)
        _, counts = np.unique(targets[members], return_counts=True)
        if len(counts) > 1:
            number += int((len(members) ** 2 - (counts**2).sum()) // 2)
            other = members[targets[members] != targets[members[0]]][0]
            pair = pair or (int(members[0]), int(other))
    return number, pair


def _code(graph: Graph, k: int) -> UInt64[np.ndarray, ""]:
    labels = np.zeros(graph.num_nodes, np.uint64)
    if graph.node_labels is not None:
        labels = graph.node_labels.astype(np.uint64)
    labels = _mixed(labels, 0)
    if k < 0:
        return _summed(_refined(graph, labels[None]), 1)[0]
    paths = path_roots(graph, k).paths
    if len(paths) * graph.num_nodes > 100 * MOST_ROOTS:
        raise ExperimentError(
            f"{len(paths)} roots of a graph of {graph.num_nodes} nodes are too many to colour"
        )
    of_node = np.zeros(graph.num_nodes, np.uint64)
    # Rows of copies, a few at a time.
    for part in np.array_split(paths, max(1, len(paths) * graph.num_nodes // 2_000_000)):
        copies = np.repeat(labels[None], len(part), axis=0)
        marks = np.broadcast_to(np.arange(k + 1, dtype=np.uint64) + np.uint64(1), part.shape)
        own = np.take_along_axis(copies, part, 1)
        np.put_along_axis(copies, part, own + _mixed(marks, 1), axis=1)
        stable = _refined(graph, copies)
        code = _summed(stable, 2)
        for place in range(k + 1):
            code = _mixed(code, 3) + np.take_along_axis(stable, part[:, place : place + 1], 1)[:, 0]
        np.add.at(of_node, part[:, 0], _mixed(code, 4))
    return _summed(_mixed(of_node + labels, 5)[None], 6)[0]


def _refined(graph: Graph, colours: np.ndarray) -> np.ndarray:
    """Stable colours of each row; all rows are refined as often, which is as often as any needs."""
    senders = np.concatenate([graph.edges[:, 0], graph.edges[:, 1]])
    receivers = np.concatenate([graph.edges[:, 1], graph.edges[:, 0]])
    order = np.argsort(receivers, kind="stable")
    senders = senders[order]
    there = np.flatnonzero(graph.degrees)
    starts = (np.cumsum(graph.degrees) - graph.degrees)[there]
    # As many rounds as nodes, for every graph of a size: to stop earlier would be told by the colour.
    for _ in range(graph.num_nodes):
        sent = _mixed(colours, 7)
        received = np.zeros_like(colours)
        if len(there):
            received[:, there] = np.add.reduceat(sent[:, senders], starts, axis=1)
        colours = _mixed(colours, 8) + received
    return _mixed(colours, 9)


def _summed(colours: np.ndarray, salt: int) -> np.ndarray:
    total: np.ndarray = _mixed(colours, salt).sum(1, dtype=np.uint64)
    return _mixed(total + np.uint64(colours.shape[1]), salt)


def _mixed(values: np.ndarray, salt: int) -> np.ndarray:
    """splitmix64, with another constant for each use; overflow is meant."""
    with np.errstate(over="ignore"):
        z = values + np.uint64((ODD[0] * (salt + 1)) % 2**64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(ODD[1])
        z = (z ^ (z >> np.uint64(27))) * np.uint64(ODD[2])
        mixed: np.ndarray = z ^ (z >> np.uint64(31))
    return mixed
