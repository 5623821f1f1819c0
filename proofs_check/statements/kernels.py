"""The arc-cosine kernels are what their integrals say, and what wide networks converge to."""

import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy import integrate

from ntkexec.check import Check, Measurement, Scale
from ntkexec.engines import neural_tangents
from ntkexec.ensemble import TwoLayerNetwork
from ntkexec.plots import finite_width
from ntkexec.runtime.precision import float64
from ntkexec.theory import kernel
from proofs_check.fixtures import statistics

Kernel = Callable[[np.ndarray], np.ndarray]
SLIGHT = 1 + 1e-9


def by_quadrature(cosine: float) -> tuple[float, float]:
    """kappa_0 and kappa_1 by polar quadrature of their Gaussian expectations.

    In polar coordinates both expectations are integrals over the sector where both projections are
    positive; the radius integrates to a constant.
    """
    angle = math.acos(cosine)
    sector = (angle - math.pi / 2, math.pi / 2)
    zero = integrate.quad(lambda t: 1 / (2 * math.pi), *sector)[0]
    one = integrate.quad(lambda t: math.cos(t) * math.cos(t - angle) / math.pi, *sector)[0]
    return 2 * zero, 2 * one


def measure_integrals(_: Scale, arccosine_1: Kernel = kernel.arccosine_1) -> Measurement:
    """Largest deviation over 201 cosines."""
    cosines = np.cos(np.linspace(0, math.pi, 201))
    integrals = np.array([by_quadrature(float(u)) for u in cosines])
    closed = np.stack([kernel.arccosine_0(cosines), arccosine_1(cosines)], axis=1)
    return Measurement(float(np.abs(integrals - closed).max()))


def measure_oracle(_: Scale, ntk: Kernel = kernel.ntk) -> Measurement:
    """Largest deviation from the kernels of a general library, between random unit vectors."""
    vectors = np.random.default_rng(0).normal(size=(60, 12))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with float64():
        found = neural_tangents.kernels(jnp.asarray(vectors[:30]), jnp.asarray(vectors[30:]))
        theirs = np.stack([np.asarray(found.nngp), np.asarray(found.ntk)]) * vectors.shape[1]
    cosines = np.clip(vectors[:30] @ vectors[30:].T, -1, 1)
    ours = np.stack([kernel.nngp(cosines), ntk(cosines)])
    return Measurement(float(np.abs(ours - theirs).max()))


def _finite_kernels(key: jax.Array, x: jax.Array, width: int) -> tuple[jax.Array, jax.Array]:
    """Second moment of the outputs given the hidden layer, and the empirical NTK, of one network."""
    network = TwoLayerNetwork(x.shape[1], width, 1)
    weights: Any = network.init(key, x)
    apply: Any = network.apply
    jacobian = jax.jacobian(lambda w: apply(w, x)[:, 0])(weights)
    flat = jnp.concatenate([leaf.reshape(len(x), -1) for leaf in jax.tree.leaves(jacobian)], axis=1)
    # The outer layer's Jacobian is the hidden layer itself: its Gram is the conditional covariance.
    outer = jacobian["params"]["output"].reshape(len(x), -1)
    return outer @ outer.T, flat @ flat.T


def measure_width(scale: Scale, offset: float = 0.0) -> Measurement:
    """Slope of the logarithmic error of a finite network's kernels over its logarithmic width."""
    draws = {"quick": 2000, "standard": 8000, "full": 30000}[scale]
    # The law holds at every width, since the kernels are means over hidden units.
    widths = np.array([8, 32, 128] if scale == "quick" else [8, 16, 32, 64, 128, 256])
    angles = jnp.linspace(0, jnp.pi, 7)
    x = jnp.stack([jnp.cos(angles), jnp.sin(angles)], axis=1)
    cosines = np.clip(np.asarray(x @ x.T, float), -1, 1)
    nngp, ntk = kernel.nngp(cosines) / 2, kernel.ntk(cosines) / 2 + offset
    errors, errors_of_log = [], []
    for width in widths.tolist():
        keys = jax.random.split(jax.random.key(width), draws)
        of_width = jax.jit(jax.vmap(functools.partial(_finite_kernels, x=x, width=width)))
        found_nngp, found_ntk = (np.asarray(a) for a in of_width(keys))
        squares = ((found_nngp - nngp) ** 2 + (found_ntk - ntk) ** 2).mean(axis=(1, 2))
        errors.append(float(np.sqrt(squares.mean())))
        errors_of_log.append(squares.std(ddof=1) / np.sqrt(draws) / squares.mean() / 2)
    found, interval = statistics.slope_with_errors(
        np.log(widths), np.log(errors), np.array(errors_of_log)
    )
    return Measurement(
        abs(found + 0.5),
        statistics.magnitude((interval[0] + 0.5, interval[1] + 0.5)),
        details={"width": widths.tolist(), "error": errors, "slope": found},
    )


def plot_width(found: Measurement) -> Any:
    """Error over width, with the claimed slope and the fitted one."""
    return finite_width.plot(found.details)


CHECKS = (
    Check(
        name="kernel-integrals",
        claim="kappa_0(u) = (pi - arccos u)/pi and kappa_1(u) = (sqrt(1-u^2) + u (pi - arccos u))/pi",
        formula=(
            r"\kappa_0(u) = \frac{\pi - \arccos(u)}{\pi}, \quad "
            r"\kappa_1(u) = \frac{\sqrt{1-u^2} + u (\pi - \arccos(u))}{\pi}"
        ),
        source="Cho and Saul, NeurIPS 2009",
        how="largest deviation from polar quadrature of the Gaussian expectations, 201 cosines",
        bound=1e-12,
        bound_from="float64 rounding of the quadrature",
        measure=measure_integrals,
        broken=lambda s: measure_integrals(s, lambda u: kernel.arccosine_1(u) * SLIGHT),
    ),
    Check(
        name="kernel-oracle",
        claim="Theta(u) = (kappa_1(u) + u kappa_0(u))/2 is the NTK, K(u) = kappa_1(u)/2 the NNGP kernel",
        formula=r"\Theta(u) = \frac{\kappa_1(u) + u \kappa_0(u)}{2}, \quad K(u) = \frac{\kappa_1(u)}{2}",
        source="Jacot et al., arXiv:1806.07572",
        how="largest deviation from neural-tangents, 900 pairs of unit vectors in 12 dimensions",
        bound=1e-12,
        bound_from="float64 rounding",
        measure=measure_oracle,
        broken=lambda s: measure_oracle(s, lambda u: kernel.ntk(u) * SLIGHT),
    ),
    Check(
        name="kernel-finite-width",
        claim="a network of width h has these kernels up to an error that falls as 1/sqrt(h)",
        formula=r"\| \Theta_h - \Theta \| = O\!\left( h^{-1/2} \right)",
        source="law of large numbers over hidden units",
        how="deviation from -1/2 of the slope of log error over log width, widths 8 to 256",
        bound=0.08,
        bound_from="sampling error; the interval misses with probability 1e-6, a constant error gives 1/2",
        measure=measure_width,
        broken=functools.partial(measure_width, offset=0.1),
        plot=plot_width,
    ),
)
