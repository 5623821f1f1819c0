"""Generated pictures hold the effect that they are named after, and no other way to the label."""

import numpy as np
import pytest

from experiments.kits.convnets import scenes
from ntkexec.errors import ExperimentError


def generator(seed=0):
    return np.random.default_rng(seed)


def test_the_class_of_a_glyph_is_told_only_by_glyph_and_cue_together():
    found = scenes.context_glyphs(num_train=2000, num_test=100, noise=0.0, generator=generator())
    pixels = found.train[..., 0] - np.median(found.train)
    cross = np.zeros((2000, 2))
    best = np.zeros(2000) - 1
    for row in range(4, 12):
        for column in range(4, 12):
            patch = pixels[:, row - 1 : row + 2, column - 1 : column + 2]
            scores = np.einsum("nij,gij->ng", patch, 2 * scenes.GLYPHS - 1)
            better = scores.max(1) > best
            best = np.where(better, scores.max(1), best)
            window = pixels[:, row - 3 : row + 4, column - 3 : column + 4].copy()
            window[:, 1:-1, 1:-1] = 0
            told = np.stack([scores.argmax(1), window.sum((1, 2)) > 0], 1)
            cross = np.where(better[:, None], told, cross)
    glyph, bright = cross.astype(int).T
    np.testing.assert_array_equal(glyph ^ bright, found.train_labels)
    for alone in (glyph, bright):
        # 2000 draws: five standard errors of a correlation of 0.
        assert abs(np.corrcoef(alone, found.train_labels)[0, 1]) < 5 / 2000**0.5
    flat = found.train.reshape(2000, -1)
    correlations = flat.T @ (found.train_labels - found.train_labels.mean()) / 1000
    assert np.abs(correlations).max() < 5 / 2000**0.5 * flat.std(0).max()
    again = scenes.context_glyphs(num_train=2000, num_test=100, noise=0.0, generator=generator())
    np.testing.assert_array_equal(found.test, again.test)
    with pytest.raises(ExperimentError, match="needs 15 of them, got 14"):
        scenes.context_glyphs(num_train=1, num_test=1, size=14, generator=generator())


def test_textures_differ_in_orientation_alone():
    found = scenes.textures(num_train=400, num_test=4, noise=0.0, generator=generator())
    power = np.abs(np.fft.fft2(found.train[..., 0])) ** 2
    means = np.stack([power[found.train_labels == label].mean(0) for label in range(4)])
    spread = means.reshape(4, -1) / means.reshape(4, -1).sum(1, keepdims=True)
    alike = spread @ spread.T / np.diag(spread @ spread.T)
    assert (alike[~np.eye(4, dtype=bool)] < 0.1).all()
    with pytest.raises(ExperimentError, match="wavelength above 2"):
        scenes.textures(num_train=1, num_test=1, wavelength=2.0, generator=generator())
