"""From a LOCAL algorithm with a `Gather` to a program for graphs that are split to a smaller degree.

The steps of one hop, which are the same in all of them (`split_simulation` says what a hop is):

send      everyone writes what it carries into its own slot, and opens the ports of this stage
listen    what came in at open ports is sorted by port; elsewhere the unit is heard
value     messages become what they count as, if they do not count themselves
combine   what was heard is combined; as many steps as the monoid takes
update    the phases of the body that stands for the function, if there is one
turn      what outer edges brought is noted as the node's own, and hops are counted; where the round
          ends, the next state and its message are looked up in the function's tables
compose   after a body, where the round has ended, everyone carries the message of its state

The depth is data, a counter that starts at 2^b - h: one program serves all graphs of a degree.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Bool as BoolArray

from ntkexec.graphs.ports import port_slots
from ntkexec.graphs.splitting import SplitGraph
from ntkexec.language import Builder, Choice, Flag, Number, all_of, initial_states
from ntkexec.language.values import bits_of
from ntkexec.program import limits
from ntkexec.program.program import Program
from ntkexec.programs import splits
from ntkexec.programs.inputs import bits_for
from ntkexec.programs.local.algorithm import Local, Node
from ntkexec.programs.local.compiler import columns_of, least_literals
from ntkexec.programs.local.gathering import MARK, Gathering
from ntkexec.programs.local.registers import declare, words_of
from ntkexec.programs.local.split_simulation import Ports, gather_of
from ntkexec.programs.local.synchroniser import HEARD, STATE
from ntkexec.programs.local.tabulation import TableSize, Tabulator, assign_all

OWN, CARRIED = "own", "carried"
STAGES = ("outer", "up", "down")


def hops_of(split: SplitGraph) -> int:
    """Hops that a round of an algorithm takes, 2h + 1, with an h of at least 1."""
    return 2 * splits.served_depth(split) + 1


def bits_of_depth(split: SplitGraph) -> int:
    """Bits of h, and so of the counter of hops."""
    return bits_for(splits.served_depth(split))


@dataclasses.dataclass(frozen=True)
class SplitCompiled:
    """A LOCAL algorithm as a program for split graphs.

    Args:
        algorithm: what was compiled.
        degree: D, most neighbours of a node of the split graph.
        slots: colours.
        depth_bits: of the counter of hops; trees of a depth of up to 2^depth_bits - 1 fit.
        program: its templates; a hop is `program.round_length` steps.
        tables: the functions that were tabulated, in the order of the hop.
    """

    algorithm: Local
    degree: int
    slots: int
    depth_bits: int
    program: Program
    tables: tuple[TableSize, ...]

    @property
    def steps_per_hop(self) -> int:
        """Steps of a hop."""
        return self.program.round_length

    def num_steps(self, rounds: int, split: SplitGraph) -> int:
        """Steps of so many rounds of the algorithm."""
        return rounds * hops_of(split) * self.steps_per_hop

    def initial(self, split: SplitGraph, nodes: Sequence[Node]) -> BoolArray[np.ndarray, "N k"]:
        """The states of all nodes of the split graph before the first step.

        Args:
            split: the graph and its trees.
            nodes: what the original nodes know.
        """
        algorithm, gather, program = self.algorithm, gather_of(self.algorithm), self.program
        carrier, num_ports = gather.monoid.carrier, max(1, self.degree)
        graph, ports = split.graph, Ports.of(split, num_ports)
        values = {
            "colour": graph.colours,
            "port.slot": port_slots(graph, num_ports),
            **{f"kind.{kind}": getattr(ports, kind) for kind in ("outer", "upper", "lower")},
            "root": splits.is_root(split),
            "start": (1 << self.depth_bits) - splits.served_depth(split),
            "stage": STAGES.index("outer"),
        }
        states = initial_states(program, graph.num_nodes, values)
        codes, messages = [], []
        for node in nodes:
            state = algorithm.start(node)
            message = algorithm.send(state)
            codes.append(algorithm.state.encode(state))
            messages.append(carrier.encode(gather.monoid.unit if message is None else message))
        states[:, columns_of(program, algorithm.state, STATE)] = np.array(codes)[split.owner]
        states[:, columns_of(program, carrier, CARRIED)] = np.array(messages)[split.owner]
        if gather.mark is not None:
            marks = [dict(zip(node.neighbours, gather.marks(node), strict=True)) for node in nodes]
            columns = [columns_of(program, gather.mark, f"{MARK}{p}") for p in range(num_ports)]
            for index, port in np.argwhere(ports.outer).tolist():
                other = nodes[split.owner[ports.neighbours[index, port]]].identifier
                mark = marks[split.owner[index]][other]
                states[index, columns[port]] = gather.mark.encode(mark)
        return states

    def decode(self, states: BoolArray[np.ndarray, "n k"]) -> list[Any]:
        """The algorithm's state of nodes, between rounds."""
        kind = self.algorithm.state
        columns = columns_of(self.program, kind, STATE)
        return [kind.decode(row[columns]) for row in states]


