"""Matrices of three by three panels, in which rules govern shape, size, colour and count row by row."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64

from ntkexec.errors import ExperimentError

RULES = ("constant", "progression", "arithmetic", "distribute-three")
ATTRIBUTES = ("shape", "size", "colour", "count")
LEVELS = {"shape": 5, "size": 4, "colour": 8, "count": 4}
"""Values of an attribute count from 1."""
CELL = 8
"""Pixels of a cell; a panel has two by two."""


class Matrices(NamedTuple):
    """Pictures and what they were drawn from.

    Args:
        images: from -1 to 1, one channel.
        labels: whether the colours of each row are constant.
        values: levels by attribute, row and column.
        rules: which of `RULES`, by attribute.
    """

    images: Float32[np.ndarray, "n 48 48"]
    labels: Bool[np.ndarray, "n"]
    values: Int64[np.ndarray, "n 4 3 3"]
    rules: Int64[np.ndarray, "n 4"]


def matrices(generator: np.random.Generator, number: int, *, constant: float = 0.5) -> Matrices:
    """Drawn matrices. All rules but of colour are equally likely; shapes are not added up.

    Args:
        generator: draws.
        number: of matrices.
        constant: probability that the colours of each row are constant, the rest being equally likely.

    Source: the rules of RAVEN, arXiv:1903.02741; grids, positions, nested figures and noise of it are left
        out.
    """
    values = np.zeros((number, len(ATTRIBUTES), 3, 3), np.int64)
    rules = np.zeros((number, len(ATTRIBUTES)), np.int64)
    for each, (row, chosen) in enumerate(zip(values, rules, strict=True)):
        for i, name in enumerate(ATTRIBUTES):
            allowed = [r for r in range(len(RULES)) if (name, RULES[r]) != ("shape", "arithmetic")]
            if name == "colour":
                rest = (1 - constant) / (len(allowed) - 1)
                odds = [constant] + [rest] * (len(allowed) - 1)
                chosen[i] = generator.choice(allowed, p=odds)
            else:
                chosen[i] = generator.choice(allowed)
            row[i] = ruled(generator, RULES[rules[each, i]], LEVELS[name])
    labels = rules[:, ATTRIBUTES.index("colour")] == RULES.index("constant")
    return Matrices(drawn_panels(values), labels, values, rules)


def ruled(generator: np.random.Generator, rule: str, levels: int) -> Int64[np.ndarray, "3 3"]:
    """Levels of one attribute by row and column; only under `constant` is a row constant.

    Raises:
        ExperimentError: names the rules that there are.
    """
    if rule == "constant":
        return np.repeat(generator.integers(1, levels + 1, 3)[:, None], 3, axis=1)
    if rule == "progression":
        step = int(generator.choice([s for s in (-2, -1, 1, 2) if 2 * abs(s) < levels]))
        low, high = max(1, 1 - 2 * step), min(levels, levels - 2 * step)
        first = generator.integers(low, high + 1, 3)
        return first[:, None] + step * np.arange(3)[None, :]
    if rule == "arithmetic":
        ones = generator.integers(1, levels, 3)
        others = generator.integers(1, levels - ones + 1)
        rows = np.stack([ones, others, ones + others], axis=1)
        # The other way round it is a difference.
        return rows[:, ::-1] if generator.random() < 0.5 else rows
    if rule == "distribute-three":
        three = 1 + generator.permutation(levels)[:3]
        shift = int(generator.choice([1, 2]))
        return np.stack([np.roll(three, shift * row) for row in range(3)])
    raise ExperimentError(f"{rule!r} is no rule; there are {', '.join(RULES)}")


def drawn_panels(values: Int64[np.ndarray, "n 4 3 3"]) -> Float32[np.ndarray, "n 48 48"]:
    """Pictures of matrices: as many equal figures in a panel as its count says, in reading order."""
    shape, size, colour, count = np.moveaxis(values, 1, 0)
    figures = _FIGURES[shape - 1, size - 1] * (colour / LEVELS["colour"])[..., None, None]
    there = np.arange(4) < count[..., None]
    cells = there[..., None, None] * figures[..., None, :, :]  # (n, 3, 3, 4, CELL, CELL)
    n = len(values)
    grid = cells.reshape(n, 3, 3, 2, 2, CELL, CELL).transpose(0, 1, 3, 5, 2, 4, 6)
    return (2 * grid.reshape(n, 6 * CELL, 6 * CELL) - 1).astype(np.float32)


def _figures() -> np.ndarray:
    """Masks by shape and size: disc, square, diamond, triangle, cross."""
    y, x = np.mgrid[:CELL, :CELL] - (CELL - 1) / 2
    found = []
    for radius in (1.6, 2.3, 3.0, 3.7):
        found.append(
            [
                x**2 + y**2 <= radius**2,
                np.maximum(abs(x), abs(y)) <= radius * 0.9,
                abs(x) + abs(y) <= radius * 1.2,
                (abs(x) <= (y + radius) / 2) & (abs(y) <= radius),
                (np.minimum(abs(x), abs(y)) <= 0.6) & (np.maximum(abs(x), abs(y)) <= radius),
            ]
        )
    return np.swapaxes(np.array(found, float), 0, 1)


_FIGURES = _figures()
