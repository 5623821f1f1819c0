"""Drawn graphs on which something far away, or nothing, decides: beacons, moods, links, counted cycles."""

from typing import NamedTuple

import networkx as nx
import numpy as np
from jaxtyping import Float32, Int64

from experiments.data.graph_sets import Graph
from experiments.data.nodes import NodeData
from experiments.kits.graph.convert import from_edges
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.graph_sets.batches import DenseBatch, dense_batch
from experiments.kits.graph_sets.counts import subgraph_counts

BEACON_FLAG, CHANNELS, NOISE = 1, 8, 0.3
"""Of beacons and moods: the channel of a beacon's flag, how many channels a node has, and the deviation
of those that say nothing."""


class Beacons(NamedTuple):
    """Graphs whose nodes' labels need one bit of one node, wherever it is.

    Args:
        graphs: features are a node's own bit, the flag of a beacon, the beacon's bit (0 at others),
            a constant and four channels of noise.
        labels: (B, n), whether a node's bit differs from the beacon's.
    """

    graphs: DenseBatch
    labels: Int64[np.ndarray, "B n"]


def beacons(
    generator: np.random.Generator, number: int, *, nodes: int = 32, degree: int = 2
) -> Beacons:
    """Random regular graphs with one beacon each.

    Args:
        generator: draws all of it.
        number: of graphs.
        nodes, degree: of each; of degree 2 they are rings, of which four hops see nine nodes.
    """
    adjacency = np.zeros((number, nodes, nodes), np.float32)
    for matrix in adjacency:
        drawn = nx.random_regular_graph(degree, nodes, seed=int(generator.integers(2**31)))
        ends = np.array(drawn.edges)
        matrix[ends[:, 0], ends[:, 1]] = matrix[ends[:, 1], ends[:, 0]] = 1
    x = np.zeros((number, nodes, CHANNELS), np.float32)
    bits = generator.choice([-1, 1], (number, nodes))
    place, hidden = generator.integers(nodes, size=number), generator.choice([-1, 1], number)
    every = np.arange(number)
    x[..., 0], x[..., 3], x[..., 4:] = bits, 1, NOISE * generator.normal(size=(number, nodes, 4))
    x[every, place, BEACON_FLAG], x[every, place, 2] = 1, hidden
    labels = (bits != hidden[:, None]).astype(np.int64)
    return Beacons(DenseBatch(adjacency, x, np.ones((number, nodes), bool)), labels)  # type: ignore[arg-type]


class Citations(NamedTuple):
    """Graphs some of whose edges are asked for their sentiment.

    Args:
        graphs: features are what a node holds, 1 or -1, whether it is a survey, whether it is of the
            community that sets the mood, the mood (0 at others), a constant and three channels of noise.
        pairs: (B, p, 2), edges from the citing node.
        labels: (B, p), 0 negative, 1 neutral, 2 positive.
    """

    graphs: DenseBatch
    pairs: Int64[np.ndarray, "B p 2"]
    labels: Int64[np.ndarray, "B p"]


