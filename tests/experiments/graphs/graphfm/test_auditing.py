"""Audits of protocols that leak and of one that does not; pre-training, its average and its room."""

import dataclasses

import jax
import networkx as nx
import numpy as np
import pytest

from experiments.data.nodes import Split
from experiments.graphs.graphfm import auditing, pretraining
from experiments.graphs.graphfm.auditing import RELEASED, STRICT, Outcome, audit
from experiments.graphs.graphfm.methods import METHODS, Recipe, bgrl
from experiments.graphs.graphfm.probes import (
    probe_links,
    probe_nodes,
    selection_inflation,
    split_links,
    split_nodes,
)
from experiments.kits.graph.convert import from_edges
from experiments.kits.graph.operators import normalised, to_scipy
from experiments.kits.nodes.fitting import graph_of
from experiments.kits.nodes.generators import contextual_sbm
from ntkexec.errors import ExperimentError

SMALL = contextual_sbm(np.random.default_rng(0), nodes=300, features=64, degree=4)
CLUB = np.array(nx.karate_club_graph().edges)
FEATURES = np.random.default_rng(0).normal(size=(34, 8)).astype(np.float32)


def smoothed(graph, generator):
    """A method of one's own, with two checkpoints: features after two hops and after one."""
    operator = to_scipy(normalised(graph))
    once = operator @ np.asarray(graph.nodes)
    return np.stack([operator @ once, once])


def audited(protocol, method=smoothed, **given):
    return audit(protocol, method, generator=np.random.default_rng(1), data=SMALL, draws=5, **given)


def test_a_strict_protocol_is_clean_and_its_real_outcome_is_not_chance():
    told = audited(STRICT)
    assert told.clean, told
    assert (told.shown, told.moved) == (0, 0)
    assert told.auc.low < 0.5 < told.auc.high
    assert told.outcomes[-1].accuracy > 0.6 > 2 * told.chance


def test_showing_held_out_edges_is_found_by_count_and_by_chance_exceeded():
    told = audited(dataclasses.replace(STRICT, shows_all=True))
    assert told.shown == 1
    assert told.auc.low > 0.8
    assert len(told.leaks) == 2
    assert "shown" in str(told)


def test_picking_by_test_accuracy_moves_with_labels_and_picking_by_validation_does_not():
    told = audited(dataclasses.replace(STRICT, picks_by_test=True))
    assert told.shown == 0
    assert told.moved > 0
    assert [leak.split()[0] for leak in told.leaks] == ["test"]
    assert audited(STRICT).accuracy.value <= told.accuracy.value


def test_a_pick_by_test_accuracy_is_seen_in_links_where_a_protocol_does_not_say_what_it_picked():
    def silent(method, data, generator):
        found = dataclasses.replace(STRICT, picks_by_test=True)(method, data, generator)
        return Outcome(found.auc, found.accuracy, found.scored, found.split)

    told = audited(silent)
    assert told.moved > 0
    assert told.changed == ("the links' AUC",)
    assert "the links' AUC" in told.leaks[0]


def test_a_split_that_is_stratified_by_test_labels_is_named_and_no_pick_is_blamed():
    def stratified(method, data, generator):
        order = np.lexsort([generator.random(data.num_nodes), data.labels])
        place = np.empty(data.num_nodes, int)
        place[order] = np.arange(data.num_nodes) % 5
        split = Split(place == 0, place == 1, place > 1)
        links = split_links(data, generator)
        z = method(graph_of(dataclasses.replace(data, edges=links.train)), generator)
        accuracy = probe_nodes(z[0], data.labels, split).test
        return Outcome(probe_links(z[0], links).auc, accuracy, links.test, split)

    told = audited(stratified)
    assert told.changed == ("the split",)
    assert "moved the split in 100% of draws" in str(told)


def test_a_protocol_of_ones_own_that_hides_labels_in_features_is_found_on_null_graphs():
    def peeking(method, data, generator):
        hints = np.eye(data.num_classes, dtype=np.float32)[data.labels]
        return STRICT(method, dataclasses.replace(data, features=hints), generator)

    def itself(graph, generator):
        return np.asarray(graph.nodes)

    told = audited(peeking, itself)
    assert (told.shown, told.moved) == (0, 1)
    assert told.accuracy.low > 0.9
    assert "random labels" in told.leaks[1]


def test_a_method_is_asked_once_for_a_graph_and_the_protocol_draws_on_as_if_it_had_been_asked_again():
    asked, drawn = [], []

    def method(graph, generator):
        asked.append(generator.random())
        return np.asarray(graph.nodes)

    def protocol(given, data, generator):
        found = STRICT(given, data, generator)
        drawn.append(generator.random())
        return found

    audited(protocol, method)
    assert 2 * len(asked) == len(drawn) == 12
    assert drawn[::2] == drawn[1::2]


