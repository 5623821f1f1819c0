"""Stored ensembles are checked on reading: what is damaged, forged or another's does not load."""

import dataclasses
import json
import os

import numpy as np
import pytest
from safetensors.numpy import load as parse
from safetensors.numpy import save as write_tensors
from support.ensembles import joint, program
from support.stored import PROBLEM, refuses, some_positions, some_thresholds, weight_files

from ntkexec.ensemble import (
    EnsembleConfig,
    chunk_files,
    load,
    read_manifest,
    stored,
    training,
)
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem


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
        (joint(program([[0], [1], [1]])), r"trained for program [0-9a-f]{64}, but [0-9a-f]{64} is"),
        (LearningProblem(PROBLEM.program), r"trained for kind joint, but factored is needed"),
        (joint(PROBLEM.program, padding=2), r"trained for padding 0, but 2 is needed"),
        (
            joint(dataclasses.replace(program([[0], [1], [1]]), name="other")),
            r"trained for algorithm example, but other is needed \(its example has size 3\)",
        ),
    ],
    ids=["program", "kind", "padding", "name"],
)
def test_an_ensemble_for_another_problem_is_refused(folder, other, message):
    refuses(folder, message, other)


def test_a_name_is_no_part_of_what_was_learned(folder):
    found = load(folder, joint(dataclasses.replace(PROBLEM.program, name="other")))
    assert found.problem == PROBLEM


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
