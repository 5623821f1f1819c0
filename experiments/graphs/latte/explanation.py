"""Which paths a node's rows came by: shares of metapaths times shares of links, and what deleting does."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Float, Int

from experiments.graphs.latte.network import LATTE, Attention
from experiments.graphs.latte.paths import PathGraph
from experiments.kits.typed.operators import Metapath, path_name
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class PathUse:
    """What a node took from one other by one metapath, in one layer.

    Args:
        path: from the node outwards; empty for the node itself.
        tail: number of the node, of the path's last type, from which; None for what went to a metapath
            by which this node has no links, and so to nothing.
        weight: the metapath's weight times the link's share, the mean over heads.
    """

    path: Metapath
    tail: int | None
    weight: float

    def __str__(self) -> str:
        if not self.path:
            return f"{self.weight:.3f} itself"
        end = "nothing" if self.tail is None else f"{self.path[-1][0]} {self.tail}"
        return f"{self.weight:.3f} {end} by {path_name(self.path)}"


def explain_paths(
    model: LATTE, variables: Any, graph: PathGraph, node: int, *, order: int = 0
) -> tuple[PathUse, ...]:
    """What went into a target node's row of a layer, the largest share first; weights sum to 1.

    Args:
        model, variables, graph: of the network.
        node: of the target.
        order: of the layer, counted from 1; 0 for the last.

    Raises:
        ExperimentError: there is no such node or layer.
    """
    number = graph.arrays.size(graph.arrays.target)
    order = order or model.layers
    if not 0 <= node < number or not 1 <= order <= model.layers:
        raise ExperimentError(
            f"node {node} in layer {order}: there are nodes 0 to {number - 1} and layers 1 to "
            f"{model.layers}"
        )
    attention = attentions(model, variables, graph)[order - 1]
    weights = attention.weights[graph.arrays.target][node]
    found = [PathUse((), node, float(weights[-1]))]
    for place, (path, links) in enumerate(_own(graph, order).items()):
        chosen = np.flatnonzero((np.asarray(links.rows) == node) & (np.asarray(links.values) > 0))
        shares = attention.shares[path][chosen].mean(1)
        tails = np.asarray(links.columns)[chosen].tolist()
        uses = zip(tails, (weights[place] * shares).tolist(), strict=True)
        found += [PathUse(path, tail, weight) for tail, weight in uses if weight > 0]
        if not shares.any():
            found.append(PathUse(path, None, float(weights[place])))
    return tuple(sorted(found, key=lambda use: -use.weight))


def attentions(model: LATTE, variables: Any, graph: PathGraph) -> tuple[Attention, ...]:
    """What each layer gave to links and metapaths, as NumPy arrays, without dropout."""
    _, kept = model.apply(variables, graph, mutable=["intermediates"])
    found = kept["intermediates"]["attention"]
    return tuple(jax.tree.map(np.asarray, found))


class Deletion(NamedTuple):
    """How much lower the logit of a node's class is without something; of the nodes that have two.

    Args:
        nodes: of the target.
        top: without what has the largest weight.
        other: without another, drawn by chance.
    """

    nodes: Int[np.ndarray, " n"]
    top: Float[np.ndarray, " n"]
    other: Float[np.ndarray, " n"]


def delete_paths(
    model: LATTE,
    variables: Any,
    graph: PathGraph,
    classes: Int[np.ndarray, " n"],
    generator: np.random.Generator,
) -> Deletion:
    """Deletes, for each node, all links of its top metapath in the last layer, and of another one.

    A link of the last layer reaches its head alone, so one pass deletes for all nodes.

    Args:
        model, variables, graph: of the network.
        classes: whose logits are looked at, such as the true ones.
        generator: draws the other metapath among those by which the node has links.
    """
    last = attentions(model, variables, graph)[-1]
    links = _own(graph, model.layers)
    weights = last.weights[graph.arrays.target][:, :-1]
    has = np.stack([_number(of) > 0 for of in links.values()], 1)
    nodes = np.flatnonzero(has.sum(1) > 1)
    weighed = np.where(has, weights, -1)
    top, other = _two(weighed, has, generator)

    def without(chosen: np.ndarray) -> PathGraph:
        fewer = graph
        for place, (path, of) in enumerate(links.items()):
            fewer = fewer.kept(path, chosen[np.asarray(of.rows)] != place)
        return fewer

    lost = _lost(model, variables, graph, classes, (without(top), without(other)))
    return Deletion(nodes, lost[0][nodes], lost[1][nodes])


def delete_links(
    model: LATTE,
    variables: Any,
    graph: PathGraph,
    classes: Int[np.ndarray, " n"],
    generator: np.random.Generator,
) -> Deletion:
    """Deletes, for each node, its top link in the last layer, and another; see `delete_paths`."""
    last = attentions(model, variables, graph)[-1]
    links = _own(graph, model.layers)
    weights = last.weights[graph.arrays.target]
    rows = np.concatenate([np.asarray(of.rows) for of in links.values()])
    there = np.concatenate([np.asarray(of.values) > 0 for of in links.values()])
    use = np.concatenate(
        [
            weights[np.asarray(of.rows), place] * last.shares[path].mean(1)
            for place, (path, of) in enumerate(links.items())
        ]
    )
    number = len(weights)

    def first_by(score: np.ndarray) -> np.ndarray:
        """For each node the place of its link of highest score; -1 without one."""
        order = np.lexsort((-score, rows))
        order = order[there[order]]
        found = np.full(number, -1)
        heads, first = np.unique(rows[order], return_index=True)
        found[heads] = order[first]
        return found

    top = first_by(use)
    drawn = generator.random(len(rows))
    drawn[top[top >= 0]] = -1
    other = first_by(drawn)
    nodes = np.flatnonzero((top >= 0) & (other != top))

    def without(chosen: np.ndarray) -> PathGraph:
        keep = np.ones(len(rows), bool)
        keep[chosen[nodes]] = False
        fewer, start = graph, 0
        for path, of in links.items():
            fewer = fewer.kept(path, keep[start : start + len(of.rows)])
            start += len(of.rows)
        return fewer

    lost = _lost(model, variables, graph, classes, (without(top), without(other)))
    return Deletion(nodes, lost[0][nodes], lost[1][nodes])


def _own(graph: PathGraph, order: int) -> Mapping[Metapath, Any]:
    """Links of an order whose head is the target, in the order of the weights."""
    links = graph.of_order(order)
    return {path: of for path, of in links.items() if path[0][2] == graph.arrays.target}


def _number(links: Any) -> np.ndarray:
    counted: np.ndarray = np.bincount(
        np.asarray(links.rows), np.asarray(links.values) > 0, links.shape[0]
    )
    return counted


def _two(
    weighed: np.ndarray, has: np.ndarray, generator: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """For each row the place of the largest, and another that it has, by chance."""
    top = weighed.argmax(1)
    chance = np.where(has, generator.random(has.shape), -1)
    chance[np.arange(len(top)), top] = -1
    return top, chance.argmax(1)


def _lost(
    model: LATTE, variables: Any, graph: PathGraph, classes: np.ndarray, fewer: Any
) -> list[np.ndarray]:
    places = np.arange(len(classes))

    def logit(given: PathGraph) -> np.ndarray:
        found: np.ndarray = np.asarray(model.apply(variables, given))[places, classes]
        return found

    whole = logit(graph)
    return [whole - logit(part) for part in fewer]
