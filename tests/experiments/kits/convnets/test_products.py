"""Convolutions as products: the same outputs, gradients and variables as Flax's own."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.convnets.layers import ConvBN
from experiments.kits.convnets.products import ByProducts, convolve
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


class Stack(nn.Module):
    """Every kind of convolution that networks here have."""

    @nn.compact
    def __call__(self, images, *, train=False):
        x = ConvBN(8, (5, 3), (2, 1))(images, train=train)
        x = ConvBN(8, 3, 2, groups=8)(x, train=train)
        x = ConvBN(12, 3, groups=4)(x, train=train)
        x = ConvBN(12, 1, 2)(x, train=train)
        x = nn.Conv(6, (2, 2), padding="SAME")(x)
        x = nn.Conv(6, (3, 3), padding=[(1, 2), (0, 1)], kernel_dilation=2)(x)
        return nn.Conv(4, (2, 2), padding="VALID", use_bias=False)(x)


def test_products_give_what_convolutions_give_with_the_same_variables_and_gradients():
    generator = np.random.default_rng(0)
    images = generator.normal(size=(2, 19, 22, 4))
    with float64():
        model, given = Stack(), jnp.asarray(images)
        variables = initial_by_numpy(model, generator, given)
        shapes = jax.eval_shape(lambda: ByProducts(model).init(jax.random.key(0), given))
        assert jax.tree.structure(shapes) == jax.tree.structure(variables)

        def loss(network):
            def run(params):
                found = network.apply({**variables, "params": params}, given)
                return (found**2).sum(), found

            return jax.jit(jax.value_and_grad(run, has_aux=True))(variables["params"])

        (_, one), gradient = loss(model)
        (_, other), same = loss(ByProducts(model))
        np.testing.assert_allclose(other, one, rtol=0, atol=1e-12 * np.abs(one).max())
        for left, right in zip(jax.tree.leaves(gradient), jax.tree.leaves(same), strict=True):
            np.testing.assert_allclose(right, left, rtol=0, atol=1e-12 * np.abs(left).max())


def test_only_what_is_dilated_stays_a_convolution():
    given = jax.ShapeDtypeStruct((1, 19, 22, 4), jnp.float32)
    model = ByProducts(Stack())
    variables = jax.eval_shape(lambda x: model.init(jax.random.key(0), x), given)
    traced = str(jax.make_jaxpr(model.apply)(variables, given))
    assert traced.count("conv_general_dilated[") == 1


def test_a_kernel_that_does_not_fit_is_refused():
    with pytest.raises(ExperimentError, match="3 groups"):
        convolve(jnp.zeros((1, 4, 4, 6)), jnp.zeros((1, 1, 6, 6)), groups=3)
