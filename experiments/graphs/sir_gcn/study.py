"""What is trained: both synthetic tasks and minesweeper."""

import functools
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from sklearn.metrics import roc_auc_score

from experiments.data.nodes import NodeData
from experiments.graphs.sir_gcn import networks, study_exact, tasks
from experiments.graphs.sir_gcn.study_config import SirConfig
from experiments.harness.study import Studies, Trial
from experiments.kits.graph.convert import from_edges
from experiments.kits.initialisation import FLAX, initial_by_numpy, zeros
from experiments.kits.nodes.fitting import fit
from experiments.kits.training import train

QUICK = SirConfig()
STANDARD = SirConfig(
    lookup_steps=8000, lookup_batch=256, count_graphs=5000, nodes_hidden=256, nodes_steps=1000,
    nodes_rate=3e-5, nodes_dropout=0.2,
)  # fmt: skip
TINY = SirConfig(
    lookup_keys=4, lookup_graphs=50, lookup_steps=20, lookup_batch=8, count_graphs=50,
    count_steps=20, count_batch=4, nodes_hidden=4, nodes_layers=1, nodes_steps=3,
)  # fmt: skip


def lookup(config: SirConfig, trial: Trial) -> dict[str, float]:
    """Test accuracy on dictionaries, by layer."""
    generator = trial.generator
    order = generator.random((config.lookup_graphs, config.lookup_keys))
    test, rest = np.split(np.argsort(order, 1).astype(np.int32), [config.lookup_graphs // 5])
    found = {}
    for layer in networks.LOOKUPS:
        network = networks.LookupNetwork(layer, config.lookup_keys, 4 * config.lookup_keys)
        scores = _trained(
            network, _lookup_loss, (rest,), (test,), generator, trial, steps=config.lookup_steps,
            batch=config.lookup_batch, rate=1e-3,
        )  # fmt: skip
        found[layer] = float((scores.argmax(-1) == test).mean())
    return found


def counting(config: SirConfig, trial: Trial) -> dict[str, list[float]]:
    """Mean squared errors of counted edges on test graphs, of each training, by layer."""
    generator, most, labels = trial.generator, 50, config.count_classes
    own, received = np.zeros((2, config.count_graphs, most, labels), np.float32)
    targets = np.zeros(config.count_graphs, np.float32)
    for i in range(config.count_graphs):
        graph, targets[i] = tasks.coloured_graph(generator, labels, most)
        own[i, : len(graph.nodes)] = graph.nodes
        np.add.at(received[i], graph.receivers, graph.nodes[graph.senders])
    parts = [np.split(array, [len(array) // 5]) for array in (own, received, targets)]
    test, rest = (tuple(part[i] for part in parts) for i in (0, 1))
    exact = _gin_that_counts(generator, labels, 10 * labels, most)
    arms: dict[str, tuple[str, Any]] = {layer: (layer, None) for layer in networks.COUNTS}
    arms["gin-constructed"] = ("gin-epsilon", exact)
    found: dict[str, list[float]] = {}
    for name in ("sir",) * (config.count_runs - 1) + tuple(arms):
        layer, begin = arms[name]
        counted = _trained(
            networks.EdgeCountNetwork(layer, 10 * labels), _count_loss, rest, test[:2], generator,
            trial, steps=config.count_steps, batch=config.count_batch, rate=3e-3, begin=begin,
        )  # fmt: skip
        error = float(np.square(counted - test[2]).mean())
        found.setdefault(name.replace("-", "_"), []).append(error)
    return found


def _gin_that_counts(
    generator: np.random.Generator, labels: int, width: int, most: int, *, noise: float = 0.05
) -> Any:
    """Parameters of the GIN that learns epsilon: those that count exactly, a little off."""
    exact = {
        "labels": {"embedding": np.eye(labels, width)},
        "Dense_0": {"kernel": np.eye(width)},
        "epsilon": np.full((1, 1, 1), -(most + 2.0)),
        "bias": np.zeros(width),
        "count": {"kernel": np.eye(width, labels).sum(1, keepdims=True)},
    }

    def off(exact: np.ndarray) -> np.ndarray:
        size = noise * np.maximum(abs(exact), 1)
        return (exact + size * generator.normal(size=exact.shape)).astype(np.float32)

    return jax.tree.map(off, exact)


def _lookup_loss(network: nn.Module, params: Any, values: Any) -> jax.Array:
    scores = network.apply({"params": params}, values)
    return optax.softmax_cross_entropy_with_integer_labels(scores, values).mean()


def _count_loss(
    network: nn.Module, params: Any, own: Any, received: Any, targets: Any
) -> jax.Array:
    # The targets reach 2,500: without the factor most layers fail for the size of first steps.
    return jnp.square(network.apply({"params": params}, own, received) - targets).mean() / 1e4


@functools.cache
def _step(network: nn.Module, loss: Any, optimiser: Any, batch: int) -> Callable[..., Any]:
    def step(state: Any, index: jax.Array, data: Any) -> tuple[Any, dict[str, jax.Array]]:
        (params, inner), (key, arrays) = state, data
        rows = jax.random.randint(jax.random.fold_in(key, index), (batch,), 0, len(arrays[0]))
        picked = [array[rows] for array in arrays]
        value, slope = jax.value_and_grad(lambda p: loss(network, p, *picked))(params)
        updates, inner = optimiser.update(slope, inner, params)
        return (optax.apply_updates(params, updates), inner), {"loss": value}

    return step


@functools.cache
def _annealed(steps: int, rate: float) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(rate, steps))


def _trained(
    network: nn.Module, loss: Any, data: tuple[np.ndarray, ...], asked: tuple[np.ndarray, ...],
    generator: np.random.Generator, trial: Trial, *, steps: int, batch: int, rate: float,
    begin: Any = None,
) -> np.ndarray:  # fmt: skip
    """Answers to `asked` after Adam on batches of `data`, which are the same for every network."""
    rules, few = {**FLAX, "epsilon": zeros}, [array[:2] for array in asked]
    params = begin or initial_by_numpy(network, generator, *few, rules=rules)["params"]
    optimiser = _annealed(steps, rate)
    step, state = _step(network, loss, optimiser, batch), (params, optimiser.init(params))
    (params, _), _ = train(
        step, state, steps, data=(trial.key, data), chunk=steps, report=trial.report
    )
    return np.asarray(jax.jit(network.apply)({"params": params}, *asked))


def minesweeper(config: SirConfig, trial: Trial) -> dict[str, float]:
    """ROC AUC on minesweeper's test nodes in percent, with contextualised and with linear messages."""
    data, found = trial.load("minesweeper"), {}
    for name, activation in (("sir", nn.gelu), ("linear", _as_it_is)):
        # A long run at the standard scale is continued network by network; both begin alike.
        make = functools.partial(_scored, config, trial, data, activation)
        found[name] = trial.kept(name, make)["auc"]
    return found


def _scored(config: SirConfig, trial: Trial, data: NodeData, activation: Any) -> dict[str, float]:
    network = networks.NodeNetwork(
        data.num_classes, config.nodes_hidden, config.nodes_layers, config.nodes_dropout, activation
    )
    graph, split = from_edges(data.edges, data.dense), data.splits[trial.seed % len(data.splits)]
    fitted = fit(
        network, graph, data.labels, split, generator=trial.generator, pick="loss",
        steps=config.nodes_steps, learning_rate=config.nodes_rate, optimiser=_warmed,
    )  # fmt: skip
    margin = fitted.logits[:, 1] - fitted.logits[:, 0]
    return {"auc": 100 * float(roc_auc_score(data.labels[split.test], margin[split.test]))}


def _as_it_is(x: jax.Array) -> jax.Array:
    return x


def _warmed(rate: Any) -> optax.GradientTransformation:
    """Adam whose rate rises over ten steps: the published AdamW, which has no decay."""
    return optax.adam(optax.linear_schedule(rate / 10, rate, 9))


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "algebra": study_exact.algebra, "soft": study_exact.distances, "weights": study_exact.weights,
        "costs": study_exact.costs, "lookup": lookup, "counting": counting,
        "minesweeper": minesweeper,
    },
    num_seeds=3,
    slow=("lookup", "counting", "minesweeper"),
)  # fmt: skip
