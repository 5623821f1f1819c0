"""Drawn graphs have the homophily, degree and distances that were asked for; splits are splits."""

import networkx as nx
import numpy as np
import pytest

from experiments.kits.nodes.generators import (
    contextual_sbm,
    digits_knn,
    homophily_of,
    null_graph,
    topic_sbm,
    two_scale_sbm,
)
from experiments.kits.nodes.splits import per_class
from ntkexec.errors import ExperimentError


def drawn(seed=0):
    return np.random.default_rng(seed)


@pytest.mark.parametrize("homophily", [0.1, 0.8])
def test_degree_homophily_and_signal_are_what_was_asked_for(homophily):
    data = contextual_sbm(drawn(), nodes=1200, degree=8, homophily=homophily, signal=2.0)
    assert len(data.edges) == 4800
    assert homophily_of(data) == homophily
    means = [data.features[data.labels == label].mean(0) for label in range(4)]
    assert np.linalg.norm(means, axis=1) == pytest.approx(2, abs=0.3)
    assert np.bincount(data.labels).tolist() == [300] * 4


def test_the_same_seed_draws_the_same_graph():
    one, other, third = (contextual_sbm(drawn(seed)) for seed in (3, 3, 4))
    assert np.array_equal(one.edges, other.edges)
    assert np.array_equal(one.features, other.features)
    assert not np.array_equal(one.features, third.features)


def test_a_graph_that_cannot_be_is_refused():
    with pytest.raises(ExperimentError, match="of 40 pairs 90 would be edges"):
        contextual_sbm(drawn(), nodes=20, degree=9, homophily=1)


def test_evidence_lies_at_the_two_distances():
    data = two_scale_sbm(drawn(), nodes=240, block=6, distance=5, signal=3.0, features=64)
    graph = nx.Graph(data.edges.tolist())
    hops = dict(nx.all_pairs_shortest_path_length(graph))
    # What leans is told by its length: noise has length 1.
    leaning = np.flatnonzero(np.linalg.norm(data.features, axis=1) > 2)
    asked = np.flatnonzero(data.labels >= 0)
    nearest = np.array([min(hops[v].get(u, 99) for u in leaning) for v in asked])
    assert set(nearest[nearest > 0]) == {5, 6, 7, 8, 9}
    assert (nearest > 0).sum() == pytest.approx((nearest == 0).sum(), abs=12)
    # Within a block all are alike.
    near = asked[nearest == 0]
    assert all((data.labels[v] == data.labels[u]) for v in near for u in near if v // 6 == u // 6)


def test_words_are_distinct_and_tell_of_the_class():
    data = topic_sbm(drawn(), nodes=400)
    assert (np.asarray(data.features.sum(1)) == 8).all()
    assert set(data.features.data.tolist()) == {1.0}
    assert len(data.edges) == 600
    assert homophily_of(data) == pytest.approx(0.8, abs=0.1)
    words = [np.asarray(data.features[data.labels == label].sum(0))[0] for label in range(5)]
    alike = np.corrcoef(words)
    other = topic_sbm(drawn(), nodes=400, topic=0.0)
    words = [np.asarray(other.features[other.labels == label].sum(0))[0] for label in range(5)]
    assert alike[np.triu_indices(5, 1)].max() < np.corrcoef(words).min()


def test_nothing_tells_of_the_class_in_the_null_graph():
    data = null_graph(drawn(), nodes=1200, features=4)
    assert homophily_of(data) == pytest.approx(0.25, abs=0.04)
    means = [data.features[data.labels == label].mean(0) for label in range(4)]
    assert np.abs(means).max() < 5 * 0.5 / np.sqrt(300)


def test_digits_are_joined_to_their_like():
    data = digits_knn(drawn(), nodes=300, validation=50)
    assert data.features.shape == (300, 64)
    assert homophily_of(data) > 0.85
    assert (np.bincount(data.edges.ravel(), minlength=300) >= 5).all()


def test_a_split_has_equally_many_of_each_class_and_no_node_twice():
    labels = np.repeat([0, 1, 2, -1], [30, 20, 10, 5])
    split = per_class(labels, drawn(), train=4, validation=9, test=12)
    assert np.bincount(labels[split.train]).tolist() == [4, 4, 4]
    assert (split.validation.sum(), split.test.sum()) == (9, 12)
    parts = split.train.astype(int) + split.validation + split.test
    assert parts.max() == 1
    assert (parts[labels < 0] == 0).all()
    rest = per_class(labels, drawn(), train=4, validation=9)
    assert rest.test.sum() == 60 - 12 - 9
    with pytest.raises(ExperimentError, match="class 2 has 10 nodes, and 11 of each"):
        per_class(labels, drawn(), train=11, validation=1)
    with pytest.raises(ExperimentError, match="48 nodes are left for 40 to pick by and 9 to test"):
        per_class(labels, drawn(), train=4, validation=40, test=9)
