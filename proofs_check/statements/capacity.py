"""How much interference a program can bear: C(m, n0) falls with m and grows with n0, as claimed."""

import functools
from typing import Any

import numpy as np

from ntkexec.check import Check, Measurement, Scale
from ntkexec.theory import kernel, predictor
from proofs_check.fixtures import plots


def measure_monotone(scale: Scale, sign: int = 1) -> Measurement:
    """Neighbouring pairs on a grid at which C does not fall with m, or does not grow with n0."""
    size = {"quick": 300, "standard": 1000, "full": 3000}[scale]
    m, n0 = np.arange(2, size)[:, None], np.arange(2, size)[None]
    capacity = np.where(m <= n0, predictor.capacity(m, n0), np.nan)
    falls, grows = sign * np.diff(capacity, axis=0), sign * np.diff(capacity, axis=1)
    wrong = int((falls[~np.isnan(falls)] >= 0).sum() + (grows[~np.isnan(grows)] <= 0).sum())
    return Measurement(wrong, details={"pairs": int((~np.isnan(falls)).sum() * 2)})


def measure_closed_form(scale: Scale, slip: int = 0) -> Measurement:
    """Largest relative distance of C from (n0 + lambda/c) / (m - lambda/Delta_m) - 1.

    Args:
        scale: how far m and n0 go.
        slip: added to n0 in the formula, for counter-cases.
    """
    size = {"quick": 300, "standard": 1000, "full": 3000}[scale]
    m, n0 = np.arange(2, size)[:, None], np.arange(2, size)[None]
    gap, c = kernel.NTK_GAP, kernel.NTK_ORTHOGONAL
    claimed = (n0 + slip + gap / c) / (m - gap / excess(m)) - 1
    off = np.abs(claimed / predictor.capacity(m, n0) - 1)
    return Measurement(float(off[m <= n0].max()))


def excess(m: np.ndarray) -> np.ndarray:
    """Delta_m."""
    return kernel.ntk(np.asarray(m, float) ** -0.5) - kernel.NTK_ORTHOGONAL


def measure_asymptotics(_: Scale, factor: float = 1.0) -> Measurement:
    """Deviation of sqrt(m) (C m / (n0 - m) - 1) from its limit 2 lambda, at n0 = m^2 and m >= 10^6.

    A closed form on a grid: nothing is fitted, and there is no interval.
    """
    m = np.logspace(3, 8, 21)
    n0 = m**2
    deviation = factor * predictor.capacity(m, n0) * m / (n0 - m) - 1
    limit = np.sqrt(m) * deviation / (2 * kernel.NTK_GAP)
    return Measurement(
        float(np.abs(limit[m >= 1e6] - 1).max()),
        details={"m": m.tolist(), "deviation": deviation.tolist()},
    )


def plot_asymptotics(found: Measurement) -> Any:
    """How C m / (n0 - m) approaches 1."""
    return plots.power_law(
        found.details["m"],
        found.details["deviation"],
        -0.5,
        x_label="matches m, n0 = m^2",
        y_label="C m / (n0 - m) - 1",
    )


def measure_edge(_: Scale, distance: float = 1.0) -> Measurement:
    """C m / (n0 - m) at m = 10^4 and n0 = m + `distance`."""
    m = np.array(1e4)
    return Measurement(float(predictor.capacity(m, m + distance) * m / distance))


CHECKS = (
    Check(
        name="capacity-monotone",
        claim="C(m, n0) strictly falls with m and grows with n0, for 2 <= m <= n0",
        formula=(
            r"C(m, n_0) = \frac{\lambda f_m + c (n_0 - m) \Delta_m}{c (m \Delta_m - \lambda)}"
        ),
        source="interference criterion",
        how="neighbouring pairs that contradict it, all m <= n0 up to a size",
        bound=0,
        bound_from="the claim is exact",
        measure=measure_monotone,
        broken=functools.partial(measure_monotone, sign=-1),
    ),
    Check(
        name="capacity-closed-form",
        claim="a program is inside the criterion iff w (m - lambda/Delta_m) < n0 + lambda/c",
        formula=r"C(m, n_0) + 1 = \frac{n_0 + \lambda / c}{m - \lambda / \Delta_m}",
        source="C = alpha/|beta|, alpha - beta = Delta/lambda",
        how="largest relative distance of both sides, all 2 <= m <= n0 up to a size",
        bound=1e-10,
        bound_from="float64 rounding, times what cancels in the denominator and in C + 1 - 1",
        measure=measure_closed_form,
        broken=functools.partial(measure_closed_form, slip=1),
    ),
    Check(
        name="capacity-asymptotics",
        claim="C is (n0 - m)/m up to 1 + 2 lambda/sqrt m, if n0 - m is far above sqrt m",
        formula=r"C(m, n_0) = \frac{n_0 - m}{m} \left( 1 + \frac{2 \lambda}{\sqrt m} + \ldots \right), "
        r"\quad n_0 - m \gg \sqrt m",
        source="lambda/Delta_m is about 2 lambda sqrt m",
        how="relative distance of sqrt m (C m/(n0 - m) - 1) from 2 lambda, n0 = m^2, m from 10^6 to 10^8",
        bound=0.01,
        bound_from="the next term, of order 1/sqrt m, at the smallest m",
        measure=measure_asymptotics,
        broken=functools.partial(measure_asymptotics, factor=1.001),
        plot=plot_asymptotics,
    ),
    Check(
        name="capacity-edge",
        claim="next to n0 = m it is not: at m = 10^4, n0 = m + 1 C is more than 100 times (n0 - m)/m",
        formula=r"C(m, m + 1) \approx \frac{2 \lambda}{\sqrt m}",
        source="C (m - lambda/Delta) = n0 - m + lambda/c + lambda/Delta",
        how="C m/(n0 - m) there",
        bound=100,
        bound_from="measured 177; about 2 lambda sqrt m",
        relation="at least",
        measure=measure_edge,
        broken=functools.partial(measure_edge, distance=1e6),
    ),
)
