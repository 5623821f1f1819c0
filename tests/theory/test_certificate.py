"""Certificates: sound on all states, and sharp at C(m, n0)."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.certificates import (
    ANY_PROGRAM,
    FLIPS,
    FLOAT32,
    PROBLEMS,
    TWO_ROUTES,
    certificate,
    collision,
    decisions,
    read_states,
    thresholds_of,
    with_a_match,
)
from support.programs import (
    FEW,
    MANY,
    TYPE_CHECKED_STRATEGIES,
    expected_bits,
    regression,
    valid_states,
)

from ntkexec.engines.boolean import boolean_engine
from ntkexec.engines.kernel import kernel_engine
from ntkexec.program.problem import LearningProblem
from ntkexec.theory import kernel, predictor
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import given_bound, state_bound
from ntkexec.theory.padding import padded, padding_needed
from ntkexec.vocabulary import CONVENTIONS
from proofs_check.fixtures.programs import collision_program, worst_state

pytestmark = TYPE_CHECKED_STRATEGIES


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


@pytest.mark.parametrize(
    ("kind", "num_matches", "writers"),
    [pytest.param(*f, marks=() if f in FLIPS[::3] else pytest.mark.slow) for f in FLIPS],
)
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
    assert (outside.weakest.num_matches, outside.weakest.num_matched_writers) == (num_matches, 1)
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
