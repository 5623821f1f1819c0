"""Trainings that were killed continue, and a folder belongs to one training."""

import dataclasses
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from support.ensembles import EPS32, equal_weights, joint
from support.stored import (
    BUDGET,
    CONFIG,
    PROBLEM,
    refuses,
    some_positions,
    some_thresholds,
    train_here,
    weight_files,
)

import ntkexec
from ntkexec.ensemble import (
    chunk_files,
    load,
    read_manifest,
    storage,
    stored,
)
from ntkexec.errors import EnsembleError


def test_swapped_chunks_of_an_unfinished_training_are_refused(folder):
    (folder / "ensemble.json").unlink()
    first, second = weight_files(folder)[:2]
    content = first.read_bytes(), second.read_bytes()
    first.write_bytes(content[1])
    second.write_bytes(content[0])
    with pytest.raises(
        EnsembleError, match=rf"{first.name} belongs to another training, or to oth"
    ):
        train_here(folder)
    # The twin: in their own places they are taken over.
    first.write_bytes(content[0])
    second.write_bytes(content[1])
    train_here(folder)


@pytest.mark.parametrize("what", ["jax", "prng", "partitionable"])
def test_a_training_is_not_continued_with_another_jax(folder, monkeypatch, what):
    honest = stored.made_with()
    monkeypatch.setattr(storage, "made_with", lambda: honest | {what: "another"})
    # What is finished is finished.
    assert train_here(folder).config == CONFIG
    (folder / "ensemble.json").unlink()
    with pytest.raises(EnsembleError, match=rf"begun with {what} {honest[what]}, and this is anot"):
        train_here(folder)


