"""Trained networks of one small learning problem, for all statements about finite ensembles."""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float64

from ntkexec import ensemble, kernel, predictor
from ntkexec.check import Scale
from ntkexec.ensemble import EnsembleConfig
from ntkexec.ensemble.training import network_for
from ntkexec.layout import Layout, Word
from ntkexec.problem import LearningProblem
from ntkexec.template import Program, template

NUM_TEMPLATES = 6
# Few wide ones for what the control variate makes precise, and many for distributions and shares.
FEW: dict[Scale, tuple[int, int]] = {
    "quick": (400, 4096),
    "standard": (1000, 8192),
    "full": (2000, 16384),
}
MANY: dict[Scale, tuple[int, int]] = {
    "quick": (5000, 1024),
    "standard": (10_000, 2048),
    "full": (20_000, 4096),
}
BLOCK = 1000


class Trained(NamedTuple):
    """Outputs of independently trained networks, and what the limit of infinite width says.

    matched: which templates match, for all sets of at least two; (sets, templates).
    outputs: (members, sets, bits).
    linear: what linear theory adds to the mean for the same initial weights, f0(x) - v(x) f0(X). At
        every width its mean is 0 and its covariance `covariance`, exactly, so that it takes nearly all
        spread out of an estimate without a bias: a control variate. (members, sets, bits).
    mean: (sets, bits).
    covariance: between sets, the same for every bit; (sets, sets).
    """

    matched: np.ndarray
    outputs: Float64[np.ndarray, "e s k"]
    linear: Float64[np.ndarray, "e s k"]
    mean: Float64[np.ndarray, "s k"]
    covariance: Float64[np.ndarray, "s s"]

    @property
    def variance(self) -> Float64[np.ndarray, "s 1"]:
        """Of one network's output, by set."""
        return np.diag(self.covariance)[:, None]


def problem() -> LearningProblem:
    """Six templates, one for each bit, that write 1 to 4 of the six bits."""
    layout = Layout((Word("state", NUM_TEMPLATES),))
    writers = [[0], [1, 2], [0, 1, 3], [0, 2, 4, 5], [3, 4, 5], [5]]
    entries = [
        template({bit: 1}, [k for k, own in enumerate(writers) if bit in own])
        for bit in range(NUM_TEMPLATES)
    ]
    return LearningProblem(Program("six", layout, tuple(entries)), "joint")


def match_sets() -> np.ndarray:
    """All sets of at least two of the six templates, one a row of zeros and ones."""
    every = (np.arange(1 << NUM_TEMPLATES)[:, None] >> np.arange(NUM_TEMPLATES)) & 1
    return every[every.sum(axis=1) >= 2]


@functools.cache
def trained(scale: Scale) -> Trained:
    """Trains few wide networks, once for each scale."""
    matched = match_sets()
    weights = np.linalg.solve(kernel.ntk(np.eye(NUM_TEMPLATES)), kernel.ntk(_encoded(matched)).T).T
    outputs, linear = [], []
    for config in _blocks(*FEW[scale], seed=11):
        outputs.append(_trained_outputs(config)[:, : len(matched)])
        start = _outputs(*_initial(config))
        at_sets, at_templates = np.split(start, [len(matched)], axis=1)
        linear.append(at_sets - np.einsum("si,eik->esk", weights, at_templates))
    return Trained(
        matched, np.concatenate(outputs), np.concatenate(linear), mean(matched), covariance(matched)
    )


@functools.cache
def many(scale: Scale) -> Float64[np.ndarray, "e s k"]:
    """Outputs of many networks that are less wide, at all match sets; once for each scale."""
    sets = len(match_sets())
    blocks = [_trained_outputs(config)[:, :sets] for config in _blocks(*MANY[scale], seed=12)]
    return np.concatenate(blocks)


def ensembles(scale: Scale, size: int) -> Float64[np.ndarray, "g s k"]:
    """Means of disjoint ensembles of so many of these networks."""
    outputs = many(scale)
    groups = len(outputs) // size
    return outputs[: groups * size].reshape(groups, size, *outputs.shape[1:]).mean(axis=1)


def _blocks(members: int, width: int, *, seed: int) -> Iterator[EnsembleConfig]:
    """Blocks of networks, each with a seed of its own: weights of all at once would not fit."""
    for block, first in enumerate(range(0, members, BLOCK)):
        own = seed + 1000 * block
        yield EnsembleConfig(members=min(BLOCK, members - first), width=width, seed=own)


def _trained_outputs(config: EnsembleConfig) -> Float64[np.ndarray, "e n k"]:
    (found,) = ensemble.train(problem(), config).weights
    return _outputs(found.hidden[:, 0], found.output[:, 0])


def _encoded(matched: np.ndarray) -> Float64[np.ndarray, "s i"]:
    return matched / np.sqrt(matched.sum(axis=1, keepdims=True))


def _outputs(hidden: Any, output: Any) -> Float64[np.ndarray, "e n k"]:
    """Outputs of networks at all match sets, and then at every template's own training input."""
    x = np.concatenate([_encoded(match_sets()), np.eye(NUM_TEMPLATES)])
    return np.asarray(_evaluated(hidden, output, jnp.asarray(x, jnp.float32)), float)


@jax.jit
def _evaluated(hidden: Array, output: Array, x: Array) -> Array:
    def one(pair: tuple[Array, Array]) -> Array:
        first, second = pair
        exact = jax.lax.Precision.HIGHEST
        active = jax.nn.relu(jnp.matmul(x, first, precision=exact)) * NUM_TEMPLATES**-0.5
        return jnp.matmul(active, second, precision=exact) * len(second) ** -0.5

    return jax.lax.map(one, (hidden, output), batch_size=8)


def _initial(config: EnsembleConfig) -> tuple[Array, Array]:
    """Hidden and output weights of all members before training."""
    (stack,) = problem().stacks
    network = network_for(config, stack)

    # The keys of `ntkexec.ensemble.training`. With others the control variate would still be right,
    # but independent of the networks and so of no use; a test looks at what it explains.
    def one(member: Array) -> Any:
        key = jax.random.fold_in(jax.random.key(config.seed), member)
        return network.init(jax.random.fold_in(key, 0), method="on_basis")["params"]

    found = jax.jit(jax.vmap(one))(jnp.arange(config.members, dtype=jnp.uint32))
    return found["hidden"], found["output"]


def mean(matched: np.ndarray) -> Float64[np.ndarray, "s k"]:
    """Mean output for match sets in the limit, in closed form."""
    _, targets = problem().program.training_set()
    m, n0 = matched.sum(axis=1, keepdims=True), matched.shape[1]
    return predictor.mean(m, n0, targets.sum(axis=0)[None], matched @ targets)


def covariance(matched: np.ndarray) -> Float64[np.ndarray, "s s"]:
    """Covariance between match sets in the limit: Lee et al., equation 16, by solving."""
    n0 = matched.shape[1]
    x = _encoded(matched)
    weights = np.linalg.solve(kernel.ntk(np.eye(n0)), kernel.ntk(x).T).T
    prior = kernel.nngp(np.clip(x @ x.T, -1, 1))
    cross = weights @ kernel.nngp(x).T
    return (prior + weights @ kernel.nngp(np.eye(n0)) @ weights.T - cross - cross.T) / n0
