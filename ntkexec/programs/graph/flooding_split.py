"""Flooding on a split graph: edges of a tree have length 0, those between trees length 1.

A round takes a hop through the outer edges and 2h hops inside the trees, from whichever nodes it came
to up to the root and down to all others, each hop a *send* and a *receive*. Which edges count is told by
constants of the state, two flags for the slot of each neighbour. The counter that ends the hops
inside starts at 2^depth_bits - 2h, a constant of the state too: so h, the depth of the deepest tree or
more, is data, and one program serves every depth. Nodes without the message count rounds.
"""

import functools
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from ntkexec.graphs import SplitGraph
from ntkexec.language import Builder, Flag, Word, all_of, initial_states
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.programs import inputs, splits
from ntkexec.programs.graph import floods
from ntkexec.programs.graph.bfs_split import steps_per_level
from ntkexec.programs.graph.floods import Message
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.vocabulary import SUMMARIES


@functools.cache
def program(
    *, degree: int, slots: int, message_bits: int, arrival_bits: int, depth_bits: int
) -> Program:
    """The program.

    Args:
        degree: D, most neighbours of a node of the split graph.
        slots: colours of its two-hop colouring.
        message_bits: length of the message.
        arrival_bits: length of the arrival time; rounds up to 2^arrival_bits - 1 can be counted.
        depth_bits: of the counter; trees up to a depth of 2^(depth_bits - 1) - 1 are served.

    Raises:
        ProgramError: a size below its least, or a program beyond `limits`.
    """
    limits.check_program(
        "flooding-split",
        num_literals,
        degree=degree,
        slots=slots,
        message_bits=message_bits,
        arrival_bits=arrival_bits,
        depth_bits=depth_bits,
    )
    p = Builder("flooding-split", slots=slots, degree=degree)
    sides = p.table("side", slots, Flag("outer"), Flag("inner"), constant=True)
    start = p.word("start", depth_bits, constant=True)
    counter = p.word("counter", depth_bits)
    inside = p.flag("inside")
    informed = p.flag("informed")
    message = p.word("message", message_bits)
    arrival = p.word("arrival", arrival_bits)
    inbox = p.message(Flag("full"), Word("message", message_bits))

    with p.phase("send"):
        p.send(inbox.full, informed)
        # 0 where it has not come.
        p.send(inbox.message, message)
        p.assign(arrival, arrival + 1, when=~informed & ~inside)
    with p.phase("receive"):
        for side, heard in zip(sides, inbox, strict=True):
            open_ = (side.outer & ~inside) | (side.inner & inside)
            p.set(informed, when=open_ & heard.full)
            for bit, one in zip(message, heard.message, strict=True):
                p.set(bit, when=open_ & one)
        last = all_of(counter)
        p.assign(inside, ~inside | ~last)
        p.assign(counter, counter + 1, when=inside & ~last)
        p.assign(counter, start, when=~inside | last)
    return p.compile()


def num_literals(
    *, degree: int, slots: int, message_bits: int, arrival_bits: int, depth_bits: int
) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    place = slots.bit_length()
    heard = ((place + 13) * (1 + message_bits) + 4) * slots
    counting = (arrival_bits * (5 * arrival_bits + 27) + depth_bits * (7 * depth_bits + 33)) // 2
    # With one bit, "go on" and "begin again" share a product.
    return 2 * (place + message_bits) + heard + counting + 9 - 4 * int(depth_bits == 1)


def num_steps(rounds: int, depth: int) -> int:
    """Steps for the message to travel `rounds` hops of the original graph."""
    return steps_per_level(depth) * rounds


