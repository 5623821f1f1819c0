"""How steady and how needed a selection is: turnover, coverage, the price of others, its reach."""

import dataclasses
from typing import Any

import flax.linen as nn
import jax
import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.kits.graph.operators import num_nodes
from experiments.kits.graph.segments import GraphsTuple
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class SelectionReport:
    """A selection over epochs.

    Args:
        turnover: of each epoch but the first, the share of the selected that were not before.
        classes: of each class, its share among the selected of all epochs over its share of nodes.
        components: the share of the graph's components in which some node was ever selected.
        kept: the share of nodes ever selected that are so in every epoch.
    """

    turnover: tuple[float, ...]
    classes: tuple[float, ...]
    components: float
    kept: float


def selection_report(
    selected: Int[np.ndarray, "epochs m"], graph: GraphsTuple, labels: Int[np.ndarray, " n"]
) -> SelectionReport:
    """What a layer selected, epoch by epoch.

    Args:
        selected: indices of nodes, in any order within an epoch.
        graph: one graph; its features are not read.
        labels: classes from 0; -1 where unknown.

    Raises:
        ExperimentError: there is no epoch, or a node beyond the graph.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    selected, n = np.asarray(selected), num_nodes(graph)
    if selected.ndim != 2 or not selected.size or selected.min() < 0 or selected.max() >= n:
        raise ExperimentError(
            f"a selection of epochs and nodes 0 to {n - 1} is needed, got shape {selected.shape}"
        )
    here = np.zeros((len(selected), n), bool)
    np.put_along_axis(here, selected, True, 1)
    new = (here[1:] & ~here[:-1]).sum(1) / here[1:].sum(1)
    ones = np.ones(len(np.asarray(graph.senders)))
    matrix = coo_array((ones, (graph.receivers, graph.senders)), shape=(n, n))
    number, component = connected_components(matrix, directed=False)
    ever, known = here.any(0), labels >= 0
    shares = []
    for label in range(int(labels.max()) + 1):
        members = labels == label
        taken = here[:, members].sum() / max(1, here[:, known].sum())
        shares.append(float(taken / max(members.sum() / max(1, known.sum()), 1e-300)))
    return SelectionReport(
        turnover=tuple(new.tolist()),
        classes=tuple(shares),
        components=len(np.unique(component[ever])) / int(number),
        kept=float(here.all(0).sum() / ever.sum()),
    )


def replacement_cost(
    model: nn.Module,
    variables: Any,
    graph: Any,
    labels: Int[np.ndarray, "*b n"],
    mask: Bool[np.ndarray, "*b n"],
    generator: np.random.Generator,
    *,
    draws: int = 5,
) -> float:
    """Accuracy that a trained network loses, in the mean, if nodes drawn at random are selected instead.

    Args:
        model: with a readout of nodes.
        variables: trained.
        graph: as the model takes it.
        labels: of its nodes.
        mask: nodes that count.
        generator: draws the nodes.
        draws: of them.
    """

    forward = jax.jit(lambda variables, graph, ranks: model.apply(variables, graph, ranks=ranks))

    def accuracy(ranks: np.ndarray) -> float:
        logits = np.asarray(forward(variables, graph, ranks.astype(np.float32)))
        return float((logits.argmax(-1) == labels)[mask].mean())

    others = [accuracy(generator.random(np.shape(labels))) for _ in range(draws)]
    return accuracy(np.full(np.shape(labels), np.nan)) - float(np.mean(others))


def far_attention(
    attention: Float[np.ndarray, "n m"],
    selected: Int[np.ndarray, " m"],
    graph: GraphsTuple,
    *,
    hops: int,
) -> Float[np.ndarray, " n"]:
    """Of each node's attention, the share that goes to nodes which no neighbourhood of so many hops holds.

    Args:
        attention: of each node to the selected, as a `per_node` layer sows it.
        selected: those nodes.
        graph: one graph.
        hops: 2 for each layer.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import dijkstra

    n = num_nodes(graph)
    ones = np.ones(len(np.asarray(graph.senders)))
    matrix = coo_array((ones, (graph.senders, graph.receivers)), shape=(n, n)).tocsr()
    distance = dijkstra(matrix, indices=np.asarray(selected), unweighted=True, limit=hops)
    outside = ~np.isfinite(distance).T
    return np.asarray((np.asarray(attention) * outside).sum(1))
