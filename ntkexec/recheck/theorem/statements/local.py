"""A program carries out a LOCAL algorithm, given as tables, round by round on all graphs.

The induction is over the parts of a round, and local. Before each part every node satisfies what is
`held` there; if a node and its in-neighbours satisfy it before a part, the node does so after it, and
its state went through the table of that part. A part is one step; only a stage that was written in the
instruction language takes several, which are unrolled.

Ghosts: the state of a node before the part, and the messages of its in-neighbours. Of both nothing is
assumed but that they are values; of a table nothing but what it says.
"""

from collections.abc import Mapping
from typing import Any

from ...program import Program
from ...reading import need
from ..circuit import TRUE, Bits, Literal
from ..clockwork import Known, controls_of, first_clock, placed
from ..obligation import Obligation
from ..step import Fields, exchange, first_state, state_of
from ..tables import Algorithm, Part, Stage, is_value, parse_algorithm, width
from ..theorem import COLOURING, SEMANTICS, Theorem
from .neighbourhood import Neighbourhood

PORTS, REVERSE = "port.slot", "reverse.port"


def theorem(program: Program, sizes: Mapping[str, int], specification: Any = None) -> Theorem:
    """A LOCAL algorithm's rounds.

    Args:
        program: the templates.
        sizes: `degree` and `slots` are used.
        specification: the algorithm as data, see `tables.parse_algorithm`.

    Raises:
        Rejected: the specification is malformed, or not for this degree.
    """
    degree, slots = max(1, sizes["degree"]), sizes["slots"]
    algorithm = parse_algorithm(specification, degree)
    controls = controls_for(program, algorithm)

    def obligation(position: int) -> Any:
        return lambda: build(position, program, sizes, algorithm, controls)

    names = ["base", *(name_of(algorithm, part) for part in algorithm.parts)]
    need(len(set(names)) == len(names), "two parts of one name")
    where = ", ".join(f"`{path}`" for path in algorithm.fields["state"])
    graphs = f"graphs of any number of nodes with at most {degree} in-neighbours a node"
    mutual = ", undirected" if algorithm.addressed else ", directed or not"
    return Theorem(
        name="local",
        sizes=dict(sizes),
        sentence=(
            f"After k rounds of {len(controls) - 1} steps, k = 0, 1, 2, ..., the fields {where} of every"
            f" node hold its state after k rounds of the LOCAL algorithm {algorithm.name!r}, whose"
            " functions are the tables of the specification: in a round every node hears at each port"
            f" what `send` makes of the state of the in-neighbour there{to_port(algorithm)}, nothing at"
            " a free port, and its own state goes through the stages, one after the other:"
            f" {', '.join(stage.kind for stage in algorithm.stages)}."
        ),
        scope=(
            graphs + mutual,
            f"any two-hop colouring with at most {slots} colours",
            f"any first states that are values of the state's type, {width(algorithm.state)} bits",
        ),
        prose=(
            "The tables are what the algorithm's Python functions compute. They were found by calling"
            " these for every case that they tell apart, and compared with them: "
            f"{compared(specification)}.",
            "A property that holds of all nodes before step 0, and after a step if it holds of all nodes"
            " before it, holds of all nodes before every step.",
            "The first states are as `base` says, with the state that `init` gives a node; an answer is"
            f" what `output` makes of the state in the fields {where} after the last round.",
            "Every in-neighbour of a node is at one port of it, and free ports are last.",
            *([MUTUAL] if algorithm.addressed else []),
            *COLOURING,
            *SEMANTICS,
        ),
        obligations={name: obligation(position) for position, name in enumerate(names, -1)},
    )


def controls_for(program: Program, algorithm: Algorithm) -> list[Known]:
    """What the clock alone decides before each step, but for the states, of which the tables speak."""
    own = [bit for path in algorithm.fields["state"] for bit in program.fields.get(path, [])]
    found = controls_of(program, sum(part.num_steps for part in algorithm.parts))
    return [{bit: one for bit, one in each.items() if bit not in own} for each in found]


MUTUAL = (
    "For each port p of a node the field `reverse.port` holds the port at which the neighbour there has"
    " the node."
)


def to_port(algorithm: Algorithm) -> str:
    """What the sentence says of addressed messages."""
    return " for the port at which it has this node" if algorithm.addressed else ""


def compared(specification: Any) -> str:
    """How often each table was compared with its function, in words, as its maker says."""
    tables = [*specification["send"], *(t for s in specification["stages"] for t in s["tables"])]
    return ", ".join(
        f"`{t['function']}` at {t['compared']} of {t['values']} inputs" for t in tables
    )


