"""Two binary numbers are added, for all inputs of their length.

The steps are unrolled from the first state, whose bits are those of the summands and 0.
"""

from collections.abc import Mapping
from typing import Any

from ...program import Program
from ..circuit import FALSE
from ..obligation import Obligation
from ..step import after_step, fields, first_state, state_of
from ..theorem import ALONE, Theorem


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """The sum of two numbers; `sizes` has their `bits`."""
    bits = sizes["bits"]
    return Theorem(
        name="add",
        sizes=dict(sizes),
        sentence=f"After {bits + 1} steps the field `x` holds a + b.",
        scope=(f"all whole numbers a and b from 0 to {2**bits - 1}, {bits} bits each", "one node"),
        prose=(
            "The first state has a in the field `x`, b in `y`, and 0 in all other bits; the sum is read"
            " from `x`.",
            *ALONE,
        ),
        obligations={"sum": lambda: build(program, sizes)},
    )


def build(program: Program, sizes: Mapping[str, int]) -> Obligation:
    """All steps, from the summands to the sum."""
    o = Obligation("sum")
    c, bits = o.circuit, sizes["bits"]
    a, b = ([*o.input(name, bits), FALSE] for name in "ab")
    state = first_state(o, program, state_of(program, {"x": a, "y": b}))
    for _ in range(bits + 1):
        state = after_step(c, program, state)
    o.conclude(c.equal(fields(program, state)["x"], c.add(a, b)), "sum")
    return o
