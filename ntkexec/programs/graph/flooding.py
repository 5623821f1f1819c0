"""Message flooding: every node learns the sources' message, and in which round it arrives.

A round takes two steps. In the *send* step every node that has the message writes it into the slot
of its own colour, which aggregation carries to the neighbours, and every other node counts a round.
In the *receive* step a node takes over what any slot holds.
"""

import functools
from collections.abc import Hashable, Mapping, Sequence

from ntkexec.graphs import Graph
from ntkexec.language import Builder, Flag, Word, any_of, either, initial_states
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.program.work import Work
from ntkexec.programs import inputs
from ntkexec.programs.graph import flooding_split, floods
from ntkexec.programs.graph.floods import Message
from ntkexec.programs.instance import Algorithm, Instance
from ntkexec.vocabulary import SUMMARIES

STEPS_PER_ROUND = 2


@functools.cache
def program(*, degree: int, slots: int, message_bits: int, arrival_bits: int) -> Program:
    """The flooding program.

    Args:
        degree: D, most neighbours that a node may have.
        slots: colours of the two-hop colouring, at most D^2 + 1 are ever needed.
        message_bits: length of the message.
        arrival_bits: length of the arrival time; rounds up to 2^arrival_bits - 1 can be counted.

    Raises:
        ProgramError: a size below 1 (below 0 for the degree), or a program beyond `limits`.
    """
    limits.check_program(
        "flooding",
        num_literals,
        degree=degree,
        slots=slots,
        message_bits=message_bits,
        arrival_bits=arrival_bits,
    )
    p = Builder("flooding", slots=slots, degree=degree)
    informed = p.flag("informed")
    message = p.word("message", message_bits)
    arrival = p.word("arrival", arrival_bits)
    inbox = p.message(Flag("full"), Word("message", message_bits))

    with p.phase("send"):
        p.send(inbox.full, informed)
        # 0 where it has not come.
        p.send(inbox.message, message)
        # Not while messages are heard: a state then matches more templates than any other.
        p.assign(arrival, arrival + 1, when=~informed)
    with p.phase("receive"):
        p.set(informed, when=any_of(inbox.full))
        p.assign(message, either([message, *inbox.message]))
    return p.compile()


def num_literals(*, degree: int, slots: int, message_bits: int, arrival_bits: int) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    place = slots.bit_length()
    kept = 2 * (place + 1 + message_bits)
    counting = arrival_bits * (5 * arrival_bits + 17) // 2
    return 2 + kept + (place + 6) * slots * (1 + message_bits) + counting


def num_steps(rounds: int) -> int:
    """Steps for the message to travel `rounds` hops; a graph needs its sources' eccentricity."""
    return STEPS_PER_ROUND * rounds


def instance(
    graph: Graph,
    *,
    sources: Sequence[int],
    message: Message,
    sizes: Mapping[str, int] | None = None,
) -> Instance:
    """Flooding on a graph, or on every graph of a batch at once.

    Args:
        graph: where.
        sources: indices of the nodes that hold the message, over the whole batch; every graph of a
            batch may have several, or none.
        message: what they hold.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, or an unknown one.
        ProgramError: the graph, the message or the arrival times do not fit the given sizes.
    """
    rounds, needed = _needed(graph, sources, message)
    floods.check_length(message, sizes)
    sizes = inputs.sizes_for(graph, needed, sizes)
    flooding = program(**sizes)
    informed = inputs.is_source(graph, sources)
    values = {
        "colour": graph.colours,
        "informed": informed,
        "message": informed * message.value,
    }
    return Instance(
        sizes=sizes,
        program=flooding,
        graph=graph,
        initial=initial_states(flooding, graph.num_nodes, values),
        num_steps=num_steps(rounds),
        inputs={"sources": [graph.names[s] for s in sources], "message": str(message)},
        decode=functools.partial(floods.answer, flooding),
        reference=functools.partial(floods.expected, graph, sources, message),
        formats=floods.formats(message),
        colour_by="arrival",
        shown_where={"arrival": "informed", "message": "informed"},
    )


def _needed(graph: Graph, sources: Sequence[int], message: Message) -> tuple[int, dict[str, int]]:
    """Rounds until the last node is reached, and the least sizes that fit."""
    inputs.check_sources(graph, sources)
    rounds = inputs.rounds_needed(graph, sources)
    return rounds, {
        "degree": graph.degree,
        "slots": graph.num_colours,
        "message_bits": len(message),
        "arrival_bits": inputs.bits_for(rounds),
    }


def work(
    graph: Graph,
    *,
    source: Hashable | None = None,
    sources: Sequence[Hashable] | None = None,
    message: str = floods.EXAMPLE,
) -> Work:
    """What a run of the least sizes does, of which nothing is built; as `prepare`."""
    indices = inputs.source_indices(graph, source, sources)
    rounds, sizes = _needed(graph, indices, Message.parse(message))
    return Work(num_literals(**sizes), graph.num_nodes, num_steps(rounds))


def prepare(
    graph: Graph,
    *,
    sizes: Mapping[str, int] | None = None,
    source: Hashable | None = None,
    sources: Sequence[Hashable] | None = None,
    message: str = floods.EXAMPLE,
) -> Instance:
    """Flooding on a single graph, with nodes by name.

    Args:
        graph: where.
        sizes: sizes of the program, if they are given; by default the least that fit.
        source: the node that holds the message; by default the first.
        sources: several such nodes, instead of `source`.
        message: a string of 0s and 1s.

    Raises:
        GraphError: an unknown source, or both `source` and `sources`.
    """
    indices = inputs.source_indices(graph, source, sources)
    return instance(graph, sources=indices, message=Message.parse(message), sizes=sizes)


sizes = functools.partial(floods.sizes, "flooding")
ALGORITHM = Algorithm(
    name="flooding",
    summary=SUMMARIES["flooding"],
    sizing=sizes,
    program=program,
    prepare=prepare,
    inputs=("source", "sources", "message"),
    own_sizes={"arrival_bits": lambda num_nodes: inputs.bits_for(num_nodes - 1)},
    split=flooding_split.on_split,
    work=work,
)
