"""Mean and variance of the trained network's output, in closed form, at a match set.

A set of m of n0 templates is encoded as the vector with 1/sqrt(m) at the matched ones.
Every function takes arrays (NumPy or JAX) or whole numbers and works in the given precision;
`num_matches` = 0, where the output of a network without biases is 0 whatever its weights, is included.
The networks are two-layer ReLU networks without biases, unless another `kernel` is given.
"""

from typing import NamedTuple

import numpy as np

from ntkexec.theory.dot_product import TWO_LAYER_RELU, DotProductKernel
from ntkexec.theory.kernel import Numbers, namespace


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
    """Cosine 1/sqrt(m) between a match set and the basis vector of a matched template."""
    m = _as_float(num_matches)
    xp = namespace(m)
    return 1 / xp.sqrt(xp.maximum(m, xp.ones_like(m)))


def coefficients(
    num_matches: Numbers, num_templates: Numbers, *, kernel: DotProductKernel = TWO_LAYER_RELU
) -> Coefficients:
    """alpha and beta: the mean of a bit with w writers, a of them matched, is a alpha + (w-a) beta.

    Args:
        num_matches: m, how many templates the state matches; 0 gives zeros, and with biases one
            number twice, since nothing is matched.
        num_templates: n0, training pairs, padding included.
        kernel: of the networks.

    Source: minimum-norm kernel regression on the standard basis, whose Gram matrix
        `gap * I + orthogonal * 11^T` is inverted by Sherman-Morrison.
    """
    m = _as_float(num_matches)
    n0 = _as_float(num_templates)
    xp = namespace(m)
    c, gap = kernel.orthogonal, kernel.gap
    value = kernel.learned(matched_cosine(m))
    excess = value - c
    scale = 1 / (gap * (gap + c * n0))
    matched = (gap * value + c * (n0 - m) * excess) * scale
    unmatched = c * (gap - m * excess) * scale
    some = m > 0
    # At one match the network interpolates; writing it keeps rounding out.
    matched = xp.where(m == 1, xp.ones_like(matched), matched)
    unmatched = xp.where(m == 1, xp.zeros_like(unmatched), unmatched)
    silent = kernel.without_match[0] / (gap + c * n0) * xp.ones_like(matched)
    return Coefficients(xp.where(some, matched, silent), xp.where(some, unmatched, silent))


def mean(
    num_matches: Numbers,
    num_templates: Numbers,
    num_writers: Numbers,
    num_matched_writers: Numbers,
    *,
    kernel: DotProductKernel = TWO_LAYER_RELU,
) -> Numbers:
    """Mean over initialisations of the trained network's output at one bit.

    Args:
        num_matches: m, matched templates.
        num_templates: n0, training pairs, padding included.
        num_writers: w, templates that write the bit.
        num_matched_writers: a, those of them that are matched.
        kernel: of the networks.
    """
    alpha, beta = coefficients(num_matches, num_templates, kernel=kernel)
    return num_matched_writers * alpha + (num_writers - num_matched_writers) * beta


def _prior_matched(m: Numbers, kernel: DotProductKernel) -> tuple[Numbers, Numbers]:
    """Covariance before training of a match set with a matched template's basis vector, and another's."""
    xp = namespace(m)
    matched = kernel.prior(matched_cosine(m))
    other = xp.full_like(matched, kernel.prior_orthogonal)
    return matched, xp.where(m > 0, other, kernel.without_match[1])


def _is_random(m: Numbers, kernel: DotProductKernel) -> Numbers:
    """Whether the output differs between networks: not where it is trained, nor where it is 0."""
    return (m > 1) | ((m == 0) & kernel.has_biases)


