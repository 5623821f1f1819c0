"""Searches: edits by hand, every path found in the end, nothing paid twice, the released tree a chain."""

import numpy as np
import pytest

from experiments.language.dr_llm.paths import all_counts
from experiments.language.dr_llm.search import (
    Searched,
    as_published,
    edited,
    in_lockstep,
    label_of,
    released_search,
    tree_search,
    uniform_edits,
)
from ntkexec.errors import ExperimentError

SEEDS = range(20)


def sought(right, search, budget, blocks=3, **options):
    """What searches of all seeds found, and what they asked for."""
    asked = {seed: [] for seed in SEEDS}

    def evaluate(rows, paths):
        for row, path in zip(rows, paths, strict=True):
            asked[row].append(path)
        return [right(path) for path in paths]

    searches = [
        search(blocks, budget, generator=np.random.default_rng(seed), **options) for seed in SEEDS
    ]
    return in_lockstep(searches, evaluate), asked


def test_edits_are_those_of_the_list_of_blocks():
    assert edited((1, 1)) == [(0, 0), (0, 1), (1, 0), (1, 2), (2, 1)]
    # The list 0 0 2: without one or both zeros, without a zero and the two, without the two, the two twice.
    assert edited((2, 0, 1)) == [(0, 0, 1), (1, 0, 0), (1, 0, 1), (2, 0, 0), (2, 0, 2)]
    assert edited((0, 0)) == []


@pytest.mark.parametrize("search", [tree_search, uniform_edits])
def test_every_path_is_asked_for_once_and_the_shortest_is_found_in_the_end(search):
    found, asked = sought(lambda path: path == (0, 2, 0), search, 100)
    whole = {tuple(path) for path in all_counts(3).tolist()}
    for seed, one in enumerate(found):
        assert len(asked[seed]) == len(set(asked[seed])) == 27
        assert set(one.right) == whole
        assert label_of(one) == (0, 2, 0)
        assert one.shortest() == 2
        assert Searched({(1, 1, 1): False}).shortest() is None
    _, asked = sought(lambda path: True, search, 5)
    assert all(len(asked[seed]) == 5 and asked[seed][0] == (1, 1, 1) for seed in SEEDS)
    if search is tree_search:
        assert min(one.branching for one in found) > 0.1


def test_the_released_search_never_branches_whatever_is_right():
    for right in (lambda path: sum(path) % 2 == 0, lambda path: False, lambda path: True):
        for counted in (3, 28):
            found, asked = sought(right, released_search, 200, counted_blocks=counted)
            for seed, one in enumerate(found):
                assert max(one.children) == 1
                assert one.branching == 0
                assert len(asked[seed]) == len(set(asked[seed])) <= len(one.children)
    # Children that take 28 blocks for granted grow beyond twice the blocks that there are.
    assert any(sum(path) > 6 for one in found for path in one.right)


def test_the_published_rule_ends_a_search_at_once_when_it_is_met():
    found, asked = sought(lambda path: sum(path) != 3, tree_search, 50, stop=as_published)
    assert all(len(asked[seed]) == 2 for seed in SEEDS)  # wrong, then turned right by any edit
    found, asked = sought(lambda path: True, tree_search, 50, stop=as_published)
    for seed, one in enumerate(found):
        assert sum(asked[seed][-1]) <= 1
        assert all(sum(path) > 1 for path in asked[seed][:-1])
        assert sum(label_of(one)) <= 1


def test_labels_are_short_then_simple_and_never_clipped():
    told = {(1, 1, 1): True, (2, 1, 0): True, (0, 1, 1): False, (3, 0, 0): False}
    assert label_of(Searched(told)) == (2, 1, 0)
    assert label_of(Searched({(1, 1, 1): False})) is None
    assert label_of(Searched({(1, 1, 1, 1): True, (3, 0, 0, 0): True})) is None
    with pytest.raises(ExperimentError, match="cannot search paths of 0 blocks with 5"):
        next(tree_search(0, 5, generator=np.random.default_rng(0)))
