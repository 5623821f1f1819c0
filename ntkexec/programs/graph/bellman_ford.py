"""Bellman-Ford: every node learns its distance from the source by weight, and its parent.

In a round all nodes relax at once. Distances travel bit by bit, lowest first, through a pipeline
that runs in every step: a node sends a bit, its neighbours hear it, add to it the bit of the weight
that waits at the sender's port, and compare the bit of the sum with those of the other sums and of
their own distance, all at the same time and for all ports. After the last bit it is known of any
two sums which is smaller. The parent is the neighbour whose sum was strictly smaller than the
node's distance, of several smallest ones the one with the smallest identifier: the convention of
the CLRS benchmark. A distance that still falls in round n, on n nodes, betrays a negative cycle.

Numbers are taken modulo 2^word. A distance is stored as its excess over the smallest number that
occurs on the graph, so it has no sign, and negative weights need no instructions of their own.
"""

import dataclasses
import functools
import logging
from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import networkx as nx
import numpy as np
from jaxtyping import Bool

from ntkexec.errors import clean
from ntkexec.graphs import Graph
from ntkexec.graphs.message_passing import graphs_tuple
from ntkexec.graphs.ports import port_order, port_slots
from ntkexec.language import Builder, Choice, Flag, Sum, Word, any_of, either, initial_states
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.program.work import Work
from ntkexec.programs import inputs
from ntkexec.programs.graph.relaxing import by_port, relax, weights_of
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.reference import NONE
from ntkexec.programs.reference import bellman_ford as reference
from ntkexec.vocabulary import SUMMARIES

LOG = logging.getLogger("ntkexec")
# Steps from the one in which a bit of the distance sets out to the one in which ...
TO_HEAR = 3  # ... the neighbours have it,
TO_COMPARE = 4  # ... they have the bit of the sum.


@functools.cache
def program(*, degree: int, slots: int, word: int) -> Program:
    """The Bellman-Ford program.

    Args:
        degree: D, most neighbours of a node.
        slots: colours of the two-hop colouring.
        word: bits of a distance and of a weight; all sums that occur on a graph, also those that
            are not smallest, must lie within 2^word numbers.

    Raises:
        ProgramError: a size below its least, or a program beyond `limits`.
    """
    limits.check_program("bellman-ford", num_literals, degree=degree, slots=slots, word=word)
    num_ports = max(1, degree)
    p = Builder("bellman-ford", slots=slots, degree=degree)
    edges = p.table("edge", num_ports, Word("weight", word))
    reached = p.flag("reached")
    distance = p.word("distance", word)
    parent = p.choice("parent", num_ports, exclusive=True)
    # Set in the last step of a round, so that the end of a run shows it and the next round not.
    improved = p.flag("improved", temporary=True)
    sums = p.table("sum", num_ports, Word("kept", word)).kept
    # The pipeline of a port, and what is said of its sum in the end.
    stages = ("heard", "weight", "carry", "sum", "live", "lost")
    lanes = p.table("lane", num_ports, *map(Flag, stages), temporary=True)
    # The own distance passes as many stages.
    leaving, early, late, own = p.word("own", 4, temporary=True)
    # For any two candidates, the own distance being the first, whether the later is smaller.
    pairs = [(one, other) for other in range(num_ports + 1) for one in range(other)]
    flags = p.table("pair", len(pairs), Flag("smaller"), temporary=True).smaller
    smaller = dict(zip(pairs, flags, strict=True))
    inbox = p.message(Flag("bit"))

    for step in range(steps_per_round(word=word)):
        with p.phase(f"step {step}"):
            if step < word:
                p.set(leaving, when=distance[step])
            if 0 <= (place := step - TO_HEAR + 1) < word:
                for lane, edge in zip(lanes, edges, strict=True):
                    p.set(lane.weight, when=edge.weight[place])
            if 0 <= (place := step - TO_COMPARE) < word:
                for lane, kept in zip(lanes, sums, strict=True):
                    p.assign(kept[place], lane.sum)
            # After its bits comes the flag that the distance is one.
            if step == word:
                p.set(leaving, when=reached)
            if step == word + TO_HEAR:
                for lane in lanes:
                    p.set(lane.live, when=lane.heard)
            if step == word + TO_COMPARE:
                for lane, beaten in zip(
                    lanes, _beaten([reached, *lanes.live], smaller), strict=True
                ):
                    p.set(lane.lost, when=beaten)
            if step == word + TO_COMPARE + 1:
                firsts = [~lost for lost in lanes.lost]
                with p.when(any_of(firsts)):
                    chosen = [kept.where(one) for one, kept in zip(firsts, sums, strict=True)]
                    p.assign(distance, either(chosen))
                    p.assign(parent, Choice(tuple(firsts)))
                    p.set(reached)
                    p.set(improved)
    with p.always():
        p.send(inbox.bit, leaving)
        p.assign(early, leaving)
        p.assign(late, early)
        p.assign(own, late)
        for port, lane in enumerate(lanes):
            p.assign(lane.heard, p.at_port(port, inbox.bit))
            a, b, carry = lane.heard, lane.weight, lane.carry
            p.assign(lane.sum, a ^ b ^ carry)
            p.assign(lane.carry, (a & b) | (a & carry) | (b & carry))
        bits = [own, *lanes.sum]
        for (one, other), less in smaller.items():
            # The later a bit, the more it counts. What ran through the empty pipeline since the
            # last round is forgotten as this one begins.
            so_far = less & ~p.in_phase(0)
            p.assign(less, (bits[one] & ~bits[other]) | ((bits[one] | ~bits[other]) & so_far))
    return p.compile()


