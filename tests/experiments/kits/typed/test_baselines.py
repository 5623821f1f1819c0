"""Baselines of typed graphs by their formulas, and drawn graphs by what was planted in them."""

import dataclasses

import jax
import numpy as np
import pytest
from scipy.special import softmax
from support import typed_sets

from experiments.kits.graph.baselines import MLP
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.typed.baselines import RGCN, HANLite, PathMLP, TargetRows, path_features
from experiments.kits.typed.device import arrays_of, homogenised, links_of
from experiments.kits.typed.generators import class_links, planted_metapath, planted_path
from experiments.kits.typed.layers import link_softmax
from experiments.kits.typed.operators import (
    compose,
    metapaths,
    reachable,
    relation_operators,
    thinned,
    with_reverses,
)
from ntkexec.errors import ExperimentError

GRAPH = typed_sets.assembled(typed_sets.graph())
OPERATORS = relation_operators(GRAPH)


def drawn(model, graph):
    shapes = initial_by_numpy(model, np.random.default_rng(0), graph)
    generator = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), shapes)


def applied(model, graph):
    with jax.enable_x64(True):
        variables = drawn(model, graph)
        return variables["params"], np.asarray(model.apply(variables, graph))


def affine(part, x):
    return x @ part["kernel"] + part.get("bias", 0)


def inputs(p):
    rows = {kind: p["encoder"][f"in_{kind}"]["embedding"] for kind in ("a", "s")}
    return {**rows, "p": np.maximum(affine(p["encoder"]["in_p"], GRAPH.features["p"]), 0)}


def test_rgcn_is_a_sum_of_means_over_relations():
    graph = arrays_of(GRAPH, OPERATORS)
    p, found = applied(RGCN(3, hidden=5), graph)
    rows = inputs(p)
    for layer in range(2):
        new = {}
        for kind in GRAPH.types if layer == 0 else ("p",):
            new[kind] = affine(p[f"self_{layer}_{kind}"], rows[kind])
            for (source, name, target), matrix in OPERATORS.items():
                if target == kind:
                    new[kind] = new[kind] + matrix @ affine(p[f"{name}_{layer}"], rows[source])
        rows = {kind: np.maximum(x, 0) if layer == 0 else x for kind, x in new.items()}
    np.testing.assert_allclose(found, rows["p"], rtol=1e-5, atol=1e-5)
    assert not {name for name in p if name.startswith("self_1")} - {"self_1_p"}


def test_han_attends_to_neighbours_and_weighs_paths():
    paths = [path for path in metapaths(OPERATORS, "p", 2) if path[-1][0] == "p"]
    joined = {path: reachable(OPERATORS, path) for path in paths}
    graph = arrays_of(GRAPH, joined)
    p, found = applied(HANLite(3, hidden=6, heads=2, semantic=4), graph)
    rows, stacked = inputs({"encoder": {**p["encoder"], **empty_tables()}})["p"], []
    for place, path in enumerate(sorted(paths)):
        sent = affine(p[f"path_{place}"], rows).reshape(12, 2, 3)
        part = p[f"neighbours_{place}"]
        received, left = ((sent * part[name]).sum(-1) for name in ("attention", "sender_attention"))
        scores = received[:, None] + left[None]
        scores = np.where(scores > 0, scores, 0.2 * scores)
        scores = np.where(joined[path].toarray()[..., None] > 0, scores, -np.inf)
        some = np.isfinite(scores).any(1, keepdims=True)
        shares = np.where(some, softmax(np.where(some, scores, 0), axis=1), 0)
        z = np.einsum("ijh,jhf->ihf", shares, sent).reshape(12, 6)
        stacked.append(np.where(z > 0, z, np.expm1(z)))
    stacked = np.stack(stacked)
    weights = softmax((np.tanh(affine(p["semantic"], stacked)) @ p["paths"]["kernel"]).mean(1), 0)
    expected = affine(p["last"], (weights[:, None] * stacked).sum(0))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    with pytest.raises(ExperimentError, match="4 heads do not divide a width of 6"):
        applied(HANLite(3, hidden=6), graph)


