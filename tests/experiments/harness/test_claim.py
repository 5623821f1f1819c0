"""The factories of claims: what holds, what fails, what is undecided, and twins that never hold."""

import dataclasses
import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from experiments.harness import claim as factories
from experiments.harness import runner
from experiments.harness.claim import (
    at_least,
    at_most,
    beats,
    equals,
    equivalent,
    identity,
    no_worse,
    reported,
    slope,
)
from experiments.harness.study import Record
from ntkexec.errors import ExperimentError

WORDS = {"source": "a source", "how": "measured"}


def records(**columns):
    """One record a place of the columns, with a study s."""
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    return [Record(seed, {"s": row}) for seed, row in enumerate(rows)]


def verdict(claim, found):
    return runner.judge(claim, found).verdict


def twin(claim, found):
    return verdict(dataclasses.replace(claim, measure=claim.broken), found)


def test_an_identity_holds_up_to_rounding_under_every_seed():
    made = identity("i", "it is", "s.off", broken="s.wrong", **WORDS)
    good = records(off=[1e-15, -1e-13], wrong=[0.1, 1e-15])
    assert (verdict(made, good), twin(made, good)) == ("holds", "fails")
    assert verdict(made, records(off=[0.0, -1e-11], wrong=[1.0, 1.0])) == "fails"
    assert verdict(made, records(off=[0.0, float("nan")], wrong=[1.0, 1.0])) == "fails"


def test_a_count_is_met_exactly_or_not():
    made = equals("c", "it has", "s.n", count=43_857, **WORDS)
    assert made.published == 43_857
    assert verdict(made, records(n=[43_857, 43_857])) == "holds"
    assert verdict(made, records(n=[43_857, 43_856])) == "fails"
    for off in (-1, 0, 1):
        assert twin(made, records(n=[43_857 + off])) == "fails"
    counted = equals("c", "it has", "s.n", count=2, broken="s.m", **WORDS)
    assert twin(counted, records(n=[2], m=[3])) == "fails"


@pytest.mark.parametrize("log", [True, False])
def test_a_slope_is_that_of_least_squares(log):
    x = [1.0, 2.0, 4.0, 8.0]
    y = [3 * v**2 for v in x] if log else [3 + 2 * v for v in x]
    made = slope("l", "it grows", "s.x", "s.y", equals=2, within=0.1, log=log, **WORDS)
    found = records(x=[x, x], y=[y, y])
    outcome = runner.judge(made, found)
    assert outcome.verdict == "holds"
    np.testing.assert_allclose(outcome.measurement.details["slopes"], 2, rtol=1e-12)
    assert verdict(dataclasses.replace(made, bound=-0.0), found) in ("holds", "fails")
    far = slope("l", "it grows", "s.x", "s.y", equals=1, within=0.1, log=log, **WORDS)
    assert verdict(far, found) == "fails"


@given(st.floats(-5, 5), st.floats(0.01, 2), st.booleans())
def test_the_twin_of_a_slope_never_holds(power, within, log):
    x = np.array([1.0, 2.0, 3.0, 5.0])
    y = (x**power if log else power * x + 1).tolist()
    made = slope("l", "it", "s.x", "s.y", equals=1, within=within, log=log, **WORDS)
    assert twin(made, records(x=[x.tolist()], y=[y])) == "fails"


BETTER = records(a=[0.9, 0.8, 0.85, 0.95], b=[0.7, 0.61, 0.64, 0.76])
ALIKE = records(a=[0.70, 0.60, 0.65, 0.75], b=[0.701, 0.599, 0.65, 0.751])
NOISY = records(a=[0.9, 0.1, 0.8, 0.2], b=[0.1, 0.9, 0.2, 0.7])


def test_what_beats_is_better_by_the_interval_of_paired_differences():
    made = beats("b", "a beats b", "s.a", "s.b", **WORDS)
    assert [verdict(made, found) for found in (BETTER, NOISY)] == ["holds", "undecided"]
    swapped = beats("b", "b beats a", "s.b", "s.a", **WORDS)
    assert verdict(swapped, BETTER) == "fails"
    by = beats("b", "a beats b", "s.a", "s.b", by=0.3, **WORDS)
    assert verdict(by, BETTER) == "fails"
    found = runner.judge(made, BETTER).measurement
    differences = [r["s"]["a"] - r["s"]["b"] for r in BETTER]
    interval = stats.t.interval(0.95, 3, np.mean(differences), stats.sem(differences))
    np.testing.assert_allclose(found.interval, interval, rtol=1e-9)
    assert set(found.details["arms"]) == {"a", "b"}
    named = beats("b", "a beats b", lambda r: r["s"]["a"], "s.b", names=("one", "other"), **WORDS)
    found = runner.judge(named, BETTER).measurement
    assert set(found.details["arms"]) == {"one", "other"}
    assert named.plot is not None
    assert len(named.plot(found).axes[0].get_yticklabels()) == 2
    with pytest.raises(ExperimentError, match="no_worse"):
        beats("b", "a beats b", "s.a", "s.b", by=-0.1, **WORDS)


