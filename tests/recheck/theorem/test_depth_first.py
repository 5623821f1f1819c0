"""The theorem about depth-first search: proved, not vacuous, and refused where it should be."""

from collections.abc import Mapping
from typing import Any

import pytest
from support.theorems import Possible, as_rechecked, dropped, failing, refuted, vacuous

from ntkexec.programs.graph import dfs
from ntkexec.recheck.theorem.obligation import Obligation
from ntkexec.recheck.theorem.statements import STATEMENTS
from ntkexec.recheck.theorem.statements.depth_first import claims, simulation, stack

SIZES = {"degree": 2, "slots": 5, "word": 3}
PROGRAM = as_rechecked(dfs.program(**SIZES))


def build(name: str, program: Any, sizes: Mapping[str, int]) -> Obligation:
    """An obligation that depends on the program."""
    if name == "node-round":
        return claims.at_a_node(program, sizes)
    return simulation.build(name, program, sizes)


def test_every_obligation_is_proved_and_none_is_vacuous() -> None:
    obligations = STATEMENTS["dfs"](PROGRAM, SIZES, None).obligations
    assert list(obligations) == [*stack.ROUNDS, *simulation.STEPS, "node-round"]
    for own in obligations.values():
        obligation = own()
        assert not vacuous(obligation)
        assert failing(obligation) == []


def test_a_forest_differs_in_its_clock_alone() -> None:
    single, forest = (STATEMENTS[name](PROGRAM, SIZES, None) for name in ("dfs", "dfs-forest"))
    assert list(single.obligations) == list(forest.obligations)
    assert failing(forest.obligations["base"]()) == []
    for name in ("choose", "listen", "final"):
        formulas = (own.obligations[name]().formula("times") for own in (single, forest))
        assert len({formula.sha256 for formula in formulas}) == 1


@pytest.mark.parametrize("name", ["choose", "listen"])
def test_assumptions_allow_every_tick_and_every_distance_at_every_age(name: str) -> None:
    possible = Possible(simulation.build(name, PROGRAM, SIZES))
    for tick in range(8):
        for holder in range(8):
            if holder.bit_count() < 2:
                assert possible(ended=0, tick=tick, token=holder)
        for distance in range(8):
            assert possible(ended=1, age=tick, distance0=distance)
    assert not possible(ended=1, token=1)
    assert not possible(token=3, present=1)


@pytest.mark.slow
@pytest.mark.parametrize(("degree", "word"), [(3, 4), (4, 8)])
def test_larger_sizes_are_proved(degree: int, word: int) -> None:
    sizes = {"degree": degree, "slots": degree**2 + 1, "word": word}
    program = as_rechecked(dfs.program(**sizes))
    for own in STATEMENTS["dfs"](program, sizes, None).obligations.values():
        assert failing(own()) == []


@pytest.mark.parametrize(
    ("name", "control", "broken"),
    [
        ("choose", {"single": False}, "messages-apart"),
        ("listen", {"coloured": False}, "messages-apart"),
        ("listen", {"coloured": False}, "called"),
        ("choose", {"first": False}, "inbox"),
        ("base", {"clock": 2}, "times"),
    ],
    ids=["two tokens", "no colours", "no colours, called", "largest identifier", "a tick late"],
)
def test_each_control_fails_where_it_should(name: str, control: Any, broken: str) -> None:
    assert broken in failing(simulation.build(name, PROGRAM, SIZES, **control))


@pytest.mark.parametrize(
    ("why", "name", "broken"),
    [
        ("the holder is not finished", "choose", "times"),
        ("the root is entered from nowhere", "final", "parent"),
        ("one parent", "final", "parent"),
        ("has a parent", "final", "parent"),
        ("entered from a neighbour", "final", "parent"),
        ("all that began is finished", "choose", "flags"),
        ("neighbours of finished nodes are discovered", "choose", "flags"),
    ],
)
def test_facts_of_the_run_are_needed(why: str, name: str, broken: str) -> None:
    assert broken in failing(simulation.build(name, PROGRAM, SIZES, without=why))


def test_the_stack_needs_one_node_at_a_height() -> None:
    pop = stack.build("stack-pop", SIZES["word"], apart=False)
    assert not vacuous(pop)
    assert failing(pop) != []


def test_a_program_that_counts_in_the_other_phase_is_refused() -> None:
    (phase,), counter = PROGRAM.fields["phase"], PROGRAM.fields["finish"]
    written = sum(1 << bit for bit in counter)
    late = [
        ({**when, phase: not when[phase]} if out & written and phase in when else when, out)
        for when, out in PROGRAM.templates
    ]
    program = PROGRAM._replace(templates=late)
    assert "times" in failing(simulation.build("choose", program, SIZES))


NAMES = ("choose", "listen", "node-round")


def test_some_dropped_templates_are_noticed_by_the_induction_and_by_the_specification() -> None:
    for program in dropped(PROGRAM, 17):
        assert refuted(build, NAMES[:2], program, SIZES)
        assert refuted(build, NAMES[2:], program, SIZES)


@pytest.mark.slow
def test_every_dropped_template_is_noticed_by_the_induction_and_by_the_specification() -> None:
    for program in dropped(PROGRAM):
        assert refuted(build, NAMES[:2], program, SIZES)
        assert refuted(build, NAMES[2:], program, SIZES)
