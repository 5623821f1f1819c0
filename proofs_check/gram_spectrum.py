"""The NTK Gram matrix of the training set has two eigenvalues."""

import numpy as np

from ntkexec import kernel
from ntkexec.check import Check, Measurement, Scale


def measure(scale: Scale) -> Measurement:
    """Largest relative deviation of any eigenvalue, over sizes up to 300."""
    worst = 0.0
    for num_templates in (1, 2, 3, 10, 50, 300):
        cosines = np.eye(num_templates)
        found = np.linalg.eigvalsh(kernel.ntk(cosines))
        expected = np.full(num_templates, kernel.NTK_GAP)
        expected[-1] += kernel.NTK_ORTHOGONAL * num_templates
        worst = max(worst, float(np.abs(found / expected - 1).max()))
    return Measurement(worst)


CHECK = Check(
    name="gram-spectrum",
    claim="the train Gram has the eigenvalues 1 - c (n0 - 1 times) and 1 - c + c n0, c = 1/(2 pi)",
    source="orthonormal training inputs: the Gram is (1 - c) I + c 11^T",
    how="largest relative deviation of numerical eigenvalues, n0 from 1 to 300",
    bound=1e-12,
    bound_from="float64 rounding of the eigenvalue solver",
    measure=measure,
)
