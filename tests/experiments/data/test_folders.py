"""Pictures in folders of classes, as ImageNet is unpacked."""

import io
import os
import random

import numpy as np
import pytest
from PIL import Image

from experiments.data import folders
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


def picture(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((40, 50, 3), np.uint8)).save(path)


def test_hidden_folders_and_files_are_passed_over(root):
    before = folders.picture_folder(root)
    picture(root / ".ipynb_checkpoints" / "a.png")
    (root / "n01" / "._c.png").write_bytes(b"what a Mac leaves beside c.png")
    (root / "n01" / ".DS_Store").touch()
    (root / ".empty").mkdir()
    after = folders.picture_folder(root)
    assert (after.paths, after.classes) == (before.paths, before.classes)


def test_classes_of_training_and_validation_have_the_same_numbers(root, tmp_path):
    for name in ("n01", "n02"):
        picture(tmp_path / "val" / name / "x.png")
    train, held_out = folders.picture_folders(root, tmp_path / "val")
    assert train.classes == held_out.classes == ("n01", "n02")
    assert held_out.labels.tolist() == [0, 1]
    picture(tmp_path / "val" / "n00\x1b" / "x.png")
    # By their places alone n01 would be another class than in training.
    with pytest.raises(ExperimentError, match=r"val and .*train hold different .* 'n00\\x1b'"):
        folders.picture_folders(root, tmp_path / "val")
    picture(root / "n00\x1b" / "x.png")
    picture(root / "n03" / "x.png")
    with pytest.raises(ExperimentError, match=r"train and .*val hold different classes: 'n03'"):
        folders.picture_folders(root, tmp_path / "val")


def test_what_is_no_picture_is_refused_and_not_waited_for(root):
    os.mkfifo(root / "n01" / "pipe.png")
    (root / "n01" / "folder.png").mkdir()
    (root / "n01" / "nowhere.png").symlink_to(root / "gone.png")
    (root / "n01" / "drawing.png").write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    found = folders.picture_folder(root)
    for index, path in enumerate(found.paths):
        if path.stem in ("pipe", "folder", "nowhere", "drawing"):
            with pytest.raises(ExperimentError, match=rf"cannot read.*{path.name}"):
                found.batch(np.array([index]), size=8)
    assert len(found.paths) == 7


def damaged_pictures(seed, number, folder):
    whole = []
    for kind in ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM"):
        stream = io.BytesIO()
        pixels = np.random.default_rng(0).integers(256, size=(9, 11, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(stream, kind)
        whole.append(stream.getvalue())
    chance, read = random.Random(seed), 0
    path = folder / "x.png"
    one = folders.PictureFolder((path,), np.zeros(1, np.int32), ("a",))
    for _ in range(number):
        content = bytearray(chance.choice(whole))
        for _ in range(chance.choice((1, 1, 2, 8))):
            place = chance.randrange(len(content) + 1)
            content[place : place + chance.choice((0, 1, 1, 4, 30))] = chance.randbytes(
                chance.choice((0, 1, 4))
            )
        path.write_bytes(content)
        try:
            pixels, _ = one.batch(np.array([0]), size=8)
        except ExperimentError as refusal:
            said = str(refusal)
        else:
            read, said = read + 1, ""
            assert pixels.shape == (1, 8, 8, 3)
        assert said.isprintable()
    return read


@pytest.mark.filterwarnings("ignore")  # Pillow warns of much that it mends
def test_damaged_pictures_are_read_or_refused(tmp_path):
    assert damaged_pictures(0, 700, tmp_path) > 50


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_many_damaged_pictures_are_read_or_refused(tmp_path):
    seed = int(os.environ.get("NTKEXEC_FUZZ_SEED", "1"))
    assert damaged_pictures(seed, 60_000, tmp_path) > 3000
