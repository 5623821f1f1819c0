"""Averages and rounds: means by hand, the same over a mesh's axis, and trainings with known ends."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.kits.federated.averages import mean_over, weighted_mean
from experiments.kits.federated.rounds import (
    LocalTraining,
    federated_training,
    local_update,
    stacked,
)
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

RNG = np.random.default_rng(0)


def models(number, dtype=np.float32):
    return {
        "kernel": RNG.normal(size=(number, 3, 2)).astype(dtype),
        "bias": RNG.normal(size=(number,)).astype(dtype),
    }


def test_the_mean_is_that_of_numpy_and_does_not_depend_on_the_scale_of_weights():
    with float64():
        trees, weights = models(5, np.float64), np.array([1.0, 0, 2, 5, 0.5])
        found = weighted_mean(trees, weights)
        for name, leaf in trees.items():
            wanted = np.average(leaf, axis=0, weights=weights)
            np.testing.assert_allclose(found[name], wanted, rtol=1e-12)
            np.testing.assert_allclose(weighted_mean(trees, 7 * weights)[name], wanted, rtol=1e-12)


def test_a_model_of_weight_0_has_no_influence_even_where_it_is_not_finite():
    trees = models(3)
    trees["bias"][1] = np.nan
    found = weighted_mean(trees, np.array([1.0, 0, 1]))
    np.testing.assert_allclose(found["bias"], trees["bias"][[0, 2]].mean(), rtol=1e-6)


@pytest.mark.parametrize(
    "weights, says",
    [
        ([0.0, 0, 0], "all weights are 0"),
        ([1.0, -1, 1], "-1.0 is none"),
        ([1.0, np.inf, 1], "inf is none"),
        ([1.0, 1], "there are 2 weights"),
        (1.0, r"an array of \(\)"),
    ],
)
def test_weights_that_make_no_mean_are_refused(weights, says):
    with pytest.raises(ExperimentError, match=says):
        weighted_mean(models(3), np.array(weights))


def test_where_all_weights_are_0_the_other_model_is_kept():
    trees = models(3)
    before = {name: leaf[0] * 2 for name, leaf in trees.items()}
    found = weighted_mean(trees, np.zeros(3), otherwise=before)
    jax.tree.map(np.testing.assert_array_equal, found, before)


def test_the_mean_over_an_axis_is_the_mean_of_the_stack():
    trees, weights = models(4), jnp.array([1.0, 0, 2, 5])
    wanted = weighted_mean(trees, weights)
    over = jax.vmap(lambda tree, weight: mean_over("client", tree, weight), axis_name="client")
    for name, leaf in over(trees, weights).items():
        np.testing.assert_allclose(leaf, np.broadcast_to(wanted[name], leaf.shape), rtol=1e-6)
    one = {name: jnp.zeros(leaf.shape[1:]) for name, leaf in trees.items()}

    def kept(tree, weight):
        return mean_over("client", tree, weight, otherwise=one)

    found = jax.vmap(kept, axis_name="client")(trees, jnp.zeros(4))
    jax.tree.map(lambda leaf: np.testing.assert_array_equal(leaf, np.zeros(leaf.shape)), found)


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_half_precision_is_summed_in_single_and_kept(dtype):
    # Counts times numbers, and sums of counts, are beyond what float16 holds and bfloat16 tells apart.
    trees = {"a": jnp.array([[100.0], [100.0], [50.0]], dtype)}
    weights = jnp.array([70_001.0, 70_000.0, 0.0])
    over = jax.vmap(lambda tree, weight: mean_over("client", tree, weight), axis_name="client")
    for mean in (weighted_mean(trees, weights), over(trees, weights)):
        assert mean["a"].dtype == dtype
        assert set(np.asarray(mean["a"], np.float32).ravel().tolist()) == {100.0}
    ones = jnp.ones(3, dtype)
    assert float(weighted_mean(ones, jnp.full(3, 257, jnp.bfloat16))) == 1


def test_means_of_whole_numbers_are_refused_by_name():
    for mean in (weighted_mean, jax.vmap(lambda t, w: mean_over("c", t, w), axis_name="c")):
        with pytest.raises(ExperimentError, match=r"'steps'.* holds int32"):
            mean({"steps": jnp.arange(2)}, jnp.ones(2))


def squared(params, examples, key):
    return 0.5 * jnp.mean((params - examples) ** 2)


def test_examples_are_stacked_with_every_client_repeating_its_own():
    clients = stacked({"x": np.arange(6.0)}, (np.array([0]), np.array([1, 2, 3]), np.array([4, 5])))
    assert np.array_equal(clients.examples["x"], [[0, 0, 0], [1, 2, 3], [4, 5, 4]])
    assert clients.counts.tolist() == [1, 3, 2]
    wider = stacked({"x": np.arange(6.0)}, (np.array([4, 5]),), most=5)
    assert np.array_equal(wider.examples["x"], [[4, 5, 4, 5, 4]])
    with pytest.raises(ExperimentError, match="2 examples, more than 1"):
        stacked(np.arange(6.0), (np.array([4, 5]),), most=1)
    with pytest.raises(ExperimentError, match="at least one"):
        stacked(np.arange(3.0), (np.array([0]), np.array([], int)))
    for wrong in ([3], [-1], [0.5]):
        with pytest.raises(ExperimentError, match="beyond the 3"):
            stacked(np.arange(3.0), (np.array([0]), np.array(wrong)))


def test_fedavg_ends_in_the_weighted_mean_and_a_proximal_term_changes_the_way_not_the_end():
    # A client's examples are all alike, so that drawing them is no noise; 3 + 1 + 2 examples.
    values, parts = (
        np.array([1.0, 1, 1, 5, -2, -2]),
        (np.arange(3), np.arange(3, 4), np.arange(4, 6)),
    )
    clients = stacked(values, parts)
    training = LocalTraining(squared, optax.sgd(0.5), steps=3, batch=2)
    ends, ways = [], []
    for proximal in (0.0, 1.0):
        after, losses, seen = federated_training(
            training, jnp.zeros(()), clients, jax.random.key(0), rounds=40, proximal=proximal,
            evaluate=abs,
        )  # fmt: skip
        ends.append(float(after))
        ways.append(float(seen[0]))
        assert losses.shape == (40, 3)
        assert seen.shape == (40,)
    # Every client moves by the same share of its distance, so the end is the mean over examples.
    np.testing.assert_allclose(ends, values.mean(), rtol=1e-5)
    # After one round: 7/8 of the way without the term; with it, each step is (b - 2 w) / 2 + w = b / 2.
    np.testing.assert_allclose(ways, [values.mean() * 7 / 8, values.mean() / 2], rtol=1e-5)


def test_who_does_not_take_part_has_no_influence_and_a_round_without_anybody_changes_nothing():
    clients = stacked(np.array([1.0, 5.0]), (np.array([0]), np.array([1])))
    training = LocalTraining(squared, optax.sgd(1.0), steps=1, batch=1)
    taking = np.array([[0.0, 1], [0, 0], [1, 1]])
    _, _, seen = federated_training(
        training, jnp.zeros(()), clients, jax.random.key(0), rounds=3, participation=taking,
        evaluate=jnp.asarray,
    )  # fmt: skip
    np.testing.assert_allclose(seen, [5, 5, 3], rtol=1e-6)
    with pytest.raises(ExperimentError, match=r"2 rounds of 2 clients .* \(3, 2\)"):
        federated_training(
            training, jnp.zeros(()), clients, jax.random.key(0), rounds=2, participation=taking
        )
    for wrong in (-0.5, np.nan):
        with pytest.raises(ExperimentError, match=f"not {wrong}"):
            federated_training(
                training, jnp.zeros(()), clients, jax.random.key(0), rounds=1,
                participation=np.array([[1, wrong]]),
            )  # fmt: skip
    with pytest.raises(ExperimentError, match="no 0 steps"):
        LocalTraining(squared, optax.sgd(1.0), steps=0, batch=1)


def test_only_a_clients_own_examples_are_drawn():
    training = LocalTraining(squared, optax.sgd(1.0), steps=1, batch=64)
    examples = jnp.array([1.0, 1.0, 1000.0])
    after, losses = local_update(training, jnp.zeros(()), examples, jnp.int32(2), jax.random.key(0))
    assert float(after) == 1
    assert losses.tolist() == [0.5]


@pytest.mark.parametrize("dtype", [jnp.float16, jnp.bfloat16])
def test_a_model_in_half_precision_keeps_its_type_through_adam_and_a_proximal_term(dtype):
    training = LocalTraining(squared, optax.adam(0.1), steps=2, batch=1)
    after = jax.eval_shape(
        lambda proximal: local_update(
            training, jnp.zeros((), dtype), jnp.ones(1), jnp.int32(1), jax.random.key(0), proximal
        )[0],
        jax.ShapeDtypeStruct((), jnp.float32),
    )
    assert after.dtype == dtype
