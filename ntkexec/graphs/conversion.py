"""From networkx to the arrays that programs run on, and every rule a graph must keep on the way."""

import dataclasses
import itertools
import numbers
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING

import networkx as nx
import numpy as np
from jaxtyping import Int, Int32, Int64

from ntkexec.errors import GraphError, shown
from ntkexec.graphs.adjacency import NeighbourOrder, adjacency_ports, check_port_order
from ntkexec.graphs.colouring.greedy import check_colours, colour_edges
from ntkexec.graphs.graph import Graph, Loops
from ntkexec.graphs.message_passing import graphs_tuple
from ntkexec.graphs.nodes import ordered_nodes
from ntkexec.graphs.ports import with_ports
from ntkexec.graphs.weights import check_scale, unread_weights, weights_of
from ntkexec.vocabulary import PortOrder

if TYPE_CHECKING:
    import scipy.sparse


def from_networkx(
    graph: nx.Graph,
    *,
    weight: str | None = None,
    degree: int | None = None,
    strategy: str = "largest_first",
    label: str = "graph",
    self_loops: str = "refuse",
    weight_scale: int = 1,
    port_order: PortOrder | NeighbourOrder = "identifiers",
) -> Graph:
    """A networkx graph, checked and coloured, ready to run programs on.

    Identifiers follow the ascending order of the names, if they have one, and otherwise the order
    of insertion; "the neighbour with the smallest identifier" in a tie-break means this order.
    Parallel edges of a multigraph become one edge, with the smallest of their weights. Other node
    and edge attributes are left behind.

    Args:
        graph: a graph, directed or not, with at least one node.
        weight: edge attribute that holds the weights, integers or decimals, or None to ignore all
            weights.
        degree: bound on the number of distinct neighbours, in or out, that a program allows; None
            accepts any graph.
        strategy: how to colour, as in `two_hop_colouring`.
        label: what to call the graph in titles and messages.
        self_loops: "refuse" raises on an edge from a node to itself; "drop" leaves it out, and the
            graph remembers it as one of its `loops`.
        weight_scale: what weights are multiplied by to be whole: 10 for weights with one decimal. A
            float means its shortest decimal, 0.1 a tenth. Distances come out multiplied too.
        port_order: "identifiers" as above; "adjacency" as networkx walks: identifiers follow the order
            of insertion whatever the names, and a node's ports the order in which networkx lists its
            neighbours, in a directed graph its predecessors. Or a function that puts the names of a
            node's neighbours in another order, as networkx's `sort_neighbors`. See `Graph.ports`.

    Raises:
        GraphError: `graph` is not a networkx graph or has no nodes; a node has an edge to itself
            or more than `degree` neighbours; an edge's weight is missing, or times `weight_scale` not
            an integer in int32; an option is unknown.
    """
    if not isinstance(graph, nx.Graph):
        raise GraphError(f"{shown(label)} must be a networkx graph, not {type(graph).__name__}")
    if len(graph) == 0:
        raise GraphError(f"graph {shown(label)} has no nodes; it needs at least one")
    check_port_order(port_order)
    scale = check_scale(weight_scale)
    names = ordered_nodes(graph) if port_order == "identifiers" else list(graph)
    senders, receivers = endpoints(graph, names)
    is_dropped = senders == receivers if self_loops == "drop" else None
    weights = None if weight is None else weights_of(graph, weight, label, scale, is_dropped)
    converted = from_arrays(
        names,
        senders,
        receivers,
        weights=weights,
        directed=graph.is_directed(),
        degree=degree,
        strategy=strategy,
        label=label,
        self_loops=self_loops,
    )
    if port_order != "identifiers":
        order = port_order if callable(port_order) else None
        converted = with_ports(converted, adjacency_ports(graph, order, label))
    if weight is not None:
        return converted
    return dataclasses.replace(converted, unread_weights=unread_weights(graph))