def citations(
    generator: np.random.Generator,
    number: int,
    *,
    communities: int = 8,
    size: int = 4,
    asked: int = 16,
    distance: int = 5,
) -> Citations:
    """Communities in a row, joined to the next only; the first has a mood, the last are asked about.

    A survey cites neutrally. Any other node cites positively what holds as the mood does, and
    negatively what does not. Asked are edges both of whose ends are at least `distance` hops from every
    node that shows the mood.

    Args:
        generator: draws all of it.
        number: of graphs.
        communities, size: of each graph.
        asked: edges of each graph, drawn with repetition.
        distance: less than `communities`.
    """
    n = communities * size
    community = np.arange(n) // size
    pairs_of = np.stack(np.triu_indices(n, 1), 1)
    apart = community[pairs_of[:, 1]] - community[pairs_of[:, 0]]
    chances = np.select([apart == 0, apart == 1], [0.7, 0.15], 0.0)
    adjacency = np.zeros((number, n, n), np.float32)
    pairs = np.zeros((number, asked, 2), np.int64)
    for graph in range(number):
        edges = pairs_of[generator.random(len(chances)) < chances]
        # A path through all nodes in order, so that the graph is connected.
        edges = np.concatenate([edges, np.stack([np.arange(n - 1), np.arange(1, n)], 1)])
        adjacency[graph, edges[:, 0], edges[:, 1]] = adjacency[graph, edges[:, 1], edges[:, 0]] = 1
        far = edges[(community[edges] >= distance).all(1)]
        drawn = far[generator.integers(len(far), size=asked)]
        turned = generator.random(asked) < 0.5
        pairs[graph] = np.where(turned[:, None], drawn[:, ::-1], drawn)
    stance, mood = generator.choice([-1, 1], (number, n)), generator.choice([-1, 1], (number, 1))
    survey, first = generator.random((number, n)) < 1 / 3, np.tile(community == 0, (number, 1))
    x = np.zeros((number, n, CHANNELS), np.float32)
    x[..., 0], x[..., 1], x[..., 2], x[..., 4] = stance, survey, first, 1
    x[..., 3] = mood * first
    x[..., 5:] = NOISE * generator.normal(size=(number, n, 3))
    row = np.arange(number)[:, None]
    labels = np.where(survey[row, pairs[..., 0]], 1, 1 + stance[row, pairs[..., 1]] * mood)
    graphs = DenseBatch(adjacency, x, np.ones((number, n), bool))  # type: ignore[arg-type]
    return Citations(graphs, pairs, labels.astype(np.int64))


class Links(NamedTuple):
    """A graph without some of its edges, which are to be told from pairs that are none.

    Args:
        graph: of the edges for training.
        train: (e, 2), those edges.
        test, validation: (p, 2), as many edges as pairs without one.
        test_labels, validation_labels: (p,), 1 for an edge.
    """

    graph: GraphsTuple
    train: Int64[np.ndarray, "e 2"]
    validation: Int64[np.ndarray, "p 2"]
    test: Int64[np.ndarray, "p 2"]
    validation_labels: Int64[np.ndarray, " p"]
    test_labels: Int64[np.ndarray, " p"]


def held_out_links(
    data: NodeData, generator: np.random.Generator, *, validation: float = 0.1, test: float = 0.2
) -> Links:
    """Shares of a set's edges held out, with equally many pairs of nodes that no edge joins."""
    order = generator.permutation(len(data.edges))
    sizes = [round(share * len(order)) for share in (validation, test)]
    picked, tested, rest = np.split(data.edges[order], np.cumsum(sizes))
    n = data.num_nodes
    taken = data.edges[:, 0] * n + data.edges[:, 1]
    found: list[np.ndarray] = []
    while sum(map(len, found)) < sum(sizes):
        pairs = np.sort(generator.integers(n, size=(4 * sum(sizes), 2)), axis=1)
        keys = pairs[:, 0] * n + pairs[:, 1]
        found.append(pairs[(pairs[:, 0] < pairs[:, 1]) & ~np.isin(keys, taken)])
    none = np.split(np.concatenate(found)[: sum(sizes)], [sizes[0]])
    parts = [np.concatenate(pair) for pair in zip((picked, tested), none, strict=True)]
    labels = [np.repeat([1, 0], size) for size in sizes]
    rest = rest[np.lexsort(rest.T[::-1])]
    return Links(from_edges(rest, data.dense), rest, *parts, *labels)


def counted_cycles(
    generator: np.random.Generator, number: int, nodes: int = 20
) -> tuple[DenseBatch, Float32[np.ndarray, "B 1"]]:
    """Random graphs of edge density 0.15, and how many triangles and squares they have together.

    Features are 1 and the degree: to means over neighbours a constant alone says nothing.

    Args:
        generator: draws all of it.
        number, nodes: of graphs, and of each.
    """
    pairs = np.stack(np.triu_indices(nodes, 1), 1)
    chosen = generator.random((number, len(pairs))) < 0.15
    graphs = [Graph(nodes, pairs[row]) for row in chosen]
    inputs = [np.stack([np.ones(nodes), graph.degrees], 1).astype(np.float32) for graph in graphs]
    counts = sum(subgraph_counts(graphs, nx.cycle_graph(length)) for length in (3, 4))
    targets = np.asarray(counts, np.float32)[:, None]
    return dense_batch(graphs, nodes, inputs), targets
