"""What the program makes of nodes that wait, many rounds at once and whatever they keep.

`Waiting` foresees the state of all nodes that have heard nothing. Here every template of the program,
clock and all, is put beside what was foreseen. A set of rounds is an integer, round i as 2^i; each
bit of the state has two: in which rounds it may be 1 at some node, and in which it may be 0.
"""

import functools
import operator
from collections.abc import Sequence

from ntkexec.engines.packed.plan import Clock
from ntkexec.program.program import Program

_May = list[tuple[int, int]]
"""By bit, the rounds in which it may be 0 and those in which it may be 1."""


def unforeseen(
    program: Program,
    ring: Sequence[Clock],
    fixed: Sequence[int],
    patterns: Sequence[int],
) -> int:
    """In how many rounds a waiting node could do otherwise than was foreseen, or send.

    Args:
        program: all of it.
        ring: what the clock shows, one round.
        fixed: bits that differ from node to node and stay as they are.
        patterns: the bits that are 1 at waiting nodes, apart from the fixed ones and the clock: before
            each round and after the last.
    """
    rounds = len(patterns) - 1
    every = (1 << rounds) - 1
    computed, keeps = range(program.layout.num_computation_bits), frozenset(fixed)
    shown = dict(ring[0])

    seen = functools.reduce(operator.or_, patterns)
    ones = [
        sum(1 << i for i, pattern in enumerate(patterns) if pattern >> bit & 1)
        if seen >> bit & 1
        else 0
        for bit in range(program.layout.num_bits)
    ]

    def foreseen(begin: int) -> _May:
        found = _May()
        for bit, where in enumerate(ones):
            shows = every * shown[bit] if bit in shown else where >> begin & every
            found.append((every, every) if bit in keeps else (every & ~shows, shows))
        return found

    may, wrong = foreseen(0), 0
    for clock in (*ring[1:], ring[0]):
        after, changed = _step(program, may, keeps, every)
        for bit, (zero, one) in enumerate(after):
            if bit in dict(clock):
                wrong |= zero if dict(clock)[bit] else one
            elif bit not in keeps:
                # Another at some nodes than at others; or a message.
                wrong |= zero & one if bit in computed else one
        may, wrong = after, wrong | changed
    for bit, (found, meant) in enumerate(zip(may, foreseen(1), strict=True)):
        if bit not in keeps:
            wrong |= found[0] ^ meant[0] | found[1] ^ meant[1]
    return wrong.bit_count()


def _step(program: Program, may: _May, keeps: frozenset[int], every: int) -> tuple[_May, int]:
    """What bits may be after a step, and in which rounds a bit that is kept may change."""
    possible, certain = [0] * len(may), [0] * len(may)
    changed = 0
    holds = dict.fromkeys(keeps, 0)
    for template in program.templates:
        matches = surely = every
        for bit, value in template.condition:
            matches &= may[bit][value]
            surely &= ~may[bit][not value]
        for bit in template.outputs:
            possible[bit] |= matches
            certain[bit] |= surely
            if bit in keeps:
                # It is 1 afterwards only where it was, and wherever it was.
                if (bit, True) not in template.condition:
                    changed |= matches
                else:
                    holds[bit] |= _others(template.condition, bit, may, every)
    for kept in holds.values():
        changed |= every & ~kept
    after = [
        (every, every) if bit in keeps else (every & ~certain[bit], possible[bit])
        for bit in range(len(may))
    ]
    return after, changed


def _others(condition: Sequence[tuple[int, bool]], own: int, may: _May, every: int) -> int:
    """In which rounds all of a condition holds for certain, apart from one bit."""
    for bit, value in condition:
        if bit != own:
            every &= ~may[bit][not value]
    return every