def name_of(algorithm: Algorithm, part: Part) -> str:
    """The obligation of a part of the round."""
    if part.stage is None:
        return part.kind
    port = "" if part.port is None else f"-port-{part.port}"
    return f"{algorithm.stages[part.stage].kind}-{part.stage}{port}"


class World(Neighbourhood):
    """Ghosts, and what holds before a part of the round.

    Args:
        obligation: takes the inputs and the assumptions.
        program: what the nodes execute.
        sizes: of the program.
        algorithm: what it is to carry out.
        sending: whether the messages of in-neighbours are what their states make of them, not ghosts.
        coloured: see `Neighbourhood`.

    Attributes:
        value: the state of the node and each in-neighbour, as a code.
        message: of each of them the code of what it sends, by address.
        total: by member, that the tables of `send` have a result, which is a value.
    """

    def __init__(
        self,
        obligation: Obligation,
        program: Program,
        sizes: Mapping[str, int],
        algorithm: Algorithm,
        *,
        sending: bool,
        coloured: bool = True,
    ) -> None:
        super().__init__(obligation, max(1, sizes["degree"]), sizes["slots"], coloured=coloured)
        c, o = self.circuit, obligation
        self.program, self.algorithm = program, algorithm
        self.value = [o.input(f"value{x}", width(algorithm.state)) for x in self.members]
        for own in self.value:
            o.assume(is_value(c, algorithm.state, own), "states are values")
        self.message: list[list[Bits]] = []
        self.total: list[Literal] = []
        addresses = range(len(algorithm.send))
        for x in self.members:
            # A body may read the inbox before the state has changed; the own message is there too.
            ghostly = x > 0 and not sending
            if not ghostly:
                found = [table.look_up(c, self.value[x]) for table in algorithm.send]
            else:
                ghosts = [o.input(f"message{x}-{a}", width(algorithm.message)) for a in addresses]
                found = [(TRUE, bits) for bits in ghosts]
            sent = [bits for _, bits in found]
            right = [is_value(c, algorithm.message, bits) for bits in sent]
            if ghostly:
                o.assume(c.all(right), "messages are values, or missing")
            self.message.append(sent)
            self.total.append(c.all([*(defined for defined, _ in found), *right]))
        self.reverse: list[Bits] = []
        if algorithm.addressed:
            need(REVERSE in program.fields, f"the program has no field {REVERSE}")
            bits = self.degree.bit_length()
            self.reverse = [o.input(f"reverse{p}", bits) for p in range(self.degree)]
            for here, own in zip(self.present, self.reverse, strict=True):
                fits = c.at_most(own, c.number(self.degree, bits))
                o.assume(c.iff(here, -c.equals(own, 0)), "ports of neighbours, where there are any")
                o.assume(fits, "ports of neighbours, where there are any")

    def received(self, port: int) -> Bits:
        """What is heard at a port; all 0 if nothing."""
        c, own = self.circuit, self.message[port + 1]
        if self.reverse:
            meant = [c.equals(self.reverse[port], address + 1) for address in range(len(own))]
            chosen = [c.where(one, bits) for one, bits in zip(meant, own, strict=True)]
            heard = [c.any(bits) for bits in zip(*chosen, strict=True)]
        else:
            (heard,) = own
        return c.where(self.present[port], heard)

    def spread(self, paths: Any, bits: Bits) -> Fields:
        """Bits over the fields that hold them, one after the other."""
        need(isinstance(paths, list), "fields are a list")
        need(all(path in self.program.fields for path in paths), f"no fields {paths}")
        out, start = {}, 0
        for path in paths:
            size = len(self.program.fields[path])
            out[path] = bits[start : start + size]
            start += size
        need(start == len(bits), f"{len(bits)} bits do not fit into {', '.join(paths)}")
        return out

    def inbox(self) -> Fields:
        """The messages of the node and its in-neighbours, in the slots of their colours."""
        out: Fields = {}
        for address, paths in enumerate(self.algorithm.fields["sent"]):
            sent = zip(*(own[address] for own in self.message), strict=True)
            by_slot = zip(*(self.by_slot(list(bits)) for bits in sent), strict=True)
            rows = [list(row) for row in by_slot]
            start = 0
            for path in paths:
                need(path in self.program.fields, f"no field {path!r}")
                size = len(self.program.fields[path][0])
                out[path] = [row[start : start + size] for row in rows]
                start += size
            need(all(len(row) == start for row in rows), "a message does not fit its fields")
        return out

    def held(self, position: int, x: int) -> Known:
        """What a node's bits are before a part, as far as anything is known but the clock.

        Args:
            position: of the part; the number of parts after the last.
            x: which node.
        """
        parts, paths = self.algorithm.parts, self.algorithm.fields
        done = [part.kind for part in parts[:position]]
        ahead = parts[position:]
        out: Fields = {"colour": self.colour[x]}
        sends = bool(ahead) and ahead[0].kind == "send"
        if x == 0 or (sends and not done):
            out |= self.spread(paths["state"], self.value[x])
        if sends and done:
            for address, bits in enumerate(self.message[x]):
                out |= self.spread(paths["composed"][address], bits)
        if x == 0:
            if PORTS in self.program.fields:
                out[PORTS] = self.port_slots()
            if self.reverse:
                out[REVERSE] = self.reverse
            if done and done[-1] == "send":
                out |= self.inbox()
            if "listen" in done and any(self.listens(part) for part in ahead):
                for port in range(self.degree):
                    out |= self.spread(paths["heard"][port], self.received(port))
        return placed(self.program, out)

    def listens(self, part: Part) -> bool:
        """Whether a part needs the messages."""
        return part.stage is not None and self.algorithm.stages[part.stage].kind != "step"

    def advance(self, stage: Stage, port: int | None) -> Literal:
        """The node's state goes through a table; whether that has a result, which is a value."""
        c = self.circuit
        heard = {"fold": [port or 0], "update": range(self.degree), "step": []}[stage.kind]
        inputs = [*self.value[0], *(bit for p in heard for bit in self.received(p))]
        defined, after = stage.tables[port or 0].look_up(c, inputs)
        self.value[0] = after
        return c.all([defined, is_value(c, self.algorithm.state, after)])


