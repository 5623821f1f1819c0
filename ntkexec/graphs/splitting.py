"""Degree splitting: every node of too many neighbours becomes a tree of nodes of few.

A node of d > D neighbours becomes a tree of t = ceil((d-2)/(D-2)) nodes of degree at most D, the
fewest possible. What was an edge is an *outer* edge, between the trees of its ends, and keeps its
weight. The edges of the trees are *inner* edges, of weight 0. At D = 3, where t = d - 2, the split
graph of m edges has at most 2m nodes and whoever had no neighbour, and a tree has the depth
ceil(log2(d/3)), since 1 + 3(2^h - 1) nodes lie at a depth of at most h.

A node lists first the nodes below it in its own tree, then its outer edges, and last the node above
it. So a tree, walked from its root in the order of the ports, meets the neighbours in the order of
the original node's ports: what a node would choose first, a search through its tree finds first.
"""

import numbers
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int, Int64

from ntkexec.errors import GraphError, shown
from ntkexec.graphs.colouring.greedy import LARGEST_FIRST, PARALLEL, colour_edges
from ntkexec.graphs.graph import Graph, Loops, Names
from ntkexec.graphs.message_passing import graphs_tuple
from ntkexec.graphs.ports import in_neighbours
from ntkexec.graphs.tree_shapes import tree_shape
from ntkexec.program.fields import INVALID

LEAST_DEGREE = 3
# The greedy colouring, which saves a colour or two, takes microseconds a node.
MAX_GREEDY = 200_000
# What a port leads to, in the order of the ports.
BELOW, OUTER, ABOVE = range(3)


@dataclass(frozen=True, eq=False)
class SplitGraph:
    """A graph, and what it becomes as nodes of too many neighbours are split into trees.

    Attributes:
        original: the graph that was asked about, of n nodes; one or a batch.
        graph: what is executed on, of N nodes; of a batch as many graphs. It has `ports`, and weights:
            0 on inner edges, and on outer ones that of the original edge, or 1 if there is none. A
            root is called as its owner, the others of its tree with a number, such as `hub.1`; so two
            nodes may be called alike.
        most: D; no node has more neighbours.
        roots: the root of each original node's tree, in `graph`; shape (n,).
        owner: the original node that each node belongs to; shape (N,).
        outer: by port, whether it leads to another owner; shape (N, D).
        upper: by port, whether it leads to the node above in the same tree; shape (N, D).
        depth: h, most hops from a root to a node of its tree; 0 where nothing was split.
    """

    original: Graph
    graph: Graph
    most: int
    roots: Int[np.ndarray, "n"]
    owner: Int[np.ndarray, "N"]
    outer: Bool[np.ndarray, "N D"]
    upper: Bool[np.ndarray, "N D"]
    depth: int


def split(graph: Graph, degree: int = LEAST_DEGREE) -> SplitGraph:
    """Splits all nodes of more than `degree` neighbours.

    In a directed graph the neighbours of a node are those that it hears, by port, and then those
    that only hear it, by identifier; inner edges lead both ways. Dropped edges from a node to itself
    are the root's. One of negative weight takes a place in the tree, after the neighbours, and is
    the node's there, so that Bellman-Ford can put it back.

    A greedy two-hop colouring takes at most D^2 + 1 colours, 10 at D = 3: a node has at most D
    neighbours, and each of these at most D - 1 others.

    Args:
        graph: one graph or a batch.
        degree: D, at least 3. Where no node has as many neighbours it is the most that one has.

    Raises:
        GraphError: another degree.

    Example:
        >>> from ntkexec.graphs import load
        >>> star = split(load("star:7"))
        >>> star.graph.num_nodes, star.graph.degree, star.depth, star.graph.names[7:]
        (10, 3, 1, ('0.1', '0.2', '0.3'))
    """
    check_split_degree(degree)
    hanging = _Hanging.of(graph)
    # Tables have a column for each port, so a D that nobody has neighbours for comes down to who has most.
    degree = min(int(degree), max(LEAST_DEGREE, int(np.diff(hanging.starts).max())))
    trees = _Trees.of(graph, hanging, degree)
    num_nodes = len(trees.owner)
    told, heard = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    senders = np.concatenate([trees.home[hanging.find(heard, told)], trees.below, trees.above])
    receivers = np.concatenate([trees.home[hanging.find(told, heard)], trees.above, trees.below])
    kinds = np.repeat([OUTER, BELOW, ABOVE], [len(told), len(trees.below), len(trees.below)])
    # Of several nodes below, the one with the smallest number is the leftmost.
    ranks = np.concatenate([graph.edge_ports, trees.below, trees.above])
    weights = np.zeros(len(senders), np.int32)
    weights[: len(told)] = 1 if graph.tuple.edges is None else graph.tuple.edges
    linked = graphs_tuple(
        senders,
        receivers,
        num_nodes,
        edges={"weight": weights, "kind": kinds, "port": _ports(receivers, kinds, ranks)},
    )
    ports = linked.edges["port"]
    by_port = np.full((num_nodes, degree), -1)
    by_port[linked.receivers, ports] = linked.edges["kind"]
    strategy = LARGEST_FIRST if num_nodes <= MAX_GREEDY else PARALLEL
    colours = colour_edges(num_nodes, senders, receivers, strategy)
    member = np.repeat(np.arange(graph.num_graphs), graph.tuple.n_node)[trees.owner]
    is_edge = hanging.nodes != hanging.others
    met = np.concatenate([trees.home[is_edge], trees.below, trees.above])
    executed = Graph(
        tuple=linked._replace(
            edges=linked.edges["weight"],
            n_node=np.bincount(member, minlength=graph.num_graphs).astype(np.int32),
            n_edge=np.bincount(member[linked.receivers], minlength=graph.num_graphs).astype(
                np.int32
            ),
        ),
        names=_names(graph, trees),
        colours=colours,
        num_colours=int(colours.max()) + 1,
        degree=int(np.bincount(met, minlength=num_nodes).max()),
        directed=graph.directed,
        label=f"{graph.label} (split to degree {degree})",
        loops=_loops(graph, hanging, trees),
        ports=ports.astype(np.int32),
    )
    return SplitGraph(
        original=graph,
        graph=executed,
        most=degree,
        roots=trees.roots,
        owner=trees.owner,
        outer=by_port == OUTER,
        upper=by_port == ABOVE,
        depth=trees.depth,
    )


