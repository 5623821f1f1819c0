"""Training on some of a graph's nodes, picked by others: one compiled loop, evaluation inside.

Seeds, splits, rates, decays and stopping rules are data of the program: it is compiled once for each
model, shape of graph and number of steps, and again only where one of those changes.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from experiments.data.nodes import NodeData, Split
from experiments.kits.graph.convert import from_edges
from experiments.kits.graph.features import SparseFeatures
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.initialisation import FLAX, Rule, initial_by_numpy
from ntkexec.errors import ExperimentError

Scalar = Float[Array, ""]


class Problem(NamedTuple):
    """What an objective reads, on the device.

    Args:
        graph: with features and the operator's weights.
        labels: (n,); 0 where unknown.
        train: (n,), which nodes are trained on.
        extras: a pytree of the objective's own, such as a teacher's logits.
    """

    graph: GraphsTuple
    labels: Int[Array, " n"]
    train: Bool[Array, " n"]
    extras: Any = None


Forward = Callable[[GraphsTuple, Array], Array]
"""From a graph and a key for dropout to logits, under the parameters of this step."""
Objective = Callable[[Forward, Problem, Array], Scalar]
"""What is minimised; a function at the top of a module, since programs are told apart by it."""


def masked_cross_entropy(
    logits: Float[Array, "n C"], labels: Int[Array, " n"], mask: Bool[Array, " n"]
) -> Scalar:
    """The mean of -log softmax over the nodes of the mask; 0 if there are none."""
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.where(mask, losses, 0).sum() / jnp.maximum(mask.sum(), 1)


def supervised(forward: Forward, problem: Problem, key: Array) -> Scalar:
    """Cross-entropy of one pass with dropout on the training nodes: the objective unless told."""
    return masked_cross_entropy(forward(problem.graph, key), problem.labels, problem.train)


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained model at the step that validation picked.

    Args:
        train, validation, test: accuracies.
        step: the picked one, counted from 1.
        steps: taken before it stopped.
        logits: (n, C) of all nodes, without dropout.
        variables: of the model.
        history: of each step taken, `loss` of training, and `validation_loss`, `train`, `validation`
            and `test` after it.
    """

    train: float
    validation: float
    test: float
    step: int
    steps: int
    logits: Float[np.ndarray, "n C"]
    variables: Any
    history: Mapping[str, Float[np.ndarray, " steps"]]


def graph_of(data: NodeData, *, rows: Literal["raw", "sum", "norm"] = "raw") -> GraphsTuple:
    """A set's graph, without weights, its features sparse if they are stored so.

    Args:
        data: features and edges are taken.
        rows: `sum` divides a node's features by their sum of magnitudes, as is done with bags of
            words, `norm` by their length, `raw` by nothing. Rows of zeros stay.
    """
    from scipy import sparse

    matrix = data.features
    if sparse.issparse(matrix):
        matrix = sparse.csr_array(matrix)  # of a csr_matrix, ** is a matrix power
    if rows != "raw":
        power = 1 if rows == "sum" else 2
        sums = np.asarray((abs(matrix) ** power).sum(1), np.float64).reshape(-1)
        sizes = np.maximum(sums ** (1 / power), np.finfo(np.float32).tiny)
        matrix = sparse.diags(1 / sizes) @ matrix
    if sparse.issparse(matrix):
        matrix = SparseFeatures.of(matrix.astype(np.float32))
    else:
        matrix = np.asarray(matrix, np.float32)
    return from_edges(data.edges, matrix)


def accuracy(
    logits: Float[Array, "n C"], labels: Int[Array, " n"], mask: Bool[Array, " n"]
) -> Scalar:
    """The share of the mask's nodes whose largest logit is their label's; 0 if there are none."""
    right = (jnp.argmax(jnp.asarray(logits), 1) == labels) & mask
    return right.sum() / jnp.maximum(jnp.asarray(mask).sum(), 1)


