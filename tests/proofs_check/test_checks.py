"""Every statement of proofs_check holds, and its broken variant is noticed."""

import dataclasses
import json
import re

import numpy as np
import pytest

from ntkexec.check import carry_out
from ntkexec.cli import main
from ntkexec.errors import NtkexecError
from proofs_check import _statistics, registry

# Measurements that take more than about two seconds even at the scale `quick`; of each family of
# statements something faster is in the default suite, here or in the tests of the library.
SLOW = {
    "algorithms",
    "complete-certificates",
    "descent-linear",
    "draws-agree",
    "draws-approach",
    "finite-width-antisymmetric",
    "finite-width-antisymmetric-bias",
    "finite-width-bound",
    "finite-width-law",
    "finite-width-prediction",
    "induction-flooding",
    "interference-inside",
    "interference-outside",
    "kernel-finite-width",
    "local-messages",
    "local-rounds",
    "mean-oracle",
    "phase-collisions",
    "phase-members",
    "phase-precision",
    "phase-time",
    "robust-products",
    "robust-silent",
    "robust-targets",
    "rounding-bound",
    "trained-covariance",
    "trained-gaussian",
    "trained-independence",
    "trained-mean",
    "trained-variance",
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
    assert "1 of 1 statements hold" in shown.out
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
    assert main(["check", "capacity", "gram-inverse", "--quick", "--html", str(page)]) == 0
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
    low, high = _statistics.proportion(0, 100)
    assert low == 0
    assert 0.1 < high < 0.2
    assert _statistics.proportion(100, 100)[1] == 1
    low, high = _statistics.proportion(50, 100, miss=0.05)
    assert (round(low, 2), round(high, 2)) == (0.4, 0.6)


def test_slopes_come_with_their_interval():
    x = np.log([1.0, 2, 4, 8])
    found, (low, high) = _statistics.slope_with_errors(x, -0.5 * x, np.full(4, 0.01))
    assert found == pytest.approx(-0.5)
    assert low < -0.5 < high
    exact, interval = _statistics.slope(x, 3 * x + 1)
    assert exact == pytest.approx(3)
    assert interval == pytest.approx((3, 3), abs=1e-6)
