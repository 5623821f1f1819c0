"""LA-GNN: draws, the first layer and the losses, by their formulas; the study `exact` has the others."""

import flax.linen as nn
import jax
import networkx as nx
import numpy as np
import pytest
from scipy.special import log_softmax, softmax

from experiments.graphs.lagnn import (
    AugmentedNetwork,
    ConditionalVAE,
    LocalAugmentation,
    attribute,
    consistency_loss,
    fit_generator,
    sample_neighbours,
)
from experiments.graphs.lagnn.attribution import ARMS, BACKBONES, RULES
from experiments.graphs.lagnn.generator import divergence
from experiments.graphs.lagnn.network import (
    NeighbourSampler,
    SageConvolution,
    agreement_score,
    halved,
    sharpened,
)
from experiments.kits.costs import num_parameters
from experiments.kits.graph.baselines import SAGE, GraphConvolution
from experiments.kits.graph.convert import from_edges, from_networkx
from experiments.kits.graph.operators import normalised
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.nodes.splits import per_class
from ntkexec.errors import ExperimentError

GENERATOR = np.random.default_rng(0)
X = GENERATOR.integers(0, 2, (34, 6)).astype(np.float32)
KARATE = from_networkx(nx.karate_club_graph(), X)._replace(edges=None)
VAE = ConditionalVAE(6, 8, 3)
GENERATED = initial_by_numpy(VAE, GENERATOR, X, X, np.zeros((1, 3), np.float32))
SAMPLER = NeighbourSampler.of(VAE, GENERATED, X)


def test_the_divergence_is_that_of_normals_and_zero_at_the_prior():
    mean, log_variance = GENERATOR.normal(size=(2, 1, 4)) / 2
    z = mean + np.exp(log_variance / 2) * GENERATOR.normal(size=(200_000, 4))
    density = -(((z - mean) ** 2) / np.exp(log_variance) + log_variance - z**2).sum(1) / 2
    error = density.std() / np.sqrt(len(z))
    assert abs(density.mean() - divergence(mean, log_variance)[0]) < 4 * error
    assert divergence(0 * mean, 0 * mean)[0] == 0


def test_sharpening_keeps_order_and_sums_and_ends_in_the_largest():
    p = softmax(GENERATOR.normal(size=(20, 5)), axis=1).astype(np.float32)
    half = np.asarray(sharpened(p, 0.5))
    np.testing.assert_allclose(half, p**2 / (p**2).sum(1, keepdims=True), rtol=1e-5)
    np.testing.assert_allclose(sharpened(p, 1.0), p, rtol=1e-5)
    assert (half.argsort(1) == p.argsort(1)).all()
    np.testing.assert_allclose(sharpened(p, 1e-3), np.eye(5)[p.argmax(1)], atol=1e-3)
    assert np.isfinite(np.asarray(sharpened(np.eye(3, dtype=np.float32), 0.5))).all()


@pytest.mark.slow
def test_consistency_is_the_distance_to_a_target_without_gradient():
    logits = GENERATOR.normal(size=(4, 7, 3)).astype(np.float32)
    p = softmax(logits, axis=-1)
    target = p.mean(0) ** 2 / (p.mean(0) ** 2).sum(-1, keepdims=True)
    value, gradient = jax.value_and_grad(consistency_loss)(logits)
    np.testing.assert_allclose(value, ((p - target) ** 2).sum(-1).mean(), rtol=1e-5)
    slope = 2 * (p - target) / (4 * 7)
    np.testing.assert_allclose(
        gradient, p * (slope - (p * slope).sum(-1, keepdims=True)), atol=1e-6
    )
    np.testing.assert_allclose(consistency_loss(logits[::-1]), value, rtol=1e-6)
    assert consistency_loss(logits[:1], temperature=1.0) < 1e-12
    assert consistency_loss(100 * logits) <= 2


@pytest.mark.slow
def test_scores_are_plain_loops_and_zero_for_one_pass():
    logits = GENERATOR.normal(size=(5, 6, 3)) * 2
    labels, mask = GENERATOR.integers(3, size=6), np.arange(6) < 4
    p = softmax(logits, axis=-1)
    code = [
        np.mean([np.log(p[s, v, labels[v]]) for s in range(5)]) - np.log(p[:, v, labels[v]].mean())
        for v in range(4)
    ]
    mean = p.mean(0)
    entropy = (p * log_softmax(logits, axis=-1)).sum(-1).mean(0) - (mean * np.log(mean)).sum(-1)
    found = agreement_score(logits, labels, mask)
    np.testing.assert_allclose(found, [np.mean(code), entropy[:4].mean()], rtol=1e-4)
    np.testing.assert_allclose(agreement_score(logits[:1], labels, mask), 0, atol=1e-6)


def test_drawn_rows_sum_to_one_and_depend_on_their_own_row_and_on_the_key():
    key = jax.random.key(0)
    drawn = np.asarray(sample_neighbours(VAE, GENERATED, X, key))
    np.testing.assert_allclose(drawn.sum(1), 1, rtol=1e-5)
    np.testing.assert_array_equal(drawn, SAMPLER(key))
    np.testing.assert_array_equal(SAMPLER.at(X)(key), X)
    assert np.abs(drawn - SAMPLER(jax.random.key(1))).max(1).min() > 0


