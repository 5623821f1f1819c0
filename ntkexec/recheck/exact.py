"""Sums of products of floating-point numbers without any rounding.

Such a number is an integer times a power of two, and an array of them is integers times one power. Cut
into limbs so short that every sum of products of limbs stays below 2^53, integers are multiplied by
NumPy's float64, which is exact there in whatever order it adds.
"""

from typing import Any, NamedTuple

import numpy as np

from .reading import need

MOST_BITS, LEAST_EXPONENT = 320, -400


class Whole(NamedTuple):
    """An array, equal to 2^exponent times the sum of limbs[i] * 2^(i * bits).

    limbs: the lowest first, in float64, below 2^bits in size.
    """

    limbs: list[np.ndarray]
    bits: int
    exponent: int


def limb_bits(units: int, inputs: int) -> int:
    """Bits of a limb with which sums over so many units, and over so many inputs, are exact."""
    bits = (53 - units.bit_length()) // 2
    need(inputs < 1 << bits, "more units than sums are exact for")
    return bits


def split(array: np.ndarray, bits: int) -> Whole:
    """The array as integers over one exponent, in limbs."""
    rest = array.astype(np.float64)
    mantissa, power = np.frexp(rest[rest != 0])
    if not len(power):
        return Whole([rest], bits, 0)
    integer = np.ldexp(mantissa, 53).astype(np.int64)
    trailing = np.frexp((integer & -integer).astype(np.float64))[1] - 1
    exponent = int((power - 53 + trailing).min())
    size = int(power.max()) - exponent
    fits = size <= MOST_BITS and exponent >= LEAST_EXPONENT
    need(fits, "weights leave the range of float32")
    rest, limbs = np.ldexp(rest, -exponent), list[np.ndarray]()
    for shift in reversed(range(0, size, bits)):
        limbs.append(np.trunc(np.ldexp(rest, -shift)))
        rest = rest - np.ldexp(limbs[-1], shift)
    return Whole(limbs[::-1], bits, exponent)


def selected(rows: np.ndarray, whole: Whole) -> tuple[Whole, np.ndarray]:
    """Sums of the array's rows, and their signs.

    Args:
        rows: which of them, 0 or 1; (sums, rows).
        whole: at most 2^bits rows.
    """
    limbs, carry, some = list[np.ndarray](), np.zeros(()), np.zeros((), bool)
    unit = 2.0**whole.bits  # a power of two: its products and quotients are exact
    for limb in whole.limbs:
        total = rows @ limb + carry
        carry = np.floor(total / unit)
        limbs.append(total - carry * unit)
        some = some | (limbs[-1] != 0)
    # All but the last are not negative, and less than one of the last together.
    sign = np.where(carry < 0, -1, np.where((carry > 0) | some, 1, 0))
    return Whole([*limbs, carry], whole.bits, whole.exponent), sign


def product(first: Whole, gate: np.ndarray, second: Whole) -> Any:
    """Gated rows times columns, as Python's integers times 2^(both exponents).

    Args:
        first: (sums, units).
        gate: which units count, 0 or 1; (sums, units).
        second: (units, outputs).
    """
    by_place: dict[int, Any] = {}
    for i, one in enumerate(first.limbs):
        gated = one * gate
        for j, other in enumerate(second.limbs):
            part = (gated @ other).astype(np.int64)
            by_place[i + j] = by_place.get(i + j, 0) + part
    return sum(part.astype(object) << place * first.bits for place, part in by_place.items())
