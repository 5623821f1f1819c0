"""RG-Explainer: a policy that grows a connected explanation from a seed, learnt by REINFORCE."""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.kits.training import initial
from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.explain import learn, padded, states_of
from experiments.systems.op_fusion.graph import Group, members
from experiments.systems.op_fusion.predictor import Example, KGnn, Predictor, example
from experiments.systems.op_fusion.splitting import Selector
from ntkexec.graphs.message_passing import GraphsTuple

SIZE_PENALTY, RADIUS_PENALTY = 0.01, 0.01
MOST_NODES = 16
ROLLOUTS = 4


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


def _grow(
    module: Policy,
    params: Any,
    states: Float[Array, "n h"],
    graph: GraphsTuple,
    key: jax.Array,
    greedy: bool,
) -> tuple[Float[Array, "n"], Float[Array, ""], Float[Array, ""], Array]:
    """The chosen nodes, the log-probability of choosing so, the radius around the seed, the seed."""
    num_nodes = states.shape[0]
    real = jnp.arange(num_nodes) < graph.n_node[0]

    def apply(states: jax.Array, chosen: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
        found: Any = module.apply(params, states, chosen)  # Flax types it as two values
        return found

    def pick(logits: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        which = jnp.argmax(logits) if greedy else jax.random.categorical(key, logits)
        return which, jax.nn.log_softmax(logits)[which]

    first, rest = jax.random.split(key)
    seeds, _, _ = apply(states, jnp.zeros(num_nodes))
    seed, log_probability = pick(jnp.where(real, seeds, -1e9), first)
    chosen = jax.nn.one_hot(seed, num_nodes)
    distance = jnp.where(chosen > 0, 0.0, 1e9)

    def step(state: Any, key: jax.Array) -> tuple[Any, None]:
        chosen, distance, log_probability, going = state
        near = jax.ops.segment_max(chosen[graph.senders], graph.receivers, num_nodes) > 0
        candidates = near & real & (chosen == 0)
        _, add, stop = apply(states, chosen)
        logits = jnp.append(jnp.where(candidates, add, -1e9), stop)
        which, chance = pick(logits, key)
        adding = going & (which < num_nodes)
        new = jax.nn.one_hot(which, num_nodes) * adding
        closest = jnp.min(
            jnp.where(graph.receivers == which, distance[graph.senders], 1e9), initial=1e9
        )
        distance = jnp.where(new > 0, closest + 1, distance)
        log_probability += jnp.where(going, chance, 0.0)
        return (chosen + new, distance, log_probability, adding), None

    start = (chosen, distance, log_probability, jnp.array(True))
    (chosen, distance, log_probability, _), _ = jax.lax.scan(
        step, start, jax.random.split(rest, MOST_NODES - 1)
    )
    radius = jnp.max(jnp.where(chosen > 0, distance, 0.0))
    return chosen, log_probability, radius, seed


def _loss(
    module: Policy,
    network: KGnn,
    params: Any,
    known: Any,
    graphs: GraphsTuple,
    key: jax.Array,
    progress: jax.Array,
) -> Float[Array, ""]:
    """REINFORCE's surrogate: its gradient is that of the expected reward.

    Every group is explained several times, and the baseline is the mean over these: groups differ
    far more in how surely they are invalid than their explanations do.
    """

    def one(graph: GraphsTuple, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        states = states_of(network, known, graph)
        chosen, log_probability, radius, _ = _grow(module, params, states, graph, key, False)
        inside = chosen[graph.senders] * chosen[graph.receivers]
        logit = network.apply(known, graph, inside, chosen)[0][0]
        penalty = SIZE_PENALTY * chosen.sum() + RADIUS_PENALTY * radius
        return log_probability, -jax.nn.softplus(-logit) - penalty

    keys = jax.random.split(key, (graphs.n_node.shape[0], ROLLOUTS))
    often = jax.vmap(jax.vmap(one, in_axes=(None, 0)))
    log_probability, reward = often(graphs, keys)
    advantage = jax.lax.stop_gradient(reward - reward.mean(axis=1, keepdims=True))
    return -jnp.mean(log_probability * advantage)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _explanation(
    module: Policy, network: KGnn, params: Any, known: Any, graph: GraphsTuple, key: jax.Array
) -> tuple[Float[Array, "n"], Array]:
    states = states_of(network, known, graph)
    chosen, _, _, seed = _grow(module, params, states, graph, key, True)
    return chosen, seed


def rg_explainer(
    predictor: Predictor,
    items: Sequence[Example],
    *,
    key: jax.Array,
    steps: int,
    rate: float = 3e-3,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Selector:
    """Selects the edges of a connected part that the policy grows; at its seed if it has no edge.

    Args:
        predictor: what is explained.
        items: invalid groups to learn from.
        key: of weights and choices.
        steps: of REINFORCE, on 4 groups, four times each.
        rate: of Adam.
        report: told about progress.

    Source: Shan et al., NeurIPS 2021.
    """
    module = Policy()
    init, noise, unused = jax.random.split(key, 3)
    states = states_of(predictor.module, predictor.params, padded(items[0]))
    params = initial(module, init, states, jnp.zeros(states.shape[0]))
    params = learn(
        _loss,
        module,
        params,
        predictor,
        items,
        key=noise,
        steps=steps,
        rate=rate,
        batch=4,
        what="training RG-Explainer",
        report=report,
    )

    def select(cost: CostModel, group: Group) -> Sequence[tuple[int, int]]:
        graph = padded(example(cost, group))
        found = _explanation(module, predictor.module, params, predictor.params, graph, unused)
        chosen, seed = np.asarray(found[0]), int(found[1])
        ops = list(members(group))
        inside = {v for v, taken in zip(ops, chosen, strict=False) if taken}
        edges = cost.graph.inner_edges(group)
        kept = [(u, v) for u, v in edges if u in inside and v in inside]
        return kept or [edge for edge in edges if ops[seed] in edge]

    return select
