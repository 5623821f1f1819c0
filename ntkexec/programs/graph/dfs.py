"""Depth-first search: every node learns its parent, its discovery time and its finish time.

A token walks through the source's component. Its holder passes it to the smallest neighbour that
has not had it yet; if there is none, the holder finishes and passes the token back to its parent.
Times are those of Cormen et al.: the source is discovered at 1, every discovery and every finish
takes one tick, and the source finishes at 2n, if its component has n nodes.

A round takes two steps and is one tick, so no time is sent: all nodes count rounds until they
finish. At the end the source floods the flag `done`, one hop a round.

A node announces itself in its own slot, but calls the next holder in the *next holder's* slot,
where the called node recognises its colour. Only one node of a component has the token, so no two
calls meet; with calls in the caller's slot the address would take slots^2 bits.
"""

import dataclasses
import functools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from ntkexec.graphs import Graph
from ntkexec.graphs.ports import port_order, port_slots
from ntkexec.language import Builder, Flag, all_of, any_of, idioms, initial_states
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.program.work import Work
from ntkexec.programs import inputs
from ntkexec.programs.graph import dfs_split, forests
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.reference import dfs as reference
from ntkexec.vocabulary import SUMMARIES

STEPS_PER_ROUND = 2
HALT = "done"


@functools.cache
def program(*, degree: int, slots: int, word: int) -> Program:
    """The DFS program; the flag `HALT` is set at every node of the source's component at the end.

    Args:
        degree: D, most neighbours of a node.
        slots: colours of the two-hop colouring.
        word: bits of a time; a component of up to (2^word - 1) / 2 nodes can be searched.

    Raises:
        ProgramError: a size below its least, or a program beyond `limits`.
    """
    limits.check_program("dfs", num_literals, degree=degree, slots=slots, word=word)
    p = Builder("dfs", slots=slots, degree=degree)
    ports = p.ports()
    root, visited, finished, done = (p.flag(name) for name in ("root", "visited", "finished", HALT))
    p.halt = done
    parent = p.choice("parent", len(ports), exclusive=True)
    discovery = p.word("discovery", word)
    # Counts rounds, from 1, until the node finishes.
    finish = p.word("finish", word)
    gone = p.table("neighbour", len(ports), Flag("gone")).gone
    called = p.flag("called", temporary=True)
    caller = p.choice("caller", len(ports), temporary=True, exclusive=True)
    inbox = p.message(Flag("here"), Flag("call"))

    with p.phase("choose"):
        p.assign(finish, finish + 1, when=~finished)
        p.set(visited, when=called)
        p.send(inbox.here, called)
        with p.when(called & ~visited):
            for bit, now in zip(discovery, finish, strict=True):
                p.set(bit, when=now)
            for port, this in enumerate(caller):
                p.set(parent[port], when=this)
        over = called & all_of(gone)
        p.set(finished, when=over)
        p.set(done, when=over & root)
        # On to the first that is not gone, or else back to whom it came from at first.
        firsts = idioms.priority([~one for one in gone])
        for port, (first, before, now) in enumerate(zip(firsts, parent, caller, strict=True)):
            following = (called & first) | (over & (before | (~visited & now)))
            for slot in p.slots:
                p.set(inbox[slot].call, when=following & ports[port].slot[slot])
        p.set(done, when=any_of(inbox.here))
    with p.phase("listen"):
        p.set(called, when=any_of(inbox[slot].call & p.colour[slot] for slot in p.slots))
        for port, this in enumerate(caller):
            announced = p.at_port(port, inbox.here)
            p.set(this, when=announced)
            p.set(gone[port], when=announced)
        # Heard in the phase "choose", where no announcement of a holder is under way.
        p.send(inbox.here, done)
    return p.compile()


def num_literals(*, degree: int, slots: int, word: int) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    ports = max(1, degree)
    counting = word * (5 * word + 31) // 2
    calling = (4 * ports + 3) * slots.bit_length() * slots + ports * (5 * ports + 29) * slots // 2
    kept = 2 * inputs.place_bits(degree, slots) + 12 * slots + 11 * ports
    return kept + calling + counting + 20


def num_steps(num_nodes: int, eccentricity: int) -> int:
    """Steps until all know that the search is over; the last times come 2 * eccentricity earlier.

    Args:
        num_nodes: nodes of the source's component: the token moves 2 (num_nodes - 1) times.
        eccentricity: rounds that the flag `HALT` travels, the source's largest distance.
    """
    return STEPS_PER_ROUND * (2 * (num_nodes - 1) + eccentricity) + 1


