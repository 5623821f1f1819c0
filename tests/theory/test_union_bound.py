"""How many networks it takes: the union bound, against Gaussian outputs that are drawn."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from support.certificates import (
    CERTIFIED,
    LAST_CERTIFIED,
    PROBLEMS,
    certificate,
    collision,
    read_states,
    thresholds_of,
)
from support.programs import (
    MANY,
    TYPE_CHECKED_STRATEGIES,
    expected_bits,
    regression,
    valid_states,
)

from ntkexec.errors import CertificateError
from ntkexec.program.fields import Flag
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.theory.padding import padded
from ntkexec.vocabulary import KINDS
from proofs_check.fixtures.programs import worst_state

pytestmark = TYPE_CHECKED_STRATEGIES


@MANY
@given(st.floats(1e-12, 0.99), st.floats(1e-12, 0.99), st.integers(1, 10**9), st.integers(1, 10**9))
def test_the_ensemble_grows_with_decisions_and_with_certainty(delta1, delta2, num1, num2):
    (sure, unsure), (few, many) = sorted((delta1, delta2)), sorted((num1, num2))

    def size(delta, num_decisions):
        return CERTIFIED.ensemble_size(delta=delta, num_decisions=num_decisions)

    assert size(unsure, few) <= size(sure, few) <= size(sure, many)
    assert size(unsure, few) <= size(unsure, many) <= size(sure, many)


@MANY
@given(PROBLEMS, st.floats(1e-12, 0.5), st.integers(1, 10**9))
def test_ensemble_size_and_failure_probability_are_inverse(problem, delta, num_decisions):
    found = certificate(problem)
    size = found.ensemble_size(delta=delta, num_decisions=num_decisions)
    assert size >= 1

    def failure(num_members):
        return found.failure_probability(num_members=num_members, num_decisions=num_decisions)

    # The exponent, of size log(num_decisions / delta) < 50, is rounded before it is taken.
    assert failure(size) <= delta * (1 + 1e-12)
    if size > 1:
        assert failure(size - 1) >= delta * (1 - 1e-12)
    assert failure(2 * size) <= failure(size) <= 1


@MANY
@given(PROBLEMS, st.sampled_from(("shared", "bit")))
def test_noise_to_margin_bounds_every_decision(problem, convention):
    found = certificate(problem, convention=convention)
    if convention == "shared":
        found = padded(found, delta=0.1, num_decisions=10)
    states = valid_states(problem.program.layout)
    means, variances = regression(found.problem, states)
    margins = abs(means - thresholds_of(found, states))
    assert (variances / margins**2).max() <= found.noise_to_margin + 1e-9


def test_noise_to_margin_is_attained_in_the_worst_state():
    problem = CERTIFIED.problem
    state = worst_state(problem.program)
    means, variances = regression(problem, state)
    ratio = variances / (means - thresholds_of(CERTIFIED, state)) ** 2
    assert ratio.max() == pytest.approx(CERTIFIED.noise_to_margin, rel=1e-9)


def test_noise_grows_with_the_fourth_power_of_the_weights():
    double = dataclasses.replace(CERTIFIED, weight_std=2.0)
    assert double.noise_to_margin == pytest.approx(16 * CERTIFIED.noise_to_margin, rel=1e-12)
    assert double.smallest_margin == CERTIFIED.smallest_margin


def count_failures(found, num_members, num_runs, seed):
    """Runs, of `num_runs`, in which an average of Gaussian outputs errs in any state and bit."""
    states = read_states(found.problem.program)
    means, variances = regression(found.problem, states)
    thresholds, ones = thresholds_of(found, states), expected_bits(found.problem.program, states)
    noisy = variances > 0
    scale = np.sqrt(variances[noisy] / num_members)
    rng, failures = np.random.default_rng(seed), 0
    for _ in range(num_runs):
        outputs = means[noisy] + scale * rng.standard_normal(scale.shape)
        failures += bool(((outputs > thresholds[noisy]) != ones[noisy]).any())
    return failures, states.size


@pytest.mark.parametrize("convention", ["shared", "bit"])
def test_ensembles_of_the_stated_size_fail_no_more_often_than_stated(convention):
    found = collision("joint", 9, LAST_CERTIFIED[9], convention=convention)
    delta, num_runs = 0.2, 2000
    num_decisions = read_states(found.problem.program).size
    size = found.ensemble_size(delta=delta, num_decisions=num_decisions)
    failures, drawn = count_failures(found, size, num_runs, seed=0)
    assert drawn == num_decisions
    # If ensembles failed with a probability of delta, this would raise a false alarm in one seed
    # of 10^6; smaller ensembles must be caught with that certainty.
    alarm = stats.binom.isf(1e-6, num_runs, delta)
    assert failures <= alarm
    failures, _ = count_failures(found, size // 8, num_runs, seed=1)
    assert failures > alarm


def test_a_program_in_which_one_template_matches_at_a_time_needs_one_network():
    layout = Layout((Flag("a"), Flag("b")))
    program = Program("p", layout, (template({0: 1}, [1]), template({0: 0}, [0])))
    for kind in KINDS:
        found = certificate(LearningProblem(program, kind))
        assert found.noise_to_margin == 0
        assert found.ensemble_size(delta=1e-9, num_decisions=10**9) == 1
        assert found.failure_probability(num_members=1, num_decisions=10**9) == 0
        # A joint network tells 0 from 1 at a single match, half-way.
        assert found.smallest_margin == pytest.approx(0.5 if kind == "joint" else 1.0)


def test_antisymmetric_networks_have_no_spread_in_the_limit():
    found = dataclasses.replace(CERTIFIED, draw="antisymmetric")
    assert found.ensemble_size(delta=1e-9, num_decisions=10**9) == 1
    assert CERTIFIED.ensemble_size(delta=1e-9, num_decisions=10**9) > 1


def test_without_a_certificate_failure_is_certain():
    failing = collision("joint", 9, 4)
    with np.errstate(all="raise"):
        assert failing.failure_probability(num_members=10**6, num_decisions=1) == 1


@pytest.mark.parametrize(
    ("delta", "num_decisions", "message"),
    [
        (0.0, 1, "delta must lie between 0 and 1, got 0.0"),
        (1.0, 1, "delta must lie between 0 and 1, got 1.0"),
        (-0.1, 1, "delta must lie between 0 and 1, got -0.1"),
        (math.nan, 1, "delta must lie between 0 and 1, got nan"),
        (0.1, 0, "at least one decision is needed, got 0"),
        (5e-324, 10, "delta 4.94066e-324 is too small for 10 decisions"),
    ],
)
def test_an_ensemble_size_for_impossible_numbers_is_refused(delta, num_decisions, message):
    with pytest.raises(CertificateError, match=message):
        CERTIFIED.ensemble_size(delta=delta, num_decisions=num_decisions)
