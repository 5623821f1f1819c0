"""Scaled gradients: as an Optax transformation, inside a Flax layer, and against real branches."""

import functools

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.vision.sgs import (
    ACB,
    PLAIN,
    REPVGG,
    Branch,
    BranchedConv,
    NormalisedBlock,
    ScaledConv,
    at_kernels,
    audit,
    merge,
    model_scalings,
    normalised,
    predicted_scaling,
    scale_gradient,
    spatial_gradient_scaling,
    with_scalings,
)
from experiments.vision.sgs.audit import _outputs_and_slopes
from experiments.vision.sgs.branches import sgd
from experiments.vision.sgs.exact import random_branches, random_loss, trajectories
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

S = normalised(predicted_scaling(ACB))


def random_start(seed):
    key = jax.random.key(seed)
    branches = random_branches(np.random.default_rng(seed), rates=False)
    start = jax.random.normal(key, (len(branches), 3, 3, 2, 3))
    return branches, list(start), random_loss(jax.random.fold_in(key, 1))


def test_a_scaled_kernel_follows_real_branches_and_an_unscaled_one_does_not(monkeypatch):
    options = {"momentum": 0.9, "decay": 5e-4, "nesterov": True}
    with float64():
        branches, start, loss = random_start(0)
        branched, scaled = trajectories(loss, branches, start, 60, **options)
        # 60 steps of float64 rounding.
        np.testing.assert_allclose(branched, scaled, atol=1e-13)
        assert float(jnp.abs(branched[-1] - merge(branches, start)).max()) > 0.01
        one = lambda given: np.full((3, 3), predicted_scaling(given).mean())  # noqa: E731
        monkeypatch.setattr("experiments.vision.sgs.exact.predicted_scaling", one)
        _, plain = trajectories(loss, branches, start, 60, **options)
        assert float(jnp.abs(branched - plain).max()) > 1e-3


def test_named_blocks_have_their_scalings():
    np.testing.assert_allclose(S, [[0.6, 1.2, 0.6], [1.2, 1.8, 1.2], [0.6, 1.2, 0.6]], atol=1e-15)
    repvgg = normalised(predicted_scaling(REPVGG))
    np.testing.assert_allclose(repvgg, [[0.9] * 3, [0.9, 1.8, 0.9], [0.9] * 3], atol=1e-15)
    np.testing.assert_array_equal(predicted_scaling(PLAIN), np.ones((3, 3)))


def test_every_scaling_is_that_of_single_pixel_branches():
    wanted = np.random.default_rng(0).uniform(0.1, 2, (3, 3))
    pixels = np.eye(9, dtype=int).reshape(9, 3, 3)
    branches = [
        Branch(tuple(map(tuple, mask.tolist())), scale=float(a**0.5))
        for mask, a in zip(pixels, wanted.ravel())
    ]
    np.testing.assert_allclose(predicted_scaling(branches), wanted, rtol=1e-12)


def params():
    return {
        "Conv_0": {"kernel": jnp.ones((3, 3, 2, 4)), "bias": jnp.ones(4)},
        "Conv_1": {"kernel": jnp.ones((1, 1, 4, 4))},
        "Dense_0": {"kernel": jnp.ones((4, 2))},
    }


def test_only_spatial_kernels_are_scaled():
    transform = spatial_gradient_scaling(at_kernels(params(), {"Conv_0/kernel": S}))
    updates, _ = transform.update(params(), transform.init(params()))
    expected = params()
    expected["Conv_0"]["kernel"] = jnp.broadcast_to(S[:, :, None, None], (3, 3, 2, 4))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6), updates, expected)


def test_without_scalings_nothing_changes():
    transform = spatial_gradient_scaling()
    updates, _ = transform.update(params(), transform.init(params()))
    jax.tree.map(np.testing.assert_array_equal, updates, params())


def test_scalings_are_replaced_inside_a_chain():
    optimiser = optax.chain(spatial_gradient_scaling(), optax.sgd(1.0, momentum=0.9))
    state = with_scalings(optimiser.init(params()), at_kernels(params(), {"Conv_0/kernel": S}))
    updates, _ = jax.jit(optimiser.update)(params(), state)
    np.testing.assert_allclose(updates["Conv_0"]["kernel"][:, :, 0, 0], -S, rtol=1e-6)
    with pytest.raises(ExperimentError, match="not 0"):
        with_scalings(optax.sgd(1.0).init(params()), {})


@pytest.mark.parametrize(
    "scaling, says",
    [
        (2 * S, "Conv_0/kernel has the mean 2, not 1"),
        (np.ones((5, 5)), r"Conv_0/kernel needs a scaling of shape \(3, 3\)"),
        (S - 1, "Conv_0/kernel has the entry -0.4"),
    ],
)
def test_scalings_that_do_not_fit_are_refused(scaling, says):
    with pytest.raises(ExperimentError, match=says):
        at_kernels(params(), {"Conv_0/kernel": scaling})


def test_a_path_to_no_kernel_is_refused():
    with pytest.raises(ExperimentError, match="'Conv_9/kernel' is the path of no parameter"):
        at_kernels(params(), {"Conv_9/kernel": S})


