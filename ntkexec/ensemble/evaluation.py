"""Trained networks on listed match sets, with a bound on the error of any float32 evaluation.

The one evaluation that certificates, tables and studies of precision share. Networks of every draw
are evaluated in float64 from the stored weights, by the formula that `ntkexec.engines.trained` runs;
`ntkexec.theory.rounding` says how far a float32 evaluation can be from the exact value, and where numbers
could leave the range of float32 the bound is infinite.
"""

import dataclasses
import math
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float64

from ntkexec.ensemble.trained import Ensemble
from ntkexec.theory.rounding import (
    FLOAT32,
    FLOAT64,
    PRODUCTS,
    RANGE,
    SUMS,
    Products,
    relative_error,
    underflow,
)

# Operations besides the sum that a term passes through: conversion and application of the scale,
# square root and division of the encoding, which accelerators round less well, the product, and a
# bias.
EXTRA_OPERATIONS = 12

ACTIVATION_BYTES = 128 << 20
WEIGHT_BYTES = 256 << 20


class Networks(NamedTuple):
    """The members of one component, in the NTK parametrisation.

    hidden: (members, n0, width).
    output: (members, width, outputs).
    weight_std: of their initialisation, a factor of both layers.
    bias_std: likewise of the biases.
    hidden_bias, output_bias, hidden_shift, hidden_bias_shift, initial_output: see
        `ntkexec.ensemble.training.Weights`; None where networks have none.
    """

    hidden: np.ndarray
    output: np.ndarray
    weight_std: float
    bias_std: float = 0.0
    hidden_bias: np.ndarray | None = None
    output_bias: np.ndarray | None = None
    hidden_shift: np.ndarray | None = None
    hidden_bias_shift: np.ndarray | None = None
    initial_output: np.ndarray | None = None


def networks_of(ensemble: Ensemble, index: int) -> Networks:
    """The members of one component, as they were trained: the scales of their draw among it.

    Args:
        ensemble: the networks.
        index: which component of its learning problem.
    """
    problem, config = ensemble.problem, ensemble.config
    weights, place = next(
        (weights, stack.components.index(index))
        for stack, weights in zip(problem.stacks, ensemble.weights, strict=True)
        if index in stack.components
    )
    num_outputs = len(problem.components[index].bits)

    def own(name: str) -> np.ndarray | None:
        array = getattr(weights, name)
        if array is None:
            return None
        mine = array[:, place]
        return mine[..., :num_outputs] if "output" in name else mine

    arrays = {name: own(name) for name in Networks._fields if not name.endswith("_std")}
    return Networks(weight_std=config.weight_std, bias_std=config.bias_std, **arrays)  # type: ignore[arg-type]


class _Parts(NamedTuple):
    """Of some hidden units, by set and output: what they add to the mean and to its bounds."""

    mean: np.ndarray
    of_hidden: np.ndarray
    of_output: np.ndarray
    underflow: np.ndarray


@dataclasses.dataclass(frozen=True, eq=False)
class Evaluation:
    """Means in float64, and what bounds on the error of coarser evaluations are made of.

    Args:
        mean: the mean of the members; (sets, outputs), as the others.
        of_hidden, of_output: sums of absolute values to which the errors of the two layers are
            relative; 0 without a match, where every term is exactly 0.
        underflow: what operations that underflow add at most; infinite where one could overflow.
        inner, outer: operations that a term passes through in the first layer, by set, and in the
            second.
        flips: of linearised networks, given the relative errors of the first layer by set, what the
            units add that those could switch on or off; None for others.
    """

    mean: Float64[np.ndarray, "s o"]
    of_hidden: Float64[np.ndarray, "s o"]
    of_output: Float64[np.ndarray, "s o"]
    underflow: Float64[np.ndarray, "s o"]
    inner: np.ndarray
    outer: int
    flips: Callable[[np.ndarray], np.ndarray] | None = None

    def error(self, roundoff: float = FLOAT32, factors: float = 0.0) -> Float64[np.ndarray, "s o"]:
        """How far an evaluation can be from the exact mean, with this one's own error.

        Args:
            roundoff: of sums and, unless rounded more coarsely, of the rest.
            factors: relative rounding of both factors of a product before they are multiplied, see
                `ntkexec.theory.rounding.PRODUCTS`.

        Raises:
            CertificateError: so coarse that nothing is known.
        """
        total = self.underflow
        for unit, extra in ((roundoff, factors), (FLOAT64, 0.0)):
            by_count = {n: relative_error(n, unit, extra) for n in set(self.inner.tolist())}
            first = np.array([[by_count[n]] for n in self.inner.tolist()]).reshape(-1, 1)
            second = relative_error(self.outer, unit, extra)
            total = total + second * self.of_output + (1 + second) * first * self.of_hidden
            if self.flips is not None:
                total = total + (1 + second) * self.flips(first)
        # The last factor is for the rounding of the bound.
        return total * (1 + 1e-9)

    def error_with(self, products: Products) -> Float64[np.ndarray, "s o"]:
        """The same where products of matrices are taken in this way."""
        return self.error(SUMS[products], PRODUCTS[products])

    @property
    def certain(self) -> Bool[np.ndarray, "s o"]:
        """Where every term is exactly 0, in whatever arithmetic: without a match or biases."""
        return self.underflow == 0


