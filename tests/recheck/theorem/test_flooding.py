"""The theorem about flooding: proved, not vacuous, and refused where it should be."""

import pytest

from ntkexec.programs.graph import flooding
from ntkexec.recheck.theorem.statements import flooding as statement
from tests.support.theorems import (
    Possible,
    as_rechecked,
    dropped,
    failing,
    refuted,
    theorem_of,
    vacuous,
)

SIZES = {"degree": 2, "slots": 5, "message_bits": 2, "arrival_bits": 3}
PROGRAM = as_rechecked(flooding.program(**SIZES))
STEPS = ("send", "receive")


class Late(statement.World):
    """A hypothesis that is off by one: nodes at distance r know nothing before round r + 1."""

    def told(self, at, x, count):
        now, self.round = self.round, self.circuit.add(self.round, [1] * len(self.round))
        try:
            return super().told(at, x, count)
        finally:
            self.round = now


def test_every_obligation_is_proved_and_none_is_vacuous():
    theorem = theorem_of("flooding", flooding.program(**SIZES), SIZES)
    assert list(theorem.obligations) == list(statement.OBLIGATIONS)
    for build in theorem.obligations.values():
        obligation = build()
        assert not vacuous(obligation)
        assert failing(obligation) == []


@pytest.mark.parametrize(
    ("control", "name", "parts"),
    [
        ({"coloured": False}, "send", ["messages-apart"]),
        ({"distances": False}, "receive", ["informed"]),
        ({"world": Late}, "base", ["informed"]),
    ],
)
def test_what_is_assumed_is_needed(control, name, parts):
    found = failing(statement.build(name, PROGRAM, SIZES, **control))
    assert set(parts) <= set(found)


def _each_is_refuted(every):
    for program in dropped(PROGRAM, every):
        assert refuted(statement.build, STEPS, program, SIZES)
        assert refuted(statement.build, ["node-round"], program, SIZES)


def test_a_program_without_one_of_its_templates_is_refuted_by_both_routes():
    _each_is_refuted(9)


@pytest.mark.slow
def test_a_program_without_any_of_its_templates_is_refuted_by_both_routes():
    _each_is_refuted(1)


def test_every_distance_is_possible_in_every_round():
    for name in STEPS:
        possible = Possible(statement.build(name, PROGRAM, SIZES))
        for r in range(9):
            assert all(possible(round=r, distance0=d) for d in [*range(8), 16])


@pytest.mark.slow
@pytest.mark.parametrize(("degree", "word"), [(3, 4), (4, 8)])
def test_larger_sizes_are_proved(degree, word):
    sizes = {"degree": degree, "slots": degree**2 + 1, "message_bits": word, "arrival_bits": word}
    theorem = theorem_of("flooding", flooding.program(**sizes), sizes)
    assert all(failing(build()) == [] for build in theorem.obligations.values())
