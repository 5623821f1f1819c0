"""Bits change places, for all strings of their length, in one step."""

from collections.abc import Mapping
from typing import Any

from ...program import Program
from ...reading import need
from ..obligation import Obligation
from ..step import after_step, fields, first_state, state_of
from ..theorem import ALONE, Theorem


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """A permutation; `sizes` has the number of `bits`, and the `permutation` by its rank."""
    places = ", ".join(map(str, places_of(sizes["permutation"], sizes["bits"])))
    return Theorem(
        name="permute",
        sizes=dict(sizes),
        sentence=f"After one step bit i has moved to place p(i), where p(0), p(1), ... are {places}.",
        scope=(f"all strings of {sizes['bits']} bits", "one node"),
        prose=(
            "The first state has the string in the field `bits`, which is also where it is read, and 0 in"
            " all other bits.",
            *ALONE,
        ),
        obligations={"move": lambda: build(program, sizes)},
    )


def places_of(rank: int, bits: int) -> list[int]:
    """The permutation of 0 to bits - 1 of a rank in the order of dictionaries, from 0.

    Raises:
        Rejected: there is none of that rank.
    """
    left, places, weight = list(range(bits)), [], 1
    for factor in range(1, bits):
        weight *= factor
    need(0 <= rank < weight * bits, f"{bits} bits have no permutation {rank}")
    for remaining in range(bits - 1, -1, -1):
        index, rank = divmod(rank, weight)
        places.append(left.pop(index))
        weight //= max(1, remaining)
    return places


def build(program: Program, sizes: Mapping[str, int]) -> Obligation:
    """The step."""
    o = Obligation("move")
    given = o.input("string", sizes["bits"])
    state = first_state(o, program, state_of(program, {"bits": given}))
    after = fields(program, after_step(o.circuit, program, state))["bits"]
    for bit, place in zip(given, places_of(sizes["permutation"], sizes["bits"]), strict=True):
        o.conclude(o.circuit.iff(after[place], bit), "move")
    return o
