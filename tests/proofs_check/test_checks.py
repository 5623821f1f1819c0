"""Every statement of proofs_check holds, and its broken variant is noticed."""

import dataclasses
import json
import pathlib
import re

import numpy as np
import pytest

from ntkexec.check import COLOURS, Measurement, carry_out
from ntkexec.cli import main
from ntkexec.errors import NtkexecError
from ntkexec.theory import predictor
from proofs_check import registry
from proofs_check.fixtures import (
    interval_arithmetic,
    permutation_runs,
    programs,
    statistics,
    trained_networks,
)
from proofs_check.statements import permutations

PAPER = pathlib.Path(__file__).parents[2] / "ntkexec" / "cli" / "paper.toml"

# Measurements that take more than about two seconds even at the scale `quick`; of each family of
# statements something faster is in the default suite, here or in the tests of the library.
SLOW = {
    "ablation-table",
    "algorithms",
    "bit-trained",
    "complete-certificates",
    "concentration-tail",
    "descent-catapult",
    "descent-linear",
    "draws-agree",
    "draws-approach",
    "ensemble-size",
    "finite-width-antisymmetric",
    "finite-width-antisymmetric-bias",
    "finite-width-bound",
    "finite-width-cause",
    "finite-width-law",
    "finite-width-prediction",
    "finite-width-weights",
    "induction-flooding",
    "interference-inside",
    "interference-outside",
    "kernel-finite-width",
    "kernel-oracle",
    "kernels-interference",
    "kernels-recursion",
    "local-messages",
    "local-rounds",
    "local-split",
    "mean-oracle",
    "padding",
    "permutation-published",
    "permutation-regime",
    "phase-collisions",
    "phase-members",
    "phase-precision",
    "phase-time",
    "robust-products",
    "robust-silent",
    "robust-targets",
    "rounding-bound",
    "threshold-half",
    "trained-covariance",
    "trained-gaussian",
    "trained-independence",
    "trained-mean",
    "trained-variance",
    "variance-oracle",
}
CHECKS = [
    pytest.param(check, id=name, marks=[pytest.mark.slow] if name in SLOW else [])
    for name, check in registry.checks().items()
]


@pytest.mark.parametrize("check", CHECKS)
def test_the_statement_holds(check):
    outcome = carry_out(check, "quick")
    assert outcome.verdict == "holds", outcome.measurement


@pytest.mark.parametrize("check", CHECKS)
def test_a_broken_variant_is_noticed(check):
    assert check.broken is not None
    outcome = carry_out(dataclasses.replace(check, measure=check.broken), "quick")
    assert outcome.verdict == "fails", outcome.measurement


def test_every_slow_check_exists():
    assert registry.checks().keys() >= SLOW


def test_every_statement_is_complete():
    for name, check in registry.checks().items():
        assert check.claim, name
        assert check.source, name
        assert check.bound_from, name
        assert check.broken is not None, name


def test_a_name_stands_for_a_statement_or_a_module():
    assert [check.name for check in registry.select(["padding"])] == ["padding"]
    both = [check.name for check in registry.select(["gram", "gram-inverse"])]
    assert both == ["gram-spectrum", "gram-inverse"]
    assert len(registry.select([])) == len(registry.checks())


def test_a_misspelt_name_suggests_the_nearest():
    with pytest.raises(NtkexecError, match="no check 'pading'; did you mean 'padding'"):
        registry.select(["pading"])


# The command.


