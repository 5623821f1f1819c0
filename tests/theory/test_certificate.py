"""Certificates: sound on all states, sharp at C(m, n0), and honest about the ensemble size."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from support.programs import (
    FEW,
    MANY,
    TYPE_CHECKED_STRATEGIES,
    expected_bits,
    matched_table,
    regression,
    small_programs,
    valid_states,
)

from ntkexec.engines.boolean import boolean_engine
from ntkexec.engines.kernel import kernel_engine
from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import decide
from ntkexec.program.layout import Flag, Layout, Word
from ntkexec.program.problem import KINDS, LearningProblem
from ntkexec.program.program import Program, template
from ntkexec.theory import kernel, predictor
from ntkexec.theory.certificate import Certificate, padded, padding_needed
from ntkexec.theory.match_bound import given_bound, state_bound
from ntkexec.vocabulary import CONVENTIONS
from proofs_check.fixtures.programs import collision_program, worst_state

pytestmark = TYPE_CHECKED_STRATEGIES

# Two float64 routes, one of which solves a linear system with a condition number below 100.
TWO_ROUTES = 1e-11
# Means are sums of at most 40 float32 numbers below 1, each rounded a few times.
FLOAT32 = 1e-5

CROWDED = small_programs(
    max_bits=6, min_templates=8, max_templates=40, max_condition=2, max_written=3
)
ANY_PROGRAM = st.one_of(small_programs(), CROWDED)
PROBLEMS = st.builds(LearningProblem, ANY_PROGRAM, st.sampled_from(KINDS), st.sampled_from((0, 3)))

# By m: the most writers with which `collision_program` is certified without padding, from
# w - 1 < C(m, n0) with n0 = w + m - 1. Only a joint network has collisions.
LAST_CERTIFIED = {5: 10, 6: 6, 7: 5, 8: 4, 9: 3, 11: 2}
FLIPS = [("joint", m, w) for m, w in LAST_CERTIFIED.items()]


def certificate(problem, **options):
    return Certificate(problem, state_bound(problem), **options)


def collision(kind, num_matches, writers, padding=0, convention="shared"):
    """One bit whose writers collide: certified or not where bits share their thresholds."""
    program = collision_program(writers, num_matches - 1)
    return certificate(LearningProblem(program, kind, padding), convention=convention)


def read_states(program):
    """All values of what a `collision_program` reads; its other bits decide nothing."""
    picks = 1 << len(program.layout.bits("pick"))
    crowds = 1 << len(program.layout.bits("bystanders"))
    pick, crowd = (axis.ravel() for axis in np.meshgrid(np.arange(picks), np.arange(crowds)))
    return program.layout.pack(len(pick), {"pick": pick, "bystanders": crowd})


@jax.jit
def run_engine(engine, states):
    return decide(engine, encode(engine.encoding, states))


def decisions(engine, states):
    """Bits and margins of an engine, (states, bits)."""
    found = run_engine(engine, jnp.asarray(states.T))
    return np.asarray(found.bits).T, np.asarray(abs(found.means - found.thresholds)).T


def thresholds_of(found, states):
    """The certificate's threshold for every state and bit, looked up one state at a time."""
    problem = found.problem
    matched = matched_table(problem.program, states)
    table = np.ones((len(states), problem.program.layout.num_bits))
    for component in problem.components:
        count = matched[:, list(component.templates)].sum(axis=1)
        for bit in component.bits:
            table[:, bit] = found.thresholds[bit, count]
    return table


def with_a_match(problem, states):
    """Whether a bit's component has a match: without one its output is exactly 0, (states, bits)."""
    matched = matched_table(problem.program, states)
    table = np.zeros((len(states), problem.program.layout.num_bits), bool)
    for component in problem.components:
        some = matched[:, list(component.templates)].any(axis=1)
        table[:, list(component.bits)] = some[:, None]
    return table


# Soundness.


@MANY
@given(PROBLEMS, st.sampled_from(CONVENTIONS))
def test_a_certificate_says_how_far_the_means_of_all_states_are_from_the_thresholds(
    problem, convention
):
    found = certificate(problem, convention=convention)
    states = valid_states(problem.program.layout)
    means, _ = regression(problem, states)
    ones = expected_bits(problem.program, states)
    thresholds = thresholds_of(found, states)
    distance = np.where(ones, means - thresholds, thresholds - means)
    # Within what the bound assumes no decision is closer than it says, and some 1 is as close.
    smallest = distance[with_a_match(problem, states)].min(initial=np.inf)
    assert smallest >= found.smallest_margin - TWO_ROUTES
    if found.certified:
        np.testing.assert_array_equal(means > thresholds + TWO_ROUTES, ones)
    # Without a match the output is 0, below every threshold.
    assert (thresholds[~with_a_match(problem, states)] > 0).all()


