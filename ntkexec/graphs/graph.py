"""The graph that programs run on: arrays for the executor, names for people, colours for slots."""

import functools
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
from jaxtyping import Int32

from ntkexec.errors import GraphError, shown
from ntkexec.graphs import message_passing
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.graphs.nodes import find_node

Names = tuple[Hashable, ...]


@dataclass(frozen=True, eq=False)
class Loops:
    """Edges from nodes to themselves that a graph was given with and that were dropped.

    Attributes:
        nodes: indices of the nodes, ascending, each once; shape (l,).
        weights: the smallest of each node's loops, or None if no weights were read; shape (l,). One
            that is not negative may be rounded up.
    """

    nodes: Int32[np.ndarray, "l"]
    weights: Int32[np.ndarray, "l"] | None

    @property
    def negative(self) -> "Loops":
        """Those of negative weight, the only ones that a walk can gain by."""
        if self.weights is None:
            return Loops(self.nodes[:0], self.nodes[:0])
        kept = self.weights < 0
        return Loops(self.nodes[kept], self.weights[kept])


@dataclass(frozen=True, eq=False, repr=False)
class Graph:
    """One graph, or a batch of several side by side, with a two-hop colouring.

    A node's identifier is its index within its own graph; `names` remembers what it was called.
    Two graphs are equal only if they are the same object; compare their `to_networkx()`.

    Attributes:
        tuple: edges sorted by receiver; an undirected edge is two directed ones; `nodes` is None;
            `edges` holds one int32 weight per directed edge, shape (e,), or None.
        names: one name per node over the whole batch, shape (n,).
        colours: a two-hop colouring, shape (n,), numbered from 0.
        num_colours: colours in use, or the maximum of a batch.
        degree: largest number of distinct neighbours, in or out, that a node has.
        directed: whether edges have a direction.
        label: what to call the graph in titles and messages.
        loops: the edges from nodes to themselves that were dropped, or None if there were none.
        unread_weights: an attribute with numbers other than 1 that every edge has in a graph which was
            loaded without weights; None where there is none.
        ports: the port of its receiver at which each directed edge of `tuple` arrives, from 0 at every
            node, shape (e,); None where ports follow the neighbours' identifiers. See
            `ports.with_ports`.
    """

    tuple: GraphsTuple
    names: Names
    colours: Int32[np.ndarray, "n"]
    num_colours: int
    degree: int
    directed: bool
    label: str
    loops: Loops | None = None
    unread_weights: str | None = None
    ports: Int32[np.ndarray, "e"] | None = None

    @property
    def num_nodes(self) -> int:
        """Nodes over the whole batch."""
        return len(self.names)

    @property
    def num_graphs(self) -> int:
        """Graphs in the batch."""
        return len(self.tuple.n_node)

    @property
    def num_edges(self) -> int:
        """Edges over the whole batch, an undirected one counted once."""
        return len(self.tuple.senders) // (1 if self.directed else 2)

    @property
    def num_components(self) -> int:
        """Weakly connected components over the whole batch."""
        import scipy.sparse.csgraph  # here, so that importing the package stays light

        ends = (self.tuple.senders, self.tuple.receivers)
        adjacency = scipy.sparse.coo_array(
            (np.ones(len(ends[0]), bool), ends), shape=(self.num_nodes, self.num_nodes)
        )
        components, _ = scipy.sparse.csgraph.connected_components(adjacency, directed=False)
        return int(components)

    @property
    def weighted(self) -> bool:
        """Whether edges carry weights."""
        return self.tuple.edges is not None

    @functools.cached_property
    def in_degrees(self) -> Int32[np.ndarray, "n"]:
        """How many neighbours each node hears."""
        counts = np.bincount(np.asarray(self.tuple.receivers), minlength=self.num_nodes)
        return counts.astype(np.int32)

    @property
    def edge_ports(self) -> Int32[np.ndarray, "e"]:
        """The port of its receiver at which each directed edge of `tuple` arrives.

        The one place that says in which order a node's ports list its neighbours.
        """
        if self.ports is not None:
            return self.ports
        # Edges are sorted by receiver and then by sender, so the place in its block is the port.
        receivers = np.asarray(self.tuple.receivers)
        counts = self.in_degrees
        starts = np.cumsum(counts, dtype=np.int32) - counts
        return np.arange(len(receivers), dtype=np.int32) - np.repeat(starts, counts)

    def node_ranges(self) -> list[slice]:
        """For each graph of the batch, where its nodes lie."""
        ends = np.cumsum(self.tuple.n_node).tolist()
        return [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]

    def index(self, name: Hashable) -> int:
        """The identifier of a node of a single graph.

        Args:
            name: the node's name, or its text (`"3"` for 3), as from a command line. Names are
                not identifiers: in a graph on the nodes 1 to 34, `index(1)` is 0.

        Raises:
            GraphError: no node fits, or several; names what would.
        """
        self._check_single("index")
        return find_node(self.names, name, f"graph {shown(self.label)}")

    def to_networkx(self) -> nx.Graph:
        """A single graph in networkx, nodes in the order of identifiers, weights as "weight".

        The order of `ports` stays behind.

        Raises:
            GraphError: this is a batch.
        """
        self._check_single("to_networkx")
        graph: nx.Graph = nx.DiGraph() if self.directed else nx.Graph()
        graph.add_nodes_from(self.names)
        senders, receivers = np.asarray(self.tuple.senders), np.asarray(self.tuple.receivers)
        once = np.ones(len(senders), bool) if self.directed else senders < receivers
        first = [self.names[i] for i in senders[once].tolist()]
        second = [self.names[i] for i in receivers[once].tolist()]
        if self.weighted:
            weights = np.asarray(self.tuple.edges)[once].tolist()
            graph.add_weighted_edges_from(zip(first, second, weights, strict=True))
        else:
            graph.add_edges_from(zip(first, second, strict=True))
        return graph

    def _check_single(self, method: str) -> None:
        if self.num_graphs != 1:
            raise GraphError(
                f"{method} needs a single graph; {shown(self.label)} is a batch of {self.num_graphs}"
            )

    def __repr__(self) -> str:
        """The label and the sizes, not the arrays."""
        parts = [
            f"{self.num_graphs} graphs" if self.num_graphs != 1 else "",
            f"{self.num_nodes} nodes",
            f"{self.num_edges} {'directed ' if self.directed else ''}edges",
            "weighted" if self.weighted else "",
            f"degree {self.degree}",
            f"{self.num_colours} colours",
        ]
        return f"<Graph {self.label}: {', '.join(filter(None, parts))}>"