def test_what_cannot_be_audited_is_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(ExperimentError, match="two null graphs"):
        audit(STRICT, smoothed, generator=np.random.default_rng(0), draws=1)
    with pytest.raises(ExperimentError, match="shape"):
        audited(STRICT, lambda graph, generator: np.zeros((3, 2)))

    def silent(method, data, generator):
        nothing = np.zeros((0, 2), np.int64)
        return Outcome(0.5, 0.5, nothing, STRICT(method, data, generator).split)

    with pytest.raises(ExperimentError, match="scored 0 edges"):
        audited(silent)
    with pytest.raises(ExperimentError, match="bgrl"):
        pretraining.recipe_of("dgi")
    with pytest.raises(ExperimentError, match="chance"):
        Recipe(bgrl, edge_drop=(0.5, 1.0))
    for wrong in (0.5, (0.5,), (0.1, 0.2, 0.3)):
        with pytest.raises(ExperimentError, match="edge_drop is a pair of chances"):
            Recipe(bgrl, edge_drop=wrong)
    with pytest.raises(ExperimentError, match=r"returns an Outcome.*, not a tuple"):
        audited(lambda *given: (0.5, 0.5))
    for shares in ((0.8, 0.4), (0.0, 0.4), (0.5, 0.5), (-0.1, 0.5)):
        with pytest.raises(ExperimentError, match=f"{shares[0]} to train and {shares[1]} to valid"):
            split_nodes(SMALL.labels, generator, train=shares[0], validation=shares[1])
    with pytest.raises(ExperimentError, match="2 nodes with a label make parts of"):
        split_nodes(np.zeros(2, int), generator)
    for right in (np.ones((4, 1)), [np.ones(3), np.ones(2)], np.ones(5), []):
        with pytest.raises(ExperimentError, match="two test nodes at least"):
            selection_inflation(right, generator)


def test_edges_are_exposed_in_either_direction():
    graphs = [np.array([[1, 0], [2, 3]]), np.array([[4, 5]])]
    assert auditing.exposed(np.array([[0, 1], [3, 2], [0, 2], [4, 5]]), graphs) == 0.75


@pytest.mark.slow
def test_the_target_is_the_moving_average_of_the_steps_and_room_changes_nothing():
    graph = from_edges(CLUB, FEATURES)

    def trained(edges=CLUB, **given):
        return pretraining.pretrain(
            "bgrl",
            from_edges(edges, FEATURES),
            generator=np.random.default_rng(2),
            steps=4,
            width=8,
            room=len(CLUB),
            momentum=0.9,
            **given,
        )

    found = trained()
    target = found.target["first"]["kernel"]
    online = found.variables["params"]["encoder"]["first"]["kernel"]
    for k in range(1, 4):
        np.testing.assert_allclose(target[k], 0.9 * target[k - 1] + 0.1 * online[k], atol=1e-6)
    assert abs(online[-1] - online[0]).max() > 1e-3
    last = jax.tree.map(lambda leaf: leaf[-1], found.variables)
    told = pretraining.embed(last, graph)
    np.testing.assert_allclose(told, found.checkpoints[-1], atol=1e-5)
    # Fewer edges beside padding go through the same program, and padding is no edge.
    fewer = trained(CLUB[:-5])
    again = pretraining.embed(
        jax.tree.map(lambda leaf: leaf[-1], fewer.variables), from_edges(CLUB[:-5], FEATURES)
    )
    np.testing.assert_allclose(again, fewer.checkpoints[-1], atol=1e-5)
    with pytest.raises(ExperimentError, match="4 checkpoints do not divide 6 steps"):
        pretraining.pretrain("bgrl", graph, generator=np.random.default_rng(0), steps=6)


@pytest.mark.slow
def test_every_method_lowers_its_loss_and_programs_are_shared_or_not():
    generator = np.random.default_rng(3)
    graph = from_edges(SMALL.edges, SMALL.dense)
    for name in METHODS:
        found = pretraining.pretrain(
            name, graph, generator=generator, steps=80, width=16, among=tuple(METHODS)
        )
        assert found.losses[-1] < found.losses[0], name
        assert np.isfinite(found.checkpoints).all()
    alone, together = (
        pretraining.pretrain(
            "gbt", graph, generator=np.random.default_rng(4), steps=4, width=16, among=among
        )
        for among in ((), tuple(METHODS))
    )
    # The loss does not see a column's mean: its gradient is rounding, of which Adam makes whole steps.
    centred = [z - z.mean(1, keepdims=True) for z in (alone.checkpoints, together.checkpoints)]
    np.testing.assert_allclose(*centred, atol=2e-3)


def test_released_is_both_leaks():
    assert RELEASED.shows_all
    assert RELEASED.picks_by_test