def test_one_check_alone_prints_its_verdict(capsys):
    assert main(["check", "gram-inverse", "--quick"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("holds")
    assert "Of 1 statement 1 holds, 0 fail, 0 undecided, 0 not measured" in shown.out
    assert shown.err == ""


def test_the_result_is_one_json_object(capsys):
    assert main(["check", "gram", "--quick", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["holds"] == 2
    assert data["fails"] == 0
    assert [one["name"] for one in data["checks"]] == ["gram-spectrum", "gram-inverse"]
    assert all(one["verdict"] == "holds" for one in data["checks"])


def test_a_failure_is_the_exit_status(capsys, monkeypatch):
    (check,) = registry.select(["gram-inverse"])
    broken = dataclasses.replace(check, measure=check.broken)
    monkeypatch.setattr(registry, "select", lambda names: (broken,))
    assert main(["check", "gram-inverse"]) == 1
    assert "fails" in capsys.readouterr().out


def test_an_undecided_statement_is_counted_by_itself_and_is_no_failure(
    capsys, monkeypatch, tmp_path
):
    (check,) = registry.select(["gram-inverse"])
    unclear = dataclasses.replace(check, measure=lambda _: Measurement(0.0, (-1.0, 1.0)))
    monkeypatch.setattr(registry, "select", lambda names: (unclear,))
    assert main(["check", "gram-inverse"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("undecided")
    assert "0 hold, 0 fail, 1 undecided" in shown
    page = tmp_path / "page.html"
    assert main(["check", "gram-inverse", "--json", "--html", str(page)]) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["holds"], data["fails"], data["undecided"], data["not_measured"]) == (0, 0, 1, 0)
    assert data["checks"][0]["verdict"] == "undecided"
    text = page.read_text()
    assert '<span class="undecided">undecided</span>' in text
    assert f".undecided {{ color: {COLOURS['undecided']}; }}" in text


def test_verdicts_are_coloured_on_a_terminal_alone(capsys, monkeypatch):
    (check,) = registry.select(["gram-inverse"])
    unclear = dataclasses.replace(check, measure=lambda _: Measurement(0.0, (-1.0, 1.0)))
    monkeypatch.setattr(registry, "select", lambda names: (unclear,))
    main(["check", "gram-inverse"])
    assert "\x1b" not in capsys.readouterr().out
    for name, value in {"FORCE_COLOR": "1", "COLORTERM": "truecolor", "TERM": "xterm"}.items():
        monkeypatch.setenv(name, value)
    main(["check", "gram-inverse"])
    amber = ";".join(str(int(COLOURS["undecided"][i : i + 2], 16)) for i in (1, 3, 5))
    assert f"38;2;{amber}m" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["pading"], "did you mean 'padding'"),
        (["--quick", "--full"], "exclude each other"),
        (["gram", "--html", "no/such/folder/page.html"], "there is no folder"),
    ],
)
def test_bad_input_is_refused_in_one_line(capsys, arguments, message):
    assert main(["check", *arguments]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_the_page_holds_formulas_verdicts_and_plots(tmp_path, capsys):
    page = tmp_path / "page.html"
    names = ["capacity-monotone", "capacity-asymptotics", "gram-inverse"]
    assert main(["check", *names, "--quick", "--html", str(page)]) == 0
    capsys.readouterr()
    text = page.read_text()
    assert text.count("<section") == 3
    assert text.count("<math") == 3
    assert text.count("data:image/svg+xml;base64,") == 1
    # Nothing is loaded from elsewhere.
    assert not re.findall(r"(?:src|href)=\"(?!data:|#)", text)


def test_the_list_names_every_check(capsys):
    assert main(["check", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(registry.checks())


def test_intervals_of_proportions_cover():
    low, high = statistics.proportion(0, 100)
    assert low == 0
    assert 0.1 < high < 0.2
    assert statistics.proportion(100, 100)[1] == 1
    low, high = statistics.proportion(50, 100, miss=0.05)
    assert (round(low, 2), round(high, 2)) == (0.4, 0.6)


def test_slopes_come_with_their_interval():
    x = np.log([1.0, 2, 4, 8])
    found, (low, high) = statistics.slope_with_errors(x, -0.5 * x, np.full(4, 0.01))
    assert found == pytest.approx(-0.5)
    assert low < -0.5 < high


@pytest.mark.parametrize(
    ("interval", "expected"),
    [((1, 2), (1, 2)), ((-2, -1), (1, 2)), ((-1, 2), (0, 2)), ((-3, 2), (0, 3)), ((0, 0), (0, 0))],
)
def test_the_interval_of_an_absolute_value_leaves_out_0_only_where_the_value_does(
    interval, expected
):
    assert statistics.magnitude(interval) == expected


def test_simultaneous_limits_hold_all_means_at_once():
    rng = np.random.default_rng(0)
    true = np.linspace(-0.3, 0.3, 50)
    missed = 0
    for _ in range(200):
        _, (low, high), reach = statistics.largest(
            rng.normal(size=(100, 50)) + true - 0.1, offset=0.1, miss=0.05
        )
        missed += not low <= 0.3 <= high
        # 3.5 standard errors for fifty quantities at once.
        assert 0.3 < reach < 0.5
    assert missed <= 20


def test_limits_of_distances_hold_for_all_distributions_at_once():
    rng = np.random.default_rng(1)
    normal = rng.normal(size=(2000, 30))
    value, (low, high), reach = statistics.largest_distance(normal)
    assert low == 0
    assert value < reach
    assert high == value + reach
    # One column of thirty that is another distribution: the sign alone, 0.34 away.
    normal[:, 7] = np.sign(normal[:, 7])
    value, (low, _), _ = statistics.largest_distance(normal)
    assert value == pytest.approx(0.341, abs=0.02)
    assert low > 0.2


def test_limits_of_differences_are_those_of_the_worst_pair():
    same = statistics.largest_difference([(50, 100), (10, 100)], [(500, 1000), (100, 1000)])
    assert same[0] == 0
    assert same[1][0] == 0
    worse = statistics.largest_difference([(50, 100), (90, 100)], [(500, 1000), (100, 1000)])
    assert worse[0] == pytest.approx(0.8)
    assert 0.4 < worse[1][0] < 0.8 < worse[1][1] < 1


# What statements rest on.


def test_linear_theory_explains_trained_networks(monkeypatch):
    # The control variate has the same initial weights as training: else it would explain nothing.
    monkeypatch.setattr(trained_networks, "FEW", {"quick": (60, 1024)})
    found = trained_networks.trained.__wrapped__("quick")
    rest = found.outputs - found.mean - found.linear
    assert (rest.var(axis=0) / found.variance).mean() < 0.1
    # Its own variance is the limit's at every width.
    ratio = (found.linear**2).mean(axis=(0, 2)) / found.variance[:, 0]
    assert abs(ratio.mean() - 1) < 0.3


def test_an_inequality_is_proven_only_where_it_holds_everywhere():
    iv = interval_arithmetic.context()
    zero, one = iv.mpf(0), iv.mpf(1)
    bound = interval_arithmetic.lower_bound(lambda u: u * u - u + iv.mpf(0.26), zero, one)
    assert 0.009 < bound <= 0.01
    # It touches 0 between the points of any grid that misses 1/2.
    assert interval_arithmetic.lower_bound(lambda u: (u - one / 3) ** 2, zero, one) is None
    assert interval_arithmetic.lower_bound(lambda u: u - 2, zero, one) is None


def test_closed_forms_for_permutations_are_those_of_the_predictor():
    ones = np.arange(2, 12)
    found = permutations.moments_of(12, ones, "ntk")
    np.testing.assert_allclose(found.one, predictor.mean(ones, 12, 1, 1), rtol=1e-12)
    np.testing.assert_allclose(found.zero, predictor.mean(ones, 12, 1, 0), rtol=1e-12)
    np.testing.assert_allclose(found.variance, predictor.variance(ones, 12), rtol=1e-9)


def test_expected_sizes_for_permutations():
    sizes = {
        regime: [permutations.expected_size(k, regime) for k in (10, 15, 20, 25, 30)]
        for regime in permutations.REGIMES
    }
    assert sizes["nngp"] == [58, 89, 121, 155, 190]
    assert sizes["ntk"] == [333, 454, 579, 708, 840]
    # The page about the papers quotes them.
    quoted = PAPER.read_text()
    assert all(", ".join(map(str, own)) in quoted for own in sizes.values())


@pytest.mark.parametrize("regime", permutations.REGIMES)
def test_simulated_networks_have_the_covariance_of_the_limit(regime):
    inputs = permutation_runs.pairs(6)
    same, one, none = permutation_runs.covariances(6, regime)
    root, part = permutation_runs.root(inputs, same, one, none)
    matrix = float(root) * np.eye(len(inputs)) + inputs @ part
    common = inputs @ inputs.T
    expected = np.select([common == 2, common == 1], [same, one], none)
    np.testing.assert_allclose(matrix @ matrix.T, expected, atol=1e-7)


def test_every_program_of_random_conditions_is_as_crowded_as_it_says():
    rng = np.random.default_rng(0)
    programs_seen = [programs.random_program(rng, crowded=True) for _ in range(30)]
    assert max(int(p.num_writers[0]) for p in programs_seen) > 30
    assert all(int(p.num_writers[0]) >= 1 for p in programs_seen)
