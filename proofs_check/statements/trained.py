"""Trained networks are distributed as the limit says: mean, variance, shape, independence."""

import functools
from typing import Any

import numpy as np
from scipy import stats

from ntkexec.check import Check, Measurement, Scale
from proofs_check.fixtures import plots, statistics, trained_networks


def _equivalence(found: tuple[float, tuple[float, float], float], **details: Any) -> Measurement:
    value, interval, reach = found
    return Measurement(value, interval, details={"half-width": reach} | details)


def measure_mean(scale: Scale, factor: float = 1.0) -> Measurement:
    """Largest bias of any output, in standard deviations of one network's output."""
    found = trained_networks.trained(scale)
    rest = found.outputs - factor * found.mean - found.linear
    rest = rest / np.sqrt(found.variance)
    return _equivalence(
        statistics.largest(rest),
        networks=len(rest),
        **{"root mean square": float(np.sqrt((rest.mean(axis=0) ** 2).mean()))},
    )


def measure_variance(scale: Scale, factor: float = 1.0) -> Measurement:
    """Largest relative deviation of any output's mean square around the claimed mean."""
    found = trained_networks.trained(scale)
    squares = ((found.outputs - found.mean) ** 2 - found.linear**2) / found.variance
    # Linear theory has the claimed variance exactly: what is left is what training adds.
    return _equivalence(
        statistics.largest(squares / factor, offset=1 / factor - 1), networks=len(squares)
    )


def measure_gaussian(scale: Scale, signs: bool = False) -> Measurement:
    """Largest Kolmogorov distance of any standardised output from the normal distribution.

    Args:
        scale: how many networks.
        signs: keep nothing but the signs, for counter-cases: another distribution with the same mean,
            variance and median.
    """
    matched = trained_networks.match_sets()
    deviation = np.sqrt(np.diag(trained_networks.covariance(matched)))[:, None]
    z = (trained_networks.many(scale) - trained_networks.mean(matched)) / deviation
    z = np.sign(z) if signs else z
    quantiles = np.quantile(z, np.linspace(0.005, 0.995, 100))
    return _equivalence(
        statistics.largest_distance(z), networks=len(z), quantiles=quantiles.tolist()
    )


def measure_independence(scale: Scale, mix: float = 0.0) -> Measurement:
    """Largest correlation of any two bits at any match set."""
    found = trained_networks.trained(scale)
    rest, linear = found.outputs - found.mean, found.linear
    rest = rest + mix * rest[:, :, ::-1]
    first, second = np.triu_indices(rest.shape[2], 1)
    products = rest[:, :, first] * rest[:, :, second] - linear[:, :, first] * linear[:, :, second]
    return _equivalence(statistics.largest(products / found.variance), networks=len(rest))


def measure_covariance(scale: Scale, factor: float = 1.0) -> Measurement:
    """Largest deviation of a covariance between two match sets, in units of their deviations."""
    found = trained_networks.trained(scale)
    first, second = np.triu_indices(len(found.matched), 1)
    rest, linear = found.outputs - found.mean, found.linear
    deviation = np.sqrt(found.variance)
    scales = deviation[first] * deviation[second]
    # As a counter-case, with weaker correlations.
    missing = (1 - factor) * found.covariance[first, second][:, None] / scales
    products = (rest[:, first] * rest[:, second] - linear[:, first] * linear[:, second]) / scales
    return _equivalence(statistics.largest(products + missing), networks=len(rest))


def plot_gaussian(found: Measurement) -> Any:
    """Quantiles of all standardised outputs against those of the normal distribution."""
    figure, axes = plots.axes("quantile of the normal distribution", "of the trained networks")
    normal = stats.norm.ppf(np.linspace(0.005, 0.995, 100))
    axes.plot(normal, found.details["quantiles"], ".", label="measured")
    axes.plot(normal, normal, "-", label="equal")
    axes.legend()
    return figure


FEW = "57 match sets, 6 bits; 400 networks of width 4,096, or more that are wider"
MANY = "57 match sets, 6 bits; 5,000 networks of width 1,024, or more that are wider"
LIMIT = "simultaneous upper limit, exceeded with probability 1e-6"


def _check(name: str, claim: str, how: str, bound: float, power: str, **more: Any) -> Check[Scale]:
    return Check(
        name=name,
        claim=claim,
        source="Lee et al., arXiv:1902.06720, equations 13 and 16",
        how=f"{how}, {LIMIT}; {MANY if more.pop('many', False) else FEW}",
        bound=bound,
        bound_from=f"a tolerance; power: {power}",
        **more,
    )


CHECKS = (
    _check(
        "trained-mean",
        "wide networks have the mean a alpha + (w - a) beta, up to a fifth of a standard deviation",
        "largest bias in standard deviations of an output",
        0.2,
        "half-width 0.04 (0.02 at standard scale), so a bias of 0.28 is refuted and one of 0.12 passes",
        measure=measure_mean,
        broken=functools.partial(measure_mean, factor=1.1),
        formula=r"\left| \mathbb{E} f(\hat{x}) - a \alpha - (w - a) \beta \right| \le \sigma / 5",
    ),
    _check(
        "trained-variance",
        "wide networks have the variance of the closed form, up to a sixth",
        "largest relative deviation of the mean square around the claimed mean",
        0.16,
        "half-width 0.09 (0.04 at standard scale), so a deviation of 0.25 is refuted",
        measure=measure_variance,
        broken=functools.partial(measure_variance, factor=2.0),
    ),
    _check(
        "trained-gaussian",
        "every output of trained networks is Gaussian, up to a Kolmogorov distance of 0.15",
        "largest Kolmogorov distance from the limit's distribution",
        0.15,
        "half-width 0.045, so a distance of 0.2 is refuted",
        many=True,
        measure=measure_gaussian,
        broken=functools.partial(measure_gaussian, signs=True),
        formula=r"f(\hat{x}) \sim \mathcal{N}(\mu, \sigma^2)",
        plot=plot_gaussian,
    ),
    _check(
        "trained-independence",
        "outputs of one network are uncorrelated given the input, up to 0.16",
        "largest correlation of two bits",
        0.16,
        "half-width 0.07 (0.03 at standard scale), so a correlation of 0.23 is refuted",
        measure=measure_independence,
        broken=functools.partial(measure_independence, mix=0.5),
        formula=r"\operatorname{Cov}(f_i(\hat{x}), f_j(\hat{x})) = 0, \quad i \ne j",
    ),
    _check(
        "trained-covariance",
        "between match sets outputs have the covariance of the NTK Gaussian process, up to 0.16",
        "largest deviation of a correlation between match sets",
        0.16,
        "half-width 0.09 (0.05 at standard scale), so a deviation of 0.25 is refuted",
        measure=measure_covariance,
        broken=functools.partial(measure_covariance, factor=0.5),
    ),
)
