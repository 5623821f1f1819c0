"""Bits by name: what sums of products in a program are made of."""

from typing import NamedTuple

PHASE = "phase"
"""The field that the compiler adds: a ring of one-hot bits, shared by all nodes. Of two phases a flag
says whether it is the second, so that a product may leave open which it is."""

TURN = "turn"
"""Prefix of the fields that count the passes of a repeated block, one-hot too."""


class Place(NamedTuple):
    """A bit by name: path in the layout, position in the field, slot in a table."""

    path: str
    position: int = 0
    slot: int | None = None

    def __str__(self) -> str:
        table, _, field = self.path.rpartition(".")
        base = f"{table}[{self.slot}].{field}" if table else field
        return f"{base}[{self.position}]"
