"""The flag aggregator as it is defined, by singular values of the gradients themselves; NumPy, float64."""

import dataclasses

import numpy as np
from jaxtyping import Float64

from experiments.systems.flag_aggregator.gram import EPSILON, ITERATIONS, check_dimension


@dataclasses.dataclass(frozen=True)
class FlagSolution:
    """What the iteration ends with.

    Args:
        direction: the aggregate.
        basis: of the subspace, orthonormal columns.
        captured: the squared length of each unit gradient inside.
        objectives: after each solve.
    """

    direction: Float64[np.ndarray, "n"]
    basis: Float64[np.ndarray, "n m"]
    captured: Float64[np.ndarray, "p"]
    objectives: Float64[np.ndarray, "iterations"]


def svd_flag(
    gradients: Float64[np.ndarray, "p n"],
    dimension: int,
    *,
    iterations: int = ITERATIONS,
    epsilon: float = EPSILON,
    start: Float64[np.ndarray, "n m"] | None = None,
) -> FlagSolution:
    """The flag aggregator by singular value decompositions, without a pair term.

    Args:
        gradients: one in a row, none of length 0.
        dimension: of the subspace, at most the smaller of p and n.
        iterations: solves, at least 1.
        epsilon: keeps weights finite.
        start: orthonormal columns from which the first weights come; equal weights if there are none.
            The public code draws them at random, and stops after one solve.

    Raises:
        ExperimentError: for a subspace of no dimension, or of more than there are.

    Source: Almasi et al., arXiv:2302.05865, algorithm 1.
    """
    check_dimension(dimension, min(gradients.shape))
    units = (gradients / np.linalg.norm(gradients, axis=1, keepdims=True)).T
    weights, objectives = np.ones(units.shape[1]), []
    if start is not None:
        weights = (1 - ((start.T @ units) ** 2).sum(0) + epsilon) ** -0.25
    for _ in range(iterations):
        left, _, _ = np.linalg.svd(units * weights, full_matrices=False)
        basis = left[:, :dimension]
        captured = ((basis.T @ units) ** 2).sum(0)
        remaining = 1 - np.clip(captured, 0, 1) + epsilon
        weights = remaining**-0.25
        objectives.append(np.sqrt(remaining).sum())
    direction = basis @ (basis.T @ units.sum(1)) / dimension
    return FlagSolution(direction, basis, captured, np.array(objectives))


def largest_sine(one: Float64[np.ndarray, "n m"], other: Float64[np.ndarray, "n m"]) -> float:
    """The sine of the largest angle between two subspaces, given by orthonormal columns."""
    apart = one - other @ (other.T @ one)
    return float(np.linalg.norm(apart, 2))
