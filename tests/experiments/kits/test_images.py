"""Pictures for studies: the digits, generated shapes, blurred noise, and CIFAR's files."""

import numpy as np
import pytest

from experiments.kits import images
from ntkexec.errors import ExperimentError


def generator():
    return np.random.default_rng(0)


def test_digits_are_standardised_split_and_reproducible():
    found = images.digits(num_train=1000, generator=generator())
    assert found.train.shape == (1000, 8, 8, 1)
    assert found.test.shape == (797, 8, 8, 1)
    assert abs(found.train.mean()) < 1e-5
    assert abs(found.train.std() - 1) < 1e-5
    assert set(found.test_labels) == set(range(10))
    again = images.digits(num_train=1000, generator=generator())
    np.testing.assert_array_equal(found.train, again.train)


def test_shapes_can_be_told_apart_without_noise():
    found = images.shapes(num_train=600, num_test=200, size=16, noise=0.0, generator=generator())
    flat = found.train.reshape(600, -1)
    nearest = [
        found.train_labels[((flat - image.ravel()) ** 2).sum(1).argmin()] for image in found.test
    ]
    # Chance is a sixth: 200 guesses reach a half with probability below 1e-25.
    assert np.mean(nearest == found.test_labels) > 0.5
    assert found.train.min() < found.train.max()


def test_blur_makes_neighbours_alike_and_keeps_the_deviation():
    for sigma, low, high in ((0.0, -0.05, 0.05), (1.0, 0.7, 0.85)):
        made = images.blurred_noise(20, 16, 2, sigma=sigma, generator=generator())
        assert made.std() == pytest.approx(1, abs=0.05)
        # exp(-1 / (4 sigma^2)) is the correlation of neighbours.
        correlation = np.mean(made[:, 1:] * made[:, :-1])
        assert low < correlation < high


def write_cifar(folder, name, *, number=3):
    """Files in the real format with known content; returns pixels and labels of the test file."""
    train, test, label_bytes, num_classes = images.CIFAR_FILES[name]
    drawn = generator()
    folder.mkdir(exist_ok=True)
    for file in (*train, *test):
        labels = drawn.integers(num_classes, size=(number, label_bytes), dtype=np.uint8)
        planes = drawn.integers(256, size=(number, 3072), dtype=np.uint8)
        (folder / file).write_bytes(np.concatenate([labels, planes], 1).tobytes())
    return planes, labels[:, -1]


@pytest.mark.parametrize("name, files", [("cifar-10", 5), ("cifar-100", 1)])
def test_cifars_binary_files_are_read_plane_by_plane_with_fine_labels(tmp_path, name, files):
    planes, labels = write_cifar(tmp_path, name)
    found = images.cifar(tmp_path, name)
    assert found.train.shape == (3 * files, 32, 32, 3)
    np.testing.assert_array_equal(found.test_labels, labels)
    # Red, green and blue planes, rows within them: undo the standardisation by two pixels.
    for channel in range(3):
        read = found.test[..., channel].reshape(3, -1).astype(float)
        raw = planes[:, 1024 * channel : 1024 * (channel + 1)].astype(float)
        slope, shift = np.polyfit(read.ravel(), raw.ravel(), 1)
        np.testing.assert_allclose(slope * read + shift, raw, atol=1e-3)


def test_broken_cifar_files_are_refused_by_name(tmp_path):
    with pytest.raises(ExperimentError, match=r"cannot read .*data_batch_1.bin"):
        images.cifar(tmp_path, "cifar-10")
    write_cifar(tmp_path, "cifar-100")
    with pytest.raises(ExperimentError, match="'cifar-1' is neither"):
        images.cifar(tmp_path, "cifar-1")
    path = tmp_path / "test.bin"
    content = path.read_bytes()
    path.write_bytes(content[:-1])
    with pytest.raises(ExperimentError, match=r"test.bin has 9221 bytes, no multiple of the 3074"):
        images.cifar(tmp_path, "cifar-100")
    path.write_bytes(b"\0\xc8" + content[2:])
    with pytest.raises(ExperimentError, match="holds the label 200"):
        images.cifar(tmp_path, "cifar-100")


def test_a_split_without_a_test_is_refused():
    with pytest.raises(ExperimentError, match="and test too"):
        images.digits(num_train=1797, generator=generator())