def evaluate(networks: Networks, matched: Bool[np.ndarray, "s t"]) -> Evaluation:
    """Mean outputs of the ensemble on match sets, and what bounds their errors.

    A sum rounds each of its terms at most as often as it has terms; before the ReLU those are the
    matches, since adding 0 is exact, after it members times width. The ReLU passes errors on, at
    most. Where a unit of a linearised network may be on either side of 0, all it passes on counts.

    Args:
        networks: the members; inputs beyond the t-th are padding and always 0.
        matched: which templates match, one set a row.
    """
    members, _, width = networks.hidden.shape
    outer = members * width + EXTRA_OPERATIONS
    inner = matched.sum(axis=1) + EXTRA_OPERATIONS
    shape = (len(matched), networks.output.shape[2])
    found = _Parts(*(np.zeros(shape) for _ in range(4)))
    for units in _units(networks, matched.shape[1]):
        for rows in _chunks(matched, units.output.shape[0]):
            part = units.parts(matched[rows])
            for total, added in zip(found, part, strict=True):
                total[rows] += added
    mean, of_output = found.mean, found.of_output
    if networks.output_bias is not None:
        bias = networks.bias_std * networks.output_bias.astype(np.float64)
        mean, of_output = mean + bias.mean(axis=0), of_output + np.abs(bias).mean(axis=0)

    # Without a match, and without biases, every term is exactly 0.
    some = matched.any(axis=1, keepdims=True) | (networks.bias_std > 0)
    lost = found.underflow + 4 * underflow(outer)
    largest = (found.of_hidden + of_output).max(axis=1, keepdims=True, initial=0)
    scales = (*_scales(networks), networks.bias_std)
    in_range = all(s == 0 or 1 / RANGE <= s <= RANGE for s in scales) & (largest <= RANGE)
    lost = np.where(some, np.where(in_range, lost, np.inf), 0.0)

    def flips(first: np.ndarray) -> np.ndarray:
        total = np.zeros(shape)
        for units in _units(networks, matched.shape[1]):
            for rows in _chunks(matched, units.output.shape[0]):
                total[rows] += units.flips(matched[rows], first[rows])
        return total

    gated = networks.hidden_shift is not None
    return Evaluation(
        mean, found.of_hidden, of_output, lost, inner, outer, flips if gated else None
    )


