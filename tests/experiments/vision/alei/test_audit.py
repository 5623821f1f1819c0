"""The leakage audit finds what was planted and nothing else."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from experiments.data import load
from experiments.kits.images import blurred_noise
from experiments.vision.alei import benchmark_files, forger, leakage_audit
from experiments.vision.alei.forgeries import quantised, rounded
from experiments.vision.alei.study_pictures import SEEN
from ntkexec.errors import ExperimentError


def drawn(number, seed, size=16):
    """Smooth coloured pictures of bytes."""
    found = blurred_noise(number, size, 3, sigma=1.0, generator=np.random.default_rng(seed))
    return np.clip(128 + 40 * found, 0, 255).astype(np.uint8)


def written(folder, pictures, suffix=".png", **options):
    folder.mkdir(parents=True)
    for place, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{place}{suffix}", **options)
    return folder


def test_two_draws_of_the_same_pictures_do_not_leak():
    report = leakage_audit(drawn(80, 0), drawn(80, 1))
    assert report.leaks == ()
    assert (report.real, report.fake, report.repeated) == (80, 80, 0)
    assert {fact.kind for fact in report.facts} == {"size", "compression", "content"}
    for fact in report.facts:
        assert fact.low <= fact.accuracy <= fact.high
        assert fact.low < 0.55


def test_brightness_that_differs_is_named_first_and_the_table_says_so():
    dark = (drawn(60, 1) * 0.6).astype(np.uint8)
    report = leakage_audit(drawn(60, 0), dark)
    assert {"red", "green", "blue"} <= set(report.leaks)
    assert report.facts[0].accuracy > 0.95
    assert "LEAKS" in str(report).splitlines()[1]
    assert "height" not in report.leaks


def test_sizes_that_differ_leak():
    report = leakage_audit(list(drawn(30, 0)), list(drawn(30, 1)[:, :, :12]))
    assert {"width", "aspect"} <= set(report.leaks)
    assert "height" not in report.leaks


def test_pairs_of_the_same_content_hide_content_and_show_what_was_done_to_it():
    real = drawn(80, 0, size=32)
    fake = (255 * rounded(quantised(real / 255, quality=10))).astype(np.uint8)
    report = leakage_audit(real, fake, paired=True)
    assert "block edges" in report.leaks
    assert not {"red", "green", "blue"} & set(report.leaks)
    # A picture that is on both sides is never judged by a rule that has seen it.
    same = leakage_audit(real, real)
    assert same.repeated == 80
    assert same.leaks == ()


@pytest.mark.parametrize("paired", [False, True])
def test_repeated_pictures_count_once(paired):
    """Chance tells ten pictures of each class apart; sixty copies of each do not make it certain."""
    for seed in range(3):
        generator = np.random.default_rng(seed)
        real, fake = generator.integers(256, size=(2, 10, 8, 8, 3), dtype=np.uint8)
        many = leakage_audit(real.repeat(60, 0), fake.repeat(60, 0), paired=paired)
        assert many.leaks == ()
        assert (many.real, many.different, many.repeated) == (600, (10, 10), 1180)
        assert "600 real (10 different), 600 fake (10 different), 1180 repeated" in str(many)
        # Wilson's interval of ten right ones of ten, the narrowest that there is, is as wide as that.
        told = [fact.high - fact.low for fact in many.facts if fact.high > fact.low]
        assert len(told) > 3
        assert min(told) > 0.3


def test_a_class_of_few_different_pictures_is_not_audited():
    white = np.full((60, 16, 16, 3), 255, np.uint8)
    with pytest.raises(
        ExperimentError,
        match="10 different pictures of each class; of 60 real and 60 fake ones 1 and",
    ):
        leakage_audit(white, drawn(60, 0))
    # Pairs of one real picture with other fakes are one pair, also where a chain of pairs makes them so.
    with pytest.raises(
        ExperimentError, match="10 different pairs; of 60 real and 60 fake ones 1 and 1"
    ):
        leakage_audit(white, drawn(60, 0), paired=True)
    chain = drawn(61, 0)
    with pytest.raises(ExperimentError, match="10 different pairs"):
        leakage_audit(chain[:60], chain[1:], paired=True)


def test_formats_and_qualities_of_files_leak(tmp_path):
    real = written(tmp_path / "real", drawn(30, 0), ".jpg", quality=90)
    fake = written(tmp_path / "fake", drawn(30, 1))
    report = leakage_audit(real, fake)
    assert {"suffix", "format", "subsampling", "quantisation", "bytes a pixel"} <= set(report.leaks)
    assert not {"height", "width", "red"} & set(report.leaks)
    worse = written(tmp_path / "worse", drawn(30, 1), ".jpg", quality=70)
    leaks = leakage_audit(real, worse).leaks
    assert "quantisation" in leaks
    assert not {"suffix", "format", "subsampling"} & set(leaks)
    alike = written(tmp_path / "alike", drawn(30, 1), ".jpg", quality=90)
    assert leakage_audit(real, alike).leaks == ()


def test_values_of_metadata_leak_entry_by_entry(tmp_path):
    real = written(tmp_path / "real", drawn(30, 0), dpi=(72, 72))
    fake = written(tmp_path / "fake", drawn(30, 1), dpi=(300, 300))
    report = leakage_audit(real, fake)
    assert report.leaks == ("metadata dpi",)
    assert report.facts[0].kind == "format"
    assert "metadata dpi" not in {fact.name for fact in leakage_audit(real, real).facts}
    tag, made_by = Image.Exif(), {}
    for name, maker in (("phone", "A phone"), ("model", "A model")):
        tag[305] = maker  # the software; the date, one for each picture, hides nothing
        (tmp_path / name).mkdir()
        for place, pixels in enumerate(drawn(30, len(made_by))):
            tag[306] = f"2024:01:{place + 1:02} 00:00:00"
            Image.fromarray(pixels).save(tmp_path / name / f"{place}.png", exif=tag)
        made_by[name] = tmp_path / name
    report = leakage_audit(*made_by.values())
    assert report.leaks == ("metadata exif Software",)
    assert "metadata exif DateTime" in {fact.name for fact in report.facts}
    # Text may come after the pixels.
    for name in ("real", "fake"):
        said = b"tEXtSoftware\0" + name.encode()
        chunk = struct.pack(">I", len(said) - 4) + said + struct.pack(">I", zlib.crc32(said))
        for path in written(tmp_path / f"late {name}", drawn(30, int(name == "fake"))).iterdir():
            held = path.read_bytes()
            path.write_bytes(held[:-12] + chunk + held[-12:])
    report = leakage_audit(tmp_path / "late real", tmp_path / "late fake")
    assert "metadata Software" in report.leaks
    # Damaged EXIF is compared as a whole.
    for place, pixels in enumerate(drawn(30, 2)):
        Image.fromarray(pixels).save(tmp_path / "model" / f"{place}.png", exif=b"damaged")
    assert "metadata" not in leakage_audit(*made_by.values()).leaks


def test_what_all_pictures_have_in_common_is_at_chance():
    report = leakage_audit(drawn(30, 0), drawn(31, 1))
    facts = {fact.name: fact for fact in report.facts}
    for name in ("height", "width", "aspect"):
        assert (facts[name].accuracy, facts[name].low, facts[name].high) == (0.5, 0.5, 0.5)
        assert not facts[name].leaks
    constant = {line.split()[0] for line in str(report).splitlines() if line.endswith("constant")}
    assert {"height", "width", "aspect"} <= constant
    assert "red" not in constant


def test_folders_of_benchmarks_are_told_by_their_names(tmp_path):
    for layout in (("car/0_real", "car/1_fake"), ("train/nature", "train/ai")):
        root = tmp_path / layout[0].partition("/")[0]
        for name, seed in zip(layout, (0, 1)):
            written(tmp_path / name, drawn(10, seed))
        real, fake = benchmark_files(root)
        assert benchmark_files(str(root)) == (real, fake)
        assert (len(real), len(fake)) == (10, 10)
        assert {path.parent.name for path in real} == {layout[0].rpartition("/")[2]}
    assert leakage_audit(real, fake).real == 10
    folders = [tmp_path / "train" / name for name in ("nature", "ai")]
    assert leakage_audit(*map(str, folders)) == leakage_audit(*folders)
    assert leakage_audit([str(path) for path in real], fake) == leakage_audit(real, fake)
    written(tmp_path / "only/1_fake/inner", drawn(10, 0))
    with pytest.raises(ExperimentError, match="0 real and 10 fake pictures"):
        benchmark_files(tmp_path / "only")


def test_what_cannot_be_audited_is_named(tmp_path):
    pictures = drawn(12, 0)
    with pytest.raises(ExperimentError, match="10 pictures of each class, got 12 real and 3 fake"):
        leakage_audit(pictures, pictures[:3])
    with pytest.raises(ExperimentError, match="12 real pictures and 11 fakes are no pairs"):
        leakage_audit(pictures, pictures[:11], paired=True)
    with pytest.raises(ExperimentError, match=r"got \(16, 16, 3\) of float32"):
        leakage_audit(pictures.astype(np.float32), pictures)
    with pytest.raises(ExperimentError, match="both classes are files, or neither"):
        leakage_audit(written(tmp_path / "files", pictures), pictures)
    (tmp_path / "files" / "0.png").write_bytes(b"no picture")
    with pytest.raises(ExperimentError, match="cannot read the picture"):
        leakage_audit(tmp_path / "files", tmp_path / "files")
    with pytest.raises(ExperimentError, match="there is no folder"):
        leakage_audit(tmp_path / "none", pictures)
    with pytest.raises(ExperimentError, match=r"from 0\.5 to below 1"):
        leakage_audit(pictures, pictures, allowed=1.0)


def test_the_ports_own_pairs_leak_sharpness_and_clipping_and_no_colour():
    """What its README says of the forgery that detectors are trained on."""
    if "NTKEXEC_DATA" not in os.environ:
        pytest.skip("the pairs are made from CIFAR's sample: set NTKEXEC_DATA")
    real = load("cifar-10-sample", os.environ["NTKEXEC_DATA"]).train[::10]
    fake = forger(SEEN, np.random.default_rng(0), real / 255)(real / 255)
    report = leakage_audit(real, (255 * fake).round().astype(np.uint8), paired=True)
    assert {"sharpness", "clipped"} <= set(report.leaks)
    assert not {"red", "green", "blue", "saturation", "width"} & set(report.leaks)
    kinds = {fact.name: fact.kind for fact in report.facts}
    assert kinds["sharpness"] == kinds["clipped"] == "content"
