"""Linearised networks against the empirical NTK of neural-tangents, and against trained ones."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.ensembles import MIXED, joint, member_outputs

from ntkexec import _neural_tangents
from ntkexec.ensemble import linearised
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.network import TwoLayerNetwork
from ntkexec.ensemble.stacks import network_for
from ntkexec.ensemble.training import Chunk, train_chunk
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime.precision import float64

CONFIG = EnsembleConfig(
    members=2, width=128, draw="linearised", precision="float64", tolerance=1e-10
)
# Each takes the empirical kernel of a network. The default suite has it that all three draws have one
# distribution, in test_gaussian.py.
CASES = [
    pytest.param(LearningProblem(MIXED, padding=2), 0.0, marks=pytest.mark.slow),
    pytest.param(joint(MIXED), 0.0, marks=pytest.mark.slow),
    pytest.param(joint(MIXED), 0.4, marks=pytest.mark.slow),
]


def encoded_states(num_inputs, num, seed=0):
    matched = np.random.default_rng(seed).random((num, num_inputs)) < 0.5
    return matched / np.sqrt(np.maximum(1, matched.sum(axis=1, keepdims=True)))


def by_neural_tangents(config, stack, component, targets, member, states):
    """f0(x) + Theta(x, X) Theta(X, X)^-1 (y - f0(X)), Theta the empirical NTK of that network."""
    network = network_for(config, stack)
    nt = _neural_tangents.load()
    with float64():
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(config.seed), member), component)
        weights = network.init(key, method="on_basis")
        kernel = nt.empirical_ntk_fn(network.apply, trace_axes=(), vmap_axes=None, implementation=1)
        basis, x = jnp.eye(stack.num_inputs), jnp.asarray(states)

        def matrix(a, b):
            blocks = np.asarray(kernel(a, b, weights))  # by input, input, output, output
            rows, columns, outputs, _ = blocks.shape
            return blocks.transpose(0, 2, 1, 3).reshape(rows * outputs, columns * outputs)

        error = np.asarray(targets, float) - np.asarray(network.apply(weights, basis))
        change = matrix(x, basis) @ np.linalg.solve(matrix(basis, basis), error.ravel())
        return np.asarray(network.apply(weights, x)) + change.reshape(len(states), -1)


@pytest.mark.parametrize("problem, bias_std", CASES)
def test_the_linearised_network_is_the_kernel_regression_with_its_own_ntk(problem, bias_std):
    config = dataclasses.replace(CONFIG, bias_std=bias_std)
    index = len(problem.stacks) - 1
    stack = problem.stacks[index]
    weights = train_chunk(problem, config, Chunk(index, 0, 2))
    states = encoded_states(stack.num_inputs, 9)
    targets = problem.targets(stack)
    for place, component in enumerate(stack.components):
        arguments = (config, stack, component, targets[place])
        expected = by_neural_tangents(*arguments, 1, states)
        found = member_outputs(weights, config, 1, place, states)
        # The residual, passed on by a regression whose weights add up to about 1.
        np.testing.assert_allclose(found, expected, atol=10 * CONFIG.tolerance, rtol=0)
        # The twin: another member.
        assert np.abs(found - by_neural_tangents(*arguments, 0, states)).max() > 1e-3


def test_it_interpolates_the_training_set_and_takes_about_the_predicted_iterations():
    problem = joint(MIXED, padding=9)
    (stack,) = problem.stacks
    weights = train_chunk(problem, CONFIG, Chunk(0, 0, 2))
    for member in range(2):
        found = member_outputs(weights, CONFIG, member, 0, np.eye(stack.num_inputs))
        np.testing.assert_allclose(found, problem.targets(stack)[0], atol=CONFIG.tolerance)
        # The twin: without the shift of the hidden weights it does not.
        frozen = weights._replace(hidden_shift=np.zeros_like(weights.hidden_shift))
        broken = member_outputs(frozen, CONFIG, member, 0, np.eye(stack.num_inputs))
        assert np.abs(broken - problem.targets(stack)[0]).max() > 0.01
    # One for each distinct eigenvalue, of which there are n0 times outputs, at the very most.
    assert weights.steps.max() <= stack.num_inputs * stack.num_outputs


@pytest.mark.slow
def test_trained_networks_approach_linearised_ones_as_the_width_grows():
    # In distance over spread, at the rate 1/sqrt(h): a factor of 4 in 16 times the width, and
    # between 2 and 8 with sampling of a handful of networks.
    problem = joint(MIXED)
    states = encoded_states(problem.stacks[0].num_inputs, 12)

    def distance(width):
        found = []
        for draw in ("trained", "linearised"):
            config = EnsembleConfig(members=6, width=width, draw=draw, bias_std=0.3, tolerance=1e-5)
            weights = train_chunk(problem, config, Chunk(0, 0, 6))
            found.append([member_outputs(weights, config, i, 0, states) for i in range(6)])
        trained, lin = np.array(found)
        return np.sqrt(np.mean((trained - lin) ** 2) / lin.var(axis=0).mean())

    near, far = distance(4096), distance(256)
    assert near < 0.1
    assert 2 < far / near < 8


def test_a_tolerance_that_rounding_forbids_is_refused():
    config = dataclasses.replace(CONFIG, precision="float32", tolerance=1e-12)
    with pytest.raises(ValueError, match="tolerance 1e-12"):
        train_chunk(joint(MIXED), config, Chunk(0, 0, 1))


def test_the_solver_moves_in_the_row_space_only():
    # The least change: orthogonal to every change that leaves the training outputs alone.
    network = TwoLayerNetwork(4, 16, 2, dtype=jnp.float64)
    with float64():
        weights = network.init(jax.random.key(0), method="on_basis")
        target = jnp.asarray(np.random.default_rng(0).normal(size=(4, 2)))
        shift = linearised.solve(network, weights, target, tolerance=1e-9, max_steps=100).shift
        jacobian = jax.jacrev(lambda w: network.apply(w, method="on_basis"))(weights)
        rows = np.concatenate(
            [np.asarray(b).reshape(8, -1) for b in jax.tree.leaves(jacobian)], axis=1
        )
        flat = np.concatenate([np.asarray(b).ravel() for b in jax.tree.leaves(shift)])
    outside = flat - rows.T @ np.linalg.lstsq(rows.T, flat)[0]
    assert np.linalg.norm(outside) < 1e-10 * np.linalg.norm(flat)
