"""The ensemble as one wide network, against its members evaluated one by one."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.ensembles import (
    EPS32,
    MIXED,
    by_engine,
    joint,
    member_outputs,
    train_at_once,
)
from support.programs import FEW, TYPE_CHECKED_STRATEGIES, matched_table, small_programs

from ntkexec.engines import trained
from ntkexec.engines.trained import ensemble_engine, uncertified_engine
from ntkexec.ensemble import Ensemble, EnsembleConfig
from ntkexec.ensemble.weights import Weights
from ntkexec.errors import EnsembleError
from ntkexec.executor.protocol import decide_states
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.graph import flooding
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import state_bound


def random_ensemble(problem, *, members=3, width=16, bias_std=0.0, weight_std=1.2, seed=0):
    """Untrained weights: the engine only evaluates."""
    rng = np.random.default_rng(seed)

    def draw(*shape):
        return rng.normal(size=shape).astype(np.float32)

    stacks = []
    for stack in problem.stacks:
        size, n0, outputs = len(stack.components), stack.num_inputs, stack.num_outputs
        stacks.append(
            Weights(
                hidden=draw(members, size, n0, width),
                output=draw(members, size, width, outputs),
                hidden_bias=draw(members, size, width) if bias_std else None,
                output_bias=draw(members, size, outputs) if bias_std else None,
                residual=np.zeros((members, size), np.float32),
                steps=np.zeros((members, size), np.int32),
            )
        )
    config = EnsembleConfig(members, width, weight_std=weight_std, bias_std=bias_std)
    return Ensemble(problem, config, tuple(stacks))


def one_by_one(ensemble, states):
    """Means in float64, (bits, states), and the largest magnitude of any sum's terms."""
    problem, config = ensemble.problem, ensemble.config
    matched = matched_table(problem.program, states)
    means = np.zeros((problem.program.layout.num_bits, len(states)))
    for stack, weights in zip(problem.stacks, ensemble.weights):
        for place, index in enumerate(stack.components):
            component = problem.components[index]
            inputs = np.zeros((len(states), stack.num_inputs))
            inputs[:, : len(component.templates)] = matched[:, list(component.templates)]
            inputs /= np.sqrt(np.maximum(1, inputs.sum(axis=1, keepdims=True)))
            outputs = [
                member_outputs(weights, config, member, place, inputs)
                for member in range(config.members)
            ]
            mean = np.mean(outputs, axis=0)[:, : len(component.bits)]
            means[list(component.bits)] = mean.T
    return means


# Float32 sums of some hundred terms of size up to 10.
ROUNDING = 200 * 10 * EPS32


def random_states(program, num, seed=0):
    rng = np.random.default_rng(seed)
    return rng.random((num, program.layout.num_bits)) < rng.random((num, 1))


FLOODING = flooding.program(degree=2, slots=3, message_bits=2, arrival_bits=2)
CASES = [
    (LearningProblem(FLOODING), 0.0),
    (LearningProblem(FLOODING, padding=5), 0.0),
    (joint(FLOODING), 0.0),
    (joint(FLOODING, padding=5), 0.6),
    (LearningProblem(MIXED, padding=2), 0.6),
]


@pytest.mark.parametrize("problem, bias_std", CASES)
def test_the_means_are_the_average_of_the_members_one_by_one(problem, bias_std):
    ensemble = random_ensemble(problem, bias_std=bias_std)
    states = random_states(problem.program, 20)
    expected = one_by_one(ensemble, states)
    np.testing.assert_allclose(by_engine(ensemble, states), expected, rtol=0, atol=ROUNDING)
    # Twins: a member left out, or another member in one's place.
    assert np.abs(one_by_one(ensemble.first(2), states) - expected).max() > 0.01
    assert np.abs(one_by_one(random_ensemble(problem, seed=1), states) - expected).max() > 0.01


RANDOM = {
    "program": small_programs(max_bits=8, max_templates=6),
    "kind": st.sampled_from(["joint", "factored"]),
    "padding": st.integers(0, 3),
    "bias_std": st.sampled_from([0.0, 0.5]),
    "members": st.integers(1, 3),
}


@TYPE_CHECKED_STRATEGIES
@settings(FEW, max_examples=5)  # each is compiled
@given(**RANDOM)
def test_the_means_are_the_average_for_random_programs(**drawn):
    assert_average(**drawn)


@pytest.mark.slow
@TYPE_CHECKED_STRATEGIES
@settings(FEW, max_examples=25)
@given(**RANDOM)
def test_the_means_are_the_average_for_more_random_programs(**drawn):
    assert_average(**drawn)


