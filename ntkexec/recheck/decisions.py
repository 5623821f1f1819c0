"""The decisions of one component's networks, with a bound of its own on rounding in float32."""

import math
from typing import Any

import numpy as np

from .reading import need

# Sums below this cannot overflow in float32, and what underflows there adds less than its inverse.
RANGE = 2.0**100


def check_decisions(table: Any, matched: Any, writes: Any, nets: Any, weight_std: float) -> float:
    """Every bit is on its side of its threshold in float32; returns the smallest margin.

    Args:
        table: thresholds by bit and number of matches.
        matched: match sets, one a row.
        writes: which template writes which bit.
        nets: weights by name; (members, inputs, units) or (members, units, bits).
        weight_std: their scale.
    """
    members, inputs, units = nets["hidden"].shape
    scales = weight_std / math.sqrt(inputs), weight_std / math.sqrt(units) / members
    need(min(scales) > 1 / RANGE, "weights leave the range of float32")

    def wide(name: str) -> Any:
        """The members side by side, scaled, without inputs that are always 0; 0 if there is none."""
        array = nets.get(name, np.zeros_like(nets["output" if "output" in name else "hidden"]))
        if "output" in name:
            return scales[1] * np.concatenate(array.astype(float))
        return scales[0] * np.concatenate(array[:, : matched.shape[1]].astype(float), axis=1)

    first, second, shift, start = map(wide, ("hidden", "output", "hidden_shift", "initial_output"))
    gated, least = "hidden_shift" in nets, math.inf
    count, ones = matched.sum(1), matched @ writes > 0
    # All roundings of all terms of both layers at once: cruder, and short.
    operations = matched.shape[1] + members * units + 32
    unit = 1.01 * operations * 2.0**-24
    need(operations < 2**17, "more units than the bound on rounding is for")
    for rows in np.array_split(np.arange(len(count)), 1 + len(count) * members * units // 2**24):
        x = matched[rows] / np.sqrt(np.maximum(count[rows], 1))[:, None]
        limit, before, size = table[:, count[rows]].T, x @ first, x @ abs(first)
        mean, terms = np.maximum(before, 0) @ second, size @ abs(second)
        lost = (size.sum(1)[:, None] + abs(second).sum(0) + 1) * operations / RANGE
        if gated:
            moved, moves, unsure = x @ shift, x @ abs(shift), abs(before) <= unit * size + 1 / RANGE
            mean = mean + (moved * (before > 0)) @ start
            terms = terms + moves @ abs(start)
            lost = lost + (moves.sum(1)[:, None] + abs(start).sum(0)) * operations / RANGE
            # A unit on the edge may be on either side of it.
            lost = lost + (unsure * (abs(moved) + moves)) @ abs(start)
        sizes = (abs(first).max(), abs(second).max(), size.max(), terms.max(), abs(start).max())
        need(max(sizes) < RANGE and lost.max() < RANGE, "weights leave the range of float32")
        margin = np.where(ones[rows], mean - limit, limit - mean)
        # Without a match every term is exactly 0, and 0 does not exceed a threshold of 0.
        idle = count[rows] == 0
        right = np.where(idle[:, None], limit >= 0, margin > unit * terms + lost)
        need(bool(right.all()), "a decision is wrong, or too close")
        least = min(least, float(margin[~idle].min(initial=math.inf)))
    return least
