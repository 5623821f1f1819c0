"""Labels of the real decoder: what names them, which questions have a decoy, and how both are judged."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.data.texts import Question
from experiments.harness import runner
from experiments.harness.study import Record
from experiments.language.dr_llm import study_real
from experiments.language.dr_llm.claims import CLAIMS
from experiments.language.dr_llm.packed import pack
from experiments.language.dr_llm.study_config import STANDARD
from experiments.language.dr_llm.study_real import (
    Asked,
    decoy_rows,
    labels_from,
    told,
    untaught,
)
from ntkexec.errors import ExperimentError

CLAIM = next(claim for claim in CLAIMS if claim.name == "real-labels")


def records(right, decoy, *, seeds=2):
    targets = {"right": list(right), "decoy": list(decoy)}
    found = {"real": {"search": {"targets": targets}}}
    return [Record(seed, found) for seed in range(seeds)]


@pytest.mark.parametrize(
    ("right", "decoy", "verdict"),
    [
        # 9 questions of 32 are turned only the one way, 9 only the other.
        ([1] * 16 + [0] * 16, [1] * 7 + [0] * 9 + [1] * 9 + [0] * 7, "undecided"),
        ([1] * 24 + [0] * 8, [1] * 4 + [0] * 28, "holds"),
        ([1] * 4 + [0] * 28, [1] * 24 + [0] * 8, "fails"),
        ([1] * 32, [1] * 32, "undecided"),
    ],
)
def test_labels_are_judged_over_questions_whatever_the_number_of_seeds(right, decoy, verdict):
    one, four = (runner.judge(CLAIM, records(right, decoy, seeds=n)) for n in (1, 4))
    assert one.verdict == verdict
    assert one.measurement == four.measurement
    assert one.measurement.value == np.mean(right) - np.mean(decoy)


def test_the_twin_of_labels_sets_decoys_against_themselves():
    broken = dataclasses.replace(CLAIM, measure=CLAIM.broken)
    found = runner.judge(broken, records([1] * 32, [0, 1] * 16))
    assert found.verdict == "undecided"
    assert found.measurement.value == 0
    assert found.measurement.interval == pytest.approx((-1 / 32, 1 / 32))


def test_seeds_of_different_labels_are_refused():
    several = records([1, 0, 1], [0, 0, 1], seeds=1) + records([1, 0, 1], [0, 1, 1], seeds=1)
    with pytest.raises(ExperimentError, match="labels"):
        CLAIM.measure(several)


def test_both_targets_are_told_of_the_same_questions():
    right = np.array([True, False, False, True, False, False, False])
    choices = np.array([4, 4, 2, 4, 3, 4, 4])  # the third has no other wrong choice
    assert decoy_rows(right, choices, 3).tolist() == [1, 4, 5]
    # Groups are searched one after the other, so the first ones do not depend on what follows.
    assert decoy_rows(right[:5], choices[:5], 3).tolist() == [1, 4]
    labels = {
        "base": right,
        "found": np.array([True, True, True, True, False, True, False]),
        "decoyed": np.array([False, False, True]),
        "labels": np.array([[1, 0, 2], [1, 1, 1]]),
        "evaluations": np.array([2, 4]),
        "calls": np.array([5, 9]),
        "fitting": np.array(0.5),
    }
    found = told(labels, choices)
    assert found["targets"]["right"].tolist() == [1, 0, 1]
    assert found["targets"]["decoy"].tolist() == [0, 0, 1]
    assert (found["wrong"], found["corrected"]) == (5, 3 / 5)


def asked(last=6, answer=0):
    packed = pack([[3, 1, 4], [5, 9]], [[[2], [7, 1]], [[last], [8, 3]]], 8)
    return Asked(packed, np.array([1, answer]), 1.0)


def test_labels_are_named_by_their_questions_and_weights():
    weights = {"a": np.ones((2, 3), np.float32), "b": np.zeros(())}
    names = labels_from(STANDARD, weights, asked())
    assert names == labels_from(STANDARD, {"b": np.zeros(()), "a": weights["a"] + 0}, asked())
    others = [
        labels_from(STANDARD, {**weights, "a": np.full((2, 3), 1.5, np.float32)}, asked()),
        labels_from(STANDARD, {**weights, "a": np.ones((3, 2), np.float32)}, asked()),
        labels_from(STANDARD, weights, asked(last=7)),
        labels_from(STANDARD, weights, asked(answer=1)),
        labels_from(dataclasses.replace(STANDARD, decoys=5), weights, asked()),
    ]
    assert all(other != names for other in others)


def test_labels_of_other_questions_are_not_read_in_their_place(tmp_path, monkeypatch):
    made = []

    def search(config, trial, model, train, generator):
        made.append(train)
        return {"found": np.array(len(made))}

    monkeypatch.setattr(study_real, "_searched", search)
    trial = SimpleNamespace(folder=tmp_path / "seed-0")
    model = SimpleNamespace(params={"a": np.ones(2)})
    rest = np.random.default_rng(0)
    found = [
        int(study_real._labels(STANDARD, trial, model, one, rest)["found"])
        for one in (asked(), asked(), asked(last=7), asked())
    ]
    assert found == [1, 1, 2, 1]


def test_test_questions_that_were_taught_are_left_out():
    questions = [Question(text, ("a", "b"), 0) for text in ("one", "two", "three")]
    assert [one.text for one in untaught(questions, {"two"})] == ["one", "three"]
