"""The closed forms, derived by computer algebra from the kernel matrix instead of tested at points."""

import functools
from types import ModuleType
from typing import Any

import numpy as np

from ntkexec.check import Check, Measurement, Scale
from ntkexec.errors import MissingExtraError
from ntkexec.theory import predictor

DIGITS = 60


def sympy() -> ModuleType:
    """Computer algebra.

    Raises:
        MissingExtraError: it is not installed.
    """
    try:
        import sympy
    except ModuleNotFoundError:
        raise MissingExtraError("computer algebra needs sympy: install ntkexec[proofs]") from None
    return sympy


def closed_forms(m: Any, n0: Any, c: Any, f: Any) -> tuple[Any, Any]:
    """alpha and beta as they are claimed, from kernel values: c when orthogonal, f at a match."""
    gap, excess = 1 - c, f - c
    scale = gap * (gap + c * n0)
    return (gap * f + c * (n0 - m) * excess) / scale, c * (gap - m * excess) / scale


def claimed_variance(m: Any, n0: Any, q: Any, k: Any, alpha: Any, beta: Any) -> Any:
    """n0 sigma^2 as it is claimed, from NNGP kernel values: q when orthogonal, k at a match."""
    half = q / q / 2
    total = m * alpha + (n0 - m) * beta
    prior = (half - q) * (m * alpha**2 + (n0 - m) * beta**2) + q * total**2
    return half + prior - 2 * (m * alpha * k + (n0 - m) * beta * q)


def measure_matrices(scale: Scale, slip: int = 0) -> Measurement:
    """Entries that differ between solved matrices and closed forms, with symbolic kernel values.

    Args:
        scale: up to which size.
        slip: added to n0 in the claimed formulas, for counter-cases.
    """
    sp = sympy()
    # Rational functions in one normal form, in which equal ones are equal at sight: expressions,
    # simplified after the fact, take hours from n0 = 5 on.
    rational, c, f, q, k = sp.field("c f q k", sp.QQ)
    domain, half = rational.to_domain(), rational.one / 2
    differences = compared = 0
    for n0 in range(1, {"quick": 5, "standard": 8, "full": 12}[scale]):
        gram = [[rational.one if i == j else c for j in range(n0)] for i in range(n0)]
        prior = [[half if i == j else q for j in range(n0)] for i in range(n0)]
        matrix = sp.polys.matrices.DomainMatrix(gram, (n0, n0), domain)
        for m in range(1, n0 + 1):
            cross = [f] * m + [c] * (n0 - m)
            column = sp.polys.matrices.DomainMatrix([[v] for v in cross], (n0, 1), domain)
            found = matrix.lu_solve(column).to_list_flat()
            alpha, beta = closed_forms(m, n0 + slip, c, f)
            claimed = [alpha] * m + [beta] * (n0 - m)
            pairs = list(zip(found, claimed, strict=True))
            spread = sum(
                x * p * y
                for x, row in zip(found, prior, strict=True)
                for p, y in zip(row, found, strict=True)
            )
            nngp = [k] * m + [q] * (n0 - m)
            variance = spread - 2 * sum(x * y for x, y in zip(found, nngp, strict=True)) + half
            pairs.append((variance, claimed_variance(m, n0, q, k, alpha, beta)))
            differences += sum(a != b for a, b in pairs)
            compared += len(pairs)
    return Measurement(differences, details={"compared": compared})


