"""Programs that draw graphs: ten primitives on a state, terms of them, and what a term draws.

Every argument of a primitive is itself a function from states to states, `f` being the rest of the
program; so a program is a term, and how many arguments a symbol has is all that its type says.
"""

import dataclasses
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import networkx as nx

from ntkexec.errors import ExperimentError

PORTS = 10
"""Of a node; an edge takes the same one at both of its ends."""


class Graph(NamedTuple):
    """A graph with what its drawing leaves behind: the order of creation, and ports.

    Args:
        nodes: ids, rising. Nodes and edges share one count from 0.
        edges: (id, one node, the other, port) each; two nodes may be joined through several ports.
    """

    nodes: tuple[int, ...] = (0,)
    edges: tuple[tuple[int, int, int, int], ...] = ()

    @property
    def num_elements(self) -> int:
        """Nodes and edges."""
        return len(self.nodes) + len(self.edges)

    def to_networkx(self) -> nx.Graph:
        """Nodes by id, parallel edges once: what isomorphism looks at."""
        found = nx.Graph()
        found.add_nodes_from(self.nodes)
        found.add_edges_from((u, v) for _, u, v, _ in self.edges)
        return found


class State(NamedTuple):
    """What a program changes.

    Args:
        graph: of one component, or of two, of which one is the cursor alone.
        cursor: a node.
        port: of the cursor.
        stack: nodes, the last one on top.
    """

    graph: Graph = Graph()
    cursor: int = 0
    port: int = 0
    stack: tuple[int, ...] = ()

    @property
    def across(self) -> int | None:
        """The node at the other end of the edge at the cursor's port."""
        return _across(self.graph, self.cursor, self.port)

    @property
    def dangling(self) -> bool:
        """Whether a node was added that is not yet joined: no primitive leaves more than one such."""
        joined = {end for _, u, v, _ in self.graph.edges for end in (u, v)}
        return len(self.graph.nodes) > 1 and not joined.issuperset(self.graph.nodes)


Step = Callable[[State], State]
START = State()


def _across(graph: Graph, node: int, port: int) -> int | None:
    for _, u, v, through in graph.edges:
        if through == port and node in (u, v):
            return v if u == node else u
    return None


def _next_port(state: State) -> State:
    return state._replace(port=(state.port + 1) % PORTS)


def _prev_port(state: State) -> State:
    return state._replace(port=(state.port - 1) % PORTS)


def _push(state: State) -> State:
    return state._replace(stack=(*state.stack, state.cursor))


def _pop(state: State) -> State:
    rest = state.stack[:-1]
    # A node that dangles must keep somebody to be joined to.
    if state.dangling and all(node == state.cursor for node in rest):
        return state
    return state._replace(stack=rest)


def _move(state: State) -> State:
    across = state.across
    return state if across is None else state._replace(cursor=across)


def _add(state: State) -> State:
    if not state.stack or state.dangling:
        return state
    graph, new = state.graph, state.graph.num_elements
    return state._replace(graph=graph._replace(nodes=(*graph.nodes, new)), cursor=new)


def _connect(state: State) -> State:
    graph = state.graph
    if not state.stack or state.stack[-1] == state.cursor or state.across is not None:
        return state
    if _across(graph, state.stack[-1], state.port) is not None:
        return state
    edge = (graph.num_elements, state.cursor, state.stack[-1], state.port)
    return state._replace(graph=graph._replace(edges=(*graph.edges, edge)))


def after_func(before: State, inner: State) -> State:
    """What `func` goes on with: of what it ran only the graph is kept, and that if it is connected."""
    return before if inner.dangling else before._replace(graph=inner.graph)


def _func(body: Step, rest: Step) -> Step:
    def run(state: State) -> State:
        return rest(after_func(state, body(state)))

    return run


def _if_positions_equal(one: Step, other: Step, then: Step, otherwise: Step, rest: Step) -> Step:
    def run(state: State) -> State:
        same = one(state).cursor == other(state).cursor
        return rest((then if same else otherwise)(state))

    return run


CHANGES: Mapping[str, Step] = {
    "next_port": _next_port,
    "prev_port": _prev_port,
    "push": _push,
    "pop": _pop,
    "move": _move,
    "add": _add,
    "connect": _connect,
}
"""What the primitives of one argument do before the rest of the program runs."""


def _before(change: Step) -> Callable[[Step], Step]:
    return lambda rest: lambda state: rest(change(state))


_RUN: Mapping[str, Callable[..., Step]] = {
    "identity": lambda: lambda state: state,
    **{name: _before(change) for name, change in CHANGES.items()},
    "func": _func,
    "if_positions_equal": _if_positions_equal,
}
PRIMITIVES: Mapping[str, int] = {
    "identity": 0, **dict.fromkeys(CHANGES, 1), "func": 2, "if_positions_equal": 5,
}  # fmt: skip
"""How many arguments each of the ten primitives has."""


