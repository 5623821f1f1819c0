"""Regret by hand, intervals that cover, and tables of noise that are seen through."""

import fractions

import jax.numpy as jnp
import numpy as np
import pytest

import experiments.kits.search as kit
from experiments.kits.search.ledger import Ledger, Trace
from experiments.kits.search.regret import can_rank, compare, curve, simple_regret
from ntkexec.errors import ExperimentError


def trace(*values):
    return Trace(tuple((v,) for v in values), np.array(values, float), 0, len(values))


def test_regret_is_of_the_best_seen_so_far_at_its_true_value():
    one, other = trace(1, 3, 2, 5), trace(4, 0)
    np.testing.assert_array_equal(
        simple_regret([one, other], 5.0, budget=4), [[4, 2, 2, 0], [1, 1, 1, 1]]
    )
    # What was seen as best is worst in truth, so true regret may rise.
    np.testing.assert_array_equal(
        simple_regret([one], [0.0], budget=3, truth=lambda candidate: -candidate[0]), [[1, 3, 3]]
    )
    with pytest.raises(ExperimentError, match="2 traces need as many optima"):
        simple_regret([one, other], [1.0], budget=2)
    for five in (np.int64(5), np.float32(5), jnp.float32(5), np.array(5), fractions.Fraction(5)):
        np.testing.assert_array_equal(simple_regret([one], five, budget=2), [[4, 2]])
    with pytest.raises(ExperimentError, match="at least one evaluation, not 0"):
        simple_regret([one], 5.0, budget=0)
    with pytest.raises(ExperimentError, match="trace 1 has no evaluation"):
        simple_regret([one, trace()], 5.0, budget=2)


def test_a_method_is_compared_with_its_rival_seed_by_seed():
    generator = np.random.default_rng(0)
    luck = generator.normal(size=(30, 1))
    control, treated = luck + np.ones((30, 4)), luck + 0.1 * generator.normal(size=(30, 4))
    found = compare(control, treated)
    assert (found.low > 0.8).all()
    assert (found.high < 1.2).all()
    assert (curve(control).high - curve(control).low > 0.4).all()  # unpaired, luck counts
    with pytest.raises(ExperimentError, match="do not pair"):
        compare(control, treated[:, :2])
    with pytest.raises(ExperimentError, match="at least two seeds"):
        curve(control[:1])


def test_pointwise_intervals_cover_as_often_as_they_say():
    drawn = np.random.default_rng(1).normal(size=(400, 5, 6))
    found = [curve(each) for each in drawn]
    covered = np.mean([(one.low <= 0) & (one.high >= 0) for one in found])
    assert covered == pytest.approx(0.95, abs=4 * np.sqrt(0.05 * 0.95 / 2400))


@pytest.mark.parametrize("repeats", [2, 3, 10])
def test_a_table_of_noise_ranks_nothing_though_its_best_looks_good(repeats):
    generator, told, naive = np.random.default_rng(2), [], []
    for _ in range(300):
        table = generator.normal(size=(72, repeats))
        found = can_rank(table, budget=20)
        means, error = table.mean(1), np.sqrt(table.var(1, ddof=1).mean() / repeats)
        told.append(found.possible)
        naive.append(means.max() - np.median(means) > 2 * error)
    assert np.mean(told) < 0.05
    assert np.mean(naive) > 0.4  # best less median, the obvious test, is fooled


def test_a_table_ranks_where_random_search_leaves_more_than_noise():
    generator = np.random.default_rng(3)
    means = np.r_[np.zeros(99), 1.0]
    table = means[:, None] + 0.1 * generator.normal(size=(100, 4))
    found = can_rank(table, budget=20)
    assert found.possible
    assert found.headroom == pytest.approx(0.8, abs=0.15)  # random misses it four times in five
    assert found.standard_error == pytest.approx(0.05, rel=0.3)  # of some six entries
    assert found.rivals == 1
    assert not can_rank(table, budget=100).possible  # it finds all
    easy = np.tile(np.arange(100.0)[:, None], (1, 2))  # no noise at all
    assert can_rank(easy, budget=5).reliability == 1
    assert can_rank(np.ones((4, 2)), budget=1).reliability == 0
    with pytest.raises(ExperimentError, match=r"shape \(100, 1\)"):
        can_rank(table[:, :1], budget=1)


def test_a_table_has_no_unit_and_one_that_is_none_is_named():
    # Counts of right answers among 500: many halves have equal means.
    counts = np.random.default_rng(5).integers(380, 400, size=(200, 3))
    told = [can_rank(counts * unit, budget=20) for unit in (1, 1 / 500, 100 / 500, 1 / 7, 3e-9)]
    ratios = [each.headroom / each.standard_error for each in told]
    np.testing.assert_allclose(ratios, ratios[0], rtol=1e-9)
    np.testing.assert_allclose(can_rank(counts.tolist(), budget=20).headroom, told[0].headroom)
    for none in (counts[:, 0], [1.0, 2.0], np.full((4, 2), np.nan), [[1, 2], [3]], [["a", "b"]]):
        with pytest.raises(ExperimentError, match="a table of"):
            can_rank(none, budget=1)


def test_the_example_of_the_kit_runs(capsys):
    code = kit.__doc__.split("```python\n")[1].split("```")[0]
    names: dict[str, object] = {}
    exec("\n".join(line.removeprefix("    ") for line in code.splitlines()), names)
    value, low, high = map(float, capsys.readouterr().out.split())
    assert low <= value <= high
    assert Ledger is names["Ledger"]


def test_entries_that_no_search_returns_may_be_as_noisy_as_they_like():
    generator = np.random.default_rng(4)
    good = generator.normal(size=(50, 1)) + 0.05 * generator.normal(size=(50, 4))
    bad = -9 + 3 * generator.normal(size=(50, 4))
    alone, beside = (can_rank(each, budget=10) for each in (good, np.r_[good, bad]))
    assert alone.possible
    assert beside.possible
    assert beside.standard_error < 0.1
