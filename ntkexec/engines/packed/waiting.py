"""What a silent round of the clock makes of nodes that have heard nothing, without executing any.

Sets of bits are integers here, bit k of the state as 2^k: thousands of rounds are foreseen.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from ntkexec.engines.packed.plan import Clock, PackedProgram


class _Rule(NamedTuple):
    """A template in one phase: where it matches as far as bits change, and what it writes.

    mask: changing bits of its condition.
    values: those of them that it requires to be 1.
    depends: whether bits that do not change have a say too.
    outputs: changing bits that it writes.
    """

    mask: int
    values: int
    depends: bool
    outputs: int


class Waiting:
    """What a silent round makes of nodes that have heard nothing.

    Args:
        packed: the program.
        ring: what the clock shows, one round.
        fixed: bits that no step of the ring changes; they differ from node to node.
    """

    def __init__(self, packed: PackedProgram, ring: Sequence[Clock], fixed: frozenset[int]) -> None:
        everything = frozenset(range(packed.num_bits))
        self._split = packed.split
        self._corrected = bool(packed.corrections)
        self._phases: list[list[_Rule]] = []
        for clock in ring:
            plan = packed.plan(everything - {bit for bit, _ in clock}, clock)
            rules = [
                _Rule(
                    as_integer(bit for bit, _ in entry.condition if bit not in fixed),
                    as_integer(bit for bit, on in entry.condition if on and bit not in fixed),
                    any(bit in fixed for bit, _ in entry.condition),
                    as_integer(bit for bit in entry.outputs if bit not in fixed),
                )
                for entry in plan.templates
            ]
            self._phases.append([rule for rule in rules if rule.outputs])

    def next(self, ones: int) -> int | None:
        """The changing bits that are 1 after a round without messages.

        Args:
            ones: those that are 1 before it.

        Returns:
            None if that could differ from node to node, or if nodes could send.
        """
        if self._corrected:
            return None
        for rules in self._phases:
            certain = depends = 0
            for mask, values, is_open, outputs in rules:
                if ones & mask == values:
                    if is_open:
                        depends |= outputs
                    else:
                        certain |= outputs
            if depends & ~certain or certain >> self._split:
                return None
            ones = certain
        return ones


def as_integer(bits: Iterable[int]) -> int:
    """A set of bits."""
    return sum(1 << bit for bit in set(bits))


def exchanges(packed: PackedProgram, ring: Sequence[Clock], possible: frozenset[int]) -> int:
    """In how many steps of a round messages may be sent.

    Args:
        packed: the program.
        ring: what the clock shows, one round.
        possible: bits that may be 1 when it begins.
    """
    found = 0
    for clock in ring:
        possible = packed.plan(possible, clock).possible
        found += any(bit >= packed.split for bit in possible)
    return found
