"""Depth-first search of all components one after the other: where it starts, and one clock for all.

No message passes between components, so the time at which a component's turn comes is part of the
input: its nodes begin to count there. All components are searched at the same time.
"""

import dataclasses
from collections.abc import Hashable

import numpy as np
from jaxtyping import Int

from ntkexec.errors import GraphError
from ntkexec.graphs import Graph
from ntkexec.graphs.ports import port_order
from ntkexec.programs import inputs
from ntkexec.programs.instance import Answer, Instance
from ntkexec.programs.reference import dfs as reference


def clock(graph: Graph) -> tuple[list[int], Int[np.ndarray, "n"]]:
    """Where the searches of all components start, and the time used before, by node.

    Components are numbered by their smallest nodes; every graph of a batch has its own clock.

    Raises:
        GraphError: a graph without nodes.
    """
    from scipy.sparse import csgraph  # here, since its import takes a quarter of a second

    if graph.num_nodes == 0:
        raise GraphError("a search needs at least one node")
    _, component = csgraph.connected_components(inputs.adjacency(graph), directed=False)
    _, sources, members, count = np.unique(
        component, return_index=True, return_inverse=True, return_counts=True
    )
    order = np.argsort(sources)
    earlier = np.zeros(len(order), int)
    earlier[order] = np.cumsum(count[order]) - count[order]
    member = np.repeat(np.arange(graph.num_graphs), graph.tuple.n_node)
    starts = np.cumsum(graph.tuple.n_node) - graph.tuple.n_node
    return sources.tolist(), 2 * (earlier[members] - starts[member])


def with_one_clock(single: Instance, offset: Int[np.ndarray, "k"]) -> Instance:
    """The same searches with one clock for every graph.

    Args:
        single: a source in every component.
        offset: the time used before, by node of the executed graph.
    """
    layout, graph = single.program.layout, single.graph
    fields = dict(layout.unpack(single.initial))
    return dataclasses.replace(
        single,
        initial=layout.pack(len(single.initial), fields | {"finish": 1 + offset}),
        inputs={},
        reference=lambda: _expected(graph),
    )


def _expected(graph: Graph) -> Answer:
    edges, order = inputs.index_graph(graph), port_order(graph)
    by_node: dict[Hashable, dict[str, Hashable]] = {}
    for part in graph.node_ranges():
        own = edges.subgraph(range(part.start, part.stop))
        by_node |= reference.expected_forest(own, order=order)
    return inputs.as_columns(by_node)