def build(
    position: int,
    program: Program,
    sizes: Mapping[str, int],
    algorithm: Algorithm,
    controls: list[Known],
    *,
    coloured: bool = True,
) -> Obligation:
    """One obligation of the induction.

    Args:
        position: of the part of the round; -1 for the first states.
        program: what the nodes execute.
        sizes: of the program.
        algorithm: what it is to carry out.
        controls: see `controls_for`.
        coloured: see `Neighbourhood`; without it is a control.
    """
    parts = algorithm.parts
    if position < 0:
        o = Obligation("base")
        world = World(o, program, sizes, algorithm, sending=False)
        first = state_of(program, first_clock(program))
        for bit, one in world.held(0, 0).items():
            first[bit] = one
        conclude(world, first_state(o, program, first), 0, controls[0])
        return o
    part = parts[position]
    o = Obligation(name_of(algorithm, part))
    sending = position == 0
    world = World(o, program, sizes, algorithm, sending=sending, coloured=coloured)
    at = sum(one.num_steps for one in parts[:position])
    own = before(world, world.held(position, 0), controls[at], "other0")
    for offset in range(part.num_steps):
        states = [own]
        for x in world.members[1:]:
            held = world.held(position, x) if offset == 0 else {}
            states.append(before(world, held, controls[at + offset], f"other{x}-{offset}"))
        own = exchange(o, program, states, world.present)
        if offset + 1 < part.num_steps:
            conclude_clock(world, own, controls[at + offset + 1])
    if sending:
        o.conclude(world.total[0], "table")
    if part.stage is not None:
        o.conclude(world.advance(algorithm.stages[part.stage], part.port), "table")
    ends = position + 1 == len(parts)
    end = 0 if ends else at + part.num_steps
    # What takes several steps is hard to prove: one field at a time.
    split = part.num_steps > 1
    conclude(world, own, 0 if ends else position + 1, controls[end], split=split)
    return o


def before(world: World, held: Known, control: Known, rest: str) -> Bits:
    """A state of which this is known; what is not may be anything."""
    known = control | held
    free = [bit for bit in range(world.program.num_bits) if bit not in known]
    other = dict(zip(free, world.obligation.input(rest, len(free)), strict=True))
    return [known[bit] if bit in known else other[bit] for bit in range(world.program.num_bits)]


def conclude(
    world: World, state: Bits, position: int, control: Known, *, split: bool = False
) -> None:
    """A state is as it is to be before a part; `split` makes every field a part of its own."""
    o, c = world.obligation, world.circuit
    held, paths = world.held(position, 0), world.algorithm.fields["state"]
    for path in paths:
        for bit in world.program.fields[path]:
            o.conclude(c.iff(state[bit], held.pop(bit)), path if split else "state")
    for bit, one in held.items():
        o.conclude(c.iff(state[bit], one), "held")
    conclude_clock(world, state, control)


def conclude_clock(world: World, state: Bits, control: Known) -> None:
    """A state has the bits that the clock decides, which its in-neighbours rely on."""
    for bit, one in control.items():
        world.obligation.conclude(world.circuit.iff(state[bit], one), "clock")
