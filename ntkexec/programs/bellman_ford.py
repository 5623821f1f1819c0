"""Bellman-Ford: every node learns its distance from the source by weight, and its parent.

In a round all nodes relax at once. A node adds to every neighbour's distance the weight of the edge
from it, which waits at the neighbour's port from the start; of these sums and its own distance the
smallest is found from the top bit down. The parent is the neighbour whose sum was strictly smaller
than the node's distance, of several such the one with the smallest identifier: the convention of
the CLRS benchmark. A distance that still falls in round n, on n nodes, betrays a negative cycle.

Distances and weights are in two's complement. A comparison reads the sign bit negated, so that
negative numbers come first.
"""

import functools
from collections.abc import Hashable, Mapping, Sequence

import networkx as nx
import numpy as np
from jaxtyping import Bool, Int

from ntkexec.graphs import Graph
from ntkexec.graphs.ports import in_neighbours, port_slots
from ntkexec.language import (
    Builder,
    Choice,
    Flag,
    Number,
    Word,
    any_of,
    either,
    idioms,
    initial_states,
)
from ntkexec.programs import inputs
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.reference import NONE
from ntkexec.reference import bellman_ford as reference
from ntkexec.template import Program


@functools.cache
def program(*, degree: int, slots: int, word: int) -> Program:
    """The Bellman-Ford program.

    Args:
        degree: D, most neighbours of a node.
        slots: colours of the two-hop colouring.
        word: bits of a distance and of a weight; -2^(word - 1) to 2^(word - 1) - 1 must hold every
            sum that occurs, also those that are not smallest.
    """
    num_ports = max(1, degree)
    p = Builder("bellman-ford", slots=slots, degree=degree)
    edges = p.table("edge", num_ports, Word("weight", word, signed=True))
    reached = p.flag("reached")
    distance = p.word("distance", word)
    parent = p.choice("parent", num_ports)
    # Set in the last step of a round, so that the end of a run shows it and the next round not.
    improved = p.flag("improved", temporary=True)
    own_live = p.flag("own_live")
    offers = p.table("offer", num_ports, Flag("live"), Word("sum", word))
    inbox = p.message(Flag("full"), Word("distance", word))

    with p.phase("send"):
        p.send(inbox.full, reached)
        p.send(inbox.distance, distance)
    with p.phase("listen"):
        p.assign(own_live, reached)
        for port, offer in enumerate(offers):
            p.assign(offer.live, p.at_port(port, inbox.full))
            p.assign(offer.sum, p.at_port(port, inbox.distance))
    # In place: a bit of a summand is not read again once its sum is known.
    idioms.add(
        p, offers.sum, [(offer.sum, edge.weight) for offer, edge in zip(offers, edges, strict=True)]
    )
    numbers = [_ordered(number) for number in (distance, *offers.sum)]
    idioms.minimum(p, [own_live, *offers.live], numbers)
    with p.phase("choose"):
        # The own distance goes first: only a smaller sum replaces it. A node without one that
        # hears nothing either has distance 0 and no parent, and keeps both.
        _, *firsts = idioms.priority([own_live, *offers.live])
        sums = [offer.sum.where(first) for first, offer in zip(firsts, offers, strict=True)]
        p.assign(distance, either(sums), when=~own_live)
        p.assign(parent, Choice(tuple(firsts)), when=~own_live)
        p.set(reached, when=any_of(firsts))
        p.set(improved, when=any_of(firsts))
    return p.compile()


def _ordered(number: Number) -> Number:
    """A number in two's complement as one without sign, in the same order."""
    return Number((*number.bits[:-1], ~number.bits[-1]))


def num_templates(*, degree: int, slots: int, word: int) -> int:
    """Templates of `program` for a degree of at least 1, as a formula."""
    return slots * (degree + 1) * (word + 2) + 13 * degree * word + 8 * word + degree + 5


def num_state_bits(*, degree: int, slots: int, word: int) -> int:
    """K of `program` for a degree of at least 1, as a formula."""
    return slots * (degree + word + 2) + 3 * degree * word + 2 * degree + 5 * word + 6


def steps_per_round(*, word: int) -> int:
    """Send, listen, add a bit in 1 step, compare a bit in 2, choose."""
    return 3 * word + 3


def num_rounds(graph: Graph) -> int:
    """As many as the largest graph has nodes: n - 1 to find all distances, 1 to detect a cycle."""
    return int(np.max(graph.tuple.n_node))


def num_steps(*, rounds: int, word: int) -> int:
    """Steps of a run; independent of the number of nodes and of the degree."""
    return rounds * steps_per_round(word=word)


