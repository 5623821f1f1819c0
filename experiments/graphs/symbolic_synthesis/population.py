"""A population of networks, one a graph, trained side by side in one compiled program."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.graphs.symbolic_synthesis.language import Graph
from experiments.graphs.symbolic_synthesis.network import (
    RULES,
    GraphModule,
    PaddedGraph,
    stacked,
)
from experiments.kits.initialisation import Rule, initial_by_numpy
from ntkexec.errors import ExperimentError


class Task(NamedTuple):
    """Items with labels, yes or no.

    Args:
        train, test: what the encoder reads; the first axis counts items.
        train_labels, test_labels: 0 or 1.
    """

    train: np.ndarray
    train_labels: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray


class Population(NamedTuple):
    """What became of each member.

    Args:
        train, test: accuracies at the end, without dropout.
        losses: means of each epoch.
        variables: of all members, stacked.
    """

    train: Float[np.ndarray, "p"]
    test: Float[np.ndarray, "p"]
    losses: Float[np.ndarray, "p epochs"]
    variables: Any


class Classifier(nn.Module):
    """An encoder, and after it a graph's module, or a linear map for a member without a graph.

    Args:
        encoder: from items to vectors.
        module: from vectors and a graph to logits.
    """

    encoder: nn.Module
    module: nn.Module

    @nn.compact
    def __call__(self, items: Array, graph: PaddedGraph, train: bool = False) -> Float[Array, "b"]:
        vectors = self.encoder(items)
        with_graph = self.module(vectors, graph, train)[:, 0]
        without = nn.Dense(1, name="plain")(vectors)[:, 0]
        return jnp.where(graph.present > 0, with_graph, without)


def population_fit(
    encoder: nn.Module,
    members: Sequence[Graph | None],
    task: Task,
    *,
    generators: Sequence[np.random.Generator],
    module: nn.Module = GraphModule(),  # noqa: B008 # immutable
    epochs: int = 16,
    batch: int = 8,
    learning_rate: float = 1e-3,
    together: int = 8,
    sizes: tuple[int, int] | None = None,
    released: bool = False,
    rules: Mapping[str, Rule] = RULES,
) -> Population:
    """Trains a network for each member: cross-entropy, Adam, its rate halved where the loss stands still.

    All networks have the same parameters, whatever their graphs: graphs, first variables, batches and keys
    are data of one compiled program, which is used again for any members that are padded alike.

    Args:
        encoder: from items to vectors of a multiple of 4 entries.
        members: a graph each; none for the encoder and a linear map alone.
        task: items and labels.
        generators: of each member, from which variables, batches and the key of dropout are drawn.
        module: after the encoder, with one output.
        epochs, batch: each epoch passes whole batches of the training items in a new order.
        learning_rate: of Adam, to begin with; halved after 50 batches in epochs of no better loss.
        together: networks that are trained at the same time.
        sizes: nodes and edges to which all graphs are padded; the most that a member has, unless told.
        released: as for `padded`.
        rules: by which first variables are drawn; see `RULES`.

    Raises:
        ExperimentError: there is no member, there are not as many generators as members, no whole batch, or
            the task has not one label of 0 or 1 an item.

    Source: arXiv:2303.03340 trains the same networks one after another.
    """
    if not members:
        raise ExperimentError("a population needs a member at least: a graph, or None for no graph")
    if len(generators) != len(members):
        raise ExperimentError(
            f"{len(members)} members need a generator each, not {len(generators)}"
        )
    for part, items, labels in (("train", *task[:2]), ("test", *task[2:])):
        if np.shape(labels) != (len(items),) or not len(items):
            raise ExperimentError(
                f"a task's {len(items)} items to {part} need a label each, at least one, and the labels have "
                f"shape {np.shape(labels)}"
            )
        if not np.isin(labels, (0, 1)).all():
            raise ExperimentError(
                f"labels to {part} are 0 or 1, and these have {np.unique(labels)[:5].tolist()}"
            )
    number = len(task.train)
    if not 0 < batch <= number or epochs < 1 or together < 1:
        raise ExperimentError(
            f"{epochs} epochs of batches of {batch} of {number} items train nothing"
        )
    model = Classifier(encoder, module)
    vector = jax.eval_shape(
        lambda items: encoder.init_with_output(jax.random.key(0), items)[0], task.train[:1]
    )
    if sizes is None:
        there = [(len(g.nodes), len(g.edges)) for g in members if g is not None]
        sizes = max((n for n, _ in there), default=1), max((e for _, e in there), default=1)
    shape = dict(zip(("num_nodes", "num_edges"), sizes, strict=True))
    graphs = stacked(members, dim=vector.shape[1], released=released, **shape)
    one = jax.tree.map(lambda part: part[0], graphs)
    steps = number // batch
    variables, orders, keys = [], [], []
    for generator in generators:
        variables.append(initial_by_numpy(model, generator, task.train[:1], one, rules=rules))
        shuffled = [generator.permutation(number)[: steps * batch] for _ in range(epochs)]
        orders.append(np.stack(shuffled).reshape(epochs, steps, batch).astype(np.int32))
        keys.append(generator.integers(2**32, dtype=np.uint32))
    given = (
        jax.tree.map(lambda *leaves: np.stack(leaves), *variables)["params"],
        graphs, np.stack(orders), np.array(keys),
    )  # fmt: skip
    # The last ones are trained beside copies of the first, since what is compiled has one shape.
    count, size = len(members), min(together, len(members))
    order = np.arange(-(-count // size) * size) % count
    parts = []
    for i in range(0, len(order), size):
        some = jax.tree.map(lambda leaf, i=i: leaf[order[i : i + size]], given)
        found = _fit(model, *some, tuple(map(jnp.asarray, task)), jnp.float32(learning_rate))
        parts.append(jax.tree.map(np.asarray, found))
    whole = jax.tree.map(lambda *leaves: np.concatenate(leaves)[:count], *parts)
    train, test, losses, params = whole
    return Population(train, test, losses, {"params": params})


@functools.partial(jax.jit, static_argnums=0)
def _fit(
    model: Classifier, params: Any, graphs: Any, orders: Array, keys: Array, task: Any, rate: Array
) -> Any:
    items, labels, test_items, test_labels = task
    fit: Callable[..., Any] = functools.partial(_fit_one, model, rate)
    return jax.vmap(fit, in_axes=(0, 0, 0, 0, None, None, None, None))(
        params, graphs, orders, keys, items, labels, test_items, test_labels
    )


def _fit_one(
    model: Classifier, rate: Array, params: Any, graph: PaddedGraph, orders: Array, key: Array,
    items: Array, labels: Array, test_items: Array, test_labels: Array,
) -> Any:  # fmt: skip
    # By means of an epoch: among losses of single small batches the best is an early stroke of luck.
    steps = orders.shape[1]
    plateau = optax.contrib.reduce_on_plateau(
        factor=0.5, patience=max(1, 50 // steps), accumulation_size=steps
    )
    optimiser = optax.chain(optax.adam(rate), plateau)

    def loss(params: Any, batch: Array, key: Array) -> Array:
        rngs = {"dropout": key}
        logits = model.apply({"params": params}, items[batch], graph, train=True, rngs=rngs)
        return optax.sigmoid_binary_cross_entropy(logits, labels[batch]).mean()

    def step(carry: Any, given: Any) -> tuple[Any, Array]:
        params, state = carry
        batch, index = given
        at = jax.random.fold_in(jax.random.key(key), index)
        value, gradient = jax.value_and_grad(loss)(params, batch, at)
        updates, state = optimiser.update(gradient, state, params, value=value)
        return (optax.apply_updates(params, updates), state), value

    batches = orders.reshape(-1, orders.shape[-1])
    (params, _), losses = jax.lax.scan(
        step, (params, optimiser.init(params)), (batches, jnp.arange(len(batches)))
    )

    def accuracy(items: Array, labels: Array) -> Array:
        logits: Any = model.apply({"params": params}, items, graph)
        return jnp.mean((logits > 0) == (labels > 0))

    scores = accuracy(items, labels), accuracy(test_items, test_labels)
    return *scores, losses.reshape(orders.shape[:2]).mean(1), params
