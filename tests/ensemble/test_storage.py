"""Ensembles on disk: bit-exact, checked on reading, and safe to kill while they are written."""

import ast
import dataclasses
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load as parse
from safetensors.numpy import save as write_tensors
from support.ensembles import EPS32, MIXED, equal_weights, joint, program

import ntkexec
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import (
    EnsembleConfig,
    chunk_files,
    load,
    read_manifest,
    storage,
    stored,
    train,
    training,
)
from ntkexec.ensemble import thresholds as running
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import state_bound

PROBLEM = joint(program([[0], [1], [0, 1]]))
CONFIG = EnsembleConfig(members=5, width=32)
BUDGET = 2 * 8 * 4 * 32 * (3 + 5)  # two members a chunk
SIZES = {"size": 3}


def some_thresholds(problem):
    shape = (problem.program.layout.num_bits, problem.max_matches + 1)
    return np.arange(np.prod(shape), dtype=np.float32).reshape(shape) / 7


def train_here(folder, **changes):
    options = {"problem": PROBLEM, "config": CONFIG, "parameters": SIZES, "budget": BUDGET}
    options |= changes
    options.setdefault("thresholds", some_thresholds(options["problem"]))
    problem, config = options.pop("problem"), options.pop("config")
    return train(problem, config, directory=folder, **options)


def refuses(folder, message, problem=PROBLEM):
    with pytest.raises(EnsembleError, match=message) as caught:
        load(folder, problem)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    train_here(tmp_path / "stored")
    return tmp_path / "stored"


def weight_files(folder):
    return sorted(folder.glob("stack-*.safetensors"))


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
        dataclasses.replace(CONFIG, bias_std=0.1, members=2, seed=3, weight_std=1.1),
        dataclasses.replace(CONFIG, draw="linearised", members=2, bias_std=0.1),
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


# Damage.


