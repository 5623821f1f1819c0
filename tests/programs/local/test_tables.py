"""Functions over finite types become sums of products with the same values, on every input."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import MANY

from ntkexec.errors import ProgramError
from ntkexec.language.logic import literal
from ntkexec.programs.local import Bool, Enum, Optional, Range, Record, Set, Tuple
from ntkexec.programs.local.exploration import explore
from ntkexec.programs.local.tables import FREE, minimise, sums

scalars = st.one_of(
    st.just(Bool()),
    st.sampled_from((1, 2, 3, 4, 5, 19)).map(Range),
    st.just(Enum("red", "green", "blue")),
)
types = st.recursive(
    scalars | st.integers(1, 3).map(Set),
    lambda inner: st.one_of(
        inner.filter(lambda kind: not isinstance(kind, Optional)).map(Optional),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: Tuple(*parts)),
        st.tuples(inner, inner).map(lambda two: Record("Pair", one=two[0], other=two[1])),
    ),
    max_leaves=3,
)


def values(kind):
    """All values of a type, listed without its codes."""
    match kind:
        case Bool():
            return [False, True]
        case Range():
            return list(range(kind.size))
        case Enum():
            return list(kind.words)
        case Optional():
            return [None, *values(kind.inner)]
        case Set():
            every = range(kind.size)
            return [
                frozenset(chosen)
                for size in range(kind.size + 1)
                for chosen in itertools.combinations(every, size)
            ]
        case Tuple():
            return list(itertools.product(*map(values, kind.parts.values())))
        case Record():
            found = itertools.product(*map(values, kind.parts.values()))
            return [kind(**dict(zip(kind.parts, entry))) for entry in found]


def compiled_value(functions, result, code):
    state = dict(enumerate(code))
    return result.decode([function.value(state) for function in functions])


def table_of(function, arguments, result):
    cases = explore(function, arguments, result, name="f")
    num_bits = sum(kind.num_bits for kind in arguments.values())
    return cases, sums(cases, [literal(bit) for bit in range(num_bits)])


@given(types)
@MANY
def test_every_value_has_a_code_of_its_own_and_comes_back(kind):
    codes = [kind.encode(value) for value in values(kind)]
    assert len(set(codes)) == len(codes)
    assert {len(code) for code in codes} == {kind.num_bits}
    assert [kind.decode(code) for code in codes] == values(kind)
    assert sum(1 for _, leaf in kind.leaves() for _ in range(leaf.num_bits)) == kind.num_bits


@given(types, types, st.randoms(use_true_random=False))
@MANY
def test_a_random_function_and_its_table_agree_on_every_value(one, result, random):
    table = {value: random.choice(values(result)) for value in values(one)}
    cases, functions = table_of(lambda x: table[x], {"x": one}, result)
    for value, image in table.items():
        assert compiled_value(functions, result, one.encode(value)) == image
    # The cases are disjoint and complete.
    for value in values(one):
        code = one.encode(value)
        assert sum(all(code[b] == v for b, v in case.cube.items()) for case in cases) == 1


@given(types, types)
@MANY
def test_a_part_that_is_only_passed_on_is_never_read(one, other):
    pair = Record("Pair", a=one, b=other)
    cases, functions = table_of(lambda x: x, {"x": pair}, pair)
    assert len(cases) == 1
    assert list(functions) == [literal(bit) for bit in range(pair.num_bits)]


def test_reading_stops_where_the_function_stops_looking():
    sixteen = Tuple(*[Bool()] * 16)
    cases, functions = table_of(any, {"x": sixteen}, Bool())
    assert len(cases) == 17  # not 65,536
    assert len(functions[0].terms) == 16
    assert all(len(term) == 1 for term in functions[0].terms)


def test_numbers_that_are_only_passed_on_or_compared_are_numbers():
    large = Range(1 << 20)
    cases, functions = table_of(lambda x: (x, None), {"x": large}, Tuple(large, Optional(large)))
    assert len(cases) == 1
    assert list(functions[:20]) == [literal(bit) for bit in range(20)]
    # Whatever is done with one gives what is done with its value.
    twenty = Range(20)
    for function in (
        lambda x: (x + 1) % 20,
        lambda x: min(x, 7),
        lambda x: 19 - x,
        lambda x: int(x) // 2,
        lambda x: x.bit_length(),
        lambda x: len([0] * x),
        lambda x: x if x in {3, 5} else 0,
        lambda x: {7: 1}.get(x, 2),
        lambda x: x & 3 | x >> 1 if x >= 2 and x != 9 else -x + 2 * x,
    ):
        _, functions = table_of(function, {"x": twenty}, twenty)
        for value in range(20):
            assert compiled_value(functions, twenty, twenty.encode(value)) == function(value)


def test_codes_that_stand_for_no_value_make_products_shorter():
    # Of 0 to 4, only 4 has the highest bit: that bit alone decides.
    _, (function,) = table_of(lambda x: x == 4, {"x": Range(5)}, Bool())
    assert function == literal(2)


@given(st.integers(1, 6).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, 2**2**n - 1))))
@MANY
def test_products_are_prime_and_none_is_superfluous(drawn):
    num_bits, table = drawn
    points = np.array(list(itertools.product((0, 1), repeat=num_bits)), np.int8)
    ones = np.array([bool(table >> i & 1) for i in range(len(points))])
    products = minimise(points[ones], points[~ones])

    def holds(product):
        return ((product == FREE) | (points == product)).all(1)

    union = np.zeros(len(points), bool)
    for product in products:
        union |= holds(product)
        for bit in np.flatnonzero(product != FREE):
            wider = product.copy()
            wider[bit] = FREE
            assert (holds(wider) & ~ones).any(), "a literal could be dropped"
    assert (union == ones).all()
    for left_out in range(len(products)):
        others = np.delete(products, left_out, axis=0)
        assert any((holds(products[left_out]) & ones & ~sum(map(holds, others), union * 0)) > 0)


# What is refused names the case.


def refuses(function, arguments, result, message):
    with pytest.raises(ProgramError, match=message):
        explore(function, arguments, result, name="f")


def test_a_function_that_is_not_total_is_named_with_the_case_that_breaks_it():
    state = Record("State", count=Range(3), mark=Bool())
    table = {0: True, 2: True}
    refuses(
        lambda s: s._replace(mark=table[s.count]),
        {"state": state},
        state,
        r"f with state.count = 1 raises KeyError: 1",
    )


def test_a_value_that_leaves_its_range_is_named_with_the_case_that_breaks_it():
    state = Record("State", count=Range(3))
    refuses(
        lambda s: s._replace(count=s.count + 1),
        {"state": state},
        state,
        r"f with state.count = 2 gives count: 3 is not in the range 0 to 2",
    )


def test_a_message_is_named_by_its_port():
    received = Tuple(*[Optional(Range(2))] * 2)
    refuses(
        lambda received: received[1] + 1 if received[1] is not None else 0,
        {"received": received},
        Range(2),
        r"received\[1\] present = True, received\[1\] = 1 gives 2",
    )


def test_a_table_that_is_too_large_is_refused():
    with pytest.raises(ProgramError, match="more than 100 cases; fold"):
        explore(sum, {"x": Tuple(*[Bool()] * 7)}, Range(8), name="f", max_cases=100)


def test_none_has_one_meaning():
    with pytest.raises(ProgramError, match="optional already"):
        Optional(Optional(Bool()))


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        (Bool(), 1, "True or False"),
        (Range(3), True, "whole number"),
        (Range(3), -1, "range 0 to 2"),
        (Enum("a", "b"), "c", "one of a, b"),
        (Set(2), {2}, "2 in a set"),
        (Tuple(Bool(), Bool()), (True,), "a tuple of 2"),
        (Record("R", a=Bool()), (True,), r"a R \(a\)"),
        (Optional(Range(2)), 5, "range 0 to 1"),
    ],
)
def test_a_value_of_another_type_is_refused(kind, value, message):
    with pytest.raises(ProgramError, match=message):
        kind.encode(value)
