"""Two binary numbers are multiplied, for all inputs of their length.

By induction over the steps, with the numbers a and b as ghosts. Before step t, of numbers of l bits:
`a` holds a shifted by t, and `b` what is left of b; `row` holds the row t - 1 of the product; `low` and
`carry` together, two numbers of which no carry has rippled, hold the rows before that one. Carries have
gone from the places below t - 1, and nothing stands yet at places from l + t - 2 on. After 2 l + 1 steps
no carry is left, so that `low` is the product.
"""

from collections.abc import Mapping
from typing import Any

from ...program import Program
from ..circuit import FALSE, Bits, Circuit, Literal
from ..obligation import Obligation
from ..step import Fields, after_step, fields, first_state, state_of
from ..theorem import ALONE, Theorem

Claim = list[tuple[Literal, str]]


def theorem(program: Program, sizes: Mapping[str, int], _: Any = None) -> Theorem:
    """The product of two numbers; `sizes` has their `bits`."""
    bits = sizes["bits"]
    names = ["base", *(f"step-{t}" for t in range(2 * bits + 1)), "final"]

    def obligation(name: str) -> Any:
        return lambda: build(name, program, sizes)

    return Theorem(
        name="multiply",
        sizes=dict(sizes),
        sentence=f"After {2 * bits + 1} steps the field `low` holds a b.",
        scope=(f"all whole numbers a and b from 0 to {2**bits - 1}, {bits} bits each", "one node"),
        prose=(
            "The first state has a in the field `a`, b in `b`, and 0 in all other bits; the product is"
            " read from `low`.",
            f"What holds before step 0, and after step t if it holds before it, for t = 0 to {2 * bits},"
            f" holds after {2 * bits + 1} steps.",
            *ALONE,
        ),
        obligations={name: obligation(name) for name in names},
    )


def padded(bits: Bits, width: int) -> Bits:
    """The lowest bits of a number, with 0 above it."""
    return (bits + [FALSE] * width)[:width]


def rows(c: Circuit, a: Bits, b: Bits, count: int) -> Bits:
    """a times the lowest bits of b, so many of them, in one bit more than a product has."""
    width = 2 * len(a) + 1
    total = [FALSE] * width
    for place, bit in enumerate(b[:count]):
        total = c.add(total, c.where(bit, padded([FALSE] * place + a, width)))
    return total


def held(c: Circuit, at: Fields, a: Bits, b: Bits, t: int, *, late: int = 0) -> Claim:
    """What holds before step t; see above.

    Args:
        c: the circuit.
        at: the state by field.
        a, b: the numbers.
        t: the step.
        late: by how many steps the last two claims come too early; 1 is a control.
    """
    size = len(a)
    width = 2 * size + 1
    row = c.where(b[t - 1], [FALSE] * (t - 1) + a) if 0 < t <= size else []
    low, carry = padded(at["low"], width), padded([FALSE, FALSE, *at["carry"]], width)
    out = [
        (c.equal(at["a"], padded([FALSE] * t + a, 2 * size - 1)), "a"),
        (c.equal(at["b"], padded(b[t:], size)), "b"),
        (c.equal(at["row"], padded(row, 2 * size - 1)), "row"),
        (c.equal(c.add(low, carry), rows(c, a, b, max(0, t - 1))), "sum"),
    ]
    first = 2 * size if t > size + 1 else max(0, size + t - 2 - late)
    gone = carry if t == 0 else carry[2 : max(2, t - 1 + late)]
    out += [(-bit, "carry") for bit in gone]
    out += [(-bit, "high") for bits in (low, carry) for bit in bits[first:]]
    return out


def build(name: str, program: Program, sizes: Mapping[str, int], *, late: int = 0) -> Obligation:
    """One obligation: `base`, `step-t` or `final`."""
    o = Obligation(name)
    c, bits = o.circuit, sizes["bits"]
    a, b = o.input("a", bits), o.input("b", bits)
    if name == "base":
        begin = state_of(program, {"a": padded(a, 2 * bits - 1), "b": b})
        first = first_state(o, program, begin)
        for claim, part in held(c, fields(program, first), a, b, 0, late=late):
            o.conclude(claim, part)
        return o
    t = 2 * bits + 1 if name == "final" else int(name.removeprefix("step-"))
    state = o.input("state", program.num_bits)
    for claim, part in held(c, fields(program, state), a, b, t, late=late):
        o.assume(claim, f"the hypothesis: {part}")
    if name == "final":
        product, low = rows(c, a, b, bits), fields(program, state)["low"]
        if len(low) > len(product):
            raise ValueError(f"`low` has {len(low)} bits, of {len(product)} that are spoken of")
        o.conclude(c.equal(padded(low, len(product)), product), "product")
        return o
    for claim, part in held(
        c, fields(program, after_step(c, program, state)), a, b, t + 1, late=late
    ):
        o.conclude(claim, part)
    return o
