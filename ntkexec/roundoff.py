"""The standard model of rounding: how far a sum of products can be from its exact value.

Every operation is off by a factor 1 + d with |d| at most the unit roundoff u, so a term that passes
through p operations is off by at most gamma_p = p u / (1 - p u) of its absolute value. That holds in
whatever order sums are taken, with or without fused multiply-add: on every device, for every batch.

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1.
"""

from typing import Final, Literal

import numpy as np
from jaxtyping import Float64

from ntkexec.errors import CertificateError

FLOAT32: Final = 2.0**-24
FLOAT64: Final = 2.0**-53
"""Unit roundoff u of the two formats."""

SMALLEST_NORMAL: Final = 2.0**-126
"""Of float32: an operation that underflows is off by at most this, also where it flushes to zero."""

Products = Literal["float32", "tf32", "bfloat16"]
PRODUCTS: Final[dict[Products, float]] = {
    "float32": 0.0,
    "tf32": 2.0**-11,
    "bfloat16": 2.0**-8,
}
"""How matrix units can take products: relative rounding of both factors; sums are in float32."""


def growth(operations: int, roundoff: float) -> float:
    """gamma_p, the relative error that p operations in a row can make.

    Raises:
        CertificateError: so many operations that nothing is known any more.
    """
    if operations * roundoff >= 0.5:
        raise CertificateError(f"{operations} operations of roundoff {roundoff:.1e} have no bound")
    return operations * roundoff / (1 - operations * roundoff)


def relative_error(operations: int, roundoff: float, factors: float = 0.0) -> float:
    """Of a term of a sum, as part of its absolute value.

    Args:
        operations: that the term passes through: its product, additions, and what made its factors.
        roundoff: of each of them.
        factors: relative rounding of both factors before they are multiplied, see `PRODUCTS`.

    Raises:
        CertificateError: so many operations that nothing is known any more.
    """
    return (1 + factors) ** 2 * (1 + growth(operations, roundoff)) - 1


def underflow(
    inner: int, outer: int, output: Float64[np.ndarray, "h *o"]
) -> Float64[np.ndarray, "*o"]:
    """What float32 operations that underflow add to a two-layer network's outputs at most.

    Args:
        inner: operations that a term passes through in the first layer.
        outer: in the second.
        output: weights of the second layer, which pass on what the first one adds.
    """
    return SMALLEST_NORMAL * (inner * np.abs(output).sum(axis=0) + outer)
