"""The standard model of rounding: how far a sum of products can be from its exact value.

Every operation is off by a factor 1 + d with |d| at most the unit roundoff u, so a term that passes
through p operations is off by at most gamma_p = p u / (1 - p u) of its absolute value. That holds in
whatever order sums are taken, with or without fused multiply-add: for every batch, on every device
whose arithmetic is IEEE. `PRODUCTS` says which hardware is meant where products are coarser.

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1.
"""

from typing import Final, Literal

from ntkexec.errors import CertificateError

FLOAT32: Final = 2.0**-24
FLOAT64: Final = 2.0**-53
"""Unit roundoff u of the two formats."""

SMALLEST_NORMAL: Final = 2.0**-126
"""Of float32: an operation that underflows is off by at most this, also where it flushes to zero."""
RANGE: Final = 2.0**120
"""Sums of absolute values below this cannot overflow in float32, whatever rounding adds."""

Products = Literal["float32", "tf32", "bfloat16"]
PRODUCTS: Final[dict[Products, float]] = {
    "float32": 0.0,
    "tf32": 2.0**-10,
    "bfloat16": 2.0**-8,
}
"""How matrix units can take products: relative rounding of both factors before they multiply.

`float32` is IEEE arithmetic, what runs ask for: CPUs, and the ordinary units of GPUs. (A TPU imitates
it by products of bfloat16; of that the bound says nothing.) `tf32` stands for the tensor cores of
NVIDIA GPUs from Ampere on, which keep 11 bits of a float32 factor and may drop the rest instead of
rounding: 2^-10, not 2^-11. `bfloat16` keeps 8 bits, and XLA rounds to the nearest: 2^-8.
"""
SUMS: Final[dict[Products, float]] = {
    "float32": FLOAT32,
    "tf32": 2 * FLOAT32,
    "bfloat16": 2 * FLOAT32,
}
"""Unit roundoff of the sums of such products, in float32: matrix units may truncate those too.

Source: Fasi, Higham, Mikaitis and Pranesh, Numerical behavior of NVIDIA tensor cores, PeerJ
Computer Science 7:e330 (2021).
"""


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


def underflow(operations: int) -> float:
    """What so many float32 operations that underflow are off by at most, together."""
    return SMALLEST_NORMAL * operations
