"""Ensemble complexity: prefixes against real executions, distributions against closed forms.

Statistical statements state their false-alarm rate; seeds are fixed.
"""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.ensembles import program, train_at_once

from ntkexec import executor
from ntkexec.complexity import collect, random_instances, study, trends
from ntkexec.complexity.cases import Cases, ComponentCases
from ntkexec.complexity.margins import margins_of
from ntkexec.complexity.probability import certainty, critical_members
from ntkexec.complexity.sampling import EVERY_UP_TO, Prefixes, _numbers, exact_prefixes
from ntkexec.complexity.studies import median_interval, smallest_numbers
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import Ensemble, EnsembleConfig, GaussianEnsemble, gaussian
from ntkexec.errors import EnsembleError
from ntkexec.graphs import batch
from ntkexec.program.problem import LearningProblem

GAUSSIAN = EnsembleConfig(members=20, draw="gaussian")


@pytest.fixture(scope="module")
def flooding():
    instances = random_instances(
        "flooding", degree=2, word=None, num_graphs=4, nodes=(3, 5), seed=0
    )
    cases = collect(LearningProblem(instances[0].program, "joint"), instances)
    return instances, cases


@pytest.mark.parametrize("draw", [pytest.param("trained", marks=pytest.mark.slow), "linearised"])
def test_a_prefix_is_exact_if_and_only_if_the_executor_makes_no_mistake(flooding, draw):
    # All run equally long here, so that one batch visits the same states as its parts.
    steps = max(instance.num_steps for instance in flooding[0])
    instances = [dataclasses.replace(instance, num_steps=steps) for instance in flooding[0]]
    cases = collect(flooding[1].problem, instances)
    graphs = batch([instance.graph for instance in instances]).tuple
    graphs = graphs._replace(nodes=np.concatenate([instance.initial for instance in instances]))
    config = EnsembleConfig(members=5, width=512, draw=draw)
    found = exact_prefixes(margins_of(cases, "shared"), config, 1)
    assert found.numbers.tolist() == [1, 2, 3, 4, 5]
    problem, certificate = cases.problem, cases.certificate("shared")
    whole = Ensemble(problem, config, train_at_once(problem, config))
    verdicts = []
    for n in found.numbers.tolist():
        update = ensemble_engine(whole.first(n), certificate)
        run = executor.execute(update, problem.program, graphs, num_steps=steps)
        verdicts.append(run.verification.exact)
    assert found.exact[0].tolist() == verdicts
    # Both happen, or nothing was compared.
    assert len(set(verdicts)) == 2


def test_repetitions_have_members_of_their_own(flooding):
    _, cases = flooding
    config = EnsembleConfig(members=3, width=256, draw="linearised")
    twice = exact_prefixes(margins_of(cases, "shared"), config, 2)
    once = exact_prefixes(margins_of(cases, "shared"), dataclasses.replace(config, members=6), 1)
    # Repetition 0 has the members 0 to 2 of an ensemble of 6.
    np.testing.assert_array_equal(twice.exact[0], once.exact[0, :3])
    gaussian_draws = exact_prefixes(margins_of(cases, "shared"), GAUSSIAN, 6).exact
    assert len({row.tobytes() for row in gaussian_draws}) > 1
    again = exact_prefixes(margins_of(cases, "shared"), GAUSSIAN, 6).exact
    np.testing.assert_array_equal(gaussian_draws, again)


def frequencies_agree(first, second, trials):
    """Two shares of so many trials each: within 4.5 standard errors of their difference."""
    pooled = (first + second) / 2
    error = np.sqrt(2 * np.maximum(pooled * (1 - pooled), 0.5 / trials) / trials)
    return (np.abs(first - second) <= 4.5 * error).all()


@pytest.mark.slow
def test_gaussian_prefixes_are_those_of_gaussian_ensembles_member_by_member(flooding):
    # The same law by two routes: sums of noise, and members as functions. Each of 5 comparisons
    # is passed by a true statement but for 7e-6.
    _, cases = flooding
    found, (part,) = margins_of(cases, "shared"), margins_of(cases, "shared").components
    repeat, few = 120, dataclasses.replace(GAUSSIAN, members=5)
    naive = np.zeros((repeat, few.members), bool)
    for r in range(repeat):
        ensemble = GaussianEnsemble(cases.problem, dataclasses.replace(few, seed=100 + r))
        outputs = ensemble.components[0].at(part.cases.matched)
        means = np.cumsum(outputs, axis=1) / np.arange(1, few.members + 1)[None, :, None]
        above = means > part.thresholds[:, None, :]
        naive[r] = (above == (part.signs > 0)[:, None, :]).all(axis=(0, 2))
    fast = exact_prefixes(found, few, repeat).exact
    assert frequencies_agree(naive.mean(axis=0), fast.mean(axis=0), repeat)
    assert 0.1 < fast.mean() < 0.9
    # The twin: one network more.
    assert not frequencies_agree(naive.mean(axis=0)[:-1], fast.mean(axis=0)[1:], repeat)


