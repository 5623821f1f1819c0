"""What is trained on many small graphs: beacons, sentiments of edges, molecules and counted cycles."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array
from sklearn.metrics import f1_score

from experiments.graphs.tangnn import tasks
from experiments.graphs.tangnn.network import TANGNN, auxiliary_rules
from experiments.graphs.tangnn.study_config import TangnnConfig
from experiments.harness.study import Trial
from experiments.kits.graph_sets.batches import DenseBatch, dense_batch
from experiments.kits.graph_sets.inputs import node_inputs
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.training import train

Loss = Callable[[nn.Module, Any, Any, Array], Array]
"""(model, variables, batch, key for dropout) -> what is minimised."""
TOP_M, SAGE = {"attended": 1.0, "gated": 1.0}, {"attended": 0.0, "gated": 1.0}
"""Arms of one program: the network, and the same without what it attends to."""


@functools.cache
def annealed(steps: int, rate: float) -> optax.GradientTransformation:
    """Adam whose rate falls to 0 along a cosine."""
    return optax.adam(optax.cosine_decay_schedule(rate, steps))


@functools.cache
def step_of(
    model: nn.Module, loss: Loss, optimiser: optax.GradientTransformation, batch: int
) -> Callable[..., Any]:
    """A step on rows drawn of `data`'s last entry; its entry before is the same for all steps."""

    def step(state: Any, index: Array, data: Any) -> tuple[Any, dict[str, Array]]:
        (params, inner), (key, fields, shared, arrays) = state, data
        draw, noise = jax.random.split(jax.random.fold_in(key, index))
        rows = jax.random.randint(draw, (batch,), 0, len(jax.tree.leaves(arrays)[0]))
        picked = (shared, jax.tree.map(lambda array: array[rows], arrays))
        arm = model.clone(**fields)
        value, slope = jax.value_and_grad(lambda p: loss(arm, {"params": p}, picked, noise))(params)
        updates, inner = optimiser.update(slope, inner, params)
        return (optax.apply_updates(params, updates), inner), {"loss": value}

    return step


@functools.cache
def forward_of(model: TANGNN) -> Callable[..., Array]:
    """Logits under parameters and fields that are data, without dropout."""

    def forward(params: Any, fields: Any, graph: Any, **given: Any) -> Array:
        logits: Any = model.clone(**fields).apply({"params": params}, graph, **given)
        return jnp.asarray(logits)

    return jax.jit(forward)


def traced(fields: Mapping[str, float]) -> dict[str, Array]:
    """Fields as data of a program."""
    return {name: jnp.float32(value) for name, value in fields.items()}


def _fitted(
    model: TANGNN, loss: Loss, arrays: Any, inputs: tuple[Any, ...], trial: Trial,
    fields: Mapping[str, float], *, steps: int, batch: int, rate: float, what: str,
    between: Callable[[Any, int], Any] | None = None, chunk: int | None = None,
    changed: Callable[[Any], None] = lambda params: None, **given: Any,
) -> Any:  # fmt: skip
    """Parameters after training; every arm begins alike, and sees the same batches."""
    params = initial_by_numpy(model, trial.generator, *inputs, rules=auxiliary_rules(), **given)
    changed(params["params"])
    optimiser = annealed(steps, rate)
    step = step_of(model, loss, optimiser, batch)
    data = (trial.key, traced(fields), (), arrays)
    state = (params["params"], optimiser.init(params["params"]))
    (found, _), _ = train(
        step, state, steps, data=data, chunk=chunk or steps, between=between, report=trial.report,
        what=what,
    )  # fmt: skip
    return found


