"""Programs that somebody brings, on a graph: their states, their answer, and what it is compared with."""

import dataclasses
import operator
import os
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Bool
from numpy.typing import ArrayLike

from ntkexec.engines.boolean import program_engine
from ntkexec.errors import LayoutError, ProgramError, clean, shown
from ntkexec.executor import Execution, execute
from ntkexec.graphs import Graph, port_slots
from ntkexec.language import initial_states
from ntkexec.language.fields import COLOUR, PORT
from ntkexec.language.places import PHASE, TURN
from ntkexec.program.fields import INVALID, Bits, Code, Flag, Leaf, Table
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.programs.given import as_array, column
from ntkexec.programs.instance import Answer, Instance
from ntkexec.runtime import archives
from ntkexec.vocabulary import Until

States = Mapping[str, object] | ArrayLike | str | os.PathLike[str]
"""States before the first step: an array of bits, values by field, or an .npz file of either."""

# Any: the graph as it was given, and an answer by field.
Reference = Callable[[Any], Mapping[str, Any]]

STATES = "states"
"""The array of an .npz file that holds whole states; any others are values of fields."""


def own_instance(
    program: Program,
    graph: Graph,
    *,
    initial: States | None = None,
    steps: int | None = None,
    until: Until | None = None,
    reference: Reference | None = None,
    given_graph: object = None,
) -> Instance:
    """Somebody's program on a graph, ready to run and to be judged.

    The program itself is executed first. So the number of steps is known where a run ends by itself,
    and messages that would meet are found before anything is trained.

    Args:
        program: what a node does.
        graph: where.
        initial: states before the first step, nodes in the order of the graph: (n, K) zeros and
            ones, or values by field, each with a row for every node or by its name, or a file of
            either. What the language adds (clock, colour, ports) is filled in; of the fields that are
            given any others are zeros.
        steps: how many, or at most how many.
        until: what ends the run; by default all steps are done.
        reference: from the graph, an answer by field, nodes in the order of the graph or by name; it
            decides what is exact. Without one the program's own execution does, bit by bit.
        given_graph: what the reference is called with; by default the graph.

    Raises:
        NtkexecError: what is missing, or does not fit.
    """
    if steps is None:
        raise ProgramError(
            f"{program.name} needs a number of steps: steps=..., or --steps (a round takes "
            f"{program.round_length}); with until 'halt' or 'fixed-point' the most to be done"
        )
    try:
        steps = operator.index(steps)
    except TypeError:
        raise ProgramError(f"steps are a whole number, not {shown(steps)}") from None
    if reference is not None and not callable(reference):
        raise ProgramError(f"a reference is a function of the graph, not {shown(reference)}")
    check_fits(program, graph)
    states = states_of(program, graph, initial)
    alone = _alone(program, graph, states, steps, until or "steps")
    layout, answer = program.layout, None
    paths = _told(program)
    if reference is not None:
        answer = _answer_of(layout, graph, reference(graph if given_graph is None else given_graph))
        paths = tuple(dict.fromkeys([*answer, *paths]))

    def decode(final: Bool[np.ndarray, "n k"]) -> Answer:
        values = layout.unpack(final, strict=False)
        return {path: _column(layout.leaves[path], values[path]) for path in paths}

    def expected() -> Answer:
        return decode(alone.states) if answer is None else answer

    kept = isinstance(initial, str | os.PathLike)
    return Instance(
        sizes={},
        program=program,
        graph=graph,
        initial=states,
        num_steps=alone.steps,
        inputs={"initial": os.fspath(initial) if kept else "given", "steps": steps},  # type: ignore[arg-type]
        decode=decode,
        reference=expected,
        formats={path: form for path in paths if (form := _format(layout, path)) is not None},
        signed=frozenset(p for p in paths if getattr(layout.leaves[p], "signed", False)),
        until=until or "steps",
        final=alone.states if answer is None else None,
    )


def ended_by(instance: Instance, until: Until | None) -> Instance:
    """An instance whose run is to end otherwise than it says itself.

    Where the program's own execution judges, that execution has to end so too.

    Args:
        instance: of any program.
        until: what ends the run; None for what the instance says.

    Raises:
        NtkexecError: it is to run until all nodes halt, and has no halt flag.
    """
    if until in (None, instance.until) or instance.final is None:
        return instance
    assert until is not None
    alone = _alone(
        instance.program, instance.executed_graph, instance.initial, instance.num_steps, until
    )
    return dataclasses.replace(
        instance,
        num_steps=alone.steps,
        until=until,
        reference=lambda: instance.decode(alone.states),
        final=alone.states,
    )


