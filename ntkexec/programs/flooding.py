"""Message flooding: every node learns the sources' message, and in which round it arrives.

A round takes two steps. In the *send* step every node that has the message writes it into the slot
of its own colour; aggregation carries it to the neighbours. In the *receive* step a node takes over
what any slot holds. A node that does not have the message counts the rounds it waits.
"""

import dataclasses
import functools
from collections.abc import Hashable, Mapping, Sequence

import networkx as nx
import numpy as np
from jaxtyping import Bool
from scipy.sparse import csgraph, csr_array

from ntkexec.errors import GraphError, LayoutError, ProgramError
from ntkexec.graphs import Graph
from ntkexec.layout import Flag, Layout, OneHot, Table, Word
from ntkexec.programs.instance import Algorithm, Answer, Instance
from ntkexec.reference import flooding as reference
from ntkexec.template import Program, Template, template

STEPS_PER_ROUND = 2


def program(*, degree: int, slots: int, message_bits: int, arrival_bits: int) -> Program:
    """The flooding program.

    Args:
        degree: D, most neighbours that a node may have.
        slots: colours of the two-hop colouring, at most D^2 + 1 are ever needed.
        message_bits: length of the message.
        arrival_bits: length of the arrival time; rounds up to 2^arrival_bits - 1 can be counted.

    Raises:
        ProgramError: a size below 1 (below 0 for the degree).
    """
    sizes = {"slots": slots, "message_bits": message_bits, "arrival_bits": arrival_bits}
    for name, size in sizes.items():
        if size < 1:
            raise ProgramError(f"flooding needs {name} of at least 1, got {size}")
    if degree < 0:
        raise ProgramError(f"flooding needs a degree of at least 0, got {degree}")
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
        *_keep(layout, slots, message_bits),
        *_send(layout, slots, message_bits),
        *_receive(layout, slots, message_bits),
        *_count_rounds(layout, arrival_bits),
    ]
    return Program("flooding", layout, tuple(templates), round_length=STEPS_PER_ROUND)


def _clock(layout: Layout) -> list[Template]:
    receiving = layout.bit("receiving")
    return [template({receiving: 0}, [receiving], "alternate")]


def _keep(layout: Layout, slots: int, message_bits: int) -> list[Template]:
    kept = [layout.bit("colour", s) for s in range(slots)]
    kept += [layout.bit("informed")]
    kept += [layout.bit("message", b) for b in range(message_bits)]
    return [template({bit: 1}, [bit], "keep") for bit in kept]


def _send(layout: Layout, slots: int, message_bits: int) -> list[Template]:
    templates = []
    for slot in range(slots):
        mine = {layout.bit("receiving"): 0, layout.bit("colour", slot): 1}
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


def arrival_bits_for(rounds: int) -> int:
    """The least `arrival_bits` that can count up to `rounds`; at least 1."""
    return max(1, rounds.bit_length())


def rounds_needed(graph: Graph, sources: Sequence[int]) -> int:
    """The largest finite distance from the sources: rounds until the last node is informed."""
    edges = (graph.tuple.senders, graph.tuple.receivers)
    size = (graph.num_nodes, graph.num_nodes)
    adjacency = csr_array((np.ones(len(edges[0])), edges), shape=size)
    distances = csgraph.dijkstra(adjacency, indices=list(sources), unweighted=True, min_only=True)
    return int(distances[np.isfinite(distances)].max())


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
    check_sources(graph, sources)
    rounds = rounds_needed(graph, sources)
    needed = {
        "degree": graph.degree,
        "slots": graph.num_colours,
        "message_bits": len(message),
        "arrival_bits": arrival_bits_for(rounds),
    }
    sizes = dict(parameters) if parameters else needed
    if sizes.keys() != needed.keys():
        raise ProgramError(f"flooding takes the sizes {', '.join(needed)}, not {', '.join(sizes)}")
    for name in ("degree", "slots", "arrival_bits"):
        if sizes[name] < needed[name]:
            raise ProgramError(
                f"graph {graph.label!r} needs {name} of at least {needed[name]}, the program has "
                f"{sizes[name]}"
            )
    if sizes["message_bits"] != len(message):
        raise ProgramError(
            f"message {message} has {len(message)} bits, the program takes {sizes['message_bits']}"
        )
    flooding = program(**sizes)

    def expected() -> Answer:
        edges = nx.DiGraph()
        edges.add_nodes_from(range(graph.num_nodes))
        edges.add_edges_from(
            zip(graph.tuple.senders.tolist(), graph.tuple.receivers.tolist(), strict=True)
        )
        by_node = reference.flooding(edges, sources, message.value)
        fields = ("informed", "message", "arrival")
        return {f: np.array([by_node[v][f] for v in range(graph.num_nodes)]) for f in fields}

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


def check_sources(graph: Graph, sources: Sequence[int]) -> None:
    """Raises GraphError unless there is a source and all are nodes of the graph."""
    if len(sources) == 0:
        raise GraphError("flooding needs at least one source")
    if not 0 <= min(sources) <= max(sources) < graph.num_nodes:
        raise GraphError(f"sources {list(sources)} are not all nodes 0 to {graph.num_nodes - 1}")


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
    fields = flooding.layout.unpack(states)
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
    if source is not None and sources is not None:
        raise GraphError("give either source or sources, not both")
    if sources is None:
        sources = [graph.names[0] if source is None else source]
    indices = [graph.index(name) for name in sources]
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


ALGORITHM = Algorithm("flooding", "every node learns the sources' message", sizes, program, prepare)
