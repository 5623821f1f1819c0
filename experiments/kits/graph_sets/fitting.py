"""Training on some graphs of a set: one compiled scan over epochs and steps, evaluation inside.

Seeds, folds, targets, rates, noisy copies of the graphs and an objective's weights are data of the
program: it is compiled once for each model, objective, shape of batches and number of epochs.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from experiments.data.graph_sets import Fold
from experiments.kits.graph_sets.batches import (
    Batch,
    DenseBatch,
    Limits,
    Store,
    all_batches,
    drawn_batches,
    gathered,
)
from experiments.kits.initialisation import FLAX, Rule, initial_by_numpy
from ntkexec.errors import ExperimentError

Scalar = Float[Array, ""]


class Step(NamedTuple):
    """What an objective reads.

    Args:
        batch: of graphs.
        targets: of each graph, classes or numbers.
        real: whether a place of the batch holds a graph.
        extras: a pytree of the objective's own, such as weights of its terms.
    """

    batch: Batch
    targets: Array
    real: Bool[Array, "B"]
    extras: Any = None


Forward = Callable[..., Any]
"""`forward(batch, rng, **arguments)`: the model in training under this step's parameters."""
Objective = Callable[[Forward, Step, Array], Scalar]
"""What is minimised; a function at the top of a module, since programs are told apart by it."""


def averaged(losses: Float[Array, "B"], real: Bool[Array, "B"]) -> Scalar:
    """The mean over the places that hold a graph."""
    return jnp.where(real, losses, 0).sum() / jnp.maximum(real.sum(), 1)


def cross_entropy(forward: Forward, step: Step, key: Array) -> Scalar:
    """-log softmax of the class: the objective for classes unless told."""
    logits = forward(step.batch, key)
    return averaged(
        optax.softmax_cross_entropy_with_integer_labels(logits, step.targets), step.real
    )


def absolute_error(forward: Forward, step: Step, key: Array) -> Scalar:
    """The mean over targets: the objective for numbers unless told."""
    return averaged(jnp.abs(forward(step.batch, key) - step.targets).mean(1), step.real)


def squared_error(forward: Forward, step: Step, key: Array) -> Scalar:
    """The mean over targets."""
    return averaged(jnp.square(forward(step.batch, key) - step.targets).mean(1), step.real)


@dataclasses.dataclass(frozen=True)
class Fitted:
    """A trained model.

    Args:
        epoch: that is reported, counted from 1: the best by validation, or the last where the fold has
            none.
        outputs: (G, out) of all graphs then, without dropout.
        variables: of the model then.
        history: of each epoch, `loss` of training, and `train`, `validation`, `test` after it: accuracies,
            or mean absolute errors, nan of an empty part.
    """

    epoch: int
    outputs: Float[np.ndarray, "G out"]
    variables: Any
    history: Mapping[str, Float[np.ndarray, "epochs"]]

    @property
    def test(self) -> float:
        """The test graphs' accuracy or error at the reported epoch."""
        return float(self.history["test"][self.epoch - 1])


@dataclasses.dataclass(frozen=True)
class Picked:
    """What GIN's protocol reports: the epoch that is best for the *mean* over folds of test accuracies.

    It looks at test graphs to pick the epoch, so it is optimistic; `last` is not.

    Args:
        epoch: counted from 1.
        mean, deviation: over folds, at that epoch.
        last: the mean at the last epoch.
    """

    epoch: int
    mean: float
    deviation: float
    last: float


def picked_by_mean_curve(curves: Sequence[Float[np.ndarray, "epochs"]]) -> Picked:
    """The result of a set of folds by GIN's protocol.

    Args:
        curves: of test accuracies, a fold each.

    Source: Xu et al., arXiv:1810.00826, section 7: "a single epoch with the best cross-validation
        accuracy averaged over the 10 folds".
    """
    table = np.stack(list(curves))
    means = table.mean(0)
    best = int(means.argmax())
    return Picked(
        best + 1, float(means[best]), float(table[:, best].std(ddof=min(1, len(table) - 1))),
        float(means[-1]),
    )  # fmt: skip


