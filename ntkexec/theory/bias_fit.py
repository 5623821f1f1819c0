"""The bias of trained networks at a finite width: a bound that was fitted, and no theorem.

The mean of networks of width h over their initial weights is not quite that of the limit, by the same
amount for every member, so no ensemble averages it away. `bias_bound` says how far it is off at most,
as measured over many trained networks, and `width_needed` is its inverse. `first_order` predicts the
bias of one training set. Theory in float64; nothing here trains.
"""

import dataclasses
import math
from typing import NamedTuple

from ntkexec.errors import CertificateError


class Fit(NamedTuple):
    """|bias| <= constant sqrt(n0 m / h) in so many cells; sizes that they span, both ends included."""

    constant: float
    cells: int
    num_inputs: tuple[int, int]
    widths: tuple[int, int]


# Fitted on half of the cells and confirmed on the other half, on seeds that the fit had not seen, by
# `python -m benchmarks.finite_width`; the first that reaches n0 counts. Cells where training diverged
# (whitened descent at n0 = 64 and 128) are left out.
FITS: dict[str, tuple[Fit, ...]] = {
    "auto": (Fit(0.24, 3150, (2, 128), (512, 8192)), Fit(0.30, 840, (129, 256), (1024, 8192))),
    "whitened": (Fit(0.24, 2185, (2, 128), (512, 4096)),),
    "plain": (Fit(0.45, 2520, (2, 128), (512, 4096)),),
    "heavy-ball": (Fit(0.80, 2490, (2, 128), (512, 4096)),),
}
UNITS_PER_INPUT = 4


@dataclasses.dataclass(frozen=True)
class BiasBound:
    """A bound for the bias, or the word that there is none.

    Args:
        value: |bias| is at most this in every cell that was measured; nan where none is covered.
        covered: whether the question lies inside the range that was measured.
        source: where the number comes from, or why there is none.
    """

    value: float
    covered: bool
    source: str


@dataclasses.dataclass(frozen=True)
class WidthNeeded:
    """The width from which on the bias is small enough, by the same fit.

    Args:
        value: hidden units; beyond what was measured an extrapolation, 0 where there is none.
        covered: whether that width lies inside the range that was measured.
        source: where the number comes from, or why there is none.
    """

    value: int
    covered: bool
    source: str


def bias_bound(
    num_inputs: int,
    num_matches: int,
    width: int,
    descent: str,
    *,
    num_outputs: int = 1,
    weight_std: float = 1.0,
) -> BiasBound:
    """A bound of the bias of the mean output of trained networks: C sqrt(n0 m / h).

    Args:
        num_inputs: n0, training pairs, padding included.
        num_matches: m; at m of 0 and 1 there is no bias beyond the training tolerance.
        width: h.
        descent: how the networks are trained.
        num_outputs: of one network.
        weight_std: of the initial weights.

    Raises:
        CertificateError: a size out of range, or an unknown descent.

    Source: a fit, not a theorem: C is such that the bias and two standard errors stay below in
        every cell of docs/finite_width.md.
    """
    _check(num_inputs, width, descent, weight_std)
    if not 0 <= num_matches <= num_inputs:
        raise CertificateError(f"{num_matches} of {num_inputs} templates cannot match")
    if num_matches <= 1:
        return BiasBound(0.0, True, "at one match the network interpolates, at none it is 0")
    if reason := _not_covered(descent, num_inputs, width, num_outputs, weight_std):
        return BiasBound(math.nan, False, f"not covered: {reason}")
    value = _fit(descent, num_inputs).constant * math.sqrt(num_inputs * num_matches / width)
    return BiasBound(value, True, _source(descent, num_inputs))


def width_needed(
    num_inputs: int,
    num_matches: int,
    bias: float,
    descent: str,
    *,
    num_outputs: int = 1,
    weight_std: float = 1.0,
) -> WidthNeeded:
    """The least width at which `bias_bound` is at most `bias`.

    Args:
        num_inputs: n0.
        num_matches: m.
        bias: the largest that is harmless.
        descent: how the networks are trained.
        num_outputs: of one network.
        weight_std: of the initial weights.

    Raises:
        CertificateError: the bias is not positive, or as for `bias_bound`.
    """
    if not bias > 0:
        raise CertificateError(f"the bias to allow must be positive, not {bias}")
    _check(num_inputs, 1, descent, weight_std)
    fit = _fit(descent, num_inputs)
    least, most = fit.widths
    matched = num_matches if num_matches > 1 else 0
    asked = math.ceil(num_inputs * matched * (fit.constant / bias) ** 2)
    value = max(least, UNITS_PER_INPUT * num_inputs, asked)
    if reason := _not_covered(descent, num_inputs, value, num_outputs, weight_std):
        known = not _not_covered(descent, num_inputs, most, num_outputs, weight_std)
        return WidthNeeded(value if known else 0, False, f"not covered: {reason}")
    return WidthNeeded(value, True, _source(descent, num_inputs))


def check_sizes(num_inputs: int, width: int, weight_std: float) -> None:
    """Raises CertificateError unless there are networks of these sizes."""
    if num_inputs < 1 or width < 1:
        raise CertificateError(f"n0 and width must be at least 1, got {num_inputs} and {width}")
    if not 0 < weight_std < math.inf:
        raise CertificateError(f"weight_std must be positive, got {weight_std}")


def _check(num_inputs: int, width: int, descent: str, weight_std: float) -> None:
    check_sizes(num_inputs, width, weight_std)
    if descent not in FITS:
        raise CertificateError(f"descent is {', '.join(FITS)}, not {descent!r}")


def _not_covered(
    descent: str, num_inputs: int, width: int, num_outputs: int, weight_std: float
) -> str:
    """Why the fit says nothing here; empty if it does."""
    low, high = FITS[descent][0].num_inputs[0], FITS[descent][-1].num_inputs[1]
    least, most = _fit(descent, num_inputs).widths
    if num_outputs != 1:
        return f"networks of {num_outputs} outputs, the fit is over networks of one"
    if weight_std != 1:
        return f"weight_std {weight_std:g}, the fit is over 1"
    if not low <= num_inputs <= high:
        return f"{num_inputs} templates, the fit is over {low} to {high}"
    if not max(least, UNITS_PER_INPUT * num_inputs) <= width <= most:
        return (
            f"width {width}, the fit is over {least} to {most} and at least {UNITS_PER_INPUT} for "
            "each template"
        )
    return ""


def _fit(descent: str, num_inputs: int) -> Fit:
    """The fit that is about so many templates; the last if none is."""
    reach = (fit for fit in FITS[descent] if num_inputs <= fit.num_inputs[1])
    return next(reach, FITS[descent][-1])


def _source(descent: str, num_inputs: int) -> str:
    fit = _fit(descent, num_inputs)
    return (
        f"a fit over {fit.cells:,} trained cells with {descent} descent, not a theorem: "
        f"{fit.constant:.2f} sqrt(n0 m / h)"
    )
