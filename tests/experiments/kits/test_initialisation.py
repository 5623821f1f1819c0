"""Values drawn by NumPy have the moments of Flax's own, and nothing unknown is guessed."""

import flax.linen as nn
import jax
import numpy as np
import pytest
from flax.linen import initializers

from experiments.kits.initialisation import (
    FLAX,
    TORCH,
    glorot_normal,
    glorot_uniform,
    he_normal,
    initial_by_numpy,
    lecun_normal,
)
from ntkexec.errors import ExperimentError


class Small(nn.Module):
    """A convolution, a batch norm, a dense layer and an embedding."""

    @nn.compact
    def __call__(self, x, words):
        x = nn.BatchNorm(use_running_average=True)(nn.Conv(5, (3, 3), name="conv")(x))
        return nn.Dense(4, name="out")(x.mean((1, 2))) + nn.Embed(6, 4)(words)


INPUTS = (np.zeros((2, 8, 8, 3), np.float32), np.zeros(2, np.int32))


def test_variables_have_the_structure_types_and_constants_of_flax():
    found = initial_by_numpy(Small(), np.random.default_rng(0), *INPUTS)
    expected = jax.eval_shape(Small().init, jax.random.key(0), *INPUTS)
    assert jax.tree.structure(found) == jax.tree.structure(expected)
    assert jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), found) == jax.tree.map(
        lambda leaf: (leaf.shape, leaf.dtype), expected
    )
    assert (found["params"]["out"]["bias"] == 0).all()
    assert (found["batch_stats"]["BatchNorm_0"]["var"] == 1).all()
    Small().apply(found, *INPUTS)


@pytest.mark.parametrize("shape", [(30, 200), (3, 3, 10, 60)])
@pytest.mark.parametrize(
    ("rule", "flax"),
    [
        (lecun_normal, initializers.lecun_normal()),
        (he_normal, initializers.he_normal()),
        (glorot_normal, initializers.glorot_normal()),
        (glorot_uniform, initializers.glorot_uniform()),
    ],
)
def test_moments_and_bounds_are_those_of_flax(rule, flax, shape):
    found = rule(np.random.default_rng(0), shape, int(np.prod(shape[:-1])))
    expected = np.asarray(flax(jax.random.key(0), shape))
    # The deviation of a deviation of 5,400 numbers is about 1 %.
    assert found.std() == pytest.approx(expected.std(), rel=0.05)
    assert abs(found.mean()) < 5 * found.std() / np.sqrt(found.size)
    assert np.abs(found).max() == pytest.approx(np.abs(expected).max(), rel=0.02)


def test_a_rule_for_the_end_of_a_path_goes_before_one_for_a_name():
    rules = {**TORCH, "out/kernel": lambda generator, shape, fan_in: np.full(shape, fan_in)}
    found = initial_by_numpy(Small(), np.random.default_rng(0), *INPUTS, rules=rules)
    assert (found["params"]["out"]["kernel"] == 5).all()
    # PyTorch draws a bias within 1 / sqrt(inputs) of its layer.
    bias = np.abs(found["params"]["conv"]["bias"])
    assert 0 < bias.max() < 1 / np.sqrt(27)


def test_a_leaf_without_a_rule_is_named():
    class Odd(nn.Module):
        @nn.compact
        def __call__(self, x):
            return x * self.param("temperature", initializers.ones, (1,))

    with pytest.raises(ExperimentError, match=r"no rule says how 'params/temperature' begins"):
        initial_by_numpy(Odd(), np.random.default_rng(0), np.zeros(3))
    found = initial_by_numpy(
        Odd(), np.random.default_rng(0), np.zeros(3), rules={"temperature": FLAX["scale"]}
    )
    assert found["params"]["temperature"] == 1


def test_a_kernel_whose_inputs_its_shape_does_not_tell_is_refused():
    heads = nn.DenseGeneral((2, 4))
    with pytest.raises(ExperimentError, match=r"shape \(3, 2, 4\)"):
        initial_by_numpy(heads, np.random.default_rng(0), np.zeros((1, 3)))
