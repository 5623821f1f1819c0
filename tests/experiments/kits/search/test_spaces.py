"""Spaces are bijective, neighbours differ in one decision, and samples are uniform."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.kits.search.spaces import Choices
from ntkexec.errors import ExperimentError

COUNTS = st.lists(st.integers(1, 5), min_size=1, max_size=5)


def space_of(counts):
    return Choices({f"d{i}": tuple("abcde"[:count]) for i, count in enumerate(counts)})


@given(COUNTS)
def test_numbers_are_those_of_the_order_of_all_candidates(counts):
    space = space_of(counts)
    every = list(space)
    assert len(every) == space.size == len(set(every))
    assert [space.encode(one) for one in every] == list(range(space.size))
    assert [space.decode(number) for number in range(space.size)] == every
    assert all(one in space and space.at(space.positions(one)) == one for one in every)


def test_a_space_beyond_machine_integers_is_exact():
    space = Choices({f"d{i}": tuple(range(10)) for i in range(30)})
    assert space.size == 10**30
    for number in (0, 1, 10**30 - 1, 123456789012345678901234567890):
        assert space.encode(space.decode(number)) == number


@given(COUNTS, st.integers(0, 2**32 - 1))
def test_neighbours_are_all_that_differ_in_one_decision_and_mutations_are_neighbours(counts, seed):
    space, generator = space_of(counts), np.random.default_rng(seed)
    one = space.sample(generator)
    around = list(space.neighbours(one))
    wanted = {o for o in space if sum(a != b for a, b in zip(o, one)) == 1}
    assert set(around) == wanted
    assert len(around) == sum(counts) - len(counts)
    if wanted:
        assert {space.mutate(one, generator) for _ in range(20)} <= wanted
    else:
        with pytest.raises(ExperimentError, match="the only candidate"):
            space.mutate(one, generator)


def test_samples_are_uniform_and_mutations_by_decision_first():
    space, generator = Choices({"a": (0, 1), "b": (0, 1, 2, 3)}), np.random.default_rng(0)
    drawn = np.bincount([space.encode(space.sample(generator)) for _ in range(8000)], minlength=8)
    assert np.abs(drawn - 1000).max() < 5 * np.sqrt(1000)
    moved = [space.mutate((0, 0), generator) for _ in range(6000)]
    assert abs(sum(one == (1, 0) for one in moved) - 3000) < 5 * np.sqrt(1500)
    assert abs(sum(one == (0, 3) for one in moved) - 1000) < 5 * np.sqrt(1000)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: Choices({}), "needs a decision"),
        (lambda: Choices({"a": ()}), "'a' needs options that differ"),
        (lambda: Choices({"a": (1, True)}), "'a' needs options that differ"),
        (lambda: Choices({"a": (1, 2)}).encode((3,)), "'a' is one of .1, 2., not 3"),
        (lambda: Choices({"a": (1, 2)}).encode((1, 2)), "takes 2 decisions, and there are 1"),
        (lambda: Choices({"a": (1, 2)}).decode(2), "0 to 1, not 2"),
    ],
)
def test_what_is_no_space_or_not_in_it_is_refused_by_name(call, words):
    with pytest.raises(ExperimentError, match=words):
        call()
    assert (3,) not in Choices({"a": (1, 2)})
    assert hash(Choices({"a": [1, 2]})) == hash(Choices({"a": (1, 2)}))
