"""The spectrum that sets the step size, against real networks, and the number of steps it takes."""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.ensembles import joint, member_outputs

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.descent import losses
from ntkexec.ensemble.network import TwoLayerNetwork
from ntkexec.ensemble.schedule import SAFETY, edges, schedule_for
from ntkexec.ensemble.training import Chunk, train_chunk
from ntkexec.program.fields import Flag
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.runtime.precision import float64
from ntkexec.theory import predictor
from ntkexec.theory.kernel import NTK_GAP, NTK_ORTHOGONAL

MEMBERS = 8
SIGMAS = 4.5  # a true statement fails with probability 7e-6 at one comparison
SHAPES = [(n0, o, h) for n0 in (1, 16) for o in (1, 8) for h in (256, 2048)]
LARGEST = (16, 8, 2048)


@functools.cache
def extremes(num_inputs, num_outputs, width, weight_std=1.0):
    """Smallest and largest eigenvalue of the NTK matrix, all outputs jointly, by member."""
    network = TwoLayerNetwork(num_inputs, width, num_outputs, weight_std)

    @jax.jit
    def slopes(key):
        weights = network.init(key, method="on_basis")
        found = jax.jacrev(lambda w: network.apply(w, method="on_basis"))(weights)["params"]
        rows = num_inputs * num_outputs
        return [slope.reshape(rows, -1) for slope in found.values()]

    found = []
    for member in range(MEMBERS):
        # The Gram matrix in float64: the smallest eigenvalue must not be rounding.
        blocks = [np.asarray(b, np.float64) for b in slopes(jax.random.key(member))]
        eigenvalues = np.linalg.eigvalsh(sum(block @ block.T for block in blocks))
        found.append((eigenvalues[0], eigenvalues[-1]))
    return np.array(found).T


def sampling_error(width, members):
    """Relative standard error of an extreme eigenvalue averaged over members.

    For one input and one output the eigenvalue is a mean over units of relu(w)^2 + a^2 [w > 0],
    whose mean is 1 and whose variance is 5/4 + 5/4 + 2/4. More inputs or outputs average more.
    """
    return math.sqrt(3 / width / members)


def sticks_out(outer, eigenvalues, width):
    """By how many standard errors the mean extreme eigenvalues lie outside the outer edges."""
    error = sampling_error(width, MEMBERS)
    below = (1 - eigenvalues[0].mean() / outer[0]) / error
    above = (eigenvalues[1].mean() / outer[1] - 1) / error
    return max(below, above)


@pytest.mark.parametrize(
    "num_inputs, num_outputs, width",
    [pytest.param(*shape, marks=pytest.mark.slow if shape == LARGEST else ()) for shape in SHAPES],
)
def test_the_edges_contain_the_spectrum_of_real_networks(num_inputs, num_outputs, width):
    eigenvalues = extremes(num_inputs, num_outputs, width)
    smallest, _, largest = edges(num_inputs, num_outputs, width, 1.0)
    assert sticks_out((smallest, largest), eigenvalues, width) < SIGMAS
    # Every single network too, with the safety factor of the schedule and the spread of one.
    allowance = SAFETY * (1 + SIGMAS * sampling_error(width, 1))
    assert (eigenvalues[0] > smallest / allowance).all()
    assert (eigenvalues[1] < largest * allowance).all()


def test_the_limits_of_infinite_width_do_not_contain_it():
    narrow, infinite = 256, 10**30
    smallest, _, largest = edges(16, 8, infinite, 1.0)
    assert sticks_out((smallest, largest), extremes(16, 8, narrow), narrow) > SIGMAS


def test_edges_without_the_spread_by_the_hidden_weights_do_not_contain_it():
    smallest, _, largest = edges(16, 0, 256, 1.0)
    assert sticks_out((smallest, largest), extremes(16, 8, 256), 256) > SIGMAS


def test_edges_that_ignore_the_mean_activation_do_not_contain_it():
    smallest, _, largest = edges(16, 1, 2048, 1.0)
    lower = (smallest, largest - NTK_ORTHOGONAL)
    assert sticks_out(lower, extremes(16, 1, 2048), 2048) > SIGMAS


