"""Two-hop colouring of large graphs, many nodes at a time, in NumPy."""

import dataclasses

import numpy as np
from jaxtyping import Int, Int32, Num, UInt64

from ntkexec.graphs.colouring.one_by_one import first_free

WORD_BITS = 64
# Pairs within two hops that we hold at once: about 3 GB. A star reaches it at 5,500 leaves.
MAX_PAIRS = 30_000_000
# Neighbours of a node from which on colouring one node after the other takes less time and memory: all of
# them need colours of their own, so there are as many rounds.
MANY_NEIGHBOURS = 500


def jones_plassmann(
    num_nodes: int,
    senders: Int[np.ndarray, "e"],
    receivers: Int[np.ndarray, "e"],
    *,
    seed: int = 0,
) -> Int32[np.ndarray, "n"]:
    """Colours for which nodes within two hops differ; at most D^2 + 1 of them.

    Every node has a random rank. In each round the nodes that outrank all uncoloured nodes within
    two hops take the smallest colour that nobody within two hops has: what a greedy colouring in
    the order of the ranks would give, and what is done where a hub would need a round for each of
    its neighbours. The square of the graph is never formed.

    Nodes around a hub of thousands, with more than `MAX_PAIRS` pairs of neighbours, have colours of
    their own, and all other nodes too where that is within D^2 + 1. No program has so many slots; but
    the graph can be split, which needs no colours of it.

    Args:
        num_nodes: n.
        senders: one end of each edge; an edge may be given once or in both directions.
        receivers: the other end.
        seed: of the ranks.

    Returns:
        A colour for each node, numbered from 0 without gaps; the same for the same graph and seed.

    Source: Jones and Plassmann, "A Parallel Graph Coloring Heuristic", SIAM J. Sci. Comput. 14
        (1993), on the square graph.
    """
    closed = _Closed.of(num_nodes, senders, receivers)
    # From 1 on; 0 for whoever has a colour.
    rank = np.random.default_rng(seed).permutation(num_nodes).astype(np.int32) + 1
    largest = int(closed.sizes(np.arange(num_nodes)).max(initial=1)) - 1
    if MAX_PAIRS < largest**2 >= num_nodes - 1:
        return np.arange(num_nodes, dtype=np.int32)
    if largest >= MANY_NEIGHBOURS:
        starts, nodes = closed.starts.tolist(), closed.nodes.tolist()
        return first_free(
            np.argsort(-rank).tolist(), lambda node: nodes[starts[node] : starts[node + 1]]
        )
    colours = np.zeros(num_nodes, np.int32)
    taken = np.zeros((num_nodes, 1), np.uint64)
    left = np.arange(num_nodes)
    while len(left):
        highest = np.zeros(num_nodes, np.int32)
        nearby = np.zeros(num_nodes, bool)
        nearby[closed.members(left)] = True
        around = np.flatnonzero(nearby)
        highest[around] = closed.reduce(np.maximum, rank, around)
        chosen = left[closed.reduce(np.maximum, highest, left) == rank[left]]
        colours[chosen] = _smallest_free(closed.reduce(np.bitwise_or, taken, chosen))
        word, place = np.divmod(colours[chosen], WORD_BITS)
        if word.max() >= taken.shape[1]:
            taken = np.pad(taken, ((0, 0), (0, 1)))
        # Chosen nodes are more than two hops apart, so no node is marked twice at once.
        sizes = closed.sizes(chosen)
        bits = np.uint64(1) << place.astype(np.uint64)
        taken[closed.members(chosen), np.repeat(word, sizes)] |= np.repeat(bits, sizes)
        rank[chosen] = 0
        left = left[rank[left] > 0]
    return colours


@dataclasses.dataclass(frozen=True)
class _Closed:
    """Closed neighbourhoods, one after the other; none is empty."""

    starts: Int[np.ndarray, "n_plus_1"]
    nodes: Int[np.ndarray, "c"]

    @classmethod
    def of(
        cls, num_nodes: int, senders: Int[np.ndarray, "e"], receivers: Int[np.ndarray, "e"]
    ) -> "_Closed":
        import scipy.sparse  # here, so that importing the package stays light

        own = np.arange(num_nodes)
        ends = (
            np.concatenate([senders, receivers, own]),
            np.concatenate([receivers, senders, own]),
        )
        adjacency = scipy.sparse.csr_array(
            (np.ones(len(ends[0]), bool), ends), shape=(num_nodes, num_nodes)
        )
        return cls(adjacency.indptr.astype(np.int64), adjacency.indices)

    def sizes(self, subset: Int[np.ndarray, "s"]) -> Int[np.ndarray, "s"]:
        return self.starts[subset + 1] - self.starts[subset]

    def members(self, subset: Int[np.ndarray, "s"]) -> Int[np.ndarray, "m"]:
        """The neighbourhoods of some nodes, one after the other."""
        if len(subset) + 1 == len(self.starts):
            return self.nodes
        sizes = self.sizes(subset)
        shift = self.starts[subset] - (np.cumsum(sizes) - sizes)
        return self.nodes[np.repeat(shift, sizes) + np.arange(sizes.sum())]

    def reduce(
        self, operation: np.ufunc, values: Num[np.ndarray, "n *v"], subset: Int[np.ndarray, "s"]
    ) -> Num[np.ndarray, "s *v"]:
        """What an operation makes of the values in each neighbourhood."""
        sizes = self.sizes(subset)
        return operation.reduceat(values[self.members(subset)], np.cumsum(sizes) - sizes, axis=0)


def _smallest_free(taken: UInt64[np.ndarray, "s w"]) -> Int32[np.ndarray, "s"]:
    """The lowest place that holds a 0; the place after the last if none does."""
    found = np.full(len(taken), WORD_BITS * taken.shape[1], np.int32)
    for word in reversed(range(taken.shape[1])):
        lowest = ~taken[:, word] & (taken[:, word] + np.uint64(1))
        some = lowest > 0
        # Powers of two are exact in float64.
        place = np.log2(lowest[some].astype(np.float64)).astype(np.int32)
        found[some] = WORD_BITS * word + place
    return found
