"""Stored pictures are standardised, and shrunk by means of blocks."""

import numpy as np
import pytest

from experiments.data.formats.cifar import PictureSet
from experiments.data.formats.mnist import DigitSet
from experiments.kits.convnets.pictures import cifar_sample, mnist, shrunk
from ntkexec.errors import ExperimentError


def test_pictures_are_shrunk_by_means_of_blocks_and_standardised():
    generator = np.random.default_rng(0)
    pixels = generator.integers(256, size=(8, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(8, dtype=np.uint8)
    found = cifar_sample(PictureSet(pixels, labels, pixels[:2], labels[:2], 10), size=16)
    assert (found.train.shape, found.test.shape) == ((8, 16, 16, 3), (2, 16, 16, 3))
    np.testing.assert_allclose(shrunk(pixels, 16)[3, 5, 7], pixels[3, 10:12, 14:16].mean((0, 1)))
    np.testing.assert_allclose(found.train.mean((0, 1, 2)), 0, atol=1e-5)
    assert found.num_classes == 10
    with pytest.raises(ExperimentError, match="32 x 32 pixels cannot be shrunk to 7"):
        shrunk(pixels, 7)


@pytest.mark.parametrize("size", [28, 14, 32, 16])
def test_digits_are_split_and_framed_where_the_size_needs_it(size):
    pixels = np.full((10, 28, 28), 7, np.uint8)
    given = DigitSet(pixels, np.arange(10, dtype=np.uint8))
    found = mnist(given, num_train=6, size=size, generator=np.random.default_rng(0))
    assert (found.train.shape, found.test.shape) == ((6, size, size, 1), (4, size, size, 1))
    assert sorted([*found.train_labels, *found.test_labels]) == list(range(10))
    with pytest.raises(ExperimentError, match="cannot be shrunk to 5"):
        mnist(given, num_train=6, size=5, generator=np.random.default_rng(0))