class Program(NamedTuple):
    """A term: a symbol and its arguments.

    Args:
        symbol: a primitive, an abstraction's name, or within an abstraction's body `$0`, `$1`, ...
        arguments: programs as well.
    """

    symbol: str
    arguments: "tuple[Program, ...]" = ()

    @classmethod
    def parse(cls, text: str, library: "Library" = ()) -> "Program":
        """The term that `str` wrote, such as `push(add(connect(identity)))`.

        Args:
            text: of primitives, of the library's abstractions, and of holes `$0`, `$1`, ... .
            library: abstractions that it calls.

        Raises:
            ExperimentError: the text is no term, or a symbol is unknown or has other arguments than it takes.
        """
        program, end = _parsed(text.replace(" ", ""), 0)
        if end != len(text.replace(" ", "")):
            raise ExperimentError(f"{text!r} is no term: nothing can follow its last bracket")
        known = {**PRIMITIVES, **{each.name: each.arity for each in library}}
        for term in program.subterms():
            hole = term.symbol.startswith("$") and term.symbol[1:].isdecimal()
            if (0 if hole else known.get(term.symbol)) != len(term.arguments):
                raise ExperimentError(
                    f"{term.symbol!r} with {len(term.arguments)} arguments is neither a primitive nor of the "
                    f"library; there are {_listed(known)}"
                )
        return program

    def __str__(self) -> str:
        inner = ", ".join(map(str, self.arguments))
        return f"{self.symbol}({inner})" if inner else self.symbol

    def subterms(self) -> "Iterator[Program]":
        """Itself and all terms within, the outer before the inner."""
        yield self
        for argument in self.arguments:
            yield from argument.subterms()

    @property
    def size(self) -> int:
        """Symbols in it."""
        return 1 + sum(argument.size for argument in self.arguments)


@dataclasses.dataclass(frozen=True)
class Abstraction:
    """A new primitive: a body with holes.

    Args:
        name: by which terms call it.
        arity: number of holes.
        body: over symbols that were there before, with `$0` to `$(arity - 1)` for its arguments.
    """

    name: str
    arity: int
    body: Program

    def applied(self, arguments: tuple[Program, ...]) -> Program:
        """The body with these arguments in its holes."""

        def filled(term: Program) -> Program:
            if term.symbol.startswith("$"):
                return arguments[int(term.symbol[1:])]
            return Program(term.symbol, tuple(map(filled, term.arguments)))

        return filled(self.body)


Library = tuple[Abstraction, ...]
"""Abstractions, each of which may call those before it."""


def expanded(program: Program, library: Library = ()) -> Program:
    """The program in primitives alone."""
    known = {abstraction.name: abstraction for abstraction in library}

    def inner(term: Program) -> Program:
        if term.symbol in known:
            return inner(known[term.symbol].applied(term.arguments))
        return Program(term.symbol, tuple(map(inner, term.arguments)))

    return inner(program)


def interpret(program: Program, *, library: Library = (), state: State = START) -> State:
    """The state in which a program ends.

    Args:
        program: over the ten primitives and the library.
        library: abstractions that it calls.
        state: to begin with: by default one node, the cursor at its port 0, nothing on the stack.

    Raises:
        ExperimentError: names a symbol that nobody knows, or that has another number of arguments, and a
            program too deep for Python.

    Source: arXiv:2303.03340; the language is that of the public code, shlomenu/antireduce-graphs.
    """

    def compiled(term: Program) -> Step:
        if PRIMITIVES.get(term.symbol) != len(term.arguments):
            raise ExperimentError(
                f"{term.symbol!r} with {len(term.arguments)} arguments is no primitive; there are "
                + _listed(PRIMITIVES)
            )
        return _RUN[term.symbol](*map(compiled, term.arguments))

    try:
        return compiled(expanded(program, library))(state)
    except RecursionError:
        raise ExperimentError(
            f"a program of {program.size} symbols is nested too deeply: Python allows "
            f"{sys.getrecursionlimit()} calls"
        ) from None


def graph_of_program(program: Program, *, library: Library = ()) -> Graph | None:
    """What a program draws, if the search would accept it: connected and of more than one node."""
    state = interpret(program, library=library)
    return None if len(state.graph.nodes) < 2 or state.dangling else state.graph


def _listed(arities: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({arity})" for name, arity in arities.items())


def _parsed(text: str, at: int) -> tuple[Program, int]:
    end = at
    while end < len(text) and text[end] not in "(),":
        end += 1
    symbol, arguments = text[at:end], []
    if not symbol:
        raise ExperimentError(f"{text!r} is no term: a symbol is missing at character {at}")
    if end < len(text) and text[end] == "(":
        while text[end] != ")":
            argument, end = _parsed(text, end + 1)
            arguments.append(argument)
            if end == len(text):
                raise ExperimentError(f"{text!r} is no term: a bracket is not closed")
        end += 1
    return Program(symbol, tuple(arguments)), end
