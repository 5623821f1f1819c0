"""The ensembles that come with the package: of today's programs, proved, and refused when touched."""

import json
import shutil
from typing import NamedTuple

import numpy as np
import pytest

from ntkexec import ensemble, universal
from ntkexec.errors import EnsembleError
from ntkexec.programs import find_algorithm
from ntkexec.universal import checking, making
from ntkexec.universal.checking import check

SMALLEST = "bellman-ford"


class Said(NamedTuple):
    """What a checker says."""

    claim: str
    decisions: int


@pytest.mark.parametrize("name", universal.SIZES)
def test_they_are_what_is_made_today_of_the_programs_of_today(name):
    manifest = universal.stored(name).manifest
    assert manifest.parameters == universal.SIZES[name]
    assert manifest.program == find_algorithm(name).program(**universal.SIZES[name]).digest
    config = manifest.config
    wanted = (making.MEMBERS, making.WIDTH, making.SEED, "trained")
    assert (config.members, config.width, config.seed, config.draw) == wanted
    proof = json.loads(universal.proof_of(name).read_bytes())
    assert proof["exact"] is True
    assert proof["claim"].startswith(
        "EXACT on every graph with degree at most 3 and at most 10 colours"
    )


def test_there_are_no_others_and_they_are_small():
    assert set(universal.names()) == universal.SIZES.keys()
    files = [path for path in universal.FOLDER.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 8e6


@pytest.fixture(autouse=True)
def forgotten():
    """What this process has checked before."""
    checking._checked.cache_clear()
    yield
    checking._checked.cache_clear()


@pytest.fixture
def copied(tmp_path):
    """A copy of one of them, to be touched."""
    folder = tmp_path / "ensembles"
    shutil.copytree(universal.FOLDER / SMALLEST, folder / SMALLEST)
    shutil.copy(universal.proof_of(SMALLEST), folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("name", universal.SIZES)
def test_every_certificate_is_verified(name):
    found = check(name)
    assert found.seconds > 0
    assert found.decisions == json.loads(universal.proof_of(name).read_bytes())["decisions"]


def test_it_is_checked_once_and_remembered_where_that_is_asked(copied, tmp_path, monkeypatch):
    asked = []

    def verify(data, folder):
        asked.append(folder)
        return Said("holds", 7)

    monkeypatch.setattr(checking, "verify", verify)
    kept = tmp_path / "kept"
    assert check(SMALLEST, kept, copied)[:2] == ("holds", 7)
    assert len(asked) == 1
    check(SMALLEST, None, copied)  # in one process once
    assert len(asked) == 1
    checking._checked.cache_clear()
    data = json.loads((copied / f"{SMALLEST}.json").read_bytes())
    assert check(SMALLEST, kept, copied) == (data["claim"], data["decisions"], None)
    assert len(asked) == 1
    check(SMALLEST, tmp_path / "elsewhere", copied)
    assert len(asked) == 2
    # Of files that are not those, nothing is remembered.
    with (copied / f"{SMALLEST}.json").open("a") as file:
        file.write("\n")
    check(SMALLEST, kept, copied)
    assert len(asked) == 3
    checking._checked.cache_clear()
    (tmp_path / "file").write_text("")
    check(SMALLEST, tmp_path / "file", copied)  # nowhere to remember it
    assert len(asked) == 4


def test_a_certificate_of_other_networks_is_refused(copied):
    path = copied / SMALLEST / "ensemble.json"
    path.write_text(path.read_text().replace('"algorithm": "bellman-ford"', '"algorithm": "bfs"'))
    with pytest.raises(EnsembleError, match="not what its certificate says: not its ensemble"):
        check(SMALLEST, None, copied)


def test_a_touched_weight_is_refused_when_it_is_loaded(copied):
    stored = universal.stored(SMALLEST, copied)
    program = find_algorithm(SMALLEST).program(**universal.SIZES[SMALLEST])
    stored.load(program)
    path = next((copied / SMALLEST).glob("stack-*.safetensors"))
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(EnsembleError):
        stored.load(program)


def test_weights_are_compared_with_those_that_are_shipped():
    program = find_algorithm(SMALLEST).program(**universal.SIZES[SMALLEST])
    networks = universal.stored(SMALLEST).load(program)
    assert universal.difference(networks, SMALLEST) == 0
    first, *others = networks.weights
    moved = first._replace(output=first.output + np.float32(2.0**-10))
    changed = ensemble.Ensemble(
        networks.problem, networks.config, (moved, *others), networks.thresholds
    )
    assert universal.difference(changed, SMALLEST) == pytest.approx(2.0**-10, rel=1e-3)


def test_what_has_no_universal_ensemble_is_named(tmp_path):
    with pytest.raises(
        EnsembleError, match=r"'bfs-splitt' has no universal ensemble.*did you mean"
    ):
        universal.make("bfs-splitt", tmp_path)


def test_a_note_that_cannot_be_looked_for_is_none(copied, tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "verify", lambda data, folder: Said("holds", 7))
    assert check(SMALLEST, tmp_path / ("x" * 300), copied).seconds is not None


def test_who_checked_a_certificate_and_when_is_told():
    told = {seconds: dict(checking.Checked("holds", 7, seconds).rows) for seconds in (None, 2.0)}
    assert "re-checked by an earlier command: holds (7 decisions)" in told[None]["  complete"]
    assert "re-checked by this process, in 2.0 s: holds" in told[2.0]["  complete"]
    assert all(rows["training"].startswith("none: universal") for rows in told.values())
