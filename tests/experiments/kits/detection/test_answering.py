"""Objects are given priors, and labels, pictures and trainings that are none are refused by name."""

import dataclasses
import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.kits.detection import assigners, fitting
from experiments.kits.detection.answering import check_owned, owned_share
from experiments.kits.detection.assigners import Assignment, Truths, atss, truths_of
from experiments.kits.detection.criterion import DetectionLoss, centre_assigned, matched_overlap
from experiments.kits.detection.detections import unpadded, unpadded_objects
from experiments.kits.detection.digits import digit_scenes
from experiments.kits.detection.head import Predictions
from experiments.kits.detection.priors import prior_points
from experiments.kits.detection.small_detector import SmallDetector
from experiments.kits.detection.suppression import suppressed
from ntkexec.errors import ExperimentError

PRIORS = prior_points(32, (16,))


class Constant(nn.Module):
    """Predicts one number for all, at four points."""

    strides = (16,)
    classes: int = 3

    @nn.compact
    def __call__(self, images, *, train=False):
        level = self.param("bias", nn.initializers.zeros, (1,))
        scores = jnp.zeros((len(images), 4, self.classes)) + level[None, None]
        return Predictions(scores, jnp.zeros((len(images), 4, 4, 3)) + level[None, None, None])


@pytest.fixture(scope="module")
def scenes():
    made = digit_scenes(np.random.default_rng(0), 4, size=32, objects=(1, 2))
    return dataclasses.replace(made, labels=np.minimum(made.labels, 2))


def gentle(rate):
    return optax.sgd(rate)


def summed(predictions, truth, priors, given):
    """A loss that is the given one: without points, and quick to compile."""
    return predictions.scores_logits.sum() * given


def fit(scenes, **settings):
    settings = {"optimiser": gentle, "given": jnp.float32(0), "loss": summed} | settings
    network = Constant()
    generator = np.random.default_rng(0)
    return fitting.fit_detector(network, scenes, generator=generator, steps=2, batch=2, **settings)


def test_digits_are_given_priors_by_the_settings_that_are_advised_and_none_are_refused():
    drawn = digit_scenes(np.random.default_rng(0), 40)
    strides = SmallDetector.strides
    assert owned_share(functools.partial(atss, side=2.0), drawn, strides) > 0.85
    with pytest.raises(ExperimentError, match=r"atss gives no prior .* at the strides \(8, 16\)"):
        check_owned(functools.partial(atss), drawn, strides)
    empty = dataclasses.replace(drawn, labels=np.full_like(drawn.labels, -1))
    assert np.isnan(owned_share(centre_assigned, empty, strides))


@dataclasses.dataclass(frozen=True)
class Several:
    """A loss that may take any of these."""

    assigners: tuple

    def __call__(self, predictions, truth, priors, given):
        return summed(predictions, truth, priors, given)


def test_every_assigner_that_a_loss_may_take_is_looked_at(scenes):
    for loss in (Several((centre_assigned, nobody)), DetectionLoss(nobody)):
        with pytest.raises(ExperimentError, match="nobody gives no prior to any object"):
            fit(scenes, loss=loss)


def nobody(scores, boxes, priors, truths):
    """Gives no prior to any object."""
    return Assignment(jnp.full(len(scores), -1), jnp.zeros(len(scores)))


def test_labels_beyond_the_classes_are_refused_wherever_values_are_known(scenes):
    beyond = dataclasses.replace(scenes, labels=np.where(scenes.labels == 2, 7, scenes.labels))
    with pytest.raises(ExperimentError, match="label 7 is none of the 3 classes"):
        fit(beyond)
    with pytest.raises(ExperimentError, match="label 7 is none of the 3 classes"):
        fitting.evaluate(Constant(), {"params": {"bias": np.zeros(1)}}, beyond)
    truths = Truths(np.ones((1, 4)), np.array([7]), np.array([True]))
    for assign in (*assigners.ASSIGNERS.values(), centre_assigned):
        with pytest.raises(ExperimentError, match="label 7 is none of the 3 classes"):
            assign(np.zeros((4, 3)), np.zeros((4, 4)), PRIORS, truths)
    shown = Predictions(jnp.zeros((1, 4, 3)), jnp.zeros((1, 4, 4, 3)))
    with pytest.raises(ExperimentError, match="label 7 is none of the 3 classes"):
        DetectionLoss()(shown, jax.tree.map(lambda leaf: leaf[None], truths), PRIORS)