def empty_tables():
    return {f"in_{kind}": {"embedding": None} for kind in ("a", "s")}


def test_shares_of_links_sum_to_one_and_a_link_of_weight_zero_is_none():
    matrix = reachable(OPERATORS, metapaths(OPERATORS, "p", 1)[0])
    links = links_of(matrix, num_links=matrix.nnz + 5)
    scores = 50 * np.random.default_rng(0).normal(size=(matrix.nnz + 5, 2))
    with jax.enable_x64(True):
        shares = np.asarray(link_softmax(links, scores))
        values = np.array(links.values)
        values[:2] = 0
        fewer = np.asarray(link_softmax(dataclasses.replace(links, values=values), scores))
    sums = np.zeros((12, 2))
    np.add.at(sums, np.asarray(links.rows), shares)
    degrees = np.diff(matrix.indptr)
    np.testing.assert_allclose(sums, np.where(degrees > 0, 1, 0)[:, None] * [1, 1], rtol=1e-12)
    assert not shares[matrix.nnz :].any()
    assert not fewer[:2].any()


def test_path_means_are_products_and_rows_of_the_target_come_first():
    found = path_features(GRAPH, hops=2)
    assert list(found) == ["p", "p-a", "p-s", "p-a-p", "p-s-p"]
    path = metapaths(OPERATORS, "p", 2)[0]
    mean = compose(OPERATORS, path) @ GRAPH.features["p"]
    np.testing.assert_allclose(found["p-a-p"], mean, rtol=1e-6)
    assert applied(PathMLP(3, hidden=4), found)[1].shape == (12, 3)
    assert applied(TargetRows(MLP(3, hidden=4), 12), homogenised(GRAPH))[1].shape == (12, 3)


@pytest.mark.parametrize("carrier", ["a", "s"])
def test_only_the_planted_path_leads_to_ends_of_the_targets_class(carrier):
    graph = planted_metapath(np.random.default_rng(0), carrier=carrier)
    found = relation_operators(graph)
    centre = graph.features["v"] - graph.features["v"].mean(0)
    hits = {}
    for path in metapaths(with_reverses(graph), "p", 2):
        if path[-1][0] == "v":
            x = compose(found, path) @ centre
            means = np.stack([x[graph.labels == label].mean(0) for label in range(4)])
            nearest = ((x[:, None] - means) ** 2).sum(-1).argmin(1)
            hits[path] = (nearest == graph.labels).mean()
    assert hits[planted_path(carrier)] > 0.8
    assert min(hits.values()) < 0.5
    links = {relation[1]: len(pairs) for relation, pairs in graph.relations.items()}
    assert links == {"pa": 900, "av": 300, "ps": 900, "sv": 300}
    (split,) = graph.splits
    assert (split.train.sum(), split.validation.sum(), split.test.sum()) == (80, 80, 140)
    with pytest.raises(ExperimentError, match="by a or by s, not by 'v'"):
        planted_metapath(np.random.default_rng(0), carrier="v")


def test_links_by_class_are_different_and_as_many_as_asked():
    generator = np.random.default_rng(0)
    classes = np.arange(40) % 4
    pairs = class_links(generator, classes, classes[:20], 5, 1.0)
    assert len(np.unique(pairs, axis=0)) == 200
    assert (classes[pairs[:, 0]] == classes[pairs[:, 1]]).all()
    with pytest.raises(ExperimentError, match="as many within each class"):
        class_links(generator, classes, classes[:20], 6, 0.5)


def test_a_thinned_matrix_keeps_so_many_entries_of_a_row():
    matrix = compose(OPERATORS, metapaths(OPERATORS, "p", 2)[1])
    found = thinned(matrix, 3, np.random.default_rng(0))
    degrees = np.diff(matrix.indptr)
    assert np.diff(found.indptr).tolist() == np.minimum(degrees, 3).tolist()
    kept = found.toarray()
    np.testing.assert_array_equal(kept[kept > 0], matrix.toarray()[kept > 0])
    with pytest.raises(ExperimentError, match="not 0"):
        thinned(matrix, 0, np.random.default_rng(0))
