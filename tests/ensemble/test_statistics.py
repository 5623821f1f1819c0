"""Trained ensembles against the closed-form mean and variance, within sampling error.

One joint network of 8 templates and 2 written bits, 256 members of width 8192. Each comparison fails
a true statement with probability 7e-6 (4.5 standard errors, or that tail of the chi-square), some
hundred of them with less than 1e-3; the seed is fixed.

The closed forms hold at infinite width, so a finite width h needs an allowance of O(1/h). It is
measured: an ensemble of width 256, 8 times more members, is off by its bias and its sampling
error, and 1/32 of both together bounds the bias at width 8192.
"""

import numpy as np
import pytest
from scipy import stats
from support.ensembles import member_outputs, program, train_at_once

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.program.problem import LearningProblem
from ntkexec.theory import predictor
from ntkexec.theory.kernel import NTK_ORTHOGONAL, nngp, ntk

SIGMAS = 4.5
TAIL = stats.norm.sf(SIGMAS)
WIDE, NARROW = (8192, 256), (256, 2048)  # width, members
COUNTS = (2, 3, 5, 8)
WRITERS = (range(5), range(3, 8))  # of the two bits
# The default suite compares such ensembles with Gaussian ones of these moments: `test_gaussian`.
PADDINGS = tuple(pytest.param(padding, marks=pytest.mark.slow) for padding in (0, 8))


def trained_outputs(problem, width, members, matched):
    """Outputs of every member, (states, members, bits), for the sets of matched templates."""
    config = EnsembleConfig(members=members, width=width)
    (weights,) = train_at_once(problem, config)
    inputs = np.zeros((len(matched), problem.stacks[0].num_inputs))
    for row, templates in zip(inputs, matched):
        row[list(templates)] = 1 / np.sqrt(len(templates))
    written = np.flatnonzero(problem.program.num_writers)
    found = [member_outputs(weights, config, i, 0, inputs) for i in range(members)]
    return np.stack(found, axis=1)[:, :, written]


STATES = [tuple(range(m)) for m in COUNTS]
SINGLES = [(template,) for template in range(8)]


@pytest.fixture(scope="module", params=PADDINGS, ids=lambda padding: f"padding {padding}")
def measured(request):
    outputs = [[bit for bit in (0, 1) if t in WRITERS[bit]] for t in range(8)]
    problem = LearningProblem(program(outputs), "joint", request.param)
    assert len(problem.components) == 1
    wide = trained_outputs(problem, *WIDE, STATES + SINGLES)
    narrow = trained_outputs(problem, *NARROW, STATES)
    return {
        "n0": 8 + request.param,
        "wide": wide[: len(STATES)],
        "singles": wide[len(STATES) :],
        "narrow": narrow,
    }


def active(matched, bit):
    return len(set(matched) & set(WRITERS[bit]))


def closed_mean(matched, bit, num_inputs):
    return predictor.mean(len(matched), num_inputs, len(WRITERS[bit]), active(matched, bit))


def closed_variance(matched, num_inputs):
    return predictor.variance(len(matched), num_inputs)


def mean_is_off(measured, mean=closed_mean):
    """Largest distance of a sample mean to `mean` over the distance that is allowed."""
    ratios = []
    for state, matched in enumerate(STATES):
        for bit in (0, 1):
            expected = mean(matched, bit, measured["n0"])
            wide, narrow = measured["wide"][state, :, bit], measured["narrow"][state, :, bit]
            error = wide.std(ddof=1) / np.sqrt(len(wide))
            narrow_error = narrow.std(ddof=1) / np.sqrt(len(narrow))
            # Against the true closed form: a wrong one must not widen its own allowance.
            bias = abs(narrow.mean() - closed_mean(matched, bit, measured["n0"]))
            allowance = (bias + SIGMAS * narrow_error) * NARROW[0] / WIDE[0]
            ratios.append(abs(wide.mean() - expected) / (SIGMAS * error + allowance))
            assert allowance < SIGMAS * error / 2  # the sampling error is what decides
    return max(ratios)


