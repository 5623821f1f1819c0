"""The network on collected tensors, and its training on mini-batches of their rows."""

import functools
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int, Int64

from experiments.data.nodes import Split
from experiments.kits.graph.features import Dropout
from experiments.kits.initialisation import FLAX, Rule, glorot_normal, initial_by_numpy
from ntkexec.errors import ExperimentError

Merge = Literal["concat", "mean"]


def _quarter(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    return np.full(shape, 0.25)


RULES: Mapping[str, Rule] = {
    **FLAX, "kernel": glorot_normal, "prelu/negative_slope": _quarter,
}  # fmt: skip
"""Xavier's normal and PyTorch's slope, as in the public code; for `initial_by_numpy`."""


class _Layer(nn.Module):
    """Dense, PReLU, dropout."""

    features: int
    dropout: Any
    train: bool

    @nn.compact
    def __call__(self, x: Float[Array, "n d"]) -> Float[Array, "n h"]:
        x = nn.Dense(self.features, name="dense")(x)
        x = nn.PReLU(negative_slope_init=0.25, name="prelu")(x)
        found: Array = Dropout(self.dropout)(x, train=self.train)
        return found


class _Group(nn.Module):
    """One group's slices weighed into a few, then two layers."""

    hidden: int
    filters: int
    input_dropout: Any
    dropout: Any
    train: bool

    @nn.compact
    def __call__(self, group: Float[Array, "n k d"]) -> Float[Array, "n h"]:
        x = Dropout(self.input_dropout)(group, train=self.train)
        filters = self.filters if group.shape[1] > 1 else 1
        x = nn.Dense(filters, name="slices")(jnp.swapaxes(x, 1, 2))
        x = jnp.swapaxes(x, 1, 2).reshape(len(x), -1)
        for layer in range(2):
            x = _Layer(self.hidden, self.dropout, self.train, name=f"layer_{layer}")(x)
        return x


class RpHGNN(nn.Module):
    """Logits from collected tensors: an encoder for each group, merged, then two layers.

    Groups of one shape lie beside each other in one stack of parameters.

    Args:
        classes: of the output.
        hidden: width of all layers.
        filters: what a group's slices are weighed into, by one set of weights for all columns (the
            public code's 1x1 convolution); 1 for a group of one slice.
        merge: groups side by side, or, as the public code does for ACM and OAG, their mean.
        input_dropout: rate on what was collected.
        dropout: rate after layers.

    Source: Hu, Hooi and He, arXiv:2310.14481; as in CrawlScript/RpHGNN (rphgnn_encoder.py).
    """

    classes: int
    hidden: int = 64
    filters: int = 2
    merge: Merge = "concat"
    input_dropout: Any = 0.5
    dropout: Any = 0.5

    @nn.compact
    def __call__(
        self, groups: Mapping[str, Float[Array, "n k d"]], train: bool = False
    ) -> Float[Array, "n classes"]:
        """Logits of the rows.

        Args:
            groups: by name, as `collect` gives them, or the same rows of each.
            train: whether there is dropout.

        Raises:
            ExperimentError: `merge` is neither.
        """
        if self.merge not in ("concat", "mean"):
            raise ExperimentError(f"groups are merged by concat or mean, not {self.merge!r}")
        encoder = nn.vmap(
            _Group, variable_axes={"params": 0}, split_rngs={"params": True, "dropout": True}
        )
        settings = (self.hidden, self.filters, self.input_dropout, self.dropout, train)
        encoded = []
        for shape in sorted({group.shape[1:] for group in groups.values()}):
            alike = [groups[name] for name in sorted(groups) if groups[name].shape[1:] == shape]
            name = f"slices_{shape[0]}_width_{shape[1]}"
            encoded.append(_Beside(encoder, settings, name=name)(jnp.stack(alike)))
        together = jnp.concatenate(encoded)
        if self.merge == "mean":
            x = together.mean(0)
        else:
            x = jnp.moveaxis(together, 0, 1).reshape(together.shape[1], -1)
        x = _Layer(self.hidden, self.dropout, train, name="head")(x)
        return nn.Dense(self.classes, name="last")(x)


class _Beside(nn.Module):
    """Groups of one shape; their parameters are called `stack`, by which they are drawn one by one."""

    encoder: Any  # a class that nn.vmap made
    settings: tuple[Any, ...]

    @nn.compact
    def __call__(self, groups: Float[Array, "g n k d"]) -> Float[Array, "g n h"]:
        found: Array = self.encoder(*self.settings, name="stack")(groups)
        return found


class Trained(NamedTuple):
    """A network at the evaluation that validation picked.

    Args:
        test: accuracy on the split's test rows; nan if there are none.
        validation: accuracy there.
        step: after which it was picked.
        logits: (n, classes) of all rows, without dropout.
        params: of the network.
        history: of each evaluation, `loss` (of training since the last), `validation_loss` and
            `validation`.
    """

    test: float
    validation: float
    step: int
    logits: Float[np.ndarray, "n classes"]
    params: Any
    history: Mapping[str, Float[np.ndarray, " evaluations"]]


def fit_rows(
    network: nn.Module,
    groups: Mapping[str, Float[np.ndarray, "n k d"]],
    labels: Int64[np.ndarray, " n"],
    split: Split,
    *,
    generator: np.random.Generator,
    steps: int,
    batch: int = 1000,
    every: int = 5,
    learning_rate: float = 3e-3,
    fields: Mapping[str, float] | None = None,
) -> Trained:
    """The network after Adam on mini-batches of rows; no graph is needed any more.

    Seeds, splits, rates and the network's `fields` are data: it is compiled once for a network and
    shapes of groups and of the split's parts.

    Args:
        network: such as `RpHGNN`.
        groups: as `collect` gives them.
        labels: of the rows.
        split: whose parts are trained on, picked by (the highest accuracy, of equal ones the lowest
            loss) and tested on.
        generator: draws variables, batches and dropout.
        steps: in all; a multiple of `every` is taken, not fewer.
        batch: rows of a step, at most as many as are trained on, each once before any comes again.
        every: steps between two evaluations.
        learning_rate: of Adam.
        fields: of the network that are data of the program, such as `{"dropout": 0.5}`.

    Raises:
        ExperimentError: nothing is trained on or picked by, or such a row has no label, or there is no
            step.
    """
    train, validation = np.flatnonzero(split.train), np.flatnonzero(split.validation)
    if steps < 1 or every < 1 or batch < 1:
        raise ExperimentError(f"cannot take {steps} steps of {batch} rows, evaluated every {every}")
    if not len(train) or not len(validation):
        raise ExperimentError(
            f"cannot train on {len(train)} rows and pick by {len(validation)}; give some of each"
        )
    if (labels[train] < 0).any() or (labels[validation] < 0).any():
        raise ExperimentError("a row that is trained on or picked by has no label")
    few = {name: group[:2] for name, group in groups.items()}
    params = initial_by_numpy(network, generator, few, rules=RULES)["params"]
    order = batches(generator, train, -(-steps // every) * every, min(batch, len(train)))
    best, history = _fit(
        network,
        dict(groups),
        np.maximum(labels, 0).astype(np.int32),
        order.reshape(-1, every, order.shape[1]),
        validation.astype(np.int32),
        params,
        jnp.float32(learning_rate),
        {name: jnp.float32(value) for name, value in (fields or {}).items()},
        jax.random.key(int(generator.integers(2**32))),
    )
    logits, rows = np.asarray(best.logits), np.asarray(history)
    right = logits.argmax(1) == labels
    return Trained(
        test=float(right[split.test].mean()) if split.test.any() else float("nan"),
        validation=float(best.accuracy),
        step=int(best.step),
        logits=logits,
        params=jax.tree.map(np.asarray, best.params),
        history=dict(zip(("loss", "validation_loss", "validation"), rows.T, strict=True)),
    )


def batches(
    generator: np.random.Generator, rows: Int[np.ndarray, " m"], steps: int, batch: int
) -> Int[np.ndarray, "steps batch"]:
    """Rows for each step: permutations of all, one after the other, cut into batches."""
    rounds = -(-steps * batch // len(rows))
    order = np.concatenate([generator.permutation(rows) for _ in range(rounds)])
    return order[: steps * batch].reshape(steps, batch).astype(np.int32)


class _Best(NamedTuple):
    accuracy: Array
    loss: Array
    step: Array
    params: Any
    logits: Any = None


@functools.partial(jax.jit, static_argnums=0)
def _fit(
    network: Any,  # a module; its fields are set by name
    groups: Any,
    labels: Array,
    order: Array,
    validation: Array,
    params: Any,
    rate: Array,
    fields: Any,
    key: Array,
) -> tuple[_Best, Array]:
    network, update = network.clone(**fields), optax.adam(rate)
    held = {name: group[validation] for name, group in groups.items()}

    def cross_entropy(logits: Array, wanted: Array) -> Array:
        return optax.softmax_cross_entropy_with_integer_labels(logits, wanted).mean()

    def loss(params: Any, rows: Array, key: Array) -> Array:
        seen = {name: group[rows] for name, group in groups.items()}
        logits = network.apply({"params": params}, seen, train=True, rngs={"dropout": key})
        return cross_entropy(logits, labels[rows])

    def step(state: Any, rows: Array) -> tuple[Any, Array]:
        count, params, inner = state
        value, slope = jax.value_and_grad(loss)(params, rows, jax.random.fold_in(key, count))
        updates, inner = update.update(slope, inner, params)
        return (count + 1, optax.apply_updates(params, updates), inner), value

    def evaluated(carry: Any, rows: Array) -> tuple[Any, Array]:
        state, best = carry
        state, values = jax.lax.scan(step, state, rows)
        count, params, _ = state
        logits = network.apply({"params": params}, held, train=False)
        right = (logits.argmax(1) == labels[validation]).mean()
        missed = cross_entropy(logits, labels[validation])
        better = (right > best.accuracy) | ((right == best.accuracy) & (missed < best.loss))
        new = _Best(right, missed, count, params)
        best = jax.tree.map(lambda a, b: jnp.where(better, a, b), new, best)
        return (state, best), jnp.stack([values.mean(), missed, right])

    count = jnp.int32(0)
    best = _Best(jnp.float32(-1), jnp.float32(jnp.inf), count, params)
    (_, best), history = jax.lax.scan(
        evaluated, ((count, params, update.init(params)), best), order
    )
    logits = network.apply({"params": best.params}, groups, train=False)
    return best._replace(logits=logits), history
