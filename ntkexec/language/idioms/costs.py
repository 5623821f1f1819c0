"""What the parts of programs cost, in closed form.

*Templates* are those that a part adds beside the keep templates of fields and the ring of phases,
which has one template a phase. *Writers* is the largest w of a bit that the part writes, its keep
template included. Targets are kept words that are not read by the part itself; conditions given as
`when` are single flags. The program has three phases or more; with fewer the compiler splits some
keep templates, or joins some. Sharing with other statements can only save templates.
"""

import dataclasses
import math
from typing import Literal

Carry = Literal["ripple", "lookahead", "prefix"]
CARRIES: tuple[Carry, ...] = ("ripple", "lookahead", "prefix")


@dataclasses.dataclass(frozen=True)
class Cost:
    """Templates, steps and w of a part; see the module."""

    templates: int
    steps: int
    writers: int

    @property
    def total(self) -> int:
        """Templates and those of its phases."""
        return self.templates + self.steps


def assign(num_bits: int, *, when: bool = False) -> Cost:
    """A word takes another's value; with a condition every bit is also kept in this step."""
    return Cost(num_bits * (2 if when else 1), 0, 3 if when else 2)


def fill(*, when: bool = False) -> Cost:
    """All bits of a word are set: by the template of the ring, or by one, whatever its length."""
    return Cost(int(when), 0, 2)


def clear(num_bits: int, *, when: bool = False) -> Cost:
    """All bits of a word are cleared, by leaving out what would keep them."""
    return Cost(num_bits if when else 0, 0, 2 if when else 1)


def select(num_bits: int) -> Cost:
    """A word takes one of two values, as a flag says."""
    return Cost(2 * num_bits, 0, 3)


def add_one(num_bits: int, *, when: bool = False) -> Cost:
    """`number + 1`, in one step: bit b flips where all lower ones are 1."""
    rest = num_bits * (num_bits + 1) // 2
    return Cost(rest + (num_bits if when else 0), 0, num_bits + (2 if when else 1))


def increment(num_bits: int, *, when: bool = False) -> Cost:
    """`idioms.increment`, 1 step a bit."""
    first = 2 if num_bits == 1 and not when else 3
    return Cost(3 * num_bits - (1 if when else 2), num_bits, first)


def add(num_bits: int, *, carry: Carry = "ripple", carry_out: bool = True) -> Cost:
    """`idioms.add`, for each pair."""
    out = int(carry_out)
    if carry == "ripple":
        carries = 3 * (num_bits - 1) - 2 + 3 * out if num_bits > 1 else out
        return Cost(4 * num_bits - 2 + carries, num_bits, 5 if num_bits > 1 else 3)
    if carry == "lookahead":
        sums = 5 * 2**num_bits - 4 * num_bits - 4
        top = 5 * 2 ** (num_bits - 1) - 3 if num_bits > 1 else 3
        return Cost(sums + out * (2**num_bits - 1), 1, top)
    highest = num_bits - 1 + out
    # One template kills in all spans that contain its bit.
    templates = max(0, highest - 1) + math.comb(highest + 1, 2) + 4 * num_bits - 2 + out
    return Cost(templates, 3, max(highest, 5 if num_bits > 1 else 3))


def less_at_once(num_bits: int) -> int:
    """Products of `one < other` for two words."""
    return 2**num_bits - 1


def less_or_equal_at_once(num_bits: int) -> int:
    """Products of `one <= other` for two words."""
    return 3 * 2 ** (num_bits - 1) - 1


def equal_at_once(num_bits: int) -> int:
    """Products of `values.equal`."""
    return 2**num_bits


def less(num_bits: int, *, serial: bool = False) -> Cost:
    """`idioms.less`, without the products in which its answer is read, `num_bits` or 1."""
    if serial:
        return Cost(3 * num_bits - 2, num_bits, 3 if num_bits > 1 else 1)
    # One template tells all lower bits that this one differs.
    return Cost(2 * (num_bits - 1), 1, 2 * (num_bits - 1))


def equal(num_bits: int, *, serial: bool = False) -> Cost:
    """`idioms.equal`."""
    return Cost(2 * num_bits, num_bits if serial else 1, 2 if serial else 2 * num_bits)


def priority(num_conditions: int) -> Cost:
    """A flag for each condition takes `idioms.priority` of that many flags."""
    return Cost(num_conditions, 0, 2)


def minimum(num_candidates: int, num_bits: int) -> Cost:
    """`idioms.minimum`, and `argmin` without the reading of its answer."""
    writers = max(num_candidates, 2 * num_bits + 1)
    return Cost(3 * num_candidates * num_bits, 2 * num_bits, writers)


def counter(limit: int, *, when: bool = False) -> Cost:
    """`Counter.advance`."""
    return Cost(limit * (2 if when else 1), 0, 3 if when and limit > 1 else 2)


def send(num_bits: int, num_slots: int) -> Cost:
    """`Builder.send` of a word to all neighbours."""
    return Cost(num_bits * num_slots, 0, 1)


def at_port(num_bits: int, num_slots: int) -> Cost:
    """A word takes what the neighbour at a port sent."""
    return Cost(num_bits * num_slots, 0, num_slots + 1)


def call(num_bits: int, num_slots: int, num_ports: int) -> Cost:
    """`Builder.call` of a word to one of the neighbours at several ports."""
    return Cost(num_bits * num_slots * num_ports, 0, num_ports)


def called(num_bits: int, num_slots: int) -> Cost:
    """A word takes what a neighbour wrote by `call`."""
    return Cost(num_bits * num_slots, 0, num_slots + 1)


def address(num_slots: int, num_ports: int) -> Cost:
    """`Builder.address` of a message to one of the neighbours at several ports."""
    return Cost(num_slots**2 * num_ports, 0, num_ports)


def addressed(num_slots: int) -> Cost:
    """A flag for each slot takes `Builder.addressed`."""
    return Cost(num_slots**2, 0, num_slots + 1)


def repeat(times: int) -> Cost:
    """`Builder.repeat`, beside its body: counting the passes, and the jump back.

    The template that leaves the block is that of the ring, and begins the count again.
    """
    return Cost(times, 0, 2) if times > 1 else Cost(0, 0, 1)
