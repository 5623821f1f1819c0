"""The theorem about search on split graphs: proved, not vacuous, and refused where it should be."""

import pytest

from ntkexec.programs.graph import bfs_split
from ntkexec.recheck.theorem.statements import bfs_split as statement
from tests.support.theorems import (
    Possible,
    as_rechecked,
    dropped,
    failing,
    refuted,
    theorem_of,
    vacuous,
)

SIZES = {"degree": 3, "slots": 4, "word": 2, "depth_bits": 2}
PROGRAM = as_rechecked(bfs_split.program(**SIZES))


class Hasty(statement.World):
    """A hypothesis that is off by one: calls climb two hops at a time."""

    def calling(self, distance, before=None):
        return super().calling(distance, None if before is None else self.circuit.increment(before))


def test_every_obligation_is_proved_and_none_is_vacuous():
    theorem = theorem_of("bfs-split", bfs_split.program(**SIZES), SIZES)
    assert list(theorem.obligations) == list(statement.OBLIGATIONS)
    for build in theorem.obligations.values():
        obligation = build()
        assert not vacuous(obligation)
        assert failing(obligation) == []


@pytest.mark.parametrize(
    ("control", "name", "parts"),
    [
        ({"coloured": False}, "outer-send", ["messages-apart"]),
        ({"coloured": False}, "up-listen", ["calls"]),
        ({"distances": False}, "outer-listen", ["some call"]),
        ({"distances": False}, "down-listen", ["fresh"]),
        ({"trees": False}, "up-listen", ["some call", "last calls"]),
        ({"trees": False}, "down-listen", ["fresh", "last fresh"]),
        ({"trees": False}, "final", ["a root's parent"]),
        ({"world": Hasty}, "up-listen", ["calls"]),
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
    _each_is_refuted(25)


@pytest.mark.slow
def test_a_program_without_any_of_its_templates_is_refuted_by_both_routes():
    _each_is_refuted(1)


def test_every_place_in_a_tree_is_possible_at_every_count():
    possible = Possible(statement.build("down-send", PROGRAM, SIZES))
    for start, counter in [(1, 1), (1, 3), (2, 3), (3, 3)]:
        for depth in range(start, 5):
            # A caller at the node; and none, where only a root that is reached must have one below.
            place = {"start": start, "counter": counter, "depth0": depth, "distance0": 1}
            assert possible(**place, height0=start)
            assert possible(**place, height0=8) == (depth > start)


@pytest.mark.slow
def test_larger_sizes_are_proved():
    sizes = {"degree": 3, "slots": 10, "word": 6, "depth_bits": 5}
    theorem = theorem_of("bfs-split", bfs_split.program(**sizes), sizes)
    assert all(failing(build()) == [] for build in theorem.obligations.values())
