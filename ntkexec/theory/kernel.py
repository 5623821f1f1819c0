"""Closed-form kernels of a two-layer ReLU network without biases, in the NTK parametrisation.

All are functions of the cosine of two inputs of unit norm, with the common factor
`weight_std**4 / num_inputs` left out. They accept NumPy and JAX arrays and keep their precision.
"""

from typing import Any

import numpy as np

# A NumPy or JAX array (or, in `predictor`, a plain number); the libraries share no type for it.
Numbers = Any

NTK_ORTHOGONAL = 1 / (2 * np.pi)
"""c: both kernels at two orthogonal inputs."""

NTK_GAP = 1 - NTK_ORTHOGONAL
"""lambda: the smallest eigenvalue of the train Gram `NTK_GAP * I + NTK_ORTHOGONAL * 11^T`."""


# Any: the modules `numpy` and `jax.numpy`, as far as they agree.
def namespace(numbers: Numbers) -> Any:
    """The library of an array, or of a scalar: those of NumPy say it from 2.1 on."""
    return numbers.__array_namespace__() if hasattr(numbers, "__array_namespace__") else np


def _angle(cosine: Numbers) -> Numbers:
    xp = namespace(cosine)
    # (1 - u)(1 + u) and not 1 - u^2: next to 1 the square would cancel.
    return xp.atan2(xp.sqrt((1 - cosine) * (1 + cosine)), cosine)


def arccosine_0(cosine: Numbers) -> Numbers:
    """kappa_0(u) = (pi - arccos u) / pi, twice the mean of step(a) step(b) over unit Gaussians.

    Args:
        cosine: correlation u of the two Gaussians, in [-1, 1].

    Source: Cho and Saul, NeurIPS 2009.
    """
    return (np.pi - _angle(cosine)) / np.pi


def arccosine_1(cosine: Numbers) -> Numbers:
    """kappa_1(u) = (sqrt(1 - u^2) + u (pi - arccos u)) / pi, twice the mean of relu(a) relu(b).

    Source: Cho and Saul, NeurIPS 2009.
    """
    xp = namespace(cosine)
    return xp.sqrt((1 - cosine) * (1 + cosine)) / np.pi + cosine * arccosine_0(cosine)


def nngp(cosine: Numbers) -> Numbers:
    """K(u) = kappa_1(u) / 2: covariance of the network's output before training."""
    return arccosine_1(cosine) / 2


def ntk(cosine: Numbers) -> Numbers:
    """Theta(u) = (kappa_1(u) + u kappa_0(u)) / 2, the neural tangent kernel; Theta(1) = 1.

    Source: Jacot et al., arXiv:1806.07572.
    """
    return (arccosine_1(cosine) + cosine * arccosine_0(cosine)) / 2
