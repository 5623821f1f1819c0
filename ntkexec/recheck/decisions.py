"""The decisions of one component's networks: means as integers, and a bound of its own on rounding."""

import math
from fractions import Fraction
from typing import Any

import numpy as np

from .exact import limb_bits, product, selected, split
from .reading import need

# Sums below this cannot overflow in float32, and what underflows there adds less than its inverse.
RANGE = 1 << 100
# How evaluations take products and sums: what a factor may lose before it is multiplied, and the unit
# roundoff. Matrix units in TF32 keep 11 bits and may drop the rest, in bfloat16 8 bits, rounded to the
# nearest; the sums of both may be truncated.
FORMATS = {
    "float32": (Fraction(0), Fraction(1, 1 << 24)),
    "TF32": (Fraction(1, 1 << 10), Fraction(1, 1 << 23)),
    "bfloat16": (Fraction(1, 1 << 8), Fraction(1, 1 << 23)),
}
# Thresholds are whole multiples of its inverse: the smallest number of float32.
GRAIN = 1 << 149
# For sums of what is not negative, whose rounding in float64 is smaller by far.
UPWARDS = 1 + 2.0**-20
WRONG = "a decision is wrong, or too close"


def check_decisions(
    table: Any, matched: Any, writes: Any, nets: Any, weight_std: float
) -> tuple[float, set[str]]:
    """Every bit is on its side of its threshold, exactly and in any evaluation in float32.

    A mean is I c / sqrt(q) with integers I and q and a rational c. It exceeds r if I c, squared with its
    sign, exceeds r squared with its sign times q: no root is taken.

    Args:
        table: thresholds by bit and number of matches.
        matched: match sets, one a row.
        writes: which template writes which bit.
        nets: weights by name; (members, inputs, units) or (members, units, bits).
        weight_std: their scale.

    Returns:
        The smallest margin, and the formats in which no evaluation decides otherwise.
    """
    members, inputs, units = nets["hidden"].shape
    num_templates, wide, gated = matched.shape[1], members * units, "hidden_shift" in nets
    # All roundings of all terms of both layers at once: cruder, and short.
    operations = num_templates + wide + 32
    need(operations < 1 << 17, "more units than the bound on rounding is for")

    def beside(name: str) -> Any:
        """The members side by side, without inputs that are always 0; 0 if there is none."""
        array = nets.get(name, np.zeros_like(nets["output" if "output" in name else "hidden"]))
        if "output" in name:
            return np.concatenate(array.astype(float))
        return np.concatenate(array[:, :num_templates].astype(float), axis=1)

    hidden, output, shift, initial = map(
        beside, ("hidden", "output", "hidden_shift", "initial_output")
    )
    std = Fraction(weight_std)
    sums = [
        std * Fraction(UPWARDS * float(abs(one).sum())) for one in (hidden, output, shift, initial)
    ]
    largest = (1 + sums[0] + sums[2]) * (1 + sums[1] + sums[3])
    need(largest < RANGE, "weights leave the range of float32")
    lost = (1 + sum(sums)) * operations / RANGE
    least_input = float(operations * inputs * num_templates / std / RANGE) * UPWARDS
    first, second, third, fourth = (
        split(one, limb_bits(wide, num_templates)) for one in (hidden, output, shift, initial)
    )
    exponents = [first.exponent + second.exponent, third.exponent + fourth.exponent]
    # Fine enough for errors as whole numbers of it, too.
    exponent = min(exponents) - 64
    scale = std**2 * Fraction(2) ** exponent / members
    limits = np.array([[int(Fraction(t) * GRAIN) for t in row] for row in table.tolist()], object)

    count, ones = matched.sum(1), matched @ writes > 0
    least, proven = math.inf, set(FORMATS)
    # Without a match every term is exactly 0, and 0 does not exceed a threshold of 0.
    need(bool((count > 0).all() or (table[:, 0] >= 0).all()), WRONG)
    busy = np.flatnonzero(count)
    for rows in np.array_split(busy, 1 + len(busy) * wide // (1 << 23)):
        if not len(rows):
            continue
        x, sign = matched[rows].astype(float), np.where(ones[rows], 1, -1).astype(object)
        before, signs = selected(x, first)
        exact = product(before, signs > 0, second) << exponents[0] - exponent
        moves, bound = x @ abs(shift), (x @ abs(hidden)) @ abs(output)
        if gated:
            moved, _ = selected(x, third)
            exact = exact + (product(moved, signs > 0, fourth) << exponents[1] - exponent)
            bound = bound + moves @ abs(initial)
        # (sets, bits): a mean is exact * scale / sqrt(under).
        limit, under = (
            limits[:, count[rows]].T,
            (inputs * units * count[rows]).astype(object)[:, None],
        )
        for name, (factor, unit) in FORMATS.items():
            growth = UPWARDS * float((1 + factor) ** 4 / (1 - operations * unit) - 1)
            error = growth * bound
            if gated:
                # A unit on the edge may be on either side of it.
                edge = abs(x @ hidden) <= UPWARDS * growth * (x @ abs(hidden)) + least_input
                error = error + 2 * (1 + growth) * (edge * moves) @ abs(initial)
            error = whole(UPWARDS * np.ldexp(error, -exponent))
            left = (sign * exact - error) * (scale.numerator * GRAIN)
            right = (sign * limit + math.ceil(lost * GRAIN)) * scale.denominator
            if not (squared(left) > squared(right) * under).all():
                proven.discard(name)
        need("float32" in proven, WRONG)
        mean = exact.astype(float) * float(scale) / np.sqrt(under.astype(float))
        margin = sign.astype(float) * (mean - table[:, count[rows]].T)
        least = min(least, float(margin.min(initial=math.inf)))
    return least, proven


def whole(values: Any) -> Any:
    """The next integers that are larger."""
    return np.frompyfunc(lambda value: math.floor(value) + 1, 1, 1)(values)


def squared(values: Any) -> Any:
    """Squares with the sign of what was squared."""
    return values * abs(values)
