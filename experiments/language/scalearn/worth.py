"""What a source is worth: a start by one Gauss-Newton step, and losses without each source, foretold.

Both take the scores as a function of one number a source (ScaLearnUniform++), whose second-order
model of the loss is a matrix of as many rows as there are sources.

```python
import jax.numpy as jnp
import numpy as np
from experiments.language.scalearn.worth import influence, linearised, newton_start

sources = np.random.default_rng(0).normal(size=(50, 2, 3))  # texts, classes, sources
told = linearised(lambda factors: jnp.asarray(sources) @ factors)
found = newton_start(told, np.ones(3), sources @ [1.0, 0.5, 0.0], loss="squared", ridge=1e-9)
print(found.round(3), influence(told, found, sources @ [1.0, 0.5, 0.0], loss="squared").retrained)
```
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ntkexec.errors import ExperimentError

Told = Callable[[Float[Array, "S"]], tuple[Float[Array, "N C"], Float[Array, "N C S"]]]
"""Scores of texts by factors, and their derivatives."""
LOSSES = ("cross-entropy", "squared")


@dataclasses.dataclass(frozen=True)
class Model:
    """The loss as a quadratic function of the factors around where they are.

    Args:
        value: of the loss there, a mean over texts.
        slope, curvature: of it; the curvature is Gauss-Newton's, which is never negative.
    """

    value: float
    slope: Float[np.ndarray, "S"]
    curvature: Float[np.ndarray, "S S"]


def linearised(scores: Callable[[Float[Array, "S"]], Float[Array, "N C"]]) -> Told:
    """Scores with their derivatives, compiled once for this function."""
    return jax.jit(lambda factors: (scores(factors), jax.jacfwd(scores)(factors)))


def quadratic(
    told: Told, factors: Float[ArrayLike, "S"], targets: Float[ArrayLike, "N C"], *, loss: str
) -> Model:
    """The loss around these factors.

    Args:
        told: see `linearised`.
        factors: one a source.
        targets: chances of the classes for cross-entropy, scores for the squared loss (halved).
        loss: of `LOSSES`.

    Raises:
        ExperimentError: another loss, or targets that are not as many as the scores; names one that is no
            number, or no chance where the loss is cross-entropy.
    """
    if loss not in LOSSES:
        raise ExperimentError(f"the loss is one of {', '.join(LOSSES)}, not {loss!r}")
    given = told(jnp.asarray(factors, jnp.result_type(float)))
    found, jacobian = (np.asarray(one, np.float64) for one in given)
    wanted = np.asarray(targets, np.float64)
    if wanted.shape != found.shape:
        raise ExperimentError(
            f"targets of shape {wanted.shape} are not those of scores {found.shape}"
        )
    wrong = wanted[~np.isfinite(wanted) | ((wanted < 0) & (loss == "cross-entropy"))]
    if wrong.size:
        kind = "scores" if loss == "squared" else "chances"
        raise ExperimentError(f"targets of the {loss} loss are {kind}, and {wrong[0]} is none")
    if loss == "squared":
        off, left = found - wanted, jacobian
        value = 0.5 * (off**2).sum() / len(found)
    else:
        log = found - found.max(1, keepdims=True)
        log = log - np.log(np.exp(log).sum(1, keepdims=True))
        shares = np.exp(log)
        off, value = shares - wanted, -(wanted * log).sum() / len(found)
        mean = np.einsum("nc,ncs->ns", shares, jacobian)
        left = shares[..., None] * (jacobian - mean[:, None, :])
    slope = np.einsum("ncs,nc->s", jacobian, off) / len(found)
    curvature = np.einsum("ncs,nct->st", jacobian, left) / len(found)
    return Model(float(value), slope, (curvature + curvature.T) / 2)


def newton_start(
    told: Told, start: Float[ArrayLike, "S"], targets: Float[ArrayLike, "N C"], *,
    loss: str = "cross-entropy", ridge: float = 1e-3, steps: int = 1, largest: float = np.inf,
) -> Float[np.ndarray, "S"]:  # fmt: skip
    """Factors after Gauss-Newton steps: exact after one where scores are linear and the loss is squared.

    Args:
        told, targets, loss: see `quadratic`.
        start: factors to begin with, 2 / S each in the paper.
        ridge: added to the curvature's diagonal, relative to its mean; it holds what nothing tells apart.
        steps: of them.
        largest: length of a step; one that is longer is cut to it.

    Raises:
        ExperimentError: a ridge below 0, no step or one of no length, or a ridge that is too small for
            sources that nothing tells apart; and see `quadratic`.
    """
    if steps < 1 or not largest > 0:
        raise ExperimentError(f"{steps} steps of length {largest} at most lead nowhere")
    found = np.asarray(start, np.float64)
    for _ in range(steps):
        model = quadratic(told, found, targets, loss=loss)
        move = -_solved(model.curvature, model.slope, ridge)
        found = found + move * min(1.0, largest / max(float(np.linalg.norm(move)), 1e-300))
    return found


@dataclasses.dataclass(frozen=True)
class Influence:
    """How much the loss would rise without each source.

    Args:
        removed: its factor is 0 and all others stay.
        retrained: the others are learned anew, above the loss where all are learned to the end.
    """

    removed: Float[np.ndarray, "S"]
    retrained: Float[np.ndarray, "S"]


def influence(
    told: Told, factors: Float[ArrayLike, "S"], targets: Float[ArrayLike, "N C"], *,
    loss: str = "cross-entropy", ridge: float = 1e-6,
) -> Influence:  # fmt: skip
    """Losses without each source, foretold by the quadratic model around learned factors.

    Exact where scores are linear and the loss is squared.

    Args:
        told, targets, loss: see `quadratic`.
        factors: that were learned.
        ridge: as for `newton_start`.

    Raises:
        ExperimentError: a ridge below 0, or too small a one; and see `quadratic`.

    Source: for the second, Hassibi and Stork, Optimal brain surgeon, NeurIPS 1992: w_s^2 / (2 [H^-1]_ss).
    """
    model, at = quadratic(told, factors, targets, loss=loss), np.asarray(factors, np.float64)
    removed = -model.slope * at + 0.5 * np.diag(model.curvature) * at**2
    inverse = _solved(model.curvature, np.eye(len(at)), ridge)
    best = at - inverse @ model.slope
    return Influence(removed, best**2 / (2 * np.diag(inverse)))


def _held(curvature: np.ndarray, ridge: float) -> np.ndarray:
    if not 0 <= ridge < np.inf:
        raise ExperimentError(f"a ridge is a number from 0, not {ridge}")
    scale = max(float(np.trace(curvature)) / len(curvature), 1e-300)
    held: np.ndarray = curvature + ridge * scale * np.eye(len(curvature))
    return held


def _solved(curvature: np.ndarray, slope: np.ndarray, ridge: float) -> np.ndarray:
    try:
        found: np.ndarray = np.linalg.solve(_held(curvature, ridge), slope)
    except np.linalg.LinAlgError:
        raise ExperimentError(
            f"nothing tells some of the {len(curvature)} sources apart: a ridge above {ridge} is needed"
        ) from None
    return found