def test_a_scaled_gradient_inside_the_model_equals_the_transformation():
    images = jax.random.normal(jax.random.key(0), (4, 6, 6, 2))
    scaled, plain = ScaledConv(3), nn.Conv(3, (3, 3))
    variables = scaled.init(jax.random.key(1), images)
    variables = {**variables, "scalings": {"kernel": jnp.asarray(S, jnp.float32)}}

    def loss(params, model, rest):
        return jnp.sum(jnp.tanh(model.apply({"params": params, **rest}, images)))

    rest = {"scalings": variables["scalings"]}
    inside, value = (f(loss)(variables["params"], scaled, rest) for f in (jax.grad, lambda f: f))
    outside = jax.grad(loss)(variables["params"], plain, {})
    np.testing.assert_allclose(value, loss(variables["params"], plain, {}), rtol=1e-6)
    transform = spatial_gradient_scaling(at_kernels(variables["params"], {"kernel": S}))
    expected, _ = transform.update(outside, transform.init(variables["params"]))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), inside, expected
    )


def test_a_scaled_gradient_is_exact_forward_and_backward():
    kernel = jax.random.normal(jax.random.key(0), (3, 3, 2, 2))
    scaling = jnp.asarray(S, jnp.float32)
    np.testing.assert_array_equal(scale_gradient(kernel, scaling), kernel)
    backward = jax.grad(lambda k: jnp.sum(scale_gradient(k, scaling) ** 2))(kernel)
    np.testing.assert_allclose(backward, 2 * scaling[:, :, None, None] * kernel, rtol=1e-6)
    forward = jax.jvp(lambda k: scale_gradient(k, scaling), (kernel,), (jnp.ones_like(kernel),))[1]
    np.testing.assert_allclose(forward, jnp.broadcast_to(scaling[:, :, None, None], kernel.shape))


def test_refreshing_a_layer_measures_its_scaling_and_any_models_scalings_are_overheard():
    images = jax.random.normal(jax.random.key(0), (8, 8, 8, 2))
    layer = ScaledConv(3)
    variables = layer.init(jax.random.key(1), images)
    np.testing.assert_array_equal(variables["scalings"]["kernel"], np.ones((3, 3)))
    refresh = functools.partial(layer.apply, refresh=True, mutable=["scalings"])
    _, changed = jax.jit(refresh)(variables, images)
    found = changed["scalings"]["kernel"]
    assert found[1, 1] == found.max() > 2
    plain = nn.Sequential([nn.Conv(3, (3, 3)), nn.relu, nn.Conv(2, (1, 1)), nn.Conv(2, (3, 3))])
    start = plain.init(jax.random.key(2), images)
    heard = jax.jit(lambda variables: model_scalings(plain, variables, images))(start)
    assert set(heard) == {"layers_0/kernel", "layers_3/kernel"}
    # Two compiled programs sum in float32 in different orders, and a scaling is a ratio of small
    # differences of logarithms: some hundred roundings.
    np.testing.assert_allclose(heard["layers_0/kernel"], found, rtol=1e-4)


def test_masks_and_rates_that_make_no_branch_are_refused():
    with pytest.raises(ExperimentError, match="0 and 1"):
        Branch(((2, 0), (0, 0)))
    with pytest.raises(ExperimentError, match="is positive, not 0"):
        Branch(((1,),), rate=0)


def test_coupled_decay_is_pytorchs():
    # One step: v = g + decay w; w - rate v.
    weights, gradient = jnp.float32(2.0), jnp.float32(3.0)
    optimiser = sgd(0.1, momentum=0.9, decay=0.5)
    updates, _ = optimiser.update(gradient, optimiser.init(weights), weights)
    assert float(updates) == pytest.approx(-0.1 * (3 + 0.5 * 2))


@pytest.mark.slow
def test_the_auditor_tells_what_trains_like_a_scaled_kernel_and_what_does_not():
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

    def found(module, **arguments):
        return audit(module, channels=2, key=jax.random.key(0), **arguments)

    np.testing.assert_allclose(found(nn.Conv(2, (3, 3))).scaling, np.ones((3, 3)), atol=1e-8)
    linear = found(BranchedConv(3, ACB))
    np.testing.assert_allclose(linear.scaling, predicted_scaling(ACB), atol=1e-8)
    assert linear.residual < 1e-10
    assert "scaling" in str(linear)
    expected = 1 / 81 * np.ones((9, 9)) + np.eye(9)
    np.testing.assert_allclose(found(Pooled()).preconditioner, expected, atol=1e-8)
    assert found(Pooled()).scaling is None
    assert found(Serial()).violation == "not linear in weights"
    assert found(Depthwise()).violation == "channels"
    assert found(nn.Sequential([nn.Conv(3, (3, 3)), nn.relu])).violation == "not a convolution"
    published = found(NormalisedBlock(2, "acb"), train=True)
    assert published.violation == "batch"
    assert published.residual > 0.01
    assert "beyond any scaling" in str(published)


def test_a_block_is_compiled_once_for_all_keys_and_by_what_it_is():
    def audited(module, seed):
        audit(module, channels=1, key=jax.random.key(seed))
        return _outputs_and_slopes._cache_size()

    start = audited(nn.Sequential([nn.Conv(1, (3, 3))]), 0)
    assert audited(nn.Sequential([nn.Conv(1, (3, 3))]), 1) == start
    assert audited(nn.Sequential([nn.Conv(2, (3, 3))]), 1) == start + 1