def test_the_prediction_is_the_measured_frequency(flooding):
    _, cases = flooding
    found, repeat = margins_of(cases, "shared"), 300
    measured = exact_prefixes(found, GAUSSIAN, repeat)
    curve = certainty(found, measured, seed=1, simulations=repeat)
    assert frequencies_agree(np.array(curve.predicted), np.array(curve.measured), repeat)
    assert not frequencies_agree(
        np.array(curve.predicted)[1:], np.array(curve.measured)[:-1], repeat
    )
    assert (np.array(curve.low) <= curve.measured).all()
    assert (np.array(curve.measured) <= curve.high).all()
    # A lower bound on what is predicted, up to the simulation's error.
    assert (np.array(curve.union) <= np.array(curve.predicted) + 4.5 / np.sqrt(repeat)).all()


def one_state_each(num_components=3):
    """Independent decisions: one state in every component, two of two templates matched."""
    problem = LearningProblem(program([[i // 2] for i in range(2 * num_components)]))
    states = tuple(
        ComponentCases(np.ones((1, 2), bool), problem.writes(i), 2) for i in range(num_components)
    )
    return Cases(problem, states, 1, 1, 1, 1)


def test_where_decisions_are_independent_the_probability_is_the_product():
    found = margins_of(one_state_each())
    simulations = 4000
    critical = critical_members(found, simulations, seed=0)
    for n in (0.005, 0.02, 0.05):
        expected = stats.norm.cdf(found.z * np.sqrt(n)).prod()
        assert found.independent(n) == pytest.approx(expected)
        error = np.sqrt(expected * (1 - expected) / simulations)
        assert abs((critical < n).mean() - expected) < 4.5 * error
        # The twin: one decision fewer.
        assert abs((critical < n).mean() - stats.norm.cdf(found.z[1:] * np.sqrt(n)).prod()) > error


# Counting.


@given(st.lists(st.booleans(), min_size=1, max_size=12))
def test_first_and_stable_are_what_they_say(row):
    numbers = np.arange(1, len(row) + 1) ** 2
    (first,), (stable,) = smallest_numbers(Prefixes(numbers, np.array([row])))
    exact = dict(zip(numbers.tolist(), row))
    assert first == next((n for n in exact if exact[n]), None)
    assert stable == next((n for n in exact if all(exact[k] for k in exact if k >= n)), None)


@pytest.mark.parametrize("largest", [1, 5, EVERY_UP_TO, EVERY_UP_TO + 1, 1000])
def test_the_numbers_tried_are_all_up_to_a_point_and_then_a_grid(largest):
    numbers = _numbers(largest)
    assert numbers[0] == 1
    assert numbers[-1] == largest
    assert (np.diff(numbers) > 0).all()
    small = numbers[numbers <= EVERY_UP_TO]
    np.testing.assert_array_equal(small, np.arange(1, min(largest, EVERY_UP_TO) + 1))
    assert (numbers[1:] / numbers[:-1])[EVERY_UP_TO:].max(initial=1) < 1.06


@pytest.mark.parametrize("size", [6, 13, 50])
def test_the_interval_of_a_median_covers_it(size):
    low, high = median_interval(np.arange(1, size + 1))
    # It misses if fewer than `low` values, or more than `high` - 1, lie below the median.
    missed = stats.binom.cdf(low - 1, size, 0.5) + stats.binom.sf(high - 1, size, 0.5)
    assert missed <= 0.05
    # The next narrower one is too narrow.
    narrower = stats.binom.cdf(low, size, 0.5) + stats.binom.sf(high - 2, size, 0.5)
    assert narrower > 0.05
    assert median_interval(np.arange(3.0)) == (0, np.inf)


# Studies.


def small_study(padding=0, **options):
    instances = random_instances(
        "flooding", degree=2, word=None, num_graphs=6, nodes=(3, 6), seed=0
    )
    cases = collect(LearningProblem(instances[0].program, "joint", padding), instances)
    return study(cases, GAUSSIAN, sizes=instances[0].sizes, repeat=40, **options)


def test_a_study_says_what_was_measured_and_the_bounds_hold():
    found = small_study()
    assert len(found.first) == len(found.stable) == 40
    assert all(a <= b for a, b in zip(found.first, found.stable))
    low, high = found.median_interval
    assert low <= found.median <= high <= found.bounds.union
    assert found.quantile(1.0) == max(found.stable)
    data = json.loads(json.dumps(found.to_data(), allow_nan=False))
    assert data["bounds"]["theory"] == found.bounds.theory
    assert data["bounds"]["lower"] <= found.bounds.union
    assert data["stable"] == list(found.stable)
    assert len(data["certainty"]["measured"]) == len(data["certainty"]["members"])
    # Fields in their order, the sizes under the name of all records, of numbers how often they are exact,
    # and what follows from them.
    names = [field.name for field in dataclasses.fields(found)]
    names[names.index("sizes")] = "parameters"
    names[names.index("numbers")] = "exact_at"
    assert list(data) == [*names, "median", "quantile_99", "median_interval"]
    for name in ("bounds", "certainty"):
        fields = dataclasses.asdict(getattr(found, name))
        assert list(data[name]) == list(fields)
        assert data[name] == json.loads(json.dumps(fields))


def test_a_study_shows_itself_in_a_line_and_as_a_table():
    found = dataclasses.replace(small_study(), algorithm="<i>")
    assert repr(found) == (
        f"Study(<i>, joint, gaussian, thresholds bit: 40 repetitions on 6 graphs, "
        f"median N {found.median:g})"
    )
    page = found._repr_html_()
    assert "<b>Study of &lt;i&gt;</b>" in page
    assert f"<td>N by lower</td><td>{found.bounds.lower:,}</td>" in page


def test_a_study_with_too_few_members_says_so():
    found = small_study(members=2, convention="shared")
    assert None in found.stable
    assert found.median == np.inf
    assert found.to_data()["median"] is None


def test_networks_needed_and_noise_fall_with_padding_and_the_trend_says_so():
    studies = [small_study(padding) for padding in (0, 16, 48)]
    (trend,) = trends(studies)
    assert trend.size == "n0"
    assert trend.values == tuple(float(s.num_inputs) for s in studies)
    assert trend.exponent < 0
    assert trend.interval[1] < 0
    assert trend.noise_exponent < 0
    assert trends(studies[:1]) == trends(studies[:2]) == ()
    # Who found no exact ensemble would have needed the most: nothing is fitted to the rest.
    without = dataclasses.replace(studies[0], stable=(*studies[0].stable[:-1], None))
    assert trends([without, *studies[1:]]) == ()
    # Against the regression by hand.
    x = np.repeat(np.log(trend.values), 40)
    y = np.log(np.concatenate([s.stable for s in studies]))
    assert trend.exponent == pytest.approx(np.polyfit(x, y, 1)[0])


@pytest.mark.parametrize(
    "config, rule, repeat, message",
    [
        (EnsembleConfig(members=2), "zero", 1, "coin flips"),
        (GAUSSIAN, "bit", 0, "at least one repetition"),
        (
            dataclasses.replace(GAUSSIAN, weight_std=2.0),
            "bit",
            1,
            "with weight_std 1, but weight_std 2",
        ),
    ],
    ids=["zero thresholds", "no repetition", "weights"],
)
def test_what_cannot_be_measured_is_refused(flooding, config, rule, repeat, message):
    _, cases = flooding
    with pytest.raises(EnsembleError, match=message):
        exact_prefixes(margins_of(cases, rule), config, repeat)


def test_zero_thresholds_need_many_more_networks_at_infinite_width(flooding):
    _, cases = flooding
    config = dataclasses.replace(GAUSSIAN, members=1500)
    zero = exact_prefixes(margins_of(cases, "zero"), config, 10)
    half = exact_prefixes(margins_of(cases, "shared"), config, 10)
    first_zero, _ = smallest_numbers(zero)
    first_half, _ = smallest_numbers(half)
    assert min(n or 9999 for n in first_zero) > 5 * max(first_half)


def test_too_many_states_are_refused_with_what_would_help(flooding, monkeypatch):
    _, cases = flooding
    monkeypatch.setattr(gaussian, "MAX_STATES", 3)
    with pytest.raises(EnsembleError, match="use fewer graphs, a factored ensemble"):
        exact_prefixes(margins_of(cases, "shared"), GAUSSIAN, 1)


def test_antisymmetric_networks_are_compared_with_a_limit_that_has_no_spread(flooding):
    _, cases = flooding
    found = margins_of(cases, draw="antisymmetric")
    assert not len(found.z)
    assert found.right_in_the_mean
    assert found.members_for(1e-9) == 1
    config = EnsembleConfig(members=2, width=256, draw="antisymmetric")
    assert exact_prefixes(found, config, 1).numbers.tolist() == [1, 2]
    with pytest.raises(EnsembleError, match="margins are those of trained networks"):
        exact_prefixes(margins_of(cases), config, 1)
