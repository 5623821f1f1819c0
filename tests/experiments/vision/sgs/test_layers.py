"""Published blocks: what they merge into, and how DyRep's branches grow and go."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.kits.images import shapes
from experiments.vision.sgs import dyrep
from experiments.vision.sgs.branches import convolve
from experiments.vision.sgs.layers import (
    BLOCKS,
    CANDIDATES,
    DynamicBlock,
    Network,
    NormalisedBlock,
    NormalisedBranch,
    merged,
)
from experiments.vision.sgs.training import fit
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64


def trained(module, images, growth=None):
    """Variables away from their start: random statistics and scales, as training leaves them."""
    start = jax.jit(functools.partial(module.init, train=True))
    variables = jax.tree.map(np.asarray, start(jax.random.key(0), images))
    leaves, structure = jax.tree.flatten(variables)
    generator = np.random.default_rng(1)
    moved = [leaf * generator.uniform(0.5, 1.5, leaf.shape) + 0.1 for leaf in leaves]
    variables = jax.tree.unflatten(structure, moved)
    if growth is not None:
        variables["growth"] = {"alive": jnp.asarray(growth)}
    return variables


@pytest.mark.parametrize(
    "block",
    [b if b in ("repvgg", "dbb") else pytest.param(b, marks=pytest.mark.slow) for b in BLOCKS],
)
def test_a_trained_block_is_one_kernel_and_a_bias(block):
    with float64():
        images = jax.random.normal(jax.random.key(2), (3, 8, 7, 4))
        module = NormalisedBlock(4, block)
        variables = trained(module, images)

        @jax.jit
        def apart(variables):
            kernel, bias = merged(module, variables, channels=4)
            one = convolve(images, kernel) + bias[None, None, None]
            return jnp.abs(one - module.apply(variables, images, train=False))

        apart = apart(variables)
        assert float(apart[:, 1:-1, 1:-1].max()) < 1e-12
        # Branches of two layers pad what lies between them with zeros, not with its value there.
        assert (float(apart.max()) < 1e-12) == (block != "dbb")


@pytest.mark.slow
def test_a_dynamic_block_is_the_sum_of_its_living_branches():
    with float64():
        images = jax.random.normal(jax.random.key(2), (3, 8, 8, 4))
        module = DynamicBlock(4)
        variables = trained(module, images, growth=[0.0, 1.0, 0.0, 0.0, 1.0])

        @jax.jit
        def both(variables):
            expected = 0
            for kind in ("3x3", CANDIDATES[1], CANDIDATES[4]):
                one = {name: variables[name][kind] for name in ("params", "batch_stats")}
                expected += NormalisedBranch(4, kind).apply(one, images, train=False)
            return module.apply(variables, images, train=False), expected

        np.testing.assert_allclose(*both(variables), atol=1e-12)


def test_unknown_branches_and_blocks_are_refused():
    images = jnp.zeros((1, 4, 4, 2))
    with pytest.raises(ExperimentError, match="'5x5'"):
        NormalisedBranch(2, "5x5").init(jax.random.key(0), images, train=True)
    with pytest.raises(ExperimentError, match="'acbb'"):
        NormalisedBlock(2, "acbb").init(jax.random.key(0), images, train=True)


@pytest.fixture(scope="module")
def start():
    images = shapes(num_train=32, num_test=4, size=8, noise=0.1, generator=np.random.default_rng(0))
    model = Network((3, 4), images.num_classes, "dyrep")
    pixels, labels = jnp.asarray(images.train), jnp.asarray(images.train_labels)
    variables = dict(jax.jit(lambda key: model.init(key, pixels, train=True))(jax.random.key(0)))
    return model, {"params": variables.pop("params"), "rest": variables}, pixels, labels, images


def alive(state):
    layers = state["rest"]["growth"]
    return {
        (layer, CANDIDATES[i])
        for layer in layers
        for i in np.flatnonzero(np.asarray(layers[layer]["alive"]))
    }


def test_the_most_salient_dead_branch_grows_until_all_live(start):
    model, state, pixels, labels, _ = start
    assert alive(state) == set()
    grown = []
    for number in range(1, 2 * len(CANDIDATES) + 1):
        salient = dyrep.saliencies(model, state, pixels, labels)
        dead = {
            (layer, kind): values[i]
            for layer, values in salient.items()
            for i, kind in enumerate(CANDIDATES)
            if (layer, kind) not in alive(state)
        }
        state, which = dyrep.grown(model, state, pixels, labels)
        assert which == max(dead, key=dead.get)
        grown.append(which)
        assert alive(state) == set(grown)
        layer, kind = which
        assert (state["params"][layer][kind]["last"]["scale"] == dyrep.GROWN).all()
        assert len(grown) == number
    assert dyrep.grown(model, state, pixels, labels) == (state, None)


def test_a_saliency_is_the_slope_of_the_loss(start):
    model, state, pixels, labels, _ = start
    layer, step = "DynamicBlock_1", 1e-3

    @jax.jit
    def loss(value):
        faded = dyrep._with_alive(state, layer, 2, value)
        variables = {"params": faded["params"], **faded["rest"]}
        outputs, _ = model.apply(variables, pixels, train=True, mutable=list(faded["rest"]))
        return -jnp.take_along_axis(jax.nn.log_softmax(outputs), labels[:, None], 1).mean()

    slope = float(loss(step) - loss(-step)) / (2 * step)
    found = dyrep.saliencies(model, state, pixels, labels)[layer][2]
    assert found == pytest.approx(abs(slope), rel=0.02)  # ReLU has kinks, float32 rounds


def test_branches_of_vanished_scale_go_and_dead_ones_are_left(start):
    model, state, pixels, labels, _ = start
    state, (layer, kind) = dyrep.grown(model, state, pixels, labels)
    assert dyrep.dropped(state) == (state, ())
    scale = state["params"][layer][kind]["last"]["scale"]
    path = (layer, kind, "last", "scale")
    faint = {**state, "params": dyrep._replaced(state["params"], path, 0.1 * scale)}
    left, gone = dyrep.dropped(faint)
    assert gone == ((layer, kind),)
    assert alive(left) == set()
    assert left["params"] is faint["params"]


@pytest.mark.slow
def test_training_by_dyrep_grows_a_branch_between_chunks(start):
    model, *_, images = start
    more = {"rate": 0.05, "batch": 16, "num_steps": 6, "refresh": 2, "measured_on": 16}
    state, history = fit(model, "dyrep", images, key=jax.random.key(4), **more)
    assert len(alive(state)) == 2
    assert np.isfinite(history["loss"]).all()