def check_split_degree(degree: object) -> None:
    """Raises GraphError unless it is a whole number of at least 3."""
    whole = isinstance(degree, numbers.Integral) and not isinstance(degree, bool)
    if not whole or degree < LEAST_DEGREE:  # type: ignore[operator]
        raise GraphError(
            f"the split degree is {shown(degree)}; a whole number of at least {LEAST_DEGREE} would fit, "
            "since nodes of degree 2 make no trees"
        )


def project_parents(split: SplitGraph, ports: Int[np.ndarray, "N"]) -> Int[np.ndarray, "n"]:
    """The original node that the choices lead to from each original node's root.

    Args:
        split: the graph and its trees.
        ports: the port that each node chose; -1 where it chose none.

    Returns:
        By original node the first other owner on the way. -1 where a node on the way chose none;
        `INVALID` where one chose several ports, or one without a neighbour, or where the way leads
        back up.
    """
    # A last column, for whatever is no port.
    neighbours = np.pad(
        in_neighbours(split.graph, split.most), ((0, 0), (0, 1)), constant_values=-1
    )
    outer = np.pad(split.outer, ((0, 0), (0, 1)))
    parents = np.full(len(split.roots), INVALID)
    walkers, at = np.arange(len(split.roots)), split.roots
    # Who only goes down has left the tree after one hop more than it is deep.
    for _ in range(split.depth + 1):
        chosen = ports[at]
        port = np.where((chosen < 0) | (chosen > split.most), split.most, chosen)
        reached, leaves = neighbours[at, port], outer[at, port]
        parents[walkers[chosen == -1]] = -1
        parents[walkers[leaves]] = split.owner[reached[leaves]]
        stays = (reached >= 0) & ~leaves
        walkers, at = walkers[stays], reached[stays]
    return parents


