"""How many networks it takes: Gaussian tails, the union bound, and what is really needed."""

import functools
import math
from collections.abc import Iterator
from typing import Any

import numpy as np

from ntkexec.check import Check, Measurement, Scale
from ntkexec.theory import kernel, predictor
from ntkexec.theory.certificate import Certificate
from proofs_check.fixtures import plots, statistics, threshold_tables, trained_networks

DELTA = 0.1
BATCH = 500


def decisions() -> tuple[Certificate, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Certificate, means, bits and thresholds (sets, bits), covariance (sets, sets)."""
    problem = trained_networks.problem()
    certificate = threshold_tables.shared(problem)
    matched = trained_networks.match_sets()
    _, targets = problem.program.training_set()
    mean = trained_networks.mean(matched)
    threshold = threshold_tables.at(certificate, matched.sum(axis=1))
    return certificate, mean, matched @ targets > 0, threshold, trained_networks.covariance(matched)


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


SIZES = (1, 2, 4, 8)


def measure_tail(scale: Scale, sharpen: float = 1.0) -> Measurement:
    """Largest ratio of the probability of a wrong bit, from below, to its bound.

    Of ensembles of infinite width, for which the bound is proven, and of trained ones.

    Args:
        scale: how many ensembles.
        sharpen: factor of the bound's exponent, for counter-cases.
    """
    trials = {"quick": 1000, "standard": 20000, "full": 200000}[scale]
    _, mean, bits, threshold, covariance = decisions()
    margin = np.abs(mean - threshold)
    worst, curves = -math.inf, []
    miss = statistics.FALSE_ALARM / (2 * mean.size * len(SIZES))
    for size in SIZES:
        drawn = sum(batch.sum(axis=0) for batch in mistakes(size, trials, seed=5))
        trained = (trained_networks.ensembles(scale, size) > threshold) != bits
        exponent = -sharpen * size * margin**2 / (2 * np.diag(covariance)[:, None])
        shares = []
        for wrong, number in ((drawn, trials), (trained.sum(axis=0), len(trained))):
            for count, power in zip(wrong.ravel().tolist(), exponent.ravel().tolist(), strict=True):
                if count:
                    low, _ = statistics.proportion(count, number, miss=miss)
                    worst = max(worst, math.log(low) - power)
            shares.append(float(wrong.max() / number))
        curves.append([*shares, math.exp(exponent.max())])
    return Measurement(
        math.exp(min(worst, 700)),
        details={"networks": list(SIZES), "infinite width, trained, bound": curves},
    )


def failing(size: int, trials: int, seed: int, *, raised: float = 1.0) -> int:
    """How many of so many ensembles make any mistake in any state; see `mistakes`."""
    wrong = mistakes(size, trials, seed, raised=raised)
    return sum(int(batch.any(axis=(1, 2)).sum()) for batch in wrong)


def measure_size(scale: Scale, divide: int = 1) -> Measurement:
    """Probability that an ensemble of the certificate's size makes any mistake.

    The larger of that at infinite width and that of trained networks.

    Args:
        scale: how many ensembles.
        divide: how much smaller they are, for counter-cases.
    """
    trials = {"quick": 1000, "standard": 10000, "full": 100000}[scale]
    certificate, mean, bits, threshold, _ = decisions()
    size = max(1, certificate.ensemble_size(delta=DELTA, num_decisions=mean.size) // divide)
    trained = ((trained_networks.ensembles(scale, size) > threshold) != bits).any(axis=(1, 2))
    pairs = ((failing(size, trials, seed=6), trials), (int(trained.sum()), len(trained)))
    miss = statistics.FALSE_ALARM / len(pairs)
    ends = [statistics.proportion(*pair, miss=miss) for pair in pairs]
    names = ("infinite width", "trained")
    shares = {name: count / number for name, (count, number) in zip(names, pairs, strict=True)}
    return Measurement(
        max(shares.values()),
        (max(low for low, _ in ends), max(high for _, high in ends)),
        details={"networks": size, "delta": DELTA, "ensembles": [n for _, n in pairs]} | shares,
    )


def measure_noise(scale: Scale, power: float = 0.0) -> Measurement:
    """Largest slope of log(sigma^2 / mu^2) over log n0 between neighbours, for a sole writer at m = 8.

    The curve is a closed form: nothing is fitted, and there is no interval.

    Args:
        scale: how many sizes.
        power: of n0, times the ratio, for counter-cases.
    """
    n0 = np.logspace(1.5, 4, {"quick": 12, "standard": 40, "full": 200}[scale])
    ratio = n0**power * predictor.variance(8, n0) / predictor.mean(8, n0, 1, 1) ** 2
    slopes = np.diff(np.log(ratio)) / np.diff(np.log(n0))
    return Measurement(
        float(slopes.max()),
        details={"n0": n0.tolist(), "ratio": ratio.tolist(), "steepest": float(slopes.min())},
    )


def measure_unbounded(_: Scale, convention: str = "zero") -> Measurement:
    """Largest sigma^2 / (n0 mu^2) of a bit inside the interference criterion, one writer matched.

    Over all 2 <= m < 60 and m <= n0 < 400, with as many writers as the criterion admits.

    Args:
        convention: with `bit` the margin Delta/(2 lambda) takes the place of the mean, for
            counter-cases.
    """
    m, n0 = np.arange(2, 60)[:, None], np.arange(2, 400)[None]
    writers = np.minimum(np.ceil(predictor.capacity(m, n0)), n0 - m + 1)
    mean = predictor.mean(m, n0, writers, 1)
    if convention == "bit":
        mean = (kernel.ntk(m**-0.5) - kernel.NTK_ORTHOGONAL) / (2 * kernel.NTK_GAP)
    ratio = np.where(m <= n0, predictor.variance(m, n0) / mean**2 / n0, 0)
    i, j = np.unravel_index(ratio.argmax(), ratio.shape)
    return Measurement(
        float(ratio[i, j]),
        details={
            "m": int(m[i, 0]),
            "n0": int(n0[0, j]),
            "writers": int(writers[i, j]),
            "pairs of m and n0": int((m <= n0).sum()),
            "above n0": int((ratio > 1).sum()),
        },
    )


def plot_noise(found: Measurement) -> Any:
    """Noise over signal as programs grow, against the published bound n0."""
    figure, axes = plots.axes("templates n0", "variance over squared mean")
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
        how="largest ratio of probability (lower end of its interval) to bound, N = 1 to 8, ensembles "
        "drawn at infinite width and trained ones",
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
        how="share of ensembles with a mistake in any state, delta = 0.1, the larger of those drawn at "
        "infinite width and trained ones",
        bound=DELTA,
        bound_from="delta; the intervals miss with probability 1e-6 in all",
        measure=measure_size,
        broken=functools.partial(measure_size, divide=16),
    ),
    Check(
        name="noise-falls",
        claim="variance over squared mean falls at least like n0^-0.9 as programs grow around 8 matches",
        formula=r"\frac{\sigma^2}{\mu^2} \sim n_0^{-1}",
        source="sigma^2 has the factor 1/n0; mu tends to a constant. The published bound is n0",
        how="largest logarithmic slope between neighbouring n0, 30 to 10,000, a sole writer at m = 8",
        bound=-0.9,
        bound_from="-1, up to what small n0 add",
        measure=measure_noise,
        broken=functools.partial(measure_noise, power=1.0),
        plot=plot_noise,
    ),
    Check(
        name="noise-unbounded",
        claim="inside the interference criterion sigma^2/mu^2 can exceed n0, by a factor of 10^7",
        formula=r"\frac{\sigma^2}{\mu^2} \le n_0 \;\text{ is false: }\; 8 \cdot 10^7 n_0 "
        r"\text{ at } m = 25, n_0 = 168, w = 10",
        source="at the border of the criterion the mean of a 1 vanishes, its variance does not",
        how="largest sigma^2/(n0 mu^2), all m < 60 and n0 < 400, the most writers that are inside",
        bound=1e7,
        bound_from="measured 8.3e7; above n0 itself in 4,234 of 21,431 pairs of m and n0",
        relation="at least",
        measure=measure_unbounded,
        broken=functools.partial(measure_unbounded, convention="bit"),
    ),
)
