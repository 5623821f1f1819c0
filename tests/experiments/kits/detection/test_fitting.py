"""Detectors see every scene once an epoch, find what their network says, and learn digits."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.detection import fitting
from experiments.kits.detection.boxes import boxes_to_distances
from experiments.kits.detection.digits import digit_glyphs, digit_scenes
from experiments.kits.detection.head import Predictions
from experiments.kits.detection.priors import prior_points
from experiments.kits.detection.small_detector import SmallDetector
from ntkexec.errors import ExperimentError

CLASSES, BINS = 10, 8


class Oracle(nn.Module):
    """Predicts what it is given for each picture, whose number is its first pixel."""

    strides = (8, 16)

    @nn.compact
    def __call__(self, images, *, scores, distances, train=False):
        which = jnp.rint(12 * images[:, 0, 0, 0]).astype(int)
        return Predictions(scores[which], distances[which])


@pytest.fixture(scope="module")
def scenes():
    return digit_scenes(np.random.default_rng(0), 12, pixels=(10, 24))


def told(scenes, *, wrong_class=False, doubled=False):
    """Pictures that number scenes, and what an oracle is to say of them."""
    priors = prior_points(64, Oracle.strides)
    scores = np.full((12, len(priors), CLASSES), -20.0, np.float32)
    logits = np.full((12, len(priors), 4, BINS), -1e4, np.float32)
    logits[..., 0] = 0
    places = np.arange(BINS)
    for row in range(12):
        for box, label in zip(scenes.boxes[row], scenes.labels[row], strict=True):
            if label < 0:
                continue
            off = np.abs(priors.points - (box[:2] + box[2:]) / 2).max(1)
            # The nearest point of each level, of which the second is a double.
            nearest = [off[:64].argmin(), 64 + off[64:].argmin()][: 1 + doubled]
            for sure, point in zip((3.0, 2.0), nearest, strict=False):
                sides = boxes_to_distances(priors.points[point], box) / priors.strides[point]
                if np.asarray(sides).min() < 0:
                    continue
                weights = np.maximum(1 - np.abs(places - np.asarray(sides)[:, None]), 0)
                scores[row, point, (label + wrong_class) % CLASSES] = sure
                logits[row, point] = np.log(np.maximum(weights, 1e-30))
    images = np.zeros((12, 64, 64, 3), np.float32)
    images[:, 0, 0, 0] = np.arange(12) / 12
    return images, {"scores": scores, "distances": logits}


def test_what_an_oracle_says_is_found_and_is_all_that_there_is(scenes):
    images, fields = told(scenes, doubled=True)
    found = fitting.detect(Oracle(), {}, images, fields=fields)
    for one, boxes, labels in zip(found, scenes.boxes, scenes.labels, strict=True):
        there = labels >= 0
        assert sorted(one.labels) == sorted(labels[there])
        for box, label in zip(boxes[there], labels[there], strict=True):
            mine = one.boxes[one.labels == label]
            assert np.abs(mine - box).max(1).min() < 1e-3
    told_of = fitting.detect(Oracle(), {}, images, fields=fields, score=0.99)
    assert sum(map(len, told_of)) == 0
    assert fitting.detect(Oracle(), {}, images[:0], fields=fields) == []


def test_right_detections_have_precision_one_and_wrong_classes_none(scenes):
    for wrong, expected in ((False, 1.0), (True, 0.0)):
        images, fields = told(scenes, wrong_class=wrong)
        shown = scenes.__class__(images, scenes.boxes, scenes.labels, scenes.names)
        found = fitting.evaluate(Oracle(), {}, shown, fields=fields)
        # Classes that are taken for their neighbours are there, too, where those are not.
        assert found.ap50 == pytest.approx(expected, abs=0.05 * wrong)
    assert set(found.by_size) == {"small", "medium", "large"}


def test_every_epoch_is_a_permutation_without_its_incomplete_batch():
    rows = list(fitting._batches(10, 4, 5, np.random.default_rng(0)))
    assert [len(each) for each in rows] == [4] * 5
    for start in (0, 2):
        assert len(set(np.concatenate(rows[start : start + 2]))) == 8
    assert not np.array_equal(np.concatenate(rows[:2]), np.concatenate(rows[2:4]))


def test_trainings_that_cannot_be_are_refused(scenes):
    network = SmallDetector(CLASSES, 8)
    for wrong in ({"steps": 0}, {"batch": 13}):
        with pytest.raises(ExperimentError, match="on 12 scenes"):
            fitting.fit_detector(network, scenes, generator=np.random.default_rng(0), **wrong)


@pytest.mark.slow
def test_a_training_is_its_seeds_and_leaves_its_data_alone(scenes):
    network = SmallDetector(CLASSES, 8)
    made = [
        fitting.fit_detector(
            network, scenes, generator=np.random.default_rng(seed), steps=3, batch=4
        )
        for seed in (0, 0, 1)
    ]
    np.testing.assert_array_equal(made[0].losses, made[1].losses)
    assert made[0].losses.shape == (3,)
    assert not np.array_equal(made[0].losses, made[2].losses)
    again = fitting.fit_detector(
        network,
        scenes,
        generator=np.random.default_rng(2),
        steps=3,
        batch=4,
        variables=made[0].variables,
        rate=0.0,
    )
    for one, other in zip(
        jax.tree.leaves(made[0].variables["params"]),
        jax.tree.leaves(again.variables["params"]),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    assert set(again.variables) == {"params", "batch_stats"}


@pytest.mark.slow
def test_the_small_detector_learns_digits_and_finds_others():
    generator = np.random.default_rng(0)
    seen, held_out = digit_glyphs().split(1400, generator)
    train = digit_scenes(generator, 2000, glyphs=seen)
    test = digit_scenes(generator, 200, glyphs=held_out)
    network = SmallDetector(CLASSES)
    fit = fitting.fit_detector(network, train, generator=generator)
    assert fit.losses[-20:].mean() < 0.7 * fit.losses[20:40].mean()
    assert fitting.evaluate(network, fit.variables, test).ap50 > 0.5
