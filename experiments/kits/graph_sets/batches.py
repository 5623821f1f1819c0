"""Batches of graphs of one shape: in one compiled program every step reads another one.

A *store* holds a whole set on the device, and `gathered` takes the graphs of a step out of it, inside
compiled code: as one `jraph.GraphsTuple`, or, for small graphs, as a dense adjacency each.
"""

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int, Int64

from experiments.data.graph_sets import Graph, GraphSet
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError

ROUND = 64
"""Budgets are multiples of it."""
FLAT = 4096
"""Nodes and edges of a store are padded to a multiple of it, so that noisy copies have its shape."""


class DenseBatch(NamedTuple):
    """Graphs with an adjacency each.

    Args:
        adjacency: symmetric, 0 or 1, or weights.
        nodes: inputs; zeros where no node is.
        mask: whether a node is there.
        extras: of each graph, such as roots of paths; a pytree.
    """

    adjacency: Float[Array, "B n n"]
    nodes: Float[Array, "B n F"]
    mask: Bool[Array, "B n"]
    extras: Any = None


Batch = GraphsTuple | DenseBatch


class Limits(NamedTuple):
    """The shape of every batch.

    Args:
        graphs: at most, without the padding graph.
        nodes, edges: of all together; edges count both ways. 0 of a dense batch, which needs neither.
    """

    graphs: int
    nodes: int = 0
    edges: int = 0


class Store(NamedTuple):
    """A set on the device, graph after graph; see `stored`.

    Args:
        nodes: inputs of all nodes.
        senders, receivers: of all edges, both ways, counted within their graph.
        starts: (G, 2), where each graph's nodes and edges begin.
        counts: (G, 2), how many they are.
    """

    nodes: Float[Array, "N F"]
    senders: Int[Array, "E"]
    receivers: Int[Array, "E"]
    starts: Int[Array, "G 2"]
    counts: Int[Array, "G 2"]


def both_ways(graph: Graph) -> tuple[np.ndarray, np.ndarray]:
    """Senders and receivers of a graph's edges in both directions, sorted by receiver."""
    pairs = np.concatenate([graph.edges, graph.edges[:, ::-1]])
    order = np.lexsort((pairs[:, 0], pairs[:, 1]))
    return pairs[order, 0], pairs[order, 1]


def padded_batch(
    graphs: Sequence[Graph],
    *,
    num_graphs: int,
    num_nodes: int,
    num_edges: int,
    inputs: Sequence[np.ndarray] | None = None,
) -> GraphsTuple:
    """These graphs as one, with a padding graph last to which all nodes that are added belong.

    Args:
        graphs: at most `num_graphs - 1`; places between them and the last are empty graphs.
        num_graphs: of the result, the padding graph among them.
        num_nodes: of the result, at least one more than the graphs have.
        num_edges: of the result, each edge of the graphs counted twice.
        inputs: a row for each node of each graph; without them, a column of ones.

    Returns:
        `edges` are weights, 1 and 0 for the added ones, which lead from the last node to itself.

    Raises:
        ExperimentError: says what does not fit.
    """
    sizes = np.array([[g.num_nodes, 2 * len(g.edges)] for g in graphs], np.int64).reshape(-1, 2)
    nodes, edges = (int(total) for total in sizes.sum(0))
    if len(graphs) >= num_graphs or nodes >= num_nodes or edges > num_edges:
        raise ExperimentError(
            f"{num_graphs} graphs, {num_nodes} nodes and {num_edges} edges do not hold {len(graphs)} graphs, "
            f"{nodes} nodes, {edges} edges and a padding graph"
        )
    offsets = np.concatenate([[0], np.cumsum(sizes[:, 0])])
    rows = [np.ones((g.num_nodes, 1), np.float32) for g in graphs] if inputs is None else inputs
    width = rows[0].shape[1] if len(rows) else 1
    features = np.zeros((num_nodes, width), np.float32)
    senders, receivers = np.full((2, num_edges), num_nodes - 1, np.int32)
    counts = np.zeros((2, num_graphs), np.int32)
    at = 0
    for i, graph in enumerate(graphs):
        features[offsets[i] : offsets[i + 1]] = rows[i]
        sent, received = both_ways(graph)
        senders[at : at + len(sent)] = sent + offsets[i]
        receivers[at : at + len(sent)] = received + offsets[i]
        at += len(sent)
    counts[:, : len(graphs)] = sizes.T
    counts[:, -1] = num_nodes - nodes, num_edges - edges
    return GraphsTuple(
        nodes=features,
        edges=(np.arange(num_edges) < edges).astype(np.float32),
        senders=senders,
        receivers=receivers,
        n_node=counts[0],
        n_edge=counts[1],
        globals=None,
    )


