"""Priority, minimum and its first candidate on all inputs."""

import numpy as np
import pytest
from support.isolated import every, masks, measured, run

from ntkexec.errors import ProgramError
from ntkexec.language import Builder, Choice, idioms
from ntkexec.language.idioms import costs


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_priority_picks_the_first_condition_that_holds(size):
    p = Builder("priority", slots=1, degree=0)
    asked = p.flags("asked", size)
    picked = p.flags("picked", size)
    with p.phase("only"):
        for flag, first in zip(picked, idioms.priority(asked)):
            p.assign(flag, first)
    with p.phase("rest"):
        pass
    program = p.compile()
    asked = masks(size)
    found = run(program, {"asked.set": asked}, 1)["picked.set"]
    first = np.where(asked.any(axis=1), asked.argmax(axis=1), -1)
    assert np.array_equal(found, first[:, None] == np.arange(size)[None])
    assert measured(program, "only", steps=0) == costs.priority(size)


def test_priority_takes_conditions_of_any_form():
    p = Builder("priority", slots=1, degree=0)
    x, y = p.word("x", 2), p.word("y", 2)
    first = p.choice("first", 3)
    conditions = [(x == 1) | (y == 2), x != 0, y != 3]
    with p.phase("choose"):
        p.assign(first, Choice(idioms.priority(conditions)))
    values = every(4, 4)
    found = run(p.compile(), dict(zip("xy", values)), 1)
    for x_value, y_value, chosen in zip(*values, found["first"]):
        holds = [x_value == 1 or y_value == 2, x_value != 0, y_value != 3]
        assert chosen == (holds.index(True) if any(holds) else -1)


def test_priority_of_nothing_is_nothing():
    assert idioms.priority([]) == ()


CANDIDATES = [(1, 1), (4, 1), (2, 2), (3, 2), (2, 3), (1, 4)]


def chosen_program(part, candidates, length, signed=False):
    p = Builder("minimum", slots=1, degree=0)
    live = p.flags("live", candidates)
    numbers = [p.word(f"number{i}", length, signed=signed) for i in range(candidates)]
    first = p.choice("first", candidates)
    conditions = part(p, live, numbers)
    if conditions is not None:
        with p.phase("last"):
            p.assign(first, Choice(conditions))
    return p.compile()


def inputs(candidates, length, low=0):
    live = np.repeat(masks(candidates), (2**length) ** candidates, axis=0)
    numbers = np.tile(every(*[2**length] * candidates), 2**candidates) + low
    return live, numbers


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("candidates, length", CANDIDATES)
def test_minimum_leaves_just_the_live_candidates_with_the_smallest_number(
    candidates, length, signed
):
    program = chosen_program(idioms.minimum, candidates, length, signed)
    live, numbers = inputs(candidates, length, -(2 ** (length - 1)) if signed else 0)
    values = {f"number{i}": number for i, number in enumerate(numbers)}
    learned = (candidates, length, signed) == (3, 2, True)
    found = run(program, {"live.set": live} | values, learned=learned)
    least = np.where(live, numbers.T, 99).min(axis=1)
    assert np.array_equal(found["live.set"], live & (least[:, None] == numbers.T))
    for name, number in values.items():
        assert np.array_equal(found[name], number)
    assert not found["minimum_zero"].any()
    phases = [f"minimum {b}: {verb}" for b in range(length) for verb in ("look", "drop")]
    cost = measured(program, *phases, steps=program.round_length)
    assert cost == costs.minimum(candidates, length)


@pytest.mark.parametrize("candidates, length", CANDIDATES)
def test_argmin_is_the_first_of_the_smallest(candidates, length):
    program = chosen_program(idioms.argmin, candidates, length)
    live, numbers = inputs(candidates, length)
    values = {f"number{i}": number for i, number in enumerate(numbers)}
    found = run(program, {"live.set": live} | values)["first"]
    first = np.where(live, numbers.T, 99).argmin(axis=1)  # NumPy takes the first, too
    assert np.array_equal(found, np.where(live.any(axis=1), first, -1))


def test_minimum_can_be_used_twice_under_different_names():
    p = Builder("twice", slots=1, degree=0)
    live = [p.flags(f"live{i}", 2) for i in range(2)]
    x, y, z = (p.word(name, 2) for name in "xyz")
    idioms.minimum(p, live[0], [x, y], name="first")
    idioms.minimum(p, live[1], [y, z], name="second")
    numbers = every(4, 4, 4)
    all_live = {"live0.set": True, "live1.set": True}
    found = run(p.compile(), dict(zip("xyz", numbers)) | all_live, 8)
    for one, other, name in zip(numbers, numbers[1:], all_live):
        assert np.array_equal(found[name], np.transpose([one <= other, other <= one]))


def test_minimum_refuses_candidates_that_do_not_match():
    p = Builder("minimum", slots=1, degree=0)
    live, x, y = p.flags("live", 2), p.word("x", 2), p.word("y", 3)
    for flags, numbers in [(live, [x]), (live, [x, y]), (live[:1], [x, x]), ([], [])]:
        with pytest.raises(ProgramError, match=rf"least: {len(flags)} flags for numbers of \["):
            idioms.minimum(p, flags, numbers, name="least")
    with pytest.raises(ProgramError, match="least: signed and unsigned"):
        idioms.minimum(p, live, [x, p.word("s", 2, signed=True)], name="least")


def test_idioms_with_phases_do_not_fit_into_a_phase():
    p = Builder("nested", slots=1, degree=0)
    x, live = p.word("x", 2), p.flag("live")
    with p.phase("outer"):
        for part in (
            lambda: idioms.minimum(p, [live], [x]),
            lambda: idioms.add(p, [x], [(x, x)]),
            lambda: idioms.increment(p, x),
            lambda: idioms.less(p, x, x),
            lambda: idioms.equal(p, x, x),
        ):
            with pytest.raises(ProgramError, match="begins inside phase 'outer'"):
                part()
