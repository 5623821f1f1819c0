"""Padding: the least that certifies, and the one that makes the ensemble cheapest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.certificates import (
    PROBLEMS,
    certificate,
    collision,
)
from support.programs import (
    MANY,
    TYPE_CHECKED_STRATEGIES,
)

from ntkexec.theory.padding import padded, padding_needed
from ntkexec.vocabulary import KINDS

pytestmark = TYPE_CHECKED_STRATEGIES


@MANY
@given(st.sampled_from(KINDS), st.integers(2, 14), st.integers(1, 16), st.sampled_from((0, 2, 40)))
def test_the_padding_needed_is_the_least_that_certifies(kind, num_matches, writers, padding):
    found = collision(kind, num_matches, writers, padding)
    needed = padding_needed(found)
    assert collision(kind, num_matches, writers, needed).certified
    assert needed == 0 or not collision(kind, num_matches, writers, needed - 1).certified
    # It counts all padding, not what must be added to the padding that is there.
    assert found.certified == (padding >= needed)


def cost(found, delta, num_decisions):
    """What `padded` minimises: networks times the square of their inputs."""
    size = found.ensemble_size(delta=delta, num_decisions=num_decisions)
    return size * sum(n0**2 for n0 in found.problem.num_inputs.tolist())


@MANY
@given(PROBLEMS, st.floats(1e-9, 0.5), st.integers(1, 10**6))
def test_padded_certifies_and_never_costs_more(problem, delta, num_decisions):
    plain = certificate(problem, convention="shared")
    best = padded(plain, delta=delta, num_decisions=num_decisions)
    assert best.certified
    assert best.problem.program is problem.program
    assert best.problem.padding >= padding_needed(plain)
    if plain.certified:
        assert cost(best, delta, num_decisions) <= cost(plain, delta, num_decisions)


@pytest.mark.parametrize("kind", KINDS)
def test_padded_never_costs_more_than_any_padding_that_it_is_given(kind):
    for padding in range(30):
        plain = collision(kind, 9, 3, padding)
        best = padded(plain, delta=0.01, num_decisions=1000)
        assert cost(best, 0.01, 1000) <= cost(plain, 0.01, 1000)


def test_padding_lowers_the_cost_where_the_margin_is_small():
    tight = collision("joint", 9, 3)
    best = padded(tight, delta=0.01, num_decisions=1000)
    assert best.smallest_margin > tight.smallest_margin
    assert cost(best, 0.01, 1000) < cost(tight, 0.01, 1000)
