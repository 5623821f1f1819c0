"""Subtract and branch if negative, on whole numbers without bound."""

import dataclasses
from collections.abc import Sequence

Instruction = tuple[int, int, int]
"""Cells a and b and a place in the code: b becomes b - a; if it is negative, go there."""


@dataclasses.dataclass(frozen=True)
class Run:
    """What a program did.

    Args:
        memory: the cells in the end.
        cycles: instructions carried out.
        place: the next instruction; the length of the code if it has halted.
        low: the smallest number that any cell held.
        high: the largest.
    """

    memory: tuple[int, ...]
    cycles: int
    place: int
    low: int
    high: int


def run(code: Sequence[Instruction], memory: Sequence[int], *, max_cycles: int) -> Run:
    """Carries a program out until it goes past its end, or for so many instructions.

    Args:
        code: the instructions; an aim of `len(code)` halts.
        memory: the cells at the start.
        max_cycles: after how many instructions to give up.
    """
    cells = list(memory)
    low, high = min(cells, default=0), max(cells, default=0)
    place = cycles = 0
    while place < len(code) and cycles < max_cycles:
        a, b, aim = code[place]
        cells[b] -= cells[a]
        low, high = min(low, cells[b]), max(high, cells[b])
        place = aim if cells[b] < 0 else place + 1
        cycles += 1
    return Run(tuple(cells), cycles, place, low, high)
