"""Trained networks are distributed as the limit says: mean, variance, shape, independence."""

import functools
from typing import Any

import numpy as np
from scipy import stats

from ntkexec.check import Check, Measurement, Scale
from proofs_check import _networks, _plots, _statistics


def measure_mean(scale: Scale, factor: float = 1.0) -> Measurement:
    """Joined p-value of z-tests of every match set and bit."""
    found = _networks.trained(scale)
    error = np.sqrt(np.diag(found.covariance) / len(found.outputs))[:, None]
    z = (found.outputs.mean(axis=0) - factor * found.mean) / error
    return _joined(2 * stats.norm.sf(np.abs(z)), len(found.outputs))


def measure_variance(scale: Scale, factor: float = 1.0) -> Measurement:
    """Joined p-value of chi-square tests of the spread around the claimed mean."""
    found = _networks.trained(scale)
    variance = factor * np.diag(found.covariance)[:, None]
    squares = ((found.outputs - found.mean[None]) ** 2).sum(axis=0) / variance
    below = stats.chi2.cdf(squares, len(found.outputs))
    above = stats.chi2.sf(squares, len(found.outputs))
    return _joined(2 * np.minimum(below, above), len(found.outputs))


def measure_gaussian(scale: Scale, power: float = 1.0) -> Measurement:
    """Joined p-value of Kolmogorov-Smirnov tests of the standardised outputs."""
    found = _networks.trained(scale)
    z = (found.outputs - found.mean[None]) / np.sqrt(np.diag(found.covariance))[None, :, None]
    # As a counter-case a distribution with other tails, with the same mean and median.
    z = np.sign(z) * np.abs(z) ** power
    flat = z.reshape(len(z), -1)
    p = np.array([stats.kstest(column, "norm").pvalue for column in flat.T])
    joined = _joined(p, len(z))
    quantiles = np.quantile(flat, np.linspace(0.005, 0.995, 100))
    return Measurement(
        joined.value, details=dict(joined.details) | {"quantiles": quantiles.tolist()}
    )


def measure_independence(scale: Scale, mix: float = 0.0) -> Measurement:
    """Joined p-value of Fisher's test of the correlation of any two bits at any match set."""
    found = _networks.trained(scale)
    outputs = found.outputs + mix * found.outputs[:, :, ::-1]
    p = []
    for column in outputs.transpose(1, 2, 0):
        r = np.corrcoef(column)[np.triu_indices(len(column), 1)]
        z = np.arctanh(r) * np.sqrt(len(outputs) - 3)
        p.append(2 * stats.norm.sf(np.abs(z)))
    return _joined(np.concatenate(p), len(outputs))


def measure_covariance(scale: Scale, factor: float = 1.0) -> Measurement:
    """Joined p-value of likelihood-ratio tests of the covariance between eight match sets."""
    found = _networks.trained(scale)
    # Of the match sets the last of each size and some more; their covariance has full rank.
    chosen = np.linspace(0, len(found.matched) - 1, 8).astype(int)
    claimed = found.covariance[np.ix_(chosen, chosen)]
    # As a counter-case, with weaker correlations.
    claimed = factor * claimed + (1 - factor) * np.diag(np.diag(claimed))
    size, p = len(found.outputs), []
    for bit in range(found.outputs.shape[2]):
        rest = found.outputs[:, chosen, bit] - found.mean[None, chosen, bit]
        ratio = np.linalg.solve(claimed, rest.T @ rest / size)
        deviance = size * (np.trace(ratio) - np.linalg.slogdet(ratio)[1] - len(chosen))
        p.append(stats.chi2.sf(deviance, len(chosen) * (len(chosen) + 1) / 2))
    return _joined(np.array(p), size)


def _joined(p_values: np.ndarray, members: int) -> Measurement:
    p = _statistics.joined(p_values.ravel())
    return Measurement(
        p,
        details={
            "tests": p_values.size,
            "networks": members,
            "false alarm": _statistics.FALSE_ALARM,
        },
    )


def plot_gaussian(found: Measurement) -> Any:
    """Quantiles of all standardised outputs against those of the normal distribution."""
    figure, axes = _plots.axes("quantile of the normal distribution", "of the trained networks")
    normal = stats.norm.ppf(np.linspace(0.005, 0.995, 100))
    axes.plot(normal, found.details["quantiles"], ".", label="measured")
    axes.plot(normal, normal, "-", label="equal")
    axes.legend()
    return figure


NETWORKS = "wide networks trained on 6 templates; 57 match sets, 6 bits"


def _check(
    name: str, claim: str, test: str, measure: Any, broken: Any, **more: Any
) -> Check[Scale]:
    return Check(
        name=name,
        claim=claim,
        source="Lee et al., arXiv:1902.06720, equations 13 and 16",
        how=f"joined p-value of {test}; {NETWORKS}",
        bound=_statistics.FALSE_ALARM,
        bound_from="the check fails by chance with this probability (Bonferroni over all tests)",
        relation="at least",
        measure=measure,
        broken=broken,
        **more,
    )


CHECKS = (
    _check(
        "trained-mean",
        "trained networks have the mean a alpha + (w - a) beta",
        "z-tests",
        measure_mean,
        functools.partial(measure_mean, factor=1.1),
        formula=r"\mathbb{E} f(\hat{x}) = a \alpha + (w - a) \beta",
    ),
    _check(
        "trained-variance",
        "trained networks have the variance of the closed form",
        "chi-square tests",
        measure_variance,
        functools.partial(measure_variance, factor=2.0),
    ),
    _check(
        "trained-gaussian",
        "the output of a trained network is Gaussian",
        "Kolmogorov-Smirnov tests",
        measure_gaussian,
        functools.partial(measure_gaussian, power=2.5),
        formula=r"f(\hat{x}) \sim \mathcal{N}(\mu, \sigma^2)",
        plot=plot_gaussian,
    ),
    _check(
        "trained-independence",
        "outputs of one network are independent given the input",
        "tests of correlation",
        measure_independence,
        functools.partial(measure_independence, mix=0.5),
        formula=r"\operatorname{Cov}(f_i(\hat{x}), f_j(\hat{x})) = 0, \quad i \ne j",
    ),
    _check(
        "trained-covariance",
        "between match sets outputs have the covariance of the NTK Gaussian process",
        "likelihood-ratio tests",
        measure_covariance,
        functools.partial(measure_covariance, factor=0.5),
    ),
)