def dense_batch(
    graphs: Sequence[Graph],
    size: int,
    inputs: Sequence[np.ndarray] | None = None,
    extras: Any = None,
) -> DenseBatch:
    """These graphs with an adjacency each, as NumPy arrays.

    Args:
        graphs: of at most `size` nodes.
        size: to which each is padded.
        inputs: a row for each node of each graph; without them, a column of ones.
        extras: kept as they are.

    Raises:
        ExperimentError: names a graph that is larger.
    """
    rows = [np.ones((g.num_nodes, 1), np.float32) for g in graphs] if inputs is None else inputs
    adjacency = np.zeros((len(graphs), size, size), np.float32)
    nodes = np.zeros((len(graphs), size, rows[0].shape[1] if len(rows) else 1), np.float32)
    mask = np.zeros((len(graphs), size), bool)
    for i, graph in enumerate(graphs):
        if graph.num_nodes > size:
            raise ExperimentError(f"graph {i} has {graph.num_nodes} nodes, more than {size}")
        u, v = graph.edges.T
        adjacency[i, u, v] = adjacency[i, v, u] = 1
        nodes[i, : graph.num_nodes] = rows[i]
        mask[i, : graph.num_nodes] = True
    return DenseBatch(adjacency, nodes, mask, extras)  # type: ignore[arg-type] # NumPy until compiled


def stored(graphs: GraphSet, inputs: Sequence[np.ndarray]) -> Store:
    """A set, graph after graph, to take batches from.

    Args:
        graphs: the set.
        inputs: as `node_inputs` gives them.
    """
    links = [both_ways(graph) for graph in graphs.graphs]
    counts = np.array([[len(rows), len(pair[0])] for rows, pair in zip(inputs, links, strict=True)])
    starts = np.cumsum(counts, 0) - counts

    def flat(parts: list[np.ndarray]) -> np.ndarray:
        joined = np.concatenate(parts)
        more = -len(joined) % FLAT
        return np.concatenate([joined, np.zeros((more, *joined.shape[1:]), joined.dtype)])

    sent, received = (flat([pair[i] for pair in links]).astype(np.int32) for i in (0, 1))
    stored: Any = (  # NumPy until compiled
        flat(list(inputs)),
        sent,
        received,
        starts.astype(np.int32),
        counts.astype(np.int32),
    )
    return Store(*stored)


def gathered(
    store: Store | DenseBatch, graphs: Int[Array, "B"], limits: Limits
) -> GraphsTuple | DenseBatch:
    """Some graphs of a store as one batch; for use inside compiled code.

    Args:
        store: of `stored`, or a whole set as one `DenseBatch`.
        graphs: their places in the set, -1 for an empty place; together within the limits, as
            `drawn_batches` and `all_batches` see to.
        limits: the batch's shape, static.
    """
    there = graphs >= 0
    if isinstance(store, DenseBatch):
        rows = jax.tree.map(lambda part: jnp.asarray(part)[graphs], store)
        adjacency = jnp.where(there[:, None, None], rows.adjacency, 0).astype(jnp.float32)
        return rows._replace(adjacency=adjacency, mask=rows.mask & there[:, None])
    sizes = jnp.where(there[:, None], store.counts[graphs], 0)
    ends = jnp.cumsum(sizes, 0)

    def placed(kind: int, most: int) -> tuple[Array, Array, Array]:
        place = jnp.arange(most)
        owner = jnp.searchsorted(ends[:, kind], place, side="right")
        real = owner < len(graphs)
        owner = jnp.minimum(owner, len(graphs) - 1)
        within = place - (ends[owner, kind] - sizes[owner, kind])
        found = jnp.where(real, store.starts[graphs[owner], kind] + within, 0)
        return found, owner, real

    node, _, is_node = placed(0, limits.nodes)
    edge, owner, is_edge = placed(1, limits.edges)
    offset = ends[owner, 0] - sizes[owner, 0]
    counts = jnp.concatenate([sizes, jnp.array([[limits.nodes, limits.edges]]) - ends[-1:]])
    return GraphsTuple(
        nodes=jnp.where(is_node[:, None], store.nodes[node], 0),
        edges=is_edge.astype(jnp.float32),
        senders=jnp.where(is_edge, store.senders[edge] + offset, limits.nodes - 1),
        receivers=jnp.where(is_edge, store.receivers[edge] + offset, limits.nodes - 1),
        n_node=counts[:, 0],
        n_edge=counts[:, 1],
        globals=None,
    )