@pytest.mark.parametrize("num_inputs", [1, 2, 21, 300])
@pytest.mark.parametrize("weight_std", [0.5, 1.0, 2.0])
def test_at_infinite_width_the_edges_are_those_of_the_train_gram(num_inputs, weight_std):
    smallest, _, largest = edges(num_inputs, 7, 10**30, weight_std)
    scale = weight_std**4 / num_inputs
    # The spread at that width is sqrt(600 / 1e30) < 1e-13.
    assert smallest == pytest.approx(scale * NTK_GAP, rel=1e-12)
    assert largest == pytest.approx(scale * (NTK_GAP + NTK_ORTHOGONAL * num_inputs), rel=1e-12)


def test_the_edges_scale_with_the_weights_as_real_spectra_do():
    plain, scaled = extremes(4, 2, 256), extremes(4, 2, 256, weight_std=1.5)
    np.testing.assert_allclose(scaled, 1.5**4 * plain, rtol=1e-4)  # float32
    assert edges(4, 2, 256, 1.5) == pytest.approx([1.5**4 * edge for edge in edges(4, 2, 256, 1.0)])


@pytest.mark.parametrize("width", [1, 3, 16])
def test_a_schedule_is_finite_and_stable_even_where_the_edge_collapses(width):
    plan = schedule_for(64, 64, width, tolerance=1e-4, descent="heavy-ball")
    largest = edges(64, 64, width, 1.0).largest
    # Heavy ball is stable for learning_rate * eigenvalue < 2 (1 + momentum).
    assert 0 < plan.learning_rate * largest < 2 * (1 + plan.momentum)
    assert 0 < plan.momentum < 1
    assert 0 < plan.predicted_steps < 1000


def problem(num_inputs):
    """One component: template i matches if bit i is 1; they write three flags in turns."""
    layout = Layout(
        (*(Flag(f"x{i}") for i in range(num_inputs)), *(Flag(f"f{i}") for i in range(3)))
    )
    templates = [
        template({i: 1}, [num_inputs + i % 3, num_inputs + (i + 1) % 3]) for i in range(num_inputs)
    ]
    return LearningProblem(Program("turns", layout, tuple(templates)))


CONFIG = EnsembleConfig(members=4, width=1024, descent="heavy-ball")


def plan_and_steps(num_inputs, **changes):
    config = dataclasses.replace(CONFIG, **changes)
    weights = train_chunk(problem(num_inputs), config, Chunk(0, 0, config.members))
    plan = schedule_for(
        num_inputs,
        3,
        config.width,
        weight_std=config.weight_std,
        tolerance=config.tolerance,
        descent=config.descent,
    )
    return plan, int(weights.steps.max())


# Training ends when the largest error, not its norm along the slowest eigenvector, is in tolerance,
# and heavy ball has a polynomial factor: so a factor either way.
FACTOR = 2


@pytest.mark.parametrize(
    "num_inputs, tolerance",
    [
        (4, 1e-2),
        (64, 1e-4),
        *(pytest.param(16, tolerance, marks=pytest.mark.slow) for tolerance in (1e-2, 1e-4)),
    ],
)
def test_training_takes_about_the_predicted_number_of_steps(num_inputs, tolerance):
    plan, steps = plan_and_steps(num_inputs, tolerance=tolerance)
    assert plan.predicted_steps / FACTOR <= steps <= FACTOR * plan.predicted_steps


@pytest.mark.parametrize("weight_std", [pytest.param(0.6, marks=pytest.mark.slow), 1.5])
def test_it_does_so_for_other_weights_at_initialisation(weight_std):
    plan, steps = plan_and_steps(16, weight_std=weight_std)
    assert plan.predicted_steps / FACTOR <= steps <= FACTOR * plan.predicted_steps


def test_a_prediction_for_a_problem_four_times_as_large_is_outside_the_factor():
    # The number of steps grows with the root of the condition number.
    plan = schedule_for(16 * 64, 3, 16 * 1024, tolerance=1e-4, descent="heavy-ball")
    _, steps = plan_and_steps(16)
    assert not plan.predicted_steps / FACTOR <= steps <= FACTOR * plan.predicted_steps


