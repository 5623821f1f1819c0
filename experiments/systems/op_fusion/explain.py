"""Which edges of a group make the predictor call it invalid: GNNExplainer and PGExplainer.

Each explainer makes a `Selector` for the tree of `splitting`; the third is in `rg_explain`. All work
on single padded graphs, so that few programs are compiled.
"""

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.graph import Group
from experiments.systems.op_fusion.predictor import (
    Example,
    KGnn,
    Predictor,
    example,
    initial,
    learned,
)
from experiments.systems.op_fusion.splitting import Edges, Selector
from ntkexec.errors import ExperimentError
from ntkexec.graphs.message_passing import GraphsTuple, pad

SIZE, ENTROPY = 0.005, 1.0
KEPT = 0.5


def padded(item: Example, num_nodes: int = 0) -> GraphsTuple:
    """One group with padding: graph 0 is the group, and edges keep the number of their pair.

    Args:
        item: the group.
        num_nodes: of the result, with four times as many edges; by default the next of 32, 128, 512
            and so on, so that few programs are compiled.
    """
    graph, nodes = item.graph, num_nodes or 32
    while not num_nodes and (nodes <= len(graph.nodes) or 4 * nodes <= len(graph.senders)):
        nodes *= 4
    return pad(graph, nodes, 4 * nodes)


def stacked(items: Sequence[Example]) -> GraphsTuple:
    """Groups padded to one size, along a leading axis."""
    if not items:
        raise ExperimentError("an explainer needs invalid groups to learn from, and there are none")
    num_nodes = max(padded(e).nodes.shape[0] for e in items)
    graphs = [padded(e, num_nodes) for e in items]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *graphs)


def _best_edges(score: Callable[[GraphsTuple], jax.Array]) -> Selector:
    """Selects half of a group's edges, two at least: those with the highest scores, best first."""

    def select(cost: CostModel, group: Group) -> Edges:
        edges = cost.graph.inner_edges(group)
        found = np.asarray(score(padded(example(cost, group))))[: len(edges)]
        kept = max(2, round(KEPT * len(edges)))
        return [edges[i] for i in np.argsort(-found, kind="stable")[:kept]]

    return select


def _objective(
    module: KGnn, params: Any, graph: GraphsTuple, mask: Float[Array, "p"]
) -> Float[Array, ""]:
    """The masked group's cross-entropy with being invalid, and penalties for large or soft masks.

    Args:
        module, params: the predictor.
        graph: padded.
        mask: of undirected edges, by the number of their pair.
    """
    real = jnp.arange(mask.shape[0]) < graph.n_edge[0] // 2
    logit = module.apply(params, graph, mask[graph.edges])[0][0]
    safe = jnp.clip(mask, 1e-6, 1 - 1e-6)
    entropy = -(safe * jnp.log(safe) + (1 - safe) * jnp.log(1 - safe))
    mean_entropy = jnp.sum(entropy * real) / jnp.maximum(1, jnp.sum(real))
    return jax.nn.softplus(-logit) + SIZE * jnp.sum(mask * real) + ENTROPY * mean_entropy


def gnn_explainer(
    predictor: Predictor, *, key: jax.Array, steps: int = 50, rate: float = 0.01
) -> Selector:
    """Selects edges by a mask that is fitted to each group anew.

    Args:
        predictor: what is explained.
        key: of the masks' initial values.
        steps: of Adam.
        rate: its learning rate.

    Source: Ying et al., NeurIPS 2019.
    """
    return _best_edges(
        lambda graph: fitted_mask(predictor.module, steps, rate, predictor.params, graph, key)
    )


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def fitted_mask(
    module: KGnn, steps: int, rate: float, params: Any, graph: GraphsTuple, key: jax.Array
) -> Float[Array, "p"]:
    """GNNExplainer's mask of one padded group; see `gnn_explainer`."""
    optimiser = optax.adam(rate)
    start = 0.1 * jax.random.normal(key, (graph.senders.shape[0] // 2,))

    def step(state: Any, _: None) -> tuple[Any, None]:
        logits, memory = state
        gradient = jax.grad(
            lambda logits: _objective(module, params, graph, jax.nn.sigmoid(logits))
        )(logits)
        updates, memory = optimiser.update(gradient, memory)
        return (optax.apply_updates(logits, updates), memory), None

    (logits, _), _ = jax.lax.scan(step, (start, optimiser.init(start)), None, length=steps)
    return jax.nn.sigmoid(logits)


class EdgeScorer(nn.Module):
    """A score for each undirected edge from the predictor's states of both ends."""

    hidden: int = 64

    @nn.compact
    def __call__(self, graph: GraphsTuple, states: Float[Array, "n h"]) -> Float[Array, "p"]:
        ends = jnp.concatenate([states[graph.senders], states[graph.receivers]], axis=1)
        scores = nn.Dense(1)(nn.relu(nn.Dense(self.hidden)(ends)))[:, 0]
        num_pairs = graph.senders.shape[0] // 2
        real = jnp.arange(graph.senders.shape[0]) < graph.n_edge[0]
        # Both directions of a pair are averaged: an edge is cut or it is not.
        return jax.ops.segment_sum(jnp.where(real, scores, 0.0), graph.edges, num_pairs) / 2


def pg_explainer(
    predictor: Predictor,
    items: Sequence[Example],
    *,
    key: jax.Array,
    steps: int = 200,
    rate: float = 3e-3,
) -> Selector:
    """Selects edges by a network that was trained to mask them.

    Args:
        predictor: what is explained.
        items: invalid groups to learn from.
        key: of weights and noise.
        steps: of training, on 16 groups each.
        rate: of Adam.

    Raises:
        ExperimentError: if there are no groups to learn from.

    Source: Luo et al., NeurIPS 2020.
    """
    modules = (EdgeScorer(), predictor.module)
    graphs = stacked(items)
    init, noise = jax.random.split(key)
    states = jnp.zeros((graphs.nodes.shape[1], predictor.module.hidden))
    params = learned(
        _pg_loss,
        modules,
        initial(modules[0], init, jax.tree.map(lambda leaf: leaf[0], graphs), states),
        graphs,
        known=predictor.params,
        number=len(items),
        key=noise,
        steps=steps,
        rate=rate,
        batch=16,
    )
    return _best_edges(lambda graph: _pg_scores(modules, params, predictor.params, graph))


@functools.partial(jax.jit, static_argnums=0)
def _pg_scores(
    modules: tuple[nn.Module, nn.Module], params: Any, known: Any, graph: GraphsTuple
) -> Float[Array, "p"]:
    found: Any = modules[0].apply(params, graph, modules[1].apply(known, graph)[1])
    return found


def _pg_loss(
    modules: Any, params: Any, known: Any, graphs: GraphsTuple, key: jax.Array, progress: jax.Array
) -> Float[Array, ""]:
    temperature = 5.0 * (0.2**progress)  # from 5 to 1

    def one(graph: GraphsTuple, key: jax.Array) -> jax.Array:
        scores = _pg_scores(modules, params, known, graph)
        noise = jax.random.logistic(key, scores.shape)
        mask = jax.nn.sigmoid((scores + noise) / temperature)
        return _objective(modules[1], known, graph, mask)

    return jnp.mean(jax.vmap(one)(graphs, jax.random.split(key, graphs.n_node.shape[0])))