def _alone(
    program: Program,
    graph: Graph,
    states: Bool[np.ndarray, "n k"],
    steps: int,
    until: Until,
) -> Execution:
    """The program's own execution."""
    if until == "halt" and program.halt is None:
        raise ProgramError(
            f"{program.name} has no halt flag; it can run until steps or fixed-point"
        )
    found = execute(
        program_engine(LearningProblem(program)),
        program,
        graph.tuple._replace(nodes=states),
        num_steps=steps,
        until=until,
        verify=False,
    )
    if found.collisions:
        raise ProgramError(
            f"two neighbours of a node write the same message bit, at {found.collisions} receptions of "
            f"{program.name} on {clean(graph.label)}, and their sum means nothing: give every node "
            "message bits of its own, by its colour in a two-hop colouring (Graph.colours)"
        )
    return found


def check_fits(program: Program, graph: Graph) -> None:
    """Raises ProgramError unless the graph has no more colours and neighbours than the program."""
    for field in program.layout.computation:
        if field.name == COLOUR and isinstance(field, Code) and field.size < graph.num_colours:
            raise ProgramError(
                f"{program.name} has {field.size} slots, but {clean(graph.label)} needs "
                f"{graph.num_colours} colours"
            )
        if field.name == PORT and isinstance(field, Table) and field.slots < graph.degree:
            raise ProgramError(
                f"{program.name} has {field.slots} ports, but {clean(graph.label)} has degree "
                f"{graph.degree}"
            )
    for field in program.layout.messages:
        if not isinstance(field, Table) or field.occupied is None:
            continue
        # The promise that so many slots are occupied at most is one about the degree.
        if graph.degree + 1 > field.occupied < field.slots:
            raise ProgramError(
                f"{program.name} is for degree {field.occupied - 1} at most, but "
                f"{clean(graph.label)} has degree {graph.degree}"
            )


def states_of(program: Program, graph: Graph, initial: States | None) -> Bool[np.ndarray, "n k"]:
    """States before the first step.

    Raises:
        NtkexecError: none where the program needs some, another shape, a value that is no bit or does
            not fit its field, or a state that breaks what the layout promises; names the node.
    """
    layout = program.layout
    place = told = "the initial states"
    if isinstance(initial, str | os.PathLike):
        place = clean(os.fspath(initial))
        told = f"the states of {place}"
        arrays = archives.read_arrays(initial)
        whole = STATES in arrays and STATES not in layout.leaves
        if whole and (more := [name for name in arrays if name != STATES]):
            raise ProgramError(
                f"{place} holds {shown(more[0])} beside {STATES!r}, which is whole states by itself"
            )
        initial = arrays[STATES] if arrays.keys() == {STATES} else arrays
    if initial is None or (isinstance(initial, Mapping) and not initial):
        asked = _asked(layout)
        if asked:
            raise ProgramError(
                f"{program.name} needs states to start from: initial=..., or --state FILE.npz, zeros and "
                f"ones of shape ({graph.num_nodes}, {layout.num_bits}) or values of {', '.join(asked)}"
            )
        initial = {}
    if isinstance(initial, Mapping):
        given = {str(path): value for path, value in initial.items()}
        for path, value in given.items():
            shape = layout.shape(path, graph.num_nodes)
            given[path] = column(path, value, graph.names, shape, place)
        states = initial_states(program, graph.num_nodes, _places(layout, graph) | given)
    else:
        bits = as_array(initial, place)
        states = _as_bits(bits, (graph.num_nodes, layout.num_bits), told)
    for promise in layout.invariants:
        used = np.stack([states[:, list(group)].any(axis=1) for group in promise.groups])
        broken = used.sum(axis=0) > promise.bound
        if broken.any():
            node = graph.names[int(np.argmax(broken))]
            raise LayoutError(
                f"the state of node {shown(node)} in {place} breaks: {promise.reason}"
            )
    return states