def instance(
    graph: Graph, *, sources: Sequence[int], parameters: Mapping[str, int] | None = None
) -> Instance:
    """Bellman-Ford on a graph, or on every graph of a batch at once.

    Args:
        graph: where; without weights every edge weighs 1.
        sources: indices of the sources, over the whole batch. Of several in one graph the nearest
            counts.
        parameters: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, or an unknown one.
        ProgramError: the graph, or a sum that occurs on it, does not fit the given sizes.
    """
    inputs.check_sources(graph, sources)
    rounds = num_rounds(graph)
    needed = {
        "degree": graph.degree,
        "slots": graph.num_colours,
        "word": bits_for(*range_of_sums(graph, sources, rounds=rounds)),
    }
    sizes = inputs.sizes_for(graph, needed, parameters)
    bellman_ford = program(**sizes)
    num_ports = max(1, sizes["degree"])
    values = {
        "colour": graph.colours,
        "port.slot": port_slots(graph, num_ports),
        "edge.weight": _by_port(graph, num_ports),
        "reached": np.isin(np.arange(graph.num_nodes), sources),
    }
    return Instance(
        parameters=sizes,
        program=bellman_ford,
        graph=graph,
        initial=initial_states(bellman_ford, graph.num_nodes, values),
        num_steps=num_steps(rounds=rounds, word=sizes["word"]),
        inputs={"sources": [graph.names[s] for s in sources]},
        decode=functools.partial(answer, bellman_ford, graph),
        reference=functools.partial(expected, graph, sources),
        formats={"parent": lambda node: graph.names[node], "negative_cycle": bool},
        signed=frozenset({"distance"}),
        # A round in which nothing changes leaves nothing to change; a negative cycle never rests.
        until="fixed-point",
    )


def range_of_sums(graph: Graph, sources: Sequence[int], *, rounds: int) -> tuple[int, int]:
    """The smallest and the largest number that any node meets: weights, and sums in any round.

    Sums that lose against a smaller one count, and what distances become while they fall along a
    negative cycle. They are found by doing the rounds, in a step of NumPy each.
    """
    senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    weights = _weights(graph)
    # int64 holds them: weights are int32, and there are fewer rounds than 2^31.
    distances = np.full(graph.num_nodes, np.iinfo(np.int64).max)
    distances[list(sources)] = 0
    low, high = int(weights.min(initial=0)), int(weights.max(initial=0))
    for _ in range(rounds):
        live = distances[senders] != np.iinfo(np.int64).max
        sums = distances[senders[live]] + weights[live]
        if not len(sums):
            break
        low, high = min(low, int(sums.min())), max(high, int(sums.max()))
        after = distances.copy()
        np.minimum.at(after, receivers[live], sums)
        if np.array_equal(after, distances):
            break
        distances = after
    return low, high


def bits_for(low: int, high: int) -> int:
    """The least number of bits that holds `low` to `high` in two's complement."""
    return 1 + max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0)


def answer(bellman_ford: Program, graph: Graph, states: Bool[np.ndarray, "n k"]) -> Answer:
    """`distance`, `parent` (an index) and `negative_cycle`, after `num_rounds` rounds or at rest.

    `distance` is `NONE` where a node was not reached, `parent` -1 where it has none. On a graph on
    which some node has improved in the last round, `negative_cycle` is 1 at all nodes, and no
    node has a distance or a parent.
    """
    fields = bellman_ford.layout.unpack(states)
    parent, word = fields["parent"], len(bellman_ford.layout.bits("distance"))
    distance = np.where(
        fields["distance"] >> (word - 1), fields["distance"] - (1 << word), fields["distance"]
    )
    member = np.repeat(np.arange(graph.num_graphs), graph.tuple.n_node)
    falling = np.bincount(member, weights=fields["improved"], minlength=graph.num_graphs) > 0
    cycle = falling[member]
    neighbours = in_neighbours(graph, len(bellman_ford.layout.bits("parent")))
    chosen = neighbours[np.arange(graph.num_nodes), np.maximum(parent, 0)]
    return {
        "distance": np.where(fields["reached"] & ~cycle, distance, NONE),
        "parent": np.where((parent < 0) | cycle, -1, chosen),
        "negative_cycle": cycle.astype(int),
    }


def expected(graph: Graph, sources: Sequence[int]) -> Answer:
    """The reference's answer, graph by graph."""
    arcs = nx.DiGraph()
    arcs.add_nodes_from(range(graph.num_nodes))
    ends = (np.asarray(graph.tuple.senders).tolist(), np.asarray(graph.tuple.receivers).tolist())
    arcs.add_weighted_edges_from(zip(*ends, _weights(graph).tolist(), strict=True))
    starts = set(sources)
    by_node: dict[Hashable, dict[str, Hashable]] = {}
    for part in graph.node_ranges():
        nodes = range(part.start, part.stop)
        own = [node for node in nodes if node in starts]
        by_node |= reference.bellman_ford(arcs.subgraph(nodes), own)
    return inputs.as_columns(by_node)


def _weights(graph: Graph) -> Int[np.ndarray, "e"]:
    """The weight of every directed edge; 1 without weights."""
    edges = graph.tuple.edges
    return np.ones(len(graph.tuple.senders), int) if edges is None else np.asarray(edges, int)


def _by_port(graph: Graph, num_ports: int) -> Int[np.ndarray, "n d"]:
    """The weight of the edge from the neighbour at each port; 0 where a port is free."""
    # Both the ports and the edges of a node follow the neighbours' identifiers.
    weights = np.zeros((graph.num_nodes, num_ports), int)
    weights[in_neighbours(graph, num_ports) >= 0] = _weights(graph)
    return weights


sizes = functools.partial(inputs.degree_and_word, "bellman-ford")
prepare = functools.partial(inputs.from_sources, instance)
ALGORITHM = Algorithm(
    name="bellman-ford",
    summary="distance and parent of every node in a graph with weights, negative ones too",
    sizes=sizes,
    program=program,
    prepare=prepare,
    inputs=("source", "sources"),
    weighted=True,
)
