"""The bound on rounding errors holds for every order of summation, and decides what it should."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from support.ensembles import (
    MIXED,
    encoded,
    joint,
    member_outputs,
    random_sets,
    train_at_once,
)

from ntkexec.complexity import collect, random_instances
from ntkexec.complexity.rounding import float32_certificate
from ntkexec.engines.trained import wide_stack
from ntkexec.ensemble import Ensemble, EnsembleConfig, evaluation, stacks
from ntkexec.ensemble.stacks import network_for
from ntkexec.ensemble.training import Chunk, plan_for, train_chunk
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem

PROBLEM = joint(MIXED)
SETS = random_sets(7, 40)
STATES = encoded(SETS, 7)


def in_float32(weights, config, order, products=jnp.float32):
    """Means of the members' wide network, its hidden units in another order."""
    (stack,) = PROBLEM.stacks
    wide = wide_stack(config, weights, PROBLEM, stack)

    def shuffled(array, axis):
        return None if array is None else jnp.take(array[0], order, axis=axis).astype(products)

    parts = {
        "hidden": shuffled(wide.hidden, 1),
        "output": shuffled(wide.output, 0),
        "hidden_shift": shuffled(wide.hidden_shift, 1),
        "initial_output": shuffled(wide.initial_output, 0),
    }
    one = type(wide)(wide.templates, wide.components, hidden_bias=None, output_bias=None, **parts)
    return np.asarray(one.outputs(jnp.asarray(STATES, products)), np.float64)


@pytest.mark.parametrize("draw", ["trained", "linearised"])
def test_the_error_of_float32_stays_within_the_bound_in_any_order(draw):
    config = EnsembleConfig(members=3, width=256, draw=draw, weight_std=1.5)
    weights = train_chunk(PROBLEM, config, Chunk(0, 0, 3))
    members = evaluation.networks_of(Ensemble(PROBLEM, config, (weights,)), 0)
    found = evaluation.evaluate(members, SETS)
    means, bound = found.mean, found.error()
    one_by_one = [member_outputs(weights, config, i, 0, STATES) for i in range(3)]
    np.testing.assert_allclose(means, np.mean(one_by_one, axis=0), atol=1e-13)
    rng = np.random.default_rng(0)
    errors = [
        np.abs(in_float32(weights, config, rng.permutation(3 * 256)) - means) for _ in range(5)
    ]
    assert (np.max(errors, axis=0) <= bound).all()
    # Rounding is there, and the bound is about roots of sums away from it, no more.
    assert np.max(errors) > 1e-8
    assert bound.max() < 1e4 * np.max(errors)
    # The twin: products of bfloat16 leave the bound for float32, but not their own.
    coarse = np.abs(in_float32(weights, config, np.arange(3 * 256), jnp.bfloat16) - means)
    assert (coarse > bound).any()


@pytest.mark.parametrize("kind, members, coarse", [("factored", 6, True), ("joint", 1, False)])
def test_float32_is_certified_and_bfloat16_only_where_margins_are_large(kind, members, coarse):
    instances = random_instances(
        "flooding", degree=2, word=None, num_graphs=3, nodes=(3, 4), seed=0
    )
    problem = LearningProblem(instances[0].program, kind)
    cases = collect(problem, instances)
    config = EnsembleConfig(members=members, width=512, seed=2)
    networks = Ensemble(problem, config, train_at_once(problem, config))
    found = [
        float32_certificate(networks, cases, products=p, convention="shared")
        for p in ("float32", "tf32", "bfloat16")
    ]
    assert found[0].certified
    # One network is not enough, but which bits it gives is certain.
    assert (found[0].wrong == 0) == (members > 1)
    assert found[2].certified == coarse
    bounds = [one.largest_bound for one in found]
    assert bounds == sorted(bounds)
    other = LearningProblem(problem.program, kind, padding=1)
    with pytest.raises(EnsembleError, match="different learning problems"):
        float32_certificate(networks, collect(other, instances))


def test_the_scale_of_the_weights_enters():
    instances = random_instances(
        "flooding", degree=2, word=None, num_graphs=3, nodes=(3, 4), seed=0
    )
    problem = LearningProblem(instances[0].program)
    cases = collect(problem, instances)
    config = EnsembleConfig(members=6, width=512, weight_std=1.5)
    networks = Ensemble(problem, config, train_at_once(problem, config))
    assert float32_certificate(networks, cases, convention="shared").wrong == 0
    # The twin: what would be judged without it.
    other = dataclasses.replace(networks, config=dataclasses.replace(config, weight_std=1.0))
    assert float32_certificate(other, cases, convention="shared").wrong > 0


def precisions(jaxpr):
    """Precision of every matrix product, also inside loops and calls."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "dot_general":
            yield equation.params["precision"]
        for value in jax.tree.leaves(
            equation.params, is_leaf=lambda v: isinstance(v, jax.extend.core.ClosedJaxpr)
        ):
            if isinstance(value, jax.extend.core.ClosedJaxpr):
                yield from precisions(value.jaxpr)
            elif isinstance(value, jax.extend.core.Jaxpr):
                yield from precisions(value)


HIGHEST = (jax.lax.Precision.HIGHEST,) * 2


@pytest.mark.parametrize("draw", ["trained", "linearised"])
def test_every_matrix_product_of_training_asks_for_full_precision(draw):
    (stack,) = PROBLEM.stacks
    config = EnsembleConfig(members=1, width=32, draw=draw)

    def train(members):
        return stacks._train(
            members,
            np.uint32(0),
            np.zeros(1, np.uint32),
            jnp.asarray(PROBLEM.targets(stack)),
            network=network_for(config, stack),
            plan=plan_for(config, stack),
            draw=draw,
            tolerance=0.1,
        )

    found = list(precisions(jax.make_jaxpr(train)(np.zeros(1, np.uint32)).jaxpr))
    # Forward, and backward through both layers.
    assert len(found) >= 3
    assert set(found) == {HIGHEST}


def test_so_does_every_product_of_the_evaluation():
    for draw in ("trained", "linearised"):
        config = EnsembleConfig(members=1, width=32, draw=draw)
        weights = train_chunk(PROBLEM, config, Chunk(0, 0, 1))
        wide = wide_stack(config, weights, PROBLEM, PROBLEM.stacks[0])
        one = jax.tree.map(lambda a: a[0], wide)
        found = list(precisions(jax.make_jaxpr(lambda x, w: w.outputs(x))(STATES, one).jaxpr))
        assert len(found) == (2 if draw == "trained" else 4)
        assert set(found) == {HIGHEST}
    # The twin: a product that does not ask is noticed.
    plain = list(precisions(jax.make_jaxpr(jnp.matmul)(jnp.eye(2), jnp.eye(2)).jaxpr))
    assert set(plain) != {HIGHEST}
