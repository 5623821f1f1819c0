"""The bias of trained networks at a finite width, to first order: a prediction that trains nothing.

`movement` says whether the closed forms of infinite width are about a network at all, and
`predicted_bias` how far its mean is off, which no ensemble averages away; see `bias_fit` for a bound.
Theory in float64.
"""

import dataclasses
import math
from typing import Protocol

import numpy as np
from jaxtyping import Float64

from ntkexec.errors import CertificateError
from ntkexec.theory import predictor
from ntkexec.theory.bias_fit import check_sizes
from ntkexec.theory.kernel import NTK_GAP, NTK_ORTHOGONAL

# How far the prediction, of first order, agrees with trained networks.
MOST_MOVEMENT, MOST_BIAS = 1.0, 0.2
ROWS_AT_ONCE = 64
GROUPS = 8


class DescentPlan(Protocol):
    """Learning rate, momentum and weight of the error's mean, as a `Schedule` has them."""

    @property
    def learning_rate(self) -> float: ...
    @property
    def momentum(self) -> float: ...
    @property
    def mean_weight(self) -> float: ...


@dataclasses.dataclass(frozen=True)
class BiasPrediction:
    """The bias, to first order, for some match sets and outputs.

    Args:
        bias: (match sets, outputs).
        error: standard error of the Monte Carlo sum behind it, likewise.
        movement: squared change of a hidden unit's weights one way; see `coherent_movement`.
        trusted: whether movement and bias are so small that first order is enough.
        reason: why not, if not.
    """

    bias: Float64[np.ndarray, "x o"]
    error: Float64[np.ndarray, "x o"]
    movement: float
    trusted: bool
    reason: str


def movement(targets: Float64[np.ndarray, "n0 o"], width: int, *, weight_std: float = 1.0) -> float:
    """eps = n0 y' Theta^-1 y / h: mean squared change of a hidden unit's weights in training.

    All weights of a unit together, summed over outputs, in the limit of slow descent from an
    untrained output of 0. Well below 1 the network hardly leaves its linearisation.

    Args:
        targets: y, by training pair and output.
        width: h.
        weight_std: of the initial weights.

    Source: the least change J' (J J')^-1 y has the square y' (J J')^-1 y; Theta = J J' is
        s^4 (lambda I + c 11') / n0, inverted by Sherman-Morrison.
    """
    return float(np.trace(_squares(targets))) * len(targets) / (weight_std**4 * width)


def coherent_movement(
    targets: Float64[np.ndarray, "n0 o"], width: int, *, weight_std: float = 1.0
) -> float:
    """The part of `movement` that goes one way: the largest eigenvalue, where that is the trace.

    One output moves every unit along one direction, and both are the same; many sparse outputs move
    it in many directions, in each of them by little. What bends the network is movement one way.

    Args:
        targets: y, by training pair and output.
        width: h.
        weight_std: of the initial weights.
    """
    largest = np.linalg.eigvalsh(_squares(targets))[-1]
    return float(largest) * len(targets) / (weight_std**4 * width)


def _squares(targets: Float64[np.ndarray, "n0 o"]) -> Float64[np.ndarray, "o o"]:
    """y' (lambda I + c 11')^-1 y, by Sherman-Morrison."""
    y = np.asarray(targets, float)
    sums, c, gap = y.sum(axis=0), NTK_ORTHOGONAL, NTK_GAP
    return (y.T @ y - c * np.outer(sums, sums) / (gap + c * len(y))) / gap