def _beaten(live: Sequence[Sum], smaller: Mapping[tuple[int, int], Sum]) -> list[Sum]:
    """For each candidate but the first that it is not live, or that another live one goes first."""
    return [
        ~live[this]
        | any_of(live[one] & ~smaller[one, this] for one in range(this))
        | any_of(live[other] & smaller[this, other] for other in range(this + 1, len(live)))
        for this in range(1, len(live))
    ]


def num_literals(*, degree: int, slots: int, word: int) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    ports = max(1, degree)
    compared = 3 * ports * (7 * ports + 31) // 2 - 4 * int(ports == 1)
    numbers = (16 * ports + 11) * word
    heard = (ports + 1) * (slots.bit_length() + 2) * slots
    return 2 * inputs.place_bits(degree, slots) + heard + compared + numbers + 23


def steps_per_round(*, word: int) -> int:
    """A step for every bit, and those that the last of them takes until the smallest is chosen."""
    return word + TO_COMPARE + 2


def work(graph: Graph, *, sources: Sequence[int]) -> Work:
    """What a run of the least sizes does, of which nothing is built; as `instance`.

    A run ends when nothing changes. It is taken for one of as many rounds as there are hops from the
    sources to the farthest node, and one more.
    """
    inputs.check_sources(graph, sources)
    heard = with_negative_loops(graph)
    low, high = range_of_sums(heard, sources, rounds=num_rounds(graph))
    word = inputs.bits_for(high - low)
    rounds = min(inputs.rounds_needed(graph, sources) + 1, num_rounds(graph))
    return Work(
        num_literals(degree=heard.degree, slots=graph.num_colours, word=word),
        graph.num_nodes,
        num_steps(rounds=rounds, word=word),
    )


def num_rounds(graph: Graph) -> int:
    """As many as the largest graph has nodes: n - 1 to find all distances, 1 to detect a cycle."""
    return int(np.max(graph.tuple.n_node))


def num_steps(*, rounds: int, word: int) -> int:
    """Steps of a run; independent of the number of nodes and of the degree."""
    return rounds * steps_per_round(word=word)


def instance(
    graph: Graph, *, sources: Sequence[int], sizes: Mapping[str, int] | None = None
) -> Instance:
    """Bellman-Ford on a graph, or on every graph of a batch at once.

    Args:
        graph: where; without weights every edge weighs 1. An edge from a node to itself that was
            dropped is back if its weight is negative: a cycle that is one.
        sources: indices of the sources, over the whole batch. Of several in one graph the nearest
            counts.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, or an unknown one.
        ProgramError: the graph, or a sum that occurs on it, does not fit the given sizes.
    """
    inputs.check_sources(graph, sources)
    rounds = num_rounds(graph)
    heard = with_negative_loops(graph)
    low, high = range_of_sums(heard, sources, rounds=rounds)
    needed = {
        "degree": heard.degree,
        "slots": graph.num_colours,
        "word": inputs.bits_for(high - low),
    }
    sizes = inputs.sizes_for(graph, needed, sizes)
    bellman_ford = program(**sizes)
    num_ports = max(1, sizes["degree"])
    is_source = np.isin(np.arange(graph.num_nodes), sources)
    values = {
        "colour": graph.colours,
        "port.slot": port_slots(heard, num_ports),
        "edge.weight": by_port(heard, weights_of(heard), num_ports) % (1 << sizes["word"]),
        "reached": is_source,
        "distance": np.where(is_source, -low, 0),
    }
    return Instance(
        sizes=sizes,
        program=bellman_ford,
        graph=graph,
        initial=initial_states(bellman_ford, graph.num_nodes, values),
        num_steps=num_steps(rounds=rounds, word=sizes["word"]),
        inputs={"sources": [graph.names[s] for s in sources]},
        decode=functools.partial(answer, bellman_ford, heard, low),
        reference=functools.partial(expected, graph, sources),
        formats={"parent": lambda node: graph.names[node], "negative_cycle": bool},
        colour_by="distance",
        shown_where={"distance": "reached"},
        signed=frozenset({"distance"}),
        # A round in which nothing changes leaves nothing to change; a negative cycle never rests.
        until="fixed-point",
    )


