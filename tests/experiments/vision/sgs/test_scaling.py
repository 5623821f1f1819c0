"""Scaled gradients: as an Optax transformation, inside a Flax layer, and what scalings may be."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.vision.sgs import (
    ACB,
    REPVGG,
    Branch,
    ScaledConv,
    at_kernels,
    model_scalings,
    predicted_scaling,
    spatial_gradient_scaling,
    with_scalings,
)
from experiments.vision.sgs.branches import adam_scaling, branch_optimiser, merge, normalised, sgd
from experiments.vision.sgs.scaling import scale_gradient, spatial_update_scaling
from experiments.vision.sgs.study_exact import descend, random_branches, scaled_descent
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

S = normalised(predicted_scaling(ACB))


def params():
    shapes = {
        "Conv_0": {"kernel": (3, 3, 2, 4), "bias": (4,)},
        "Conv_1": {"kernel": (1, 1, 4, 4)},
        "Dense_0": {"kernel": (4, 2)},
    }
    return {
        layer: {name: np.ones(shape, np.float32) for name, shape in leaves.items()}
        for layer, leaves in shapes.items()
    }


def test_named_blocks_have_their_scalings():
    np.testing.assert_allclose(S, [[0.6, 1.2, 0.6], [1.2, 1.8, 1.2], [0.6, 1.2, 0.6]], atol=1e-15)
    repvgg = normalised(predicted_scaling(REPVGG))
    np.testing.assert_allclose(repvgg, [[0.9] * 3, [0.9, 1.8, 0.9], [0.9] * 3], atol=1e-15)


def test_every_scaling_is_that_of_single_pixel_branches():
    wanted = np.random.default_rng(0).uniform(0.1, 2, (3, 3))
    pixels = np.eye(9, dtype=int).reshape(9, 3, 3)
    branches = [
        Branch(tuple(map(tuple, mask.tolist())), scale=float(a**0.5))
        for mask, a in zip(pixels, wanted.ravel())
    ]
    np.testing.assert_allclose(predicted_scaling(branches), wanted, rtol=1e-12)


def test_masks_and_rates_that_make_no_branch_are_refused():
    with pytest.raises(ExperimentError, match="0 and 1"):
        Branch(((2, 0), (0, 0)))
    with pytest.raises(ExperimentError, match="is positive, not 0"):
        Branch(((1,),), rate=0)


def test_scalings_are_replaced_inside_a_chain_and_scale_spatial_kernels_alone():
    optimiser = optax.chain(spatial_gradient_scaling(), optax.sgd(1.0, momentum=0.9))
    start = optimiser.init(params())
    plain, _ = optimiser.update(params(), start)
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a, -b), plain, params())
    state = with_scalings(start, at_kernels(params(), {"Conv_0/kernel": S}))
    updates, _ = optimiser.update(params(), state)
    expected = params()
    expected["Conv_0"]["kernel"] = np.broadcast_to(S[:, :, None, None], (3, 3, 2, 4))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, -b, rtol=1e-6), updates, expected)
    with pytest.raises(ExperimentError, match="not 0"):
        with_scalings(optax.sgd(1.0).init(params()), {})


@pytest.mark.parametrize(
    "path, scaling, says",
    [
        ("Conv_0", 2 * S, "Conv_0/kernel has the mean 2, not 1"),
        ("Conv_0", np.ones((5, 5)), r"Conv_0/kernel needs a scaling of shape \(3, 3\)"),
        ("Conv_0", S - 1, "Conv_0/kernel has the entry -0.4"),
        ("Conv_9", S, "'Conv_9/kernel' is the path of no parameter"),
    ],
)
def test_scalings_that_do_not_fit_are_refused(path, scaling, says):
    with pytest.raises(ExperimentError, match=says):
        at_kernels(params(), {f"{path}/kernel": scaling})


def test_a_scaled_gradient_is_exact_forward_and_backward():
    kernel = jnp.asarray(np.random.default_rng(0).normal(size=(3, 3, 2, 2)), jnp.float32)
    scaling = jnp.asarray(S, jnp.float32)
    value, pullback = jax.vjp(lambda k: scale_gradient(k, scaling), kernel)
    np.testing.assert_array_equal(value, kernel)
    wanted = scaling[:, :, None, None] * kernel
    np.testing.assert_allclose(pullback(kernel)[0], wanted, rtol=1e-6)
    forward = jax.jvp(lambda k: scale_gradient(k, scaling), (kernel,), (kernel,))[1]
    np.testing.assert_allclose(forward, wanted, rtol=1e-6)


def test_coupled_decay_is_pytorchs():
    # One step: v = g + decay w; w - rate v.
    optimiser = sgd(0.1, momentum=0.9, decay=0.5)
    updates, _ = optimiser.update(np.float32(3), optimiser.init(np.float32(2)), np.float32(2))
    assert float(updates) == pytest.approx(-0.1 * (3 + 0.5 * 2))


@pytest.mark.slow
def test_nesterov_too_follows_branches_and_adam_where_its_update_is_scaled():
    generator = np.random.default_rng(0)
    branches = random_branches(generator, rates=False)
    factors = {"sgd": predicted_scaling(branches), "adam": adam_scaling(branches)}

    def nesterov(rate):
        return sgd(rate, momentum=0.9, nesterov=True)

    def adam(rate):
        # Epsilon 0 and 0 / 0 = 0: off their masks, branches have gradients of exactly 0.
        moments = optax.scale_by_adam(eps=0.0)
        finite = optax.stateless(
            lambda updates, _: jax.tree.map(lambda u: jnp.nan_to_num(u, posinf=0), updates)
        )
        return optax.chain(moments, finite, optax.scale(-rate))

    def after(rate):
        mean = factors["adam"].mean()
        chain = optax.chain(adam(rate * mean), spatial_update_scaling())
        scaling = jnp.asarray(factors["adam"] / mean)
        return optax.GradientTransformation(
            lambda kernel: with_scalings(chain.init(kernel), scaling), chain.update
        )

    def before(make, rate):
        mean = factors["sgd"].mean()
        return scaled_descent(jnp.asarray(factors["sgd"] / mean), make(rate * mean))

    with float64():
        weights = list(jnp.asarray(generator.normal(size=(len(branches), 3, 3, 2, 3))))
        goal = jnp.asarray(generator.normal(size=(3, 3, 2, 3)))

        @jax.jit
        def deviations():
            def loss(kernel):
                return jnp.sum(jnp.tanh(kernel - goal) ** 2)

            def whole(us):
                return merge(branches, us)

            found = {}
            for name, make, one in (
                ("nesterov", nesterov, before(nesterov, 0.01)),
                ("adam", adam, after(0.01)),
                ("adam before", adam, before(adam, 0.01)),
            ):
                many = branch_optimiser(branches, make, 0.01)
                branched = descend(lambda us: loss(whole(us)), weights, many, 60, whole)
                found[name] = jnp.abs(branched - descend(loss, whole(weights), one, 60)).max()
            return found

        found = {name: float(value) for name, value in deviations().items()}
    # 60 steps of float64 rounding; Adam's own scale undoes that of its gradient.
    assert max(found["nesterov"], found["adam"]) < 1e-12
    assert found["adam before"] > 1e-3


@pytest.mark.slow
def test_a_scaled_layer_equals_the_transformation_and_any_models_scalings_are_overheard():
    images = jax.random.normal(jax.random.key(0), (8, 8, 8, 2))
    scaled, plain = ScaledConv(3), nn.Conv(3, (3, 3))
    variables = scaled.init(jax.random.key(1), images)
    np.testing.assert_array_equal(variables["scalings"]["kernel"], np.ones((3, 3)))
    rest = {"scalings": {"kernel": jnp.asarray(S, jnp.float32)}}

    def loss(params, model, rest):
        return jnp.sum(jnp.tanh(model.apply({"params": params, **rest}, images)))

    inside = jax.grad(loss)(variables["params"], scaled, rest)
    outside = jax.grad(loss)(variables["params"], plain, {})
    transform = spatial_gradient_scaling(at_kernels(variables["params"], {"kernel": S}))
    expected, _ = transform.update(outside, transform.init(variables["params"]))
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-4), inside, expected
    )
    found = scaled.apply(variables, images, refresh=True, mutable=["scalings"])[1]
    found = found["scalings"]["kernel"]
    assert found[1, 1] == found.max() > 2
    model = nn.Sequential([nn.Conv(3, (3, 3)), nn.relu, nn.Conv(2, (1, 1)), nn.Conv(2, (3, 3))])
    start = model.init(jax.random.key(2), images)
    heard = jax.jit(lambda variables: model_scalings(model, variables, images))(start)
    assert set(heard) == {"layers_0/kernel", "layers_3/kernel"}
    # Two compiled programs sum in float32 in different orders, and a scaling is a ratio of small
    # differences of logarithms: some hundred roundings.
    np.testing.assert_allclose(heard["layers_0/kernel"], found, rtol=1e-4)