def from_arrays(
    names: Sequence[Hashable],
    senders: Int[np.ndarray, "e"],
    receivers: Int[np.ndarray, "e"],
    *,
    weights: Int32[np.ndarray, "e"] | None = None,
    directed: bool = False,
    degree: int | None = None,
    strategy: str = "parallel",
    colours: Int[np.ndarray, "n"] | None = None,
    label: str = "graph",
    self_loops: str = "refuse",
) -> Graph:
    """A graph given by its edges, checked and coloured: the fast way for a million nodes.

    Args:
        names: one for each node, by identifier; `range(n)` will do.
        senders: identifiers of one end of each edge. An undirected edge is given once, or several
            times in any direction.
        receivers: the other ends; if directed, where the edges lead.
        weights: of each edge, or None; of parallel edges the smallest counts.
        directed: whether edges have a direction.
        degree: as in `from_networkx`.
        strategy: as in `from_networkx`.
        colours: a two-hop colouring to use instead, numbered from 0.
        label: as in `from_networkx`.
        self_loops: as in `from_networkx`.

    Raises:
        GraphError: as in `from_networkx`; or arrays that do not match, ends that are no nodes.
        ColouringError: `colours` is no two-hop colouring.

    Example:
        >>> from_arrays(range(3), np.array([0, 1]), np.array([1, 2]), label="path").num_colours
        3
    """
    if self_loops not in ("refuse", "drop"):
        raise GraphError(f"self_loops is {shown(self_loops)}; it must be 'refuse' or 'drop'")
    if degree is not None and (
        isinstance(degree, bool) or not isinstance(degree, numbers.Integral)
    ):
        raise GraphError(f"degree is {shown(degree)}; it must be an integer or None")
    if degree is not None and degree < 0:
        raise GraphError(f"degree is {degree}; a bound on neighbours is at least 0")
    if len(names) == 0:
        raise GraphError(f"graph {shown(label)} has no nodes; it needs at least one")
    _check_ends(len(names), senders, receivers, weights, label)
    is_loop = senders == receivers
    loops = None
    if is_loop.any():
        if self_loops == "refuse":
            raise GraphError(
                f"node {shown(names[senders[is_loop.argmax()]])} of graph {shown(label)} has an edge "
                f"to itself; self_loops='drop' leaves such edges out"
            )
        loops = _loops(senders[is_loop], None if weights is None else weights[is_loop])
        senders, receivers = senders[~is_loop], receivers[~is_loop]
        weights = None if weights is None else weights[~is_loop]

    low, high = np.minimum(senders, receivers), np.maximum(senders, receivers)
    largest = _check_degree(names, low, high, degree, label)
    if not directed:
        senders, receivers, weights = _merge_parallel(low, high, len(names), weights)
        senders, receivers = np.append(senders, receivers), np.append(receivers, senders)
        weights = None if weights is None else np.append(weights, weights)
    else:
        senders, receivers, weights = _merge_parallel(senders, receivers, len(names), weights)

    if colours is None:
        colours = colour_edges(len(names), senders, receivers, strategy)
    else:
        check_colours(len(names), senders, receivers, colours)
    return Graph(
        tuple=graphs_tuple(senders, receivers, len(names), edges=weights),
        names=tuple(names),
        colours=np.asarray(colours, np.int32),
        num_colours=int(colours.max()) + 1,
        degree=largest,
        directed=directed,
        label=label,
        loops=loops,
    )


def _check_ends(
    num_nodes: int,
    senders: np.ndarray,
    receivers: np.ndarray,
    weights: np.ndarray | None,
    label: str,
) -> None:
    """Raises GraphError unless the arrays match and every end is a node."""
    lengths = {len(array) for array in (senders, receivers, weights) if array is not None}
    if len(lengths) > 1:
        raise GraphError(f"graph {shown(label)}: arrays of {sorted(lengths)} entries do not match")
    for array in (senders, receivers):
        outside = (array < 0) | (array >= num_nodes)
        if outside.any():
            raise GraphError(
                f"an edge of graph {shown(label)} ends in {int(array[outside][0])}; its nodes are 0 to "
                f"{num_nodes - 1}"
            )


