"""What the limit of diffusion can separate by hyperplanes, and the sheaves that the proofs build."""

from typing import Any

import numpy as np
from jaxtyping import Float, Float64, Int

from experiments.graphs.neural_sheaf_diffusion.sheaf import Sheaf, sheaf_on

# Of a margin between points that are at most 1 from their centre.
LEAST_MARGIN = 1e-6
_RANK = 1e-9


def flat_sheaf(
    edges: Int[np.ndarray, "m 2"], at_nodes: Float[np.ndarray, "n *d"], *, orthogonal: bool = False
) -> Sheaf:
    """The sheaf in which a node has the same map into all its edges: transport depends on no path.

    With invertible maps its harmonic space has dimension d on a connected graph. Maps by class,
    `group[labels]`, are the sheaves of Propositions 10, 12 and 13, for the groups below.
    """
    first, second = at_nodes[edges[:, 0]], at_nodes[edges[:, 1]]
    return sheaf_on(edges, first, second, num_nodes=len(at_nodes), orthogonal=orthogonal)


def sign_group(classes: int) -> Float64[np.ndarray, "c c"]:
    """Diagonal maps, as many dimensions as classes: each dimension tells one class from the others."""
    return 2 * np.eye(classes) - 1


def rotation_group(classes: int) -> Float64[np.ndarray, "c 2 2"]:
    """Rotations by multiples of one angle."""
    angles = 2 * np.pi * np.arange(classes) / classes
    (c, s) = np.cos(angles), np.sin(angles)
    return np.moveaxis(np.array([[c, -s], [s, c]]), 2, 0)


def quaternion_group() -> Float64[np.ndarray, "8 4 4"]:
    """The eight quaternion units 1, i, j, k and their negatives, as matrices that multiply by them."""
    i = np.array([[0, -1, 0, 0], [1, 0, 0, 0], [0, 0, 0, -1], [0, 0, 1, 0]])
    j = np.array([[0, 0, -1, 0], [0, 0, 0, 1], [1, 0, 0, 0], [0, -1, 0, 0]])
    units = np.stack([np.eye(4), i, j, i @ j])
    return np.concatenate([units, -units])


def separation_margin(points: Float[Any, "n p"], labels: Int[Any, " n"]) -> float:
    """The smallest, over classes, of the largest margin between a class and all the others.

    By linear programming in exact rank: directions in which points differ by rounding alone do not
    count.

    Args:
        points: one a row; their scale does not matter.
        labels: classes.

    Returns:
        The margin of the worst class, weights being at most 1 each: above `LEAST_MARGIN` every class
        can be told from the others by a hyperplane; otherwise one cannot.
    """
    from scipy.optimize import linprog

    points = np.asarray(points, np.float64)
    points = points - points.mean(0)
    points = points / max(np.abs(points).max(), np.finfo(float).tiny)
    left, values, _ = np.linalg.svd(points, full_matrices=False)
    points = (left * values)[:, values > _RANK * max(values[0], 1e-300)]
    size = points.shape[1]
    margins = []
    for label in np.unique(labels):
        sign = np.where(np.asarray(labels) == label, 1.0, -1.0)[:, None]
        # Unknowns: weights, threshold, margin; margin <= sign * (points @ weights + threshold).
        rows = np.hstack([-sign * points, -sign, np.ones_like(sign)])
        found = linprog(
            np.r_[np.zeros(size + 1), -1.0],
            A_ub=rows,
            b_ub=np.zeros(len(points)),
            bounds=[(-1, 1)] * size + [(None, None), (0, None)],
        )
        margins.append(-found.fun)
    return float(min(margins))
