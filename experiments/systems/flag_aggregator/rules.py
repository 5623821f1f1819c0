"""Rules that make one gradient of many: means, medians, and those that resist Byzantine workers.

A rule is a function of the gradients, one in a row, and of how many may be wrong. Where a rule needs
more workers than there are, it says so before anything is traced. Rows that hold infinities or no numbers
count as wrong for all but the plain mean. Distances are squared in the gradients' type: lengths of 1e19 and
of 1e-19 have none in float32, but for the flag and the normalised mean.
"""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp
from jax import lax
from jaxtyping import Array, Float

from experiments.systems.flag_aggregator.gram import (
    default_dimension,
    gap_dimension,
    gram_flag,
    stacked_gram,
)
from experiments.systems.flag_aggregator.scales import rescaled
from ntkexec.errors import ExperimentError

Rule = Callable[[Float[Array, "p n"], int], Float[Array, "n"]]
WEISZFELD_STEPS = 8


def mean(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The plain mean, which one worker can move anywhere."""
    return gradients.mean(0)


def normalised_mean(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The mean of the gradients' directions: the flag aggregator with a subspace of p dimensions."""
    rows, _ = jax.vmap(rescaled)(gradients)
    lengths = jnp.linalg.norm(rows, axis=1, keepdims=True)
    return (rows / jnp.where(lengths > 0, lengths, 1)).mean(0)


def coordinate_median(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The median of each coordinate."""
    workers = len(gradients)
    return _mean_of_ranks(gradients, gradients, (workers - 1) // 2, workers // 2 + 1)


def trimmed_mean(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The mean of each coordinate without the `faulty` largest and smallest (Yin et al., ICML 2018)."""
    _check("the trimmed mean", len(gradients), 2 * faulty + 1, faulty)
    return _mean_of_ranks(gradients, gradients, faulty, len(gradients) - faulty)


def mean_around_median(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The mean of the p - f values of each coordinate next to its median (Xie et al., 2018: MeaMed)."""
    _check("the mean around the median", len(gradients), faulty + 1, faulty)
    centre = coordinate_median(gradients, faulty)
    return _nearest_mean(gradients, centre, len(gradients) - faulty)


def phocas(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The mean of the p - f values of each coordinate next to its trimmed mean (Xie et al., 2018)."""
    return _nearest_mean(gradients, trimmed_mean(gradients, faulty), len(gradients) - faulty)


def multi_krum(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The mean of the p - f - 2 gradients that lie closest to as many others.

    A score sums the squared distances to p - f - 2 neighbours, as defined; the code that came with
    the paper sums one more.

    Source: Blanchard et al., NeurIPS 2017.
    """
    workers = len(gradients)
    _check("Multi-Krum", workers, 2 * faulty + 3, faulty)
    closest = workers - faulty - 2
    scores = _krum_scores(_squared_distances(gradients), jnp.ones(workers, bool), closest)
    best = jnp.argsort(scores)[:closest]
    return gradients[best].mean(0)


def bulyan(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """Krum's choice p - 2f times without replacement, then the p - 4f values next to each median.

    Among the last few that are left, of which Krum's definition asks for no neighbour, one counts.

    Source: El Mhamdi et al., ICML 2018.
    """
    workers = len(gradients)
    _check("Bulyan", workers, 4 * faulty + 3, faulty)
    distances, chosen = _squared_distances(gradients), workers - 2 * faulty

    def choose(left: Array, taken: Array) -> tuple[Array, Array]:
        neighbours = jnp.maximum(workers - taken - faulty - 2, 1)
        best = jnp.argmin(jnp.where(left, _krum_scores(distances, left, neighbours), jnp.inf))
        return left.at[best].set(False), best

    _, order = lax.scan(choose, jnp.ones(workers, bool), jnp.arange(chosen))
    picked = gradients[order]
    return _nearest_mean(picked, coordinate_median(picked, faulty), chosen - 2 * faulty)


def geometric_median(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The point with the least sum of distances, by eight smoothed steps of Weiszfeld.

    Source: Pillutla et al., IEEE TSP 2022.
    """
    usable = jnp.isfinite(gradients).all(1)
    known = jnp.where(usable[:, None], gradients, 0)

    def step(centre: Array, _: None) -> tuple[Array, None]:
        distances = jnp.where(usable, jnp.linalg.norm(known - centre[None], axis=1), 0)
        # Relative, so that the rule follows the gradients' scale.
        weights = usable / jnp.maximum(distances, 1e-6 * (distances.max() + 1e-30))
        return weights @ known / weights.sum(), None

    return lax.scan(step, coordinate_median(gradients, faulty), None, length=WEISZFELD_STEPS)[0]


def flag(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The flag aggregator with a subspace of half as many dimensions as workers, as released."""
    return _flag(gradients, default_dimension(len(gradients)))


def line_flag(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The flag aggregator with a line for its subspace."""
    return _flag(gradients, 1)


def gap_flag(gradients: Float[Array, "p n"], faulty: int) -> Float[Array, "n"]:
    """The flag aggregator with as many dimensions as the largest gap of eigenvalues says; ours."""
    return _flag(gradients, None)


def _flag(gradients: Float[Array, "p n"], dimension: int | None) -> Float[Array, "n"]:
    """By as many dimensions as the gap says where none are given."""
    rows, _ = jax.vmap(rescaled)(gradients)
    gram = stacked_gram(rows)
    size = gap_dimension(gram) if dimension is None else dimension
    return gram_flag(gram, size).coefficients @ rows


ROBUST: Mapping[str, Rule] = {
    "median": coordinate_median,
    "trimmed mean": trimmed_mean,
    "MeaMed": mean_around_median,
    "Phocas": phocas,
    "Multi-Krum": multi_krum,
    "Bulyan": bulyan,
    "geometric median": geometric_median,
}
"""Rivals that resist Byzantine workers."""

RULES: Mapping[str, Rule] = {
    "flag": flag,
    "flag, a line": line_flag,
    "flag by gap": gap_flag,
    "mean": mean,
    "normalised mean": normalised_mean,
    **ROBUST,
}


def _check(rule: str, workers: int, least: int, faulty: int) -> None:
    if faulty < 0:
        raise ExperimentError(f"{faulty} workers cannot be wrong; 0 is the least")
    if workers < least:
        raise ExperimentError(f"{rule} needs {least} workers or more, and there are {workers}")


def _squared_distances(gradients: Float[Array, "p n"]) -> Float[Array, "p p"]:
    gram = stacked_gram(gradients)
    squares = jnp.diagonal(gram)
    between = squares[:, None] + squares[None, :] - 2 * gram
    return jnp.where(jnp.isnan(between), jnp.inf, jnp.maximum(between, 0))


def _krum_scores(distances: Array, left: Array, neighbours: int | Array) -> Float[Array, "p"]:
    """Sums of the squared distances to the nearest others of those that are left."""
    others = left[None, :] & ~jnp.eye(len(distances), dtype=bool)
    near = jnp.sort(jnp.where(others, distances, jnp.inf), 1)
    counted = jnp.arange(len(distances))[None, :] < neighbours
    return jnp.where(counted, near, 0).sum(1)


def _nearest_mean(gradients: Array, centre: Array, count: int) -> Float[Array, "n"]:
    """The mean of the values of each coordinate that are nearest to its centre."""
    return _mean_of_ranks(gradients, jnp.abs(gradients - centre[None]), 0, count)


def _mean_of_ranks(values: Array, keys: Array, first: int, end: int) -> Float[Array, "n"]:
    """The mean of each column's values whose keys have the ranks `first` to `end - 1` of their column.

    Ranks are counted, p comparisons each: of few rows and many columns that is ten times as fast as
    XLA's sort on a CPU. What is no number ranks last.
    """
    keys = jnp.where(jnp.isnan(keys), jnp.inf, keys)
    places = jnp.arange(len(keys))

    def count(place: Array, ranks: Array) -> Array:
        other, earlier = keys[place][None], (place < places)[:, None]
        return ranks + ((other < keys) | ((other == keys) & earlier))

    ranks = lax.fori_loop(0, len(keys), count, jnp.zeros(keys.shape, jnp.int32))
    return jnp.where((first <= ranks) & (ranks < end), values, 0).sum(0) / (end - first)
