"""Where to divide: mean shift on one coordinate of the objects' pixels."""

import itertools

import numpy as np
from jaxtyping import Float, Int

QUANTILE = 0.3
SHARE = 0.015
TOLERANCE = 1e-3


def bandwidth(points: Float[np.ndarray, "n"], *, quantile: float = QUANTILE) -> float:
    """The mean over points of the distance to their (quantile n)-th neighbour, itself the first.

    Source: the estimator that the public code takes from scikit-learn.
    """
    distances = np.abs(points[:, None] - points[None, :])
    rank = max(1, int(quantile * len(points))) - 1
    return float(np.partition(distances, rank, axis=1)[:, rank].mean())


def modes(points: Float[np.ndarray, "n"], width: float) -> Float[np.ndarray, "k"]:
    """Modes of points on a line: means within `width`, shifted until they rest, in rising order.

    Of modes nearer than `width` to one another the one with most points is kept.
    """
    ordered = np.sort(points)
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    at = np.unique(ordered)
    for _ in range(300):
        low = np.searchsorted(ordered, at - width, "left")
        high = np.searchsorted(ordered, at + width, "right")
        moved = (sums[high] - sums[low]) / np.maximum(high - low, 1)
        rest = np.abs(moved - at).max() <= TOLERANCE * width
        at = moved
        if rest:
            break
    low, high = np.searchsorted(ordered, at - width), np.searchsorted(ordered, at + width, "right")
    kept: list[float] = []
    for place in np.lexsort((-at, -(high - low))):
        if all(abs(at[place] - other) >= width for other in kept):
            kept.append(float(at[place]))
    return np.sort(kept)


def cuts(points: Float[np.ndarray, "n"], *, quantile: float = QUANTILE) -> list[int]:
    """Coordinates halfway between neighbouring clusters; none if there is one cluster."""
    width = bandwidth(points, quantile=quantile) if len(points) > 1 else 0.0
    if width == 0:
        return []
    centres = modes(points, width)
    nearest = np.abs(points[:, None] - centres[None, :]).argmin(1)
    groups = [points[nearest == i] for i in range(len(centres))]
    groups = [group for group in groups if len(group)]
    return [int(left.max() + right.min()) // 2 for left, right in itertools.pairwise(groups)]


def sample(coordinates: Int[np.ndarray, "n"], *, seed: int = 42) -> Float[np.ndarray, "m"]:
    """So many of the coordinates, with replacement, as the public code clusters."""
    number = int(SHARE * len(coordinates))
    chosen = np.random.default_rng(seed).integers(len(coordinates), size=number)
    return coordinates[chosen].astype(float)
