"""Stored results and checkpoints: read as they were written, or refused by the file's name."""

import dataclasses
import json
import os
import random
import shutil

import jax.numpy as jnp
import pytest
from support.ports import claim, port

from experiments.files.storage import (
    load_tensors,
    read_sealed,
    write_sealed,
)
from experiments.harness import configuration, registry, runner
from experiments.harness import stored as results
from experiments.harness.study import Trial
from experiments.kits.training import train
from ntkexec.check import Measurement
from ntkexec.cli import main
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Config:
    size: int = 1

    def __post_init__(self):
        configuration.check_types(self)


def first(config, trial):
    return {
        "value": config.size + trial.seed,
        "rest": [0.5, float("inf"), None, "\u00e9", {"a": []}],
    }


def second(config, trial):
    return {"value": trial.kept("a part", lambda: {"value": trial.seed})["value"]}


EXAMPLE = port(
    {"first": first, "second": second},
    (
        claim(
            "small",
            lambda rs: Measurement(max(r[s]["value"] for r in rs for s in ("first", "second"))),
            9,
        ),
    ),
    Config(),
)


def run(num_seeds, out):
    return runner.run(EXAMPLE, Config(), num_seeds=num_seeds, first_seed=0, out=out)


@pytest.fixture
def out(tmp_path):
    run(2, tmp_path / "out")
    return tmp_path / "out"


def again(out):
    return run(2, out)


def stored(out, study="first", seed=0):
    (path,) = out.glob(f"example/{study}-*/seed-{seed}.json")
    return path


def edited(path, **values):
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def forged(path, **values):
    """The file with other values and a digest that fits, as somebody makes it who wants to."""
    data = {**json.loads(path.read_text()), **values}
    del data["digest"]
    write_sealed(path, data)


def refused(out, path):
    with pytest.raises(ExperimentError) as found:
        again(out)
    assert str(path) in str(found.value)
    assert "delete it" in str(found.value)
    return str(found.value)


def test_what_was_stored_is_read_as_it_was(out):
    report = again(out)
    assert report.reused == 4
    assert report.records == run(2, None).records
    assert report.records[0]["first"]["rest"] == [0.5, float("inf"), None, "\u00e9", {"a": []}]


# What once ended in a traceback, or was judged as if it had been measured.
CORPUS = {
    "nothing": b"",
    "half": b'{"format": ',
    "null": b"null",
    "a list": b"[]",
    "a number": b"7",
    "Infinity": b"Infinity",
    "no UTF-8": b"\xff\xfe",
    "zeros": b"\0" * 100,
    "deep": b"[" * 100_000,
    "deep objects": b'{"a":' * 100_000,
    "digits": b"1" * 10_000,
    "an old one": b'{"format": "ntkexec-experiment/2", "result": {"value": 1}, "seconds": 1}',
}


@pytest.mark.parametrize("name", CORPUS)
@pytest.mark.parametrize("part", [False, True])
def test_a_file_that_holds_no_result_is_refused_by_name(out, name, part):
    path = stored(out, "second") if part else stored(out)
    if part:
        path.unlink()
        path = path.with_suffix("") / "a-part.json"
    path.write_bytes(CORPUS[name])
    refused(out, path)


EDITS = {
    "result null": {"result": None},
    "result a list": {"result": [1]},
    "result without entries": {"result": {}},
    "an entry of another type": {"result": {"value": "7"}},
    "an entry that is infinite": {"result": {"value": float("inf")}},
    "another value": {"result": {"value": 2}},
    "seconds of words": {"seconds": "long"},
    "seconds below 0": {"seconds": -1},
    "seconds without end": {"seconds": float("inf")},
    "seconds beyond floats": {"seconds": 10**400},
    "seconds null": {"seconds": None},
    "processor time of words": {"cpu_seconds": "long"},
    "another format": {"format": "ntkexec-experiment/2"},
    "another seed": {"seed": 1},
    "another study": {"study": "second"},
    "another folder": {"folder": "first-0"},
    "a digest of another type": {"digest": None},
    "one entry more": {"note": 1},
}


@pytest.mark.parametrize("name", EDITS)
def test_a_result_that_was_edited_is_refused_by_name(out, name):
    edited(stored(out), **EDITS[name])
    refused(out, stored(out))


@pytest.mark.parametrize("name", [n for n in EDITS if "another value" not in n and "more" not in n])
def test_a_digest_that_fits_does_not_make_a_result(out, name):
    if "digest" in name:
        return
    forged(stored(out), **EDITS[name])
    if name in ("result without entries", "an entry of another type"):
        # Only the check knows what should be there.
        with pytest.raises(ExperimentError, match=f"small cannot be judged .* stored in {out}"):
            again(out)
    elif name == "an entry that is infinite":
        assert [o.verdict for o in again(out).outcomes] == ["fails"]
    else:
        refused(out, stored(out))