def batch(graphs: Sequence[Graph]) -> Graph:
    """The disjoint union of graphs, each keeping its own identifiers, names and colours.

    Args:
        graphs: one or more graphs, themselves batches perhaps; all directed or none, all weighted
            or none.

    Returns:
        One graph whose `num_colours` and `degree` are the maxima.

    Raises:
        GraphError: there is no graph, or two of them disagree; names both.
    """
    graphs = list(graphs)
    if not graphs:
        raise GraphError("a batch needs at least one graph; got none")
    first = graphs[0]
    for graph in graphs:
        if not isinstance(graph, Graph):
            raise GraphError(
                f"a batch takes ntkexec graphs (see from_networkx), not {type(graph).__name__}"
            )
        for property_ in ("directed", "weighted"):
            if getattr(graph, property_) != getattr(first, property_):
                yes, no = (first, graph) if getattr(first, property_) else (graph, first)
                raise GraphError(
                    f"a batch is {property_} as a whole or not at all: "
                    f"{shown(yes.label)} is and {shown(no.label)} is not"
                )
    union = message_passing.batch([graph.tuple for graph in graphs])
    more = f" + {len(graphs) - 3} more" if len(graphs) > 3 else ""
    return Graph(
        tuple=union,
        names=Names(name for graph in graphs for name in graph.names),
        colours=np.concatenate([graph.colours for graph in graphs]),
        num_colours=max(graph.num_colours for graph in graphs),
        degree=max(graph.degree for graph in graphs),
        directed=first.directed,
        label=" + ".join(graph.label for graph in graphs[:3]) + more,
        loops=_all_loops(graphs),
        unread_weights=next((g.unread_weights for g in graphs if g.unread_weights), None),
        ports=None
        if all(graph.ports is None for graph in graphs)
        else np.concatenate([graph.edge_ports for graph in graphs]),
    )


def _all_loops(graphs: Sequence[Graph]) -> Loops | None:
    """The dropped loops of all graphs, by index in the batch."""
    starts = np.cumsum([0, *(graph.num_nodes for graph in graphs)]).tolist()
    found = [
        (start, graph.loops)
        for start, graph in zip(starts, graphs, strict=False)
        if graph.loops is not None
    ]
    if not found:
        return None
    nodes = np.concatenate([loops.nodes + start for start, loops in found]).astype(np.int32)
    if not graphs[0].weighted:
        return Loops(nodes, None)
    weights = [
        np.zeros(len(loops.nodes), np.int32) if loops.weights is None else loops.weights
        for _, loops in found
    ]
    return Loops(nodes, np.concatenate(weights))
