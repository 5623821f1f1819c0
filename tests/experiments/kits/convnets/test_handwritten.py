"""Sums of products that a model writes out are counted, and what only looks like them is not."""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
import pytest

from experiments.kits.convnets.walker import walk, walk_function
from experiments.kits.convnets.xla import layer_by_xla


def shape(*sizes):
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def function(run, *shapes, **variables):
    return walk_function(run, {"params": variables}, *(shape(*each) for each in shapes))


def _windows(x, size=3):
    padded = jnp.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    places = [(i, j) for i in range(size) for j in range(size)]
    return [padded[:, i : i + x.shape[1], j : j + x.shape[2]] for i, j in places]


WRITTEN = {
    "summed": (lambda v, x, w: (w * jnp.stack(_windows(x), 3)).sum(3), (1, 4, 4, 9, 2)),
    "tap by tap": (
        lambda v, x, w: sum(w[..., k, :] * each for k, each in enumerate(_windows(x))),
        (1, 4, 4, 9, 2),
    ),
    "shared over channels": (
        lambda v, x, w: sum(w[..., k, None] * each for k, each in enumerate(_windows(x))),
        (1, 4, 4, 9),
    ),
    "reshaped and added to": (
        lambda v, x, w: (
            sum(w[..., k, :] * each for k, each in enumerate(_windows(x))).reshape(1, 16, 2) - 1
        ),
        (1, 4, 4, 9, 2),
    ),
}


@pytest.mark.parametrize(("run", "weights"), WRITTEN.values(), ids=WRITTEN)
def test_sums_that_are_written_out_are_counted(run, weights):
    found = function(run, (1, 4, 4, 2), weights)
    (layer,) = found.layers
    assert (layer.kind, layer.multiplications) == ("sum", 16 * 9 * 2)
    assert layer.multiplications == layer_by_xla(layer)


@pytest.mark.parametrize(("run", "weights"), WRITTEN.values(), ids=WRITTEN)
def test_slices_of_one_picture_read_it_once(run, weights):
    (layer,) = function(run, (1, 4, 4, 2), weights).layers
    assert set(layer.inputs) == {(1, 4, 4, 2), weights}
    assert len(layer.inputs) == 2
    assert layer.memory_access == 32 + math.prod(weights) + 32


def test_slices_read_no_more_than_they_have_and_two_pictures_are_two():
    def run(variables, x, y):
        part = y[:, 2:4]
        return x[:, :2] * part + x[:, 1:3] * part

    (layer,) = function(run, (1, 10), (1, 10)).layers
    assert layer.inputs == ((1, 10), (1, 10))
    assert layer.memory_access == 4 + 2 + 2


def test_a_convolution_written_with_a_kernel_is_counted_and_scaled_activations_are_not():
    def taps(variables, x):
        kernel = variables["params"]["k"]
        return sum(kernel[k] * each for k, each in enumerate(_windows(x)))

    (layer,) = function(taps, (1, 4, 4, 2), k=shape(9, 1, 1, 1, 2)).layers
    assert (layer.kind, layer.multiplications, layer.parameters) == ("sum", 16 * 9 * 2, 18)

    class Scaled(nn.Module):
        """Two normalised branches added, squeeze and excitation, a mean of what is scaled."""

        @nn.compact
        def __call__(self, x):
            norm = {"use_running_average": True}
            x = nn.BatchNorm(**norm)(x) + nn.BatchNorm(**norm)(jnp.tanh(x))
            gate = nn.sigmoid(nn.LayerNorm()(x.mean((1, 2))))
            return (x * gate[:, None, None, :]).mean((1, 2))

    found = walk(Scaled(), shape(1, 4, 4, 2))
    assert {layer.kind for layer in found.layers} == {"other"}
    assert found.multiplications == found.memory_access == 0
    assert found.parameters == 12