@MANY
@given(PROBLEMS)
def test_every_program_is_certified_by_thresholds_for_each_bit(problem):
    found = certificate(problem)
    assert found.convention == "bit"
    assert found.certified
    assert found.problem.padding == problem.padding
    # The theorem: half the gap that a matched writer makes, at least, whatever w and m.
    m = np.arange(1, problem.max_matches + 1)
    for index, n0 in enumerate(problem.num_inputs.tolist()):
        alpha, beta = predictor.coefficients(m, n0)
        bits = list(problem.components[index].bits)
        margins = np.minimum(found.one_margins, found.zero_margins)[bits, 1:]
        assert (margins >= (alpha - beta) / 2 * (1 - FLOAT32)).all()


@MANY
@given(PROBLEMS)
def test_other_thresholds_than_those_for_each_bit_fail_where_a_mean_is_on_their_wrong_side(problem):
    states = valid_states(problem.program.layout)
    means, _ = regression(problem, states)
    ones = expected_bits(problem.program, states)
    shared = certificate(problem, convention="shared")
    if means[ones].min(initial=np.inf) <= -TWO_ROUTES:
        assert not shared.certified
        assert not certificate(problem, convention="zero").certified


@settings(FEW, max_examples=12)  # every example compiles an engine of its own shape
@given(PROBLEMS)
def test_a_certified_program_is_executed_exactly_by_the_kernel_engine_on_all_valid_states(problem):
    found = padded(certificate(problem, convention="shared"), delta=0.1, num_decisions=10)
    states = valid_states(problem.program.layout)
    bits, margins = decisions(kernel_engine(found), states)
    np.testing.assert_array_equal(bits, expected_bits(problem.program, states))
    some = with_a_match(problem, states)
    assert margins[some].min(initial=np.inf) >= found.smallest_margin - FLOAT32
    assert found.smallest_margin > 0


@MANY
@given(PROBLEMS)
def test_shared_thresholds_are_half_the_smallest_mean_of_a_one(problem):
    found = certificate(problem, convention="shared")
    if not found.certified:
        assert found.smallest_margin <= 0
        found = padded(found, delta=0.1, num_decisions=10)
    shape = (problem.program.layout.num_bits, problem.max_matches + 1)
    assert found.thresholds.shape == shape
    assert (found.thresholds > 0).all()
    for component in problem.components:
        rows = found.thresholds[list(component.bits)]
        assert (rows == rows[:1]).all()
    assert found.threshold == pytest.approx(found.weakest.mean / 2, rel=FLOAT32)
    assert found.smallest_margin == pytest.approx(found.weakest.mean / 2, rel=FLOAT32)


@MANY
@given(PROBLEMS, st.sampled_from(CONVENTIONS))
def test_thresholds_are_the_float32_numbers_that_run(problem, convention):
    found = certificate(problem, convention=convention)
    assert found.thresholds.dtype == np.float64
    np.testing.assert_array_equal(found.thresholds, found.thresholds.astype(np.float32))
    np.testing.assert_array_equal(np.asarray(kernel_engine(found).thresholds), found.thresholds)


@MANY
@given(PROBLEMS)
def test_thresholds_for_each_bit_do_not_depend_on_the_bound(problem):
    one, other = state_bound(problem), given_bound(problem, 1)
    np.testing.assert_array_equal(
        Certificate(problem, one).thresholds, Certificate(problem, other).thresholds
    )


def test_a_factored_bit_keeps_away_from_the_output_without_a_match():
    # In a factored problem every match is of a writer: the only 0 is exactly 0.
    problem = LearningProblem(collision_program(6, 4), "factored")
    found = certificate(problem)
    target = problem.program.layout.bit("target")
    assert (found.thresholds[target, 1:7] <= 0).all()
    assert found.thresholds[target, 1] == 0
    assert found.thresholds[target, 0] > 0
    assert found.smallest_margin == pytest.approx(1.0)  # the whole output, not half of it


# Sharpness.


@pytest.mark.parametrize("num_matches", [2, 5, 6, 7, 9, 11, 13])
def test_the_verdict_is_the_comparison_of_collisions_with_the_capacity(num_matches):
    seen = set()
    for writers in range(2, 13):
        found = collision("joint", num_matches, writers)
        problem = found.problem
        assert found.max_matches == num_matches
        inside = writers - 1 < predictor.capacity(num_matches, writers + num_matches - 1)
        assert found.certified == inside
        # The same by solving the regression in the state that attains the bound.
        target = problem.program.layout.bit("target")
        means, _ = regression(problem, worst_state(problem.program))
        assert (means[0, target] > 0) == inside
        seen.add(inside)
    assert seen == ({True} if num_matches == 2 else {True, False})