def _as_bits(given: np.ndarray, shape: tuple[int, int], place: str) -> Bool[np.ndarray, "n k"]:
    if given.shape != shape:
        raise LayoutError(
            f"{place} have shape {given.shape}, not {shape}: a row for each node, a column for each bit"
        )
    if given.dtype.kind not in "biuf":
        raise LayoutError(f"{place} are zeros and ones, not {given.dtype} values")
    wrong = (given != 0) & (given != 1)
    if wrong.any():
        node, bit = np.argwhere(wrong)[0].tolist()
        raise LayoutError(
            f"{place} have {given[node, bit].item()!r} at node {node}, bit {bit}; 0 or 1 fits"
        )
    return given == 1


def _asked(layout: Layout) -> tuple[str, ...]:
    """What whoever brings the program has to say of the states before the first step.

    Of a program of the language its own fields; clock, colours, ports and messages are filled in.
    """
    if PHASE not in layout.leaves and not isinstance(layout.leaves.get(COLOUR), Code):
        return layout.paths
    filled = [COLOUR, PHASE, PORT, *(field.name for field in layout.messages)]
    own = [path for path in layout.paths if path.partition(".")[0] not in filled]
    return tuple(path for path in own if not _is_turn(path))


def _is_turn(path: str) -> bool:
    return path.startswith(TURN) and path[len(TURN) :].isdecimal()


def _places(layout: Layout, graph: Graph) -> dict[str, object]:
    """Colours and ports, where the layout has the language's fields for them."""
    found: dict[str, object] = {}
    if isinstance(layout.leaves.get(COLOUR), Code):
        found[COLOUR] = graph.colours
    for field in layout.computation:
        if field.name == PORT and isinstance(field, Table) and f"{PORT}.slot" in layout.leaves:
            found[f"{PORT}.slot"] = port_slots(graph, field.slots)
    return found


def _told(program: Program) -> tuple[str, ...]:
    """What is told of a node: its own fields, without those that the language adds; or else all.

    Nor are fields of a program of the language that no template writes, as `compile(outputs=...)` leaves
    behind: after a step they are empty, whatever they would have been.
    """
    layout = program.layout
    own = [path for path in layout.paths if "." not in path and path not in (COLOUR, PHASE)]
    own = [path for path in own if not _is_turn(path)]
    messages = [field.name for field in layout.messages]
    told = [path for path in own if path not in messages or isinstance(layout.leaves[path], Bits)]
    if PHASE in layout.leaves:
        told = [path for path in told if any(program.num_writers[b] for b in layout.bits(path))]
    return tuple(told or layout.paths)


def _column(leaf: Leaf, values: np.ndarray) -> np.ndarray:
    """A field's value at every node; what is several values, as text."""
    if values.ndim == 1:
        return values
    if isinstance(leaf, Bits | Flag):
        texts = [
            " ".join("".join("01"[bit] for bit in part) for part in np.atleast_2d(row))
            for row in values.astype(int)
        ]
    else:
        words = {-1: "-", INVALID: "?"}
        texts = [" ".join(words.get(v, str(v)) for v in row) for row in values.tolist()]
    found = np.empty(len(values), object)
    found[:] = texts
    return found


def _format(layout: Layout, path: str) -> Callable[[Any], object] | None:
    leaf = layout.leaves[path]
    if "." in path or isinstance(leaf, Bits):
        return str
    return bool if isinstance(leaf, Flag) else None


def _answer_of(layout: Layout, graph: Graph, answer: object) -> dict[str, np.ndarray]:
    """What a reference says, in the form in which answers are compared.

    Raises:
        NtkexecError: no answer by field, a field that is none, a node without a value, or a value that
            its field cannot hold.
    """
    if not isinstance(answer, Mapping) or not answer:
        raise ProgramError(
            f"a reference gives an answer by field, such as {{{layout.paths[0]!r}: ...}}, not "
            f"{shown(answer)}"
        )
    values: dict[str, object] = {}
    for path, value in answer.items():
        if path not in layout.leaves:
            raise ProgramError(
                f"the reference answers {shown(path)}, but the program has {', '.join(layout.paths)}"
            )
        shape = layout.shape(path, graph.num_nodes)
        values[path] = column(path, value, graph.names, shape, "the reference's answer")
    try:
        states = layout.pack(graph.num_nodes, values)
    except LayoutError as error:
        raise ProgramError(f"the reference's answer does not fit: {error}") from None
    found = layout.unpack(states)
    return {path: _column(layout.leaves[path], found[path]) for path in values}
