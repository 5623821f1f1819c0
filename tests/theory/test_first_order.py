"""The bias of finite networks to first order: identities, and against trained networks."""

import dataclasses
import math

import jax
import networkx as nx
import numpy as np
import pytest

from ntkexec import pipeline
from ntkexec.complexity import collect
from ntkexec.ensemble import TwoLayerNetwork
from ntkexec.ensemble.descent import descend
from ntkexec.ensemble.network import initial
from ntkexec.ensemble.schedule import schedule_for
from ntkexec.errors import CertificateError
from ntkexec.program.problem import LearningProblem
from ntkexec.theory import first_order, kernel
from proofs_check.fixtures import width_cells as measured

# Movement.


@pytest.mark.parametrize(
    "num_inputs, writers, outputs", [(1, 1, 1), (8, 3, 1), (40, 40, 1), (24, 7, 5)]
)
@pytest.mark.parametrize("weight_std", [0.7, 1.0, 2.0])
def test_the_movement_is_that_of_the_dense_inverse(num_inputs, writers, outputs, weight_std):
    y = measured.targets(num_inputs, writers, outputs)
    gram = weight_std**4 * kernel.ntk(np.eye(num_inputs)) / num_inputs
    dense = np.trace(y.T @ np.linalg.solve(gram, y)) / 300
    assert first_order.movement(y, 300, weight_std=weight_std) == pytest.approx(dense, rel=1e-12)
    one_way = np.linalg.norm(y.T @ np.linalg.solve(gram, y), 2) / 300
    found = first_order.coherent_movement(y, 300, weight_std=weight_std)
    assert found == pytest.approx(one_way, rel=1e-12)
    assert (found == pytest.approx(dense)) == (outputs == 1)


def test_the_weights_of_a_trained_network_move_that_far():
    # From an untrained output of 0, as the formula has it.
    target = measured.targets(32, 24, 2)
    network = TwoLayerNetwork(32, 2048, 2)
    plan = schedule_for(32, 2, 1024, tolerance=1e-4)
    moved = []
    for seed in range(3):
        start = initial(network, jax.random.key(seed), antisymmetric=True)
        end = descend(network, start, target, plan, tolerance=1e-4, max_steps=200).weights
        change = jax.tree.map(lambda a, b: float(((a - b) ** 2).sum()), start, end)
        moved.append(sum(jax.tree.leaves(change)) / 2048)
    assert np.mean(moved) == pytest.approx(first_order.movement(target, 2048), rel=0.15)


# The prediction.


@dataclasses.dataclass(frozen=True)
class Plan:
    learning_rate: float
    momentum: float = 0.0
    mean_weight: float = 1.0


def predicted(cells, *, seed=0, units=16_000, **changes):
    """Prediction and its error for the cells of one measurement, averaged over their match sets."""
    one = cells[0]
    plan = schedule_for(
        one.num_inputs, one.outputs, one.width, tolerance=1e-4, descent=one.descent,
        weight_std=one.weight_std,
    )  # fmt: skip
    sets = [
        measured.match_sets(c.num_inputs, c.writers, c.num_matches, c.num_active, 6, 0)
        for c in cells
    ]
    found = first_order.predicted_bias(
        measured.targets(one.num_inputs, one.writers, one.outputs),
        np.concatenate(sets),
        one.width,
        plan,
        weight_std=one.weight_std,
        units=units,
        seed=seed,
        **changes,
    )
    bias, error = (a[:, 0].reshape(len(cells), 6).mean(axis=1) for a in (found.bias, found.error))
    return found, bias, error


@pytest.mark.parametrize(
    "num_inputs, writers, width, options",
    [
        pytest.param(32, 24, 2048, {}, marks=pytest.mark.slow),
        pytest.param(64, 16, 2048, {"descent": "heavy-ball"}, marks=pytest.mark.slow),
        (16, 16, 1024, {"descent": "heavy-ball"}),
        (16, 4, 2048, {"outputs": 3}),
        (32, 24, 512, {"weight_std": 2.0}),
    ],
    ids=str,
)
def test_it_agrees_with_trained_networks(num_inputs, writers, width, options):
    cells = measured.measure(num_inputs, writers, width, (4, 16), members=24, **options)
    found, bias, error = predicted(cells)
    assert found.trusted
    for cell, value, rounding in zip(cells, bias, error, strict=True):
        # Four standard errors of both, and what second order adds.
        slack = 4 * math.hypot(cell.error, rounding) + 0.4 * abs(value)
        assert abs(cell.bias - value) < slack, cell


