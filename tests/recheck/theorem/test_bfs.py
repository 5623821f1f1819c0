"""The theorem about breadth-first search: proved, not vacuous, and refused where it should be."""

import pytest

from ntkexec.language import Builder, Flag, any_of, idioms
from ntkexec.programs.graph import bfs
from ntkexec.recheck.theorem.statements import bfs as statement
from tests.support.theorems import (
    Possible,
    as_rechecked,
    dropped,
    failing,
    refuted,
    theorem_of,
    vacuous,
)

SIZES = {"degree": 2, "slots": 5, "word": 3}
PROGRAM = as_rechecked(bfs.program(**SIZES))
STEPS = ("choose", "listen")


def variant(*, degree, slots, word, largest=False, late=False):
    """Breadth-first search that takes the largest identifier, or counts a step late."""
    p = Builder("bfs", slots=slots, degree=degree)
    reached = p.flag("reached")
    parent = p.choice("parent", degree, exclusive=True)
    distance = p.word("distance", word)
    called = p.flag("called", temporary=True)
    calls = p.table("calls", degree, Flag("made"), temporary=True).made
    inbox = p.message(Flag("call"))
    turn = -1 if largest else 1
    with p.phase("choose"), p.when(~reached):
        if not late:
            p.assign(distance, distance + 1)
        for this, first in zip(list(parent)[::turn], idioms.priority(list(calls)[::turn])):
            p.set(this, when=first)
        p.set(reached, when=called)
        p.send(inbox.call, called)
    with p.phase("listen"):
        if late:
            p.assign(distance, distance + 1, when=~reached)
        p.set(called, when=any_of(inbox.call))
        for port, call in enumerate(calls):
            p.set(call, when=p.at_port(port, inbox.call))
    return p.compile()


class Late(statement.World):
    """A hypothesis that is off by one: who is at distance r is reached a round late."""

    def told(self, at, x, count, reached):
        return super().told(at, x, count, self.circuit.less(self.distance[x], self.round))


def test_every_obligation_is_proved_and_none_is_vacuous():
    theorem = theorem_of("bfs", bfs.program(**SIZES), SIZES)
    assert list(theorem.obligations) == list(statement.OBLIGATIONS)
    for build in theorem.obligations.values():
        obligation = build()
        assert not vacuous(obligation)
        assert failing(obligation) == []


@pytest.mark.parametrize(
    ("control", "name", "parts"),
    [
        ({"coloured": False}, "choose", ["messages-apart"]),
        ({"coloured": False}, "listen", ["calls"]),
        ({"distances": False}, "choose", ["parent"]),
        ({"distances": False}, "listen", ["called"]),
        ({"world": Late}, "choose", ["reached", "parent"]),
    ],
)
def test_what_is_assumed_is_needed(control, name, parts):
    found = failing(statement.build(name, PROGRAM, SIZES, **control))
    assert set(parts) <= set(found)


@pytest.mark.parametrize(
    ("wrong", "name", "parts"),
    [
        ({}, "choose", []),
        ({}, "node-round", []),
        ({"largest": True}, "choose", ["parent"]),
        ({"largest": True}, "node-round", ["choose"]),
        ({"late": True}, "choose", ["distance"]),
        ({"late": True}, "node-round", ["choose", "listen"]),
    ],
)
def test_a_wrong_program_is_refuted_where_it_is_wrong(wrong, name, parts):
    program = as_rechecked(variant(**SIZES, **wrong))
    assert failing(statement.build(name, program, SIZES)) == parts


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
    sizes = {"degree": degree, "slots": degree**2 + 1, "word": word}
    theorem = theorem_of("bfs", bfs.program(**sizes), sizes)
    assert all(failing(build()) == [] for build in theorem.obligations.values())