@pytest.mark.parametrize("backbone", BACKBONES)
def test_any_first_layer_is_applied_once_for_each_input_side_by_side(backbone):
    graph = BACKBONES[backbone].operator(KARATE)
    layer = BACKBONES[backbone].first(4)
    both = LocalAugmentation(layer)
    variables = initial_by_numpy(both, GENERATOR, [X, 2 * X], graph)
    assert set(variables["params"]) == {"branch_0", "branch_1"}
    hidden = np.asarray(both.apply(variables, [X, 2 * X], graph))
    for branch, x in enumerate((X, 2 * X)):
        alone = layer.apply({"params": variables["params"][f"branch_{branch}"]}, x, graph)
        found = hidden[:, 4 * branch : 4 * branch + 4]
        np.testing.assert_allclose(found, np.reshape(alone, (34, -1)), rtol=1e-5, atol=1e-6)


def test_two_convolutions_of_sage_are_the_baseline():
    graph = BACKBONES["sage"].operator(KARATE)
    network = SAGE(3, 5)
    variables = initial_by_numpy(network, GENERATOR, graph)
    parts = [variables["params"][f"Dense_{index}"] for index in range(4)]
    layers = [{"params": {"Dense_0": parts[i], "Dense_1": parts[i + 1]}} for i in (0, 2)]
    hidden = nn.relu(SageConvolution(5).apply(layers[0], X, graph))
    found = SageConvolution(3).apply(layers[1], hidden, graph)
    np.testing.assert_allclose(found, network.apply(variables, graph), rtol=1e-4, atol=1e-5)


def test_every_evaluation_draws_anew_and_its_draw_is_stored():
    graph = normalised(KARATE)._replace(nodes=(X, SAMPLER))
    network = AugmentedNetwork(GraphConvolution(4, 0.5), GraphConvolution(3, 0.5), copies=2)
    variables = initial_by_numpy(network, GENERATOR, graph, rules=RULES)
    # (q + 1) branches of F h + h, and a last layer that reads all of them.
    assert num_parameters(variables["params"]) == 3 * (6 * 4 + 4) + 3 * 4 * 3 + 3
    rngs = {"dropout": jax.random.key(0)}
    _, state = network.apply(variables, graph, train=True, rngs=rngs, mutable=["draw"])
    assert state["draw"]["count"] == variables["draw"]["count"] + 1
    first, second, again = (
        np.asarray(network.apply({**variables, **given}, graph)) for given in ({}, state, {})
    )
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - second).max() > 0


def test_halving_doubles_about_half_of_the_entries_and_drops_the_others():
    x = np.arange(1, 70 * 9 + 1, dtype=np.float32).reshape(70, 9)
    ratio = np.asarray(halved(x, jax.random.key(0))) / x
    assert set(ratio.ravel()) == {0, 2}
    # Of 630 fair coins; rows and columns are not dropped as a whole.
    assert abs(ratio.mean() - 1) < 4 / np.sqrt(ratio.size)
    assert len(np.unique(ratio, axis=0)) > 60
    assert len(np.unique(ratio, axis=1).T) == 9


@pytest.mark.slow
def test_what_cannot_be_attributed_is_refused():
    labels = np.arange(34) % 2
    split = per_class(labels, GENERATOR, train=3, validation=10)
    for given, words in (
        ({"backbone": "gcnn"}, "gcnn"),
        ({"arms": ("copies",)}, "copies"),
        ({"others": {"mean": X}}, "mean"),
    ):
        with pytest.raises(ExperimentError, match=words):
            attribute(KARATE, labels, split, generator=GENERATOR, **given)
    with pytest.raises(ExperimentError, match="edges"):
        fit_generator(VAE, from_edges(np.zeros((0, 2), int), X), generator=GENERATOR)
    with pytest.raises(ExperimentError, match="from 0 to 3"):
        fit_generator(VAE, KARATE._replace(nodes=3 * X), generator=GENERATOR)


@pytest.mark.slow
@pytest.mark.parametrize("backbone", BACKBONES)
def test_every_backbone_has_a_table_with_all_arms_and_a_users_own(backbone):
    labels = np.arange(34) % 2
    split = per_class(labels, GENERATOR, train=3, validation=10)
    found = attribute(
        KARATE, labels, split, generator=GENERATOR, backbone=backbone, others={"others": 1 - X},
        vae=VAE, epochs=1, steps=3,
    )  # fmt: skip
    assert set(found.accuracies) == {*ARMS, "others"}
    assert all(0 <= accuracy <= 1 for accuracy in found.accuracies.values())
    assert len(str(found).splitlines()) == len(ARMS) + 2
    # X' that are fixed make every evaluation the same; drawn ones are drawn anew.
    assert found.fresh("copy", 3).tolist() == [found.accuracies["copy"]] * 3
    assert found.fresh("augmented", 3).shape == (3,)
    assert np.isfinite(found.gains_by_degree("augmented", "plain")).all()
