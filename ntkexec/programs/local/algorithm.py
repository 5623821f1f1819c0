"""What a user writes: an algorithm of the LOCAL model in Python."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ntkexec.errors import ProgramError
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

    @property
    def takes_port(self) -> bool:
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


Stage = Update | Fold | Step


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
            if not isinstance(stage, Update | Fold | Step):
                raise ProgramError(
                    f"{self.name}: a stage is an Update, a Fold or a Step, not {stage!r}"
                )

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
