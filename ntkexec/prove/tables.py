"""LOCAL algorithms as specifications: the tables of their Python functions, as `recheck` reads them.

A table is found by watching what a function reads, as the compiler does, and then compared with the
function itself, called with plain values: with all of them if they are few, else in every case of the
table, with what the function does not read drawn at random.
"""

import itertools
import math
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ntkexec.errors import ProgramError
from ntkexec.programs.local.algorithm import Fold, Gather, Local, Update
from ntkexec.programs.local.compiler import Compiled
from ntkexec.programs.local.enumeration import count, drawn, values
from ntkexec.programs.local.exploration import Case, TooManyCasesError, explore
from ntkexec.programs.local.registers import words_of
from ntkexec.programs.local.synchroniser import HEARD, OUT, STATE
from ntkexec.programs.local.types import Enum, Optional, Record, Scalar, Set, Tuple, Type

MOST_CASES = 1 << 14
"""Larger tables are refused: their obligations would take a solver too long."""
MOST_VALUES = 1 << 14
"""So many inputs of a function are all compared."""


def type_data(kind: Type) -> dict[str, Any]:
    """A type as data."""
    match kind:
        case Enum():
            return {"scalar": len(kind.words), "words": list(kind.words)}
        case Scalar():
            return {"scalar": len(kind.domain)}
        case Set():
            return {"set": kind.size}
        case Optional():
            return {"optional": type_data(kind.inner)}
        case Record() | Tuple():
            return {"parts": [[name, type_data(part)] for name, part in kind.parts.items()]}
    raise AssertionError(f"unknown type {kind!r}")


def tree_of(cases: Sequence[Case]) -> Any:
    """The decisions of disjoint cases, each of which lists bits in the order in which they were read."""
    rows = [(list(case.cube.items()), case.outputs) for case in cases]

    def grow(some: list[Any], depth: int) -> Any:
        if not some:
            return None
        if len(some) == 1 and depth == len(some[0][0]):
            return {"is": list(some[0][1])}
        (bit,) = {path[depth][0] for path, _ in some}
        low, high = ([row for row in some if row[0][depth][1] is value] for value in (False, True))
        return [bit, grow(low, depth + 1), grow(high, depth + 1)]

    return grow(rows, 0)


def look_up(tree: Any, bits: Sequence[bool]) -> tuple[bool, ...]:
    """The result of a table for an input, by its bits."""
    while isinstance(tree, list):
        tree = tree[2 if bits[tree[0]] else 1]
    return tuple(one if isinstance(one, bool) else bits[one] for one in tree["is"])


def table_of(
    function: Callable[..., Any], arguments: Mapping[str, Type], result: Type, *, name: str
) -> dict[str, Any]:
    """A function's table, compared with the function.

    Args:
        function: called with the arguments by position; must be pure.
        arguments: their types.
        result: type of what it returns.
        name: of the function.

    Raises:
        ProgramError: the function raises, leaves a type, has more than `MOST_CASES` cases, or gives
            something else for plain values than for what the compiler shows it.
    """
    kinds = list(arguments.values())
    number = math.prod(count(kind) for kind in kinds)
    try:
        cases = explore(function, arguments, result, name=name, max_cases=MOST_CASES)
    except TooManyCasesError as error:
        raise ProgramError(
            f"{name} tells more than {MOST_CASES:,} of its {number:,} inputs apart, too many for a "
            "theorem; a smaller degree, a shorter word or a Fold in place of an Update has fewer"
        ) from error
    tree = tree_of(cases)
    if number <= MOST_VALUES:
        inputs: Iterator[tuple[Any, ...]] = itertools.product(*(list(values(k)) for k in kinds))
    else:
        inputs = (_completed(case, kinds) for case in cases)
    compared = 0
    for given in inputs:
        bits = [bit for kind, one in zip(kinds, given, strict=True) for bit in kind.encode(one)]
        if tuple(result.encode(function(*given))) != look_up(tree, bits):
            raise ProgramError(
                f"{name} of {', '.join(map(str, given))} is {function(*given)} there, and something "
                "else where it is asked again or shown a part of that; it must be pure and look only "
                "at its arguments"
            )
        compared += 1
    return {"function": name, "values": number, "compared": compared, "tree": tree}


def _completed(case: Case, kinds: Sequence[Type]) -> tuple[Any, ...]:
    rng = random.Random(repr(sorted(case.cube.items())))
    starts = itertools.accumulate([0, *(kind.num_bits for kind in kinds)])
    return tuple(drawn(k, start, case.cube, rng) for k, start in zip(kinds, starts, strict=False))


def tables_of(compiled: Compiled) -> dict[str, Any]:
    """The specification of a compiled LOCAL algorithm, for the statement `local`.

    Args:
        compiled: the algorithm, for a degree and a number of slots.

    Raises:
        ProgramError: see `table_of`.
    """
    algorithm, ports = compiled.algorithm, range(max(1, compiled.degree))
    message = Optional(algorithm.message)
    kinds = [part.kind for part in compiled.parts]
    addresses = [f"to{port}" for port in ports] if algorithm.addressed else ["sent"]
    return {
        "name": algorithm.name,
        "state": type_data(algorithm.state),
        "message": type_data(algorithm.message),
        "addressed": algorithm.addressed,
        "send": _send(algorithm, ports),
        "stages": [_stage(algorithm, number, ports) for number in range(len(algorithm.stages))],
        "fields": {
            "state": [leaf.name for leaf in words_of(algorithm.state, STATE)],
            "sent": [
                [f"inbox.{leaf.name}" for leaf in words_of(message, one)] for one in addresses
            ],
            "composed": [
                [leaf.name for leaf in words_of(message, f"{OUT}{address}")]
                for address in range(len(addresses) if "compose" in kinds else 0)
            ],
            "heard": [
                [leaf.name for leaf in words_of(message, f"{HEARD}{port}")]
                for port in (ports if "listen" in kinds else ())
            ],
        },
        "parts": [list(part) for part in compiled.parts],
    }


def _send(algorithm: Local, ports: range) -> list[dict[str, Any]]:
    state, message = {"state": algorithm.state}, Optional(algorithm.message)
    if not algorithm.addressed:
        return [table_of(algorithm.send, state, message, name="send")]
    return [
        table_of(
            lambda s, q=port: algorithm.send(s, q), state, message, name=f"send to port {port}"
        )
        for port in ports
    ]


def _stage(algorithm: Local, number: int, ports: range) -> dict[str, Any]:
    stage, kind = algorithm.stages[number], algorithm.state
    state, message = {"state": kind}, Optional(algorithm.message)
    label = f"{type(stage).__name__.lower()} {number}"
    if isinstance(stage, Gather):
        raise ProgramError(
            f"{algorithm.name}: {label} combines messages by a monoid, and theorems speak of Update, Fold "
            "and Step only; write it as a Fold, which combines them port by port"
        )
    if isinstance(stage, Fold):
        tables = [
            table_of(
                lambda s, m, q=port: stage.at_port(s, m, q),
                {**state, "message": message},
                kind,
                name=f"{label} at port {port}",
            )
            for port in ports
        ]
        return {"kind": "fold", "tables": tables}
    if isinstance(stage, Update):
        received = {**state, "received": Tuple(*[message] * len(ports))}
        return {
            "kind": "update",
            "tables": [table_of(stage.function, received, kind, name=label)],
        }
    return {"kind": "step", "tables": [table_of(stage.function, state, kind, name=label)]}