def fit(
    model: nn.Module,
    store: Store | DenseBatch,
    targets: Int[np.ndarray, "G"] | Float[np.ndarray, "G T"],
    fold: Fold,
    *,
    limits: Limits,
    generator: np.random.Generator,
    epochs: int,
    steps: int,
    optimiser: Callable[[Any], optax.GradientTransformation] = optax.adam,
    learning_rate: float = 0.01,
    halved_every: int = 0,
    objective: Objective | None = None,
    extras: Any = None,
    rules: Mapping[str, Rule] = FLAX,
    variables: Any = None,
) -> Fitted:
    """The model after training on a fold's graphs.

    Args:
        model: `model.apply(variables, batch, train=..., rngs={"dropout": key})` gives a row of outputs for
            each graph; running averages are kept.
        store: the set, of `stored`, or as one `dense_batch`.
        targets: of all graphs.
        fold: which graphs are trained on, picked by and tested on.
        limits: the shape of batches, of `limits_for`; of a dense store only the number of graphs counts.
        generator: draws variables, batches and keys, in this order.
        epochs: after each of which all graphs are evaluated.
        steps: of an epoch.
        optimiser: from a learning rate to an Optax transformation; a function at the top of a module.
        learning_rate: given to it.
        halved_every: so many epochs the rate is halved; 0 never.
        objective: minimised; by default cross-entropy for classes, absolute error for numbers.
        extras: for the objective.
        rules: by which `initial_by_numpy` draws the variables.
        variables: to begin with, instead of drawing them.

    Raises:
        ExperimentError: no epoch or step, or nothing to train on.
    """
    if epochs < 1 or steps < 1 or not len(fold.train):
        raise ExperimentError(
            f"cannot fit {epochs} epochs of {steps} steps on {len(fold.train)} graphs"
        )
    classes = targets.ndim == 1
    if objective is None:
        objective = cross_entropy if classes else absolute_error
    dense = isinstance(store, DenseBatch)
    limits = Limits(limits.graphs) if dense else limits
    sizes = (
        np.zeros((len(targets), 2), np.int64)
        if isinstance(store, DenseBatch)
        else np.asarray(store.counts, np.int64)
    )
    evaluated = all_batches(sizes, limits)
    if variables is None:
        example = jax.eval_shape(lambda s, i: gathered(s, i, limits), store, evaluated[0])
        variables = initial_by_numpy(model, generator, example, rules=rules)
    drawn = drawn_batches(sizes, fold.train, limits, generator=generator, steps=epochs * steps)
    state, params = dict(variables), variables["params"]
    del state["params"]
    masks = np.zeros((3, len(targets)), bool)
    for mask, part in zip(masks, fold.parts.values(), strict=True):
        mask[part] = True
    kept, rows = _fit(
        model, optimiser, objective, limits, store,
        jnp.asarray(targets), masks, drawn.reshape(epochs, steps, -1), evaluated,
        params, state, (jnp.float32(learning_rate), jnp.int32(halved_every)),
        extras, jax.random.key(int(generator.integers(2**32))),
    )  # fmt: skip
    history = {
        name: np.asarray(rows[:, i])
        for i, name in enumerate(("loss", "train", "validation", "test"))
    }
    return Fitted(
        int(kept.epoch), np.asarray(kept.outputs),
        jax.tree.map(np.asarray, {"params": kept.params, **kept.state}), history,
    )  # fmt: skip


