"""The search for the largest set of templates, against the enumeration of all states and HiGHS."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.programs import MANY, TYPE_CHECKED_STRATEGIES

from ntkexec.theory import compatible_sets
from ntkexec.theory.compatible_sets import Shape, by_programme, by_search, largest

pytestmark = TYPE_CHECKED_STRATEGIES

BITS = 6
CONDITIONS = st.dictionaries(st.integers(0, BITS - 1), st.booleans(), max_size=3)
GROUPS = st.lists(
    st.sets(st.integers(0, BITS - 1), min_size=1, max_size=3).map(lambda g: tuple(sorted(g))),
    min_size=1,
    max_size=4,
)
SHAPES = st.builds(
    lambda conditions, at_most: Shape(
        tuple(tuple(sorted(c.items())) for c in conditions),
        tuple((bound, tuple(groups)) for bound, groups in at_most),
    ),
    st.lists(CONDITIONS, min_size=1, max_size=9),
    st.lists(st.tuples(st.integers(0, 3), GROUPS), max_size=3),
)


def by_enumeration(shape):
    """The most templates that a state matches, of all states that keep what is assumed."""
    best = 0
    for state in itertools.product([False, True], repeat=BITS):
        if all(
            sum(any(state[place] for place in group) for group in groups) <= bound
            for bound, groups in shape.at_most
        ):
            matched = [all(state[p] == value for p, value in c) for c in shape.conditions]
            best = max(best, sum(matched))
    return best


@MANY
@given(SHAPES)
def test_the_search_finds_what_the_enumeration_finds(shape):
    assert by_search(shape) == by_enumeration(shape)


def slots(number, occupied, conditions=lambda slot: {slot: True}):
    """So many slots of which some are occupied, and a template for each."""
    return Shape(
        tuple(tuple(sorted(conditions(slot).items())) for slot in range(number)),
        ((occupied, tuple((slot,) for slot in range(number))),),
    )


EASY = {
    "all together": (slots(40, 40), 40),
    "as many as slots": (slots(40, 7), 7),
    # The first that calls: none other can.
    "a priority": (slots(40, 7, lambda s: {**dict.fromkeys(range(s), False), s: True}), 1),
}


@pytest.mark.parametrize("shape, expected", EASY.values(), ids=EASY)
def test_the_shapes_of_real_components_are_settled_without_integer_programming(shape, expected):
    assert by_search(shape, most_visits=100) == expected
    assert largest(shape, 0.0) == (expected, True)


@pytest.mark.parametrize("number, occupied", [(9, 4), (12, 5)])
def test_it_agrees_with_integer_programming_where_slots_are_needed_in_pairs(number, occupied):
    shape = slots(number, occupied, lambda s: {s: True, (s + 1) % number: True})
    found = by_search(shape, most_visits=100_000)
    assert found == by_programme(shape, 20.0)[0] == occupied - 1


def test_a_search_that_gives_up_says_so_and_the_programme_takes_over(monkeypatch):
    shape = slots(9, 4, lambda s: {s: True, (s + 1) % 9: True})
    assert by_search(shape, most_visits=1) is None
    monkeypatch.setattr(compatible_sets, "by_search", lambda shape: None)
    assert largest(shape, 20.0) == (3, True)


def test_the_search_relies_on_its_bound(monkeypatch):
    """The twin: one that is too small ends the search too soon."""
    assert by_search(slots(BITS, 3)) == by_enumeration(slots(BITS, 3)) == 3
    monkeypatch.setattr(compatible_sets, "_bound", lambda node, conflicts, budgets: 0)
    assert by_search(slots(BITS, 3)) != 3