def from_sparse(
    matrix: "scipy.sparse.sparray | scipy.sparse.spmatrix", *, label: str = "graph"
) -> Graph:
    """The undirected graph of a symmetric sparse matrix, every nonzero off the diagonal an edge.

    Args:
        matrix: square and symmetric in its pattern; the values do not matter.
        label: what to call the graph.

    Raises:
        GraphError: the matrix is not square, or not symmetric, has entries on the diagonal, or stores
            zeros.
    """
    if matrix.shape[0] != matrix.shape[1]:
        raise GraphError(f"matrix {shown(label)} has shape {matrix.shape}; it must be square")
    entries = matrix.tocoo()
    if matrix.format not in ("bsr", "dia") and not entries.data.all():
        raise GraphError(
            f"matrix {shown(label)} stores zeros, which are edges to some and none to others; "
            f"eliminate_zeros() leaves them out"
        )
    pattern = (matrix != 0).tocoo()
    if (pattern != pattern.T).nnz:
        raise GraphError(f"matrix {shown(label)} is not symmetric; use from_arrays(directed=True)")
    rows, columns = (np.asarray(axis, np.int64) for axis in (pattern.row, pattern.col))
    return from_arrays(range(matrix.shape[0]), rows, columns, label=label)


def endpoints(
    graph: nx.Graph, names: Sequence[Hashable]
) -> tuple[Int64[np.ndarray, "e"], Int64[np.ndarray, "e"]]:
    """The identifiers of each edge's ends, in the order of `graph.edges`."""
    index = {name: i for i, name in enumerate(names)}
    flat = itertools.chain.from_iterable(graph.edges())
    ends = np.fromiter(map(index.__getitem__, flat), np.int64)
    return ends[::2], ends[1::2]


def _loops(nodes: Int64[np.ndarray, "l"], weights: Int32[np.ndarray, "l"] | None) -> Loops:
    """Each node with a loop once, with the smallest weight of those that it has."""
    order = np.argsort(nodes) if weights is None else np.lexsort((weights, nodes))
    kept = order[np.append(True, np.diff(nodes[order]) > 0)]
    return Loops(
        nodes[kept].astype(np.int32), None if weights is None else weights[kept].astype(np.int32)
    )


def _check_degree(
    names: Sequence[Hashable],
    low: Int64[np.ndarray, "e"],
    high: Int64[np.ndarray, "e"],
    bound: int | None,
    label: str,
) -> int:
    """The largest number of distinct neighbours.

    Raises:
        GraphError: names the node that has most, if they exceed the bound.
    """
    num_nodes = len(names)
    # Sorted rather than np.unique, whose hash table is 100 times slower on millions of edges.
    edges = np.sort(low * num_nodes + high)
    edges = edges[np.append(True, np.diff(edges) > 0)[: len(edges)]]
    degrees = np.bincount(np.append(edges // num_nodes, edges % num_nodes), minlength=num_nodes)
    node = int(degrees.argmax())
    largest = int(degrees[node])
    if bound is not None and largest > bound:
        raise GraphError(
            f"node {shown(names[node])} of graph {shown(label)} has degree {largest}, above the bound "
            f"{bound}; degree={largest} would fit"
        )
    return largest


def _merge_parallel(
    senders: Int64[np.ndarray, "e"],
    receivers: Int64[np.ndarray, "e"],
    num_nodes: int,
    weights: Int32[np.ndarray, "e"] | None,
) -> tuple[Int64[np.ndarray, "u"], Int64[np.ndarray, "u"], Int32[np.ndarray, "u"] | None]:
    """Each edge once, with the smallest of its weights."""
    edges = senders * num_nodes + receivers
    order = np.argsort(edges) if weights is None else np.lexsort((weights, edges))
    kept = order[np.append(True, np.diff(edges[order]) > 0)[: len(order)]]
    return senders[kept], receivers[kept], None if weights is None else weights[kept]