def variance_is_off(measured, variance=closed_variance):
    """Largest violation of the chi-square interval, as a ratio to its nearer end."""
    ratios = []
    degrees = WIDE[1] - 1
    low, high = stats.chi2.ppf([TAIL, 1 - TAIL], degrees) / degrees
    narrow_error = SIGMAS * np.sqrt(2 / NARROW[1])
    for state, matched in enumerate(STATES):
        expected, true = (form(matched, measured["n0"]) for form in (variance, closed_variance))
        for bit in (0, 1):
            bias = abs(measured["narrow"][state, :, bit].var(ddof=1) / true - 1)
            allowance = (bias + narrow_error) * NARROW[0] / WIDE[0]
            assert allowance < 0.05
            found = measured["wide"][state, :, bit].var(ddof=1)
            ratios += [
                found / expected / (high + allowance),
                expected / found * (low - allowance),
            ]
    return max(ratios)


def test_the_mean_of_trained_networks_is_the_closed_form(measured):
    assert mean_is_off(measured) < 1


def test_the_variance_of_trained_networks_is_the_closed_form(measured):
    assert variance_is_off(measured) < 1


def test_a_mean_with_another_constant_is_noticed(measured):
    def wrong(matched, bit, num_inputs, c=2 * NTK_ORTHOGONAL):
        """The kernel regression, with the orthogonal kernel doubled."""
        kernel = np.where(np.isin(np.arange(num_inputs), matched), cross(matched), c)
        gram = (1 - c) * np.eye(num_inputs) + c
        targets = np.isin(np.arange(num_inputs), WRITERS[bit])
        return kernel @ np.linalg.solve(gram, targets.astype(float))

    def cross(matched):
        return ntk(np.float64(1 / np.sqrt(len(matched))))

    # The twin itself is right where the constant is.
    for matched in STATES:
        assert wrong(matched, 0, 8, c=NTK_ORTHOGONAL) == pytest.approx(closed_mean(matched, 0, 8))
    assert mean_is_off(measured, wrong) > 1


def test_a_mean_with_one_active_writer_more_is_noticed(measured):
    def wrong(matched, bit, num_inputs):
        a = active(matched, bit)
        return predictor.mean(len(matched), num_inputs, len(WRITERS[bit]), a + 1)

    assert mean_is_off(measured, wrong) > 1


def test_a_variance_without_its_cross_term_is_noticed(measured):
    def wrong(matched, num_inputs):
        m = len(matched)
        alpha, beta = predictor.coefficients(m, num_inputs)
        c, others = NTK_ORTHOGONAL, num_inputs - m
        # What the prior and the data have in common is left out.
        cross = m * alpha * nngp(np.float64(1 / np.sqrt(m))) + others * beta * c
        return closed_variance(matched, num_inputs) + 2 * cross / num_inputs

    assert variance_is_off(measured, wrong) > 1


def test_a_variance_twice_as_large_is_noticed(measured):
    assert variance_is_off(measured, lambda *sizes: 2 * closed_variance(*sizes)) > 1
    assert variance_is_off(measured, lambda *sizes: closed_variance(*sizes) / 2) > 1


def test_the_bits_of_one_network_are_uncorrelated(measured):
    limit = SIGMAS / np.sqrt(WIDE[1])
    for outputs in measured["wide"]:
        assert abs(np.corrcoef(outputs.T)[0, 1]) < limit
    # The twin: one bit in two states is correlated.
    first, second = measured["wide"][0, :, 0], measured["wide"][1, :, 0]
    assert abs(np.corrcoef(first, second)[0, 1]) > limit


def test_the_members_are_uncorrelated(measured):
    # Along the members, the series of outputs has no memory.
    for outputs in measured["wide"]:
        series = outputs - outputs.mean(axis=0)
        for bit in (0, 1):
            lag = np.corrcoef(series[1:, bit], series[:-1, bit])[0, 1]
            assert abs(lag) < SIGMAS / np.sqrt(WIDE[1] - 1)


def test_at_one_match_every_network_is_exact_within_the_tolerance(measured):
    tolerance, rounding = EnsembleConfig(members=1).tolerance, 1e-5  # float32 sums of 4096 terms
    for (template,), outputs in zip(SINGLES, measured["singles"]):
        expected = [template in WRITERS[bit] for bit in (0, 1)]
        assert np.abs(outputs - expected).max() <= tolerance + rounding
    # The twin: at two matches the spread is far larger.
    assert measured["wide"][0].std() > 100 * tolerance
