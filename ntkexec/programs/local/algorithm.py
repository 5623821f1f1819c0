"""What a user writes: an algorithm of the LOCAL model in Python."""

import dataclasses
import functools
import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from ntkexec.errors import ProgramError
from ntkexec.programs.local.enumeration import values
from ntkexec.programs.local.monoids import Monoid
from ntkexec.programs.local.types import Optional, Type


@dataclasses.dataclass(frozen=True)
class Node:
    """What a node knows at the start.

    Args:
        identifier: unique in its graph, 0 to `num_nodes` - 1.
        neighbours: identifiers of its neighbours, increasing; port p leads to the p-th.
        num_nodes: nodes of its graph.
        input: its own input, whatever the algorithm was asked; None by default.
    """

    identifier: int
    neighbours: tuple[int, ...]
    num_nodes: int
    input: Any = None

    @property
    def degree(self) -> int:
        return len(self.neighbours)

    def port(self, neighbour: int) -> int:
        """The port that leads to a neighbour.

        Raises:
            ProgramError: it is none; says which are.
        """
        if neighbour not in self.neighbours:
            raise ProgramError(
                f"{neighbour} is no neighbour of node {self.identifier}; "
                f"{', '.join(map(str, self.neighbours)) or 'no node'} is"
            )
        return self.neighbours.index(neighbour)


@dataclasses.dataclass(frozen=True)
class Update:
    """A stage that sees all messages at once: `function(state, received) -> state`.

    `received[p]` is what came in at port p, or None: no neighbour there, or it was silent.

    Args:
        function: what the stage computes; compiled from its table if there is no body.
        body: the same in the instruction language, `body(p, state, received)`: writes phases that
            assign to the fields of `state`; see `ntkexec.programs.local.Received`.
    """

    function: Callable[..., Any]
    body: Callable[..., None] | None = None


@dataclasses.dataclass(frozen=True)
class Fold:
    """A stage that sees one port after another: `function(state, message, port) -> state`.

    It takes a step for each of the D ports, and its table grows with one message instead of D.
    The message is None where nothing came. A function that takes no port is the same at each.

    Args:
        function: what is done at a port.
    """

    function: Callable[..., Any]

    @functools.cached_property
    def takes_port(self) -> bool:
        # Once: a simulation asks at every port of every node.
        return len(inspect.signature(self.function).parameters) > 2

    def at_port(self, state: Any, message: Any, port: int) -> Any:
        """The state after a port."""
        given = (port,) if self.takes_port else ()
        return self.function(state, message, *given)


@dataclasses.dataclass(frozen=True)
class Step:
    """A stage without messages: `function(state) -> state`.

    Args:
        function: what the stage computes.
        body: the same in the instruction language, `body(p, state)`.
    """

    function: Callable[..., Any]
    body: Callable[..., None] | None = None


