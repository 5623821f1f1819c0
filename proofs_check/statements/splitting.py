"""Bounded degree is no restriction: what a graph becomes in trees of degree 3, and what that costs."""

import functools
import math
from collections.abc import Callable, Iterator

import networkx as nx
import numpy as np

from ntkexec import executor, graphs, pipeline
from ntkexec.check import Check, Measurement, Scale
from ntkexec.graphs import Graph, SplitGraph
from ntkexec.graphs.ports import in_neighbours
from ntkexec.programs.graph import bfs_split, flooding_split
from ntkexec.programs.graph.floods import Message
from ntkexec.programs.instance import Instance

SEED = 20_611
SOURCE = "docs/any-graph.md"
NUMBER: dict[Scale, int] = {"quick": 30, "standard": 200, "full": 1000}


def some_graphs(scale: Scale) -> Iterator[nx.Graph]:
    """Random graphs, sparse and dense, and with hubs; a star, a complete graph, no edges."""
    yield from (nx.star_graph(40), nx.complete_graph(11), nx.empty_graph(4))
    rng = np.random.default_rng(SEED)
    for number in range(NUMBER[scale]):
        size, seed = int(rng.integers(4, 24)), int(rng.integers(2**31))
        if number % 3 == 0:
            yield nx.barabasi_albert_graph(size, int(rng.integers(1, 4)), seed=seed)
        else:
            yield nx.gnp_random_graph(size, float(rng.random()), seed=seed)


@functools.cache
def some_parts(scale: Scale) -> tuple[SplitGraph, ...]:
    """The same, split to degree 3."""
    return tuple(graphs.split(graphs.from_networkx(graph), 3) for graph in some_graphs(scale))


def measure_size(
    scale: Scale,
    most: Callable[[int, int], float] = lambda edges, isolated: 2 * edges + isolated,
    depth: Callable[[int], int] = lambda degree: max(0, math.ceil(math.log2(degree / 3))),
) -> Measurement:
    """Graphs of more nodes, depth, neighbours or slots than is claimed.

    Args:
        scale: which graphs.
        most: nodes of the split graph, by edges and isolated nodes of the original.
        depth: of the tree of a node, by its degree.
    """
    wrong, largest = 0, 0.0
    for parts in some_parts(scale):
        graph, split = parts.original, parts.graph
        degrees = np.bincount(graph.tuple.receivers, minlength=graph.num_nodes)
        isolated = int((degrees == 0).sum())
        fits = split.num_nodes <= most(graph.num_edges, isolated)
        fits &= split.degree <= 3 and split.num_colours <= 10
        fits &= parts.depth == max(depth(max(1, degree)) for degree in degrees.tolist())
        wrong += not fits
        if graph.num_edges:
            largest = max(largest, (split.num_nodes - isolated) / graph.num_edges)
    return Measurement(wrong, details={"largest nodes an edge": largest})


def measure_order(
    scale: Scale, listed: Callable[[SplitGraph], np.ndarray] | None = None
) -> Measurement:
    """Original nodes whose tree, walked in the order of ports, meets neighbours in another order.

    Args:
        scale: which graphs.
        listed: gives the neighbours by port in another order, for counter-cases.
    """
    wrong, nodes = 0, 0
    for parts in some_parts(scale):
        near = in_neighbours(parts.graph, 3) if listed is None else listed(parts)
        original = in_neighbours(parts.original, max(1, parts.original.degree))
        for node, root in enumerate(parts.roots.tolist()):
            met = list(_walk(parts, near, root))
            wrong += met != [other for other in original[node].tolist() if other >= 0]
            nodes += 1
    return Measurement(wrong, details={"nodes": nodes})


def _walk(parts: SplitGraph, near: np.ndarray, node: int, above: int = -1) -> Iterator[int]:
    """The other owners that a walk through a tree meets, from left to right."""
    for other in near[node].tolist():
        if other < 0 or other == above:
            continue
        if parts.owner[other] != parts.owner[node]:
            yield int(parts.owner[other])
        else:
            yield from _walk(parts, near, other, node)


def by_number(parts: SplitGraph) -> np.ndarray:
    """The neighbours of each node in the order of their numbers, as in graphs without ports."""
    near = in_neighbours(parts.graph, 3)
    last = parts.graph.num_nodes
    found = np.sort(np.where(near < 0, last, near), axis=1)
    return np.where(found == last, -1, found)


@functools.cache
def instances(scale: Scale) -> tuple[Instance, ...]:
    """BFS and flooding on all graphs as a batch, from the last node of each."""
    batch: Graph = graphs.batch([parts.original for parts in some_parts(scale)])
    sources = [part.stop - 1 for part in batch.node_ranges()]
    parts = graphs.split(batch, 3)
    return (
        bfs_split.instance(parts, sources=sources),
        flooding_split.instance(parts, sources=sources, message=Message.parse("1011")),
    )


def measure_steps(scale: Scale, hops: Callable[[int], int] = lambda h: 2 * h + 1) -> Measurement:
    """Original nodes whose answer is not the reference's after so many steps.

    Args:
        scale: which graphs.
        hops: by depth, of two steps each, that a level takes.
    """
    wrong, nodes, details = 0, 0, {}
    for instance in instances(scale):
        assert instance.split is not None
        depth = instance.split.depth
        rounds = instance.num_steps // bfs_split.steps_per_level(depth)
        last = instance.num_steps - bfs_split.steps_per_level(depth) * rounds
        certificate = pipeline.certify(instance.program, num_decisions=1)
        execution = executor.execute(
            pipeline.make_engine("kernel", certificate),
            instance.program,
            instance.graphs,
            num_steps=bfs_split.STEPS_PER_HOP * hops(depth) * rounds + last,
            verify=False,
        )
        answer, expected = instance.decode(execution.states), instance.reference()
        differs = np.any([answer[field] != expected[field] for field in expected], axis=0)
        wrong += int(differs.sum())
        nodes += instance.graph.num_nodes
        details[instance.program.name] = execution.steps
    return Measurement(wrong, details={"nodes": nodes} | details)


CHECKS = (
    Check(
        name="split-size",
        claim="split to degree 3, m edges make at most 2m nodes beside isolated ones, a hub of degree d a "
        "tree of depth ceil(log2(d/3)), and 10 slots are enough",
        formula=r"N \le 2m + n_0, \quad h = \lceil \log_2(d/3) \rceil",
        source=SOURCE,
        how="graphs of another depth, or of more nodes, neighbours or slots: stars, random ones, hubs",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_size,
        broken=functools.partial(
            measure_size, depth=lambda d: max(0, math.floor(math.log2(d / 3)))
        ),
    ),
    Check(
        name="split-order",
        claim="a walk through the tree of a node meets its neighbours in the order of its ports",
        source=SOURCE,
        how="nodes whose tree meets them in another order, over the same graphs",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_order,
        broken=functools.partial(measure_order, listed=by_number),
    ),
    Check(
        name="split-steps",
        claim="BFS and flooding on split graphs give every original node the reference's answer, in 2h + 1 "
        "times the steps of a level",
        formula=r"T_{\text{flood}} = 2(2h + 1)\,\text{ecc}, \quad T_{\text{BFS}} = 2(2h + 1)\,\text{ecc} + 1",
        source=SOURCE,
        how="nodes that differ after so many steps, executed in the mean; the counter-case has 2h",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_steps,
        broken=functools.partial(measure_steps, hops=lambda h: 2 * h),
    ),
)