def assert_average(program, kind, padding, bias_std, members):
    problem = LearningProblem(program, kind, padding)
    ensemble = random_ensemble(problem, members=members, width=8, bias_std=bias_std)
    states = random_states(program, 12)
    found = by_engine(ensemble, states)
    np.testing.assert_allclose(found, one_by_one(ensemble, states), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize(
    "kind, num_nodes", [*(("joint", n) for n in (1, 2, 3, 4, 6, 7)), ("factored", 4)]
)
def test_node_counts_that_cross_a_chunk_boundary_change_nothing(kind, num_nodes, monkeypatch):
    problem = LearningProblem(FLOODING, kind)
    ensemble = random_ensemble(problem)
    states = random_states(problem.program, num_nodes)
    # Three nodes at a time, and one component at a time.
    monkeypatch.setattr(trained, "ACTIVATION_BYTES", 4 * 3 * 16 * 3)
    found = by_engine(ensemble, states)
    np.testing.assert_allclose(found, one_by_one(ensemble, states), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("activation_bytes", [1, 4 * 48 * 8, 4 * 48 * 8 * 4, 1 << 27])
def test_the_size_of_the_chunks_changes_nothing(activation_bytes, monkeypatch):
    # One node; all nodes and one component; all nodes and four components of 13; everything.
    monkeypatch.setattr(trained, "ACTIVATION_BYTES", activation_bytes)
    ensemble = random_ensemble(LearningProblem(FLOODING))
    states = random_states(FLOODING, 8)
    found = by_engine(ensemble, states)
    np.testing.assert_allclose(found, one_by_one(ensemble, states), rtol=0, atol=ROUNDING)


@pytest.mark.parametrize("kind", ["joint", "factored"])
def test_without_a_match_the_means_are_exactly_zero_if_there_are_no_biases(kind):
    problem = LearningProblem(MIXED, kind, 1)
    nothing = np.zeros((2, MIXED.layout.num_bits), bool)
    assert not matched_table(MIXED, nothing).any()
    assert not by_engine(random_ensemble(problem), nothing).any()
    with_biases = random_ensemble(problem, bias_std=0.5)
    found = by_engine(with_biases, nothing)
    assert found.any()
    np.testing.assert_allclose(found, one_by_one(with_biases, nothing), rtol=0, atol=ROUNDING)


def test_a_bit_that_nothing_writes_is_zero_in_a_factored_problem():
    states = random_states(MIXED, 10)
    unwritten = MIXED.num_writers == 0
    assert unwritten.any()
    found = by_engine(random_ensemble(LearningProblem(MIXED), bias_std=0.5), states)
    assert not found[unwritten].any()


def test_a_trained_ensemble_decides_every_bit_of_every_state_as_the_program():
    # Members such that one output has standard deviation below a sixth of its margin.
    problem = LearningProblem(MIXED)
    certificate = Certificate(problem, state_bound(problem))
    assert certificate.certified
    members = int(36 * certificate.noise_to_margin) + 1
    config = EnsembleConfig(members=members, width=1024)
    trained = Ensemble(problem, config, train_at_once(problem, config))
    update = ensemble_engine(trained, certificate)
    inputs = np.array(np.meshgrid(*[[0, 1]] * 7)).reshape(7, -1).T.astype(bool)
    states = np.zeros((len(inputs), MIXED.layout.num_bits), bool)
    states[:, :7] = inputs
    run = jax.jit(decide_states)
    matches, decision = run(update, jnp.asarray(states.T))
    expected = np.asarray(matches.matched_writers) > 0
    np.testing.assert_array_equal(np.asarray(decision.bits), expected)
    # The twin: untrained networks do not.
    untrained = uncertified_engine(random_ensemble(problem), certificate.thresholds)
    _, decision = run(untrained, jnp.asarray(states.T))
    assert (np.asarray(decision.bits) != expected).any()


def test_the_first_members_are_kept():
    ensemble = random_ensemble(joint(MIXED), bias_std=0.5)
    kept = ensemble.first(2)
    assert kept.config.members == 2
    assert kept.problem == ensemble.problem
    for whole, part in zip(ensemble.weights, kept.weights):
        for a, b in zip(whole, part):
            assert (a is None) == (b is None)
            if a is not None:
                np.testing.assert_array_equal(a[:2], b)
    states = random_states(MIXED, 6)
    np.testing.assert_allclose(
        by_engine(kept, states), one_by_one(kept, states), rtol=0, atol=ROUNDING
    )
    assert ensemble.first(3).config == ensemble.config


@pytest.mark.parametrize("members", [0, -1, 4])
def test_more_members_than_there_are_are_refused(members):
    ensemble = random_ensemble(joint(MIXED))
    with pytest.raises(EnsembleError, match=rf"has 3 members, not {members}$"):
        ensemble.first(members)


OTHERS = [
    LearningProblem(MIXED, padding=1),
    joint(MIXED),
    LearningProblem(flooding.program(degree=1, slots=2, message_bits=1, arrival_bits=1)),
]


@pytest.mark.parametrize("other", OTHERS, ids=["padding", "kind", "program"])
def test_a_certificate_for_another_problem_is_refused(other):
    ensemble = random_ensemble(LearningProblem(MIXED))
    with pytest.raises(EnsembleError, match=r"the ensemble learned .* the certificate is for"):
        ensemble_engine(ensemble, Certificate(other, state_bound(other)))


def test_a_certificate_for_another_kind_of_network_is_refused():
    problem = LearningProblem(MIXED)
    certificate = Certificate(problem, state_bound(problem))
    with pytest.raises(EnsembleError, match=r"without biases, but these have bias_std 0\.5"):
        ensemble_engine(random_ensemble(problem, bias_std=0.5), certificate)
    heavy = dataclasses.replace(random_ensemble(problem).config, weight_std=1.5)
    networks = dataclasses.replace(random_ensemble(problem), config=heavy)
    with pytest.raises(EnsembleError, match=r"weight_std 1, but these have weight_std 1\.5"):
        ensemble_engine(networks, certificate)
    ensemble_engine(networks, dataclasses.replace(certificate, weight_std=1.5))
