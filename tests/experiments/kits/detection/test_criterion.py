"""Points near centres answer for objects, and the loss is least where they say the truth."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.detection.assigners import Truths
from experiments.kits.detection.boxes import boxes_to_distances
from experiments.kits.detection.criterion import DetectionLoss, centre_assigned
from experiments.kits.detection.head import Predictions
from experiments.kits.detection.priors import prior_points

PRIORS = prior_points(32, (8, 16))


def drawn(seed, number=3):
    """Objects of a picture, the last of which is none."""
    generator = np.random.default_rng(seed)
    low = generator.uniform(0, 20, size=(number, 2))
    boxes = np.concatenate([low, low + generator.uniform(3, 14, size=(number, 2))], 1)
    present = np.arange(number) < number - 1
    labels = generator.integers(2, size=number)
    return Truths(boxes.astype(np.float32), labels, present)


def slowly_assigned(truths, radius):
    """Owners, point by point and object by object."""
    owner = np.full(len(PRIORS), -1)
    off = {}
    for m, box in enumerate(truths.boxes):
        middle = (box[:2] + box[2:]) / 2
        off[m] = np.abs(PRIORS.points - middle).max(1)
    for p, (point, stride) in enumerate(zip(PRIORS.points, PRIORS.strides, strict=True)):
        best = None
        for m, box in enumerate(truths.boxes):
            inside = (point > box[:2]).all() and (point < box[2:]).all()
            nearest = off[m][p] == off[m].min()
            if truths.present[m] and (nearest or (inside and off[m][p] < radius * stride)):
                rank = (not nearest, np.prod(box[2:] - box[:2]))
                if best is None or rank < best:
                    best, owner[p] = rank, m
    return owner


@pytest.mark.parametrize("radius", [1.0, 2.0])
def test_owners_are_those_of_a_slow_search(radius):
    scores = jnp.zeros((len(PRIORS), 2))
    boxes = jnp.concatenate([PRIORS.points - 4, PRIORS.points + 4], 1)
    assign = jax.jit(centre_assigned, static_argnames="radius")
    taken = 0
    for seed in range(20):
        truths = drawn(seed)
        found = assign(scores, boxes, PRIORS, truths, radius=radius)
        np.testing.assert_array_equal(found.owner, slowly_assigned(truths, radius))
        quality = np.asarray(found.quality)
        assert ((quality >= 0) & (quality <= 1)).all()
        assert (quality[found.owner < 0] == 0).all()
        taken += (np.asarray(found.owner) >= 0).sum()
    assert taken > 40


def batch(*truths):
    return jax.tree.map(lambda *leaves: jnp.stack(leaves), *truths)


def predicting(truths, *, off=0.0, classes=2, bins=8, sure=12.0):
    """Predictions that say what each point is asked for, sides moved by some strides."""
    owner = np.stack([slowly_assigned(one, 1.0) for one in truths])
    scores = np.full((*owner.shape, classes), -sure, np.float32)
    logits = np.zeros((*owner.shape, 4, bins), np.float32)
    places = np.arange(bins)
    for b, (one, own) in enumerate(zip(truths, owner, strict=True)):
        for p in np.flatnonzero(own >= 0):
            scores[b, p, one.labels[own[p]]] = sure
            sides = boxes_to_distances(PRIORS.points[p], one.boxes[own[p]]) / PRIORS.strides[p]
            wanted = np.clip(np.asarray(sides) + off, 0, bins - 1)
            weights = np.maximum(1 - np.abs(places - wanted[:, None]), 0)
            logits[b, p] = np.log(np.maximum(weights, 1e-9))
    return Predictions(jnp.asarray(scores), jnp.asarray(logits))


def test_the_loss_is_least_where_boxes_and_classes_are_right():
    truths = [drawn(0), drawn(1)]
    loss = jax.jit(lambda p: DetectionLoss()(p, batch(*truths), PRIORS))
    best = loss(predicting(truths))
    assert best < loss(predicting(truths, off=0.3)) < loss(predicting(truths, off=0.9))
    assert best < loss(predicting(truths, sure=2.0))
    wrong = predicting(truths)
    assert best < loss(Predictions(wrong.scores_logits[..., ::-1], wrong.distances_logits))


def test_objects_that_are_not_there_change_nothing_and_gradients_stay_finite():
    truths = batch(drawn(2), drawn(3))
    other = Truths(
        truths.boxes.at[:, -1].set(jnp.array([[3.0, 3.0, 3.0, 3.0]])),
        truths.labels.at[:, -1].set(1),
        truths.present,
    )
    drawing = np.random.default_rng(4)
    predictions = Predictions(
        jnp.asarray(drawing.normal(size=(2, len(PRIORS), 2)), jnp.float32),
        jnp.asarray(drawing.normal(size=(2, len(PRIORS), 4, 8)), jnp.float32),
    )
    step = jax.jit(jax.value_and_grad(lambda p, t: DetectionLoss(least=0.5)(p, t, PRIORS)))
    one, slope = step(predictions, truths)
    assert one == step(predictions, other)[0]
    empty = Truths(truths.boxes, truths.labels, jnp.zeros_like(truths.present))
    for found in (slope, step(predictions, empty)[1]):
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(found))
    assert not np.asarray(step(predictions, empty)[1].distances_logits).any()


def test_the_nearest_point_answers_for_objects_of_any_size():
    assign = jax.jit(centre_assigned)
    boxes = np.array([[10, 10, 1900, 1900], [840, 840, 940, 940]], np.float32)
    for scale in (1, 8):
        priors = prior_points(1920 // scale, (64 // scale,))
        point = np.flatnonzero((priors.points == 928 / scale).all(1))[0]
        truths = Truths(jnp.asarray(boxes / scale), np.zeros(2, int), np.ones(2, bool))
        shown = jnp.zeros((len(priors), 4))
        assert assign(shown[:, :1], shown, priors, truths).owner[point] == 0
