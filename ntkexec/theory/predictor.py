"""Mean and variance of the trained network's output, in closed form, for an encoded state.

A state that matches m of n0 templates is encoded as the vector with 1/sqrt(m) at the matched ones.
Every function takes arrays (NumPy or JAX) or whole numbers and works in the given precision;
`num_matches` = 0, where the network's output is 0 whatever its weights, is included.
"""

from typing import NamedTuple

import numpy as np

from ntkexec.theory.kernel import NTK_GAP, NTK_ORTHOGONAL, Numbers, namespace, nngp, ntk


class Coefficients(NamedTuple):
    """Contribution to a bit's mean of one writer: `matched` (alpha) or `unmatched` (beta)."""

    matched: Numbers
    unmatched: Numbers


def _as_float(number: Numbers) -> Numbers:
    array = number if hasattr(number, "dtype") else np.asarray(number)
    xp = namespace(array)
    floating = xp.isdtype(array.dtype, "real floating")
    return array if floating else array.astype(xp.asarray(1.0).dtype)


def matched_cosine(num_matches: Numbers) -> Numbers:
    """Cosine 1/sqrt(m) between an encoded state and the basis vector of a matched template."""
    m = _as_float(num_matches)
    xp = namespace(m)
    return 1 / xp.sqrt(xp.maximum(m, xp.ones_like(m)))


def coefficients(num_matches: Numbers, num_templates: Numbers) -> Coefficients:
    """alpha and beta: the mean of a bit with w writers, a of them matched, is a alpha + (w-a) beta.

    Args:
        num_matches: m, how many templates the state matches; 0 gives zeros.
        num_templates: n0, training pairs, padding included.

    Source: minimum-norm NTK regression on the standard basis, whose Gram matrix
        `NTK_GAP * I + NTK_ORTHOGONAL * 11^T` is inverted by Sherman-Morrison.
    """
    m = _as_float(num_matches)
    n0 = _as_float(num_templates)
    xp = namespace(m)
    c, gap = NTK_ORTHOGONAL, NTK_GAP
    kernel = ntk(matched_cosine(m))
    excess = kernel - c
    scale = 1 / (gap * (gap + c * n0))
    matched = (gap * kernel + c * (n0 - m) * excess) * scale
    unmatched = c * (gap - m * excess) * scale
    some = m > 0
    # At one match the network interpolates; writing it keeps rounding out.
    matched = xp.where(m == 1, xp.ones_like(matched), matched)
    unmatched = xp.where(m == 1, xp.zeros_like(unmatched), unmatched)
    return Coefficients(
        xp.where(some, matched, xp.zeros_like(matched)),
        xp.where(some, unmatched, xp.zeros_like(unmatched)),
    )


def mean(
    num_matches: Numbers, num_templates: Numbers, num_writers: Numbers, num_active: Numbers
) -> Numbers:
    """Mean over initialisations of the trained network's output at one bit.

    Args:
        num_matches: m, matched templates.
        num_templates: n0, training pairs, padding included.
        num_writers: w, templates that write the bit.
        num_active: a, those of them that are matched.
    """
    alpha, beta = coefficients(num_matches, num_templates)
    return num_active * alpha + (num_writers - num_active) * beta


def variance(num_matches: Numbers, num_templates: Numbers, *, weight_std: float = 1.0) -> Numbers:
    """Variance over initialisations of one trained network's output, the same for every bit.

    Args:
        num_matches: m, matched templates; 0 and 1 give no variance.
        num_templates: n0, training pairs, padding included.
        weight_std: standard deviation of the weights at initialisation.

    Source: the NTK Gaussian process of Lee et al., arXiv:1902.06720, equation 16, at infinite time.
    """
    m = _as_float(num_matches)
    n0 = _as_float(num_templates)
    xp = namespace(m)
    alpha, beta = coefficients(m, n0)
    kernel_matched, c = nngp(matched_cosine(m)), NTK_ORTHOGONAL
    prior = (0.5 - c) * (m * alpha**2 + (n0 - m) * beta**2) + c * (m * alpha + (n0 - m) * beta) ** 2
    cross = m * alpha * kernel_matched + (n0 - m) * beta * c
    total = weight_std**4 * (0.5 + prior - 2 * cross) / n0
    return xp.where(m > 1, xp.maximum(total, xp.zeros_like(total)), xp.zeros_like(total))


def covariance(
    num_matches: Numbers,
    other_matches: Numbers,
    common: Numbers,
    num_templates: Numbers,
    *,
    weight_std: float = 1.0,
) -> Numbers:
    """Covariance over initialisations of one trained network's output at two encoded states.

    The same for every bit; different bits are independent.

    Args:
        num_matches: m, templates that the first state matches.
        other_matches: m' likewise of the second.
        common: templates that both match.
        num_templates: n0, training pairs, padding included.
        weight_std: standard deviation of the weights at initialisation.

    Source: as for `variance`, which is the case of equal states. Before training the outputs are a
        Gaussian process with covariance K; after it they are f0(x) - v(x) f0(X) up to the mean,
        v alpha at the matched templates and beta at the others.
    """
    m, other, o, n0 = (_as_float(n) for n in (num_matches, other_matches, common, num_templates))
    xp = namespace(m)
    c = NTK_ORTHOGONAL
    (alpha, beta), (alpha2, beta2) = coefficients(m, n0), coefficients(other, n0)
    cosine = o * matched_cosine(m) * matched_cosine(other)
    neither = n0 - m - other + o
    # v . v', and the products with K on the basis, 1/2 on its diagonal and c off it.
    product = (
        o * alpha * alpha2
        + (m - o) * alpha * beta2
        + (other - o) * beta * alpha2
        + neither * beta * beta2
    )
    sums = (m * alpha + (n0 - m) * beta) * (other * alpha2 + (n0 - other) * beta2)
    cross = nngp(matched_cosine(m)) * (o * alpha2 + (m - o) * beta2)
    cross += c * ((other - o) * alpha2 + neither * beta2)
    cross2 = nngp(matched_cosine(other)) * (o * alpha + (other - o) * beta)
    cross2 += c * ((m - o) * alpha + neither * beta)
    prior = nngp(xp.minimum(cosine, xp.ones_like(cosine)))
    total = weight_std**4 * (prior + (0.5 - c) * product + c * sums - cross - cross2) / n0
    return xp.where((m > 1) & (other > 1), total, xp.zeros_like(total))


def capacity(num_matches: Numbers, num_templates: Numbers) -> Numbers:
    """C(m, n0) = alpha / |beta|: a bit is safe at one active writer if w - 1 < C. Infinite at m <= 1.

    With more active writers, a, it is (w - a) / a < C. C falls with m and grows with n0, about
    (n0 - m) / m where n0 - m is far above sqrt(m); exactly, C + 1 = (n0 + lambda/c) / (m - lambda/Delta).
    """
    alpha, beta = coefficients(num_matches, num_templates)
    xp = namespace(beta)
    harmless = beta >= 0
    ratio = alpha / xp.where(harmless, xp.ones_like(beta), -beta)
    return xp.where(harmless, xp.full_like(beta, np.inf), ratio)