def instance(
    parts: SplitGraph,
    *,
    sources: Sequence[int],
    message: Message,
    sizes: Mapping[str, int] | None = None,
) -> Instance:
    """Flooding on a split graph, or on every graph of a batch at once.

    Args:
        parts: where.
        sources: indices of the original nodes that hold the message, over the whole batch.
        message: what they hold.
        sizes: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, or an unknown one.
        ProgramError: the split graph, its depth, the message or the arrival times do not fit the
            given sizes.
    """
    graph, executed = parts.original, parts.graph
    inputs.check_sources(graph, sources)
    rounds = inputs.rounds_needed(graph, sources)
    depth = splits.served_depth(parts)
    needed = {
        "degree": executed.degree,
        "slots": executed.num_colours,
        "message_bits": len(message),
        "arrival_bits": inputs.bits_for(rounds),
        "depth_bits": inputs.bits_for(2 * depth),
    }
    if sizes and len(message) > sizes.get("message_bits", 0):
        floods.check_length(message, sizes)
    # A shorter one has zeros before it, which nobody is shown.
    sizes = inputs.sizes_for(graph, needed, sizes)
    flooding = program(**sizes)
    informed = np.isin(parts.owner, sources)
    outer, inner = sides_by_slot(parts, sizes["slots"])
    values = {
        "colour": executed.colours,
        "side.outer": outer,
        "side.inner": inner,
        "start": (1 << sizes["depth_bits"]) - 2 * depth,
        "informed": informed,
        "message": informed * message.value,
    }
    return Instance(
        sizes=sizes,
        program=flooding,
        graph=graph,
        initial=initial_states(flooding, executed.num_nodes, values),
        num_steps=num_steps(rounds, depth),
        inputs={"sources": [graph.names[s] for s in sources], "message": str(message)},
        decode=functools.partial(answer, flooding, parts),
        reference=functools.partial(floods.expected, graph, sources, message),
        formats=floods.formats(message),
        colour_by="arrival",
        shown_where={"arrival": "informed", "message": "informed"},
        split=parts,
        slowdown=2 * depth + 1,
    )


def sides_by_slot(
    parts: SplitGraph, slots: int
) -> tuple[Bool[np.ndarray, "N slots"], Bool[np.ndarray, "N slots"]]:
    """By slot whether an outer neighbour that is heard writes there, and whether an inner one."""
    executed = parts.graph
    receivers = np.asarray(executed.tuple.receivers)
    heard = (receivers, executed.colours[executed.tuple.senders])
    is_outer = parts.outer[receivers, executed.edge_ports]
    outer, inner = np.zeros((2, executed.num_nodes, slots), bool)
    outer[heard], inner[heard] = is_outer, ~is_outer
    return outer, inner


def answer(flooding: Program, parts: SplitGraph, states: Bool[np.ndarray, "N k"]) -> Answer:
    """By original node what `floods.answer` says of its root."""
    found = floods.answer(flooding, states)
    return {field: values[parts.roots] for field, values in found.items()}


def on_split(
    parts: SplitGraph,
    *,
    sizes: Mapping[str, int] | None = None,
    source: Hashable | None = None,
    sources: Sequence[Hashable] | None = None,
    message: str = floods.EXAMPLE,
) -> Instance:
    """Flooding on a single graph that was split, original nodes by name.

    Args:
        parts: where.
        sizes: sizes of the program, if they are given; by default the least that fit.
        source: the node that holds the message; by default the first.
        sources: several such nodes, instead of `source`.
        message: a string of 0s and 1s.

    Raises:
        GraphError: an unknown source, or both `source` and `sources`.
    """
    indices = inputs.source_indices(parts.original, source, sources)
    return instance(parts, sources=indices, message=Message.parse(message), sizes=sizes)


def sizes(
    *,
    degree: int | None = None,
    word: int | None = None,
    slots: int | None = None,
    arrival_bits: int | None = None,
    depth_bits: int | None = None,
) -> dict[str, int]:
    """The sizes of `program` for every graph that is split to a degree.

    Args:
        degree: D.
        word: bits of a message.
        slots: colours; by default D^2 + 1, which a two-hop colouring never exceeds.
        arrival_bits: of the arrival time.
        depth_bits: of the counter.

    Raises:
        ProgramError: degree or word is missing.
    """
    found = floods.sizes(
        "flooding-split", degree=degree, word=word, slots=slots, arrival_bits=arrival_bits
    )
    return found | {"depth_bits": splits.DEFAULT_DEPTH_BITS if depth_bits is None else depth_bits}


ALGORITHM = Algorithm(
    name="flooding-split",
    summary=SUMMARIES["flooding-split"],
    sizing=sizes,
    program=program,
    prepare=functools.partial(splits.split_first, on_split),
    inputs=("source", "sources", "message"),
    own_sizes={
        "arrival_bits": lambda num_nodes: inputs.bits_for(num_nodes - 1),
        "depth_bits": lambda num_nodes: inputs.bits_for(2 * splits.largest_depth(num_nodes)),
    },
    split=on_split,
)