def variance(
    num_matches: Numbers,
    num_templates: Numbers,
    *,
    weight_std: float = 1.0,
    kernel: DotProductKernel = TWO_LAYER_RELU,
) -> Numbers:
    """Variance over initialisations of one trained network's output, the same for every bit.

    Args:
        num_matches: m, matched templates; 0 (without biases) and 1 give no variance.
        num_templates: n0, training pairs, padding included.
        weight_std: standard deviation of the weights at initialisation; for other kernels than that of
            the two-layer ReLU network, the root of what multiplies the output.
        kernel: of the networks.

    Source: the NTK Gaussian process of Lee et al., arXiv:1902.06720, equation 16, at infinite time;
        for the NNGP kernel it is the posterior of that Gaussian process.
    """
    m = _as_float(num_matches)
    n0 = _as_float(num_templates)
    xp = namespace(m)
    alpha, beta = coefficients(m, n0, kernel=kernel)
    c = kernel.prior_orthogonal
    at_matched, at_other = _prior_matched(m, kernel)
    own = xp.where(m > 0, xp.full_like(at_matched, 0.5), kernel.without_match[2])
    prior = (0.5 - c) * (m * alpha**2 + (n0 - m) * beta**2) + c * (m * alpha + (n0 - m) * beta) ** 2
    cross = m * alpha * at_matched + (n0 - m) * beta * at_other
    total = weight_std**4 * (own + prior - 2 * cross) / n0
    return xp.where(
        _is_random(m, kernel), xp.maximum(total, xp.zeros_like(total)), xp.zeros_like(total)
    )


def covariance(
    num_matches: Numbers,
    other_matches: Numbers,
    common: Numbers,
    num_templates: Numbers,
    *,
    weight_std: float = 1.0,
    kernel: DotProductKernel = TWO_LAYER_RELU,
) -> Numbers:
    """Covariance over initialisations of one trained network's output at two match sets.

    The same for every bit; different bits are independent.

    Args:
        num_matches: m, templates in the first match set.
        other_matches: m' likewise in the second.
        common: templates in both.
        num_templates: n0, training pairs, padding included.
        weight_std: standard deviation of the weights at initialisation, see `variance`.
        kernel: of the networks.

    Source: as for `variance`, to which it comes down at equal match sets. Before training the outputs are a
        Gaussian process with covariance K; after it they are f0(x) - v(x) f0(X) up to the mean,
        v alpha at the matched templates and beta at the others.
    """
    m, other, o, n0 = (_as_float(n) for n in (num_matches, other_matches, common, num_templates))
    xp = namespace(m)
    c = kernel.prior_orthogonal
    alpha, beta = coefficients(m, n0, kernel=kernel)
    alpha2, beta2 = coefficients(other, n0, kernel=kernel)
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
    (matched, rest), (matched2, rest2) = (_prior_matched(x, kernel) for x in (m, other))
    cross = matched * (o * alpha2 + (m - o) * beta2)
    cross += rest * ((other - o) * alpha2 + neither * beta2)
    cross2 = matched2 * (o * alpha + (other - o) * beta)
    cross2 += rest2 * ((m - o) * alpha + neither * beta)
    prior = kernel.prior(xp.minimum(cosine, xp.ones_like(cosine)))
    # Without a match the input is 0, and only biases are passed on.
    prior = xp.where(xp.minimum(m, other) > 0, prior, kernel.without_match[1])
    prior = xp.where(xp.maximum(m, other) > 0, prior, kernel.without_match[2])
    total = weight_std**4 * (prior + (0.5 - c) * product + c * sums - cross - cross2) / n0
    both = _is_random(m, kernel) & _is_random(other, kernel)
    return xp.where(both, total, xp.zeros_like(total))


def capacity(
    num_matches: Numbers, num_templates: Numbers, *, kernel: DotProductKernel = TWO_LAYER_RELU
) -> Numbers:
    """C(m, n0) = alpha / |beta|: a bit is safe at one matched writer if w - 1 < C. Infinite at m <= 1.

    With more matched writers, a, it is (w - a) / a < C. C falls with m and grows with n0, about
    (n0 - m) / m where n0 - m is far above sqrt(m); exactly, C + 1 = (n0 + lambda/c) / (m - lambda/Delta).
    """
    alpha, beta = coefficients(num_matches, num_templates, kernel=kernel)
    xp = namespace(beta)
    harmless = beta >= 0
    ratio = alpha / xp.where(harmless, xp.ones_like(beta), -beta)
    return xp.where(harmless, xp.full_like(beta, np.inf), ratio)
