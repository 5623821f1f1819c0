"""The detector's exact parts: matching is SciPy's optimum, the loss is of sets, prompts are combinations."""

import jax
import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from experiments.kits.detection.attributes import attribute_scenes
from experiments.vision.dynamic_dino.detector import (
    TUNED,
    Detector,
    anchors_of,
    initial_detector,
    upcycled,
)
from experiments.vision.dynamic_dino.matching import matched, set_loss
from experiments.vision.dynamic_dino.mixture import MoEFFN
from experiments.vision.dynamic_dino.prompts import named_prompts, zipf_prompts
from experiments.vision.dynamic_dino.splitting import FeedForward
from experiments.vision.dynamic_dino.study import _by_picture
from experiments.vision.dynamic_dino.study_config import DynamicDinoConfig
from experiments.vision.dynamic_dino.tuning import Pictures, findings, fit, pictures
from experiments.vision.dynamic_dino.upcycling import upcycle
from ntkexec.errors import ExperimentError


def test_the_matching_costs_as_little_as_scipys_with_any_padding():
    rng = np.random.default_rng(0)
    costs = rng.normal(size=(200, 4, 7)).astype(np.float32)
    costs[100:] = np.rint(2 * costs[100:])  # with ties
    costs[150:, :, 3:] += 50  # with no choice but to compete
    present = rng.random((200, 4)) < 0.7
    found = np.asarray(jax.jit(jax.vmap(matched))(costs, present))
    for owner, cost, there in zip(found, costs, present, strict=True):
        rows, columns = linear_sum_assignment(cost[there])
        assert len(set(owner)) == len(owner)
        ours = cost[there][np.arange(there.sum()), owner[there]].sum()
        assert ours == pytest.approx(cost[there][rows, columns].sum(), abs=1e-4)


@pytest.mark.slow
def test_what_no_matching_can_be_of_is_refused_and_in_compiled_code_no_number():
    costs, there = np.ones((3, 4), np.float32), np.array([True, True, False])
    for wrong, said in (
        (costs[:, :2], "3 rows cannot each have one of 2"),
        (costs[:2], "would|fit"),
    ):
        with pytest.raises(ExperimentError, match=said):
            matched(wrong, there)
    program = jax.jit(matched)
    for value in (np.nan, np.inf, -np.inf):
        for row in range(3):
            harmed = costs.copy()
            harmed[row, 1] = value
            if there[row]:
                with pytest.raises(ExperimentError, match="no finite number"):
                    matched(harmed, there)
            sound = len(set(np.asarray(program(harmed, there)))) == 3
            assert sound == (not there[row])
    # A class without a score is no other class.
    scores, boxes = np.zeros((4, 2), np.float32), np.full((4, 4), 0.3, np.float32)
    lost = jax.jit(set_loss)
    assert np.isfinite(lost(scores, boxes, np.array([1, -1]), boxes[:2]))
    assert np.isnan(lost(scores, boxes, np.array([2, -1]), boxes[:2]))
    with pytest.raises(ExperimentError, match="no finite number"):
        set_loss(scores, boxes, np.array([2, -1]), boxes[:2])


def test_words_and_classes_that_are_not_there_are_refused_before_anything_is_compiled():
    detector = Detector(3, 32, 2, 32)
    made = {"params": {"a": np.zeros(1, np.float32)}}
    scenes = Pictures(np.zeros((2, 32, 32, 3)), np.zeros((2, 1, 4)), np.array([[1], [-1]]))
    order, good = np.zeros((1, 2), int), np.array([[0, 2], [1, -1]])
    for classes, said in (
        ([[0, 3], [1, -1]], "3 words.*got 3"),
        ([[0, -2], [1, -1]], "got -2"),
        ([[0.0], [1.0]], "whole numbers"),
        (good[:1], "an object is of class 1, and there are 1"),
    ):
        for ask in (
            lambda given: fit(detector, made, scenes, given, order, rate=1.0),
            lambda given: findings(detector, made, scenes, given, batch=2),
        ):
            with pytest.raises(ExperimentError, match=said):
                ask(np.array(classes))
    with pytest.raises(ExperimentError, match="got 7"):
        detector.apply(made, np.zeros((1, 32, 32, 3)), np.array([[7]]))


def test_copies_that_take_pictures_in_turn_are_whole_copies():
    config = DynamicDinoConfig(batch=6, copies=3, slices=2)
    always = _by_picture(config).always
    assert always.shape == (6, 1, 6)
    assert always[4, 0].tolist() == [0, 0, 1, 1, 0, 0]
    np.testing.assert_array_equal(always.sum((0, 1)), np.full(6, 2))
    rng = np.random.default_rng(0)
    up, down, x = (
        rng.normal(size=shape).astype(np.float32) for shape in ((4, 4), (4, 4), (6, 5, 4))
    )
    variables = upcycle(FeedForward(up, down), rng, copies=3, slices=2)
    layer = jax.jit(MoEFFN(4, 3, 2, use_bias=False).apply)
    found = layer(variables, x, routes=0.0, always=always)
    np.testing.assert_allclose(found, np.maximum(x @ up, 0) @ down, rtol=1e-4, atol=1e-5)


