"""Blocks of branches: what they merge into, how they are audited, and how networks of them train."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.images import digits
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.sgs import ACB, BranchedConv, audit, merged, predicted_scaling
from experiments.vision.sgs.auditor import _outputs_and_slopes
from experiments.vision.sgs.branches import convolve
from experiments.vision.sgs.layers import BLOCKS, Network
from experiments.vision.sgs.training import Course, fit
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS)
def test_a_trained_block_is_one_kernel_and_a_bias(block):
    generator = np.random.default_rng(1)
    images, module = generator.normal(size=(3, 8, 7, 4)), BranchedConv(4, block)
    with float64():
        start = initial_by_numpy(module, generator, jnp.asarray(images), train=True)
        # Random statistics and scales, as training leaves them.
        variables = jax.tree.map(
            lambda leaf: leaf * generator.uniform(0.5, 1.5, leaf.shape) + 0.1, start
        )

        @jax.jit
        def apart(variables):
            kernel, bias = merged(module, variables, channels=4)
            one = convolve(images, kernel) + bias[None, None, None]
            return jnp.abs(one - module.apply(variables, images, train=False))

        found = np.asarray(apart(variables))
    assert found[:, 1:-1, 1:-1].max() < 1e-12
    # Branches of two layers pad what lies between them with zeros, not with its value there.
    assert (found.max() < 1e-12) == (block != "dbb")


def test_unknown_blocks_are_refused():
    with pytest.raises(ExperimentError, match="'acbb'"):
        BranchedConv(2, "acbb").init(jax.random.key(0), jnp.zeros((1, 4, 4, 2)))


def audited(module, seed=0, channels=2, **arguments):
    return audit(module, channels=channels, key=jax.random.key(seed), **arguments)


def test_the_auditor_finds_the_scaling_of_linear_branches_and_compiles_it_once():
    found = audited(BranchedConv(2, "acb", normalised=False))
    np.testing.assert_allclose(found.scaling, predicted_scaling(ACB), atol=1e-8)
    assert found.residual < 1e-10
    assert "scaling" in str(found)
    compiled = _outputs_and_slopes._cache_size()
    again = audited(BranchedConv(2, "acb", normalised=False), seed=1)
    np.testing.assert_allclose(again.scaling, found.scaling, atol=1e-8)
    assert _outputs_and_slopes._cache_size() == compiled


@pytest.mark.slow
def test_the_auditor_tells_what_trains_like_a_scaled_kernel_and_what_does_not():
    class Factored(nn.Module):
        @nn.compact
        def __call__(self, x):
            factor = self.param("factor", nn.initializers.ones_init(), (1, 1, 1, 1))
            return factor * nn.Conv(3, (3, 3), use_bias=False)(x)

    class Serial(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Conv(3, (3, 3), use_bias=False)(nn.Conv(2, (1, 1), use_bias=False)(x))

    class Pooled(nn.Module):
        @nn.compact
        def __call__(self, x):
            mean = nn.avg_pool(nn.Conv(3, (1, 1), use_bias=False)(x), (3, 3), (1, 1), "SAME")
            return nn.Conv(3, (3, 3))(x) + mean

    class Depthwise(nn.Module):
        @nn.compact
        def __call__(self, x):
            return nn.Conv(2, (3, 3))(x) + nn.Conv(2, (3, 3), feature_group_count=2)(x)

    np.testing.assert_allclose(audited(nn.Conv(2, (3, 3))).scaling, np.ones((3, 3)), atol=1e-8)
    expected = 1 / 81 * np.ones((9, 9)) + np.eye(9)
    np.testing.assert_allclose(audited(Pooled()).preconditioner, expected, atol=1e-8)
    assert audited(Pooled()).scaling is None
    assert audited(Factored()).violation == "not linear in weights"
    assert audited(Serial()).violation == "not linear in weights"
    assert audited(Depthwise()).violation == "channels"
    assert audited(nn.Sequential([nn.Conv(3, (3, 3)), nn.relu])).violation == "not a convolution"
    assert audited(BranchedConv(2, "dbb"), train=True).violation == "not a convolution"
    published = audited(BranchedConv(2, "acb"), train=True)
    assert published.violation == "batch"
    assert published.residual > 0.01
    assert "beyond any scaling" in str(published)


@pytest.mark.slow
def test_scaled_training_is_another_one_and_both_learn():
    generator = np.random.default_rng(0)
    images = digits(num_train=256, generator=generator)
    model, course = Network((8, 16), images.num_classes), Course(32, 4, 40, 32)
    start = initial_by_numpy(model, generator, images.train[:2], train=True)
    found = {
        scaled: fit(model, start, images, course, scaled=scaled, key=jax.random.key(0), rate=0.1)
        for scaled in (False, True)
    }
    for right, losses in found.values():
        assert right.shape == images.test_labels.shape
        assert losses.shape == (160,)
        assert losses[-10:].mean() < losses[:10].mean() - 0.1
    assert found[True][1][0] == found[False][1][0]
    assert (found[True][1][2:] != found[False][1][2:]).all()