def _beacon_loss(model: nn.Module, variables: Any, batch: Any, key: Array) -> Array:
    graphs, labels, ranks = batch[1]
    logits = model.apply(variables, graphs, ranks=ranks)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def beacons(config: TangnnConfig, trial: Trial) -> dict[str, float]:
    """Accuracy of nodes' labels, which need the bit of one node in the graph, by what is selected."""
    generator, n = trial.generator, config.beacon_nodes
    drawn = tasks.beacons(generator, config.beacon_graphs, nodes=n)
    test = tasks.beacons(generator, config.beacon_graphs // 10, nodes=n)
    hard = {"attended": 1.0, "gated": 0.0}
    arms: dict[str, tuple[int, dict[str, float]]] = {
        "learn": (config.beacon_m, TOP_M), "hard": (config.beacon_m, hard),
        "flag_shunned": (config.beacon_m, hard), "first": (config.beacon_m, hard),
        "sage": (config.beacon_m, SAGE), "full": (n, hard),
    }  # fmt: skip
    if not config.beacon_more:
        del arms["full"], arms["flag_shunned"]
    found = {}
    for name, (m, fields) in arms.items():
        model = TANGNN(2, m=m, dropout=0.0)
        # The first nodes are as good as any: graphs are drawn with nodes in no order.
        ranks = (
            -np.arange(n, dtype=np.float32) if name == "first" else np.full(n, np.nan, np.float32)
        )
        params = _fitted(
            model, _beacon_loss, (*drawn, np.tile(ranks, (len(drawn.labels), 1))),
            (jax.tree.map(lambda array: array[:1], drawn.graphs),), trial, fields,
            steps=config.beacon_steps, batch=config.beacon_batch, rate=0.01, what=f"beacons, {name}",
            changed=_shunned if name == "flag_shunned" else lambda params: None,
        )  # fmt: skip
        every = np.tile(ranks, (len(test.labels), 1))
        logits = forward_of(model)(params, traced(fields), test.graphs, ranks=every)
        found[name] = float((np.asarray(logits).argmax(-1) == test.labels).mean())
    return found


def _shunned(params: Any) -> None:
    """Turns the first auxiliary vector so that no beacon's flag is like it."""
    vector = params["layer_0"]["top"]["auxiliary"]
    vector[tasks.BEACON_FLAG] = -3 - abs(vector[tasks.BEACON_FLAG])


def _pair_loss(model: nn.Module, variables: Any, batch: Any, key: Array) -> Array:
    graphs, pairs, labels = batch[1]
    logits = model.apply(variables, graphs, pairs=pairs)
    return optax.softmax_cross_entropy_with_integer_labels(logits, labels).mean()


def sentiment(config: TangnnConfig, trial: Trial) -> dict[str, dict[str, float]]:
    """Accuracy and macro F1 of edges' sentiments, which turn with the mood of a community out of reach."""
    generator = trial.generator
    drawn = tasks.citations(generator, config.citation_graphs)
    test = tasks.citations(generator, config.citation_graphs // 10)
    model = TANGNN(3, m=4, dropout=0.0, readout="pair")
    first = jax.tree.map(lambda array: array[:1], drawn)
    found = {}
    for name, fields in {"tangnn": TOP_M, "sage": SAGE}.items():
        params = _fitted(
            model, _pair_loss, tuple(drawn), (first.graphs,), trial, fields, pairs=first.pairs,
            steps=config.citation_steps, batch=16, rate=0.005, what=f"sentiments, {name}",
        )  # fmt: skip
        logits = forward_of(model)(params, traced(fields), test.graphs, pairs=test.pairs)
        told, labels = np.asarray(logits).argmax(-1).ravel(), test.labels.ravel()
        found[name] = {
            "accuracy": float((told == labels).mean()),
            "f1": float(f1_score(labels, told, average="macro")),
        }
    return found


def _regression_loss(model: nn.Module, variables: Any, batch: Any, key: Array) -> Array:
    graphs, targets = batch[1]
    return jnp.abs(model.apply(variables, graphs) - targets).mean()


def molecules(config: TangnnConfig, trial: Trial) -> dict[str, float]:
    """Mean absolute errors of the penalised logP of real molecules."""
    data = trial.load("micro-zinc")
    size = max(graph.num_nodes for graph in data.graphs)
    graphs = dense_batch(data.graphs, size, node_inputs(data))
    column = data.target_names.index("score")
    return _regression(config, trial, graphs, data.targets[:, [column]])


def cycles(config: TangnnConfig, trial: Trial) -> dict[str, float]:
    """Mean absolute errors of the number of triangles and squares of random graphs."""
    return _regression(config, trial, *tasks.counted_cycles(trial.generator, config.cycle_graphs))


def _regression(
    config: TangnnConfig, trial: Trial, graphs: DenseBatch, targets: np.ndarray
) -> dict[str, float]:
    """Test errors at the lowest validation error, a tenth of the graphs each; both arms, and the median's."""
    order = np.random.default_rng(trial.seed).permutation(len(targets))
    test, validation, rest = np.split(order, [len(order) // 10, 2 * (len(order) // 10)])
    median, scale = np.median(targets[rest]), targets[rest].std()
    scaled = ((targets - median) / scale).astype(np.float32)
    asked = np.concatenate([validation, test])
    model = TANGNN(1, m=8, dropout=0.0, readout="graph")
    steps = config.molecule_steps
    chunk = next(size for size in range(max(1, steps // 10), 0, -1) if steps % size == 0)

    def take(rows: np.ndarray) -> DenseBatch:
        found: DenseBatch = jax.tree.map(lambda array: array[rows], graphs)
        return found

    held, found = take(asked), {}
    for name, fields in {"tangnn": TOP_M, "sage": SAGE}.items():
        errors: list[tuple[float, float]] = []

        def kept(state: Any, done: int, *, fields: Any = fields, errors: Any = errors) -> Any:
            told = np.asarray(forward_of(model)(state[0], traced(fields), held))
            missed = scale * abs(told - scaled[asked]).ravel()
            parts = np.split(missed, [len(validation)])
            errors.append((float(parts[0].mean()), float(parts[1].mean())))
            return state

        params = _fitted(
            model, _regression_loss, (take(rest), scaled[rest]), (take(rest[:1]),), trial, fields,
            steps=steps, batch=config.molecule_batch, rate=0.005, what=f"regression, {name}",
            between=kept, chunk=chunk,
        )  # fmt: skip
        kept((params,), steps)
        found[name] = min(errors)[1]
    return {**found, "median": float(abs(targets[test] - median).mean())}