def fit(
    model: nn.Module,
    graph: GraphsTuple,
    labels: Int[np.ndarray, " n"],
    split: Split,
    *,
    generator: np.random.Generator,
    steps: int,
    optimiser: Callable[[Any], optax.GradientTransformation] = optax.adam,
    learning_rate: float = 0.01,
    weight_decay: float | Mapping[str, float] = 0.0,
    pick: Literal["accuracy", "loss"] = "accuracy",
    patience: int = 0,
    window: int = 0,
    fields: Mapping[str, float] | None = None,
    objective: Objective = supervised,
    extras: Any = None,
    rules: Mapping[str, Rule] = FLAX,
    variables: Any = None,
) -> Fitted:
    """The model after training on a graph, at the step that validation picked.

    Args:
        model: `model.apply(variables, graph, train=..., rngs={"dropout": key})` gives logits; running
            averages (`batch_stats`) are kept.
        graph: with features, and weights as the model wants them.
        labels: -1 where unknown.
        split: which nodes are trained on, picked by and tested on.
        generator: draws the variables and the keys.
        steps: at most.
        optimiser: from a learning rate to an Optax transformation; a function at the top of a module,
            such as `optax.adam`, so that the program is found again.
        learning_rate: given to it.
        weight_decay: times the parameters, added to the gradient before the optimiser, as PyTorch's
            Adam does; by path of the model's parts, such as `{"MLP_0/Dense_0": 5e-3}`, none for others.
        pick: the step of the highest validation accuracy or the lowest validation loss; of equal ones
            the first.
        patience: stops after so many steps without a better one; 0 never.
        window: stops once, past half of the steps, the validation loss is above its mean over so
            many steps before; 0 never.
        fields: of the model, to be data of the program instead of a part of it: `{"dropout": 0.5}`.
        objective: minimised; evaluation is always the model without dropout.
        extras: for the objective.
        rules: by which `initial_by_numpy` draws the variables.
        variables: to begin with, instead of drawing them.

    Raises:
        ExperimentError: a node of the split has no label, or nothing is trained on or picked by.
    """
    for name in ("train", "validation", "test"):
        if (np.asarray(labels)[getattr(split, name)] < 0).any():
            raise ExperimentError(f"a {name} node of the split has no label")
    if steps < 1 or not split.train.any() or not split.validation.any():
        raise ExperimentError(
            f"cannot fit {steps} steps on {split.train.sum()} nodes, picked by {split.validation.sum()}"
        )
    if variables is None:
        variables = initial_by_numpy(model, generator, graph, rules=rules)
    state, params = dict(variables), variables["params"]
    del state["params"]
    settings = _Settings(
        learning_rate=jnp.float32(learning_rate),
        decay=_decays(params, weight_decay),
        by_loss=jnp.asarray(pick == "loss"),
        patience=jnp.int32(patience),
        window=jnp.int32(window),
        fields={name: jnp.float32(value) for name, value in (fields or {}).items()},
    )
    known = np.maximum(np.asarray(labels), 0).astype(np.int32)
    best, taken, history = _fit(
        model,
        optimiser,
        objective,
        steps,
        Problem(graph, known, split.train, extras),  # type: ignore[arg-type] # NumPy until compiled
        (split.train, split.validation, split.test),
        params,
        state,
        settings,
        jax.random.key(int(generator.integers(2**32))),
    )
    columns = ("loss", "validation_loss", "train", "validation", "test")
    rows = np.asarray(history)[: int(taken)]
    logits = np.asarray(best.logits)
    right = logits.argmax(1) == labels
    return Fitted(
        train=float(right[split.train].mean()),
        validation=float(right[split.validation].mean()),
        test=float(right[split.test].mean()) if split.test.any() else float("nan"),
        step=int(best.step),
        steps=int(taken),
        logits=logits,
        variables=jax.tree.map(np.asarray, {"params": best.params, **best.state}),
        history={name: rows[:, column] for column, name in enumerate(columns)},
    )


class _Settings(NamedTuple):
    learning_rate: Scalar
    decay: Any
    by_loss: Bool[Array, ""]
    patience: Int[Array, ""]
    window: Int[Array, ""]
    fields: dict[str, Scalar]