def test_a_result_in_the_place_of_another_is_refused(out):
    shutil.copy(stored(out, seed=0), stored(out, seed=1))
    assert "its seed is 0, not 1" in refused(out, stored(out, seed=1))


def test_a_part_in_the_place_of_another_is_refused(tmp_path):
    trial = Trial("study", 0, folder=tmp_path)
    trial.kept("one", lambda: {"value": 1})
    (tmp_path / "one.json").rename(tmp_path / "two.json")
    with pytest.raises(ExperimentError, match=r"two\.json holds another result"):
        trial.kept("two", lambda: {"value": 2})


def test_what_is_no_regular_file_is_refused_and_not_waited_for(out):
    path = stored(out)
    for make in (path.mkdir, lambda: os.mkfifo(path), lambda: path.symlink_to("/dev/zero")):
        path.rmdir() if path.is_dir() else path.unlink()
        make()
        assert "no regular file" in refused(out, path)


def test_a_configuration_that_was_edited_is_written_anew(out):
    path = stored(out).with_name("config.json")
    before = path.read_bytes()
    path.write_text("{}")
    again(out)
    assert path.read_bytes() == before


def test_the_command_ends_with_two_and_one_line(out, monkeypatch, capsys):
    monkeypatch.setattr(registry, "find", lambda slug: EXAMPLE)
    edited(stored(out), result=None)
    assert (
        main(
            ["experiment", "run", "example", "--seeds", "2", "--first-seed", "0", "--out", str(out)]
        )
        == 2
    )
    said = capsys.readouterr()
    assert said.err.splitlines()[-1].startswith(f"ntkexec: example: {stored(out)} is damaged")
    assert said.out == ""


def test_a_claim_that_is_wrong_by_itself_is_not_blamed_on_what_was_stored():
    broken = claim("broken", lambda records: records[0]["first"]["no"])
    with pytest.raises(KeyError):
        runner.run(port(EXAMPLE.studies.functions, (broken,), Config()), Config(), num_seeds=1)


# A checkpoint, for the fuzzer.


def step(state, index, data):
    return state + data, {"seen": state}


OPTIONS = {"data": jnp.float32(1), "chunk": 2}


# The fuzzer: files of a run, damaged; whatever is still read says the same as before.


def damaged(chance, content):
    content = bytearray(content)
    for _ in range(chance.choice((1, 1, 2, 5))):
        place = chance.randrange(len(content) + 1)
        what = chance.randrange(6)
        if what == 0:
            content[place : place + 1] = bytes([chance.randrange(256)])
        elif what == 1:
            del content[place : place + chance.randint(1, 30)]
        elif what == 2:
            del content[place:]
        elif what == 3:
            content[place:place] = chance.choice(
                (b"null", b"NaN", b"]", b"{", b'"', b"\0", b" ", b"9")
            )
        elif what == 4:
            old, new = chance.choice(
                ((b"1", b"2"), (b"0.5", b"Infinity"), (b"null", b"{}"), (b"{", b"["))
            )
            content = bytearray(bytes(content).replace(old, new, 1))
        else:
            content[place:place] = content[place : place + 40]
    return bytes(content)


def try_files(folder, seed, number):
    run(1, folder)
    (path,) = folder.glob("example/first-*/seed-0.json")
    whole, before = path.read_bytes(), read_sealed(path)
    state = folder / "state.safetensors"
    train(step, jnp.float32(0), 4, checkpoint=state, **OPTIONS)
    tensors, kept = state.read_bytes(), load_tensors(state)
    chance, read = random.Random(seed), 0
    for _ in range(number):
        path.write_bytes(damaged(chance, whole))
        try:
            found = results.read_result(path.parent, "first", 0)
        except ExperimentError as refusal:
            said = str(refusal)
        else:
            # Blanks between entries mean nothing.
            read, said = read + 1, f"{path}"
            assert found == before, path.read_bytes()
        assert str(path) in said
        assert len(said) < len(str(path)) + 700
        state.write_bytes(damaged(chance, tensors))
        try:
            again, notes = load_tensors(state)
        except ExperimentError as refusal:
            said = str(refusal)
        else:
            said = f"{state}"
            assert notes == kept[1]
            assert {n: t.tobytes() for n, t in again.items()} == {
                n: t.tobytes() for n, t in kept[0].items()
            }
        assert str(state) in said
    return read


def test_damaged_files_are_refused_or_say_the_same(tmp_path):
    try_files(tmp_path, 0, 500)


@pytest.mark.slow
def test_many_damaged_files_are_refused_or_say_the_same(tmp_path):
    assert try_files(tmp_path, int(os.environ.get("NTKEXEC_FUZZ_SEED", "1")), 150_000) > 100
