"""Numbers and choices against integers, over all values of up to four bits."""

import itertools
import operator

import pytest

from ntkexec.errors import ProgramError
from ntkexec.language import Builder, Choice, Number, either, equal, minimise, select
from ntkexec.language.logic import FALSE, TRUE, Sum, literal
from ntkexec.language.values import bits_of, constant

LENGTHS = [1, 2, 3, 4]
FLAG = literal("flag")


def number(name, length):
    return Number(tuple(literal((name, place)) for place in range(length)))


def choice(name, size):
    return Choice(tuple(literal((name, index)) for index in range(size)))


def holds(name, value, length):
    """The assignment in which a number has a value, written without shifts."""
    digits = format(value, f"0{length}b")[::-1]
    return {(name, place): digit == "1" for place, digit in enumerate(digits)}


def read(found, state):
    """The integer that a number has in a state."""
    return int("".join("1" if bit.value(state) else "0" for bit in reversed(found.bits)), 2)


@pytest.mark.parametrize("length", LENGTHS)
def test_equality_with_every_constant(length):
    x = number("x", length)
    for value, wanted in itertools.product(range(2**length), repeat=2):
        state = holds("x", value, length)
        assert (x == wanted).value(state) == (value == wanted)
        assert (x != wanted).value(state) == (value != wanted)


@pytest.mark.parametrize("length", LENGTHS)
def test_equality_with_a_constant_is_one_product_and_inequality_one_literal_a_term(length):
    x = number("x", length)
    for wanted in range(2**length):
        assert len((x == wanted).terms) == 1
        assert [len(term) for term in (x != wanted).terms] == [1] * length


@pytest.mark.parametrize("length", LENGTHS)
def test_adding_one_is_modulo_two_to_the_bits(length):
    x = number("x", length)
    for value in range(2**length):
        assert read(x + 1, holds("x", value, length)) == (value + 1) % 2**length
    # Bit b: on if it is off and all lower ones are on, kept if a lower one is off.
    assert [len(bit.terms) for bit in (x + 1).bits] == [place + 1 for place in range(length)]


@pytest.mark.parametrize("length", LENGTHS)
def test_equal_compares_two_numbers(length):
    x, y = number("x", length), number("y", length)
    for one, other in itertools.product(range(2**length), repeat=2):
        state = holds("x", one, length) | holds("y", other, length)
        assert equal(x, y).value(state) == (one == other)
    assert len(equal(x, y).terms) == 2**length


@pytest.mark.parametrize("length", LENGTHS)
def test_where_is_the_number_or_zero(length):
    x = number("x", length)
    for value, flag in itertools.product(range(2**length), (False, True)):
        state = holds("x", value, length) | {"flag": flag}
        assert read(x.where(FLAG), state) == (value if flag else 0)


def test_where_is_the_choice_or_none():
    c = choice("c", 3)
    for chosen, flag in itertools.product((None, 0, 1, 2), (False, True)):
        state = {("c", index): index == chosen for index in range(3)} | {"flag": flag}
        found = [bit.value(state) for bit in c.where(FLAG)]
        assert isinstance(c.where(FLAG), Choice)
        assert found == [flag and index == chosen for index in range(3)]


@pytest.mark.parametrize("length", LENGTHS)
def test_either_is_the_value_whose_condition_holds(length):
    x, y = number("x", length), number("y", length)
    picked = either([x.where(FLAG), y.where(~FLAG)])
    assert isinstance(picked, Number)
    for one, other, flag in itertools.product(range(2**length), range(2**length), (False, True)):
        state = holds("x", one, length) | holds("y", other, length) | {"flag": flag}
        assert read(picked, state) == (one if flag else other)


def test_either_keeps_the_kind_of_value():
    a, b = literal("a"), literal("b")
    assert either([a, b]) == a | b
    joined = either([choice("c", 2).where(FLAG), choice("d", 2).where(~FLAG)])
    assert isinstance(joined, Choice)
    assert joined[1] == (literal(("c", 1)) & FLAG) | (literal(("d", 1)) & ~FLAG)
    with pytest.raises(ValueError):
        either([number("x", 2), number("y", 3)])


@pytest.mark.parametrize("length", LENGTHS)
def test_constants_are_their_bits(length):
    for value in range(2**length):
        assert read(constant(value, length), {}) == value
        assert set(constant(value, length).bits) <= {TRUE, FALSE}


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("offset", [-1, 0])
def test_a_constant_that_does_not_fit_is_refused_with_what_would(length, offset):
    wrong = -1 if offset else 2**length
    message = rf"{wrong} does not fit in {length} bits; 0 to {2**length - 1} do"
    for use in (lambda x: x == wrong, lambda x: x != wrong, lambda x: constant(wrong, len(x))):
        with pytest.raises(ProgramError, match=message):
            use(number("x", length))


def signed_number(name, length):
    return Number(number(name, length).bits, signed=True)