class _Units(NamedTuple):
    """Hidden units of some members side by side, scaled, in float64.

    hidden, output: (templates, units) and (units, outputs).
    bias: (units,).
    shift, bias_shift, initial: of linearised networks; else None.
    """

    hidden: np.ndarray
    output: np.ndarray
    bias: np.ndarray
    shift: np.ndarray | None
    bias_shift: np.ndarray
    initial: np.ndarray | None

    def parts(self, matched: np.ndarray) -> _Parts:
        x = encoded(matched)
        before, size = x @ self.hidden + self.bias, x @ np.abs(self.hidden) + np.abs(self.bias)
        active, weigh = np.maximum(before, 0), np.abs(self.output)
        inner = matched.sum(axis=1, keepdims=True) + EXTRA_OPERATIONS
        lost = inner * weigh.sum(axis=0) + size.sum(axis=1, keepdims=True)
        # Where a weight by itself leaves the range of float32, so does the evaluation.
        out_of_range = max(np.abs(a).max(initial=0) for a in (self.hidden, self.output)) > RANGE
        out_of_range |= bool((size > RANGE).any())
        mean, of_hidden, of_output = active @ self.output, size @ weigh, active @ weigh
        if self.shift is not None and self.initial is not None:
            moved = x @ self.shift + self.bias_shift
            moved_size = x @ np.abs(self.shift) + np.abs(self.bias_shift)
            weigh, gate = np.abs(self.initial), before > 0
            mean = mean + (gate * moved) @ self.initial
            of_hidden = of_hidden + (gate * moved_size) @ weigh
            of_output = of_output + (gate * np.abs(moved)) @ weigh
            lost = lost + inner * weigh.sum(axis=0) + moved_size.sum(axis=1, keepdims=True)
            out_of_range |= bool((moved_size > RANGE).any()) or weigh.max(initial=0) > RANGE
        lost = np.full_like(lost, np.inf) if out_of_range else 4 * underflow(1) * lost
        return _Parts(mean, of_hidden, of_output, lost)

    def flips(self, matched: np.ndarray, first: np.ndarray) -> np.ndarray:
        """What the units whose side of 0 an error decides can add or leave out."""
        assert self.shift is not None
        assert self.initial is not None
        x = encoded(matched)
        before, size = x @ self.hidden + self.bias, x @ np.abs(self.hidden) + np.abs(self.bias)
        least = 4 * underflow(matched.shape[1] + EXTRA_OPERATIONS)
        unsure = (np.abs(before) <= first * size + least) & (size > 0)
        moved = np.abs(x @ self.shift + self.bias_shift)
        moved_size = x @ np.abs(self.shift) + np.abs(self.bias_shift)
        return (unsure * (moved + first * moved_size)) @ np.abs(self.initial)


def encoded(matched: Bool[np.ndarray, "s t"]) -> Float64[np.ndarray, "s t"]:
    """Match sets as they are encoded: 1/sqrt(m) where a template matches, in float64."""
    return matched / np.sqrt(np.maximum(matched.sum(axis=1, keepdims=True), 1))


def _scales(networks: Networks) -> tuple[float, float]:
    """The factors of the weights of both layers."""
    members, num_inputs, width = networks.hidden.shape
    std = networks.weight_std
    return std / math.sqrt(num_inputs), std / math.sqrt(width) / members


def _units(networks: Networks, num_templates: int) -> Iterator[_Units]:
    """All hidden units, as many members at a time as fit in memory."""
    members, _, width = networks.hidden.shape
    inner, outer = _scales(networks)
    together = max(1, WEIGHT_BYTES // (8 * width * (num_templates + networks.output.shape[2])))
    for first in range(0, members, together):
        some = slice(first, first + together)

        # Any array of some members, or None for None.
        def inputs(array: np.ndarray | None, some: slice = some) -> np.ndarray | None:
            if array is None:
                return None
            moved = np.moveaxis(array[some, :num_templates].astype(np.float64), 0, 1)
            return inner * moved.reshape(moved.shape[0], -1)

        def outputs(array: np.ndarray | None, some: slice = some) -> np.ndarray | None:
            if array is None:
                return None
            return outer * array[some].astype(np.float64).reshape(-1, array.shape[2])

        def biases(array: np.ndarray | None, some: slice = some) -> np.ndarray:
            if array is None:
                return np.zeros(1)
            return networks.bias_std * array[some].astype(np.float64).reshape(-1)

        hidden, output = inputs(networks.hidden), outputs(networks.output)
        assert hidden is not None
        assert output is not None
        yield _Units(
            hidden,
            output,
            biases(networks.hidden_bias),
            inputs(networks.hidden_shift),
            biases(networks.hidden_bias_shift),
            outputs(networks.initial_output),
        )


def _chunks(matched: Bool[np.ndarray, "s t"], width: int) -> Iterator[slice]:
    size = max(1, ACTIVATION_BYTES // (8 * width))
    for start in range(0, len(matched), size):
        yield slice(start, start + size)
