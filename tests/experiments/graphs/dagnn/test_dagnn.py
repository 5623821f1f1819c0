"""DAGNN: hops and gates by their formulas, how far a node sees, and where hops end."""

import jax
import networkx as nx
import numpy as np
import pytest

from experiments.graphs.dagnn import (
    DAGNN,
    advise_depth,
    propagate,
    smoothness,
    stationary_limit,
)
from experiments.graphs.dagnn.smoothing import second_eigenvalue
from experiments.kits.costs import num_parameters
from experiments.kits.graph.convert import from_edges, from_networkx
from experiments.kits.graph.operators import dense, normalised
from experiments.kits.nodes.fitting import graph_of
from experiments.kits.nodes.generators import contextual_sbm
from ntkexec.errors import ExperimentError

GENERATOR = np.random.default_rng(0)
KARATE = from_networkx(nx.karate_club_graph(), GENERATOR.normal(size=(34, 5)))._replace(edges=None)
GRAPH = normalised(KARATE)
A = dense(GRAPH)
PARAMS = {
    "first": {"kernel": GENERATOR.normal(size=(5, 8)), "bias": GENERATOR.normal(size=8)},
    "last": {"kernel": GENERATOR.normal(size=(8, 3)), "bias": GENERATOR.normal(size=3)},
    "gate": {"kernel": GENERATOR.normal(size=(3, 1)), "bias": GENERATOR.normal(size=1)},
}
NO_GATE = {"kernel": np.zeros((3, 1)), "bias": np.zeros(1)}


def predicted(x):
    hidden = np.maximum(x @ PARAMS["first"]["kernel"] + PARAMS["first"]["bias"], 0)
    return hidden @ PARAMS["last"]["kernel"] + PARAMS["last"]["bias"]


def logits(graph=GRAPH, gate=None, **fields):
    params = PARAMS if gate is None else {**PARAMS, "gate": gate}
    with jax.enable_x64(True):
        return np.asarray(DAGNN(3, 8, **{"hops": 4, **fields}).apply({"params": params}, graph))


def powers(z, number):
    return np.stack([np.linalg.matrix_power(A, k) @ z for k in range(number + 1)], 1)


def close(one, other):
    np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-12)


def test_logits_are_gated_hops_of_the_mlp():
    stacked = powers(predicted(KARATE.nodes), 4)
    scores = stacked @ PARAMS["gate"]["kernel"] + PARAMS["gate"]["bias"]
    close(logits(), (stacked / (1 + np.exp(-scores))).sum(1))


def test_gates_of_one_and_of_a_half_are_the_sum_of_hops_and_half_of_it():
    total = powers(predicted(KARATE.nodes), 4).sum(1)
    close(logits(gated=0.0), total)
    close(logits(gate=NO_GATE), total / 2)


def test_weights_on_hops_make_sgc_and_appnp():
    z = GENERATOR.normal(size=(34, 3))
    with jax.enable_x64(True):
        hops = np.asarray(propagate(GRAPH, z, 6))
    close(hops[:, 6], np.linalg.matrix_power(A, 6) @ z)
    weights = np.append(0.1 * 0.9 ** np.arange(6), 0.9**6)
    h = z
    for _ in range(6):
        h = 0.9 * A @ h + 0.1 * z
    close(np.einsum("k,nkc->nc", weights, hops), h)


def test_a_node_sees_its_hops_and_nothing_beyond():
    path = from_edges(np.stack([np.arange(9), np.arange(1, 10)], 1), GENERATOR.normal(size=(10, 5)))
    graph = normalised(path)
    changed = graph._replace(nodes=path.nodes + np.eye(10)[:, -1:])  # of the last node
    apart = np.abs(logits(changed, hops=6) - logits(graph, hops=6)).max(1)
    assert (apart[:3] == 0).all()
    assert (apart[3:] > 0).all()


def test_parameters_are_the_published_number():
    graph = normalised(graph_of(contextual_sbm(GENERATOR, nodes=240, features=128)))
    model = DAGNN(40, 256, 16, batch_norm=True)
    shapes = jax.eval_shape(model.init, jax.random.key(0), graph)
    assert num_parameters(shapes["params"]) == 43_857


@pytest.mark.parametrize("how", ["sym", "row"])
def test_the_limit_is_that_of_each_component(how):
    two = nx.disjoint_union(nx.karate_club_graph(), nx.cycle_graph(6))
    graph = from_networkx(two)._replace(edges=None)
    operator = dense(normalised(graph, how=how))
    limit = stationary_limit(graph, np.eye(40), how=how)
    np.testing.assert_allclose(np.linalg.matrix_power(operator, 3000), limit, atol=1e-10)
    assert np.linalg.matrix_rank(limit) == 2
    assert smoothness(limit @ GENERATOR.normal(size=(40, 3))) > 0.01
    with pytest.raises(ExperimentError, match="one-way edges"):
        stationary_limit(from_edges(np.array([[0, 1]]), np.eye(2), directed=True), np.eye(2))


@pytest.mark.parametrize("number", [5, 6, 30])
def test_the_second_eigenvalue_is_that_of_the_dense_operator(number):
    graph = from_networkx(nx.path_graph(number))
    values = np.sort(np.abs(np.linalg.eigvalsh(dense(normalised(graph)))))
    assert second_eigenvalue(graph) == pytest.approx(values[-2], rel=1e-9)


def test_smoothness_is_the_mean_over_pairs_and_falls_at_the_spectrum_s_rate():
    x = GENERATOR.normal(size=(34, 5))
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    pairs = [np.linalg.norm(a - b) / 2 for i, a in enumerate(unit) for b in unit[:i]]
    assert smoothness(x) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert smoothness(np.concatenate([x, np.zeros((3, 5))])) == pytest.approx(smoothness(x))
    assert smoothness(np.outer([1, 2, 3], [1.0, 2.0])) == pytest.approx(0, abs=1e-12)
    late = [smoothness(np.linalg.matrix_power(A, k) @ x) for k in (60, 100)]
    rate = (late[1] / late[0]) ** (1 / 40)
    assert rate == pytest.approx(second_eigenvalue(KARATE), rel=0.002)


def test_advice_undoes_the_noise_of_labels_and_follows_homophily():
    data = contextual_sbm(np.random.default_rng(1), nodes=1200, degree=10, homophily=0.7)
    graph = graph_of(data)
    wrong = GENERATOR.random(1200) < 0.2
    seen = np.where(wrong, (data.labels + GENERATOR.integers(1, 4, 1200)) % 4, data.labels)
    told = advise_depth(graph, seen, classes=4, label_noise=0.2)
    assert told.homophily == pytest.approx(0.7, abs=0.03)
    assert advise_depth(graph, seen, classes=4).homophily < 0.6
    assert told.gain[0] == 1
    assert told.gain[told.hops] > 2
    assert 0.01 / told.second_eigenvalue > told.second_eigenvalue**told.smoothed
    useless = contextual_sbm(np.random.default_rng(1), nodes=1200, degree=10, homophily=0.25)
    assert advise_depth(graph_of(useless), useless.labels).hops == 0
    with pytest.raises(ExperimentError, match="no edge has two ends of known class"):
        advise_depth(graph, np.full(1200, -1), classes=4)
    with pytest.raises(ExperimentError, match=r"noise of 0\.75 say nothing"):
        advise_depth(graph, data.labels, label_noise=0.75)