def test_pictures_are_from_0_to_1_and_broken_trainings_are_told(scenes):
    for wrong, said in (
        ((255 * scenes.images).astype(np.uint8), "got uint8; divide bytes by 255"),
        (255 * scenes.images, "numbers from 0 to 1, got"),
        (scenes.images * np.nan, "numbers from 0 to 1, got nan"),
        (scenes.images[0], "got the shape"),
    ):
        with pytest.raises(ExperimentError, match=said):
            fitting.detect(Constant(), {}, wrong)
        with pytest.raises(ExperimentError, match=said):
            fit(dataclasses.replace(scenes, images=wrong))
    assert fit(scenes).losses.tolist() == [0, 0]
    with pytest.raises(ExperimentError, match="the loss of step 0 of 2 is nan; take a lower rate"):
        fit(scenes, given=jnp.float32(np.nan))
    with pytest.raises(ExperimentError, match="the training broke"):
        fit(scenes, given=jnp.float32(1e30), rate=1e30)
    broken = {"params": {"bias": np.full(1, np.nan, np.float32)}}
    with pytest.raises(ExperimentError, match="of picture 0 are no finite numbers"):
        fitting.detect(Constant(), broken, scenes.images[:1], group=1)
    with pytest.raises(ExperimentError, match="group=0"):
        fitting.detect(Constant(), broken, scenes.images, group=0)


def test_one_picture_is_looked_at_alone_and_seen_alike(scenes, monkeypatch):
    shapes = []
    look = fitting._detect
    monkeypatch.setattr(fitting, "_detect", lambda *all: shapes.append(all[5].shape) or look(*all))
    variables = {"params": {"bias": np.ones(1, np.float32)}}
    (alone,) = fitting.detect(Constant(), variables, scenes.images[:1], group=1)
    among = fitting.detect(Constant(), variables, scenes.images, group=4)[0]
    assert [shape[0] for shape in shapes] == [1, 4]
    np.testing.assert_array_equal(alone.boxes, among.boxes)


def test_no_object_in_no_row_is_assigned_to_nothing():
    truths = truths_of(np.zeros((0, 4), np.float32), np.zeros(0, np.int32))
    for assign in (*assigners.ASSIGNERS.values(), centre_assigned):
        found = jax.eval_shape(lambda s, b, a=assign: a(s, b, PRIORS, truths), *NOTHING)
        assert (found.owner.shape, found.quality.shape) == ((4,), (4,))

    @jax.jit
    def computed(scores, distances):
        several = jax.tree.map(lambda leaf: leaf[None], truths)
        shown = Predictions(scores[None], distances[None])
        none = assigners.matched(scores[:, :0], scores[:, :0]).owner
        loss = DetectionLoss()(shown, several, PRIORS)
        return (
            none,
            atss(*NOTHING, PRIORS, truths).owner,
            loss,
            matched_overlap(shown, several, PRIORS),
        )

    free, given, loss, overlap = computed(NOTHING[0], jnp.zeros((4, 4, 3)))
    assert free.tolist() == given.tolist() == [-1] * 4
    assert np.isfinite(loss)
    assert overlap == 0


NOTHING = (jnp.zeros((4, 3)), jnp.zeros((4, 4)))


def test_types_that_hold_no_padding_are_refused():
    labels, boxes = np.array([[0, 255]], np.uint8), np.zeros((1, 2, 4))
    for call in (
        lambda: truths_of(boxes, labels),
        lambda: unpadded(boxes, np.ones((1, 2)), labels),
        lambda: unpadded_objects(boxes, labels),
        lambda: suppressed(boxes[0], np.ones(2), labels[0], iou=0.5, limit=1),
    ):
        with pytest.raises(ExperimentError, match="holds -1, which is padding, got uint8"):
            call()
