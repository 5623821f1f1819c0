"""Sums of two words, by three ways to find the carries, and a word plus one."""

import itertools
from collections.abc import Sequence
from typing import Literal

from ntkexec.errors import ProgramError
from ntkexec.language.builder import Builder
from ntkexec.language.idioms import costs
from ntkexec.language.logic import FALSE, TRUE, Sum, all_of, any_of
from ntkexec.language.values import Number

MAX_LOOKAHEAD_BITS = 6
"""Look-ahead for longer words is refused: at 7 bits a sum has 607 templates, w = 317."""


def add(
    p: Builder,
    targets: Sequence[Number],
    pairs: Sequence[tuple[Number, Number]],
    *,
    name: str = "add",
    carry: costs.Carry | Literal["auto"] = "ripple",
    carry_out: bool = True,
) -> tuple[Sum, ...]:
    """Sums of several pairs at once, modulo 2^bits; of either sign.

    Args:
        p: outside of all phases; phases are added.
        targets: take the sums; a target may be one of its own summands.
        pairs: the summands of each target, of its length; they must be kept meanwhile.
        name: of the phases and of the temporary flags.
        carry: how carries are found; `costs.add` has the price of each.

            - `ripple`: from bit to bit, 1 step a bit, 7 templates a bit;
            - `prefix`: 3 steps whatever the length, about bits^2 / 2 + 5 bits templates;
            - `lookahead`: 1 step, about 5 * 2^bits templates, half of which write one bit; for up
              to `MAX_LOOKAHEAD_BITS` bits. A joint network is exact only if w - 1 < C(m, n0), which
              its certificate tells;
            - `auto`: what takes the fewest templates, phases included, and of equals the fewest
              steps: `lookahead` up to 2 bits (w = 7), else mostly `ripple`.
        carry_out: whether the carries out are wanted; without them fewer templates are written.

    Returns:
        For each target its carry out, to be read in the step after the last phase; nothing without
        `carry_out`.

    Raises:
        ProgramError: targets and pairs do not match, numbers differ in length or are too long.
    """
    if carry not in (*costs.CARRIES, "auto"):
        there = ", ".join((*costs.CARRIES, "auto"))
        raise ProgramError(f"{name}: carry {carry!r}; there are {there}")
    if len(targets) != len(pairs):
        raise ProgramError(f"{name}: {len(targets)} targets for {len(pairs)} pairs")
    lengths = {len(number) for number in (*targets, *(n for pair in pairs for n in pair))}
    if len(lengths) != 1:
        raise ProgramError(f"{name}: numbers of {sorted(lengths)} bits; all need the same")
    (length,) = lengths
    way: costs.Carry = _cheapest(length, carry_out) if carry == "auto" else carry
    ways = {"ripple": _ripple, "prefix": _prefix, "lookahead": _lookahead}
    carries = ways[way](p, targets, pairs, length, name, carry_out)
    return tuple(carries) if carry_out else ()


def _cheapest(length: int, carry_out: bool) -> costs.Carry:
    prices = {way: costs.add(length, carry=way, carry_out=carry_out) for way in costs.CARRIES}
    return min(costs.CARRIES, key=lambda way: (prices[way].total, prices[way].steps))


def _ripple(
    p: Builder,
    targets: Sequence[Number],
    pairs: Sequence[tuple[Number, Number]],
    length: int,
    name: str,
    carry_out: bool,
) -> list[Sum]:
    num_carries = length if carry_out else length - 1
    carries = [
        p.word(f"{name}_carry{index}", num_carries, temporary=True).bits if num_carries else ()
        for index in range(len(targets))
    ]
    for place in range(length):
        with p.phase(f"{name} {place}"):
            for target, (one, other), carry in zip(targets, pairs, carries, strict=True):
                a, b = one[place], other[place]
                c = carry[place - 1] if place else FALSE
                p.assign(target[place], a ^ b ^ c)
                if place < num_carries:
                    p.assign(carry[place], (a & b) | (a & c) | (b & c))
    return [carry[-1] for carry in carries if carry]


