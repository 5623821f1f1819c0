"""What is measured: exact lists and separations, networks with random weights, networks that count."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from scipy.spatial import cKDTree

from experiments.graphs.equivariant_polynomials import study_exact
from experiments.graphs.equivariant_polynomials.contracting import missing, polynomial_features
from experiments.graphs.equivariant_polynomials.networks import GIN, PPGN, PPGNPlus, pair_channels
from experiments.graphs.equivariant_polynomials.study_config import PolynomialConfig
from experiments.graphs.equivariant_polynomials.study_exact import tables, uncomputable
from experiments.harness.study import Studies, Trial
from experiments.kits.graph_sets.isomorphism import undistinguished_pairs
from experiments.kits.initialisation import FLAX, fan_in_uniform, glorot_normal, initial_by_numpy
from experiments.kits.training import train
from ntkexec.runtime.precision import float64

QUICK = PolynomialConfig()
STANDARD = PolynomialConfig(
    basis_degrees=(3, 3, 2), basis_inputs=200, untrained_width=16, pairs=600, width=48,
    blocks=3, steps=10000, rate=3e-3,
)  # fmt: skip
TINY = PolynomialConfig(
    basis_nodes=(3,), basis_degrees=(1,), basis_inputs=40, untrained_width=4, pairs=3,
    width=4, blocks=1, steps=5, batch=8,
)  # fmt: skip
EPSILONS = {f"epsilon{i}": FLAX["epsilon"] for i in range(9)}
RULES = {**FLAX, "kernel": glorot_normal, "bias": fan_in_uniform, **EPSILONS}
TOLERANCE = 1e-9
"""Of two outputs in float64, relative to their size: rounding is a thousand times smaller."""
Apart = dict[str, float]
"""Pairs that are not told apart, by what looks at them; of networks, distances beside."""
COUNTED = ("star", "triangle", "tailed_triangle", "chordal_cycle")
"""Targets of the real set that do not ask for attributes of nodes."""


def untrained(config: PolynomialConfig, trial: Trial) -> dict[str, Apart]:
    """Pairs of strongly regular graphs that networks with random weights confuse, in float64."""
    sets = study_exact.regular_sets(trial)
    graphs = [graph for part in sets.values() for graph in part]
    x, mask = tables(graphs)
    polynomials = np.concatenate(
        [
            _padded(polynomial_features(tables(part)[0], uncomputable(config.degree)), x.shape[1])
            for part in sets.values()
        ]
    ).astype(float)
    polynomials /= np.maximum(np.abs(polynomials).max((0, 1, 2)), 1)
    found: dict[str, Apart] = {name: {} for name in sets}
    for name, network in (("ppgn", PPGN), ("ppgn_plus", PPGNPlus)):
        given = polynomials * (name == "ppgn_plus")
        outputs = _random_outputs(network, config, trial, pair_channels(x, mask, given), mask)
        start = 0
        for which, part in sets.items():
            own = outputs[start : start + len(part)]
            found[which][name] = undistinguished_pairs(own, tolerance=TOLERANCE)
            found[which][f"{name}_closest"] = _closest(own)
            found[which][f"{name}_spread"] = float(np.ptp(own, axis=0).max())
            start += len(part)
    return found


def _closest(rows: np.ndarray) -> float:
    """The least distance of two rows, as the largest difference of their entries."""
    distances, _ = cKDTree(rows).query(rows, k=2, p=np.inf)
    return float(distances[:, 1].min())


def _padded(features: np.ndarray, size: int) -> np.ndarray:
    beyond = size - features.shape[1]
    return np.pad(features, ((0, 0), (0, beyond), (0, beyond), (0, 0)))


def connected(config: PolynomialConfig, trial: Trial) -> Apart:
    """Pairs of the 11,117 connected graphs of eight nodes that are confused."""
    graphs = trial.load("graph8c").graphs
    x, mask = tables(graphs)
    outputs = _random_outputs(PPGN, config, trial, pair_channels(x, mask), mask, block=1112)
    classes = study_exact.colours_of(graphs, trial)
    found = {name: undistinguished_pairs(one) for name, one in classes.items()}
    confused = undistinguished_pairs(outputs, tolerance=TOLERANCE)
    return {**found, "ppgn": confused, "ppgn_closest": _closest(outputs)}


def formulas(config: PolynomialConfig, trial: Trial) -> Apart:
    """Of EXP's pairs those that are confused, and those that 2-FWL tells apart and 1-WL does not.

    A network sees the first of them only: in its outputs these graphs differ by little more than
    rounding, which decides nothing.
    """
    graphs = trial.load("exp").graphs
    classes = study_exact.colours_of(graphs, trial)
    equal = {name: one[0::2] == one[1::2] for name, one in classes.items()}
    few = graphs[: 2 * config.pairs]
    x, mask = tables(few, 64)
    kinds = np.stack([np.pad(g.node_labels, (0, 64 - g.num_nodes)) for g in few])
    more = (kinds[:, None, :] * np.eye(64))[..., None]
    outputs = _random_outputs(PPGN, config, trial, pair_channels(x, mask, more), mask, block=40)
    gaps = np.abs(outputs[0::2] - outputs[1::2]).max(1)
    return {
        "pairs": len(equal["wl"]),
        **{name: int(one.sum()) for name, one in equal.items()},
        "gained": int((equal["wl"] & ~equal["fwl2"]).sum()),
        "ppgn_farthest": float(gaps.max()),
        "ppgn_closest": float(gaps.min()),
    }


def _random_outputs(
    network: type[PPGN], config: PolynomialConfig, trial: Trial, pairs: np.ndarray, mask: np.ndarray,
    *, block: int = 0,
) -> np.ndarray:  # fmt: skip
    """Outputs of a network with random weights in float64, of size about 1, by blocks of graphs."""
    block = block or len(pairs)
    made = network(config.untrained_width, config.untrained_blocks, 2 * config.untrained_width)
    found = []
    with float64():
        weights = initial_by_numpy(made, trial.generator, pairs[:1], mask[:1], rules=RULES)
        for start in range(0, len(pairs), block):
            part = np.minimum(np.arange(start, start + block), len(pairs) - 1)
            found.append(np.asarray(_applied(made, weights, pairs[part], mask[part])))
    outputs = np.concatenate(found)[: len(pairs)]
    scaled: np.ndarray = outputs / np.abs(outputs).mean()
    return scaled


@functools.partial(jax.jit, static_argnums=0)
def _applied(network: nn.Module, weights: Any, *inputs: jax.Array) -> jax.Array:
    found: jax.Array = network.apply(weights, *inputs)  # type: ignore[assignment]
    return found


def counting(config: PolynomialConfig, trial: Trial) -> dict[str, dict[str, float]]:
    """Test errors of counts over their variance, by network, with and without polynomials."""
    data = trial.load("substructure-counting")
    x, mask = tables(data.graphs)
    columns = [data.target_names.index(name) for name in COUNTED]
    targets = np.asarray(data.targets[:, columns], np.float32)
    fold, x = data.folds[0], x.astype(np.float32)
    mean, spread = targets[fold.train].mean(0), targets[fold.train].std(0)
    goals = (targets - mean) / spread
    edge = _scaled(polynomial_features(x, uncomputable(config.degree)), fold.train)
    few = [p for degree in (3, 4) for p in missing(degree, 1, "node")]
    node = _scaled(polynomial_features(x, few, order=1), fold.train)
    arms: dict[str, tuple[nn.Module, tuple[np.ndarray, ...]]] = {}
    for suffix, factor in (("", 0.0), ("_plus", 1.0)):
        pairs = pair_channels(x, mask, factor * edge).astype(np.float32)
        arms["ppgn" + suffix] = (PPGNPlus(config.width, config.blocks, len(COUNTED)), (pairs, mask))
        nodes = np.concatenate([np.ones((*mask.shape, 1)), factor * node], -1).astype(np.float32)
        messages = GIN(2 * config.width, config.blocks + 1, len(COUNTED))
        arms["gin" + suffix] = (messages, (x, nodes, mask))
    found = {}
    for name, (network, inputs) in arms.items():
        outputs = _trained(config, trial, network, inputs, goals, fold)
        errors = np.square(outputs - goals[fold.test]).mean(0) * spread**2 / targets.var(0)
        found[name] = dict(zip(COUNTED, errors.astype(float).tolist(), strict=True))
    return found


def _scaled(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """log(1 + value), divided by each channel's root mean square on training graphs if not 0.

    Polynomials of degree six differ by powers of ten between graphs, and as they are they keep a network
    from learning.
    """
    channels = np.log1p(values)
    axes = tuple(range(channels.ndim - 1))
    size = np.sqrt(np.square(channels[train], dtype=np.float64).mean(axes))
    scaled: np.ndarray = channels / np.where(size > 0, size, 1)
    return scaled.astype(np.float32)


def _trained(
    config: PolynomialConfig, trial: Trial, network: nn.Module, inputs: Sequence[np.ndarray],
    goals: np.ndarray, fold: Any,
) -> np.ndarray:  # fmt: skip
    """Outputs on test graphs after training on those for it; the validation graphs are not used."""
    generator = trial.generator
    weights = initial_by_numpy(network, generator, *(part[:1] for part in inputs), rules=RULES)
    batches = generator.choice(fold.train, (config.steps, config.batch))
    step, optimiser = _step(network, config.steps, config.rate)
    state = (weights, optimiser.init(weights))
    data = (tuple(inputs), goals, batches)
    (weights, _), _ = train(
        step, state, config.steps, data=data, chunk=config.steps, report=trial.report
    )
    return np.asarray(_applied(network, weights, *(part[fold.test] for part in inputs)))


@functools.cache
def _step(
    network: nn.Module, steps: int, rate: float
) -> tuple[Callable[..., Any], optax.GradientTransformation]:
    """The same function for every seed, so that nothing is compiled twice."""
    optimiser = optax.adam(optax.cosine_decay_schedule(rate, steps))

    def loss(weights: Any, inputs: Any, goals: jax.Array) -> jax.Array:
        outputs: jax.Array = network.apply(weights, *inputs)  # type: ignore[assignment]
        return jnp.square(outputs - goals).mean()

    def step(state: Any, index: jax.Array, data: Any) -> tuple[Any, dict[str, jax.Array]]:
        (weights, memory), (inputs, goals, batches) = state, data
        chosen = batches[index]
        part = tuple(each[chosen] for each in inputs)
        value, slope = jax.value_and_grad(loss)(weights, part, goals[chosen])
        change, memory = optimiser.update(slope, memory)
        return (optax.apply_updates(weights, change), memory), {"loss": value}

    return step, optimiser


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "basis": study_exact.basis,
        "lists": study_exact.lists,
        "strongly_regular": study_exact.strongly_regular,
        "untrained": untrained,
        "connected": connected,
        "formulas": formulas,
        "counting": counting,
    },
    slow=("untrained", "connected", "formulas", "counting"),
)
