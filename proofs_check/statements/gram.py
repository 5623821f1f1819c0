"""The NTK Gram matrix of the training set: two eigenvalues, and an inverse in closed form."""

import numpy as np

from ntkexec.check import Check, Measurement, Scale
from ntkexec.theory import kernel

SIZES = (1, 2, 3, 10, 50, 300)


def measure_spectrum(_: Scale, gap: float = kernel.NTK_GAP) -> Measurement:
    """Largest relative deviation of any eigenvalue, over sizes up to 300."""
    worst = 0.0
    for num_templates in SIZES:
        found = np.linalg.eigvalsh(kernel.ntk(np.eye(num_templates)))
        expected = np.full(num_templates, gap)
        expected[-1] += kernel.NTK_ORTHOGONAL * num_templates
        worst = max(worst, float(np.abs(found / expected - 1).max()))
    return Measurement(worst)


def measure_inverse(_: Scale, correction: float = 1.0) -> Measurement:
    """Largest deviation from the identity of Gram times closed-form inverse."""
    worst = 0.0
    gap, c = kernel.NTK_GAP, kernel.NTK_ORTHOGONAL
    for n0 in SIZES:
        inverse = (np.eye(n0) - correction * c / (gap + c * n0)) / gap
        worst = max(worst, float(np.abs(kernel.ntk(np.eye(n0)) @ inverse - np.eye(n0)).max()))
    return Measurement(worst)


CHECKS = (
    Check(
        name="gram-spectrum",
        claim="the train Gram has the eigenvalues 1 - c (n0 - 1 times) and 1 - c + c n0, c = 1/(2 pi)",
        formula=r"\operatorname{spec}(\lambda I + c 1 1^\top) = \{\lambda, \; \lambda + c n_0\}",
        source="orthonormal training inputs: the Gram is (1 - c) I + c 11^T",
        how="largest relative deviation of numerical eigenvalues, n0 from 1 to 300",
        bound=1e-12,
        bound_from="float64 rounding of the eigenvalue solver",
        measure=measure_spectrum,
        broken=lambda s: measure_spectrum(s, kernel.NTK_GAP * (1 + 1e-9)),
    ),
    Check(
        name="gram-inverse",
        claim="the inverse Gram is (I - c/(1 - c + c n0) 11^T)/(1 - c)",
        formula=(
            r"(\lambda I + c 1 1^\top)^{-1} = \frac{1}{\lambda}"
            r"\left( I - \frac{c}{\lambda + c n_0} 1 1^\top \right)"
        ),
        source="Sherman and Morrison 1950",
        how="largest deviation of Gram times inverse from the identity, n0 from 1 to 300",
        bound=1e-12,
        bound_from="float64 rounding",
        measure=measure_inverse,
        broken=lambda s: measure_inverse(s, 1 + 1e-9),
    ),
)