def interrupted(folder, *, at, hang_in="report"):
    """Trains in another process and kills it: at the report of chunk `at`, before it is stored, or
    when file number `at` (the first are the plan and the thresholds) has been written but not yet renamed."""
    script = f"""
import os, sys, time
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from support.stored import train_here
seen = []
def hang_at_last(*_):
    seen.append(0)
    if len(seen) == {at}:
        print("now", flush=True)
        time.sleep(600)
rename = os.replace
def hang_in_rename(*args):
    hang_at_last()
    rename(*args)
if {hang_in!r} == "rename":
    os.replace = hang_in_rename
    train_here({str(folder)!r})
else:
    train_here({str(folder)!r}, report=hang_at_last)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(ntkexec.__file__).parent.parent)},
    )
    with process:
        assert process.stdout.readline() == b"now\n"
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL


@pytest.mark.parametrize(
    "hang_in, at", [pytest.param("report", 2, marks=pytest.mark.slow), ("rename", 4)]
)
def test_a_killed_training_leaves_nothing_that_loads_and_continues(
    tmp_path, trained_chunks, hang_in, at
):
    folder = tmp_path / "killed"
    interrupted(folder, at=at, hang_in=hang_in)
    # The second chunk was trained, but it was not stored.
    (stored,) = weight_files(folder)
    assert len(list(folder.glob("*.part"))) == (hang_in == "rename")
    refuses(folder, r"unfinished \(1 chunks done\)")
    before = stored.stat().st_mtime_ns, stored.read_bytes()
    train_here(folder)
    assert [chunk.first_member for chunk in trained_chunks] == [2, 4]
    assert (stored.stat().st_mtime_ns, stored.read_bytes()) == before
    train_here(tmp_path / "uninterrupted")
    assert len(weight_files(folder)) == 3
    for ours, theirs in zip(weight_files(folder), weight_files(tmp_path / "uninterrupted")):
        assert ours.read_bytes() == theirs.read_bytes()
    assert load(folder, PROBLEM).residual <= CONFIG.tolerance + 8 * EPS32


def test_a_complete_ensemble_is_loaded_instead_of_trained(folder, trained_chunks):
    again = train_here(folder)
    assert not trained_chunks
    assert all(
        equal_weights(a, b)
        for a, b in zip(again.weights, load(folder, PROBLEM).weights, strict=True)
    )


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_refused_even_with_the_right_digests(
    folder, monkeypatch, wrong
):
    honest = storage.to_bytes

    def spoilt(weights, stamp):
        output = weights.output.copy()
        output[0, 0, 3, 0] = wrong
        return honest(weights._replace(output=output), stamp)

    shutil.rmtree(folder)
    monkeypatch.setattr(storage, "to_bytes", spoilt)
    with pytest.raises(
        EnsembleError, match=r"\.safetensors holds numbers in 'output' that are not finite"
    ):
        train_here(folder)


def test_training_again_does_not_bless_a_damaged_ensemble(folder):
    path = weight_files(folder)[1]
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(EnsembleError, match="damaged"):
        train_here(folder)
    refuses(folder, "damaged")


def test_a_damaged_chunk_of_an_unfinished_training_is_refused(folder):
    (folder / "ensemble.json").unlink()
    path = weight_files(folder)[1]
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(EnsembleError, match=rf"{path.name} is damaged"):
        train_here(folder)


@pytest.mark.parametrize("position", range(5))
def test_so_is_one_with_a_flipped_bit_wherever_it_is(folder, position):
    (folder / "ensemble.json").unlink()
    path = weight_files(folder)[1]
    content = bytearray(path.read_bytes())
    content[some_positions(path)[position]] ^= 1
    path.write_bytes(content)
    with pytest.raises(EnsembleError, match=rf"{path.name} is damaged"):
        train_here(folder)
    # The twin: whole, it is taken over.
    content[some_positions(path)[position]] ^= 1
    path.write_bytes(content)
    train_here(folder)


def test_every_byte_of_a_chunk_is_covered_by_its_digest(folder):
    content = weight_files(folder)[1].read_bytes()
    manifest = read_manifest(folder)
    stack, chunk = PROBLEM.stacks[0], manifest.files[1].chunk
    path = folder / "copy.safetensors"
    for position in np.random.default_rng(0).integers(len(content), size=200).tolist():
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        path.write_bytes(damaged)
        with pytest.raises(EnsembleError):
            chunk_files.read_chunk(path, manifest, stack, chunk)
    path.write_bytes(content)
    chunk_files.read_chunk(path, manifest, stack, chunk)


def test_a_chunk_of_another_training_is_refused(folder, tmp_path):
    other = tmp_path / "other"
    train_here(other, config=dataclasses.replace(CONFIG, seed=1))
    (folder / "ensemble.json").unlink()
    name = weight_files(folder)[1].name
    (folder / name).write_bytes((other / name).read_bytes())
    with pytest.raises(EnsembleError, match=rf"{name} belongs to another training"):
        train_here(folder)


OTHER_PLANS = {
    "seed": {"config": dataclasses.replace(CONFIG, seed=1)},
    "members": {"config": dataclasses.replace(CONFIG, members=6)},
    "sizes": {"sizes": {"size": 4}},
    "thresholds": {"thresholds": some_thresholds(PROBLEM) + 1},
    "convention": {"convention": "zero"},
    "budget": {"budget": 2 * BUDGET},
    "problem": {"problem": joint(PROBLEM.program, padding=1)},
}


@pytest.mark.parametrize("change", OTHER_PLANS.values(), ids=OTHER_PLANS)
def test_a_folder_with_another_training_is_refused_and_left_alone(folder, change, trained_chunks):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    with pytest.raises(EnsembleError, match=r"holds another training \(plan\.json differs: "):
        train_here(folder, **change)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert not trained_chunks


def test_a_folder_with_other_files_is_refused_and_left_alone(tmp_path, trained_chunks):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(EnsembleError, match=r"holds other files \(thesis\.tex\); give an empty"):
        train_here(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    assert not trained_chunks


def test_a_failed_training_leaves_no_ensemble(tmp_path):
    with pytest.raises(EnsembleError, match="try width"):
        train_here(tmp_path / "narrow", config=dataclasses.replace(CONFIG, width=1))
    refuses(tmp_path / "narrow", r"unfinished \(0 chunks done\)")
