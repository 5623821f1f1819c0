"""How many networks it takes: Gaussian tails, the union bound, and what is really needed."""

import functools
import itertools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ntkexec import predictor
from ntkexec.certificate import Certificate
from ntkexec.check import Check, Measurement, Scale
from ntkexec.match_bound import state_bound
from proofs_check import _networks, _plots, _statistics

DELTA = 0.1
BATCH = 500


def decisions() -> tuple[Certificate, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Certificate, means and bits (sets, bits), thresholds (sets, 1), covariance (sets, sets)."""
    problem = _networks.problem()
    certificate = Certificate(problem, state_bound(problem))
    n0 = problem.program.num_templates
    matched = _networks.match_sets()
    _, targets = problem.program.training_set()
    m, active = matched.sum(axis=1), matched @ targets
    mean = predictor.mean(m[:, None], n0, targets.sum(axis=0)[None], active)
    threshold = certificate.thresholds[0][m][:, None]
    return certificate, mean, active > 0, threshold, _networks.covariance(matched)


def mistakes(size: int, trials: int, seed: int, *, raised: float = 1.0) -> Iterator[np.ndarray]:
    """Wrong bits of ensembles of `size` infinitely wide networks, (ensembles, sets, bits) at a time.

    Args:
        size: members.
        trials: ensembles.
        seed: of their draws.
        raised: factor of the thresholds.
    """
    _, mean, bits, threshold, covariance = decisions()
    values, vectors = np.linalg.eigh(covariance)
    root = vectors * np.sqrt(np.maximum(values, 0) / size)
    rng = np.random.default_rng(seed)
    for start in range(0, trials, BATCH):
        shape = (min(BATCH, trials - start), *mean.shape)
        yield (mean + root @ rng.normal(size=shape) > raised * threshold) != bits


def measure_tail(scale: Scale, sharpen: float = 1.0) -> Measurement:
    """Largest ratio of the probability of a wrong bit, from below, to its bound."""
    trials = {"quick": 1000, "standard": 20000, "full": 200000}[scale]
    _, mean, _, threshold, covariance = decisions()
    margin = np.abs(mean - threshold)
    worst, curves = -math.inf, []
    sizes = (1, 2, 4, 8)
    miss = _statistics.FALSE_ALARM / (mean.size * len(sizes))
    for size in sizes:
        wrong = np.zeros(mean.shape, int)
        for batch in mistakes(size, trials, seed=5):
            wrong += batch.sum(axis=0)
        exponent = -sharpen * size * margin**2 / (2 * np.diag(covariance)[:, None])
        for count, power in zip(wrong.ravel().tolist(), exponent.ravel().tolist(), strict=True):
            if count:
                low, _ = _statistics.proportion(count, trials, miss=miss)
                worst = max(worst, math.log(low) - power)
        curves.append([float(wrong.max() / trials), math.exp(exponent.max())])
    return Measurement(
        math.exp(min(worst, 700)), details={"networks": list(sizes), "worst and bound": curves}
    )


def failing(size: int, trials: int, seed: int, *, raised: float = 1.0) -> int:
    """How many of so many ensembles make any mistake in any state; see `mistakes`."""
    wrong = mistakes(size, trials, seed, raised=raised)
    return sum(int(batch.any(axis=(1, 2)).sum()) for batch in wrong)


def measure_size(scale: Scale, divide: int = 1) -> Measurement:
    """Probability that an ensemble of the certificate's size makes any mistake."""
    trials = {"quick": 1000, "standard": 10000, "full": 100000}[scale]
    certificate, mean, *_ = decisions()
    size = max(1, certificate.ensemble_size(delta=DELTA, num_decisions=mean.size) // divide)
    count = failing(size, trials, seed=6)
    return Measurement(
        count / trials,
        _statistics.proportion(count, trials),
        details={"networks": size, "delta": DELTA, "trials": trials},
    )


def measure_bounds(scale: Scale, factor: float = 1.0) -> Measurement:
    """By how much three numbers of networks are out of their order, as a ratio.

    They are: the smallest number that keeps the probability of a mistake below delta, by simulation;
    the certificate's; the published 8 n0 log(2 n0 q) for q inputs. In the details also the
    published 8 r log(2 n0 q) with the measured ratio r of variance to squared mean of a 1: the
    certificate's, but for the logarithm, which knows delta.
    """
    trials = {"quick": 500, "standard": 4000, "full": 20000}[scale]
    certificate, mean, bits, _, covariance = decisions()
    n0 = certificate.problem.program.num_templates
    ours = certificate.ensemble_size(delta=DELTA, num_decisions=mean.size)
    noise = float((np.diag(covariance)[:, None] / mean**2)[bits].max())
    logarithm = math.log(2 * n0 * len(mean))
    low, high = 1, ours
    while low < high:
        middle = (low + high) // 2
        if failing(middle, trials, seed=7) <= DELTA * trials:
            high = middle
        else:
            low = middle + 1
    numbers = {
        "smallest": float(low),
        "certificate": factor * ours,
        "published": 8 * n0 * logarithm,
    }
    ratios = [one / other for one, other in itertools.pairwise(numbers.values())]
    return Measurement(
        max(ratios), details=numbers | {"published, with ratio": 8 * noise * logarithm}
    )


def measure_noise(scale: Scale, power: float = 0.0) -> Measurement:
    """Slope of log(sigma^2 / mu^2) over log n0, for a sole writer at m = 8."""
    n0 = np.logspace(1.5, 4, {"quick": 12, "standard": 40, "full": 200}[scale])
    ratio = n0**power * predictor.variance(8, n0) / predictor.mean(8, n0, 1, 1) ** 2
    found, interval = _statistics.slope(np.log(n0), np.log(ratio))
    return Measurement(found, interval, details={"n0": n0.tolist(), "ratio": ratio.tolist()})


def plot_noise(found: Measurement) -> Any:
    """Noise over signal as programs grow, against the published bound n0."""
    figure, axes = _plots.axes("templates n0", "variance over squared mean")
    axes.loglog(found.details["n0"], found.details["ratio"], label="closed form, m = 8, w = 1")
    axes.loglog(found.details["n0"], found.details["n0"], "--", label="published bound n0")
    axes.legend()
    return figure


CHECKS = (
    Check(
        name="concentration-tail",
        claim="N networks average to a wrong bit with probability at most exp(-N g^2/(2 sigma^2))",
        formula=r"\Pr[\text{wrong bit}] \le \exp\!\left( -\frac{N g^2}{2 \sigma^2} \right)",
        source="Chernoff bound for a Gaussian",
        how="largest ratio of simulated probability (lower end of its interval) to bound, N = 1 to 8",
        bound=1,
        bound_from="the claim; the intervals miss with probability 1e-6 in all",
        measure=measure_tail,
        broken=functools.partial(measure_tail, sharpen=8.0),
    ),
    Check(
        name="ensemble-size",
        claim="with the certificate's number of networks any mistake has probability at most delta",
        formula=r"N = \left\lceil \max \frac{2 \sigma^2}{g^2} \log \frac{\#\text{bits}}{\delta} \right\rceil",
        source="union bound over all decisions",
        how="share of simulated ensembles with a mistake in any state, delta = 0.1",
        bound=DELTA,
        bound_from="delta; the interval misses with probability 1e-6",
        measure=measure_size,
        broken=functools.partial(measure_size, divide=16),
    ),
    Check(
        name="ensemble-bounds",
        claim="the smallest N that does <= the certificate's N <= the published bound",
        source="ours: g and sigma of every decision; published: 8 n0 log(2 n0 q), q inputs",
        how="largest ratio of one of them to the next",
        bound=1,
        bound_from="the claim",
        measure=measure_bounds,
        broken=functools.partial(measure_bounds, factor=10.0),
    ),
    Check(
        name="noise-falls",
        claim="variance over squared mean falls as programs grow, where the published bound grows as n0",
        formula=r"\frac{\sigma^2}{\mu^2} \sim n_0^{-1}",
        source="sigma^2 has the factor 1/n0; mu tends to a constant",
        how="logarithmic slope over n0 from 30 to 10,000, a sole writer at m = 8",
        bound=-0.9,
        bound_from="-1 up to what small n0 add; the interval must stay below",
        measure=measure_noise,
        broken=functools.partial(measure_noise, power=1.0),
        plot=plot_noise,
    ),
)