@pytest.mark.parametrize(("kind", "num_matches", "writers"), FLIPS)
def test_the_kernel_engine_fails_one_writer_beyond_the_certificate(kind, num_matches, writers):
    inside = collision(kind, num_matches, writers)
    assert inside.certified
    states = read_states(inside.problem.program)
    bits, margins = decisions(kernel_engine(inside), states)
    np.testing.assert_array_equal(bits, expected_bits(inside.problem.program, states))
    np.testing.assert_array_equal(bits, decisions(boolean_engine(inside), states)[0])
    some = with_a_match(inside.problem, states)
    assert margins[some].min() == pytest.approx(inside.smallest_margin, abs=FLOAT32)

    outside = collision(kind, num_matches, writers + 1)
    program = outside.problem.program
    target = program.layout.bit("target")
    assert not outside.certified
    assert (outside.weakest.bit, outside.weakest.bit_name) == (target, "target")
    assert (outside.weakest.num_matches, outside.weakest.num_active) == (num_matches, 1)
    assert outside.weakest.num_writers == writers + 1
    for pick in range(writers + 1):
        state = worst_state(program, pick)
        means, _ = regression(outside.problem, state)
        assert means[0, target] <= 0
        assert means[0, target] == pytest.approx(outside.weakest.mean, abs=TWO_ROUTES)
        assert expected_bits(program, state)[0, target]
        assert not decisions(kernel_engine(outside), state)[0][0, target]

    needed = padding_needed(outside)
    assert needed > 0
    repaired = collision(kind, num_matches, writers + 1, needed)
    states = read_states(program)
    bits, _ = decisions(kernel_engine(repaired), states)
    np.testing.assert_array_equal(bits, expected_bits(program, states))

    # Thresholds for each bit mend it without padding.
    by_bit = collision(kind, num_matches, writers + 1, convention="bit")
    bits, _ = decisions(kernel_engine(by_bit), states)
    np.testing.assert_array_equal(bits, expected_bits(program, states))


@MANY
@given(ANY_PROGRAM, st.sampled_from((0, 3)))
def test_a_factored_program_is_certified_whatever_its_collisions(program, padding):
    problem = LearningProblem(program, "factored", padding)
    found = certificate(problem, convention="shared")
    assert found.certified
    # All m matched templates write the bit, so its mean is at least that of w = n0 writers,
    # (m f + (n0 - m) c) / (1 - c + c n0), the sum of all coefficients.
    for component, n0 in zip(problem.components, problem.num_inputs.tolist()):
        (bit,) = component.bits
        index = problem.components.index(component)
        for m in range(1, int(found.bound.max_matches[index]) + 1):
            f, c = kernel.ntk(np.float64(m**-0.5)), kernel.NTK_ORTHOGONAL
            least = (m * f + (n0 - m) * c) / (kernel.NTK_GAP + c * n0)
            assert found.one_margins[bit, m] + found.thresholds[bit, m] >= least - TWO_ROUTES


# Padding.


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


# Ensembles.

CERTIFIED = collision("joint", 9, 3)


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


# What it says, and what it refuses.


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


@pytest.mark.parametrize(("kind", "num_matches", "writers"), FLIPS)
def test_a_failing_certificate_names_the_bit_and_what_would_help(kind, num_matches, writers):
    failing = collision(kind, num_matches, writers + 1)
    needed = padding_needed(failing)
    message = (
        f"not certified: bit target has {writers + 1} writers, but at m = {num_matches} matches "
        rf"and 1 matched writer\(s\) .* padding with {needed} templates would certify it"
    )
    with pytest.raises(CertificateError, match=message):
        failing.require()
    with pytest.raises(CertificateError, match=message):
        failing.ensemble_size(delta=0.1, num_decisions=1)
    collision(kind, num_matches, writers).require()


def test_the_report_shows_matches_capacity_bit_and_verdict():
    for writers in (3, 4):
        found = collision("joint", 9, writers)
        report = str(found)
        lines = {line[:13].strip(): line[13:].strip() for line in report.splitlines()}
        assert lines["matches m"] == "at most 9; all states (integer programming)"
        assert lines["tightest bit"] == f"target when it is 1: w = {writers}, a >= 1"
        assert lines["at m, n0"] == f"9, {writers + 8}"
        assert lines["C(m, n0)"] == f"{predictor.capacity(9, writers + 8):.2f}"
        assert lines["threshold"] == f"{found.threshold:.4f} (convention: shared)"
        assert lines["verdict"] == found.verdict()
        assert lines["verdict"].startswith("certified" if writers == 3 else "not certified: bit")
        assert "target" in lines["verdict"]


