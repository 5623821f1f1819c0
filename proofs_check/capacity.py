"""How much interference a program can bear: C(m, n0) falls with m and grows with n0, as claimed."""

import functools
from typing import Any

import numpy as np

from ntkexec import predictor
from ntkexec.check import Check, Measurement, Scale
from proofs_check import _plots, _statistics


def measure_monotone(scale: Scale, sign: int = 1) -> Measurement:
    """Neighbouring pairs on a grid at which C does not fall with m, or does not grow with n0."""
    size = {"quick": 300, "standard": 1000, "full": 3000}[scale]
    m, n0 = np.arange(2, size)[:, None], np.arange(2, size)[None]
    capacity = np.where(m <= n0, predictor.capacity(m, n0), np.nan)
    falls, grows = sign * np.diff(capacity, axis=0), sign * np.diff(capacity, axis=1)
    wrong = int((falls[~np.isnan(falls)] >= 0).sum() + (grows[~np.isnan(grows)] <= 0).sum())
    return Measurement(wrong, details={"pairs": int((~np.isnan(falls)).sum() * 2)})


def measure_asymptotics(_: Scale, factor: float = 1.0) -> Measurement:
    """Deviation from -1/2 of the slope of |C m / (n0 - m) - 1| over m, in logarithmic axes."""
    m = np.logspace(3, 8, 21)
    # Enough templates that what is measured is the limit in m.
    n0 = m**2
    ratio = factor * predictor.capacity(m, n0) * m / (n0 - m)
    found, interval = _statistics.slope(np.log(m), np.log(np.abs(ratio - 1)))
    return Measurement(
        max(abs(end + 0.5) for end in interval),
        details={"m": m.tolist(), "deviation": np.abs(ratio - 1).tolist(), "slope": found},
    )


def plot_asymptotics(found: Measurement) -> Any:
    """How C m / (n0 - m) approaches 1."""
    return _plots.power_law(
        found.details["m"],
        found.details["deviation"],
        -0.5,
        x_label="matches m",
        y_label="|C m / (n0 - m) - 1|",
    )


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
        name="capacity-asymptotics",
        claim="C(m, n0) is (n0 - m)/m up to a factor 1 + O(1/sqrt m)",
        formula=r"C(m, n_0) = \frac{n_0 - m}{m} \left( 1 + O(m^{-1/2}) \right)",
        source="Delta_m is about 1/(2 sqrt m)",
        how="deviation from -1/2 of the logarithmic slope of the relative error, m from 10^3 to 10^8",
        bound=0.02,
        bound_from="the next term, of order 1/m, at the smallest m",
        measure=measure_asymptotics,
        broken=functools.partial(measure_asymptotics, factor=1.01),
        plot=plot_asymptotics,
    ),
)
