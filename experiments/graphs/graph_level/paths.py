"""Roots that are paths, and what can be counted once the nodes of a path are marked."""

import dataclasses

import numpy as np
from jaxtyping import Float64, Int64

from experiments.data.graph_sets import Graph
from ntkexec.errors import ExperimentError

MOST_ROOTS = 2_000_000
"""Of one graph; each further step multiplies roots by the degree."""


@dataclasses.dataclass(frozen=True, eq=False)
class Roots:
    """Simple paths of a graph, each a root of its own copy.

    Args:
        paths: their nodes, in order; all of one first node stand together.
        weights: by which a sum over these paths estimates the sum over all: 1 where all are there.
    """

    paths: Int64[np.ndarray, "P k+1"]
    weights: Float64[np.ndarray, "P"]


def path_roots(
    graph: Graph, k: int, *, cap: int | None = None, generator: np.random.Generator | None = None
) -> Roots:
    """The simple paths of k edges from every node, as ordered tuples of k + 1 nodes.

    Args:
        graph: undirected.
        k: edges of a path; 0 gives nodes.
        cap: at most so many for each first node, drawn without replacement from its own; weights make up
            for the others, so that a sum over roots is unbiased.
        generator: draws where there is a cap.

    Raises:
        ExperimentError: a negative k, a cap without a generator or below 1, or too many roots.

    Source: Li et al., arXiv:2501.00773v1, in our reading.
    """
    if k < 0 or (cap is not None and (cap < 1 or generator is None)):
        raise ExperimentError(f"paths of {k} edges, {cap} for each node, cannot be drawn")
    neighbours = _neighbours(graph)
    paths = np.arange(graph.num_nodes)[:, None]
    for _ in range(k):
        ends = paths[:, -1]
        counts = graph.degrees[ends]
        if counts.sum() > MOST_ROOTS:
            raise ExperimentError(
                f"a graph of {graph.num_nodes} nodes has more than {MOST_ROOTS} paths of {k} edges"
            )
        longer = np.repeat(paths, counts, axis=0)
        further = np.concatenate([neighbours[end] for end in ends] or [np.zeros(0, np.int64)])
        kept = (longer != further[:, None]).all(1)
        paths = np.concatenate([longer[kept], further[kept, None]], axis=1)
    weights = np.ones(len(paths))
    if cap is not None and generator is not None:
        # A random order within each first node, of which the first `cap` stay.
        order = np.lexsort((generator.random(len(paths)), paths[:, 0]))
        paths = paths[order]
        counts = np.bincount(paths[:, 0], minlength=graph.num_nodes)
        place = np.arange(len(paths)) - (np.cumsum(counts) - counts)[paths[:, 0]]
        paths = paths[place < cap]
        weights = (counts / np.maximum(np.minimum(counts, cap), 1))[paths[:, 0]]
    return Roots(paths, weights)


def count_cycles(graph: Graph, length: int, k: int) -> float:
    """Cycles of a length, counted by walks that return to the root among unmarked nodes.

    Exact for lengths up to k + 4. Beyond, three steps between unmarked nodes can close a triangle, and the
    count is too large wherever one does.

    Args:
        graph: undirected.
        length: at least 3, and more than k.
        k: of the roots.

    Raises:
        ExperimentError: another length.
    """
    if length < 3 or length <= k:
        raise ExperimentError(f"cycles of length {length} are not closed by paths of {k} edges")
    roots = path_roots(graph, k).paths
    walked = _walks(graph, roots, length - k - 1)
    adjacency = _adjacency(graph)
    return float((walked * adjacency[roots[:, 0]]).sum() / (2 * length))


def count_paths(graph: Graph, length: int, k: int) -> float:
    """Simple paths of so many edges, each once, counted by walks that leave the root.

    Exact for lengths up to k + 3, which have k + 4 nodes as the longest exact cycles have.

    Args:
        graph: undirected.
        length: at least 1 and at least k.
        k: of the roots.

    Raises:
        ExperimentError: another length.
    """
    if length < max(1, k):
        raise ExperimentError(f"paths of {length} edges do not begin with paths of {k}")
    roots = path_roots(graph, k).paths
    return float(_walks(graph, roots, length - k).sum() / 2)


def _walks(graph: Graph, roots: np.ndarray, steps: int) -> np.ndarray:
    """Walks from each root's last node, over unmarked nodes and never straight back, by where they end.

    Message passing can compute them: each step is a sum over neighbours, less what came from there.
    """
    adjacency = _adjacency(graph)
    unmarked = np.ones((len(roots), graph.num_nodes))
    np.put_along_axis(unmarked, roots, 0.0, axis=1)
    last = np.zeros_like(unmarked)
    np.put_along_axis(last, roots[:, -1:], 1.0, axis=1)
    if steps == 0:
        return last
    free = unmarked @ adjacency
    before, now = last, (last @ adjacency) * unmarked
    for step in range(2, steps + 1):
        # Back to the marked root nobody went, so the second step has nothing to take off.
        back = 0.0 if step == 2 else before * (free if step == 3 else free - 1)
        before, now = now, (now @ adjacency) * unmarked - back
    return now


def _adjacency(graph: Graph) -> np.ndarray:
    made = np.zeros((graph.num_nodes, graph.num_nodes))
    u, v = graph.edges.T
    made[u, v] = made[v, u] = 1
    return made


def _neighbours(graph: Graph) -> list[np.ndarray]:
    pairs = np.concatenate([graph.edges, graph.edges[:, ::-1]])
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0]))]
    ends = np.cumsum(np.bincount(pairs[:, 0], minlength=graph.num_nodes))
    return np.split(pairs[:, 1], ends[:-1])
