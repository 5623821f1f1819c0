"""Breadth-first search: every node learns its distance from the source and its parent.

A round takes two steps and moves the search by one hop: nodes that were called for the first time
call their neighbours, and these listen. Nodes that are not reached count rounds. The parent is the
neighbour on the previous level with the smallest identifier, the convention of the CLRS benchmark.
"""

import functools
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from ntkexec.graphs import Graph
from ntkexec.graphs.ports import port_order, port_slots
from ntkexec.language import Builder, Flag, any_of, idioms, initial_states
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.program.work import Work
from ntkexec.programs import inputs
from ntkexec.programs.graph import bfs_split
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.reference import bfs as reference
from ntkexec.vocabulary import SUMMARIES

STEPS_PER_ROUND = 2


@functools.cache
def program(*, degree: int, slots: int, word: int) -> Program:
    """The BFS program.

    Args:
        degree: D, most neighbours of a node.
        slots: colours of the two-hop colouring.
        word: bits of a distance; distances up to 2^word - 1 can be counted.

    Raises:
        ProgramError: a size below its least, or a program beyond `limits`.
    """
    limits.check_program("bfs", num_literals, degree=degree, slots=slots, word=word)
    p = Builder("bfs", slots=slots, degree=degree)
    reached = p.flag("reached")
    parent = p.choice("parent", max(1, degree), exclusive=True)
    distance = p.word("distance", word)
    called = p.flag("called", temporary=True)
    calls = p.table("calls", max(1, degree), Flag("made"), temporary=True).made
    inbox = p.message(Flag("call"))

    with p.phase("choose"), p.when(~reached):
        p.assign(distance, distance + 1)
        for port, first in enumerate(idioms.priority(calls)):
            p.set(parent[port], when=first)
        p.set(reached, when=called)
        p.send(inbox.call, called)
    with p.phase("listen"):
        # A node that hears itself has been reached.
        p.set(called, when=any_of(inbox.call))
        for port, call in enumerate(calls):
            p.set(call, when=p.at_port(port, inbox.call))
    return p.compile()


def num_literals(*, degree: int, slots: int, word: int) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    ports = max(1, degree)
    counting = word * (5 * word + 17) // 2
    heard = (ports + 1) * slots.bit_length() * slots + (3 * ports + 7) * slots
    choosing = ports * (ports + 11) // 2
    return 2 * inputs.place_bits(degree, slots) + heard + choosing + counting + 7


def num_steps(rounds: int) -> int:
    """Steps until a node at a distance of `rounds` is reached, the source in the first step."""
    return STEPS_PER_ROUND * rounds + 1


def instance(
    graph: Graph, *, sources: Sequence[int], sizes: Mapping[str, int] | None = None
) -> Instance:
    """BFS on a graph, or on every graph of a batch at once.

    Args:
        graph: where.
        sources: indices of the sources, over the whole batch.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, or an unknown one.
        ProgramError: the graph or its distances do not fit the given sizes.
    """
    rounds, needed = _needed(graph, sources)
    sizes = inputs.sizes_for(graph, needed, sizes)
    bfs = program(**sizes)
    is_source = inputs.is_source(graph, sources)
    values = {
        "colour": graph.colours,
        "port.slot": port_slots(graph, max(1, sizes["degree"])),
        "called": is_source,
        # One less than 0: the first round counts as well.
        "distance": (1 << sizes["word"]) - 1,
    }
    return Instance(
        sizes=sizes,
        program=bfs,
        graph=graph,
        initial=initial_states(bfs, graph.num_nodes, values),
        num_steps=num_steps(rounds),
        inputs={"sources": [graph.names[s] for s in sources]},
        decode=functools.partial(answer, bfs, graph),
        reference=lambda: inputs.as_columns(
            reference.expected(inputs.index_graph(graph), sources, order=port_order(graph))
        ),
        formats={"parent": lambda node: graph.names[node]},
        colour_by="distance",
        shown_where={"distance": "reached"},
    )


def _needed(graph: Graph, sources: Sequence[int]) -> tuple[int, dict[str, int]]:
    """Rounds until the last node is reached, and the least sizes that fit."""
    inputs.check_sources(graph, sources)
    rounds = inputs.rounds_needed(graph, sources)
    word = inputs.bits_for(rounds)
    return rounds, {"degree": graph.degree, "slots": graph.num_colours, "word": word}


def work(graph: Graph, *, sources: Sequence[int]) -> Work:
    """What a run of the least sizes does, of which nothing is built; as `instance`."""
    rounds, sizes = _needed(graph, sources)
    return Work(num_literals(**sizes), graph.num_nodes, num_steps(rounds))


def answer(bfs: Program, graph: Graph, states: Bool[np.ndarray, "n k"]) -> Answer:
    """`distance` and `parent` (an index); -1 where a node was not reached, or has no parent."""
    fields = bfs.layout.unpack(states, strict=False, paths=("reached", "distance", "parent"))
    return {
        "distance": np.where(fields["reached"], fields["distance"], -1),
        "parent": inputs.parents(graph, fields["parent"]),
    }


prepare = functools.partial(inputs.from_sources, instance)
ALGORITHM = Algorithm(
    name="bfs",
    summary=SUMMARIES["bfs"],
    sizing=functools.partial(inputs.degree_and_word, "bfs"),
    program=program,
    prepare=prepare,
    inputs=("source", "sources"),
    split=bfs_split.on_split,
    work=functools.partial(inputs.work_from_sources, work),
)
