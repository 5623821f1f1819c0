"""Ensembles on disk: bit-exact, with the thresholds that run, and honest where nothing can be written."""

import ast
import dataclasses
import json
import os
import re
from pathlib import Path

import numpy as np
import pytest
from support.ensembles import MIXED, equal_weights
from support.stored import (
    CONFIG,
    PROBLEM,
    SIZES,
    train_here,
    weight_files,
)

import ntkexec
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import (
    load,
    read_manifest,
    storage,
)
from ntkexec.ensemble import thresholds as running
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import state_bound


def test_a_stored_ensemble_is_read_bit_for_bit(folder):
    assert len(weight_files(folder)) == 3  # 2 + 2 + 1 members
    trained, loaded = train_here(None), load(folder, PROBLEM)
    assert loaded.problem == PROBLEM
    assert loaded.config == CONFIG
    assert all(equal_weights(a, b) for a, b in zip(trained.weights, loaded.weights, strict=True))


@pytest.mark.parametrize(
    "config",
    [
        dataclasses.replace(CONFIG, precision="float64", tolerance=1e-8, members=2),
        # Larger biases need their own step size; this says that they are stored.
        pytest.param(
            dataclasses.replace(CONFIG, bias_std=0.1, members=2, seed=3, weight_std=1.1),
            marks=pytest.mark.slow,
        ),
        pytest.param(
            dataclasses.replace(CONFIG, draw="linearised", members=2, bias_std=0.1),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["float64", "biases", "linearised"],
)
def test_so_are_several_stacks_of_every_precision_with_biases(tmp_path, config):
    problem = LearningProblem(MIXED, padding=1)
    trained = train_here(tmp_path / "new" / "folder", problem=problem, config=config)
    loaded = load(tmp_path / "new" / "folder", problem)
    assert len(trained.weights) == len(problem.stacks) > 1
    assert loaded.config == config
    for ours, theirs in zip(trained.weights, loaded.weights, strict=True):
        assert equal_weights(ours, theirs)
        assert (theirs.hidden_bias is None) == (config.bias_std == 0)
        assert theirs.hidden.dtype == config.precision


def test_the_manifest_says_what_was_trained(folder):
    manifest = read_manifest(folder)
    assert manifest.algorithm == "example"
    assert manifest.parameters == SIZES
    assert manifest.program == PROBLEM.program.digest
    assert (manifest.kind, manifest.padding, manifest.config) == ("joint", 0, CONFIG)
    data = json.loads((folder / "ensemble.json").read_bytes())
    assert [f["name"] for f in data["files"]] == [path.name for path in weight_files(folder)]


# The thresholds that run.


def test_an_ensemble_runs_with_the_thresholds_with_which_it_was_stored(tmp_path):
    certificate = Certificate(PROBLEM, state_bound(PROBLEM))
    table = running.running(certificate)
    train_here(tmp_path / "own", thresholds=np.float64(table))
    networks = load(tmp_path / "own", PROBLEM)
    assert networks.thresholds.dtype == np.float32
    np.testing.assert_array_equal(networks.thresholds, table)
    np.testing.assert_array_equal(ensemble_engine(networks, certificate).thresholds, table)
    np.testing.assert_array_equal(networks.first(2).thresholds, table)
    # The twin: a certificate for other thresholds does not speak of this ensemble.
    other = table.copy()
    other[4, 2] += 0.25
    train_here(tmp_path / "other", thresholds=other)
    with pytest.raises(
        EnsembleError, match=r"runs with the threshold \S+ for f1 at 2 matches, the"
    ):
        ensemble_engine(load(tmp_path / "other", PROBLEM), certificate)


@pytest.mark.parametrize(
    "thresholds, message",
    [
        (None, "has the thresholds with it that it runs with"),
        (np.zeros((5, 3)), r"finite and of shape \(5, 4\), these have shape \(5, 3\)"),
        (np.full((5, 4), np.nan), "finite"),
    ],
)
def test_thresholds_that_do_not_fit_are_refused(tmp_path, thresholds, message, trained_chunks):
    with pytest.raises(EnsembleError, match=message):
        train_here(tmp_path / "new", thresholds=thresholds)
    assert not trained_chunks
    assert not (tmp_path / "new").exists()


# Where nothing can be written.


def test_a_path_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(EnsembleError, match=rf"cannot store an ensemble in {folder}: "):
            train_here(folder)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission_is_refused(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(EnsembleError, match="Permission denied"):
            train_here(tmp_path / "new")
        with pytest.raises(EnsembleError, match="Permission denied"):
            train_here(tmp_path)
    finally:
        tmp_path.chmod(0o700)


@pytest.mark.parametrize("number", [1, 2, 5])
def test_a_full_disk_is_reported_and_leaves_no_half_file(tmp_path, monkeypatch, number):
    # The plan is the first file, the manifest the fifth.
    calls, fsync = [], os.fsync

    def fails(descriptor):
        calls.append(descriptor)
        if len(calls) == number:
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    monkeypatch.setattr(storage.os, "fsync", fails)
    with pytest.raises(EnsembleError, match=r"cannot write .*: No space left on device"):
        train_here(tmp_path / "full")
    assert not list((tmp_path / "full").glob("*.part"))
    assert len(list((tmp_path / "full").iterdir())) == number - 1
    with pytest.raises(EnsembleError):
        load(tmp_path / "full", PROBLEM)
    monkeypatch.undo()
    train_here(tmp_path / "full")
    load(tmp_path / "full", PROBLEM)


# No code in data.


def test_nothing_in_the_package_unpickles():
    unsafe = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
    # To write is no danger; nothing else of these may be used.
    writing = {"marshal": {"dumps"}}
    sources = sorted(Path(ntkexec.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    for source in sources:
        text = source.read_text()
        assert not re.search(r"allow_pickle\s*=\s*True", text), source
        for node in ast.walk(ast.parse(text)):
            names = []
            if isinstance(node, ast.Import):
                names = [a.name for a in node.names if a.asname or a.name not in writing]
            elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                module = node.value.id
                assert module not in writing or node.attr in writing[module], source
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not unsafe & {name.split(".")[0] for name in names}, source