def _lookahead(
    p: Builder,
    targets: Sequence[Number],
    pairs: Sequence[tuple[Number, Number]],
    length: int,
    name: str,
    carry_out: bool,
) -> list[Sum]:
    if length > MAX_LOOKAHEAD_BITS:
        raise ProgramError(
            f"{name}: look-ahead over {length} bits takes about {5 << length} templates; up to "
            f"{MAX_LOOKAHEAD_BITS} bits are added so, longer words by 'ripple' or 'prefix'"
        )
    outs = []
    with p.phase(name):
        for index, (target, (one, other)) in enumerate(zip(targets, pairs, strict=True)):
            carry, none = FALSE, TRUE
            for bit, a, b in zip(target, one, other, strict=True):
                half, same = a ^ b, (a & b) | (~a & ~b)
                p.assign(bit, (half & none) | (same & carry))
                # The negation of a carry is built alongside: De Morgan would multiply it out.
                carry, none = (a & b) | ((a | b) & carry), (~a & ~b) | ((~a | ~b) & none)
            if carry_out:
                out = p.flag(f"{name}_carry{index}", temporary=True)
                p.set(out, when=carry)
                outs.append(out)
    return outs


def _prefix(
    p: Builder,
    targets: Sequence[Number],
    pairs: Sequence[tuple[Number, Number]],
    length: int,
    name: str,
    carry_out: bool,
) -> list[Sum]:
    """The carry into a bit was born at some lower one, and at none between them was it killed."""
    highest = length if carry_out else length - 1
    spans = list(itertools.combinations(range(highest + 1), 2))
    killed, carries, outs = [], [], []
    for index in range(len(targets)):
        inner = [span for span in spans if span[1] - span[0] > 1]
        flags = p.flags(f"{name}_killed{index}", len(inner), temporary=True) if inner else ()
        killed.append(dict(zip(inner, flags, strict=True)))
        bits = p.word(f"{name}_carry{index}", highest, temporary=True).bits if highest else ()
        carries.append((FALSE, *bits))
    with p.phase(f"{name}: kill"):
        for (one, other), flags_of_span in zip(pairs, killed, strict=True):
            for (low, high), flag in flags_of_span.items():
                p.set(flag, when=any_of(~one[i] & ~other[i] for i in range(low + 1, high)))
    with p.phase(f"{name}: carry"):
        for (one, other), flags_of_span, carry in zip(pairs, killed, carries, strict=True):
            for low, high in spans:
                alive = ~flags_of_span[low, high] if high - low > 1 else TRUE
                p.set(carry[high], when=one[low] & other[low] & alive)
    with p.phase(f"{name}: sum"):
        for index, (target, pair, carry) in enumerate(zip(targets, pairs, carries, strict=True)):
            for place, (a, b) in enumerate(zip(*pair, strict=True)):
                p.assign(target[place], a ^ b ^ carry[place])
            if carry_out:
                out = p.flag(f"{name}_out{index}", temporary=True)
                p.set(out, when=carry[length])
                outs.append(out)
    return outs


def increment(p: Builder, number: Number, *, when: Sum = TRUE, name: str = "increment") -> None:
    """Adds 1 modulo 2^bits where a condition holds, in 1 step a bit: the carry ripples.

    `number + 1` takes one step, and bits^2 / 2 templates instead of 3 a bit.

    Args:
        p: outside of all phases; 1 phase a bit is added.
        number: a word that is kept.
        when: read in the first step only.
        name: of the phases and of the temporary carries.
    """
    length = len(number)
    carries = p.word(f"{name}_carry", length - 1, temporary=True).bits if length > 1 else ()
    for place, bit in enumerate(number):
        with p.phase(f"{name} {place}"):
            come = carries[place - 1] if place else when
            p.assign(bit, bit ^ come)
            if place < length - 1:
                p.set(carries[place], when=all_of([bit, come]))
