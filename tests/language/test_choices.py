"""Conditions on choices and counters against integers, and what is not written so."""

import itertools
import operator
import re

import numpy as np
import pytest
from support.programs import expected_bits

from ntkexec.errors import ProgramError
from ntkexec.language import Builder, Choice, idioms, initial_states
from ntkexec.language.logic import literal

SIZE = 4
NAMES = ("one", "other")
ONE, OTHER = (Choice(tuple(literal((name, i)) for i in range(SIZE))) for name in NAMES)
ORDER = (operator.lt, operator.le, operator.gt, operator.ge)


def state(**values):
    """The bits of choices; -1 is none."""
    return {(name, i): value == i for name, value in values.items() for i in range(SIZE)}


@pytest.mark.parametrize("compare", [*ORDER, operator.eq, operator.ne])
def test_a_choice_is_compared_with_its_values_and_none_is_none_of_them(compare):
    for value, constant in itertools.product(range(-1, SIZE), range(SIZE)):
        expected = compare(value, constant) and (value >= 0 or compare is operator.ne)
        assert compare(ONE, constant).value(state(one=value)) == expected
        assert compare(ONE, np.int64(constant)).value(state(one=value)) == expected


def test_two_choices_are_equal_where_they_have_the_same_value():
    for a, b in itertools.product(range(-1, SIZE), repeat=2):
        found = state(one=a, other=b)
        assert (ONE == OTHER).value(found) == (a == b >= 0)
        assert (ONE != OTHER).value(found) == (not a == b >= 0)
    assert len((ONE == OTHER).terms) == SIZE
    assert len((ONE != OTHER).terms) == SIZE + 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: ONE == SIZE, "4 is no choice; 0 to 3 are"),
        (lambda: ONE < -1, "-1 is no choice; 0 to 3 are"),
        (
            lambda: OTHER > ONE,
            "compared with one of its values, 0 to 3, and by == with another choice",
        ),
        (lambda: ONE < True, "not with True"),
        (lambda: ONE == 1.0, "not with 1.0"),
        (lambda: Choice(ONE.bits[:2]) == ONE, "choices of 2 and 4 values are not compared"),
    ],
)
def test_what_is_no_comparison_of_choices_is_refused(wrong, message):
    with pytest.raises(ProgramError, match=re.escape(message)):
        wrong()


def test_a_counter_is_a_condition_while_it_counts():
    p = Builder("counting", slots=1, degree=0)
    count, below = idioms.counter(p, "count", 3), p.flag("below")
    with p.phase("count"):
        p.assign(below, count.value < 2)
        count.advance()
    program = p.compile()
    states = initial_states(program, 1, {"count": np.array([0])})
    for turn in range(5):
        states = expected_bits(program, states)
        assert program.layout.unpack(states)["below"][0] == (turn < 2)


def test_sums_and_minima_name_the_idiom():
    p = Builder("p", slots=1, degree=0)
    w, v = p.word("w", 3), p.word("v", 3)
    assert (w == np.int64(3)).terms == (w == 3).terms
    assert (w < np.int64(3)).terms == (w < 3).terms
    for wrong in (lambda: w + v, lambda: sum([w, v], start=1), lambda: sum([w, v])):
        with pytest.raises(ProgramError, match=r"idioms\.add\(p, \[target\], \[\(one, other\)\]\)"):
            wrong()
    assert (1 + w).bits == (w + 1).bits
    with pytest.raises(ProgramError, match=r"only 1 can be added in one step, not 2"):
        w + 2
    with pytest.raises(TypeError, match=r"for min and max `idioms\.minimum`"):
        min(w, v)
