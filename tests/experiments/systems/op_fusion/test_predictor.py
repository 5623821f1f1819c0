"""The predictor against sums by hand, and explainers on networks whose reasons are known."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.training import train
from experiments.systems.op_fusion import predictor as predictors
from experiments.systems.op_fusion.cost import KB, CostModel
from experiments.systems.op_fusion.explain import fitted_mask, gnn_explainer, padded, pg_explainer
from experiments.systems.op_fusion.graph import Op, OpGraph, Read, Tensor, as_group, members
from experiments.systems.op_fusion.networks import network
from experiments.systems.op_fusion.plan import random_groups
from experiments.systems.op_fusion.predictor import KGnn, Predictor, example, fit_predictor, scores
from experiments.systems.op_fusion.rg_explain import rg_explainer


@pytest.fixture(scope="module")
def groups():
    cost = CostModel(network("squeezenet").graph, "lbdf", 64 * KB)
    drawn = random_groups(cost, 96, np.random.default_rng(0), largest=14)
    return cost, drawn, [example(cost, group) for group in drawn]


def test_the_predictor_s_messages_are_a_sum_over_neighbours(groups):
    cost, drawn, items = groups
    module = KGnn(hidden=5, num_layers=2)
    graph = padded(items[0])
    params = jax.jit(module.init)(jax.random.key(0), graph)
    apply = jax.jit(module.apply)
    h = np.asarray(items[0].graph.nodes)
    place = {v: i for i, v in enumerate(members(drawn[0]))}
    adjacency = np.zeros((len(h), len(h)))
    for u, v in cost.graph.inner_edges(drawn[0]):
        adjacency[place[u], place[v]] = adjacency[place[v], place[u]] = 1
    p = jax.tree.map(np.asarray, params["params"])
    for layer in range(2):
        own, other = p[f"Dense_{2 * layer}"], p[f"Dense_{2 * layer + 1}"]
        h = np.maximum(0, h @ own["kernel"] + own["bias"] + adjacency @ h @ other["kernel"])
    expected = h.sum(0) @ p["Dense_4"]["kernel"] + p["Dense_4"]["bias"]
    np.testing.assert_allclose(apply(params, graph)[0][0], expected[0], rtol=1e-4)
    # Masking all edges leaves the nodes alone.
    alone = apply(params, graph, jnp.zeros(len(graph.senders)))[0][0]
    bare = dataclasses.replace(
        items[0],
        graph=items[0].graph._replace(
            senders=np.zeros(0, np.int32),
            receivers=np.zeros(0, np.int32),
            edges=np.zeros(0, np.int32),
            n_edge=np.zeros(1, np.int32),
        ),
    )
    np.testing.assert_allclose(alone, apply(params, padded(bare))[0][0], rtol=1e-5)


def fitted(items, **sizes):
    key, generator = jax.random.key(0), np.random.default_rng(0)
    return fit_predictor(items, key=key, generator=generator, batch_size=32, **sizes)


@pytest.fixture(scope="module")
def predictor(groups):
    return fitted(groups[2], steps=150, hidden=8, layers=2)


@pytest.mark.slow
def test_the_predictor_learns_the_groups_that_it_is_shown(groups, predictor):
    _, _, items = groups
    truth = np.array([e.invalid for e in items])
    assert 0.1 < truth.mean() < 0.9
    # Chance would pass with the majority's share; half of the remaining errors must go.
    majority = max(truth.mean(), 1 - truth.mean())
    accuracy = scores(truth, predictor(items) > 0.5)["accuracy"]
    assert accuracy > (1 + majority) / 2
    untrained = Predictor(predictor.module, jax.tree.map(jnp.zeros_like, predictor.params))
    assert scores(truth, untrained(items) > 0.5)["accuracy"] <= majority


@pytest.mark.slow
def test_batches_that_only_fill_up_are_never_drawn(groups, monkeypatch):
    seen = []

    def spoilt(step, state, num_steps, *, data, **options):
        graphs, labels = data["items"]
        labels = labels.at[data["number"] :].set(jnp.nan)
        seen.append((int(data["number"]), len(labels)))
        return train(step, state, num_steps, data={**data, "items": (graphs, labels)}, **options)

    monkeypatch.setattr(predictors, "train", spoilt)
    found = fitted(groups[2], steps=60, hidden=2, layers=1)
    assert seen == [(3, 8)]
    assert all(jnp.isfinite(leaf).all() for leaf in jax.tree.leaves(found.params))


def test_scores_are_those_counted_by_hand():
    invalid = np.array([True, True, False, False, False])
    predicted = np.array([True, False, False, False, True])
    assert scores(invalid, predicted) == {"accuracy": 0.6, "f1": 2 * 2 / (2 * 2 + 2)}


@pytest.fixture(scope="module")
def selectors(groups):
    """All explainers, of an untrained network of one layer: it compiles fast, and they must obey."""
    items = groups[2]
    module = KGnn(hidden=4, num_layers=1)
    predictor = Predictor(module, jax.jit(module.init)(jax.random.key(0), padded(items[0])))
    invalid = [e for e in items if e.invalid]
    return {
        "GNNE": gnn_explainer(predictor, key=jax.random.key(1), steps=5),
        "PG": pg_explainer(predictor, invalid, key=jax.random.key(2), steps=1),
        "RG": rg_explainer(predictor, invalid, key=jax.random.key(3), steps=1),
    }


def invalid_groups(groups):
    _, drawn, items = groups
    return [group for group, e in zip(drawn, items, strict=True) if e.invalid][:8]


@pytest.mark.slow
def test_explainers_name_edges_of_the_group_and_always_the_same(groups, selectors):
    cost = groups[0]
    for name, select in selectors.items():
        for group in invalid_groups(groups):
            inner = cost.graph.inner_edges(group)
            found = list(select(cost, group))
            assert found, name
            assert set(found) <= set(inner)
            assert len(set(found)) == len(found)
            if name != "RG":
                assert len(found) == min(len(inner), max(2, round(len(inner) / 2)))
            assert list(select(cost, group)) == found


@pytest.mark.slow
def test_rg_explanations_hang_together(groups, selectors):
    cost = groups[0]
    for group in invalid_groups(groups):
        touched = as_group(sorted({v for edge in selectors["RG"](cost, group) for v in edge}))
        assert cost.graph.is_connected(touched)


@pytest.mark.slow
def test_a_mask_fitted_to_a_known_network_keeps_the_edges_that_matter():
    """A network that counts messages from one kind of node: only its edges can raise the logit."""
    ops = [Op("conv", Tensor(4, 4), (Read(-1),), weights=100)]
    ops += [Op("relu", Tensor(4, 4), (Read(v),)) for v in range(5)]
    graph = OpGraph(tuple(ops), (Tensor(4, 4),), frozenset({5}))
    cost = CostModel(graph, "lbdf", 64)
    module = KGnn(hidden=1, num_layers=1)
    params = jax.jit(module.init)(jax.random.key(0), padded(example(cost, graph.everything)))
    params = jax.tree.map(jnp.zeros_like, params)
    kernel = params["params"]["Dense_1"]["kernel"].at[0, 0].set(2.0)  # feature 0: a convolution
    params["params"]["Dense_1"]["kernel"] = kernel
    params["params"]["Dense_2"]["kernel"] += 1.0
    # The entropy term drives edges that do not matter to either side, as their start has it.
    graph = padded(example(cost, graph.everything))
    masks = [fitted_mask(module, 60, 0.1, params, graph, jax.random.key(i))[:5] for i in range(8)]
    masks = np.stack(masks)
    assert (masks[:, 0] > 0.5).all()
    assert ((masks[:, 1:] < 0.5).sum(axis=0) > 0).all()
