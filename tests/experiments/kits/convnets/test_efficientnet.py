"""EfficientNet-Lite0: its published size, and outputs that a second forward pass in NumPy gives as well."""

import functools
from pathlib import Path

import jax
import matplotlib
import numpy as np
import pytest
import sklearn.datasets

from experiments.data import DataMissingError
from experiments.data.carried import load_carried
from experiments.kits.convnets.efficientnet import (
    EPSILON,
    SIZE,
    EfficientNetLite0,
    blocks,
    photograph,
    same,
    variables_from,
)
from experiments.kits.convnets.folding import fold_tree
from experiments.kits.convnets.walker import walk
from experiments.kits.convnets.xla import multiplications_by_xla
from ntkexec.errors import ExperimentError

PARAMETERS, AVERAGES = 4_652_008, 42_016
"""The first as the authors' own test has it (efficientnet_lite_builder_test.py)."""
MULTIPLICATIONS = 385_187_552
"""The page beside that test says 407 million multiply-adds: 3.2 more for each of the 6.7 million numbers that
convolutions give. Normalisations and nonlinearities would explain as many; the page does not say."""
PALACE, FLOWERS, UNIFORM = 698, (985, 986), 652
"""Classes of ImageNet, numbered from 0: palace, daisy and lady's slipper, military uniform."""


@functools.cache
def tensors():
    try:
        return load_carried("efficientnet-lite0", None)
    except DataMissingError as missing:
        pytest.skip(f"{missing}; install ntkexec[weights]")


@functools.cache
def trained():
    return variables_from(tensors())


@functools.cache
def folded():
    return fold_tree(trained(), epsilon=EPSILON)


def photographs(size=SIZE):
    """The Summer Palace, as scikit-learn's examples call the first; a flower; Grace Hopper in uniform."""
    pictures = Path(sklearn.datasets.__file__).parent / "images"
    portrait = Path(matplotlib.get_data_path()) / "sample_data/grace_hopper.jpg"
    paths = (pictures / "china.jpg", pictures / "flower.jpg", portrait)
    return np.stack([photograph(path, size=size) for path in paths])


def layer(x, params, averages, strides, top):
    """A convolution and its normalisation, or its bias where that is folded in; each window written out."""
    kernel = params["conv"]["kernel"]
    side, alone = kernel.shape[0], kernel.shape[2] == 1 != x.shape[-1]
    padded = np.pad(x, [(0, 0), *same(x.shape, side, strides), (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (1, 2))
    windows = windows[:, ::strides, ::strides]
    if alone:
        out = np.einsum("nhwcij,ijc->nhwc", windows, kernel[:, :, 0])
    else:
        out = np.tensordot(windows, kernel.transpose(2, 0, 1, 3), 3)
    if "norm" in params:
        norm, own = params["norm"], averages["norm"]
        out = (out - own["mean"]) / np.sqrt(own["var"] + EPSILON) * norm["scale"] + norm["bias"]
    else:
        out = out + params["conv"]["bias"]
    return np.clip(out, 0, top) if top else out


def forward(variables, x):
    """Logits by NumPy."""
    variables = jax.tree.map(lambda leaf: np.asarray(leaf, x.dtype), variables)
    params, averages = variables["params"], variables.get("batch_stats", {})

    def run(x, path, strides=1, top=6):
        one, other = params, averages
        for name in path:
            one, other = one[name], other.get(name, {})
        return layer(x, one, other, strides, top)

    x = run(x, ["stem"], 2)
    for place, block in enumerate(blocks()):
        name, before = f"block{place}", x
        if block.expansion > 1:
            x = run(x, [name, "expand"])
        x = run(x, [name, "depthwise"], block.strides)
        x = run(x, [name, "project"], top=None)
        x = x + before if x.shape == before.shape else x
    x = run(x, ["head"]).mean((1, 2))
    return x @ params["classifier"]["kernel"] + params["classifier"]["bias"]


def test_it_has_the_published_number_of_parameters_and_the_file_fills_them():
    shapes = jax.eval_shape(EfficientNetLite0().init, jax.random.key(0), np.zeros((1, 224, 224, 3)))
    for name, number in (("params", PARAMETERS), ("batch_stats", AVERAGES)):
        assert sum(leaf.size for leaf in jax.tree.leaves(shapes[name])) == number
    assert len(tuple(blocks())) == 16
    assert jax.tree.map(np.shape, trained()) == jax.tree.map(np.shape, shapes)
    assert sum(tensor.size for tensor in tensors().values()) == PARAMETERS + AVERAGES + 49


def test_its_multiplications_are_the_same_by_the_walker_by_xla_and_by_hand():
    found = walk(EfficientNetLite0(), jax.ShapeDtypeStruct((1, SIZE, SIZE, 3), np.float32))
    assert (found.parameters, found.statistics) == (PARAMETERS, AVERAGES)
    assert found.multiplications == multiplications_by_xla(found) == MULTIPLICATIONS
    side, channels, by_hand = SIZE // 2, 32, (SIZE // 2) ** 2 * 27 * 32
    for block in blocks():
        wide = channels * block.expansion
        by_hand += side**2 * channels * wide if block.expansion > 1 else 0
        side //= block.strides
        by_hand += side**2 * wide * (block.kernel**2 + block.features)
        channels = block.features
    assert by_hand + side**2 * channels * 1280 + 1280 * 1000 == MULTIPLICATIONS
    made = sum(np.prod(layer.outputs[0]) for layer in found.of("convolution"))
    assert (407e6 - MULTIPLICATIONS) / made == pytest.approx(3.2, abs=0.1)


def test_weights_that_lack_or_hold_another_tensor_are_refused_by_its_name():
    lacking = {name: tensor for name, tensor in tensors().items() if name != "_fc.bias"}
    for given, says in (
        (lacking, "lack _fc.bias"),
        ({**tensors(), "_se.weight": np.zeros(1)}, "hold '_se.weight'"),
        ({**tensors(), "_fc.bias": np.zeros(10, np.float32)}, r"_fc.bias has the shape \(10,\)"),
    ):
        with pytest.raises(ExperimentError, match=says):
            variables_from(given)


def test_with_its_normalisations_folded_it_computes_the_same_logits():
    small = photographs(64).astype(np.float64)
    variables = jax.tree.map(lambda leaf: leaf.astype(np.float64), trained())
    merged = fold_tree(variables, epsilon=EPSILON)
    assert "batch_stats" not in merged
    want, found = forward(variables, small), forward(merged, small)
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-10 * np.abs(want).max())


def test_photographs_are_told_apart_and_numpy_computes_the_same_logits_from_the_folded_network():
    """A palace is known to be one. Of two classes that are flowers the network takes one; of the portrait
    only its dress has classes, among them the one that TensorFlow's examples expect of it."""
    pictures = photographs()
    found = np.asarray(jax.jit(EfficientNetLite0().apply)(trained(), pictures))
    assert np.isfinite(found).all()
    palace, flower, portrait = found
    assert palace.argmax() == PALACE
    assert flower.argmax() in FLOWERS
    assert UNIFORM in portrait.argsort()[-5:]
    # Two float32 routes through fifty layers.
    want = forward(folded(), pictures)
    np.testing.assert_allclose(found, want, rtol=0, atol=1e-3 * np.abs(want).max())
