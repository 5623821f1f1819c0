"""Exact statements about metapaths, attention and the proximity loss, on a drawn schema."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.data.typed import Relation, TypedGraph
from experiments.graphs.latte.explanation import attentions, explain_paths
from experiments.graphs.latte.network import LATTE, XAVIER, proximity_loss
from experiments.graphs.latte.paths import compose, metapaths, path_graph
from experiments.graphs.latte.study_config import LatteConfig
from experiments.harness.study import Trial
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.typed.operators import reachable, relation_operators, with_reverses

SIZES = {"p": 14, "a": 11, "v": 6, "s": 9}
SCHEMA = ("pa", "av", "ps", "sv")


def identities(config: LatteConfig, trial: Trial) -> dict[str, Any]:
    """The largest deviation of each statement, and of twins that lack a premise.

    `counts`: metapaths of order t from one type to another are entries of the t-th power of the matrix
    of relations; `reach`: what a composed adjacency holds is the boolean product; `joins`: composing
    weighs a pair by 1 / (degrees of each common middle), and joining paths is associative; `shares` and
    `weights`: attention over links and over metapaths sums to 1 for each node; `explained`: the
    weights of a node's explanation sum to 1 in each layer; `proximity`: with scores of 0 and weights
    of 1 the proximity loss is log 2.
    """
    generator = trial.generator
    graph = _drawn(generator)
    relations = with_reverses(graph)
    adjacency = relation_operators(graph, how="none")
    kept = {"counts": _count_error(relations), **_join_errors(adjacency)}
    with jax.enable_x64(True):
        network = LATTE(3, 8)
        paths = path_graph(graph)
        shapes = initial_by_numpy(network, generator, paths, rules=XAVIER)
        variables = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), shapes)
        kept |= _attention_errors(network, variables, paths)
        zero, one = jnp.zeros(50), jnp.ones(50)
        kept["proximity"] = float(abs(proximity_loss(zero, one, zero) - np.log(2)))
        half = float(abs(proximity_loss(zero, one / 2, zero) - np.log(2)))
    # Without reverses, with paths counted by how often they join two nodes, with weights of a half.
    broken = {
        "counts": _count_error(relations, list(graph.relations)),
        "reach": _counted_twice(adjacency),
        "proximity": half,
    }
    return {"kept": kept, "broken": broken}


def _drawn(generator: np.random.Generator) -> TypedGraph:
    pairs: dict[Relation, np.ndarray] = {}
    for name in SCHEMA:
        shape = (SIZES[name[0]], SIZES[name[1]])
        # Some middles have no link on one side.
        linked = generator.random(shape) < 0.2
        linked[0], linked[-1, -1] = False, True
        pairs[name[0], name, name[1]] = np.argwhere(linked)
    features = {kind: generator.normal(size=(n, 5)).astype(np.float32) for kind, n in SIZES.items()}
    return TypedGraph("drawn", SIZES, pairs, features, "p", np.arange(SIZES["p"]) % 3)


def _count_error(relations: Any, given: Any = None) -> float:
    kinds = list(SIZES)
    counts = np.zeros((4, 4), int)
    for source, _, target in relations:
        counts[kinds.index(target), kinds.index(source)] += 1
    worst = 0
    for order in (1, 2, 3, 4):
        found = np.zeros((4, 4), int)
        for path in metapaths(given or relations, order):
            found[kinds.index(path[0][2]), kinds.index(path[-1][0])] += 1
        worst = max(worst, int(np.abs(found - np.linalg.matrix_power(counts, order)).max()))
    return float(worst)


def _join_errors(adjacency: Any) -> dict[str, float]:
    reach, joins = 0.0, 0.0
    for path in metapaths(adjacency, 2):
        first, second = (adjacency[relation] for relation in path)
        found = compose(first, second).toarray()
        joined = (first.toarray() @ second.toarray()) > 0
        reach = max(reach, float(np.abs((found > 0) * 1.0 - joined).max()))
        expected = np.zeros_like(found)
        for middle in range(first.shape[1]):
            ends = first.toarray()[:, middle], second.toarray()[middle]
            if ends[0].sum() + ends[1].sum() > 0:
                expected += np.outer(*ends) / (ends[0].sum() + ends[1].sum())
        joins = max(joins, float(np.abs(found - expected).max()))
    for path in metapaths(adjacency, 3):
        by_left = reachable(adjacency, path[:2]) @ adjacency[path[2]]
        by_right = adjacency[path[0]] @ reachable(adjacency, path[1:])
        whole = reachable(adjacency, path).toarray() > 0
        for found in (by_left, by_right):
            reach = max(reach, float(np.abs((found.toarray() > 0) * 1.0 - whole).max()))
    return {"reach": reach, "joins": joins}


def _counted_twice(adjacency: Any) -> float:
    worst = 0.0
    for path in metapaths(adjacency, 2):
        first, second = (adjacency[relation].toarray() for relation in path)
        worst = max(worst, float(np.abs(first @ second - (first @ second > 0)).max()))
    return worst


def _attention_errors(network: LATTE, variables: Any, graph: Any) -> dict[str, float]:
    shares, weights, explained = 0.0, 0.0, 0.0
    for order, layer in enumerate(attentions(network, variables, graph), 1):
        for path, links in graph.of_order(order).items():
            if path in layer.shares:
                sums = np.zeros((links.shape[0], 2))
                np.add.at(sums, np.asarray(links.rows), layer.shares[path])
                has = np.isin(np.arange(links.shape[0]), np.asarray(links.rows))
                shares = max(shares, float(np.abs(sums - has[:, None]).max()))
        for each in layer.weights.values():
            weights = max(weights, float(np.abs(each.sum(1) - 1).max()))
        for node in range(0, SIZES["p"], 3):
            uses = explain_paths(network, variables, graph, node, order=order)
            explained = max(explained, abs(sum(use.weight for use in uses) - 1))
    return {"shares": shares, "weights": weights, "explained": explained}
