"""Alignment: beside brute force over all short sequences; what equal and coarser tokenizers make of it."""

import itertools

import numpy as np
import pytest

from experiments.language.flexible_llm.aligning import (
    align_tokens,
    aligned_rows,
    edit_distance,
    nearest_tokens,
)
from ntkexec.errors import ExperimentError


def words(letters, most):
    return ["".join(w) for n in range(most + 1) for w in itertools.product(letters, repeat=n)]


def by_matchings(one, other):
    """Over all ways to pair characters in order: pairs that differ, and characters without a pair."""
    least = len(one) + len(other)
    for number in range(1, min(len(one), len(other)) + 1):
        rest = len(one) + len(other) - 2 * number
        for left in itertools.combinations(one, number):
            for right in itertools.combinations(other, number):
                least = min(least, rest + sum(a != b for a, b in zip(left, right, strict=True)))
    return least


def test_edit_distance_is_the_least_over_all_matchings():
    for one, other in itertools.product(words("ab", 4), repeat=2):
        assert edit_distance(one, other) == by_matchings(one, other), (one, other)


@pytest.mark.slow
def test_edit_distance_is_the_least_over_all_matchings_of_six_letters():
    for one, other in itertools.combinations_with_replacement(words("ab", 6), 2):
        assert edit_distance(one, other) == by_matchings(one, other), (one, other)


def paths(rows, columns):
    """All monotone paths from the first pair to the last."""
    if rows == columns == 1:
        yield [(0, 0)]
        return
    for i, j in ((rows - 1, columns), (rows, columns - 1), (rows - 1, columns - 1)):
        if i and j:
            yield from ([*path, (rows - 1, columns - 1)] for path in paths(i, j))


def test_an_alignment_costs_the_least_of_all_paths_and_is_one():
    sequences = [s for n in (1, 2, 3) for s in itertools.product(("a", "b", "ab"), repeat=n)]
    every = {sides: list(paths(*sides)) for sides in itertools.product((1, 2, 3), repeat=2)}
    for source, target in itertools.product(sequences, repeat=2):
        found = align_tokens(source, target)
        own = [(i, j) for j, paired in enumerate(found.pairs) for i in paired]
        costs = [
            sum(edit_distance(source[i], target[j]) for i, j in path)
            for path in every[len(source), len(target)]
        ]
        assert found.cost == min(costs)
        assert own in [
            sorted(path, key=lambda pair: pair[::-1]) for path in every[len(source), len(target)]
        ]
        assert found.cost == sum(edit_distance(source[i], target[j]) for i, j in own)
        if source == target:
            assert found.pairs == tuple((place,) for place in range(len(target)))


def test_equal_tokenizers_give_the_source_as_it_is():
    vocabulary, rng = ("a", "b", "aa"), np.random.default_rng(0)
    tokens = ("a", "aa", "a", "a", "b")
    expected = rng.dirichlet(np.ones(3), size=5)
    nearest = nearest_tokens(vocabulary, vocabulary)
    moved, own = aligned_rows(expected, tokens, tokens, [2, 0, 0, 1, 0], nearest=nearest, size=3)
    assert own.all()
    np.testing.assert_array_equal(moved, expected)


def test_rows_of_a_coarser_source_have_their_mass_and_are_used_where_both_read_equally_much():
    ours, theirs = ("a", "b", "c"), ("b", "a", "ca", "bb", "ac")
    nearest = nearest_tokens(theirs, ours)
    assert nearest.tolist() == [1, 0, 2, 1, 0]  # the token of a pair that is read first
    source, target = ("bb", "ca", "b"), ("b", "b", "c", "a", "b")
    expected = np.random.default_rng(1).dirichlet(np.ones(5), size=3)
    following = np.array([1, 2, 0, 1, 2])
    moved, own = aligned_rows(expected, source, target, following, nearest=nearest, size=3)
    np.testing.assert_allclose(moved.sum(1), 1, atol=1e-12)
    assert own.tolist() == [False, True, False, True, True]
    np.testing.assert_allclose(
        moved[1], [expected[0, 1] + expected[0, 4], expected[0, 0] + expected[0, 3], expected[0, 2]]
    )
    np.testing.assert_array_equal(moved[~own], np.eye(3)[following[~own]])


def test_text_that_repeats_itself_is_not_taken_over_at_another_place():
    source, target = ("aa", "aa"), ("a", "a", "a", "a")
    nearest, expected = np.zeros(2, int), np.full((2, 2), 0.5)
    _, own = aligned_rows(expected, source, target, np.zeros(4, int), nearest=nearest, size=2)
    assert set(np.flatnonzero(own)) <= {1, 3}


def test_nothing_to_pair_is_refused():
    with pytest.raises(ExperimentError, match="0 tokens with 1"):
        align_tokens((), ("a",))
    with pytest.raises(ExperimentError, match="empty vocabulary"):
        nearest_tokens(("a",), ())
