"""Traces of bandwidth and sizes of videos: read from both of their forms, or refused by name."""

import os
import pathlib

import numpy as np
import pytest
from support.damage import damage_files

from experiments.data import load
from experiments.data.formats import throughput
from ntkexec.errors import ExperimentError

TIMES = (np.array([0.0, 1.5, 4.0]), np.array([0.0, 2.0]))
SPEEDS = (np.array([1.0, 2.0, 0.0]), np.array([3.0, 0.25]))


def archive(folder, **changes):
    path = folder / "networking/abr_traces_fcc.npz"
    path.parent.mkdir(exist_ok=True)
    parts = {
        "time_s": np.concatenate(TIMES), "bandwidth_mbps": np.concatenate(SPEEDS),
        "ptr": np.array([0, 3, 5]), "names": np.array(["one", "two"]),
        "split": np.array(["test", "train"]),
    }  # fmt: skip
    np.savez(path, **parts | changes)
    return folder


def test_traces_are_the_same_from_an_archive_and_from_a_folder(tmp_path):
    found = load("abr-fcc", archive(tmp_path))
    assert [len(part) for part in (found.train, found.validation, found.test)] == [1, 0, 1]
    folder = tmp_path / "other/fcc-test"
    folder.mkdir(parents=True)
    for name, time, speed in zip(("one", "two"), TIMES, SPEEDS, strict=True):
        lines = [f"{a} {b}\n" for a, b in zip(time, speed, strict=True)]
        (folder / name).write_text("".join(lines) + "\n")
    other = load("abr-fcc", tmp_path / "other")
    for one, two in zip((*found.test, *found.train), other.test, strict=True):
        assert one.name == two.name
        np.testing.assert_array_equal(one.seconds, two.seconds)
        np.testing.assert_array_equal(one.megabits, two.megabits)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"ptr": np.array([0, 3, 4])}, "does not cut its 5 times"),
        ({"split": np.array(["test", "other"])}, "'other'"),
        ({"names": np.array(["one"])}, "not one name"),
        ({"time_s": np.zeros(5)}, "do not grow"),
        ({"time_s": np.zeros((5, 1))}, "numbers in one row"),
        ({"bandwidth_mbps": -np.ones(5)}, "carries nothing"),
        ({"bandwidth_mbps": np.full(5, np.nan)}, "not finite"),
        ({"bandwidth_mbps": np.ones(4)}, "5 times and 4 bandwidths"),
    ],
)
def test_an_archive_that_does_not_fit_is_refused(tmp_path, changes, said):
    with pytest.raises(ExperimentError, match=said) as found:
        load("abr-fcc", archive(tmp_path, **changes))
    assert "abr_traces_fcc.npz" in str(found.value)


def test_times_of_an_archive_are_told_apart_whatever_they_begin_with(tmp_path):
    seconds = np.concatenate(TIMES) + 1_700_000_000
    found = load("abr-fcc", archive(tmp_path, time_s=seconds))
    np.testing.assert_array_equal(found.test[0].seconds, seconds[:3])


def videos(folder):
    (folder / "networking").mkdir(exist_ok=True)
    for number in (1, 2):
        file = folder / f"networking/video{number}_chunk_sizes_bytes.csv"
        file.write_text("q0,q1\n10,20\n11,23\n")
    return folder


def test_sizes_of_videos_are_the_same_from_tables_and_from_a_file_a_quality(tmp_path):
    found = load("video-chunks", videos(tmp_path))
    assert [one.name for one in found] == ["video1", "video2"]
    folder = tmp_path / "other/video1_sizes"
    folder.mkdir(parents=True)
    (folder / "video_size_0").write_text("10\n11\n")
    (folder / "video_size_1").write_text("20\n23\n")
    (only,) = load("video-chunks", tmp_path / "other")
    np.testing.assert_array_equal(only.sizes, found[0].sizes)
    np.testing.assert_array_equal(only.sizes, [[10, 20], [11, 23]])
    (folder / "video_size_1").write_text("20\n")
    with pytest.raises(ExperimentError, match="as many chunks"):
        load("video-chunks", tmp_path / "other")


def test_a_video_without_chunks_or_with_qualities_out_of_order_is_refused(tmp_path):
    file = videos(tmp_path) / "networking/video1_chunk_sizes_bytes.csv"
    for text, said in (
        ("q0,q1\n" + "1" * 200_000 + ",2\n", "field larger"),
        ("q0,q1\n20,10\n23,11\n", "21 bytes in quality 1, and 43"),
        ("q0,q1\n10,10\n", "10 bytes in quality 1, and 10"),
    ):
        file.write_text(text)
        with pytest.raises(ExperimentError, match=f"(?s)video1_chunk.*{said}"):
            load("video-chunks", tmp_path)
    # Of a single chunk the better quality may be the smaller one.
    file.write_text("q0,q1\n10,9\n11,23\n")
    assert load("video-chunks", tmp_path)[0].sizes.tolist() == [[10, 9], [11, 23]]
    folder = tmp_path / "other/video1_sizes"
    folder.mkdir(parents=True)
    for text, said in (
        ("", "has no chunk"),
        ("\n \n", "has no chunk"),
        ("20\n", "quality 1, and 20"),
    ):
        for quality in (0, 1):
            (folder / f"video_size_{quality}").write_text(text)
        with pytest.raises(ExperimentError, match=f"(?s)video.*{said}"):
            load("video-chunks", tmp_path / "other")


def test_damaged_files_are_read_or_refused(tmp_path):
    files = sorted((videos(archive(tmp_path)) / "networking").iterdir())
    folder = tmp_path / "other/fcc-test"
    folder.mkdir(parents=True)
    (folder / "one").write_text("0 1.5\n1.25 2\n")

    def read_or_refused(name, folder, path):
        try:
            load(name, folder)
        except ExperimentError as error:
            if path.name not in str(error):
                raise AssertionError("the file is not named") from error

    damage_files(("video-chunks", tmp_path, files[1:]), read_or_refused, 1, 60)
    damage_files(("abr-fcc", tmp_path, files[:1]), read_or_refused, 2, 60)
    damage_files(("abr-fcc", tmp_path / "other", [folder / "one"]), read_or_refused, 3, 60)


def test_a_reader_of_what_is_not_there_names_it(tmp_path):
    for reader in (throughput.read_folder, throughput.read_videos, throughput.read):
        with pytest.raises(ExperimentError, match="nothing"):
            reader(tmp_path / "nothing", "name")


@pytest.mark.skipif("NTKEXEC_DATA" not in os.environ, reason="needs real data")
def test_the_real_traces_and_videos_are_read():
    data = pathlib.Path(os.environ["NTKEXEC_DATA"])
    found = load("abr-fcc", data)
    assert [len(part) for part in (found.train, found.validation, found.test)] == [235, 150, 100]
    assert [one.sizes.shape for one in load("video-chunks", data)] == [(49, 6), (49, 6)]
