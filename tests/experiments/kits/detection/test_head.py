"""What a head predicts is decoded into the boxes that it says, at the points that priors name."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.detection.head import DecoupledHead, Predictions, decoded
from experiments.kits.detection.priors import prior_points
from experiments.kits.detection.small_detector import SmallDetector
from ntkexec.errors import ExperimentError


def certain(distances, bins):
    """Logits of distributions that are certain of whole distances."""
    return 1e4 * jax.nn.one_hot(distances, bins)


def test_boxes_are_distances_in_strides_off_the_points():
    priors = prior_points((16, 32), (8, 16))
    distances = np.random.default_rng(0).integers(0, 4, size=(3, 10, 4))
    found = decoded(Predictions(jnp.zeros((3, 10, 2)), certain(distances, 4)), priors)
    far = distances * priors.strides[:, None]
    expected = np.concatenate([priors.points - far[..., :2], priors.points + far[..., 2:]], -1)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    with pytest.raises(
        ExperimentError, match="10 points of each picture are predicted, and there are 8"
    ):
        decoded(
            Predictions(jnp.zeros((3, 10, 2)), certain(distances, 4)), prior_points((16, 32), (8,))
        )


def test_predictions_come_level_by_level_and_row_by_row():
    head = DecoupledHead(classes=3, bins=4, width=8)
    levels = [jnp.zeros((2, 4, 8, 5)), jnp.zeros((2, 2, 4, 6))]
    variables = jax.eval_shape(head.init, jax.random.key(0), levels)
    found = jax.eval_shape(head.apply, variables, levels)
    assert found.scores_logits.shape == (2, 32 + 8, 3)
    assert found.distances_logits.shape == (2, 40, 4, 4)
    assert len(prior_points((32, 64), (8, 16))) == 40


def test_the_small_detector_predicts_at_its_strides_and_refuses_odd_sizes():
    network = SmallDetector(classes=10, width=8)
    for size in (64, 96):
        shown = jax.ShapeDtypeStruct((2, size, size, 3), jnp.float32)
        variables = jax.eval_shape(network.init, jax.random.key(0), shown)
        found = jax.eval_shape(network.apply, variables, shown)
        assert found.scores_logits.shape == (2, len(prior_points(size, network.strides)), 10)
    with pytest.raises(ExperimentError, match="60 x 64: sides are multiples of 16"):
        jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((1, 60, 64, 3)))
