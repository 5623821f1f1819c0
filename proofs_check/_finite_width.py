"""The bias of finite networks, measured: trained outputs less the limit's mean, by cell.

A cell is a learning problem of n0 templates, w of which write the bit, a width, and a number m of
matched templates, a of them writers of the bit. The spread of untrained networks is taken out by the
control variate f0(x) - v(x) f0(X), whose mean is exactly 0; without it a bias of a tenth of the
spread would take hundreds of networks to see.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ntkexec import predictor
from ntkexec.ensemble import Descent, TwoLayerNetwork
from ntkexec.ensemble.descent import descend
from ntkexec.ensemble.network import initial
from ntkexec.ensemble.schedule import Schedule, schedule

TOLERANCE = 1e-4


@dataclasses.dataclass(frozen=True)
class Cell:
    """What was measured in one cell.

    Args:
        num_inputs: n0.
        writers: w.
        outputs: of the network, each with so many writers; the first is the one measured.
        width: h.
        weight_std: of the initial weights.
        descent: how the networks were trained.
        antisymmetric: whether from two opposite halves.
        num_matches: m.
        num_active: a.
        bias: mean over networks and match sets, less the limit's mean.
        error: its standard error.
        spread: standard deviation over networks, at one match set.
        steps: gradient steps, mean over networks.
        peak: of the outputs on the way, mean over networks.
        residual: largest left on the training set; nan where training diverged.
    """

    num_inputs: int
    writers: int
    outputs: int
    width: int
    weight_std: float
    descent: str
    antisymmetric: bool
    num_matches: int
    num_active: int
    bias: float
    error: float
    spread: float
    steps: float
    peak: float
    residual: float

    @property
    def trained(self) -> bool:
        """Whether every network reached the tolerance."""
        return self.residual <= TOLERANCE


def matches(num_inputs: int, writers: int, sizes: Sequence[int]) -> list[tuple[int, int]]:
    """All (m, a) with m among the sizes and a = 0, 1 or all that there can be."""
    return [
        (m, a)
        for m in sizes
        if 1 < m <= num_inputs
        for a in sorted({0, 1, min(m, writers)})
        if m - a <= num_inputs - writers
    ]


def match_sets(
    num_inputs: int, writers: int, num_matches: int, num_active: int, repeat: int, seed: int
) -> np.ndarray:
    """Random match sets, zeros and ones; the first `writers` templates are the writers."""
    generator = np.random.default_rng([seed, num_inputs, writers, num_matches, num_active])
    found = np.zeros((repeat, num_inputs))
    for row in found:
        row[generator.choice(writers, num_active, replace=False)] = 1
        others = generator.choice(num_inputs - writers, num_matches - num_active, replace=False)
        row[writers + others] = 1
    return found


def targets(num_inputs: int, writers: int, outputs: int, seed: int = 0) -> np.ndarray:
    """The first output's writers come first; those of the others are random."""
    generator = np.random.default_rng(seed)
    found = np.zeros((num_inputs, outputs), np.float32)
    found[:writers, 0] = 1
    for column in found.T[1:]:
        column[generator.choice(num_inputs, writers, replace=False)] = 1
    return found


@functools.partial(
    jax.jit, static_argnames=("network", "plan", "antisymmetric", "max_steps", "members")
)
def _outputs(
    key: Array,
    target: Float[Array, "n0 o"],
    states: Float[Array, "x n0"],
    coefficients: Float[Array, "x n0"],
    *,
    network: TwoLayerNetwork,
    plan: Schedule,
    antisymmetric: bool,
    max_steps: int,
    members: int,
) -> tuple[Array, ...]:
    def one(key: Array) -> tuple[Array, ...]:
        weights = initial(network, key, antisymmetric=antisymmetric)
        trained = descend(network, weights, target, plan, tolerance=TOLERANCE, max_steps=max_steps)
        apply: Any = network.apply
        control = apply(weights, states) - coefficients @ apply(weights, method="on_basis")
        outputs = apply(trained.weights, states)
        return outputs, control, trained.residual, trained.steps, trained.peak

    return jax.lax.map(one, jax.random.split(key, members))


