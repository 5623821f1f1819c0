"""Pictures in folders of classes, as ImageNet is unpacked."""

import numpy as np
import pytest
from PIL import Image

from experiments.shared import folders
from ntkexec.errors import ExperimentError


@pytest.fixture
def root(tmp_path):
    """Two classes; the pictures' red rises from left to right, their green from top to bottom."""
    for number, (name, files) in enumerate({"n02": ["b.JPEG", "a.JPEG"], "n01": ["c.png"]}.items()):
        folder = tmp_path / "train" / name
        folder.mkdir(parents=True)
        for file in files:
            rows, columns = np.mgrid[:60, :80]
            pixels = np.stack([3 * columns, 4 * rows, np.full_like(rows, 100 * number)], 2)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / file)
        (folder / "notes.txt").write_text("no picture")
    return tmp_path / "train"


def test_classes_and_files_are_sorted_and_other_files_left_out(root):
    found = folders.picture_folder(root)
    assert found.classes == ("n01", "n02")
    assert [p.name for p in found.paths] == ["c.png", "a.JPEG", "b.JPEG"]
    assert found.labels.tolist() == [0, 1, 1]


def test_without_a_generator_the_middle_is_cropped_and_standardised(root):
    pixels, labels = folders.picture_folder(root).batch(np.array([0]), size=16)
    assert (pixels.shape, pixels.dtype, labels.tolist()) == ((1, 16, 16, 3), np.float32, [0])
    raw = 255 * (pixels[0] * np.array(folders.DEVIATION) + np.array(folders.MEAN))
    # 0.875 of the shorter side: 52.5 of 80 columns and of 60 rows around the middle.
    assert raw[..., 0].mean() == pytest.approx(3 * (80 - 1) / 2, abs=1)
    assert raw[..., 1].mean() == pytest.approx(4 * (60 - 1) / 2, abs=1)
    assert np.ptp(raw[8, :, 0]) == pytest.approx(3 * 52.5 * 15 / 16, abs=2)
    np.testing.assert_allclose(raw[..., 2], 100, atol=1)


def test_training_crops_and_flips_differ_and_are_reproducible(root):
    found = folders.picture_folder(root)

    def drawn(seed):
        return found.batch(np.zeros(40, int), size=8, generator=np.random.default_rng(seed))[0]

    one = drawn(0)
    np.testing.assert_array_equal(one, drawn(0))
    assert np.abs(one - drawn(1)).max() > 0.1
    rising = (one[:, 4, -1, 0] > one[:, 4, 0, 0]).sum()
    # Fair coins: 40 of them fall outside 8..32 with probability below 1e-4.
    assert 8 < rising < 32
    spans = np.ptp(one[..., 0], axis=(1, 2))
    assert spans.max() > 2 * spans.min()


def test_missing_folders_and_broken_pictures_are_refused_by_name(root, tmp_path):
    with pytest.raises(ExperimentError, match="val"):
        folders.picture_folder(tmp_path / "val")
    with pytest.raises(ExperimentError, match="no folder for a class"):
        folders.picture_folder(root / "n01")
    (root / "n03").mkdir()
    with pytest.raises(ExperimentError, match="n03"):
        folders.picture_folder(root)
    (root / "n03/x.jpg").write_bytes(b"no picture")
    with pytest.raises(ExperimentError, match=r"x\.jpg"):
        folders.picture_folder(root).batch(np.array([3]), size=8)
