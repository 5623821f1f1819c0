"""Two branches and the one convolution that they are, also where both are strided."""

import jax
import numpy as np
import pytest

from experiments.kits.convnets.reparameterised import RepConv, merged
from experiments.kits.costs import num_parameters
from experiments.kits.initialisation import initial_by_numpy
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


@pytest.mark.parametrize(("kernel", "strides"), [(3, 1), (3, 2), (5, 2)])
def test_the_merged_convolution_is_the_sum_of_its_branches(kernel, strides):
    generator = np.random.default_rng(0)
    images = generator.normal(size=(2, 6, 8, 3))
    layer = RepConv(4, kernel, strides, epsilon=1e-3)
    with float64():
        given = initial_by_numpy(layer, generator, images)
        drawn = jax.tree.map(lambda x: x + generator.uniform(0.1, 1, x.shape), given)
        few = merged(drawn, epsilon=1e-3)
        two, one = (np.asarray(layer.apply(variables, images)) for variables in (drawn, few))
    np.testing.assert_allclose(one, two, rtol=1e-12, atol=1e-12)
    assert num_parameters(few["params"]) == (3 * kernel**2 + 1) * 4
    assert not few.get("batch_stats")


def test_a_window_without_a_centre_is_refused():
    with pytest.raises(ExperimentError, match="a window of 4 has no centre"):
        jax.eval_shape(RepConv(4, 4).init, jax.random.key(0), np.ones((1, 8, 8, 3), np.float32))
