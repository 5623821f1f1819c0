"""Training of the small detector: losses fall, what is found has masks, scenes without are refused."""

import dataclasses

import numpy as np
import pytest

from experiments.kits.detection.top_view import top_view_scenes
from experiments.vision.catnet import CatDetector, fit, look
from ntkexec.errors import ExperimentError

SCENES = top_view_scenes(np.random.default_rng(0), 16)


def test_scenes_that_cannot_be_trained_on_are_refused():
    network, generator = CatDetector(), np.random.default_rng(0)
    with pytest.raises(ExperimentError, match="32 pictures on 16 scenes"):
        fit(network, SCENES, generator=generator, steps=1, batch=32)
    with pytest.raises(ExperimentError, match="with masks"):
        fit(network, dataclasses.replace(SCENES, masks=None), generator=generator, steps=1)


@pytest.mark.slow
def test_a_detector_with_all_modules_learns_boxes_and_masks():
    network = CatDetector(width=8, neck="dense", context=True, regions="bottom_up", stages=1)
    trained = fit(network, SCENES, generator=np.random.default_rng(0), steps=60)
    boxes, masks = trained.losses[-10:].mean(0) / trained.losses[:10].mean(0)
    assert boxes < 0.6
    assert masks < 0.9
    found = look(network, trained.variables, SCENES.images)
    assert len(found["hard"]) == len(found["soft"]) == len(SCENES)
    assert all(one.masks.shape == (len(one), 64, 64) for one in found["hard"])
    # Either lowers the scores of others alone, so the best of each picture is the same; soft suppression
    # lowers those that overlap little, too, some of which then are below the least score.
    for hard, soft in zip(found["hard"], found["soft"], strict=True):
        assert (len(hard) > 0) == (len(soft) > 0)
        if len(hard):
            best = hard.boxes[hard.scores.argmax()], soft.boxes[soft.scores.argmax()]
            np.testing.assert_array_equal(*best)