def of(value, length):
    """The value's bits as an unsigned number."""
    return value % 2**length


@pytest.mark.parametrize("length", LENGTHS)
def test_signed_numbers_are_in_twos_complement(length):
    x, low = signed_number("x", length), -(2 ** (length - 1))
    for wanted, value in itertools.product(range(low, low + 2**length), repeat=2):
        state = holds("x", of(value, length), length)
        assert (x == wanted).value(state) == (value == wanted)
        assert read(constant(wanted, length, signed=True), {}) == of(wanted, length)
    for value in (x + 1, x.where(FLAG), either([x]), constant(-1, length, signed=True)):
        assert value.signed
    for wrong in (low - 1, low + 2**length):
        message = rf"{wrong} does not fit in {length} signed bits; {low} to {-low - 1} do"
        with pytest.raises(ProgramError, match=message):
            x == wrong  # noqa: B015


@pytest.mark.parametrize("signed", [False, True])
@pytest.mark.parametrize("length", LENGTHS)
def test_orders_with_every_constant_are_minimal_sums(length, signed):
    x = (signed_number if signed else number)("x", length)
    low = -(2 ** (length - 1)) if signed else 0
    everything = range(low, low + 2**length)
    for limit in everything:
        conditions = {
            operator.lt: (x < limit, limit > x),
            operator.le: (x <= limit, limit >= x),
            operator.gt: (x > limit, limit < x),
            operator.ge: (x >= limit, limit <= x),
        }
        for order, both in conditions.items():
            for condition in both:
                for value in everything:
                    state = holds("x", of(value, length), length)
                    assert condition.value(state) == order(value, limit)
                assert minimise(condition) == condition
        # A product for each 1 of the limit, or for each 0.
        assert len((x < limit).terms) == (limit - low).bit_count()
        assert len((x > limit).terms) == length - (limit - low).bit_count()
    for order, (_, both) in itertools.product(conditions, [(0, low - 1), (0, low + 2**length)]):
        with pytest.raises(ProgramError, match=f"{both} does not fit in {length}"):
            order(x, both)


def test_a_number_is_ordered_with_numbers_only():
    for order in (operator.lt, operator.le, operator.gt, operator.ge):
        with pytest.raises(ProgramError, match="a number is compared with a number, not with"):
            order(number("x", 2), FLAG)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_select_is_if_then_else(length):
    x, y = number("x", length), number("y", length)
    for one, other, flag in itertools.product(range(2**length), range(2**length), (False, True)):
        state = holds("x", one, length) | holds("y", other, length) | {"flag": flag}
        assert read(select(FLAG, x, y), state) == (one if flag else other)
        assert read(select(FLAG, x, 1), state) == (one if flag else 1)
    a, b = literal("a"), literal("b")
    for a_value, b_value, flag in itertools.product((False, True), repeat=3):
        state = {"a": a_value, "b": b_value, "flag": flag}
        assert select(FLAG, a, b).value(state) == (a_value if flag else b_value)
    c, d = choice("c", 2), choice("d", 2)
    assert isinstance(select(FLAG, c, d), Choice)
    assert isinstance(select(FLAG, c, 1), Choice)
    for one, other in ((c, x), (x, c)):
        with pytest.raises(ProgramError, match="cannot take a"):
            select(FLAG, one, other)
    with pytest.raises(ProgramError, match="2 is no choice; 0 to 1 are"):
        select(FLAG, c, 2)


def test_only_one_can_be_added():
    for wrong in (0, 2, -1):
        with pytest.raises(ProgramError, match=rf"only 1 can be added in one step, not {wrong};"):
            number("x", 3) + wrong


def test_numbers_are_compared_with_constants_only():
    with pytest.raises(ProgramError, match="`equal` compares two numbers"):
        number("x", 2) == number("y", 2)  # noqa: B015
    with pytest.raises(ProgramError, match="`equal` compares two numbers"):
        number("x", 2) != number("y", 2)  # noqa: B015
    with pytest.raises(ValueError):
        equal(number("x", 2), number("y", 3))
    with pytest.raises(TypeError, match="unhashable"):
        hash(number("x", 2))


def test_indexing_and_length():
    for value in (number("x", 3), choice("x", 3)):
        assert len(value) == 3
        assert list(value) == [literal(("x", place)) for place in range(3)]
        assert value[2] == literal(("x", 2))
        assert bits_of(value) == tuple(value)
    assert bits_of(FLAG) == (FLAG,)


def test_fields_are_values_of_their_kind():
    p = Builder("kinds", slots=3, degree=2)
    assert isinstance(p.flag("flag"), Sum)
    assert isinstance(p.word("word", 3), Number)
    assert isinstance(p.choice("choice", 4), Choice)
    assert [type(bit) for bit in p.flags("flags", 3)] == [Sum] * 3
    assert isinstance(p.colour, Choice)
    assert [len(p.colour), *p.slots] == [3, 0, 1, 2]