def measure_general(_: Scale, slip: int = 0) -> Measurement:
    """Identities with symbolic n0 and m that do not reduce to 0."""
    sp = sympy()
    c, f, m, n0, x = sp.symbols("c f m n0 x", positive=True)
    gap = 1 - c
    alpha, beta = closed_forms(m, n0 + slip, c, f)
    total = m * alpha + (n0 - m) * beta
    ntk = (sp.sqrt(1 - x**2) + 2 * x * (sp.pi - sp.acos(x))) / (2 * sp.pi)
    capacity = (gap * f + c * (n0 - m) * (f - c)) / (c * (m * (f - c) - gap))
    identities = [
        # The rows of the Gram matrix times the claimed vector, which is constant on the matched
        # and on the other templates, so that these two rows are all.
        gap * alpha + c * total - f,
        gap * beta + c * total - c,
        # Gram times its claimed inverse: the coefficient of 11^T, since (11^T)^2 = n0 11^T.
        c / gap - (c + c**2 * n0 / gap) / (gap + c * (n0 + slip)),
        # C = alpha / |beta|, and its derivative in n0, positive since m (f - c) > gap.
        capacity + alpha / beta,
        sp.diff(capacity, n0) - (f - c) / (m * (f - c) - gap),
        # The kernel at small cosine 1/sqrt(m): Delta_m is about 1/(2 sqrt m).
        sp.limit((ntk - 1 / (2 * sp.pi)) / x, x, 0) - sp.Rational(1, 2),
        ntk.subs(x, 1) - 1,
    ]
    return Measurement(
        sum(sp.simplify(sp.together(one)) != 0 for one in identities),
        details={"identities": len(identities)},
    )


def measure_digits(scale: Scale, slip: int = 0) -> Measurement:
    """Largest relative error of the library's alpha, beta and sigma^2 against 60 digits."""
    sympy()  # which brings mpmath
    import mpmath

    worst = 0.0
    rng = np.random.default_rng(2)
    with mpmath.workdps(DIGITS):
        c = 1 / (2 * mpmath.pi)
        for _ in range({"quick": 200, "standard": 2000, "full": 20000}[scale]):
            n0 = int(2 ** rng.uniform(1, 14))
            m = int(rng.integers(2, n0 + 1))
            u = 1 / mpmath.sqrt(m)
            sector = u * (mpmath.pi - mpmath.acos(u))
            f = (mpmath.sqrt(1 - u**2) + 2 * sector) / (2 * mpmath.pi)
            k = (mpmath.sqrt(1 - u**2) + sector) / (2 * mpmath.pi)
            exact = list(closed_forms(m, n0 + slip, c, f))
            exact.append(claimed_variance(m, n0, c, k, *exact))
            found = [*predictor.coefficients(m, n0), n0 * predictor.variance(m, n0)]
            # The variance is a difference of numbers of order 1/2, and exact to that.
            sizes = [abs(exact[0]), abs(exact[1]), mpmath.mpf("0.5")]
            for one, other, size in zip(found, exact, sizes, strict=True):
                worst = max(worst, float(abs(mpmath.mpf(float(one)) - other) / size))
    return Measurement(worst)


CHECKS = (
    Check(
        name="symbolic-matrices",
        claim="alpha, beta and sigma^2 solve the kernel regression, for every m <= n0 of a small n0",
        formula=(
            r"\alpha = \frac{\lambda f_m + c (n_0 - m) \Delta_m}{\lambda (\lambda + c n_0)}, \quad "
            r"\beta = \frac{c (\lambda - m \Delta_m)}{\lambda (\lambda + c n_0)}"
        ),
        source="min-norm NTK regression; variance of Lee et al., arXiv:1902.06720, equation 16",
        how="entries that differ after symbolic inversion, kernel values as unknowns",
        bound=0,
        bound_from="an identity of rational functions",
        measure=measure_matrices,
        broken=functools.partial(measure_matrices, slip=1),
    ),
    Check(
        name="symbolic-identities",
        claim="the closed forms hold for symbolic n0 and m, and so do dC/dn0 > 0 and Delta ~ 1/(2 sqrt m)",
        formula=r"\frac{\partial C}{\partial n_0} = \frac{\Delta_m}{m \Delta_m - \lambda} > 0",
        source="Sherman and Morrison 1950; the Gram is constant on and off the diagonal",
        how="identities that do not simplify to 0",
        bound=0,
        bound_from="an identity",
        measure=measure_general,
        broken=functools.partial(measure_general, slip=1),
    ),
    Check(
        name="symbolic-digits",
        claim="the library evaluates alpha, beta and sigma^2 to float64 rounding",
        source="the closed forms, evaluated with 60 digits",
        how="largest relative error, random m <= n0 up to 16,384; sigma^2 relative to the prior",
        bound=1e-12,
        bound_from="float64 rounding, times what cancels in lambda - m Delta_m",
        measure=measure_digits,
        broken=functools.partial(measure_digits, slip=1),
    ),
)