def test_the_loss_is_of_sets_and_blind_to_padding():
    rng = np.random.default_rng(1)
    scores, boxes = rng.normal(size=(6, 3)), rng.uniform(0.2, 0.6, size=(6, 4))
    truths, labels = rng.uniform(0.2, 0.6, size=(3, 4)), np.array([2, 0, -1])
    other, harmed = rng.permutation(6), np.where(labels[:, None] < 0, 9.0, truths)
    turned = np.array([2, 1, 0])
    cases = [
        (scores, boxes, labels, truths),
        (scores[other], boxes[other], labels, truths),
        (scores, boxes, labels[turned], truths[turned]),
        (scores, boxes, labels, harmed),
        (scores, boxes, np.array([2, 1, -1]), truths),
    ]
    stacked = [np.stack(part).astype(np.float32) for part in zip(*cases, strict=True)]
    stacked[2] = stacked[2].astype(np.int32)
    values = jax.jit(jax.vmap(set_loss))(*stacked)
    np.testing.assert_allclose(values[1:4], values[0], rtol=1e-5)
    assert abs(values[4] - values[0]) > 1e-3


def test_held_out_combinations_leave_every_word_to_be_seen():
    for seed in range(5):
        made = zipf_prompts(np.random.default_rng(seed), (3, 3, 2), held_out=6, power=1.0)
        assert len(made.held_out) == 6
        seen = made.classes[made.frequencies > 0]
        assert all(len(set(seen[:, field])) == size for field, size in enumerate(made.sizes))
        np.testing.assert_allclose(made.frequencies.sum(), 1)
        ratios = np.sort(made.frequencies[made.frequencies > 0])[::-1]
        np.testing.assert_allclose(ratios[0] / ratios, np.arange(1, 13))
        assert set(made.drawn()) == set(np.flatnonzero(made.frequencies))
        assert len(np.unique(made.words)) == 8
        tuples = np.concatenate([made.classes, np.zeros((18, 1), int)], 1)[None]
        np.testing.assert_array_equal(made.labels(tuples)[0], np.arange(18))
        assert made.labels(np.full((1, 1, 4), -1)).tolist() == [[-1]]
    with pytest.raises(ExperimentError, match="17 cannot be held out"):
        zipf_prompts(np.random.default_rng(0), (3, 3, 2), held_out=17, power=1.0)


def test_names_of_real_files_become_words():
    words, classes = named_prompts(["bow_(weapon)", "Stop sign", "sign"])
    assert words == ("bow", "sign", "stop", "weapon")
    assert classes.tolist() == [[0, 3], [1, 2], [1, -1]]
    for names, said in ((["a b", "b_a"], "same words"), (["_"], "no word")):
        with pytest.raises(ExperimentError, match=said):
            named_prompts(names)


def test_anchors_lie_in_the_middle_of_their_cells():
    found = anchors_of((32, 32))
    assert found.shape == (16 + 4, 4)
    assert found[0].tolist() == [0.125, 0.125, 0.5, 0.5]
    assert found[-1].tolist() == [0.75, 0.75, 1, 1]
    with pytest.raises(ExperimentError, match="multiple of 16"):
        anchors_of((32, 40))


@pytest.mark.slow
def test_tuning_trains_what_it_says_and_both_evaluations_agree():
    rng = np.random.default_rng(2)
    scenes = attribute_scenes(rng, 4, size=32, objects=(1, 1), pixels=(12, 14), masks=False)
    made = zipf_prompts(rng, (6, 6), held_out=1, power=0.0)
    given = pictures(scenes, made.labels(scenes.attributes))
    dense = Detector(12, 32, 2, 32, enhancers=1, decoders=2, queries=6)
    base = initial_detector(dense, rng, size=32, classes=36, fields=2)
    grown, variables = upcycled(dense, base, rng, copies=2, slices=2)
    was = findings(dense, base, given, made.words, batch=2)
    now = findings(grown, variables, given, made.words, batch=2)
    np.testing.assert_allclose(now.scores, was.scores, atol=1e-5)
    np.testing.assert_allclose(now.losses, was.losses, rtol=1e-4)
    assert now.chosen.shape == (2, 4, 6, 2)
    order = rng.integers(4, size=(3, 2))
    found, losses = fit(grown, variables, given, made.words, order, rate=1e-2, only=TUNED)
    assert np.isfinite(losses).all()
    for path, leaf in jax.tree_util.tree_leaves_with_path(found["params"]):
        name = "/".join(entry.key for entry in path)
        before = variables["params"]
        for entry in path:
            before = before[entry.key]
        assert (np.asarray(leaf) == np.asarray(before)).all() != name.startswith(TUNED), name
    with pytest.raises(ExperimentError, match="begins with"):
        fit(grown, variables, given, made.words, order, rate=1e-2, only=("neck",))