class _Hanging(NamedTuple):
    """What hangs on the original nodes, in the order of the nodes and of each node's neighbours.

    nodes: on which node; shape (a,).
    others: the neighbour, or the node itself; shape (a,).
    starts: where each node's begin, and the end of all; shape (n + 1,).
    keys: pairs as numbers, node * n + other, ascending; shape (a,).
    places: where each of these pairs lies; shape (a,).
    """

    nodes: Int64[np.ndarray, "a"]
    others: Int64[np.ndarray, "a"]
    starts: Int64[np.ndarray, "n_plus_1"]
    keys: Int64[np.ndarray, "a"]
    places: Int64[np.ndarray, "a"]

    @classmethod
    def of(cls, graph: Graph) -> "_Hanging":
        size = graph.num_nodes
        senders = np.asarray(graph.tuple.senders, np.int64)
        receivers = np.asarray(graph.tuple.receivers, np.int64)
        heard = receivers * size + senders
        pairs, ranks = [heard], [graph.edge_ports.astype(np.int64)]
        if graph.directed:
            # After all that are heard; a rank need not be the next number.
            told = np.setdiff1d(senders * size + receivers, heard, assume_unique=True)
            pairs.append(told)
            ranks.append(size + told % size)
        if graph.loops is not None:
            looped = graph.loops.negative.nodes.astype(np.int64)
            pairs.append(looped * (size + 1))
            ranks.append(np.full(len(looped), 2 * size))
        found = np.concatenate(pairs)
        found = found[np.lexsort((np.concatenate(ranks), found // size))]
        nodes, others = np.divmod(found, size)
        places = np.argsort(found)
        starts = np.searchsorted(nodes, np.arange(size + 1))
        return cls(nodes, others, starts, found[places], places)

    def find(
        self, others: Int[np.ndarray, "k"], nodes: Int[np.ndarray, "k"]
    ) -> Int64[np.ndarray, "k"]:
        """Where these neighbours hang on these nodes, as indices."""
        size = len(self.starts) - 1
        return self.places[np.searchsorted(self.keys, nodes.astype(np.int64) * size + others)]


class _Trees(NamedTuple):
    """The trees of all original nodes.

    roots: of each; shape (n,).
    owner: of each node; shape (N,).
    home: the node on which each of what hangs does; shape (a,).
    below: of each inner edge the node that is farther from the root; shape (i,).
    above: the other one; shape (i,).
    depth: of the deepest.
    """

    roots: Int64[np.ndarray, "n"]
    owner: Int64[np.ndarray, "N"]
    home: Int64[np.ndarray, "a"]
    below: Int64[np.ndarray, "i"]
    above: Int64[np.ndarray, "i"]
    depth: int

    @classmethod
    def of(cls, graph: Graph, hanging: _Hanging, degree: int) -> "_Trees":
        """Numbers the nodes: of every graph the roots, and then the others, tree by tree."""
        num_roots, degrees = graph.num_nodes, np.diff(hanging.starts)
        hubs = np.flatnonzero(degrees > degree)
        hubs = hubs[np.argsort(degrees[hubs], kind="stable")]
        groups = np.split(hubs, np.flatnonzero(np.diff(degrees[hubs])) + 1) if len(hubs) else []
        shapes = [tree_shape(int(degrees[group[0]]), degree) for group in groups]
        more = np.zeros(num_roots, np.int64)
        for group, shape in zip(groups, shapes, strict=True):
            more[group] = len(shape.up) - 1
        member = np.repeat(np.arange(graph.num_graphs), graph.tuple.n_node)
        so_far = np.cumsum(more) - more
        # Before a root lie the trees of earlier graphs; before the others all roots of its own too.
        ends = np.cumsum(graph.tuple.n_node, dtype=np.int64)
        roots = np.arange(num_roots) + so_far[ends - graph.tuple.n_node][member]
        first = ends[member] + so_far
        owner = np.zeros(num_roots + int(more.sum()), np.int64)
        owner[roots] = np.arange(num_roots)
        home = np.repeat(roots, degrees)
        below, above = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
        for group, shape in zip(groups, shapes, strict=True):
            others = first[group, None] + np.arange(len(shape.up) - 1)
            nodes = np.concatenate([roots[group, None], others], axis=1)
            owner[others] = group[:, None]
            home[hanging.starts[group, None] + np.arange(len(shape.home))] = nodes[:, shape.home]
            below.append(others.ravel())
            above.append(nodes[:, shape.up[1:]].ravel())
        depth = max((shape.depth for shape in shapes), default=0)
        return cls(roots, owner, home, np.concatenate(below), np.concatenate(above), depth)


def _ports(
    receivers: Int[np.ndarray, "e"], kinds: Int[np.ndarray, "e"], ranks: Int[np.ndarray, "e"]
) -> Int64[np.ndarray, "e"]:
    """The port of each edge at its receiver: by kind, and of one kind by rank."""
    order = np.lexsort((ranks, kinds, receivers))
    in_order = receivers[order]
    ports = np.empty(len(order), np.int64)
    ports[order] = np.arange(len(order)) - np.searchsorted(in_order, in_order)
    return ports


def _names(graph: Graph, trees: _Trees) -> Names:
    """A root is called as its owner, the others of its tree with a number from 1."""
    names = [graph.names[node] for node in trees.owner.tolist()]
    others = np.flatnonzero(trees.roots[trees.owner] != np.arange(len(names)))
    # Those of a tree follow each other.
    owners = trees.owner[others]
    ordinals = np.arange(len(others)) - np.searchsorted(owners, owners) + 1
    for node, number in zip(others.tolist(), ordinals.tolist(), strict=True):
        names[node] = f"{names[node]}.{number}"
    return tuple(names)


def _loops(graph: Graph, hanging: _Hanging, trees: _Trees) -> Loops | None:
    """The dropped loops: at the root, or at the place in the tree that one of negative weight has."""
    if graph.loops is None:
        return None
    nodes, weights = graph.loops.nodes.astype(np.int64), graph.loops.weights
    at = trees.roots[nodes]
    if weights is not None:
        negative = weights < 0
        at[negative] = trees.home[hanging.find(nodes[negative], nodes[negative])]
    order = np.argsort(at)
    return Loops(at[order].astype(np.int32), None if weights is None else weights[order])