def measure(
    num_inputs: int,
    writers: int,
    width: int,
    sizes: Sequence[int],
    *,
    descent: Descent = "auto",
    members: int = 12,
    repeat: int = 6,
    seed: int = 0,
    outputs: int = 1,
    weight_std: float = 1.0,
    antisymmetric: bool = False,
) -> list[Cell]:
    """Trains networks and measures the bias at the given numbers of matches.

    Args:
        num_inputs: n0.
        writers: w.
        width: h.
        sizes: numbers of matches m; each with a = 0, 1 and as many as possible.
        descent: how to train.
        members: networks.
        repeat: random match sets a cell.
        seed: of weights and match sets.
        outputs: of the network.
        weight_std: of the initial weights.
        antisymmetric: whether to start from two opposite halves.
    """
    cells = matches(num_inputs, writers, sizes)
    sets = [match_sets(num_inputs, writers, m, a, repeat, seed) for m, a in cells]
    states = np.concatenate([s / np.sqrt(m) for s, (m, _) in zip(sets, cells, strict=True)])
    weights = np.concatenate(
        [
            np.where(s > 0, *(float(c) for c in predictor.coefficients(m, num_inputs)))
            for s, (m, _) in zip(sets, cells, strict=True)
        ]
    )
    # One shape whatever the writers, for one compilation.
    fill = ((0, 3 * len(sizes) * repeat - len(states)), (0, 0))
    units = width // 2 if antisymmetric else width
    plan = schedule(
        num_inputs, outputs, units, weight_std=weight_std, tolerance=TOLERANCE, descent=descent
    )
    found = _outputs(
        jax.random.key(seed),
        jnp.asarray(targets(num_inputs, writers, outputs)),
        jnp.asarray(np.pad(states, fill), jnp.float32),
        jnp.asarray(np.pad(weights, fill), jnp.float32),
        network=TwoLayerNetwork(num_inputs, width, outputs, weight_std),
        plan=plan,
        antisymmetric=antisymmetric,
        max_steps=20 * plan.predicted_steps + 200,
        members=members,
    )
    trained, control, residual, steps, peak = (np.asarray(a, float) for a in found)
    trained, control = trained[:, :, 0], control[:, :, 0]
    shape = (members, len(cells), repeat)
    raw = trained[:, : len(states)].reshape(shape)
    cleared = (raw - control[:, : len(states)].reshape(shape)).mean(axis=2)
    spread = raw.std(axis=0, ddof=1).mean(axis=1)
    return [
        Cell(
            num_inputs, writers, outputs, width, weight_std, descent, antisymmetric, m, a,
            bias=float(cleared[:, i].mean() - predictor.mean(m, num_inputs, writers, a)),
            error=float(cleared[:, i].std(ddof=1) / np.sqrt(members)),
            spread=float(spread[i]),
            steps=float(steps.mean()),
            peak=float(peak.mean()),
            residual=float(residual.max()),
        )
        for i, (m, a) in enumerate(cells)
    ]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Program:
    """What finite width does to all decisions of a learning problem at the states that it visits.

    Args:
        bias: by match set and output, of the bits that are written.
        error: its standard error.
        margin: half the difference that one matched writer makes: the margin of a threshold for each
            bit and number of matches; by match set.
        spread: standard deviation over networks, in parts of the limit's; root mean square.
        wrong: decisions that the mean over all networks gets wrong with that threshold.
        steps, peak, residual: of the training, as in `Cell`.
    """

    bias: Float[np.ndarray, "x o"]
    error: Float[np.ndarray, "x o"]
    margin: Float[np.ndarray, "x"]
    spread: float
    wrong: int
    steps: float
    peak: float
    residual: float

    @property
    def share(self) -> Float[np.ndarray, "x o"]:
        """Bias in parts of the margin."""
        return np.abs(self.bias) / self.margin[:, None]


def measure_program(
    target: Float[np.ndarray, "n0 o"],
    sets: Float[np.ndarray, "x n0"],
    width: int,
    *,
    descent: Descent = "auto",
    members: int = 12,
    seed: int = 0,
) -> Program:
    """Trains networks for given targets and measures the bias at given match sets.

    Args:
        target: by training pair and output; outputs without a 1 are left out.
        sets: zeros and ones, with at least two matches each.
        width: h.
        descent: how to train.
        members: networks.
        seed: of the weights.
    """
    n0, m = len(target), sets.sum(axis=1)
    written = target.sum(axis=0) > 0
    alpha, beta = predictor.coefficients(m, np.full(len(m), n0))
    weights = np.where(sets > 0, alpha[:, None], beta[:, None])
    plan = schedule(n0, target.shape[1], width, tolerance=TOLERANCE, descent=descent)
    found = _outputs(
        jax.random.key(seed),
        jnp.asarray(target, jnp.float32),
        jnp.asarray(sets / np.sqrt(m)[:, None], jnp.float32),
        jnp.asarray(weights, jnp.float32),
        network=TwoLayerNetwork(n0, width, target.shape[1]),
        plan=plan,
        antisymmetric=False,
        max_steps=20 * plan.predicted_steps + 200,
        members=members,
    )
    trained, control, residual, steps, peak = (np.asarray(a, float) for a in found)
    cleared = (trained - control)[:, :, written]
    mean, margin = (weights @ target)[:, written], (alpha - beta) / 2
    threshold = target.sum(axis=0)[written] * beta[:, None] + margin[:, None]
    ones = (sets @ target)[:, written] > 0
    spread = trained[:, :, written].var(axis=0, ddof=1) / predictor.variance(m, n0)[:, None]
    return Program(
        bias=cleared.mean(axis=0) - mean,
        error=cleared.std(axis=0, ddof=1) / np.sqrt(members),
        margin=margin,
        spread=float(np.sqrt(spread.mean())),
        wrong=int(((cleared.mean(axis=0) > threshold) != ones).sum()),
        steps=float(steps.mean()),
        peak=float(peak.mean()),
        residual=float(residual.max()),
    )
