"""Baselines equal their formulas on dense matrices, whatever holds the features."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from scipy import sparse, special

from experiments.kits.graph.baselines import APPNP, GAT, GCN, GIN, MLP, SAGE, SGC
from experiments.kits.graph.convert import from_networkx
from experiments.kits.graph.equivariance import equivariance_error
from experiments.kits.graph.features import Dense, Dropout, SparseFeatures, times
from experiments.kits.graph.operators import dense, normalised
from experiments.kits.initialisation import initial_by_numpy

GENERATOR = np.random.default_rng(0)
FEATURES = np.where(GENERATOR.random((34, 9)) < 0.4, GENERATOR.normal(size=(34, 9)), 0)
KARATE = from_networkx(nx.karate_club_graph(), FEATURES)._replace(edges=None)
WITH_LOOPS = normalised(KARATE)
A = dense(WITH_LOOPS)


@pytest.fixture(autouse=True)
def doubles():
    with jax.enable_x64(True):
        yield


def drawn(model, graph):
    """Variables of the model, none of them zero."""
    shapes = initial_by_numpy(model, np.random.default_rng(1), graph)
    generator = np.random.default_rng(2)
    return jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), shapes)


def relu(x):
    return np.maximum(x, 0)


def affine(part, x):
    return x @ part["kernel"] + part.get("bias", 0)


def gcn(p, x):
    for name in ("first", "stack", "last"):
        part = p[name]["convolution"] if name == "stack" else p[name]
        for layer in range(2) if name == "stack" else [...]:
            x = A @ x @ part["linear"]["kernel"][layer] + part["bias"][layer]
            x = x if name == "last" else relu(x)
    return x


def appnp(p, x):
    z = affine(p["MLP_0"]["Dense_1"], relu(affine(p["MLP_0"]["Dense_0"], x)))
    h = z
    for _ in range(5):
        h = 0.8 * A @ h + 0.2 * z
    return h


def sage(p, x):
    mean = dense(normalised(KARATE, how="mean", self_loops=False))
    for layer in range(2):
        x = affine(p[f"Dense_{2 * layer}"], x) + mean @ affine(p[f"Dense_{2 * layer + 1}"], x)
        x = relu(x) if layer == 0 else x
    return x


def gin(p, x):
    for layer in range(2):
        part = p[f"GINConvolution_{layer}"]
        x = (1 + part["epsilon"]) * x + dense(KARATE) @ x
        x = affine(part["Dense_1"], relu(x @ part["Dense_0"]["kernel"] + part["bias"]))
        x = relu(x) if layer == 0 else x
    return x


def gat(p, x, version=1):
    def attention(part, x, heads):
        values = (x @ part["Dense_0"]["kernel"]).reshape(34, heads, -1)
        leaky = lambda s: np.where(s > 0, s, 0.2 * s)  # noqa: E731
        if version == 1:
            to = (values * part["attention"]).sum(-1)
            scores = leaky(to[:, None] + (values * part["sender_attention"]).sum(-1)[None])
        else:
            other = (x @ part["Dense_1"]["kernel"]).reshape(34, heads, -1)
            scores = (leaky(other[:, None] + values[None]) * part["attention"]).sum(-1)
        shares = special.softmax(np.where(A[..., None] > 0, scores, -np.inf), axis=1)
        bias = part["bias"].reshape(heads, -1)
        return np.einsum("ijh,jhf->ihf", shares, values) + bias

    x = attention(p["GraphAttention_0"], x, 2).reshape(34, -1)
    x = np.where(x > 0, x, np.expm1(np.minimum(x, 0)))
    return attention(p["GraphAttention_1"], x, 3).mean(1)


CASES = [
    (MLP(3, 4), WITH_LOOPS, lambda p, x: affine(p["Dense_1"], relu(affine(p["Dense_0"], x)))),
    (GCN(3, 4, layers=4), WITH_LOOPS, gcn),
    (SGC(3, 3), WITH_LOOPS, lambda p, x: A @ A @ A @ affine(p["Dense_0"], x) + p["bias"]),
    (APPNP(3, 4, hops=5, alpha=0.2), WITH_LOOPS, appnp),
    (SAGE(3, 4), normalised(KARATE, how="mean", self_loops=False), sage),
    (GIN(3, 4, learn_epsilon=True), KARATE, gin),
    (GAT(3, 4, heads=2, last_heads=3), WITH_LOOPS, gat),
    (GAT(3, 4, heads=2, last_heads=3, version=2), WITH_LOOPS, lambda p, x: gat(p, x, 2)),
]
NAMES = ["mlp", "gcn", "sgc", "appnp", "sage", "gin", "gat", "gatv2"]


@pytest.mark.parametrize(("model", "graph", "formula"), CASES, ids=NAMES)
def test_a_baseline_is_its_formula_for_dense_and_sparse_features(model, graph, formula):
    variables = drawn(model, graph)
    expected = formula(variables["params"], FEATURES)
    found = model.apply(variables, graph)
    np.testing.assert_allclose(found, expected, rtol=1e-10, atol=1e-10)
    held = graph._replace(nodes=SparseFeatures.of(FEATURES))
    np.testing.assert_allclose(model.apply(variables, held), expected, rtol=1e-10, atol=1e-10)
    for features in (graph, held):
        error = equivariance_error(
            lambda g: model.apply(variables, g), features, np.random.default_rng(0)
        )
        assert error < 1e-10


def test_dense_is_the_layer_of_flax_and_drawn_like_it():
    x = jnp.asarray(FEATURES, jnp.float32)
    variables = nn.Dense(5).init(jax.random.key(0), x)
    own = Dense(5).init(jax.random.key(0), x)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), variables, own))
    np.testing.assert_allclose(Dense(5).apply(variables, x), nn.Dense(5).apply(variables, x))


def test_dropout_keeps_the_mean_and_the_zeros_at_a_rate_that_is_data():
    ones = SparseFeatures.of(sparse.random_array((100, 100), density=0.5, rng=GENERATOR) > 0)
    ones = dataclasses.replace(ones, values=np.ones(len(ones.rows)))

    @jax.jit
    def dropped(rate, x):
        return Dropout(rate).apply({}, x, train=True, rngs={"dropout": jax.random.key(0)})

    for rate in (0.2, 0.8):
        values = np.asarray(dropped(rate, ones).values)
        np.testing.assert_allclose(np.unique(values), [0, 1 / (1 - rate)])
        assert abs((values == 0).mean() - rate) < 5 * 0.5 / np.sqrt(5000)
    assert Dropout(0.8).apply({}, ones, train=False) is ones
    assert Dropout(0.0).apply({}, ones, train=True) is ones


def test_gradients_of_sparse_features_are_those_of_dense_ones():
    held = SparseFeatures.of(FEATURES)
    kernel, weight = GENERATOR.normal(size=(9, 4)), GENERATOR.normal(size=(34, 4))

    def of_kernel(kernel, features):
        return (times(features, kernel) * weight).sum()

    def of_values(values):
        return of_kernel(kernel, dataclasses.replace(held, values=values))

    np.testing.assert_allclose(
        jax.jit(jax.grad(of_kernel))(kernel, held),
        jax.grad(of_kernel)(kernel, FEATURES),
        rtol=1e-12,
    )
    by_entry = jax.grad(of_kernel, argnums=1)(kernel, FEATURES)[held.rows, held.columns]
    np.testing.assert_allclose(jax.grad(of_values)(held.values), by_entry, rtol=1e-12)
    assert np.array_equal(held.to_scipy().toarray(), FEATURES)