@dataclasses.dataclass(frozen=True)
class Gather:
    """A stage that reads what it hears only by a commutative monoid: `function(state, total) -> state`.

    `total` combines what came in at all ports. Messages are values of the monoid's carrier, and
    silence is its unit. Such a stage does not see ports, so it is the one that also runs on graphs
    split to a smaller degree; see `compile_split`.

    Args:
        monoid: how messages are combined.
        function: what the stage computes; compiled from its table if there is no body.
        body: the same in the instruction language, `body(p, state, total)`, which assigns to fields
            of `state` and to temporary ones. On a split graph its phases are gone through in every
            hop, and its statements are carried out at the end of a round.
        own: whether the node's own message is combined with the others.
        mark: type of what a node knows of a neighbour from the start, if it does.
        marked: `marked(node, neighbour)` gives it; the neighbour by its identifier.
        value: `value(message, mark)`, which counts instead of the message.
    """

    monoid: Monoid
    function: Callable[..., Any]
    body: Callable[..., None] | None = None
    own: bool = False
    mark: Type | None = None
    marked: Callable[[Node, int], Any] | None = None
    value: Callable[[Any, Any], Any] | None = None

    def __post_init__(self) -> None:
        given = [part is not None for part in (self.mark, self.marked, self.value)]
        if any(given) and not all(given):
            raise ProgramError("a Gather takes mark, marked and value together, or none of them")

    def check(self) -> str:
        """How it is known that messages combine by a commutative monoid.

        Raises:
            ProgramError: they do not; or silence counts as something at a mark. Names the values.
        """
        unit = self.monoid.unit
        for mark in () if self.mark is None else values(self.mark):
            assert self.value is not None, "mark and value are given together"
            if (found := self.value(unit, mark)) != unit:
                raise ProgramError(
                    f"{self.monoid.name}: the unit {unit!r} at mark {mark!r} counts as {found!r}; it is "
                    "sent for silence, so it must count as itself"
                )
        return self.monoid.check()

    def marks(self, node: Node) -> tuple[Any, ...]:
        """What a node knows of its neighbours, by port; None where nothing is asked."""
        return tuple(
            None if self.marked is None else self.marked(node, other) for other in node.neighbours
        )

    def counted(self, message: Any, mark: Any) -> Any:
        """The value of the carrier that a message counts as; None is silence."""
        if message is None:
            return self.monoid.unit
        return message if self.value is None else self.value(message, mark)

    def after(self, state: Any, own: Any, received: Iterable[Any], marks: Iterable[Any]) -> Any:
        """The state after the stage.

        Args:
            state: before it.
            own: the node's own message.
            received: what came in, by port.
            marks: what the node knows of its neighbours, by port.
        """
        counted = [self.counted(*pair) for pair in zip(received, marks, strict=True)]
        begin = [own] if self.own and own is not None else []
        return self.function(state, self.monoid.total([*begin, *counted]))


Stage = Update | Fold | Step | Gather


@dataclasses.dataclass(frozen=True)
class Local:
    """A LOCAL algorithm with states and messages of given finite types.

    In every round each node sends, hears from its neighbours, and updates its state by the stages,
    one after the other.

    Args:
        name: an identifier; may hold dashes.
        state: type of a state.
        message: type of a message.
        init: `init(node) -> state`.
        send: `send(state) -> message` for all neighbours, None for silence; addressed,
            `send(state, port)` for each.
        stages: the update.
        output: `output(state, node)` gives a whole number for every field of the answer, -1 where
            it has none.
        addressed: whether messages differ from port to port.
        halted: whether a node is done; asked after the last round.
        rounds: T, if it is the same on all graphs.
    """

    name: str
    state: Type
    message: Type
    init: Callable[[Node], Any]
    send: Callable[..., Any]
    stages: Sequence[Stage]
    output: Callable[[Any, Node], Mapping[str, int]]
    addressed: bool = False
    halted: Callable[[Any], bool] | None = None
    rounds: int | None = None

    def __post_init__(self) -> None:
        Optional(self.message)
        if not self.stages:
            raise ProgramError(f"{self.name} has no stage, so its states would never change")
        for stage in self.stages:
            if not isinstance(stage, Stage):
                raise ProgramError(
                    f"{self.name}: a stage is an Update, a Fold, a Step or a Gather, not {stage!r}"
                )
        if (gather := self.gather) is not None:
            if len(self.stages) > 1:
                raise ProgramError(
                    f"{self.name}: a Gather is the only stage; what comes after it is part of its function"
                )
            if self.addressed or gather.monoid.carrier != self.message:
                raise ProgramError(
                    f"{self.name}: a Gather combines messages, so they are the same for all neighbours "
                    "and of its monoid's carrier"
                )

    @property
    def gather(self) -> Gather | None:
        """The stage that reads what is heard only by a monoid, if the algorithm is of that kind."""
        return next((stage for stage in self.stages if isinstance(stage, Gather)), None)

    def start(self, node: Node) -> Any:
        """The state of a node before the first round.

        Raises:
            ProgramError: `init` raises, or gives what is no state; names the node.
        """
        try:
            state = self.init(node)
            self.state.encode(state)
        except Exception as error:
            raise ProgramError(f"{self.name}: init of node {node.identifier}: {error}") from error
        return state

    def check_halted(self, node: Node, state: Any, rounds: int) -> None:
        """Raises ProgramError, naming the node and its state, unless it is done."""
        if self.halted is not None and not self.halted(state):
            raise ProgramError(
                f"{self.name}: node {node.identifier} has not halted after {rounds} rounds, its state "
                f"is {state}"
            )
