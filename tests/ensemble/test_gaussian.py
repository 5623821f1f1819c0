"""Gaussian draws: the closed-form covariance, lazy extension, and agreement with real networks.

Statistical statements state their false-alarm rate; seeds are fixed.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from support.ensembles import (
    MIXED,
    encoded,
    joint,
    member_outputs,
    program,
    random_sets,
    train_at_once,
)

import ntkexec
from ntkexec import executor, pipeline
from ntkexec.engines import neural_tangents
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import EnsembleConfig, GaussianEnsemble, draw, gaussian
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime.precision import float64
from ntkexec.theory import predictor

CONFIG = EnsembleConfig(members=4, draw="gaussian")


# The closed form.


@pytest.mark.parametrize("num_inputs", [pytest.param(9, marks=pytest.mark.slow), 20])
@pytest.mark.parametrize("weight_std", [1.0, 1.3])
def test_the_covariance_is_that_of_neural_tangents(num_inputs, weight_std):
    sets = random_sets(9, 30)
    with float64():
        targets = jnp.eye(num_inputs)[:, :2]
        oracles = neural_tangents.predict(
            targets, jnp.asarray(encoded(sets, num_inputs)), weight_std=weight_std
        )
        expected, means = np.asarray(oracles.covariance), np.asarray(oracles.mean)
    found = gaussian.state_covariance(sets, sets, num_inputs, weight_std)
    # A dense solve of condition number below 5.
    np.testing.assert_allclose(found, expected, atol=1e-13)
    np.testing.assert_allclose(
        gaussian.state_means(sets, np.eye(9, 2, dtype=bool), num_inputs), means, atol=1e-13
    )
    # Twins: another n0, another scale.
    for n0, std in ((num_inputs + 1, weight_std), (num_inputs, 1.1 * weight_std)):
        assert np.abs(gaussian.state_covariance(sets, sets, n0, std) - expected).max() > 1e-4


def test_the_covariance_of_a_state_with_itself_is_the_variance():
    m = np.arange(0, 12)
    np.testing.assert_allclose(
        predictor.covariance(m, m, m, 20), predictor.variance(m, 20), atol=1e-16
    )


def test_states_without_spread_have_no_covariance():
    # No match, or one, where every network is exact.
    sets = np.array([[0, 0, 0, 0], [1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]], bool)
    found = gaussian.state_covariance(sets, sets, 4)
    assert not found[:2].any()
    assert not found[:, :2].any()
    assert (found[2:, 2:].diagonal() > 0).all()


# Draws.


def members_at(problem, sets, *, seed=0, members=4000, batches=1):
    ensemble = GaussianEnsemble(
        problem, EnsembleConfig(members=members, draw="gaussian", seed=seed)
    )
    (component,) = ensemble.components
    parts = [component.at(part) for part in np.array_split(sets, batches)]
    return np.concatenate(parts)[:, :, np.flatnonzero(problem.program.num_writers)]


PROBLEM = joint(program([[0], [0, 1], [1], [0], [1], [0]]), padding=3)


@pytest.mark.parametrize("batches", [1, 3, 12])
def test_the_draws_have_the_closed_form_mean_and_covariance_however_they_are_asked(batches):
    sets = random_sets(6, 40)[:12]
    found = members_at(PROBLEM, sets, batches=batches)
    written = PROBLEM.program.num_writers > 0
    means = gaussian.state_means(sets, PROBLEM.writes(0)[:, written], 9)
    covariance = gaussian.state_covariance(sets, sets, 9)
    noise = found - means[:, None]
    scale = np.sqrt(np.maximum(covariance.diagonal(), 1e-300))
    for bit in (0, 1):
        # 12 means and 78 covariances for two bits: 4.5 standard errors each are passed by a true
        # statement with probability 1 - 180 * 7e-6.
        assert (np.abs(noise[:, :, bit].mean(axis=1)) <= 4.5 * scale / np.sqrt(4000) + 1e-12).all()
        sample = noise[:, :, bit] @ noise[:, :, bit].T / 4000
        error = np.sqrt((np.outer(scale, scale) ** 2 + covariance**2) / 4000)
        assert (np.abs(sample - covariance) <= 4.5 * error + 1e-12).all()
        # The twin: without the covariance between states.
        independent = np.diag(covariance.diagonal())
        assert (np.abs(sample - independent) > 4.5 * error + 1e-12).any()
    cross = noise[:, :, 0] @ noise[:, :, 1].T / 4000
    assert (np.abs(cross) <= 4.5 * np.outer(scale, scale) / np.sqrt(4000) + 1e-12).all()


def test_a_network_is_one_function():
    sets = random_sets(6, 30)
    ensemble = GaussianEnsemble(PROBLEM, CONFIG)
    first = ensemble.components[0].at(sets[:10])
    ensemble.components[0].at(sets)
    np.testing.assert_array_equal(ensemble.components[0].at(sets[:10]), first)
    order = np.random.default_rng(0).permutation(len(sets))
    whole = ensemble.components[0].at(sets)
    np.testing.assert_array_equal(ensemble.components[0].at(sets[order]), whole[order])
    # Twins: another member, another seed.
    assert np.abs(first[:, 0] - first[:, 1]).max() > 1e-3
    other = GaussianEnsemble(PROBLEM, dataclasses.replace(CONFIG, seed=1))
    assert np.abs(other.components[0].at(sets[:10]) - first).max() > 1e-3


def test_member_i_is_the_same_in_a_larger_ensemble():
    sets = random_sets(6, 20)
    few, many = (
        GaussianEnsemble(PROBLEM, dataclasses.replace(CONFIG, members=m)).components[0].at(sets)
        for m in (3, 7)
    )
    np.testing.assert_allclose(few, many[:, :3], atol=1e-14)
    first = GaussianEnsemble(PROBLEM, dataclasses.replace(CONFIG, members=7)).first(3)
    np.testing.assert_array_equal(first.components[0].at(sets), few)


def test_states_that_others_determine_take_no_new_randomness():
    # Rank deficiency: twice the same set, and one with a single match.
    sets = np.array([[1, 1, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 1, 0, 0, 0, 0]], bool)
    values = members_at(PROBLEM, sets, members=5)
    np.testing.assert_array_equal(values[0], values[2])
    np.testing.assert_allclose(values[1], [[1.0, 0.0]] * 5)


def test_too_many_states_are_refused(monkeypatch):
    monkeypatch.setattr(gaussian, "MAX_STATES", 5)
    ensemble = GaussianEnsemble(PROBLEM, CONFIG)
    with pytest.raises(EnsembleError, match="more than 5 distinct match sets"):
        ensemble.components[0].at(random_sets(6, 20))


@pytest.mark.parametrize("kind", ["joint", "factored"])
def test_the_means_by_bit_are_those_of_the_components(kind):
    problem = LearningProblem(MIXED, kind, 1)
    ensemble = GaussianEnsemble(problem, CONFIG)
    sets = random_sets(7, 15)
    found = ensemble.means(np.concatenate([sets.T, np.zeros((1, len(sets)), bool)]))
    for draw_, part in zip(ensemble.components, problem.components):
        expected = draw_.at(sets[:, list(part.templates)]).mean(axis=1)
        np.testing.assert_allclose(found[list(part.bits)], expected.T, atol=1e-14)
    # A bit that nothing writes has no network, or one that learned zeros and is random elsewhere.
    assert found[-1].any() == (kind == "joint")


def test_an_execution_with_gaussian_draws_is_verified_step_by_step():
    for kind in ("joint", "factored"):
        found = ntkexec.run("flooding", "petersen", draw="gaussian", kind=kind)
        assert found.exact
        assert found.execution.verification.wrong_bits == 0
    # The twin: one network is not enough for some seed.
    instance = pipeline.prepare("flooding", "petersen")
    certificate = pipeline.certify(
        instance.program, kind="joint", num_decisions=1, padding=0, instance=instance
    )

    def wrong_bits(seed):
        config = EnsembleConfig(members=1, draw="gaussian", seed=seed)
        networks = GaussianEnsemble(certificate.problem, config)
        execution = executor.execute(
            ensemble_engine(networks, certificate), instance.program, instance.graphs, num_steps=4
        )
        return execution.verification.wrong_bits

    assert any(wrong_bits(seed) for seed in range(3))


def test_gaussian_draws_are_not_trained_or_stored(tmp_path):
    with pytest.raises(EnsembleError, match="cannot be stored"):
        draw(PROBLEM, CONFIG, directory=tmp_path / "new")
    assert not (tmp_path / "new").exists()
    with pytest.raises(EnsembleError, match="not trained"):
        ntkexec.ensemble.train(PROBLEM, CONFIG)
    with pytest.raises(EnsembleError, match="without biases"):
        dataclasses.replace(CONFIG, bias_std=0.1)


# Three ways to draw, one distribution.

STATES = np.array(
    [[1, 1, 0, 0, 0, 0, 0, 0], [1, 1, 1, 0, 1, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1, 0], [1] * 8], bool
)
DRAWN = joint(program([[b for b in (0, 1) if (t + b) % 3] for t in range(8)]))
MEMBERS = 400


def outputs_of(kind, width=1024, seed=0):
    """Outputs of all members at `STATES`; (members, states * bits)."""
    config = EnsembleConfig(members=MEMBERS, width=width, draw=kind, seed=seed)
    if kind == "gaussian":
        found = GaussianEnsemble(DRAWN, config).components[0].at(STATES)
        bits = np.flatnonzero(DRAWN.program.num_writers)
        return found[:, :, bits].transpose(1, 0, 2).reshape(MEMBERS, -1)
    (weights,) = train_at_once(DRAWN, config)
    bits = np.flatnonzero(DRAWN.program.num_writers)
    x = encoded(STATES, 8)
    return np.array(
        [member_outputs(weights, config, i, 0, x)[:, bits].ravel() for i in range(MEMBERS)]
    )


def smallest_p(first, second):
    """Two-sample Kolmogorov-Smirnov over all outputs and 12 fixed projections, Bonferroni."""
    projections = np.random.default_rng(0).normal(size=(first.shape[1], 12))
    columns = np.concatenate([np.eye(first.shape[1]), projections], axis=1)
    tests = [stats.ks_2samp(first @ c, second @ c).pvalue for c in columns.T]
    return min(1.0, min(tests) * len(tests))


@pytest.fixture(scope="module")
def drawn():
    return {kind: outputs_of(kind) for kind in ("trained", "linearised")} | {
        # Another seed: that of networks and of values have nothing in common, but need not.
        "gaussian": outputs_of("gaussian", seed=5)
    }


FALSE_ALARM = 1e-3


def test_trained_linearised_and_gaussian_ensembles_agree_in_distribution(drawn):
    assert smallest_p(drawn["trained"], drawn["gaussian"]) > FALSE_ALARM
    assert smallest_p(drawn["linearised"], drawn["gaussian"]) > FALSE_ALARM


def test_a_narrow_network_is_told_apart(drawn):
    # At width 16 the kernel of a network is far from its limit.
    assert smallest_p(outputs_of("linearised", width=16), drawn["gaussian"]) < FALSE_ALARM


def test_twice_the_spread_is_told_apart(drawn):
    sample = drawn["gaussian"]
    centred = sample - sample.mean(axis=0)
    assert smallest_p(sample.mean(axis=0) + 2 * centred, drawn["trained"]) < FALSE_ALARM


def test_states_of_one_network_are_correlated_as_the_closed_form_says(drawn):
    covariance = gaussian.state_covariance(STATES, STATES, 8)
    scale = np.sqrt(covariance.diagonal())
    pairs = np.triu_indices(4, 1)
    expected = np.arctanh((covariance / np.outer(scale, scale))[pairs])
    for sample in drawn.values():
        for bit in (0, 1):
            # Fisher's z: 36 comparisons, each of which a true statement passes but for 7e-6.
            found = np.arctanh(np.corrcoef(sample[:, bit::2].T)[pairs])
            assert np.abs(found - expected).max() < 4.5 / np.sqrt(MEMBERS - 3)
            # The twin: independent states.
            assert np.abs(found).max() > 4.5 / np.sqrt(MEMBERS - 3)
