"""Mean and variance of the trained network against a general library's dense solve."""

import functools

import jax.numpy as jnp
import numpy as np

from ntkexec.check import Check, Measurement, Scale
from ntkexec.engines import neural_tangents
from ntkexec.runtime.precision import float64
from ntkexec.theory import predictor

SIZES = {"quick": (20,), "standard": (2, 3, 7, 20, 45, 80), "full": (2, 3, 7, 20, 80, 300)}


def measure(scale: Scale, which: str, factor: float = 1.0) -> Measurement:
    """Largest deviation of mean or variance, at all m, for random targets."""
    rng = np.random.default_rng(3)
    worst = 0.0
    for n0 in SIZES[scale]:
        targets = (rng.random((n0, 12)) < rng.random(12)).astype(float)
        matched = np.tri(n0)[:, rng.permutation(n0)]
        m = matched.sum(axis=1)
        with float64():
            found = neural_tangents.predict(
                jnp.asarray(targets), jnp.asarray(matched / np.sqrt(m)[:, None])
            )
            mean, variance = np.asarray(found.mean), np.diag(np.asarray(found.covariance))
        if which == "mean":
            writers, active = targets.sum(axis=0)[None], matched @ targets
            ours = factor * predictor.mean(m[:, None], n0, writers, active)
            worst = max(worst, float(np.abs(ours - mean).max()))
        else:
            ours = factor * predictor.variance(m, n0)
            worst = max(worst, float(np.abs(ours - variance).max()) * n0)
    return Measurement(worst)


CHECKS = (
    Check(
        name="mean-oracle",
        claim="the mean at a bit with w writers, a of them matched, is a alpha + (w-a) beta",
        formula=r"\mu = a \alpha + (w - a) \beta",
        source="Lee et al., arXiv:1902.06720, equation 13",
        how="largest deviation from neural-tangents' gradient_descent_mse_ensemble, m from 1 to n0",
        bound=1e-10,
        bound_from="float64 rounding of the dense solve",
        measure=functools.partial(measure, which="mean"),
        broken=functools.partial(measure, which="mean", factor=1 + 1e-8),
    ),
    Check(
        name="variance-oracle",
        claim="its variance is the same for every bit, and 0 at m = 1",
        formula=(
            r"n_0 \sigma^2 = \tfrac12 + (\tfrac12 - c)(m \alpha^2 + (n_0 - m) \beta^2) "
            r"+ c (m \alpha + (n_0 - m) \beta)^2 - 2 (m \alpha k_m + (n_0 - m) \beta c)"
        ),
        source="Lee et al., arXiv:1902.06720, equation 16",
        how="largest deviation of n0 sigma^2 from neural-tangents, m from 1 to n0",
        bound=1e-9,
        bound_from="float64 rounding of the dense solve",
        measure=functools.partial(measure, which="variance"),
        broken=functools.partial(measure, which="variance", factor=1 + 1e-6),
    ),
)