def predicted_bias(
    targets: Float64[np.ndarray, "n0 o"],
    matched: np.ndarray,
    width: int,
    plan: DescentPlan,
    *,
    weight_std: float = 1.0,
    tolerance: float = 1e-4,
    units: int = 20_000,
    seed: int = 0,
    max_steps: int = 10_000,
) -> BiasPrediction:
    """The bias of trained networks to first order, without training one.

    Freshly drawn hidden units are moved along the residuals that the training set would have at
    infinite width under the same schedule. What they then put out at a match set, less the part that
    is linear in their movement, is the first-order change N; at the training pairs, where the network
    ends without error, the linear response takes it back: bias(x) = N(x) - sum_i v_i(x) N(e_i), v
    alpha at the matched pairs and beta at the others. It is one step of a fixed-point iteration for the
    mean field, so it knows where the kernel changes but not what that change does in turn.

    Args:
        targets: y, by training pair and output.
        matched: which pairs match, zeros and ones; (match sets, n0).
        width: h.
        plan: learning rate, momentum and weight of the error's mean.
        weight_std: s of the initial weights, by the identity f(s, y) = s^2 f(1, y / s^2).
        tolerance: residual at which training ends.
        units: hidden units to draw, in opposite pairs.
        seed: of the draw.
        max_steps: after which an unstable schedule is given up.

    Raises:
        CertificateError: shapes that do not fit, or a schedule that does not converge at any width.
    """
    y = np.asarray(targets, float)
    sets = np.asarray(matched, float)
    if y.ndim != 2 or sets.ndim != 2 or sets.shape[1] != len(y):
        raise CertificateError(
            f"targets of shape {y.shape} and match sets of shape {sets.shape} do not belong together"
        )
    check_sizes(len(y), width, weight_std)
    _Units.check(units)
    power = weight_std**2
    groups = [
        _Units.draw(np.random.default_rng([seed, group]), units // GROUPS, *y.shape)
        for group in range(GROUPS)
    ]
    moved = _follow(groups, y / power, width, plan, power**2, tolerance / power, max_steps)
    biases = power * np.stack([group.bias(sets, width, moved) for group in groups])
    bias, error = biases.mean(axis=0), biases.std(axis=0, ddof=1) / math.sqrt(GROUPS)
    eps = coherent_movement(y, width, weight_std=weight_std)
    most = float(np.abs(bias).max(initial=0))
    reason = ""
    if not eps < MOST_MOVEMENT:
        reason = f"too narrow: the units move by {eps:.2g}, squared, and first order holds below 1"
    elif not most < MOST_BIAS * power:
        reason = f"too narrow: a bias of {most:.2g} is more than first order can say"
    return BiasPrediction(bias, error, eps, not reason, reason)


class _Units:
    """Some hidden units of unit weights, and where training takes them."""

    def __init__(self, hidden: np.ndarray, output: np.ndarray) -> None:
        self.start = hidden, output
        self.hidden, self.output = hidden.copy(), output.copy()
        self.speed = np.zeros_like(hidden), np.zeros_like(output)

    @staticmethod
    def check(units: int) -> None:
        if units < 2 * GROUPS or units % (2 * GROUPS):
            raise CertificateError(
                f"units come in {GROUPS} groups of opposite pairs: a multiple of {2 * GROUPS}, "
                f"not {units}"
            )

    @classmethod
    def draw(
        cls, generator: np.random.Generator, units: int, num_inputs: int, outputs: int
    ) -> "_Units":
        """In pairs with opposite output weights, so that the untrained output is 0."""
        hidden = generator.standard_normal((units // 2, num_inputs))
        output = generator.standard_normal((units // 2, outputs))
        return cls(np.concatenate([hidden] * 2), np.concatenate([output, -output]))

    def step(self, slope: np.ndarray, rate: float, momentum: float) -> None:
        """One step of descent along a given slope of the loss, by training pair and output."""
        open_units = self.hidden > 0
        moves = (self.output @ slope.T) * open_units, np.where(open_units, self.hidden, 0) @ slope
        hidden, output = self.speed
        self.speed = momentum * hidden - rate * moves[0], momentum * output - rate * moves[1]
        self.hidden += self.speed[0]
        self.output += self.speed[1]

    def bias(self, sets: np.ndarray, width: int, moved: np.ndarray) -> np.ndarray:
        """First-order bias at match sets; `moved` is the sum of all steps, (n0, outputs)."""
        n0 = sets.shape[1]
        count = sets.sum(axis=1)
        alpha, beta = predictor.coefficients(count, np.full(len(sets), n0))
        passed_on = np.where(sets > 0, alpha[:, None], beta[:, None])
        before, weights = self.start
        linear_hidden = (weights @ moved.T) * (before > 0)
        linear_output = np.maximum(before, 0) @ moved

        def excess(x: np.ndarray) -> np.ndarray:
            first, last, shift = (x @ a.T for a in (before, self.hidden, linear_hidden))
            change = np.maximum(last, 0) @ self.output
            change -= np.maximum(first, 0) @ (weights + linear_output)
            change -= np.where(first > 0, shift, 0) @ weights
            return change * math.sqrt(width / n0) / len(before)

        basis = excess(np.eye(n0))
        x = sets / np.sqrt(np.maximum(count, 1))[:, None]
        parts = [excess(x[i : i + ROWS_AT_ONCE]) for i in range(0, len(x), ROWS_AT_ONCE)] or [
            np.zeros((0, basis.shape[1]))
        ]
        return np.concatenate(parts) - passed_on @ basis


def _follow(
    groups: list[_Units],
    y: np.ndarray,
    width: int,
    plan: DescentPlan,
    power: float,
    tolerance: float,
    max_steps: int,
) -> np.ndarray:
    """Moves all units along the residuals of infinite width; the sum of all steps."""
    n0 = len(y)
    rate, scale = plan.learning_rate * power, 1 / math.sqrt(width * n0)
    residual, step, moved = -y, np.zeros_like(y), np.zeros_like(y)
    for _ in range(max_steps):
        worst = np.abs(residual).max(initial=0)
        if worst <= tolerance:
            return scale * moved
        if not worst < 1e6 * np.abs(y).max():
            break
        slope = residual - (1 - plan.mean_weight) * residual.mean(axis=0)
        for group in groups:
            group.step(slope, rate * scale, plan.momentum)
        step = plan.momentum * step - rate * slope
        moved += step
        residual = residual + (NTK_GAP * step + NTK_ORTHOGONAL * step.sum(axis=0)) / n0
    raise CertificateError(
        f"a learning rate of {plan.learning_rate:.3g} with momentum {plan.momentum:.3g} does not "
        f"converge for {n0} templates"
    )
