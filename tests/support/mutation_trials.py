"""Small graphs on which mutants of the searches run, and what must be true of them when."""

import dataclasses

import networkx as nx
import numpy as np
from support import mutation
from support.tours import halting_step

from ntkexec import graphs
from ntkexec.programs.graph import bellman_ford, bfs, bfs_queue, dfs

# Codes of 7 colours use all values of 3 bits but the one that means none.
SIZES = {"degree": 3, "slots": 7}


def random_cases(seed, number, max_nodes, *, min_nodes=1):
    """Graphs with a source each, of degree up to 3; every fourth need not be connected."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        n = int(rng.integers(min_nodes, max_nodes + 1))
        graph = graphs.generators.samplers.random_bounded(
            n, SIZES["degree"], rng, connected=n < 2 or index % 4 > 0
        )
        yield graph, int(rng.integers(n))


def recoloured_batch(cases, seed):
    """One graph of all cases, without those that need more slots; and the cases, renumbered.

    Colours are permuted, so that every port meets every slot.
    """
    rng = np.random.default_rng(seed)
    parts, kept, start = [], [], 0
    for graph, source in cases:
        weight = "weight" if nx.get_edge_attributes(graph, "weight") else None
        part = graphs.from_networkx(graph, weight=weight)
        if part.num_colours <= SIZES["slots"]:
            colours = rng.permutation(SIZES["slots"]).astype(np.int32)[part.colours]
            parts.append(dataclasses.replace(part, colours=colours))
            shift = start
            kept.append((nx.relabel_nodes(graph, lambda node, s=shift: node + s), start + source))
            start += len(graph)
    return graphs.batch(parts), kept


def sources_of(cases):
    return [source for _, source in cases]


def long_cases(number, length, seed):
    """Paths from one of their ends, as they are, with a cycle of 5 at the other, or with a leaf.

    Identifiers are in random order.
    """
    rng = np.random.default_rng(seed)
    for index in range(number):
        order = rng.permutation(length).tolist()
        graph = nx.empty_graph(length)
        nx.add_path(graph, order[:-1] if index % 3 == 2 else order)
        if index % 3 == 1:
            graph.add_edge(order[-1], order[-5])
        if index % 3 == 2:
            graph.add_edge(order[-1], order[rng.integers(1, length - 2)])
        yield graph, order[0]


def weighted(cases, seed):
    """Each direction of an edge with a weight of its own; negative ones, but no negative cycle.

    Every tenth graph has any small weights, and perhaps a negative cycle.
    """
    rng = np.random.default_rng(seed)
    for index, (graph, source) in enumerate(cases):
        height = rng.integers(0, 17, len(graph))
        arcs = nx.DiGraph()
        arcs.add_nodes_from(graph)
        for u, v in graph.to_directed().edges:
            rise = height[u] - height[v] if index % 10 else -1
            arcs.add_edge(u, v, weight=int(rng.integers(0, 3) + rise))
        if arcs.edges:
            yield arcs, source


def searched(cases):
    """Nodes of every connected component, its graph, and its source or None."""
    for graph, source in cases:
        for nodes in nx.connected_components(graph):
            yield sorted(nodes), graph.subgraph(nodes), source if source in nodes else None


def trial(module, batch, cases, word, moments, due):
    """What must be true of a search that says when it ends: `due`, None if it never does."""
    instance = module.instance(batch, sources=sources_of(cases), sizes=SIZES | {"word": word})
    ready, halts = np.zeros(batch.num_nodes, int), []
    for nodes, graph, source in searched(cases):
        halt = due(graph, source)
        ready[nodes] = halt or 0
        halts.append((nodes, halt))
    end = int(ready.max())
    return mutation.Trial(instance, moments(end), ready, tuple(halts))


def bfs_trial(number, seed):
    long = long_cases(number // 3 + 1, 8, seed)
    batch, cases = recoloured_batch([*random_cases(seed, number, 7), *long], seed)
    instance = bfs.instance(batch, sources=sources_of(cases), sizes=SIZES | {"word": 3})
    ready = np.zeros(batch.num_nodes, int)
    for graph, source in cases:
        hops = nx.single_source_shortest_path_length(graph, source)
        ready[list(graph)] = bfs.num_steps(max(hops.values()))
    end = instance.num_steps
    return mutation.Trial(instance, (*range(1, end + 1), end + 3), ready)


def bfs_queue_trial(number, seed):
    long = long_cases(number // 3 + 1, 7, seed)
    batch, cases = recoloured_batch([*random_cases(seed, number, 7), *long], seed)
    return trial(
        bfs_queue,
        batch,
        cases,
        3,
        lambda end: (end // 16, end // 8, end // 4, end // 2, end, end + 4),
        lambda graph, source: 0 if source is None else halting_step(graph, source),
    )


def dfs_trial(number, seed):
    long = long_cases(number // 3 + 1, 7, seed)
    batch, cases = recoloured_batch([*random_cases(seed, number, 7), *long], seed)

    def due(graph, source):
        return None if source is None else dfs.num_steps(len(graph), nx.eccentricity(graph, source))

    return trial(dfs, batch, cases, 4, lambda end: (end // 4, end // 2, end, end + 3), due)


def bellman_ford_trial(number, seed):
    # A longer path, that the others have rounds to spare.
    long = [*long_cases(number // 3 + 1, 6, seed), *long_cases(1, 7, seed)]
    # Sets the smallest sum, whose bits are those of the distance that every source has stored.
    deep = nx.DiGraph()
    deep.add_weighted_edges_from([(0, 1, -21), (1, 0, 22)])
    drawn = weighted([*random_cases(seed, number, 6), *long], seed)
    batch, cases = recoloured_batch([*drawn, (deep, 0)], seed)
    instance = bellman_ford.instance(batch, sources=sources_of(cases), sizes=SIZES | {"word": 6})
    length = instance.program.round_length
    ready = np.zeros(batch.num_nodes, int)
    for graph, _ in cases:
        ready[list(graph)] = len(graph) * length
    return mutation.Trial(instance, tuple(range(length, instance.num_steps + 1, length)), ready)