class _Best(NamedTuple):
    score: Scalar
    step: Int[Array, ""]
    logits: Float[Array, "n C"]
    params: Any
    state: Any


def _decays(params: Any, decay: float | Mapping[str, float]) -> Any:
    """One number for each leaf: its own, or that of the innermost part around it that has one."""
    given = (
        {"": decay} if isinstance(decay, int | float) else {f"{k}/": v for k, v in decay.items()}
    )
    unused = set(given) - {""}

    def of(path: Any, leaf: Any) -> np.ndarray:
        name = "".join(f"{entry.key}/" for entry in path)
        around = [part for part in given if name.startswith(part)]
        unused.difference_update(around)
        return np.asarray(given[max(around, key=len)] if around else 0.0, leaf.dtype)

    found = jax.tree_util.tree_map_with_path(of, params)
    if unused:
        raise ExperimentError(
            f"no part of the model is called {min(unused)[:-1]}: it has {', '.join(params)}"
        )
    return found


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _fit(
    model: Any,  # a module; its fields are set by name
    optimiser: Callable[[Any], optax.GradientTransformation],
    objective: Objective,
    steps: int,
    problem: Problem,
    parts: tuple[Array, Array, Array],
    params: Any,
    state: Any,
    settings: _Settings,
    key: Array,
) -> tuple[_Best, Array, Array]:
    model = model.clone(**settings.fields)
    update = optimiser(settings.learning_rate)
    train, validation, test = parts

    def loss(params: Any, state: Any, key: Array) -> tuple[Scalar, Any]:
        states = [state]

        def forward(graph: GraphsTuple, key: Array) -> Array:
            logits, changed = model.apply(
                {"params": params, **state},
                graph,
                train=True,
                rngs={"dropout": key},
                mutable=list(state),
            )
            states.append(changed)
            return logits

        return objective(forward, problem, key), dict(states[-1])

    def evaluated(params: Any, state: Any, loss: Scalar) -> tuple[Array, Array]:
        logits = model.apply({"params": params, **state}, problem.graph, train=False)
        found = [accuracy(logits, problem.labels, part) for part in (train, validation, test)]
        missed = masked_cross_entropy(logits, problem.labels, validation)
        return logits, jnp.stack([loss, missed, *found])

    def goes_on(carry: Any) -> Array:
        step, *_, best, history = carry
        idle = (settings.patience > 0) & (step - best.step >= settings.patience)
        losses, at = history[:, 1], jnp.arange(steps)
        recent = (at >= step - 1 - settings.window) & (at < step - 1)
        mean = jnp.where(recent, losses, 0).sum() / jnp.maximum(settings.window, 1)
        risen = (settings.window > 0) & (step > steps // 2) & (losses[step - 1] > mean)
        return (step < steps) & ~idle & ~(risen & (step > settings.window))

    def advance(carry: Any) -> Any:
        step, params, state, inner, best, history = carry
        (value, state), gradient = jax.value_and_grad(loss, has_aux=True)(
            params, state, jax.random.fold_in(key, step)
        )
        gradient = jax.tree.map(lambda g, p, d: g + d * p, gradient, params, settings.decay)
        updates, inner = update.update(gradient, inner, params)
        params = optax.apply_updates(params, updates)
        logits, row = evaluated(params, state, value)
        score = jnp.where(settings.by_loss, -row[1], row[3])
        new = _Best(score, step + 1, logits, params, state)
        best = jax.tree.map(lambda a, b: jnp.where(score > best.score, a, b), new, best)
        return step + 1, params, state, inner, best, history.at[step].set(row)

    logits, _ = evaluated(params, state, jnp.float32(jnp.nan))
    best = _Best(jnp.float32(-jnp.inf), jnp.int32(0), logits, params, state)
    carry = (jnp.int32(0), params, state, update.init(params), best, jnp.zeros((steps, 5)))
    steps_taken, *_, best, history = jax.lax.while_loop(goes_on, advance, carry)
    return best, steps_taken, history