def with_negative_loops(graph: Graph) -> Graph:
    """The graph with an arc from a node to itself for each dropped loop that weighs less than 0.

    It says what a node hears, and at which port. A node hears itself in any case, in the slot of its own
    colour, since messages are summed over closed neighbourhoods. Other loops lower no distance.
    """
    if graph.loops is None or not len(graph.loops.negative.nodes):
        return graph
    loops = graph.loops.negative
    others = np.bincount(graph.tuple.receivers, minlength=graph.num_nodes)
    # By identifier, as they are numbered anew; in another order a node hears itself last.
    ports = None if graph.ports is None else np.append(graph.ports, others[loops.nodes])
    arcs = graphs_tuple(
        np.append(graph.tuple.senders, loops.nodes),
        np.append(graph.tuple.receivers, loops.nodes),
        graph.num_nodes,
        edges={
            "weight": np.append(weights_of(graph), np.asarray(loops.weights)).astype(np.int32),
            "port": ports,
        },
    )
    heard = int(np.bincount(arcs.receivers, minlength=graph.num_nodes).max())
    owner = np.repeat(np.arange(graph.num_graphs), graph.tuple.n_node)[arcs.receivers]
    num_arcs = np.bincount(owner, minlength=graph.num_graphs).astype(np.int32)
    return dataclasses.replace(
        graph,
        tuple=arcs._replace(edges=arcs.edges["weight"], n_node=graph.tuple.n_node, n_edge=num_arcs),
        ports=None if ports is None else arcs.edges["port"].astype(np.int32),
        degree=max(graph.degree, heard),
    )


def range_of_sums(graph: Graph, sources: Sequence[int], *, rounds: int) -> tuple[int, int]:
    """The smallest and the largest sum that any node meets in any round, and 0; see `relax`."""
    found = relax(graph, weights_of(graph), sources, rounds=rounds)
    return found.low, found.high


def answer(
    bellman_ford: Program, graph: Graph, low: int, states: Bool[np.ndarray, "n k"]
) -> Answer:
    """`distance`, `parent` (an index) and `negative_cycle`, after `num_rounds` rounds or at rest.

    A stored distance is the excess over `low`.
    `distance` is `NONE` where a node was not reached, `parent` -1 where it has none. On a graph on
    which some node has improved in the last round, `negative_cycle` is 1 at all nodes, and no
    node has a distance or a parent.
    """
    fields = bellman_ford.layout.unpack(states, strict=False)
    distance = fields["distance"].astype(np.int64) + low
    member = np.repeat(np.arange(graph.num_graphs), graph.tuple.n_node)
    falling = np.bincount(member, weights=fields["improved"], minlength=graph.num_graphs) > 0
    cycle = falling[member]
    parent = inputs.parents(graph, fields["parent"])
    return {
        "distance": np.where(fields["reached"] & ~cycle, distance, NONE),
        "parent": np.where(cycle, -1, parent),
        "negative_cycle": cycle.astype(int),
    }


def expected(graph: Graph, sources: Sequence[int]) -> Answer:
    """The reference's answer, graph by graph, on the edges as they were before any were dropped."""
    arcs = nx.DiGraph()
    arcs.add_nodes_from(range(graph.num_nodes))
    pairs = (np.asarray(graph.tuple.senders).tolist(), np.asarray(graph.tuple.receivers).tolist())
    arcs.add_weighted_edges_from(zip(*pairs, weights_of(graph).tolist(), strict=True))
    if graph.loops is not None:
        ends, weights = graph.loops.nodes.tolist(), graph.loops.weights
        lengths = np.ones(len(ends), int) if weights is None else weights
        arcs.add_weighted_edges_from(zip(ends, ends, lengths.tolist(), strict=True))
    starts, order = set(sources), port_order(graph)
    by_node: dict[Hashable, dict[str, Hashable]] = {}
    for part in graph.node_ranges():
        nodes = range(part.start, part.stop)
        own = [node for node in nodes if node in starts]
        by_node |= reference.expected(arcs.subgraph(nodes), own, order=order)
    return inputs.as_columns(by_node)


def prepare(graph: Graph, **options: Any) -> Instance:  # those of inputs.from_sources
    """As `inputs.from_sources`; with a word if the graph has weights that nobody asked for."""
    say_unread_weights(graph)
    return inputs.from_sources(instance, graph, **options)


def say_unread_weights(graph: Graph) -> None:
    """A word in the log if every edge of a graph counts 1 although its edges have weights."""
    if not graph.weighted and graph.unread_weights is not None:
        LOG.warning(
            "every edge of %s counts 1; its values of '%s' are used if they are asked for (--weights %s)",
            clean(graph.label, limit=80),
            clean(graph.unread_weights, limit=80),
            clean(graph.unread_weights, limit=80),
        )


ALGORITHM = Algorithm(
    name="bellman-ford",
    summary=SUMMARIES["bellman-ford"],
    sizing=functools.partial(inputs.degree_and_word, "bellman-ford"),
    program=program,
    prepare=prepare,
    inputs=("source", "sources"),
    weighted=True,
    work=functools.partial(inputs.work_from_sources, work),
)
