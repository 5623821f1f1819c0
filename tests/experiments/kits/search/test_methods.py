"""Every method pays what it says, starts from nothing but its generator, and finds what is easy."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.kits.search.landscapes import PairwiseLandscape, Tabulated, largest_sum
from experiments.kits.search.ledger import BudgetSpentError, Ledger
from experiments.kits.search.methods import (
    METHODS,
    draw,
    policy_gradient,
    regularised_evolution,
    score,
    softmax,
)
from experiments.kits.search.regret import random_best
from experiments.kits.search.spaces import Choices
from ntkexec.errors import ExperimentError

SPACE = Choices({"a": (0, 1, 2), "b": (0, 1, 2, 3), "c": (0, 1)})


def additive(candidate):
    return float(sum(candidate))


@pytest.mark.parametrize("method", METHODS)
@given(
    seed=st.integers(0, 10**6), budget=st.integers(1, 40), repeats=st.sampled_from(["free", "paid"])
)
def test_budgets_are_kept_and_the_best_never_falls(method, seed, budget, repeats):
    calls = []

    def counted(candidate):
        calls.append(candidate)
        return additive(candidate)

    def trace():
        ledger = Ledger(counted, budget, repeats=repeats, patience=200)
        return METHODS[method](SPACE, ledger, np.random.default_rng(seed))

    found = trace()
    assert tuple(calls) == found.candidates
    assert len(calls) <= min(budget, SPACE.size if repeats == "free" else budget)
    assert found.distinct == len(set(calls))
    assert all(one in SPACE for one in calls)
    if repeats == "free":
        assert found.distinct == len(calls)
    else:
        assert (len(calls), found.repeated) == (budget, 0)
    assert (np.diff(found.best_so_far) >= 0).all()
    assert additive(found.best) == found.value == found.best_so_far[-1]
    np.testing.assert_array_equal(found.values[list(found.incumbents)], found.best_so_far)
    again = trace()
    assert again.candidates == found.candidates


@pytest.mark.parametrize("method", ["hill climbing", "evolution", "policy gradient"])
def test_methods_climb_what_adds_up(method):
    space = Choices({f"d{i}": tuple(range(6)) for i in range(8)})
    values = [
        METHODS[method](space, Ledger(additive, 200), np.random.default_rng(seed)).value
        - METHODS["random"](space, Ledger(additive, 200), np.random.default_rng(seed)).value
        for seed in range(10)
    ]
    assert np.mean(values) > 2 * np.std(values) / np.sqrt(10)


def test_hill_climbing_without_local_optima_needs_one_ascent():
    space = Choices({f"d{i}": tuple(range(4)) for i in range(5)})
    for seed in range(5):
        ledger = Ledger(additive, 500)
        found = METHODS["hill climbing"](space, ledger, np.random.default_rng(seed))
        assert found.value == 15
        assert int(np.argmax(found.values)) < 15 * 15  # at most 15 steps up, 15 neighbours each


def test_random_search_is_drawing_without_replacement_in_its_mean():
    values = np.random.default_rng(0).normal(size=SPACE.size)
    table = Tabulated(SPACE, values)
    found = [
        METHODS["random"](SPACE, Ledger(table, 5), np.random.default_rng(seed)).value
        for seed in range(600)
    ]
    assert np.mean(found) == pytest.approx(random_best(values, 5), abs=4 * np.std(found) / 600**0.5)
    some = values[:7]
    by_hand = np.mean([max(each) for each in itertools.combinations(some, 3)])
    assert random_best(some, 3) == pytest.approx(by_hand, rel=1e-12)
    assert random_best(some, 7) == some.max()


def test_the_score_is_the_gradient_of_the_logarithm_and_its_mean_is_zero():
    logits = np.array([[0.3, -1.0, 2.0, 0.0], [1.0, 0.5, -np.inf, -np.inf]])
    for place in itertools.product(range(4), range(2)):
        places = np.array(place)
        found = score(logits, places)
        for row, column in itertools.product(range(2), range(4)):
            step = np.zeros((2, 4))
            step[row, column] = 1e-6
            up, down = (softmax(logits + sign * step)[row, places[row]] for sign in (1, -1))
            assert found[row, column] == pytest.approx(np.log(up / down) / 2e-6, abs=1e-8)
    chances = softmax(logits)[0]
    mean = sum(p * score(logits[0], np.array(place)) for place, p in enumerate(chances))
    np.testing.assert_allclose(mean, 0, atol=1e-15)


def test_draws_have_the_probabilities_of_each_row_and_never_what_has_none():
    chances = np.array([[0.5, 0.25, 0.25, 0], [0.1, 0.9, 0, 0], [0, 0, 0, 1.0]])
    generator = np.random.default_rng(0)
    drawn = np.array([draw(chances, generator) for _ in range(4000)])
    shares = np.stack([(drawn == place).mean(0) for place in range(4)], 1)
    np.testing.assert_allclose(shares, chances, atol=5 * np.sqrt(0.25 / 4000))
    assert (shares[chances == 0] == 0).all()


def test_policy_gradient_is_blind_to_scale_and_origin():
    def found(transformed):
        ledger = Ledger(lambda candidate: transformed(additive(candidate)), 60, repeats="paid")
        return policy_gradient(SPACE, ledger, np.random.default_rng(3)).candidates

    assert found(lambda v: v) == found(lambda v: 4 * v + 1024)  # exact in binary
    assert found(lambda v: v) != found(lambda v: -v)


def test_evolution_forgets_its_oldest_however_good():
    # The first is the best there is, but with a population of one only the last one has children.
    space = Choices({"a": tuple(range(50))})
    ledger = Ledger(lambda candidate: -abs(candidate[0] - 25.0), 100, repeats="paid")
    found = regularised_evolution(space, ledger, np.random.default_rng(0), population=1)
    for one, other in itertools.pairwise(found.candidates):
        assert one != other


@given(st.integers(0, 10**6), st.lists(st.integers(1, 4), min_size=1, max_size=6), st.floats(0, 1))
def test_the_largest_sum_is_that_of_all_candidates(seed, counts, share):
    space = Choices({f"d{i}": tuple(range(count)) for i, count in enumerate(counts)})
    made = PairwiseLandscape.drawn(space, np.random.default_rng(seed), share=share, noise=0.3)
    every = [made.truth(one) for one in space]
    assert made.optimum == pytest.approx(max(every), abs=1e-9)
    assert made(space.decode(0)) == made(space.decode(0)) != every[0]
    assert largest_sum((), counts) == 0


def test_noise_of_a_landscape_has_its_deviation_and_depends_on_the_candidate_alone():
    space = Choices({f"d{i}": tuple(range(8)) for i in range(4)})
    made = PairwiseLandscape.drawn(space, np.random.default_rng(1), noise=0.3)
    errors = [made(one) - made.truth(one) for one in space]
    assert np.std(errors) == pytest.approx(0.3, rel=0.05)
    assert abs(np.mean(errors)) < 4 * 0.3 / 64


def test_ledgers_refuse_what_is_not_paid_for_or_no_number():
    ledger = Ledger(additive, 1)
    assert ledger((0, 0, 0)) == 0
    assert ledger.knows((0, 0, 0))
    assert ledger((0, 0, 0)) == 0  # from the books
    with pytest.raises(BudgetSpentError, match="evaluation 2 of 1"):
        ledger((1, 0, 0))
    with pytest.raises(ExperimentError, match="scored nan"):
        Ledger(lambda candidate: float("nan"), 1)((0,))
    with pytest.raises(ExperimentError, match="at least 1"):
        Ledger(additive, 0)
    with pytest.raises(ExperimentError, match="nothing was evaluated"):
        Ledger(additive, 1).trace()
    with pytest.raises(ExperimentError, match="24 candidates need as many"):
        Tabulated(SPACE, np.zeros(23))
    with pytest.raises(ExperimentError, match="rate above 0"):
        policy_gradient(SPACE, Ledger(additive, 1), np.random.default_rng(0), learning_rate=0.0)
    with pytest.raises(ExperimentError, match="at least 1"):
        regularised_evolution(SPACE, Ledger(additive, 1), np.random.default_rng(0), population=0)
