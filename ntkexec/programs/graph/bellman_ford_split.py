"""Bellman-Ford on a graph whose nodes were split into trees: the same program, the same answer.

The program is `bellman_ford.program`, unchanged. What makes its answer that of the unsplit graph,
ties included, are the weights and how a parent is read. With b such that 2^b exceeds the hops of
every shortest walk, an outer edge of weight w weighs

    W = w 2^b + 1, and an inner edge 0.

**Distances.** A walk through the split graph passes from tree to tree as a walk of the original, and
every walk of the original is one of the split graph, since a tree hangs together both ways. Its W is
w 2^b + hops. Let d be a node's distance and h the fewest hops of a walk that weighs d. Any other walk
weighs d and has at least h hops, or weighs d + 1 or more, and 2^b > h. So all nodes of a tree end at
d 2^b + h: lighter walks first, fewer hops among them second.

**Cycles.** A cycle of the original that weighs 0 or more has W > 0, so none is free, and going around
one gains nothing. A simple one that weighs less than 0 has W <= -2^b + hops, below 0 if 2^b exceeds
the number of nodes, which b makes sure of where there is one. Inner edges form cycles of 0. They lower
no distance.

**Parents.** The reference's parent of v is the neighbour u whose sum, in the last round in which v's
distance fell, was the smallest, and of several the first by port. Distances after k rounds are those
over walks of at most k hops. So that round is h(v), and u is the first neighbour by port with

    d(u) + w = d(v) and h(u) + 1 = h(v).

In W this is one equation, D(u) + W = D(v): the two differ by less than 2^b in their hops. Every node
of a tree keeps, for each of its ports, the sum that it met there last. v's parent is read off its tree:
the neighbour at the first outer port, in the order of the leaves, whose sum equals the distance. A
source has none: a walk that leaves it and comes back has W > 0. Parents lead to the sources, since
h falls by one at each.

The program's own field `parent`, from the root on, leads to such a neighbour as well. Of several it
takes the one whose sum came up the tree first, and that depends on how deep its leaf lies.

**Rounds.** A walk of fewest hops has at most n - 1 of them, and passes through as many trees, in each
along at most 2 depth inner edges. A simple walk has fewer edges than there are nodes. So after the
smaller of (n - 1)(2 depth + 1) and N - 1 rounds nothing falls any more, and what falls in the round
after it falls along a negative cycle.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool, Int

from ntkexec.graphs import Graph
from ntkexec.graphs.ports import in_neighbours, port_slots
from ntkexec.graphs.splitting import SplitGraph
from ntkexec.language import initial_states
from ntkexec.program.program import Program
from ntkexec.programs import inputs, splits
from ntkexec.programs.graph import bellman_ford
from ntkexec.programs.graph.relaxing import by_port, relax, weights_of
from ntkexec.programs.instance import Answer, Instance
from ntkexec.programs.reference import NONE


def prepare(split: SplitGraph, **options: Any) -> Instance:  # those of splits.from_sources
    """As `bellman_ford.prepare`, on a split graph; sources are nodes of the original by name."""
    bellman_ford.say_unread_weights(split.original)
    return splits.from_sources(instance, split, **options)


def instance(
    split: SplitGraph, *, sources: Sequence[int], sizes: Mapping[str, int] | None = None
) -> Instance:
    """Bellman-Ford on a split graph, or on every graph of a split batch at once.

    Args:
        split: where; see `bellman_ford.instance` for weights and for edges from a node to itself.
        sources: indices of the sources in the original graph, over the whole batch.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, or an unknown one.
        ProgramError: the graph, or a sum that occurs on it, does not fit the given sizes.
    """
    original, graph = split.original, split.graph
    inputs.check_sources(original, sources)
    whole = bellman_ford.with_negative_loops(original)
    hops = relax(whole, weights_of(whole), sources, rounds=bellman_ford.num_rounds(original)).rounds
    hop_bits = inputs.bits_for(hops)
    heard = bellman_ford.with_negative_loops(graph)
    weights = with_hops(split, heard, hop_bits)
    rounds = num_rounds(split)
    is_source = np.isin(split.owner, sources)
    sums = relax(heard, weights, np.flatnonzero(is_source).tolist(), rounds=rounds)
    needed = {
        "degree": heard.degree,
        "slots": graph.num_colours,
        "word": inputs.bits_for(sums.high - sums.low),
    }
    sizes = inputs.sizes_for(graph, needed, sizes)
    program = bellman_ford.program(**sizes)
    num_ports = max(1, sizes["degree"])
    values = {
        "colour": graph.colours,
        "port.slot": port_slots(heard, num_ports),
        "edge.weight": by_port(heard, weights, num_ports) % (1 << sizes["word"]),
        "reached": is_source,
        "distance": np.where(is_source, -sums.low, 0),
    }
    return Instance(
        sizes=sizes,
        program=program,
        graph=original,
        split=split,
        slowdown=2 * split.depth + 1,
        slowdown_in="rounds",
        initial=initial_states(program, graph.num_nodes, values),
        num_steps=bellman_ford.num_steps(rounds=rounds, word=sizes["word"]),
        inputs={"sources": [original.names[s] for s in sources]},
        decode=functools.partial(answer, program, split, sums.low, hop_bits),
        reference=functools.partial(bellman_ford.expected, original, sources),
        formats={"parent": lambda node: original.names[node], "negative_cycle": bool},
        colour_by="distance",
        shown_where={"distance": "reached"},
        signed=frozenset({"distance"}),
        until="fixed-point",
    )


def with_hops(split: SplitGraph, heard: Graph, hop_bits: int) -> Int[np.ndarray, "e"]:
    """W of the module, for each directed edge: w 2^hop_bits + 1 on outer ones, 0 on inner ones.

    Args:
        split: the graph and its trees.
        heard: `split.graph`, perhaps with edges from nodes to themselves, which are no inner ones.
        hop_bits: b.
    """
    senders, receivers = np.asarray(heard.tuple.senders), np.asarray(heard.tuple.receivers)
    is_inner = (split.owner[senders] == split.owner[receivers]) & (senders != receivers)
    return np.where(is_inner, 0, (weights_of(heard) << hop_bits) + 1)


def num_rounds(split: SplitGraph) -> int:
    """Rounds after which only a negative cycle lets a distance fall, and one to see it."""
    nodes, split_nodes = split.original.tuple.n_node, split.graph.tuple.n_node
    through_trees = (np.asarray(nodes, int) - 1) * (2 * split.depth + 1) + 1
    return int(np.minimum(through_trees, split_nodes).max())


def answer(
    bellman_ford_program: Program,
    split: SplitGraph,
    low: int,
    hop_bits: int,
    states: Bool[np.ndarray, "N k"],
) -> Answer:
    """`distance`, `parent` (an index) and `negative_cycle` of the original's nodes.

    As `bellman_ford.answer`, of distances that are worth d 2^hop_bits and hops; parents are read as
    the module says.
    """
    fields = bellman_ford_program.layout.unpack(states, strict=False)
    reached, distance = fields["reached"], fields["distance"].astype(np.int64)
    graph = split.graph
    member = np.repeat(np.arange(graph.num_graphs), graph.tuple.n_node)
    falling = np.bincount(member, weights=fields["improved"], minlength=graph.num_graphs) > 0
    cycle = falling[member][split.roots]
    at_ports = in_neighbours(graph, split.most)
    kept = fields["sum.kept"].astype(np.int64)[:, : split.most]
    at_ports = at_ports[:, : kept.shape[1]]
    is_tight = (at_ports >= 0) & reached[:, None] & reached[np.maximum(at_ports, 0)]
    is_tight &= (kept == distance[:, None]) & split.outer[:, : kept.shape[1]]
    whole = (distance[split.roots] + low) >> hop_bits
    return {
        "distance": np.where(reached[split.roots] & ~cycle, whole, NONE),
        "parent": np.where(cycle, -1, first_neighbours(split, is_tight)),
        "negative_cycle": cycle.astype(int),
    }


def first_neighbours(split: SplitGraph, is_marked: Bool[np.ndarray, "N d"]) -> Int[np.ndarray, "n"]:
    """Of each original node the first neighbour, by its ports, at an outer port that is marked.

    Args:
        split: the graph and its trees.
        is_marked: by port of the split graph; only outer ones may be.

    Returns:
        Indices of the original; -1 where no port is marked.
    """
    nodes, ports = np.nonzero(is_marked)
    owner = split.owner[nodes]
    other = split.owner[in_neighbours(split.graph, split.most)[nodes, ports]]
    size = split.original.num_nodes
    # The edges of a graph are sorted by receiver and then by sender.
    arcs = split.original.tuple
    keys = np.asarray(arcs.receivers, np.int64) * size + np.asarray(arcs.senders)
    port = split.original.edge_ports[np.searchsorted(keys, owner.astype(np.int64) * size + other)]
    order = np.lexsort((port, owner))
    found, first = np.unique(owner[order], return_index=True)
    parents = np.full(size, -1)
    parents[found] = other[order][first]
    return parents