def test_a_certificate_covers_executions_within_its_bound_only():
    problem = LearningProblem(collision_program(3, 4), "factored")
    found = certificate(problem)
    within = found.bound.max_matches
    assert found.covers(within)
    assert found.covers(np.zeros_like(within))
    for component in range(len(within)):
        beyond = within.copy()
        beyond[component] += 1
        assert not found.covers(beyond)


def test_a_given_bound_certifies_what_the_bound_over_all_states_cannot():
    problem = collision("joint", 9, 4).problem
    assert not certificate(problem, convention="shared").certified
    assert not Certificate(problem, given_bound(problem, 9), convention="shared").certified
    assert Certificate(problem, given_bound(problem, 8), convention="shared").certified


def test_without_a_certificate_failure_is_certain():
    failing = collision("joint", 9, 4)
    with np.errstate(all="raise"):
        assert failing.failure_probability(num_members=10**6, num_decisions=1) == 1


# Known defects: strict, so that whoever repairs one is told to drop the mark.


def test_the_report_of_a_program_beyond_all_padding_still_names_the_bit():
    writers, others = 2200, 1100
    layout = Layout((Word("number", 12), Flag("many"), Flag("few")))
    templates = []
    for i in range(writers + others):
        condition = {bit: i >> bit & 1 for bit in layout.bits("number")}
        templates.append(template(condition, [layout.bit("many" if i < writers else "few")]))
    problem = LearningProblem(Program("wide", layout, tuple(templates)), "joint")
    hopeless = Certificate(problem, given_bound(problem, others), convention="shared")
    assert not hopeless.certified
    assert "not certified: bit many" in str(hopeless)
    assert Certificate(problem, given_bound(problem, others)).certified


# What it speaks of.


@pytest.mark.parametrize(
    ("networks", "message"),
    [
        ({"weight_std": 1.5}, "weight_std 1, but these have weight_std 1.5"),
        ({"bias_std": 0.3}, "without biases, but these have bias_std 0.3"),
        ({"certified": "antisymmetric"}, "antisymmetric networks, but these are trained"),
        ({"certified": "gaussian"}, "gaussian networks, but these are trained"),
    ],
)
def test_a_certificate_speaks_of_one_kind_of_network(networks, message):
    kind = {"weight_std": 1.0, "bias_std": 0.0, "draw": "trained"}
    found = dataclasses.replace(CERTIFIED, draw=networks.pop("certified", "trained"))
    CERTIFIED.require_networks(**kind)
    with pytest.raises(EnsembleError, match=message):
        found.require_networks(**kind | networks)


def test_antisymmetric_networks_have_no_spread_in_the_limit():
    found = dataclasses.replace(CERTIFIED, draw="antisymmetric")
    assert found.ensemble_size(delta=1e-9, num_decisions=10**9) == 1
    assert CERTIFIED.ensemble_size(delta=1e-9, num_decisions=10**9) > 1


@pytest.mark.parametrize("weight_std", [0.0, -1.0, math.nan, math.inf])
def test_weights_without_a_spread_are_refused(weight_std):
    with pytest.raises(CertificateError, match=f"weight_std must be positive, got {weight_std:g}"):
        dataclasses.replace(CERTIFIED, weight_std=weight_std)


def test_the_conventions_are_told_side_by_side():
    found = collision("joint", 9, LAST_CERTIFIED[9] + 1).conventions()
    assert list(found) == ["zero", "shared", "bit"]
    assert [one.certified for one in found.values()] == [False, False, True]
    sizes = {
        name: one.ensemble_size(delta=1e-3, num_decisions=10**6)
        for name, one in CERTIFIED.conventions().items()
        if one.certified
    }
    assert sizes["bit"] < sizes["shared"]


def test_thresholds_that_are_given_are_the_ones_that_are_judged():
    table = CERTIFIED.thresholds
    same = dataclasses.replace(CERTIFIED, convention="bit", given_thresholds=table)
    assert same.smallest_margin == CERTIFIED.smallest_margin
    higher = dataclasses.replace(CERTIFIED, given_thresholds=table + 10)
    assert not higher.certified
    with pytest.raises(CertificateError, match="have shape"):
        dataclasses.replace(CERTIFIED, given_thresholds=table[:, :-1])
    with pytest.raises(CertificateError, match="zero, shared, bit, not 'half'"):
        dataclasses.replace(CERTIFIED, convention="half")