@pytest.mark.slow
def test_for_a_joint_program_it_needs_no_training_either():
    instance = pipeline.prepare("flooding", nx.random_regular_graph(3, 12, seed=0))
    problem = LearningProblem(instance.program, "joint")
    (part,) = collect(problem, [instance]).components
    sets = part.matched.astype(float)
    sets = sets[sets.sum(axis=1) > 1]
    (target,) = problem.targets(problem.stacks[0])
    plan = schedule_for(*target.shape, 2048, tolerance=1e-4)
    found = first_order.predicted_bias(target, sets, 2048, plan, units=16_000)
    assert found.trusted
    # Trained, with twelve networks.
    truth = measured.measure_program(target, sets, 2048, members=12)
    written = target.sum(axis=0) > 0
    z = (truth.bias - found.bias[:, written]) / np.hypot(truth.error, found.error[:, written])
    assert np.sqrt((z**2).mean()) < 1.4
    # The twin: without the prediction there is more left than noise.
    significant = np.abs(found.bias[:, written]) > 0.01
    assert np.sqrt(((truth.bias / truth.error)[significant] ** 2).mean()) > 2


def test_it_sees_what_the_descent_does():
    # All want a 1: the heavy ball overshoots and pulls the full match down; the default does not.
    values = {}
    for descent in ("heavy-ball", "auto"):
        plan = schedule_for(64, 1, 4096, tolerance=1e-4, descent=descent)
        full = np.ones((1, 64))
        found = first_order.predicted_bias(np.ones((64, 1)), full, 4096, plan, units=8000)
        values[descent] = found.bias[0, 0]
    assert values["heavy-ball"] < -0.2
    assert abs(values["auto"]) < 0.02


def test_training_pairs_and_the_empty_set_have_none():
    sets = np.concatenate([np.eye(16), np.zeros((1, 16))])
    plan = schedule_for(16, 2, 512, tolerance=1e-4)
    y = measured.targets(16, 5, 2)
    found = first_order.predicted_bias(y, sets, 512, plan, units=1600)
    assert np.abs(found.bias).max() < 1e-12
    # The twin: two matches have one.
    sets = np.eye(16)[:1] + np.eye(16)[15:]
    assert np.abs(first_order.predicted_bias(y, sets, 512, plan, units=1600).bias).max() > 1e-3


def test_the_weights_enter_by_the_exact_identity():
    # f(s, y) = s^2 f(1, y / s^2), with the step scaled.
    y, sets = measured.targets(8, 5, 2), np.ones((1, 8))
    wide = Plan(learning_rate=0.5 / 2**4)
    scaled = first_order.predicted_bias(y, sets, 300, wide, weight_std=2.0, units=1600)
    plain = first_order.predicted_bias(y / 4, sets, 300, Plan(0.5), tolerance=1e-4 / 4, units=1600)
    np.testing.assert_allclose(scaled.bias, 4 * plain.bias, rtol=1e-9)


def test_a_seed_gives_the_same_numbers_and_another_ones_within_the_error():
    y, sets = measured.targets(16, 12, 1), measured.match_sets(16, 12, 4, 1, 3, 0)
    plan = schedule_for(16, 1, 512, tolerance=1e-4)
    first, again, other = (
        first_order.predicted_bias(y, sets, 512, plan, units=8000, seed=s) for s in (0, 0, 1)
    )
    np.testing.assert_array_equal(first.bias, again.bias)
    assert (first.bias != other.bias).all()
    z = (first.bias - other.bias) / np.hypot(first.error, other.error)
    assert np.abs(z).max() < 6  # Student with 7 degrees of freedom


def test_too_narrow_a_network_is_not_trusted_and_says_so():
    full = np.ones((1, 64))
    plan = schedule_for(64, 1, 512, tolerance=1e-4, descent="heavy-ball")
    found = first_order.predicted_bias(np.ones((64, 1)), full, 512, plan, units=1600)
    assert not found.trusted
    assert found.reason.startswith("too narrow: a bias of 0.")
    half = measured.targets(64, 32, 1)
    plan = schedule_for(64, 1, 512, tolerance=1e-4)
    found = first_order.predicted_bias(half, full, 512, plan, units=1600)
    assert not found.trusted
    assert found.reason.startswith("too narrow: the units move by 2.6, squared")


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"matched": np.ones((2, 7))}, "do not belong together"),
        ({"matched": np.ones(8)}, "do not belong together"),
        ({"plan": Plan(100.0)}, "learning rate of 100 with momentum 0 does not converge for 8"),
        ({"width": 0}, "n0 and width must be at least 1, got 8 and 0"),
        ({"units": 100}, "a multiple of 16, not 100"),
        ({"weight_std": -1.0}, "weight_std must be positive, got -1"),
    ],
    ids=str,
)
def test_a_wrong_question_is_refused(changes, message):
    given = {"targets": np.ones((8, 1)), "matched": np.ones((1, 8)), "width": 64, "plan": Plan(1.0)}
    given |= changes
    with pytest.raises(CertificateError, match=message):
        first_order.predicted_bias(**given)
