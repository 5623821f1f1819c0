"""Whether evaluating an ensemble in float32 gives the bits of exact arithmetic.

Every decision has a margin; the accumulated rounding error of its evaluation has an upper bound that
holds in whatever order the sums are taken, and so on every device and for every batch of nodes.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float64

from ntkexec.complexity.cases import Cases
from ntkexec.complexity.margins import margins
from ntkexec.ensemble import Ensemble
from ntkexec.ensemble.training import Weights
from ntkexec.errors import EnsembleError
from ntkexec.roundoff import FLOAT32, PRODUCTS, Products, relative_error, underflow

# Encoding rounds the root of m and its inverse; scaling rounds a weight; the threshold is rounded.
ROUNDINGS_OF_INPUT, ROUNDINGS_OF_WEIGHT = 2, 1


@dataclasses.dataclass(frozen=True)
class Float32Certificate:
    """The narrowest decision of an ensemble, against its rounding error.

    Args:
        products: how matrix products are taken; `ntkexec` asks for float32 everywhere.
        num_decisions: decisions that were looked at.
        wrong: those that exact arithmetic decides wrongly.
        smallest_margin: smallest distance of a mean to its threshold, in float64.
        largest_bound: largest bound on the rounding error of a mean.
        smallest_slack: smallest difference of the two at one decision.
    """

    products: Products
    num_decisions: int
    wrong: int
    smallest_margin: float
    largest_bound: float
    smallest_slack: float

    @property
    def certified(self) -> bool:
        """Whether float32 decides every bit as exact arithmetic does."""
        return self.smallest_slack > 0

    def to_data(self) -> dict[str, Any]:
        return dataclasses.asdict(self) | {"certified": self.certified}


def means_and_bounds(
    weights: Weights,
    place: int,
    states: Float64[np.ndarray, "u i"],
    *,
    products: Products = "float32",
) -> tuple[Float64[np.ndarray, "u o"], Float64[np.ndarray, "u o"]]:
    """Means of one component's members, in float64, and a bound on float32's error.

    A sum of k products rounds each term at most k times. Before the ReLU k is the number of
    matches, since adding 0 is exact; after it, members times width. The ReLU passes errors on, at
    most. Where a unit of a linearised network may be on either side of 0, all it passes on counts.

    Args:
        weights: of the stack, unit scale.
        place: the component's place in the stack.
        states: encoded states, padding left out.
        products: how matrix products are taken.

    Raises:
        EnsembleError: networks with biases.
        CertificateError: so many members and units that nothing is known of their sum.
    """
    if weights.hidden_bias is not None:
        raise EnsembleError("the bound on rounding is for networks without biases")
    members, _, num_inputs, width = weights.hidden.shape
    count = (states > 0).sum(axis=1)
    factors = PRODUCTS[products]
    first = count + ROUNDINGS_OF_INPUT + ROUNDINGS_OF_WEIGHT
    second = members * width + ROUNDINGS_OF_WEIGHT + 1
    inner = np.array([relative_error(int(k), FLOAT32, factors) for k in first])[:, None]
    outer = relative_error(second, FLOAT32, factors)
    most = int(first.max(initial=0))
    means = bounds = np.zeros((len(states), weights.output.shape[3]))
    for member in range(members):

        def matrix(array: np.ndarray, member: int = member) -> np.ndarray:
            return array[member, place].astype(np.float64)

        hidden = matrix(weights.hidden)[: states.shape[1]] / num_inputs**0.5
        output = matrix(weights.output) / (width**0.5 * members)
        before = states @ hidden
        error = inner * (states @ np.abs(hidden))
        active = np.maximum(before, 0)
        means = means + active @ output
        # (1 + outer) where the computed activation stands for the exact one.
        bounds = bounds + (outer * active + (1 + outer) * error) @ np.abs(output)
        bounds = bounds + underflow(most, second, output)
        if weights.hidden_shift is not None and weights.initial_output is not None:
            shift = matrix(weights.hidden_shift)[: states.shape[1]] / num_inputs**0.5
            initial = matrix(weights.initial_output) / (width**0.5 * members)
            moved = states @ shift
            moved_error = inner * (states @ np.abs(shift))
            gate = before > 0
            unsure = np.abs(before) <= error
            means = means + (gate * moved) @ initial
            passed = np.where(unsure, np.abs(moved) + moved_error, gate * moved_error)
            size = (gate | unsure) * (np.abs(moved) + moved_error)
            bounds = bounds + (outer * size + (1 + outer) * passed) @ np.abs(initial)
            bounds = bounds + underflow(most, second, initial)
    return means, bounds


def float32_certificate(
    ensemble: Ensemble, cases: Cases, *, products: Products = "float32"
) -> Float32Certificate:
    """Compares every decision's margin with the bound on its rounding error.

    Args:
        ensemble: the networks.
        cases: the encoded states; their certificate gives the thresholds.
        products: how matrix products are taken. `ntkexec` takes them in float32 on every device;
            the others show whether a faster, coarser product would have done.

    Raises:
        EnsembleError: the ensemble learned another problem, or has biases.
        CertificateError: so many members and units that nothing is known of their sum.
    """
    if ensemble.problem != cases.problem:
        raise EnsembleError(
            "the ensemble and the encoded states are of different learning problems"
        )
    found = margins(cases)
    distances, slack, largest = [], [], 0.0
    for stack, weights in zip(cases.problem.stacks, ensemble.weights, strict=True):
        for place, index in enumerate(stack.components):
            part = found.components[index]
            means, bound = means_and_bounds(weights, place, part.cases.encoded(), products=products)
            outputs = part.signs.shape[1]
            thresholds = part.thresholds
            distance = part.signs * (means[:, :outputs] - thresholds)
            bound = bound[:, :outputs] + FLOAT32 * np.abs(thresholds)
            distances.append(distance.ravel())
            slack.append((np.abs(distance) - bound).ravel())
            largest = max(largest, float(bound.max(initial=0)))
    distance, slacks = np.concatenate(distances), np.concatenate(slack)
    return Float32Certificate(
        products=products,
        num_decisions=len(distance),
        wrong=int((distance <= 0).sum()),
        smallest_margin=float(np.abs(distance).min()),
        largest_bound=largest,
        smallest_slack=float(slacks.min()),
    )
