"""RG-Explainer: a policy that grows a connected explanation from a seed, learnt by REINFORCE."""

import functools
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.explain import padded, stacked
from experiments.systems.op_fusion.graph import Group, members
from experiments.systems.op_fusion.predictor import (
    Example,
    KGnn,
    Predictor,
    example,
    initial,
    learned,
)
from experiments.systems.op_fusion.splitting import Edges, Selector
from ntkexec.graphs.message_passing import GraphsTuple

SIZE_PENALTY, RADIUS_PENALTY = 0.01, 0.01
MOST_NODES, ROLLOUTS = 16, 4


class Policy(nn.Module):
    """Scores of every node as a seed, as the next one to add, and of stopping."""

    hidden: int = 64

    @nn.compact
    def __call__(
        self, states: Float[Array, "n h"], chosen: Float[Array, "n"]
    ) -> tuple[Float[Array, "n"], Float[Array, "n"], Float[Array, ""]]:
        mean = chosen @ states / jnp.maximum(1.0, chosen.sum())
        both = jnp.concatenate([states, jnp.broadcast_to(mean[None], states.shape)], axis=1)
        seed = nn.Dense(1, name="seed")(nn.relu(nn.Dense(self.hidden, name="seeds")(states)))
        add = nn.Dense(1, name="add")(nn.relu(nn.Dense(self.hidden, name="adds")(both)))
        stop = nn.Dense(1, name="stop")(nn.relu(nn.Dense(self.hidden, name="stops")(mean[None])))
        return seed[:, 0], add[:, 0], stop[0, 0]


@functools.partial(jax.jit, static_argnums=(0, 5))
def _grow(
    modules: tuple[Policy, KGnn],
    params: Any,
    known: Any,
    graph: GraphsTuple,
    key: jax.Array,
    greedy: bool,
) -> tuple[Float[Array, "n"], Float[Array, ""], Float[Array, ""], Array]:
    """The chosen nodes, the log-probability of choosing so, the radius around the seed, the seed."""
    states: Any = modules[1].apply(known, graph)[1]
    num_nodes = states.shape[0]
    real = jnp.arange(num_nodes) < graph.n_node[0]

    def scores(chosen: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        found: Any = modules[0].apply(params, states, chosen)  # Flax types it as two values
        return found

    def pick(logits: jax.Array, noise: jax.Array) -> tuple[jax.Array, jax.Array]:
        which = jnp.argmax(logits + noise)
        return which, jax.nn.log_softmax(logits)[which]

    # The highest of logits with Gumbel noise is a draw from their softmax.
    noise = jnp.zeros((MOST_NODES, num_nodes + 1))
    noise = noise if greedy else jax.random.gumbel(key, noise.shape)
    seeds = jnp.where(real, scores(jnp.zeros(num_nodes))[0], -1e9)
    seed, log_probability = pick(seeds, noise[0, :-1])
    chosen = jax.nn.one_hot(seed, num_nodes)
    distance = jnp.where(chosen > 0, 0.0, 1e9)

    def step(state: Any, noise: jax.Array) -> tuple[Any, None]:
        chosen, distance, log_probability, going = state
        near = jax.ops.segment_max(chosen[graph.senders], graph.receivers, num_nodes) > 0
        candidates = near & real & (chosen == 0)
        _, add, stop = scores(chosen)
        which, chance = pick(jnp.append(jnp.where(candidates, add, -1e9), stop), noise)
        adding = going & (which < num_nodes)
        new = jax.nn.one_hot(which, num_nodes) * adding
        ends = jnp.where(graph.receivers == which, distance[graph.senders], 1e9)
        distance = jnp.where(new > 0, jnp.min(ends, initial=1e9) + 1, distance)
        log_probability += jnp.where(going, chance, 0.0)
        return (chosen + new, distance, log_probability, adding), None

    start = (chosen, distance, log_probability, jnp.array(True))
    (chosen, distance, log_probability, _), _ = jax.lax.scan(step, start, noise[1:])
    radius = jnp.max(jnp.where(chosen > 0, distance, 0.0))
    return chosen, log_probability, radius, seed


def _rg_loss(
    modules: Any, params: Any, known: Any, graphs: GraphsTuple, key: jax.Array, progress: jax.Array
) -> Float[Array, ""]:
    """REINFORCE's surrogate: its gradient is that of the expected reward.

    Every group is explained several times, and the baseline is the mean over these: groups differ
    far more in how surely they are invalid than their explanations do.
    """

    def one(graph: GraphsTuple, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        chosen, log_probability, radius, _ = _grow(modules, params, known, graph, key, False)
        inside = chosen[graph.senders] * chosen[graph.receivers]
        logit = modules[1].apply(known, graph, inside, chosen)[0][0]
        penalty = SIZE_PENALTY * chosen.sum() + RADIUS_PENALTY * radius
        return log_probability, -jax.nn.softplus(-logit) - penalty

    keys = jax.random.split(key, (graphs.n_node.shape[0], ROLLOUTS))
    log_probability, reward = jax.vmap(jax.vmap(one, in_axes=(None, 0)))(graphs, keys)
    advantage = jax.lax.stop_gradient(reward - reward.mean(axis=1, keepdims=True))
    return -jnp.mean(log_probability * advantage)


def rg_explainer(
    predictor: Predictor,
    items: Sequence[Example],
    *,
    key: jax.Array,
    steps: int = 200,
    rate: float = 3e-3,
) -> Selector:
    """Selects the edges of a connected part that a policy grows; at its seed if it has no edge.

    Args:
        predictor: what is explained.
        items: invalid groups to learn from.
        key: of weights and choices.
        steps: of REINFORCE, on 4 groups, four times each.
        rate: of Adam.

    Raises:
        ExperimentError: if there are no groups to learn from.

    Source: Shan et al., NeurIPS 2021.
    """
    modules = (Policy(), predictor.module)
    graphs = stacked(items)
    init, noise, unused = jax.random.split(key, 3)
    num_nodes = graphs.nodes.shape[1]
    states = jnp.zeros((num_nodes, predictor.module.hidden))
    params = learned(
        _rg_loss,
        modules,
        initial(modules[0], init, states, jnp.zeros(num_nodes)),
        graphs,
        known=predictor.params,
        number=len(items),
        key=noise,
        steps=steps,
        rate=rate,
        batch=4,
    )

    def select(cost: CostModel, group: Group) -> Edges:
        graph = padded(example(cost, group))
        chosen, _, _, seed = _grow(modules, params, predictor.params, graph, unused, True)
        ops = list(members(group))
        inside = {v for v, taken in zip(ops, np.asarray(chosen), strict=False) if taken}
        edges = cost.graph.inner_edges(group)
        kept = [(u, v) for u, v in edges if u in inside and v in inside]
        return kept or [edge for edge in edges if ops[int(seed)] in edge]

    return select