def instance(
    graph: Graph, *, sources: Sequence[int], sizes: Mapping[str, int] | None = None
) -> Instance:
    """DFS on a graph, or on every graph of a batch at once.

    Args:
        graph: where; undirected.
        sources: indices over the whole batch, at most one in every connected component. Nodes of
            components without a source have no answer, and never set `HALT`.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, an unknown one, two that are connected, or a directed graph.
        ProgramError: the graph or its times do not fit the given sizes.
    """
    extents, needed = _needed(graph, sources)
    sizes = inputs.sizes_for(graph, needed, sizes)
    dfs = program(**sizes)
    is_source = np.isin(np.arange(graph.num_nodes), sources)
    slots = port_slots(graph, max(1, sizes["degree"]))
    values = {
        "colour": graph.colours,
        "port.slot": slots,
        "root": is_source,
        "called": is_source,
        "finish": 1,
        # A free port leads nowhere new.
        "neighbour.gone": slots < 0,
    }
    return Instance(
        sizes=sizes,
        program=dfs,
        graph=graph,
        initial=initial_states(dfs, graph.num_nodes, values),
        num_steps=_most_steps(extents),
        inputs={"sources": [graph.names[s] for s in sources]},
        decode=functools.partial(answer, dfs, graph),
        reference=lambda: inputs.as_columns(
            reference.expected(inputs.index_graph(graph), sources, order=port_order(graph))
        ),
        formats={"parent": lambda node: graph.names[node]},
        colour_by="finished",
        shown_where={"discovery": "visited", "finish": "finished"},
    )


def _needed(graph: Graph, sources: Sequence[int]) -> tuple[inputs.Extents, dict[str, int]]:
    """What the searches meet, and the least sizes that fit."""
    inputs.check_sources(graph, sources)
    inputs.check_undirected("dfs", graph)
    extents = inputs.component_extents("dfs", graph, sources)
    return extents, {
        "degree": graph.degree,
        "slots": graph.num_colours,
        "word": inputs.bits_for(2 * int(extents.nodes.max())),
    }


def _most_steps(extents: inputs.Extents) -> int:
    return max(map(num_steps, extents.nodes.tolist(), extents.eccentricities.tolist()))


def work(graph: Graph, *, sources: Sequence[int]) -> Work:
    """What a run of the least sizes does, of which nothing is built; as `instance`."""
    extents, sizes = _needed(graph, sources)
    return Work(num_literals(**sizes), graph.num_nodes, _most_steps(extents))


def forest_instance(graph: Graph, *, sizes: Mapping[str, int] | None = None) -> Instance:
    """DFS of every component of a graph, or of every graph of a batch, in the order of identifiers.

    The source of a component is its smallest node, and one clock runs through all components of a
    graph, as in Cormen et al. No message passes between components, so the time at which a
    component's turn comes is part of the input: its nodes begin to count there. All components are
    searched at the same time.

    Args:
        graph: where; undirected.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: a graph without nodes, or a directed one.
        ProgramError: the graph or its times do not fit the given sizes.
    """
    inputs.check_undirected("dfs-forest", graph)
    sources, offset = forests.clock(graph)
    sizes = inputs.sizes_for(graph, _needed_by_forest(graph), sizes)
    return forests.with_one_clock(instance(graph, sources=sources, sizes=sizes), offset)


def _needed_by_forest(graph: Graph) -> dict[str, int]:
    return {
        "degree": graph.degree,
        "slots": graph.num_colours,
        "word": inputs.bits_for(2 * int(np.max(graph.tuple.n_node))),
    }


def forest_work(graph: Graph) -> Work:
    """What a run of the least sizes does, of which nothing is built; as `forest_instance`."""
    inputs.check_undirected("dfs-forest", graph)
    sources, _ = forests.clock(graph)
    literals = num_literals(**_needed_by_forest(graph))
    return dataclasses.replace(work(graph, sources=sources), literals=literals)


def answer(dfs: Program, graph: Graph, states: Bool[np.ndarray, "n k"]) -> Answer:
    """`parent` (an index), `discovery` and `finish`; -1 where a node has none (yet)."""
    fields = dfs.layout.unpack(states, strict=False)
    return {
        "parent": inputs.parents(graph, fields["parent"]),
        "discovery": np.where(fields["visited"], fields["discovery"], -1),
        "finish": np.where(fields["finished"], fields["finish"], -1),
    }


prepare = functools.partial(inputs.from_sources, instance)
ALGORITHM = Algorithm(
    name="dfs",
    summary=SUMMARIES["dfs"],
    sizing=functools.partial(inputs.degree_and_word, "dfs"),
    program=program,
    prepare=prepare,
    inputs=("source", "sources"),
    split=dfs_split.on_split,
    work=functools.partial(inputs.work_from_sources, work),
)
FOREST = Algorithm(
    name="dfs-forest",
    summary=SUMMARIES["dfs-forest"],
    sizing=functools.partial(inputs.degree_and_word, "dfs-forest"),
    program=program,
    prepare=forest_instance,
    inputs=(),
    split=dfs_split.forest_instance,
    work=forest_work,
)