def compile_split(algorithm: Local, *, degree: int, slots: int, depth_bits: int) -> SplitCompiled:
    """The program of a LOCAL algorithm for split graphs.

    Args:
        algorithm: what a node of the original graph does; its only stage is a `Gather`.
        degree: D, most neighbours of a node of the split graph.
        slots: colours of its two-hop colouring; D^2 + 1 are always enough.
        depth_bits: see `SplitCompiled`.

    Raises:
        ProgramError: another kind of stage, a monoid that is none, what `compile` refuses, or a
            program beyond `limits`.
    """
    bits = gather_of(algorithm).monoid.carrier.num_bits
    limits.check_program(
        algorithm.name,
        lambda *, degree, slots, depth_bits: least_split_literals(
            degree=degree, slots=slots, depth_bits=depth_bits, message_bits=bits
        ),
        degree=degree,
        slots=slots,
        depth_bits=depth_bits,
    )
    writer = _Hop(algorithm, degree=degree, slots=slots, depth_bits=depth_bits)
    program = writer.compile()
    return SplitCompiled(algorithm, degree, slots, depth_bits, program, tuple(writer.table.sizes))


def least_split_literals(*, degree: int, slots: int, depth_bits: int, message_bits: int = 1) -> int:
    """What the templates that carry messages and count hops have at least."""
    carried = least_literals(degree=degree, slots=slots, message_bits=message_bits, by_port=True)
    return carried + 2 * depth_bits


class _Hop:
    """Writes the phases of a hop."""

    def __init__(self, algorithm: Local, *, degree: int, slots: int, depth_bits: int) -> None:
        p = Builder(algorithm.name, slots=slots, degree=degree)
        self.p, self.algorithm, self.gather = p, algorithm, gather_of(algorithm)
        self.num_ports = max(1, degree)
        self.table = Tabulator(algorithm.name)
        self.writer = Gathering(algorithm, self.gather, p, self.table, self.num_ports)
        carrier = self.gather.monoid.carrier
        leads = (Flag("outer"), Flag("upper"), Flag("lower"))
        self.kind = p.table("kind", self.num_ports, *leads, constant=True)
        self.root = p.flag("root", constant=True)
        self.start = p.word("start", depth_bits, constant=True)
        self.tick = p.word("tick", depth_bits)
        self.stage = p.choice("stage", len(STAGES), exclusive=True)
        # Conditions of several bits become flags before they guard anything.
        self.open = p.flags("open", self.num_ports, temporary=True)
        self.ends = p.flag("ends")
        self.state = declare(p, algorithm.state, STATE)
        self.own = declare(p, carrier, OWN)
        self.carried = declare(p, carrier, CARRIED)
        self.heard = [declare(p, carrier, f"{HEARD}{port}") for port in range(self.num_ports)]
        self.inbox = p.message(*words_of(carrier, "sent"))

    def compile(self) -> Program:
        """The program."""
        self._send()
        self._listen()
        outer = self.stage[STAGES.index("outer")]
        self.writer.count(self.heard, [outer & kind.outer for kind in self.kind])
        self.writer.combine(self.carried, self.heard)
        if self.gather.body is None:
            self._turn()
        else:
            self.writer.body(self.state, self.carried, when=self.ends)
            self._turn()
            message = self.writer.sent(self.state)
            with self.p.phase("compose"):
                assign_all(self.p, self.carried, message, when=outer)
        return self.p.compile()

    def _send(self) -> None:
        p, (outer, up, down) = self.p, self.stage
        with p.phase("send"):
            start = 0
            for leaf in words_of(self.gather.monoid.carrier, "sent"):
                part = Number(self.carried[start : start + leaf.num_bits])
                p.send(getattr(self.inbox, leaf.name), part)
                start += leaf.num_bits
            for kind, flag in zip(self.kind, self.open, strict=True):
                p.set(flag, when=(outer & kind.outer) | (up & kind.lower) | (down & kind.upper))
            p.assign(self.ends, down & all_of(self.tick))

    def _listen(self) -> None:
        p, (outer, up, down) = self.p, self.stage
        # What the node itself begins with: in an outer hop its own message at the root, if it counts.
        kept = self.root & (outer | down) if self.gather.own else self.root & down
        left = (outer | down) & ~kept
        with p.phase("listen"):
            for port, register in enumerate(self.heard):
                records = [p.at_port(port, field) for field in self._fields()]
                arrived = [bit for record in records for bit in bits_of(record)]
                for target, bit, one in zip(register, arrived, self.writer.unit, strict=True):
                    closed = ~self.open[port] & one
                    p.assign(target, (bit & self.open[port]) | closed)
            for target, own, one in zip(self.carried, self.own, self.writer.unit, strict=True):
                p.assign(target, (up & own) | (kept & target) | (left & one))

    def _fields(self) -> list[Any]:
        names = (leaf.name for leaf in words_of(self.gather.monoid.carrier, "sent"))
        return [getattr(self.inbox, name) for name in names]

    def _turn(self) -> None:
        p, (outer, up, down) = self.p, self.stage
        last = all_of(self.tick)
        by_table = self.gather.body is None
        # Tables before the phase, in which nothing else is to happen.
        state = self.writer.updated(self.state, self.carried) if by_table else ()
        message = self.writer.next_message(self.state, self.carried) if by_table else ()
        with p.phase("turn"):
            if by_table:
                assign_all(p, self.state, state, when=self.ends)
                assign_all(p, self.carried, message, when=self.ends)
            assign_all(p, self.own, self.carried, when=outer)
            following = (self.ends, outer | (up & ~last), (up & last) | (down & ~self.ends))
            p.assign(self.stage, Choice(following))
            p.assign(self.tick, self.tick + 1, when=(up | down) & ~last)
            p.assign(self.tick, self.start, when=outer | last)
