"""The arc-cosine kernels are what their integrals say."""

import math

import numpy as np
from scipy import integrate

from ntkexec import kernel
from ntkexec.check import Check, Measurement, Scale


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


def measure(scale: Scale) -> Measurement:
    """Largest deviation over 201 cosines."""
    cosines = np.cos(np.linspace(0, math.pi, 201))
    integrals = np.array([by_quadrature(float(u)) for u in cosines])
    closed = np.stack([kernel.arccosine_0(cosines), kernel.arccosine_1(cosines)], axis=1)
    return Measurement(float(np.abs(integrals - closed).max()))


CHECK = Check(
    name="kernels",
    claim="kappa_0(u) = (pi - arccos u)/pi and kappa_1(u) = (sqrt(1-u^2) + u (pi - arccos u))/pi",
    source="Cho and Saul, NeurIPS 2009",
    how="largest deviation from polar quadrature of the Gaussian expectations, 201 cosines",
    bound=1e-12,
    bound_from="float64 rounding of the quadrature",
    measure=measure,
)
