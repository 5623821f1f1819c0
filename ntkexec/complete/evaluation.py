"""Decisions of trained networks on listed match sets, with a bound on any float32 evaluation's error.

The networks are evaluated in float64 from the stored weights; `ntkexec.roundoff` says how far a
float32 evaluation can be from the exact value.
"""

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from ntkexec.roundoff import FLOAT32, FLOAT64, relative_error, underflow

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
                `ntkexec.roundoff.PRODUCTS`.

        Raises:
            CertificateError: so coarse that nothing is known.
        """
        total = self.underflow
        for unit, extra in ((roundoff, factors), (FLOAT64, 0.0)):
            first = relative_error(self.inner, unit, extra)
            second = relative_error(self.outer, unit, extra)
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
    largest = underflow(inner, outer, output)
    parts = []
    for rows in _chunks(matched, members * width):
        x = rows / np.sqrt(np.maximum(rows.sum(axis=1, keepdims=True), 1))
        active = np.maximum(x @ hidden, 0)
        of_hidden = (x @ np.abs(hidden)) @ np.abs(output)
        lost = rows.any(axis=1, keepdims=True) * largest[None]
        parts.append((active @ output, of_hidden, active @ np.abs(output), lost))
    mean, of_hidden, of_output, lost = map(np.concatenate, zip(*parts, strict=True))
    return Sums(mean, of_hidden, of_output, lost, inner, outer)


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
