"""Which edges of a group make the predictor call it invalid: three ways to explain a graph network.

Each explainer makes a `Selector` for the tree of `splitting`. All work on single padded graphs, so
that few programs are compiled.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.kits.training import initial, train
from experiments.systems.op_fusion.cost import CostModel
from experiments.systems.op_fusion.graph import Group
from experiments.systems.op_fusion.predictor import Example, KGnn, Predictor, example
from experiments.systems.op_fusion.splitting import Selector
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


def top_edges(
    cost: CostModel, group: Group, found: np.ndarray, share: float = KEPT
) -> list[tuple[int, int]]:
    """The share of a group's edges with the highest scores, two at least, best first."""
    edges = cost.graph.inner_edges(group)
    kept = max(2, round(share * len(edges)))
    return [edges[i] for i in np.argsort(-found[: len(edges)], kind="stable")[:kept]]


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


# --- GNNExplainer


def gnn_explainer(
    predictor: Predictor, *, key: jax.Array, steps: int = 100, rate: float = 0.01
) -> Selector:
    """Selects edges by a mask that is fitted to each group anew.

    Args:
        predictor: what is explained.
        key: of the masks' initial values.
        steps: of Adam.
        rate: its learning rate.

    Source: Ying et al., NeurIPS 2019.
    """

    def select(cost: CostModel, group: Group) -> Sequence[tuple[int, int]]:
        graph = padded(example(cost, group))
        mask = _fitted_mask(predictor.module, steps, rate, predictor.params, graph, key)
        return top_edges(cost, group, np.asarray(mask))

    return select


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _fitted_mask(
    module: KGnn, steps: int, rate: float, params: Any, graph: GraphsTuple, key: jax.Array
) -> Float[Array, "p"]:
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


# --- PGExplainer


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


@functools.partial(jax.jit, static_argnums=0)
def states_of(module: KGnn, params: Any, graph: GraphsTuple) -> Float[Array, "n h"]:
    """The predictor's last states of a padded graph's nodes."""
    states: Any = module.apply(params, graph)[1]
    return states


def stacked(items: Sequence[Example]) -> GraphsTuple:
    """Groups padded to one size, along a leading axis.

    Raises:
        ExperimentError: if there are none.
    """
    if not items:
        raise ExperimentError("an explainer needs invalid groups to learn from, and there are none")
    num_nodes = max(padded(e).nodes.shape[0] for e in items)
    graphs = [padded(e, num_nodes) for e in items]
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *graphs)


@dataclasses.dataclass(frozen=True)
class _Learner:
    """What both explainers that are trained beforehand share; equal ones share compiled code.

    Args:
        loss: `(module, predictor's module, params, predictor's params, graphs, key, progress)`.
        module: that is trained.
        predictor: module of the predictor.
        steps, rate, batch: of training.
    """

    loss: Callable[..., jax.Array]
    module: nn.Module
    predictor: KGnn
    steps: int
    rate: float
    batch: int

    def __call__(self, state: Any, index: jax.Array, data: Any) -> tuple[Any, dict[str, Any]]:
        drawn, noise = jax.random.split(jax.random.fold_in(state["key"], index))
        num = data["graphs"].n_node.shape[0]
        which = jax.random.randint(drawn, (self.batch,), 0, num)
        graphs = jax.tree.map(lambda leaf: leaf[which], data["graphs"])
        value, gradient = jax.value_and_grad(
            lambda params: self.loss(
                self.module,
                self.predictor,
                params,
                data["predictor"],
                graphs,
                noise,
                index / self.steps,
            )
        )(state["params"])
        updates, memory = optax.adam(self.rate).update(gradient, state["memory"])
        params = optax.apply_updates(state["params"], updates)
        return {**state, "params": params, "memory": memory}, {"loss": value}


def learn(
    loss: Callable[..., jax.Array],
    module: nn.Module,
    params: Any,
    predictor: Predictor,
    items: Sequence[Example],
    *,
    key: jax.Array,
    steps: int,
    rate: float,
    batch: int = 16,
    what: str,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Any:
    """Parameters of an explainer's module after training on invalid groups."""
    learner = _Learner(loss, module, predictor.module, steps, rate, batch)
    state = {"params": params, "memory": optax.adam(rate).init(params), "key": key}
    data = {"graphs": stacked(items), "predictor": predictor.params}
    state, _ = train(
        learner, state, steps, data=data, chunk=max(1, steps // 5), report=report, what=what
    )
    return state["params"]


def pg_explainer(
    predictor: Predictor,
    items: Sequence[Example],
    *,
    key: jax.Array,
    steps: int,
    rate: float = 3e-3,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
) -> Selector:
    """Selects edges by a network that was trained to mask them.

    Args:
        predictor: what is explained.
        items: invalid groups to learn from.
        key: of weights and noise.
        steps: of training, on 16 groups each.
        rate: of Adam.
        report: told about progress.

    Source: Luo et al., NeurIPS 2020.
    """
    module = EdgeScorer()
    init, noise = jax.random.split(key)
    graph = padded(items[0])
    params = initial(module, init, graph, states_of(predictor.module, predictor.params, graph))
    params = learn(
        _pg_loss,
        module,
        params,
        predictor,
        items,
        key=noise,
        steps=steps,
        rate=rate,
        what="training PGExplainer",
        report=report,
    )

    def select(cost: CostModel, group: Group) -> Sequence[tuple[int, int]]:
        graph = padded(example(cost, group))
        found = _pg_scores(module, predictor.module, params, predictor.params, graph)
        return top_edges(cost, group, np.asarray(found))

    return select


@functools.partial(jax.jit, static_argnums=(0, 1))
def _pg_scores(
    module: EdgeScorer, network: KGnn, params: Any, known: Any, graph: GraphsTuple
) -> Float[Array, "p"]:
    found: Any = module.apply(params, graph, states_of(network, known, graph))
    return found


def _pg_loss(
    module: EdgeScorer,
    network: KGnn,
    params: Any,
    known: Any,
    graphs: GraphsTuple,
    key: jax.Array,
    progress: jax.Array,
) -> Float[Array, ""]:
    temperature = 5.0 * (0.2**progress)  # from 5 to 1

    def one(graph: GraphsTuple, key: jax.Array) -> jax.Array:
        scores = _pg_scores(module, network, params, known, graph)
        noise = jax.random.logistic(key, scores.shape)
        return _objective(network, known, graph, jax.nn.sigmoid((scores + noise) / temperature))

    keys = jax.random.split(key, graphs.n_node.shape[0])
    return jnp.mean(jax.vmap(one)(graphs, keys))
