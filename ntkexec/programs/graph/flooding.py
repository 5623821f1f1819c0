"""Message flooding: every node learns the sources' message, and in which round it arrives.

A round takes two steps. In the *send* step every node that has the message writes it into the slot
of its own colour; aggregation carries it to the neighbours. In the *receive* step a node takes over
what any slot holds. A node that does not have the message counts the rounds it waits.
"""

import dataclasses
import functools
from collections.abc import Hashable, Mapping, Sequence

import numpy as np
from jaxtyping import Bool

from ntkexec.ensemble import limits
from ntkexec.errors import LayoutError, ProgramError
from ntkexec.graphs import Graph
from ntkexec.program.layout import Flag, Layout, OneHot, Table, Word
from ntkexec.program.program import Program, Template, template
from ntkexec.programs import inputs
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.programs.reference import flooding as reference

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
    layout = Layout(
        computation=(
            Flag("receiving"),
            OneHot("colour", slots),
            Flag("informed"),
            Word("message", message_bits),
            Word("arrival", arrival_bits),
        ),
        messages=(
            Table(
                "inbox",
                slots,
                (Flag("full"), Word("message", message_bits)),
                occupied=min(degree + 1, slots),
            ),
        ),
    )
    templates = [
        *_clock(layout),
        *_keep(layout),
        *_send(layout, message_bits),
        *_receive(layout, slots, message_bits),
        *_count_rounds(layout, arrival_bits),
    ]
    return Program("flooding", layout, tuple(templates), round_length=STEPS_PER_ROUND)


def _clock(layout: Layout) -> list[Template]:
    receiving = layout.bit("receiving")
    return [template({receiving: 0}, [receiving], "alternate")]


def _keep(layout: Layout) -> list[Template]:
    kept = [*layout.bits("colour"), layout.bit("informed"), *layout.bits("message")]
    return [template({bit: 1}, [bit], "keep") for bit in kept]


def _send(layout: Layout, message_bits: int) -> list[Template]:
    templates = []
    for slot, colour in enumerate(layout.bits("colour")):
        mine = {layout.bit("receiving"): 0, colour: 1}
        full = layout.bit("inbox.full", slot=slot)
        templates.append(template(mine | {layout.bit("informed"): 1}, [full], "send"))
        for b in range(message_bits):
            out = layout.bit("inbox.message", b, slot=slot)
            templates.append(template(mine | {layout.bit("message", b): 1}, [out], "send"))
    return templates


def _receive(layout: Layout, slots: int, message_bits: int) -> list[Template]:
    receiving = {layout.bit("receiving"): 1}
    templates = []
    for slot in range(slots):
        full = layout.bit("inbox.full", slot=slot)
        templates.append(template(receiving | {full: 1}, [layout.bit("informed")], "receive"))
        for b in range(message_bits):
            came = layout.bit("inbox.message", b, slot=slot)
            templates.append(template(receiving | {came: 1}, [layout.bit("message", b)], "receive"))
    return templates


def _count_rounds(layout: Layout, arrival_bits: int) -> list[Template]:
    receiving, informed = layout.bit("receiving"), layout.bit("informed")
    waiting = {receiving: 1, informed: 0}
    bits = layout.bits("arrival")
    templates = []
    for b in range(arrival_bits):
        templates.append(template({receiving: 0, bits[b]: 1}, [bits[b]], "keep"))
        templates.append(template({receiving: 1, informed: 1, bits[b]: 1}, [bits[b]], "keep"))
        # Adding one flips bit b exactly if all lower bits are 1.
        carry = {lower: 1 for lower in bits[:b]}
        templates.append(template(waiting | {bits[b]: 0} | carry, [bits[b]], "count"))
        for lower in bits[:b]:
            templates.append(template(waiting | {bits[b]: 1, lower: 0}, [bits[b]], "count"))
    return templates


def num_templates(*, slots: int, message_bits: int, arrival_bits: int) -> int:
    """Templates of `program`, as a formula; the degree does not enter but through the slots."""
    flood = 1 + slots + (1 + message_bits) * (1 + 2 * slots)
    return flood + 3 * arrival_bits + arrival_bits * (arrival_bits - 1) // 2


def num_literals(*, degree: int, slots: int, message_bits: int, arrival_bits: int) -> int:
    """Conditions and outputs of all templates of `program`, as a formula."""
    flood = 7 * slots * message_bits + 9 * slots + 2 * message_bits
    return flood + arrival_bits * (3 * arrival_bits + 8) + 4


def num_state_bits(*, slots: int, message_bits: int, arrival_bits: int) -> int:
    """K of `program`, as a formula."""
    return 1 + slots + (1 + message_bits) * (1 + slots) + arrival_bits


def num_steps(rounds: int) -> int:
    """Steps for the message to travel `rounds` hops; a graph needs its sources' eccentricity."""
    return STEPS_PER_ROUND * rounds


