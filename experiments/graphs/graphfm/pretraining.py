"""`pretrain(method, graph)`: self-supervised methods over one encoder, in one compiled program.

What tells methods apart is data: chances of corruption, rates, and which of a few losses is read. So
all six together are compiled once for each shape of graph. A method of one's own is a `Recipe`.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.graphs.graphfm import losses
from experiments.graphs.graphfm.encoder import (
    RULES,
    Drawn,
    Network,
    Problem,
    draw_views,
    problem_of,
    whole,
)
from experiments.graphs.graphfm.methods import Objective, Recipe, Step, corrupted, recipe_of
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError

Scalar = Float[Array, ""]


@dataclasses.dataclass(frozen=True)
class Pretrained:
    """An encoder that has seen a graph and no labels.

    Args:
        untrained: (n, h), embeddings before the first step, of the same encoder.
        checkpoints: (T, n, h), after equal shares of the steps.
        losses: (T,), means over each share.
        variables: of the `Network` at each checkpoint, leaves (T, ...).
        target: the moving average at each checkpoint, likewise.
    """

    untrained: Float[np.ndarray, "n h"]
    checkpoints: Float[np.ndarray, "T n h"]
    losses: Float[np.ndarray, " T"]
    variables: Any
    target: Any


def pretrain(
    method: str | Recipe,
    graph: GraphsTuple,
    *,
    generator: np.random.Generator,
    steps: int = 200,
    checkpoints: int = 4,
    width: int = 64,
    momentum: float | None = None,
    among: Sequence[str | Recipe] = (),
    room: int = 0,
) -> Pretrained:
    """An encoder trained on a graph by a method, without labels.

    Args:
        method: one of `METHODS`, or a recipe.
        graph: undirected and unweighted, with features, as `kits.graph.convert.from_edges` gives it.
        generator: draws variables and keys.
        steps: of Adam, a multiple of `checkpoints`.
        checkpoints: how many embeddings are kept.
        width: of the encoder.
        momentum: of the moving average; None for the schedule from 0.99 to 1.
        among: methods that share the compiled program with this one; without them it has its own.
        room: edges that there are with padding, so that several graphs share the program.

    Raises:
        ExperimentError: no such method, steps that checkpoints do not divide, or a graph that is none
            to be pre-trained on.
    """
    recipe, options = recipe_of(method), [recipe_of(each) for each in among or (method,)]
    objectives = tuple(dict.fromkeys(each.objective for each in options))
    if recipe.objective not in objectives:
        raise ExperimentError(f"{method!r} is not among the {len(options)} methods of its program")
    if min(steps, checkpoints) < 1 or steps % checkpoints:
        raise ExperimentError(f"{checkpoints} checkpoints do not divide {steps} steps")
    problem, network = corrupted(problem_of(graph, room=room), recipe, graph), Network(width)
    variables = initial_by_numpy(network, generator, jax.eval_shape(whole, problem), rules=RULES)
    shares = np.full(checkpoints + 1, steps // checkpoints)
    shares[-1] = 0  # the last embeddings come without a step after them
    settings = _Settings(
        which=jnp.int32(objectives.index(recipe.objective)),
        learning_rate=jnp.float32(recipe.learning_rate),
        momentum=jnp.float32(0.99 if momentum is None else momentum),
        scheduled=jnp.asarray(momentum is None),
        steps=jnp.float32(steps),
        shares=jnp.asarray(shares, jnp.int32),
    )
    key = jax.random.key(int(generator.integers(2**32)))
    found = jax.tree.map(
        np.asarray, _pretrain(network, objectives, problem, variables["params"], settings, key)
    )
    params, target, embedded, missed = found
    later = functools.partial(jax.tree.map, lambda leaf: leaf[1:])
    return Pretrained(
        untrained=embedded[0],
        checkpoints=embedded[1:],
        losses=missed[:-1],
        variables={"params": later(params)},
        target=later(target),
    )


@dataclasses.dataclass(frozen=True)
class Pretraining:
    """A method as audits and protocols call it: from a graph and a generator to checkpoints.

    Args:
        method, steps, checkpoints, width, among, room: as for `pretrain`.
    """

    method: str | Recipe
    steps: int = 200
    checkpoints: int = 4
    width: int = 64
    among: tuple[str | Recipe, ...] = ()
    room: int = 0

    def __call__(
        self, graph: GraphsTuple, generator: np.random.Generator
    ) -> Float[np.ndarray, "T n h"]:
        settings = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        found = pretrain(settings.pop("method"), graph, generator=generator, **settings)
        return found.checkpoints


def embed(variables: Any, graph: GraphsTuple) -> Float[Array, "n h"]:
    """A trained encoder's embeddings of a graph, perhaps another one with the same features.

    Args:
        variables: of one checkpoint: `jax.tree.map(lambda leaf: leaf[-1], pretrained.variables)`.
        graph: as for `pretrain`.
    """
    width = variables["params"]["encoder"]["second_bias"].shape[-1]
    layers: Any = Network(width).apply(variables, whole(problem_of(graph)), method="encode")
    found: Array = layers[1]
    return found


class _Settings(NamedTuple):
    which: Array
    learning_rate: Scalar
    momentum: Scalar
    scheduled: Array
    steps: Scalar
    shares: Array


@functools.partial(jax.jit, static_argnums=(0, 1))
def _pretrain(
    network: Network,
    objectives: tuple[Objective, ...],
    problem: Problem,
    params: Any,
    settings: _Settings,
    key: Array,
) -> tuple[Any, Any, Array, Array]:
    update = optax.adam(settings.learning_rate)

    def encode(params: Any, view: Any) -> tuple[Array, Array]:
        hidden, z = network.apply({"params": params}, view, method="encode")
        return hidden, z  # type: ignore[return-value] # apply has no type of its own

    def objective_of(objective: Objective) -> Callable[..., Any]:
        def value(layers: Any, params: Any, target: Any, drawn: Drawn, key: Array) -> Scalar:
            def head(name: str, *rows: Any) -> Any:
                return network.apply({"params": params}, *rows, method=name)

            return objective(
                Step(
                    layers,
                    drawn,
                    problem,
                    head,
                    lambda view: encode({"encoder": target}, view)[1],
                    key,
                )
            )

        return jax.value_and_grad(value, argnums=(0, 1))

    branches = [objective_of(each) for each in objectives]

    def advance(_: Array, carry: Any) -> Any:
        step, params, target, inner, total = carry
        views, other = jax.random.split(jax.random.fold_in(key, step))
        drawn = draw_views(problem, views)
        # The encoder is compiled once, outside of the branches, which see its rows alone.
        layers, pull = jax.vjp(lambda p: tuple(encode(p, view) for view in drawn.views), params)
        given = (layers, params, target, drawn, other)
        if len(branches) == 1:
            value, (above, of_heads) = branches[0](*given)
        else:
            value, (above, of_heads) = jax.lax.switch(settings.which, branches, *given)
        gradient = jax.tree.map(jnp.add, pull(above)[0], of_heads)
        updates, inner = update.update(gradient, inner, params)
        params = optax.apply_updates(params, updates)
        planned = losses.momentum_at(step.astype(jnp.float32), settings.steps, settings.momentum)
        momentum = jnp.where(settings.scheduled, planned, settings.momentum)
        target = losses.moving_average(target, params["encoder"], momentum)
        return step + 1, params, target, inner, total + value

    view = whole(problem)

    def share(carry: Any, steps: Array) -> tuple[Any, Any]:
        _, params, target, _ = carry
        z = encode(params, view)[1]
        *after, total = jax.lax.fori_loop(0, steps, advance, (*carry, jnp.float32(0)))
        return tuple(after), (params, target, z, total / jnp.maximum(steps, 1))

    carry = (jnp.int32(0), params, params["encoder"], update.init(params))
    return jax.lax.scan(share, carry, settings.shares)[1]