def sizes_of(graphs: GraphSet) -> Int64[np.ndarray, "G 2"]:
    """Nodes and edges, both ways, of each graph."""
    return np.array([[g.num_nodes, 2 * len(g.edges)] for g in graphs.graphs], np.int64)


def limits_for(graphs: GraphSet, batch: int, *, slack: float = 1.3) -> Limits:
    """A shape that holds nearly every batch of so many graphs.

    Args:
        graphs: the set.
        batch: graphs of a step.
        slack: over the mean; the largest graph is added to that.
    """
    sizes = sizes_of(graphs)
    wanted = slack * batch * sizes.mean(0) + sizes.max(0) + 1
    wanted = np.minimum(wanted, np.sort(sizes, 0)[-batch:].sum(0) + 1)
    nodes, edges = (ROUND * math.ceil(value / ROUND) for value in wanted)
    return Limits(batch, nodes, edges)


def drawn_batches(
    sizes: Int64[np.ndarray, "G 2"],
    among: Int64[np.ndarray, "k"],
    limits: Limits,
    *,
    generator: np.random.Generator,
    steps: int,
) -> Int[np.ndarray, "steps B"]:
    """For each step other graphs, drawn without replacement, within the limits.

    As GIN's public code does, each step draws anew, and an epoch is a number of steps. A graph that no
    longer fits into its batch is left out of it.

    Args:
        sizes: of all graphs.
        among: which graphs are drawn.
        limits: the batch's shape.
        generator: draws.
        steps: in all.

    Returns:
        Places of graphs, -1 where a place is empty, at a batch's end.

    Raises:
        ExperimentError: nothing to draw from.
    """
    if not len(among):
        raise ExperimentError("there are no graphs to draw batches from")
    found = np.full((steps, limits.graphs), -1, np.int32)
    for row in found:
        some = generator.permutation(among)[: limits.graphs]
        kept = _fitting(sizes[some], limits)
        row[: kept.sum()] = some[kept]
    return found


def all_batches(sizes: Int64[np.ndarray, "G 2"], limits: Limits) -> Int[np.ndarray, "b B"]:
    """Every graph once, in order, in as many batches as it takes.

    Raises:
        ExperimentError: one graph alone is beyond the limits.
    """
    rows: list[list[int]] = [[]]
    total = np.zeros(2, np.int64)
    room = np.array([limits.nodes - 1, limits.edges]) if limits.nodes else np.full(2, 2**62)
    for i, size in enumerate(sizes):
        if (size > room).any():
            raise ExperimentError(f"graph {i} alone, {size.tolist()}, is beyond {limits}")
        if len(rows[-1]) == limits.graphs or (total + size > room).any():
            rows.append([])
            total[:] = 0
        rows[-1].append(i)
        total += size
    # One more where batches are limited by sizes, so that noisy copies mostly need as many.
    number = max(len(rows), math.ceil(len(sizes) / limits.graphs) + bool(limits.nodes))
    found = np.full((number, limits.graphs), -1, np.int32)
    for row, listed in zip(found, rows, strict=False):
        row[: len(listed)] = listed
    return found


def _fitting(sizes: np.ndarray, limits: Limits) -> np.ndarray:
    if not limits.nodes:
        return np.ones(len(sizes), bool)
    room = np.array([limits.nodes - 1, limits.edges])
    if (sizes.sum(0) <= room).all():
        return np.ones(len(sizes), bool)
    kept, total = np.zeros(len(sizes), bool), np.zeros(2, np.int64)
    for i, size in enumerate(sizes):
        if (total + size <= room).all():
            kept[i] = True
            total += size
    return kept
