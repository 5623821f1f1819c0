"""The values of a type: how many there are, all of them, and one drawn at random."""

import itertools
import math
import random
from collections.abc import Iterator, Mapping
from typing import Any

from ntkexec.programs.local.types import Optional, Record, Scalar, Set, Tuple, Type


def count(kind: Type) -> int:
    """Values of a type."""
    match kind:
        case Scalar():
            return len(kind.domain)
        case Set():
            return 1 << kind.size
        case Optional():
            return 1 + count(kind.inner)
        case Record() | Tuple():
            return math.prod(count(part) for part in kind.parts.values())
    raise AssertionError(f"unknown type {kind!r}")


def values(kind: Type) -> Iterator[Any]:
    """All values of a type."""
    match kind:
        case Scalar():
            yield from kind.domain
        case Set():
            for bits in itertools.product((False, True), repeat=kind.size):
                yield kind.decode(bits)
        case Optional():
            yield None
            yield from values(kind.inner)
        case Record() | Tuple():
            for entries in itertools.product(*(list(values(part)) for part in kind.parts.values())):
                yield kind.build(entries)


def drawn(kind: Type, start: int, cube: Mapping[int, bool], rng: random.Random) -> Any:
    """A value that has these bits, and is drawn at random otherwise.

    Args:
        kind: of the value.
        start: number of its first bit.
        cube: values by bit, for whole scalars, elements of sets and whether there is a value.
        rng: draws.
    """
    match kind:
        case Scalar():
            if start in cube:
                return kind.decode([cube[start + bit] for bit in range(kind.num_bits)])
            return kind.domain[rng.randrange(len(kind.domain))]
        case Set():
            bits = [cube.get(start + e, rng.random() < 0.5) for e in range(kind.size)]
            return kind.decode(bits)
        case Optional():
            there = cube.get(start, rng.random() < 0.5)
            return drawn(kind.inner, start + 1, cube, rng) if there else None
        case Record() | Tuple():
            parts = zip(kind.parts.values(), kind.offsets.values(), strict=True)
            return kind.build([drawn(part, start + at, cube, rng) for part, at in parts])
    raise AssertionError(f"unknown type {kind!r}")
