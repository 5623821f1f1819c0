"""The theorem about flooding on split graphs: proved, not vacuous, and refused where it should be."""

import pytest

from ntkexec.programs.graph import flooding_split
from ntkexec.recheck.theorem.statements import flooding_split as statement
from tests.support.theorems import (
    Possible,
    as_rechecked,
    dropped,
    failing,
    refuted,
    theorem_of,
    vacuous,
)

SIZES = {"degree": 3, "slots": 4, "message_bits": 2, "arrival_bits": 2, "depth_bits": 2}
PROGRAM = as_rechecked(flooding_split.program(**SIZES))


class Hasty(statement.World):
    """A hypothesis that is off by one: the message moves two hops inside at a time."""

    def has(self, x, *, inside):
        if not inside:
            return super().has(x, inside=inside)
        now, self.counter = self.counter, self.circuit.increment(self.counter)
        try:
            return super().has(x, inside=inside)
        finally:
            self.counter = now


def test_every_obligation_is_proved_and_none_is_vacuous():
    theorem = theorem_of("flooding-split", flooding_split.program(**SIZES), SIZES)
    assert list(theorem.obligations) == list(statement.OBLIGATIONS)
    for build in theorem.obligations.values():
        obligation = build()
        assert not vacuous(obligation)
        assert failing(obligation) == []


@pytest.mark.parametrize(
    ("control", "name", "parts"),
    [
        ({"coloured": False}, "across-send", ["messages-apart"]),
        ({"coloured": False}, "inside-receive", ["informed"]),
        ({"distances": False}, "across-receive", ["informed"]),
        ({"distances": False}, "inside-receive", ["informed"]),
        ({"entrances": False}, "across-receive", ["informed"]),
        ({"entrances": False}, "inside-receive", ["informed", "last informed"]),
        ({"world": Hasty}, "across-receive", ["informed"]),
    ],
)
def test_what_is_assumed_is_needed(control, name, parts):
    found = failing(statement.build(name, PROGRAM, SIZES, **control))
    assert set(parts) <= set(found)


def _each_is_refuted(every):
    for program in dropped(PROGRAM, every):
        assert refuted(statement.build, statement.STEPS, program, SIZES)
        assert refuted(statement.build, ["node-round"], program, SIZES)


def test_a_program_without_one_of_its_templates_is_refuted_by_both_routes():
    _each_is_refuted(17)


@pytest.mark.slow
def test_a_program_without_any_of_its_templates_is_refuted_by_both_routes():
    _each_is_refuted(1)


def test_every_number_of_hops_is_possible_at_every_count():
    possible = Possible(statement.build("inside-send", PROGRAM, SIZES))
    for start, counter in [(1, 1), (1, 3), (2, 3), (3, 3)]:
        for hops in range(start, 5):
            for distance in (1, 2, 8):
                place = {"start": start, "counter": counter, "hops0": hops}
                assert possible(**place, distance0=distance, round=1)


@pytest.mark.slow
def test_larger_sizes_are_proved():
    sizes = {"degree": 3, "slots": 10, "message_bits": 4, "arrival_bits": 6, "depth_bits": 5}
    theorem = theorem_of("flooding-split", flooding_split.program(**sizes), sizes)
    assert all(failing(build()) == [] for build in theorem.obligations.values())