@pytest.mark.parametrize("num_inputs", [32, pytest.param(64, marks=pytest.mark.slow)])
def test_momentum_takes_about_the_root_of_the_steps_of_plain_gradient_descent(num_inputs):
    _, with_momentum = plan_and_steps(num_inputs)
    config = dataclasses.replace(CONFIG, descent="plain")
    without = train_chunk(problem(num_inputs), config, Chunk(0, 0, CONFIG.members)).steps.max()
    fast, slow = (
        schedule_for(num_inputs, 3, CONFIG.width, tolerance=CONFIG.tolerance, descent=descent)
        for descent in ("heavy-ball", "plain")
    )
    assert slow.momentum == 0 < fast.momentum
    # For a condition number kappa, log(1/rate) is 2/kappa without and 2/sqrt(kappa) with momentum,
    # up to higher orders.
    kappa = (1 + slow.rate) / (1 - slow.rate)
    gain = math.log(fast.rate) / math.log(slow.rate)
    assert gain == pytest.approx(math.sqrt(kappa), rel=0.1)
    # Measured, the edges' safety factor costs gradient descent less than the heavy ball.
    assert 0.5 * gain < without / with_momentum < 1.1 * gain


@pytest.mark.parametrize(
    "descent, slack",
    [
        ("auto", (1.0, 1.5)),
        ("heavy-ball", (0.85, 1.15)),
        ("plain", (1.0, 1.5)),
        ("whitened", (0.85, 1.15)),
    ],
)
@pytest.mark.parametrize("num_outputs", [3, 40])
def test_the_loss_falls_at_the_predicted_rate(descent, slack, num_outputs):
    # The heavy ball has one rate for the whole spectrum; without momentum the rate is that of the
    # smallest eigenvalue, which lies above the edge by the safety factor and its own spread.
    with float64():
        plan = schedule_for(64, num_outputs, 4096, tolerance=1e-8, descent=descent)
        network = TwoLayerNetwork(64, 4096, num_outputs, dtype=jnp.float64)
        weights = network.init(jax.random.key(0), method="on_basis")
        targets = np.random.default_rng(0).random((64, num_outputs)) < 0.2
        steps = plan.predicted_steps
        found = losses(network, weights, jnp.asarray(targets, float), plan, num_steps=steps)
    curve = np.log(np.asarray(found))
    second_half = np.arange(steps // 2, steps)
    # The loss is the square of the error.
    slope = np.polyfit(second_half, curve[second_half], 1)[0] / 2
    assert slack[0] < slope / math.log(plan.rate) < slack[1]
    # The twin: the rate of a problem eight times as large.
    other = schedule_for(512, num_outputs, 4096, tolerance=1e-8, descent=descent)
    assert not slack[0] < slope / math.log(other.rate) < slack[1]


@pytest.mark.slow
def test_whitening_takes_fewer_steps_to_the_same_function_whatever_the_size():
    steps = {}
    for num_inputs in (16, 64):
        config = dataclasses.replace(CONFIG, width=4096, tolerance=1e-5)
        learning_problem = joint(problem(num_inputs).program)
        outputs = learning_problem.stacks[0].num_outputs
        states = np.zeros((20, num_inputs))
        for row, seed in zip(states, range(20)):
            row[np.random.default_rng(seed).permutation(num_inputs)[:6]] = 6**-0.5
        found = {}
        for descent in ("heavy-ball", "whitened"):
            changed = dataclasses.replace(config, descent=descent)
            weights = train_chunk(learning_problem, changed, Chunk(0, 0, 4))
            plan = schedule_for(num_inputs, outputs, 4096, tolerance=1e-5, descent=descent)
            taken = int(weights.steps.max())
            assert plan.predicted_steps / FACTOR <= taken <= FACTOR * plan.predicted_steps
            steps[descent, num_inputs] = taken
            found[descent] = np.array(
                [member_outputs(weights, changed, i, 0, states) for i in range(4)]
            )
        # Both leave the linear regime by O(1 / sqrt(width)), each in its own way.
        spread = predictor.variance(6, num_inputs) ** 0.5
        apart = np.sqrt(np.mean((found["whitened"] - found["heavy-ball"]) ** 2))
        assert apart < 0.4 * spread
        # The twin: another member is as far away as two draws are.
        other = np.roll(found["whitened"], 1, axis=0) - found["heavy-ball"]
        assert np.sqrt(np.mean(other**2)) > spread
    assert steps["whitened", 64] < 0.5 * steps["heavy-ball", 64]
    assert steps["whitened", 64] < 1.5 * steps["whitened", 16]
