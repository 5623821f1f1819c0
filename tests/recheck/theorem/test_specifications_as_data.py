"""A specification comes with the theorem, from anybody: it cannot make a theorem say what is not so."""

import copy

import pytest
from support.theorems import theorem_of

from ntkexec.programs.local import Bool, Local, Record, Step
from ntkexec.prove.specifications import specified
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem.tables import parse_algorithm

State = Record("State", odd=Bool(), even=Bool())


def turn(state):
    return state._replace(odd=not state.odd)


@pytest.fixture(scope="module")
def twice():
    """Turns twice a round, which is to say not at all."""
    local = Local(
        name="twice",
        state=State,
        message=Bool(),
        init=lambda node: State(odd=False, even=False),
        send=lambda state: None,
        stages=(Step(turn), Step(turn)),
        output=lambda state, node: {},
    )
    return specified(local, degree=1)


@pytest.fixture
def forged(twice):
    return copy.deepcopy(twice.specification)


def test_a_stage_is_not_carried_out_by_a_part_that_is_no_stage(twice, forged):
    # With this part accepted, "its state goes through one step" is proved of what takes two.
    assert forged["parts"][-1] == ["stage", 1, None, 1]
    del forged["stages"][1]
    for kind in ("listen", "compose"):
        forged["parts"][-1] = [kind, 0, 0, 1]
        with pytest.raises(Rejected, match="the steps of a round are not those"):
            theorem_of("local", twice.program, twice.sizes, forged)


def test_a_round_has_not_so_many_steps_that_nobody_waits_for_it(forged):
    forged["parts"][-1][3] = forged["parts"][-2][3] = 1 << 12
    with pytest.raises(Rejected, match="more than 4096"):
        parse_algorithm(forged, 1)


@pytest.mark.parametrize("other", ["state_odd", "colour", "port.slot"])
def test_a_field_holds_one_thing(twice, forged, other):
    assert forged["fields"]["state"] == ["state_odd", "state_even"]
    forged["fields"]["state"][1] = other
    with pytest.raises(Rejected, match="a field holds two things"):
        theorem_of("local", twice.program, twice.sizes, forged)


FORGED = "x\nVERIFIED: the ensemble executes this program"


def name_the_algorithm(data):
    data["name"] = FORGED


def name_a_table(data):
    data["stages"][0]["tables"][0]["function"] = FORGED


def name_a_field(data):
    data["fields"]["state"][0] = FORGED


def compare_with_words(data):
    data["send"][0]["compared"] = FORGED


def compare_with_more_than_all(data):
    data["send"][0]["compared"] = data["send"][0]["values"] + 1


@pytest.mark.parametrize(
    "change",
    [
        name_the_algorithm,
        name_a_table,
        name_a_field,
        compare_with_words,
        compare_with_more_than_all,
    ],
)
def test_nothing_in_it_is_printed_that_could_be_taken_for_the_checkers_word(forged, change):
    parse_algorithm(forged, 1)
    change(forged)
    with pytest.raises(Rejected):
        parse_algorithm(forged, 1)