def some_positions(path):
    size = path.stat().st_size
    return [0, 8, 20, size // 2, size - 1]


@pytest.mark.parametrize("position", range(5))
def test_a_flipped_bit_is_noticed_wherever_it_is(folder, position):
    path = weight_files(folder)[1]
    content = bytearray(path.read_bytes())
    content[some_positions(path)[position]] ^= 1
    path.write_bytes(content)
    assert path.name in refuses(folder, "is damaged: its SHA-256 is not the one in ensemble.json")


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_a_truncated_file_is_noticed(folder, kept):
    path = weight_files(folder)[0]
    content = path.read_bytes()
    path.write_bytes(content[:kept])
    assert path.name in refuses(folder, rf"is cut short: \d+ bytes of {len(content)}$")


def test_a_file_with_more_at_its_end_is_refused(folder):
    path = weight_files(folder)[0]
    path.write_bytes(path.read_bytes() + b"\0")
    refuses(folder, path.name)


def test_a_missing_file_is_named(folder):
    path = weight_files(folder)[2]
    path.unlink()
    assert path.name in refuses(folder, "is missing: No such file")


def test_a_missing_folder_is_named(tmp_path):
    for found in (load, read_manifest):
        arguments = (PROBLEM,) if found is load else ()
        with pytest.raises(EnsembleError, match=r"there is no folder .*nowhere$"):
            found(tmp_path / "nowhere", *arguments)


def test_an_empty_folder_and_an_unfinished_training_are_told_apart(folder, tmp_path):
    (tmp_path / "empty").mkdir()
    refuses(tmp_path / "empty", r"holds no ensemble: ensemble\.json is missing")
    (folder / "ensemble.json").unlink()
    weight_files(folder)[2].unlink()
    refuses(folder, r"is unfinished \(2 chunks done\); run the same train command again")


def edited(folder, edit):
    path = folder / "ensemble.json"
    data = json.loads(path.read_bytes())
    edit(data)
    path.write_text(json.dumps(data))


@pytest.mark.parametrize(
    "content, message",
    [
        (b"not json", r"ensemble\.json is damaged"),
        (b"", r"ensemble\.json is damaged"),
        (b"\xff\xfe\x00", r"ensemble\.json is damaged"),
        (b"[1, 2]", r"ensemble\.json has format 'list'; this version reads 'ntkexec-ensemble/2'"),
        (b"{}", r"ensemble\.json has format None"),
        (b'{"format": "ntkexec-ensemble/3"}', r"has format 'ntkexec-ensemble/3'"),
        (b'{"format": "ntkexec-ensemble/1"}', r"'ntkexec-ensemble/2'; train it again$"),
        (b'{"format": "ntkexec-ensemble/2"}', r"ensemble\.json is damaged: its fields are"),
        (b'{"format": "ntkexec-ensemble/2", "format": 1}', r"damaged: a name stands twice"),
        (b'{"format": 1e999}', r"damaged: 1e999 is no number"),
        (b"[" * 100_000, r"ensemble\.json is damaged"),
    ],
    ids=str,
)
def test_a_manifest_that_is_none_is_refused(folder, content, message):
    (folder / "ensemble.json").write_bytes(content)
    refuses(folder, message)
    with pytest.raises(EnsembleError, match=message):
        read_manifest(folder)


EDITS = {
    "no program": lambda data: data.pop("program"),
    "no config": lambda data: data.pop("config"),
    "config with another option": lambda data: data["config"].update(depth=2),
    "config with a wrong value": lambda data: data["config"].update(members=0),
    "config with a wrong type": lambda data: data["config"].update(members="many"),
    "no files": lambda data: data.pop("files"),
    "a file without a digest": lambda data: data["files"][0].pop("sha256"),
    "a file without a chunk": lambda data: data["files"][0].pop("chunk"),
    "a chunk that is none": lambda data: data["files"][0].update(chunk=[0]),
    "fewer files": lambda data: data["files"].pop(),
    "more members than files": lambda data: data["config"].update(members=6),
}


@pytest.mark.parametrize("edit", EDITS.values(), ids=EDITS)
def test_a_manifest_that_was_edited_is_refused(folder, edit):
    load(folder, PROBLEM)
    edited(folder, edit)
    with pytest.raises(EnsembleError):
        load(folder, PROBLEM)


@pytest.mark.parametrize(
    "other, message",
    [
        (
            joint(program([[0], [1], [1]])),
            r"trained for program [0-9a-f]{64}, but [0-9a-f]{64} is needed \(its example has size 3\);"
            r" its templates have changed since, or are of other sizes: train it again",
        ),
        (LearningProblem(PROBLEM.program), r"trained for kind joint, but factored is needed"),
        (joint(PROBLEM.program, padding=2), r"trained for padding 0, but 2 is needed"),
        (
            joint(dataclasses.replace(PROBLEM.program, name="other")),
            r"trained for algorithm example, but other is needed \(its example has size 3\)",
        ),
    ],
    ids=["program", "kind", "padding", "name"],
)
def test_an_ensemble_for_another_problem_is_refused(folder, other, message):
    refuses(folder, message, other)


def signed(data, folder):
    """Every chunk and digest made to fit an edited manifest: what a forger would do."""
    plan = stored.Plan(
        **{
            name: data[name]
            for name in ("algorithm", "parameters", "program", "kind", "padding", "convention")
        },
        config=EnsembleConfig(**data["config"]),
        thresholds=stored.Entry(**data["thresholds"]),
        chunk_budget=data["chunk_budget"],
        made_with=data["made_with"],
    )
    for entry in data["files"]:
        path = folder / entry["name"]
        tensors = parse(path.read_bytes())
        path.write_bytes(
            content := chunk_files.to_bytes(
                stored_weights(tensors), plan.stamp(training.Chunk(*entry["chunk"]))
            )
        )
        entry |= {"bytes": len(content), "sha256": stored.sha256(content)}


def stored_weights(tensors):
    class Named(dict):
        _asdict = dict.copy

    return Named(tensors)


def other_tensors(change):
    """A forgery of the first chunk's tensors, with all digests and stamps made to fit."""

    def edit(data, folder):
        path = folder / data["files"][0]["name"]
        tensors = {name: np.array(array) for name, array in parse(path.read_bytes()).items()}
        change(tensors)
        path.write_bytes(write_tensors(tensors))
        signed(data, folder)

    return edit


def twice(tensors, name, axis):
    tensors[name] = np.concatenate([tensors[name]] * 2, axis)


FORGERIES = {
    "tensors that the draw does not have": (
        other_tensors(lambda t: t.update(hidden_shift=t["hidden"], initial_output=t["output"])),
        "holds other tensors: 'hidden_shift', 'initial_output'",
    ),
    "biases": (
        other_tensors(lambda t: t.update(hidden_bias=t["hidden"][:, :, 0])),
        "holds other tensors: 'hidden_bias'",
    ),
    "no residual": (other_tensors(lambda t: t.pop("residual")), "other tensors: 'residual'"),
    "rows of hidden": (
        other_tensors(lambda t: twice(t, "hidden", 2)),
        r"holds 'hidden' of shape \(2, 1, 6, 32\) and type float32, not \(2, 1, 3, 32\)",
    ),
    "more units": (
        other_tensors(lambda t: (twice(t, "hidden", 3), twice(t, "output", 2))),
        "holds 'hidden' of shape",
    ),
    "more members": (
        other_tensors(lambda t: [twice(t, name, 0) for name in list(t)]),
        "holds 'hidden' of shape",
    ),
    "float64": (
        other_tensors(lambda t: t.update(hidden=t["hidden"].astype(np.float64))),
        "type float64",
    ),
    "a chunk twice": (
        lambda data, folder: data["files"].insert(1, data["files"][0]),
        "does not follow what stands before it",
    ),
    "chunks in another order": (
        lambda data, folder: data["files"].reverse(),
        "does not follow what stands before it",
    ),
    "a chunk of another stack": (
        lambda data, folder: data["files"][2].update(
            chunk=[1, 4, 5], name="stack-1-members-00004-00005.safetensors"
        ),
        "does not follow what stands before it",
    ),
    "a path": (
        lambda data, folder: data["files"][0].update(name="../" + data["files"][0]["name"]),
        "is no name for the chunk",
    ),
    "another file as thresholds": (
        lambda data, folder: data["thresholds"].update(name=data["files"][0]["name"]),
        "thresholds are in 'thresholds.safetensors', not",
    ),
    "an entry with more in it": (
        lambda data, folder: data["files"][0].update(scale=2),
        "an entry of files has 'scale' off",
    ),
    "a field more": (lambda data, folder: data.update(scale=2), "its fields are 'scale' off"),
    "another seed": (
        lambda data, folder: data["config"].update(seed=7),
        "belongs to another training",
    ),
    "another scale": (
        lambda data, folder: data["config"].update(weight_std=2.0),
        "belongs to another training",
    ),
    "other sizes": (
        lambda data, folder: data["parameters"].update(size=4),
        "belongs to another training",
    ),
    "a flag for a number": (
        lambda data, folder: data["config"].update(members=True),
        "config.members is True",
    ),
    "no number": (
        lambda data, folder: data["config"].update(weight_std=float("nan")),
        "damaged: NaN is no number",
    ),
    "other thresholds": (
        lambda data, folder: (folder / "thresholds.safetensors").write_bytes(
            write_tensors({"thresholds": some_thresholds(PROBLEM) + 1})
        ),
        "thresholds.safetensors is damaged: its SHA-256",
    ),
}


@pytest.mark.parametrize("forge, message", FORGERIES.values(), ids=FORGERIES)
def test_a_folder_holds_exactly_what_its_plan_says(folder, forge, message):
    edited(folder, lambda data: forge(data, folder))
    refuses(folder, message)


def a_link(path):
    path.rename(path.parent.parent / "elsewhere")
    path.symlink_to(path.parent.parent / "elsewhere")


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def a_folder(path):
    path.unlink()
    path.mkdir()


def a_device(path):
    path.unlink()
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("which", ["stack-0-members-00002-00004", "thresholds", "ensemble"])
@pytest.mark.parametrize("change", [a_link, a_pipe, a_folder, a_device])
def test_only_regular_files_are_read(folder, which, change):
    (path,) = (found for found in folder.iterdir() if found.stem == which)
    change(path)
    assert path.name in refuses(folder, "is no regular file$")


def test_a_file_is_known_to_fit_before_it_is_read(folder):
    path = weight_files(folder)[0]
    with path.open("r+b") as file:
        file.truncate(1 << 40)
    edited(folder, lambda data: data["files"][0].update(bytes=1 << 40))
    refuses(folder, r"has 1,099,511,627,776 bytes; at most \d")
    with (folder / "ensemble.json").open("r+b") as file:
        file.truncate(1 << 40)
    refuses(folder, r"ensemble\.json has 1,099,511,627,776 bytes")


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


# Interrupted training.


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
from ensemble.test_storage import train_here
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


@pytest.fixture
def trained_chunks(monkeypatch):
    calls, trains = [], training.train_chunk

    def count(problem, config, chunk):
        calls.append(chunk)
        return trains(problem, config, chunk)

    monkeypatch.setattr(training, "train_chunk", count)
    return calls


@pytest.mark.parametrize("hang_in, at", [("report", 2), ("rename", 4)])
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
    "sizes": {"parameters": {"size": 4}},
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
    sources = sorted(Path(ntkexec.__file__).parent.rglob("*.py"))
    assert len(sources) > 20
    for source in sources:
        text = source.read_text()
        assert not re.search(r"allow_pickle\s*=\s*True", text), source
        for node in ast.walk(ast.parse(text)):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            assert not unsafe & {name.split(".")[0] for name in names}, source
