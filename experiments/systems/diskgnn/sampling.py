"""Mini-batches of sampled neighbourhoods, drawn before anything is trained and used in every epoch."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Int, Int64
from scipy import sparse

from experiments.files.storage import load_tensors, save_tree
from experiments.systems.diskgnn.checks import node_numbers
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True, eq=False)
class MiniBatch:
    """Nodes whose classes are predicted, and the neighbours from which they are.

    Args:
        nodes: every node whose features are read, once: first the targets, then those that the first
            hop adds, and so on.
        sizes: how many nodes there are after 0, 1, ... hops; the last is all of them.
        senders, receivers: for each layer of a network, the first to be applied first, places in
            `nodes`. Layer k of K has receivers among the first `sizes[K - 1 - k]`.
    """

    nodes: Int64[np.ndarray, " n"]
    sizes: tuple[int, ...]
    senders: tuple[Int[np.ndarray, " e"], ...]
    receivers: tuple[Int[np.ndarray, " e"], ...]


@dataclasses.dataclass(frozen=True, eq=False)
class SamplePlan:
    """The mini-batches of an epoch.

    Args:
        num_nodes: of the graph.
        batches: in the order in which they were drawn.
    """

    num_nodes: int
    batches: tuple[MiniBatch, ...]

    @property
    def popularity(self) -> Int64[np.ndarray, " n"]:
        """In how many batches each node is read."""
        read = np.concatenate([batch.nodes for batch in self.batches])
        return np.bincount(read, minlength=self.num_nodes)

    def save(self, path: Path) -> None:
        """Writes the plan, atomically and with a digest."""
        names = ("nodes", "sizes", "senders", "receivers")
        trees = {f"{i:06d}": _tree(batch) for i, batch in enumerate(self.batches)}
        assert all(set(tree) == set(names) for tree in trees.values())
        save_tree(path, trees, num_nodes=str(self.num_nodes))

    @classmethod
    def read(cls, path: Path) -> "SamplePlan":
        """A plan that `save` wrote.

        Raises:
            ExperimentError: the file is none, or was cut or changed.
        """
        tensors, notes = load_tensors(path)
        try:
            layers = {name.rpartition("/")[2] for name in tensors if "/senders/" in name}
            found = []
            for name in sorted({name.partition("/")[0] for name in tensors}):
                ends = [
                    tuple(tensors[f"{name}/{kind}/{layer}"] for layer in sorted(layers, key=int))
                    for kind in ("senders", "receivers")
                ]
                sizes = tuple(int(size) for size in tensors[f"{name}/sizes"])
                found.append(MiniBatch(tensors[f"{name}/nodes"], sizes, *ends))
            return cls(int(notes["num_nodes"]), tuple(found))
        except (KeyError, ValueError) as error:
            raise ExperimentError(f"{path} holds no plan of batches: it lacks {error}") from error


def sample_offline(
    graph: sparse.csr_array,
    targets: Int[np.ndarray, " t"],
    *,
    batch: int,
    fanouts: Sequence[int],
    generator: np.random.Generator,
) -> SamplePlan:
    """The mini-batches of one epoch: targets in random order, neighbours without replacement.

    Args:
        graph: row i lists the nodes from which node i receives; values do not matter.
        targets: whose classes are learnt, each once.
        batch: targets of each, fewer in the last.
        fanouts: at most so many neighbours of each node, by hop from the targets outwards.
        generator: draws the order and the neighbours.

    Raises:
        ExperimentError: the graph is not square or names no node, a target is none or comes twice, or a
            size is below 1.

    Source: offline sampling in the paper; the draws are those of GraphSAGE, arXiv:1706.02216.
    """
    check_graph(graph)
    number = graph.shape[0]
    listed = node_numbers(targets, number, "targets")
    if not listed.size:
        raise ExperimentError(f"targets must be some of the nodes 0 to {number - 1}, not none")
    if len(np.unique(listed)) < len(listed):
        raise ExperimentError("a target comes twice; each is learnt once in an epoch")
    if batch < 1 or not fanouts or min(fanouts) < 1:
        raise ExperimentError(
            f"batches of {batch} with fan-outs of {tuple(fanouts)}: all must be at least 1"
        )
    order = generator.permutation(listed)
    local = np.full(number, -1, np.int64)
    batches = [
        _neighbourhood(graph, order[i : i + batch], fanouts, generator, local)
        for i in range(0, len(order), batch)
    ]
    return SamplePlan(number, tuple(batches))


def check_graph(graph: sparse.csr_array) -> None:
    """Refuses what is no square CSR matrix whose rows name nodes, each once.

    Raises:
        ExperimentError: says what does not fit.
    """
    if not sparse.issparse(graph) or graph.format != "csr" or graph.shape[0] != graph.shape[1]:
        raise ExperimentError("a graph to sample from must be a square SciPy CSR matrix")
    if graph.nnz and not (graph.indices.min() >= 0 and graph.indices.max() < graph.shape[0]):
        raise ExperimentError(f"the graph names a node beyond its {graph.shape[0]}")
    steps = np.diff(graph.indptr)
    if graph.indptr[0] != 0 or (steps < 0).any() or graph.indptr[-1] != len(graph.indices):
        raise ExperimentError("the graph's indptr does not count its indices")
    rows = np.repeat(np.arange(graph.shape[0]), steps)
    ends = graph.indices
    if ((ends[1:] < ends[:-1]) & (rows[1:] == rows[:-1])).any():
        order = np.lexsort((ends, rows))
        rows, ends = rows[order], ends[order]
    twice = np.flatnonzero((ends[1:] == ends[:-1]) & (rows[1:] == rows[:-1]))
    if len(twice):
        raise ExperimentError(
            f"row {rows[twice[0]]} of the graph names node {ends[twice[0]]} twice; sum_duplicates() mends it"
        )


def neighbours_of(edges: Int[np.ndarray, "m 2"], num_nodes: int) -> sparse.csr_array:
    """The graph of undirected edges, to sample from: both directions, each once.

    Args:
        edges: a row for each; what comes twice counts once.
        num_nodes: of the graph.

    Raises:
        ExperimentError: an edge names no node, or the array has two rows in the place of two columns.
    """
    pairs = node_numbers(edges, num_nodes, "edges", columns=2)
    both = np.concatenate([pairs, pairs[:, ::-1]])
    ones = np.ones(len(both), np.int8)
    made = sparse.coo_array((ones, (both[:, 0], both[:, 1])), shape=(num_nodes, num_nodes)).tocsr()
    made.data[:] = 1
    return made


def _neighbourhood(
    graph: sparse.csr_array,
    targets: np.ndarray,
    fanouts: Sequence[int],
    generator: np.random.Generator,
    local: np.ndarray,
) -> MiniBatch:
    """One batch; `local` is -1 everywhere before and after."""
    nodes, sizes = targets, [len(targets)]
    senders: list[np.ndarray] = []
    receivers: list[np.ndarray] = []
    local[targets] = np.arange(len(targets))
    for fanout in fanouts:
        ends, starts = _drawn(graph, nodes, fanout, generator)
        new = np.unique(starts[local[starts] < 0])
        local[new] = len(nodes) + np.arange(len(new))
        nodes = np.concatenate([nodes, new])
        sizes.append(len(nodes))
        senders.append(local[starts].astype(np.int32))
        receivers.append(ends.astype(np.int32))
    local[nodes] = -1
    return MiniBatch(nodes, tuple(sizes), tuple(senders[::-1]), tuple(receivers[::-1]))


def _drawn(
    graph: sparse.csr_array, nodes: np.ndarray, fanout: int, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """For each drawn edge the place of its receiver among `nodes`, and its sender."""
    first = graph.indptr[nodes].astype(np.int64)
    degree = graph.indptr[nodes + 1].astype(np.int64) - first
    many = np.flatnonzero(degree > fanout)
    # Floyd's way to draw a subset: the k-th draw is below a bound that rises by one, and takes the
    # bound itself where what it drew is there already. Every subset is equally likely.
    chosen = np.empty((len(many), fanout), np.int64)
    for k in range(fanout):
        bound = degree[many] - fanout + k
        drawn = (generator.random(len(many)) * (bound + 1)).astype(np.int64)
        twice = (chosen[:, :k] == drawn[:, None]).any(1)
        chosen[:, k] = np.where(twice, bound, drawn)
    few = np.flatnonzero(degree <= fanout)
    counts = degree[few]
    within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    ends = np.concatenate([np.repeat(few, counts), np.repeat(many, fanout)])
    places = np.concatenate(
        [np.repeat(first[few], counts) + within, (first[many][:, None] + chosen).ravel()]
    )
    order = np.argsort(ends, kind="stable")
    return ends[order], graph.indices[places[order]].astype(np.int64)


def _tree(batch: MiniBatch) -> dict[str, object]:
    tree = dataclasses.asdict(batch)
    return {**tree, "sizes": np.array(batch.sizes, np.int64)}