def test_no_worse_allows_a_margin_and_equivalent_needs_both_sides():
    worse = no_worse("n", "b is no worse", "s.b", "s.a", margin=0.3, **WORDS)
    assert [verdict(worse, found) for found in (BETTER, NOISY)] == ["holds", "undecided"]
    alike = equivalent("e", "they are alike", "s.a", "s.b", within=0.05, **WORDS)
    assert [verdict(alike, f) for f in (ALIKE, BETTER, NOISY)] == ["holds", "fails", "undecided"]


def test_a_published_figure_is_met_if_the_whole_interval_is_near_it():
    near = records(a=[84.3, 84.5, 84.2, 84.6])
    made = reported("r", "84.4 on Cora", "s.a", figure=84.4, within=1.0, unit="%", **WORDS)
    assert verdict(made, near) == "holds"
    found = runner.judge(made, near).measurement
    assert found.details["ours"] == pytest.approx(84.4)
    assert found.details["published"] == made.published == 84.4
    low, high = found.details["interval"]
    assert found.interval == pytest.approx((0.0, max(84.4 - low, high - 84.4)))
    assert verdict(made, records(a=[81.0, 81.2, 80.9])) == "fails"
    assert verdict(made, records(a=[83.0, 84.0, 85.2])) == "undecided"


def test_bounds_on_a_mean_are_judged_by_its_interval():
    found = records(a=[0.4, 0.41, 0.42], wrong=[0.9, 0.9, 0.91])
    low = at_most("m", "it is small", "s.a", bound=0.5, broken="s.wrong", **WORDS)
    high = at_least("m", "it is large", "s.a", bound=0.3, broken=lambda r: 0.0, **WORDS)
    for made in (low, high):
        assert (verdict(made, found), twin(made, found)) == ("holds", "fails")
    assert verdict(at_least("m", "it", "s.a", bound=0.5, broken="s.a", **WORDS), found) == "fails"


numbers = st.lists(st.floats(-10, 10), min_size=4, max_size=4)


@given(numbers, numbers, st.floats(0.001, 5), st.sampled_from([0.0, 0.001, 0.1]))
def test_twins_of_comparisons_never_hold(a, b, margin, resolution):
    found = records(a=a, b=b)
    rest = {"resolution": resolution, **WORDS}
    for made in (
        beats("b", "c", "s.a", "s.b", **rest),
        beats("b", "c", "s.a", "s.b", by=margin, **rest),
        no_worse("n", "c", "s.a", "s.b", margin=margin, **rest),
        equivalent("e", "c", "s.a", "s.b", within=margin, **rest),
        reported("r", "c", "s.a", figure=1.0, within=margin, **rest),
    ):
        assert twin(made, found) != "holds", made.name


def test_a_true_difference_of_nothing_seldom_beats():
    # Of 2,000 at 95 % two-sided, 2.5 % come out above: 50 are expected; six deviations are 42.
    draws = np.random.default_rng(0).normal(size=(2000, 2, 5))
    made = beats("b", "c", "s.a", "s.b", **WORDS)
    held = sum(verdict(made, records(a=a.tolist(), b=b.tolist())) == "holds" for a, b in draws)
    assert abs(held - 50) < 42


@pytest.mark.parametrize("of", ["s.c", "s.a.x", "s.a.1", "s.list", "s.text"])
def test_a_path_to_no_number_is_refused_by_name(of):
    found = [Record(7, {"s": {"a": 1.0, "list": [1.0], "text": "1", "true": True}})]
    with pytest.raises(ExperimentError, match=f"seed 7 has no .*{of.split('.')[-1]}"):
        factories.values_of(found, of)


def test_paths_reach_into_lists_and_functions_do_what_they_do():
    found = [Record(0, {"s": {"list": [{"x": 1.5}, {"x": 2}]}})]
    assert factories.values_of(found, "s.list.1.x") == [2.0]
    assert factories.values_of(found, lambda r: len(r["s"]["list"])) == [2.0]


def test_what_a_study_could_not_measure_makes_every_claim_not_measured():
    found = [Record(0, {}, {"s": "needs the data set cora"})] * 2
    makers = (
        identity("i", "c", "s.a", broken="s.b", **WORDS),
        equals("c", "c", "s.a", count=1, **WORDS),
        slope("l", "c", "s.a", "s.b", equals=1, within=1, **WORDS),
        beats("b", "c", "s.a", "s.b", **WORDS),
        reported("r", "c", "s.a", figure=1, within=1, **WORDS),
    )
    for made in makers:
        outcome = runner.judge(made, found)
        assert (outcome.verdict, outcome.measurement.reason) == (
            "not measured",
            "needs the data set cora",
        )
        assert twin(made, found) == "not measured"


@pytest.mark.parametrize("margin", [0, -1, float("nan")])
def test_a_margin_is_positive(margin):
    for make, name in itertools.product((no_worse, equivalent), ("margin", "within")):
        if name in make.__annotations__:
            with pytest.raises(ExperimentError, match="a margin is more than 0"):
                make("n", "c", "s.a", "s.b", **{name: margin}, **WORDS)
