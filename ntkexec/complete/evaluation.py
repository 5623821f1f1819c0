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


def evaluate(
    networks: Networks, matched: Bool[np.ndarray, "s t"], *, roundoff: float = FLOAT32
) -> Means:
    """Mean outputs of the ensemble on match sets, with a bound on the rounding error.

    Args:
        networks: the members; inputs beyond the t-th are padding and always 0.
        matched: which templates match, one set a row.
        roundoff: of the evaluation that is bounded.
    """
    members, num_inputs, width = networks.hidden.shape
    num_templates = matched.shape[1]
    hidden = _side_by_side(networks.hidden[:, :num_templates], axis=2)
    output = networks.output.astype(np.float64).reshape(members * width, -1)
    hidden = networks.weight_std / math.sqrt(num_inputs) * hidden
    output = networks.weight_std / math.sqrt(width) / members * output
    inner, outer = num_templates + EXTRA_OPERATIONS, members * width + EXTRA_OPERATIONS
    parts = []
    for rows in _chunks(matched, members * width):
        x = rows / np.sqrt(np.maximum(rows.sum(axis=1, keepdims=True), 1))
        active = np.maximum(x @ hidden, 0)
        # Sums of absolute values, to which the errors of the two layers are relative.
        of_hidden = (x @ np.abs(hidden)) @ np.abs(output)
        of_output = active @ np.abs(output)
        error = np.zeros_like(of_output)
        for unit in (roundoff, FLOAT64):
            first, second = growth(inner, unit), growth(outer, unit)
            error += second * of_output + (1 + second) * first * of_hidden
        underflow = SMALLEST_NORMAL * (inner * np.abs(output).sum(axis=0) + outer)
        some = rows.any(axis=1, keepdims=True)
        # Without a match every term is exactly 0. The last factor is for the rounding of the bound.
        error = np.where(some, (error + underflow[None]) * (1 + 1e-9), 0.0)
        parts.append(Means(active @ output, error))
    return Means(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def _side_by_side(array: np.ndarray, *, axis: int) -> Float64[np.ndarray, "i h"]:
    """Members, inputs, width -> inputs, members times width, in float64."""
    moved = np.moveaxis(array.astype(np.float64), 0, axis - 1)
    return moved.reshape(moved.shape[0], -1)


def _chunks(matched: Bool[np.ndarray, "s t"], width: int) -> Iterator[Bool[np.ndarray, "s t"]]:
    size = max(1, ACTIVATION_BYTES // (8 * width))
    for start in range(0, len(matched), size):
        yield matched[start : start + size]