@dataclasses.dataclass(frozen=True)
class Message:
    """A message as its bits, highest first as people write them: `Message.parse("1011")`."""

    bits: tuple[bool, ...]

    @classmethod
    def parse(cls, text: str) -> "Message":
        """Reads a string of 0s and 1s.

        Raises:
            ProgramError: empty, or another character.
        """
        if not text or set(text) - set("01"):
            raise ProgramError(f"a message is a string of 0s and 1s such as 1011, got {text!r}")
        return cls(tuple(c == "1" for c in text))

    @property
    def value(self) -> int:
        return sum(bit << place for place, bit in enumerate(reversed(self.bits)))

    def __len__(self) -> int:
        return len(self.bits)

    def __str__(self) -> str:
        return "".join("01"[bit] for bit in self.bits)


def instance(
    graph: Graph,
    *,
    sources: Sequence[int],
    message: Message,
    parameters: Mapping[str, int] | None = None,
) -> Instance:
    """Flooding on a graph, or on every graph of a batch at once.

    Args:
        graph: where.
        sources: indices of the nodes that hold the message, over the whole batch; every graph of a
            batch may have several, or none.
        message: what they hold.
        parameters: sizes of the program, if they are given; by default the least that fit.

    Raises:
        GraphError: no source, or an unknown one.
        ProgramError: the graph, the message or the arrival times do not fit the given sizes.
    """
    inputs.check_sources(graph, sources)
    rounds = inputs.rounds_needed(graph, sources)
    needed = {
        "degree": graph.degree,
        "slots": graph.num_colours,
        "message_bits": len(message),
        "arrival_bits": inputs.bits_for(rounds),
    }
    if parameters and parameters.get("message_bits") != len(message):
        raise ProgramError(
            f"message {message} has {len(message)} bits, the program takes "
            f"{parameters.get('message_bits')}"
        )
    sizes = inputs.sizes_for(graph, needed, parameters)
    flooding = program(**sizes)

    def expected() -> Answer:
        found = reference.expected(inputs.index_graph(graph), sources, message.value)
        return inputs.as_columns(found)

    return Instance(
        parameters=sizes,
        program=flooding,
        graph=graph,
        initial=initial_states(flooding, graph.colours, sources, message),
        num_steps=num_steps(rounds),
        inputs={"sources": [graph.names[s] for s in sources], "message": str(message)},
        decode=functools.partial(answer, flooding),
        reference=expected,
        formats={"informed": bool, "message": lambda value: format(value, f"0{len(message)}b")},
    )


def initial_states(
    flooding: Program, colours: np.ndarray, sources: Sequence[int], message: Message
) -> Bool[np.ndarray, "n k"]:
    """The states before the first step.

    Args:
        flooding: the program.
        colours: colour of every node in a two-hop colouring, shape (n,).
        sources: indices of the nodes that hold the message.
        message: what they hold.

    Raises:
        LayoutError: more colours than slots, or a message of another length.
    """
    if len(message) != len(flooding.layout.bits("message")):
        raise LayoutError(
            f"message {message} has {len(message)} bits, the program takes "
            f"{len(flooding.layout.bits('message'))}"
        )
    informed = np.zeros(len(colours), bool)
    informed[list(sources)] = True
    values = {"colour": colours, "informed": informed, "message": informed * message.value}
    return flooding.layout.pack(len(colours), values)


def answer(flooding: Program, states: Bool[np.ndarray, "n k"]) -> Answer:
    """What every node knows at the end: `informed` (0 or 1), `message`, `arrival`.

    `message` and `arrival` are -1 at nodes that the message did not reach.
    """
    fields = flooding.layout.unpack(states, strict=False)
    informed = fields["informed"]
    return {
        "informed": informed.astype(int),
        "message": np.where(informed, fields["message"], -1),
        "arrival": np.where(informed, fields["arrival"], -1),
    }


def prepare(
    graph: Graph,
    *,
    parameters: Mapping[str, int] | None = None,
    source: Hashable | None = None,
    sources: Sequence[Hashable] | None = None,
    message: str = "1011",
) -> Instance:
    """Flooding on a single graph, with nodes by name.

    Args:
        graph: where.
        parameters: sizes of the program, if they are given; by default the least that fit.
        source: the node that holds the message; by default the first.
        sources: several such nodes, instead of `source`.
        message: a string of 0s and 1s.

    Raises:
        GraphError: an unknown source, or both `source` and `sources`.
    """
    indices = inputs.source_indices(graph, source, sources)
    return instance(graph, sources=indices, message=Message.parse(message), parameters=parameters)


DEFAULT_ARRIVAL_BITS = 4


def sizes(
    *,
    degree: int | None,
    word: int | None,
    slots: int | None = None,
    arrival_bits: int | None = None,
) -> dict[str, int]:
    """The sizes of `program` for every graph of a degree.

    Args:
        degree: D, most neighbours of a node.
        word: bits of a message.
        slots: colours; by default D^2 + 1, which a two-hop colouring never exceeds.
        arrival_bits: of the arrival time.

    Raises:
        ProgramError: degree or word is missing.
    """
    if degree is None or word is None:
        raise ProgramError("flooding without a graph needs --degree and --word")
    return {
        "degree": degree,
        "slots": degree**2 + 1 if slots is None else slots,
        "message_bits": word,
        "arrival_bits": DEFAULT_ARRIVAL_BITS if arrival_bits is None else arrival_bits,
    }


ALGORITHM = Algorithm(
    name="flooding",
    summary="every node learns the sources' message",
    sizes=sizes,
    program=program,
    prepare=prepare,
    inputs=("source", "sources", "message"),
)
