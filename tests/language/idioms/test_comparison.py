"""Orders and equality of words, of either sign, at once, in a step and bit by bit."""

import operator

import numpy as np
import pytest
from support.isolated import every, measured, run

from ntkexec.errors import ProgramError
from ntkexec.language import Builder, Number, equal, idioms, minimise
from ntkexec.language.idioms import costs
from ntkexec.language.logic import literal

LENGTHS = [1, 2, 3, 4]
ORDERS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


def pair_program(length, signed, part):
    """Sets `answer` to what a part says of x and y; the part may add phases before."""
    p = Builder("compare", slots=1, degree=0)
    x, y = (p.word(name, length, signed=signed) for name in "xy")
    answer = p.flag("answer")
    found = part(p, x, y)
    with p.phase("last"):
        p.assign(answer, found)
    return p.compile()


def all_pairs(length, signed):
    return every(2**length, 2**length) - (2 ** (length - 1) if signed else 0)


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
def test_two_words_are_compared_at_once(length, signed):
    numbers = all_pairs(length, signed)
    parts = ORDERS | {"==": equal}
    sizes = {
        "<": costs.less_at_once(length),
        "<=": costs.less_or_equal_at_once(length),
        "==": costs.equal_at_once(length),
    }
    for name, part in parts.items():
        program = pair_program(length, signed, lambda p, x, y, part=part: part(x, y))
        found = run(program, dict(zip("xy", numbers)))["answer"]
        expected = numbers[0] == numbers[1] if part is equal else part(*numbers)
        assert np.array_equal(found, expected)
        x, y = (Number(tuple(literal((n, i)) for i in range(length)), signed) for n in "xy")
        function = part(x, y)
        assert len(function.terms) == sizes[name.replace(">", "<")]
        assert minimise(function) == function  # no fewer products will do


@pytest.mark.parametrize("serial", [False, True])
@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("part", ["less", "equal"])
@pytest.mark.parametrize("length", LENGTHS)
def test_words_are_compared_in_a_step_or_bit_by_bit(length, part, signed, serial):
    program = pair_program(
        length, signed, lambda p, x, y: getattr(idioms, part)(p, x, y, serial=serial)
    )
    numbers = all_pairs(length, signed)
    found = run(program, dict(zip("xy", numbers)), learned=signed and length == 3)["answer"]
    expected = {"less": operator.lt, "equal": operator.eq}[part](*numbers)
    assert np.array_equal(found, expected)
    price = getattr(costs, part)(length, serial=serial)
    phases = [f"{part} {place}" for place in range(length)] if serial else [part]
    assert program.round_length == price.steps + 1
    if price.templates:
        assert measured(program, *phases, steps=price.steps) == price
    else:
        assert measured(program, *phases, steps=price.steps).templates == 0


def test_words_of_different_length_or_sign_or_too_long_are_not_compared():
    p = Builder("compare", slots=1, degree=0)
    x, y, s = p.word("x", 2), p.word("y", 3), p.word("s", 2, signed=True)
    long = p.word("long", 9)
    for part in (idioms.less, idioms.equal):
        with pytest.raises(ProgramError, match="numbers of 2 and 3 bits"):
            part(p, x, y)
        with pytest.raises(ProgramError, match="a signed and an unsigned number"):
            part(p, x, s)
    for order in (*ORDERS.values(), equal):
        with pytest.raises(ProgramError, match=r"numbers of (2 and 3|3 and 2) bits"):
            order(x, y)
        with pytest.raises(ProgramError, match=r"9 bits .* up to 8 bits are, and `idioms\."):
            order(long, long)
    for order in ORDERS.values():
        with pytest.raises(ProgramError, match="a signed and an unsigned number"):
            order(x, s)
