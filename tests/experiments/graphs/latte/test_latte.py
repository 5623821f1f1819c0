"""LATTE against dense formulas: paths, attention, its special cases, proximity, explanations."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import sparse
from scipy.special import softmax
from support import typed_sets

from experiments.graphs.latte import (
    LATTE,
    LATTEConv,
    compose,
    explain_paths,
    metapaths,
    path_graph,
    proximity_loss,
)
from experiments.graphs.latte.explanation import attentions, delete_links, delete_paths
from experiments.graphs.latte.network import XAVIER, is_linked, path_key
from experiments.graphs.latte.paths import wanted_paths
from experiments.kits.costs import num_parameters
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.typed.operators import reachable, relation_operators, with_reverses
from ntkexec.errors import ExperimentError

GRAPH = typed_sets.assembled(typed_sets.graph())
RELATIONS = with_reverses(GRAPH)
ADJACENCY = relation_operators(GRAPH, how="none")
PATHS = path_graph(GRAPH, wedges=True)
MODEL = LATTE(3, hidden=4, threshold=0.0)


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


def drawn(model, *inputs, **arguments):
    shapes = initial_by_numpy(model, np.random.default_rng(0), *inputs, rules=XAVIER, **arguments)
    generator = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), shapes)


VARIABLES = drawn(MODEL, PATHS)


def changed(variables, change):
    """The variables with every leaf given by `change(path, leaf)`."""

    def of(path, leaf):
        return change("/".join(str(entry.key) for entry in path), leaf)

    return jax.tree_util.tree_map_with_path(of, variables)


def logits(variables=VARIABLES, graph=PATHS, model=MODEL):
    return np.asarray(model.apply(variables, graph))


def affine(part, x):
    return x @ part["kernel"] + part["bias"]


def leaky(x):
    return np.where(x > 0, x, 0.2 * x)


def layer(part, rows, order, heads=2):
    """One layer on dense matrices."""
    new, width = {}, 4
    for kind in GRAPH.types:
        paths = [path for path in metapaths(RELATIONS, order) if path[0][2] == kind]
        if f"left_{kind}" not in part:
            continue
        left = affine(part[f"left_{kind}"], rows[kind])
        weights = softmax(affine(part[f"weights_{kind}"], rows[kind]), axis=1)
        total = weights[:, -1:] * left
        for place, path in enumerate(paths):
            own, tail = part[path_key(path)], path[-1][0]
            right = affine(part[f"right_{tail}"], rows[tail]).reshape(-1, heads, width // heads)
            head = left.reshape(-1, heads, width // heads)
            scores = (head * own["attention"]).sum(-1)[:, None] + (
                right * own["sender_attention"]
            ).sum(-1)[None]
            there = reachable(ADJACENCY, path).toarray()[..., None] > 0
            scores = np.where(there, own["scale"] * leaky(scores), -1e30)
            shares = np.where(there.any(1, keepdims=True) & there, softmax(scores, axis=1), 0)
            z = np.einsum("ijh,jhf->ihf", shares, right).reshape(-1, width)
            total = total + weights[:, place : place + 1] * z
        new[kind] = np.maximum(total, 0)
    return new


@pytest.mark.slow
def test_logits_are_two_layers_of_attention_over_paths_side_by_side():
    p = VARIABLES["params"]
    rows = {kind: p["encoder"][f"in_{kind}"].get("embedding") for kind in GRAPH.types}
    rows["p"] = np.maximum(affine(p["encoder"]["in_p"], GRAPH.features["p"]), 0)
    first = layer(p["layer_1"], rows, 1)
    second = layer(p["layer_2"], first, 2)
    expected = affine(p["last"], np.concatenate([first["p"], second["p"]], 1))
    np.testing.assert_allclose(logits(), expected, rtol=1e-6, atol=1e-6)
    # Types that the target does not need change nothing, nor do wedges where all links stay.
    plain = path_graph(GRAPH)
    assert len(plain.arrays.links) < len(PATHS.arrays.links)
    model = dataclasses.replace(MODEL, threshold=None)
    pruned = drawn(model, plain)["params"]
    wanted = {
        name: {key: p[name][key] for key in part} if name.startswith("layer") else p[name]
        for name, part in pruned.items()
    }
    np.testing.assert_allclose(logits({"params": wanted}, plain, model), logits(), rtol=1e-12)


def test_paths_of_an_order_are_those_before_joined_to_every_relation_that_meets():
    for order in (2, 3):
        joined = {
            (*path, relation)
            for path in metapaths(RELATIONS, order - 1)
            for relation in RELATIONS
            if relation[2] == path[-1][0]
        }
        assert set(metapaths(RELATIONS, order)) == joined
    assert {path[0][2] for path in metapaths(RELATIONS, 2, head="a")} == {"a"}
    needed = wanted_paths(tuple(RELATIONS), "p", 2)
    assert [path for path in needed if len(path) == 2] == [*metapaths(RELATIONS, 2, head="p")]


def test_joining_weighs_middles_by_their_degrees_and_survives_those_without_links():
    first = sparse.csr_array(np.array([[1.0, 1, 0], [1, 0, 0]]))
    second = sparse.csr_array(np.array([[1.0, 1], [0, 1], [0, 0]]))
    np.testing.assert_allclose(
        compose(first, second).toarray(), [[1 / 4, 1 / 4 + 1 / 2], [1 / 4, 1 / 4]], rtol=1e-15
    )
    with pytest.raises(ExperimentError, match="do not meet"):
        compose(first, first)


def test_parameters_of_a_layer_are_counted_by_types_and_paths():
    every = path_graph(GRAPH, every_type=True)
    width = 4
    for order in (1, 2):
        rows = {kind: np.zeros((GRAPH.num_nodes[kind], width)) for kind in GRAPH.types}
        conv = LATTEConv(width)
        found = num_parameters(drawn(conv, rows, every.of_order(order), kinds=GRAPH.types))
        paths = metapaths(RELATIONS, order)
        of_heads = [sum(path[0][2] == kind for path in paths) for kind in GRAPH.types]
        assert found == (
            2 * 3 * (width**2 + width)
            + len(paths) * (2 * width + 1)
            + sum((width + 1) * (number + 1) for number in of_heads)
        )


def test_without_sharpness_shares_are_equal_and_without_links_a_layer_is_a_gated_matrix():
    def blunt(path, leaf):
        return np.zeros(()) if path.endswith("scale") else leaf

    for found in attentions(MODEL, changed(VARIABLES, blunt), PATHS):
        for path, shares in found.shares.items():
            degrees = np.diff(reachable(ADJACENCY, path).indptr)
            rows = np.asarray(PATHS.arrays.links[path].rows)
            np.testing.assert_allclose(shares, np.repeat(1 / degrees[rows][:, None], 2, 1))
    rows = {"p": np.random.default_rng(2).normal(size=(12, 4))}
    links = {path: of for path, of in PATHS.of_order(2).items() if path[-1][0] == "p"}
    none = {
        path: dataclasses.replace(of, values=np.zeros_like(of.values)) for path, of in links.items()
    }
    conv = LATTEConv(4)
    part = drawn(conv, rows, none, kinds=("p",))
    new, found = conv.apply(part, rows, none, ("p",))
    left = affine(part["params"]["left_p"], rows["p"])
    np.testing.assert_allclose(
        new["p"], np.maximum(found.weights["p"][:, -1:] * left, 0), rtol=1e-12
    )


def test_numbering_of_a_type_does_not_matter():
    order = np.random.default_rng(3).permutation(9)
    place = np.argsort(order)
    relation = ("p", "pa", "a")
    pairs = GRAPH.relations[relation]
    moved = np.stack([pairs[:, 0], place[pairs[:, 1]]], 1)
    moved = moved[np.lexsort((moved[:, 1], moved[:, 0]))]
    other = dataclasses.replace(GRAPH, relations={**GRAPH.relations, relation: moved})

    def renumbered(path, leaf):
        return leaf[order] if path.endswith("in_a/embedding") else leaf

    found = logits(changed(VARIABLES, renumbered), path_graph(other, wedges=True))
    np.testing.assert_allclose(found, logits(), rtol=1e-12)


def test_a_shift_of_a_heads_scores_leaves_shares_only_after_the_activation():
    scores = np.random.default_rng(4).normal(size=7)
    shares = softmax(leaky(scores))
    np.testing.assert_allclose(softmax(leaky(scores) + 0.7), shares, rtol=1e-12)
    assert np.abs(softmax(leaky(scores + 0.7)) - shares).max() > 0.01
    others = jnp.zeros(3)
    shifted = proximity_loss(leaky(scores) + 0.7, shares, others)
    assert abs(shifted - proximity_loss(leaky(scores), shares, others)) > 0.01


def test_proximity_is_log_two_at_zero_and_its_gradient_is_closed():
    scores, weights = np.random.default_rng(5).normal(size=(2, 6))
    groups = (np.array([0, 0, 0, 0, 1, 1]), np.array([0, 1]))
    there = np.array([True, True, True, False, True, True])
    assert proximity_loss(np.zeros(6), np.ones(6), np.zeros(2), groups=groups) == pytest.approx(
        np.log(2), rel=1e-12
    )
    found = jax.grad(
        lambda e: proximity_loss(e, weights, jnp.zeros(2), there=there, groups=groups)
    )(jnp.asarray(scores))
    numbers = np.array([3, 3, 3, 1, 2, 2])
    expected = np.where(there, -weights / (1 + np.exp(scores)) / (2 * numbers * 2), 0)
    np.testing.assert_allclose(found, expected, rtol=1e-12)
    for path, links in PATHS.arrays.links.items():
        heads, tails = np.divmod(np.arange(links.shape[0] * links.shape[1]), links.shape[1])
        joined = reachable(ADJACENCY, path).toarray()[heads, tails] > 0
        np.testing.assert_array_equal(is_linked(links, heads, tails), joined)


def test_a_threshold_keeps_the_links_that_two_strong_ones_make():
    model = dataclasses.replace(MODEL, threshold=0.5)
    first, second = attentions(model, VARIABLES, PATHS)
    strong = {}
    for path, shares in first.shares.items():
        best, links = shares.max(1), PATHS.arrays.links[path]
        strong[path] = np.zeros(links.shape)
        keep = best >= min(0.5, best.max())
        strong[path][np.asarray(links.rows)[keep], np.asarray(links.columns)[keep]] = 1
    lost = 0
    for path, shares in second.shares.items():
        links = PATHS.arrays.links[path]
        joined = strong[path[:1]] @ strong[path[1:]]
        kept = joined[np.asarray(links.rows), np.asarray(links.columns)] > 0
        np.testing.assert_array_equal(shares.max(1) > 0, kept)
        lost += (~kept).sum()
    assert lost
    with pytest.raises(ExperimentError, match="needs a graph with wedges"):
        model.apply(VARIABLES, path_graph(GRAPH))


@pytest.mark.slow
def test_an_explanation_sums_to_one_and_deleting_is_to_have_fewer_links():
    for order in (1, 2):
        for node in range(12):
            uses = explain_paths(MODEL, VARIABLES, PATHS, node, order=order)
            assert sum(use.weight for use in uses) == pytest.approx(1, rel=1e-12)
    whole, classes = logits(), GRAPH.labels
    for delete in (delete_paths, delete_links):
        found = delete(MODEL, VARIABLES, PATHS, classes, np.random.default_rng(0))
        node = int(found.nodes[0])
        uses = [u for u in explain_paths(MODEL, VARIABLES, PATHS, node) if u.tail is not None]
        uses = [u for u in uses if u.path]
        totals = {}
        for use in uses:
            key = use.path if delete is delete_paths else (use.path, use.tail)
            totals[key] = totals.get(key, 0) + use.weight
        best = max(totals, key=totals.get)
        path, tail = (best, None) if delete is delete_paths else best
        links = PATHS.arrays.links[path]
        gone = np.asarray(links.rows) == node
        if tail is not None:
            gone &= np.asarray(links.columns) == tail
        lost = whole - logits(graph=PATHS.kept(path, ~gone))
        assert found.top[0] == pytest.approx(lost[node, classes[node]], rel=1e-9)
        assert not np.delete(lost, node, 0).any()
    with pytest.raises(ExperimentError, match="nodes 0 to 11 and layers 1 to 2"):
        explain_paths(MODEL, VARIABLES, PATHS, 12)
