"""Decisions of trained networks on listed match sets, with a bound on any float32 evaluation's error.

The networks are evaluated in float64 from the stored weights. How far a float32 evaluation can be
from the exact value is bounded by the standard model of rounding: every operation is off by a
factor 1 + d with |d| at most u, so a term that passes through p operations is off by at most
gamma_p = p u / (1 - p u) of its absolute value. That holds in whatever order sums are taken, with
or without fused multiply-add.

Source: Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, section 3.1.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from ntkexec.errors import CertificateError

FLOAT32, FLOAT64 = 2.0**-24, 2.0**-53
"""Unit roundoff u of the two formats."""

PRODUCTS = {"float32": 0.0, "tf32": 2.0**-11, "bfloat16": 2.0**-8}
"""How matrix units can take products: relative rounding of both factors; sums are in float32."""

SMALLEST_NORMAL = 2.0**-126
"""Of float32: an operation that underflows is off by at most this, also where it flushes to zero."""

# Operations besides the sum that a term passes through: conversion and application of the scale,
# square root and division of the encoding, which accelerators round less well, and the product.
EXTRA_OPERATIONS = 12

ACTIVATION_BYTES = 128 << 20


class Networks(NamedTuple):
    """The members of one component, without biases, in the NTK parametrisation.

    hidden: (members, n0, width).
    output: (members, width, outputs).
    weight_std: of their initialisation, a factor of both layers.
    """

    hidden: np.ndarray
    output: np.ndarray
    weight_std: float


class Means(NamedTuple):
    """Outputs of the ensemble for match sets, (sets, outputs) both.

    mean: the mean of the members.
    error: how far a float32 evaluation can be from the exact mean, and this one's own error.
    """

    mean: Float64[np.ndarray, "s o"]
    error: Float64[np.ndarray, "s o"]


def growth(operations: int, roundoff: float) -> float:
    """gamma_p, the relative error that p operations in a row can make.

    Raises:
        CertificateError: so many operations that nothing is known any more.
    """
    if operations * roundoff >= 0.5:
        raise CertificateError(f"{operations} operations of roundoff {roundoff:.1e} have no bound")
    return operations * roundoff / (1 - operations * roundoff)


class Sums(NamedTuple):
    """An evaluation in float64, and what bounds on the error of coarser ones are made of.

    mean: the mean of the members; (sets, outputs), as the others.
    of_hidden, of_output: sums of absolute values to which the errors of the two layers are
        relative; 0 without a match, where every term is exactly 0.
    underflow: what operations that underflow add at most.
    inner, outer: operations that a term passes through in the first layer and in the second.
    """

    mean: Float64[np.ndarray, "s o"]
    of_hidden: Float64[np.ndarray, "s o"]
    of_output: Float64[np.ndarray, "s o"]
    underflow: Float64[np.ndarray, "s o"]
    inner: int
    outer: int

    def error(self, roundoff: float = FLOAT32, factors: float = 0.0) -> Float64[np.ndarray, "s o"]:
        """How far an evaluation can be from the exact mean, with this one's own error.

        Args:
            roundoff: of sums and, unless rounded more coarsely, of the rest.
            factors: relative rounding of both factors of a product before they are multiplied, see
                `PRODUCTS`.

        Raises:
            CertificateError: so coarse that nothing is known.
        """
        total = self.underflow
        for unit, extra in ((roundoff, factors), (FLOAT64, 0.0)):
            first = (1 + extra) ** 2 * (1 + growth(self.inner, unit)) - 1
            second = (1 + extra) ** 2 * (1 + growth(self.outer, unit)) - 1
            total = total + second * self.of_output + (1 + second) * first * self.of_hidden
        # The last factor is for the rounding of the bound.
        return total * (1 + 1e-9)


def sums(networks: Networks, matched: Bool[np.ndarray, "s t"]) -> Sums:
    """Mean outputs of the ensemble on match sets, and what bounds their errors.

    Args:
        networks: the members; inputs beyond the t-th are padding and always 0.
        matched: which templates match, one set a row.
    """
    members, num_inputs, width = networks.hidden.shape
    num_templates = matched.shape[1]
    hidden = _side_by_side(networks.hidden[:, :num_templates], axis=2)
    output = networks.output.astype(np.float64).reshape(members * width, -1)
    hidden = networks.weight_std / math.sqrt(num_inputs) * hidden
    output = networks.weight_std / math.sqrt(width) / members * output
    inner, outer = num_templates + EXTRA_OPERATIONS, members * width + EXTRA_OPERATIONS
    largest = SMALLEST_NORMAL * (inner * np.abs(output).sum(axis=0) + outer)
    parts = []
    for rows in _chunks(matched, members * width):
        x = rows / np.sqrt(np.maximum(rows.sum(axis=1, keepdims=True), 1))
        active = np.maximum(x @ hidden, 0)
        of_hidden = (x @ np.abs(hidden)) @ np.abs(output)
        underflow = rows.any(axis=1, keepdims=True) * largest[None]
        parts.append((active @ output, of_hidden, active @ np.abs(output), underflow))
    mean, of_hidden, of_output, underflow = map(np.concatenate, zip(*parts, strict=True))
    return Sums(mean, of_hidden, of_output, underflow, inner, outer)


def evaluate(
    networks: Networks, matched: Bool[np.ndarray, "s t"], *, roundoff: float = FLOAT32
) -> Means:
    """Mean outputs of the ensemble on match sets, with a bound on the rounding error.

    Args:
        networks: the members; inputs beyond the t-th are padding and always 0.
        matched: which templates match, one set a row.
        roundoff: of the evaluation that is bounded.
    """
    found = sums(networks, matched)
    return Means(found.mean, found.error(roundoff))


def _side_by_side(array: np.ndarray, *, axis: int) -> Float64[np.ndarray, "i h"]:
    """Members, inputs, width -> inputs, members times width, in float64."""
    moved = np.moveaxis(array.astype(np.float64), 0, axis - 1)
    return moved.reshape(moved.shape[0], -1)


def _chunks(matched: Bool[np.ndarray, "s t"], width: int) -> Iterator[Bool[np.ndarray, "s t"]]:
    size = max(1, ACTIVATION_BYTES // (8 * width))
    for start in range(0, len(matched), size):
        yield matched[start : start + size]
