"""The theorem about Bellman-Ford: proved, not vacuous, and refused where it should be."""

import pytest

from ntkexec.programs.graph import bellman_ford
from ntkexec.recheck.theorem.specifications.bellman_ford import relax
from ntkexec.recheck.theorem.statements import bellman_ford as statement
from tests.support.theorems import (
    as_rechecked,
    dropped,
    failing,
    refuted,
    theorem_of,
    vacuous,
)

SIZES = {"degree": 2, "slots": 5, "word": 3}
PROGRAM = as_rechecked(bellman_ford.program(**SIZES))
LAST = "step-8"
STEPS = [f"step-{step}" for step in range(9)]


def test_every_obligation_is_proved_and_none_is_vacuous():
    assert statement.steps_per_round(3) == bellman_ford.steps_per_round(word=3)
    theorem = theorem_of("bellman-ford", bellman_ford.program(**SIZES), SIZES)
    assert list(theorem.obligations) == ["base", *STEPS, "minimum", "final", "node-round"]
    for build in theorem.obligations.values():
        obligation = build()
        assert not vacuous(obligation)
        assert failing(obligation) == []


@pytest.mark.parametrize(
    ("control", "name", "parts"),
    [
        ({"coloured": False}, "step-1", ["messages-apart", "pipeline"]),
        ({"ahead": 1}, "base", ["pipeline"]),
        ({"bounded": False}, "minimum", ["least", "parent", "rest"]),
    ],
)
def test_what_is_assumed_is_needed(control, name, parts):
    found = failing(statement.build(name, PROGRAM, SIZES, **control))
    assert set(parts) <= set(found)


def test_the_last_of_equal_sums_is_not_the_parents(monkeypatch):
    def from_the_last(c, node, heard, edges):
        turned = relax(c, node._replace(parent=node.parent[::-1]), heard[::-1], edges[::-1])
        return turned._replace(parent=turned.parent[::-1])

    monkeypatch.setattr(statement, "relax", from_the_last)
    assert failing(statement.build(LAST, PROGRAM, SIZES)) == ["known"]
    assert failing(statement.build("minimum", PROGRAM, SIZES)) == ["parent"]


def _each_is_refuted(every):
    for program in dropped(PROGRAM, every):
        assert refuted(statement.build, STEPS[::-1], program, SIZES)
        assert refuted(statement.build, ["node-round"], program, SIZES)


def test_a_program_without_one_of_its_templates_is_refuted_by_both_routes():
    _each_is_refuted(23)


@pytest.mark.slow
def test_a_program_without_any_of_its_templates_is_refuted_by_both_routes():
    _each_is_refuted(1)


@pytest.mark.slow
@pytest.mark.parametrize(("degree", "word"), [(3, 4), (4, 8)])
def test_larger_sizes_are_proved(degree, word):
    sizes = {"degree": degree, "slots": degree**2 + 1, "word": word}
    theorem = theorem_of("bellman-ford", bellman_ford.program(**sizes), sizes)
    assert all(failing(build()) == [] for build in theorem.obligations.values())