class _Kept(NamedTuple):
    score: Scalar
    epoch: Int[Array, ""]
    outputs: Float[Array, "G out"]
    params: Any
    state: Any


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _fit(
    model: Any,  # a module, called with further arguments by objectives that know it
    optimiser: Callable[[Any], optax.GradientTransformation],
    objective: Objective,
    limits: Limits,
    store: Store | DenseBatch,
    targets: Array,
    masks: Bool[Array, "3 G"],
    drawn: Int[Array, "epochs steps B"],
    evaluated: Int[Array, "b B"],
    params: Any,
    state: Any,
    rates: tuple[Scalar, Int[Array, ""]],
    extras: Any,
    key: Array,
) -> tuple[_Kept, Float[Array, "epochs 4"]]:
    number, classes = targets.shape[0], targets.ndim == 1
    store, targets = jax.tree.map(jnp.asarray, (store, targets))

    def loss(params: Any, state: Any, graphs: Array, key: Array) -> tuple[Scalar, Any]:
        states = [state]

        def forward(batch: Batch, rng: Array, **arguments: Any) -> Any:
            found, changed = model.apply(
                {"params": params, **states[-1]},
                batch,
                train=True,
                rngs={"dropout": rng},
                mutable=list(state),
                **arguments,
            )
            states.append(changed)
            return found

        step = Step(gathered(store, graphs, limits), targets[graphs], graphs >= 0, extras)
        return objective(forward, step, key), dict(states[-1])

    def outputs_of(params: Any, state: Any) -> Array:
        def one(_: None, graphs: Array) -> tuple[None, Array]:
            batch = gathered(store, graphs, limits)
            return None, model.apply({"params": params, **state}, batch, train=False)

        _, rows = jax.lax.scan(one, None, evaluated)
        rows = rows.reshape(-1, rows.shape[-1])
        places = jnp.where(evaluated < 0, number, evaluated).reshape(-1)
        return jnp.zeros((number + 1, rows.shape[1]), rows.dtype).at[places].set(rows)[:-1]

    def scores_of(outputs: Array) -> Array:
        if classes:
            each = (outputs.argmax(1) == targets).astype(jnp.float32)
        else:
            each = jnp.abs(outputs - targets).mean(1)
        counts = masks.sum(1)
        sums = jnp.where(masks, each, 0).sum(1)
        return jnp.where(counts > 0, sums / jnp.maximum(counts, 1), jnp.nan)

    def epoch(carry: Any, given: Any) -> tuple[Any, Array]:
        params, state, inner, kept = carry
        index, batches = given
        rate, every = rates
        halvings = jnp.where(every > 0, index // jnp.maximum(every, 1), 0)
        update = optimiser(rate * 0.5**halvings)

        def advance(carry: Any, given: Any) -> tuple[Any, Scalar]:
            params, state, inner = carry
            place, graphs = given
            (value, state), gradient = jax.value_and_grad(loss, has_aux=True)(
                params, state, graphs, jax.random.fold_in(key, place)
            )
            updates, inner = update.update(gradient, inner, params)
            return (optax.apply_updates(params, updates), state, inner), value

        places = index * batches.shape[0] + jnp.arange(batches.shape[0])
        (params, state, inner), losses = jax.lax.scan(
            advance, (params, state, inner), (places, batches)
        )
        outputs = outputs_of(params, state)
        scores = scores_of(outputs)
        # Without validation the last epoch is kept.
        score = jnp.where(masks[1].any(), scores[1] if classes else -scores[1], index)
        new = _Kept(score, index + 1, outputs, params, state)
        kept = jax.tree.map(lambda a, b: jnp.where(score > kept.score, a, b), new, kept)
        return (params, state, inner, kept), jnp.concatenate([losses.mean()[None], scores])

    start = _Kept(
        jnp.float32(-jnp.inf),
        jnp.int32(0),
        jnp.zeros_like(outputs_of(params, state)),
        params,
        state,
    )
    inner = optimiser(rates[0]).init(params)
    indices = jnp.arange(drawn.shape[0])
    (*_, kept), rows = jax.lax.scan(epoch, (params, state, inner, start), (indices, drawn))
    return kept, rows
