import dataclasses

import numpy as np
import pytest
from support import typed_sets

from experiments.graphs.rphgnn.collecting import Walks, collect, collect_labels, group_name
from experiments.graphs.rphgnn.planted import opposite_signs
from experiments.graphs.rphgnn.rivals import metapath_groups, mixed_groups
from experiments.graphs.rphgnn.squashing import unit_rows
from ntkexec.errors import ExperimentError

PA, AP = ("p", "pa", "a"), ("a", "rev_pa", "p")


def drawn(seed=0):
    return typed_sets.assembled(typed_sets.graph(seed))


def dense(graph, relation):
    """The mean over senders, link by link."""
    made = np.zeros((graph.num_nodes[relation[2]], graph.num_nodes[relation[0]]))
    back = relation not in graph.relations
    pairs = graph.relations[(relation[2], relation[1][4:], relation[0]) if back else relation]
    for u, v in pairs:
        made[(u, v) if back else (v, u)] = 1
    return made / np.maximum(made.sum(1, keepdims=True), 1)


def test_the_first_iteration_is_means_out_and_back_after_the_own_features():
    graph = drawn()
    made = collect(graph, 1, generator=np.random.default_rng(0), width=5, dtype=np.float64)
    x = graph.features["p"]
    even = made.groups[group_name("even", PA)]
    np.testing.assert_array_equal(even[:, 0], x)
    wanted = dense(graph, AP) @ dense(graph, PA) @ x
    np.testing.assert_allclose(even[:, 1], wanted, rtol=1e-12, atol=1e-12)
    assert made.groups[group_name("odd", AP)].shape == (12, 1, 5)


def test_tensors_products_and_projections_are_as_many_as_the_relations_say():
    graph = drawn()
    for iterations in (1, 3):
        made = collect(graph, iterations, generator=np.random.default_rng(0), use_input=False)
        # Two relations end in p and two begin there; four in all, of which each is heard twice.
        assert sum(group.shape[1] for group in made.groups.values()) == 4 * iterations
        assert made.products == 2 * iterations * 4
        assert made.projections == 2 * 4 * (iterations - 1)
        odd = collect(graph, iterations, generator=np.random.default_rng(0), scheme="odd")
        assert (len(odd.groups), odd.products) == (2, 4 * iterations)


def test_the_order_of_relations_and_types_changes_nothing_and_a_seed_gives_equal_bits():
    graph = drawn()
    turned = dataclasses.replace(
        graph,
        relations=dict(reversed(graph.relations.items())),
        num_nodes=dict(reversed(graph.num_nodes.items())),
    )
    one, other = (collect(g, 3, generator=np.random.default_rng(1)).groups for g in (graph, turned))
    assert set(one) == set(other)
    for name, group in one.items():
        np.testing.assert_array_equal(group, other[name])


def test_without_other_features_types_are_drawn_and_the_target_keeps_its_own():
    graph = opposite_signs(np.random.default_rng(0), targets=80, others=60, train=5, validation=20)
    name = group_name("odd", AP)
    made = {
        use: collect(graph, 1, generator=np.random.default_rng(0), width=7, use_all_feat=use).groups
        for use in (True, False)
    }
    assert [made[use][name].shape[2] for use in (True, False)] == [32, 7]
    even = group_name("even", PA)
    np.testing.assert_array_equal(made[True][even], made[False][even])


def test_no_node_hears_its_own_label_and_one_that_hears_nobody_gets_the_uniform_vector():
    graph = drawn()
    known = graph.splits[0].train
    found = collect_labels(graph, known)
    assert set(found) == {group_name("even", PA), group_name("even", ("p", "ps", "s"))}
    for node in np.flatnonzero(known):
        labels = graph.labels.copy()
        labels[node] = (labels[node] + 1) % 3
        other = collect_labels(dataclasses.replace(graph, labels=labels), known)
        for name, group in found.items():
            np.testing.assert_allclose(group[node], other[name][node], atol=1e-12)
    lonely = np.array([[i, i] for i in range(9)])
    alone = dataclasses.replace(graph, relations={PA: lonely})
    np.testing.assert_array_equal(collect_labels(alone, known)[group_name("even", PA)], 1 / 3)


def test_rivals_are_products_of_means_and_means_over_all_neighbours():
    graph = drawn()
    inputs = {kind: np.ones((number, 2), np.float32) for kind, number in graph.num_nodes.items()}
    inputs["a"] = np.random.default_rng(0).normal(size=(9, 2)).astype(np.float32)
    paths = metapath_groups(graph, inputs, hops=3)
    assert len(paths) == 1 + 2 + 2 + 4
    step = dense(graph, AP)
    np.testing.assert_allclose(paths["p/a-rev_pa-p"][:, 0], step @ inputs["a"], atol=1e-6)
    longer = step @ dense(graph, PA) @ step @ inputs["a"]
    found = paths["p/a-rev_pa-p/p-pa-a/a-rev_pa-p"][:, 0]
    np.testing.assert_allclose(found, longer, atol=1e-6)
    mixed = mixed_groups(graph, inputs, hops=2)["mixed"]
    assert mixed.shape == (12, 3, 5)
    node = 3
    heard = [inputs[k][v] for (_, _, k), p in graph.relations.items() for u, v in p if u == node]
    np.testing.assert_allclose(mixed[node, 1, 3:], np.mean(heard, 0), atol=1e-6)
    np.testing.assert_allclose(mixed[:, :, :3].sum(2), 1, atol=1e-6)


def test_what_cannot_be_collected_is_refused():
    graph = drawn()
    with pytest.raises(ExperimentError, match="not in 0"):
        collect(graph, 0, generator=np.random.default_rng(0))
    empty = dataclasses.replace(graph, relations={})
    with pytest.raises(ExperimentError, match="no relation reaches"):
        collect(empty, 1, generator=np.random.default_rng(0))
    assert Walks(graph).products == 0
    np.testing.assert_array_equal(unit_rows(np.zeros((2, 3))), 0)
