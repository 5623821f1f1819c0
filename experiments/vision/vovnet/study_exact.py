"""Counts by two routes, a bound, growth with depth, and a dense block that is one-shot aggregation."""

import functools
import math
from typing import Any, TypedDict

import jax
import numpy as np

from experiments.harness.study import Trial
from experiments.kits.convnets.walker import walk
from experiments.kits.convnets.walks import MULTIPLYING
from experiments.kits.convnets.xla import multiplications_by_xla
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.pflayer.resnets import R50
from experiments.vision.vovnet.access import lower_bound
from experiments.vision.vovnet.network import NETWORKS, OneShotAggregation, VoVNet
from experiments.vision.vovnet.rivals import DenseBlock, DenseNet, as_dense_block, matched_width
from experiments.vision.vovnet.study_config import VovnetConfig
from ntkexec.runtime.precision import float64

# DenseNet-40 on CIFAR's pictures: channels of its stem, and those that its three blocks end with.
STEM, ENDS = 16, (160, 304, 448)


def picture_of(size: int) -> jax.ShapeDtypeStruct:
    """The shape of one colour picture."""
    return jax.ShapeDtypeStruct((1, size, size, 3), np.float32)


class CountsResult(TypedDict):
    """Parameters of backbones; multiplications by both routes; memory access of nets for CIFAR."""

    parameters: dict[str, int]
    multiplications: dict[str, int]
    by_xla: dict[str, int]
    by_xla_without_padding: dict[str, int]
    access: dict[str, int]
    cifar_parameters: dict[str, int]
    width: int


def counts(config: VovnetConfig, trial: Trial) -> CountsResult:
    """All counts; they are the same under every seed."""
    return dict(_counts(config.counted))  # type: ignore[return-value]


@functools.cache
def _counts(names: tuple[str, ...]) -> CountsResult:
    picture, small = picture_of(224), picture_of(32)
    backbones = {name: walk(NETWORKS[name].clone(num_classes=None), picture) for name in names}
    dense = walk(DenseNet(), small)
    width = matched_width(lambda width: _for_cifar(width, 12), dense.parameters, small, most=64)
    nets = {
        "DenseNet-40": dense,
        "OSA, 12 layers": walk(_for_cifar(width, 12), small),
        "OSA, 5 layers of 43": walk(_for_cifar(43, 5), small),
    }
    found = {**backbones, "ResNet-50": walk(R50, picture), **nets}
    return {
        "parameters": {name: each.parameters for name, each in backbones.items()},
        "multiplications": {name: each.multiplications for name, each in found.items()},
        "by_xla": {name: multiplications_by_xla(each) for name, each in found.items()},
        "by_xla_without_padding": {
            name: multiplications_by_xla(each, padded=False) for name, each in found.items()
        },
        "access": {name: each.memory_access_of(*MULTIPLYING) for name, each in found.items()},
        "cifar_parameters": {name: each.parameters for name, each in nets.items()},
        "width": width,
    }


def _for_cifar(width: int, layers: int) -> VoVNet:
    """DenseNet-40's stem and widths between blocks, its blocks replaced by one-shot aggregation."""
    return VoVNet((width,) * 3, ENDS, (1, 1, 1), layers, (STEM,), (1,), 10)


class BoundsResult(TypedDict):
    """How far below the bound an access lies at most, relative; the same with the taps left out of it;
    how far above it one of equal widths does."""

    below: float
    below_without_taps: float
    apart_at_equal_widths: float


def bounds(config: VovnetConfig, trial: Trial) -> BoundsResult:
    """Memory access of drawn convolutions, by the formula, against the least at their multiplications."""
    generator, number = trial.generator, config.layers_drawn
    pixels = generator.integers(1, 225, number) * generator.integers(1, 225, number).astype(float)
    taps = generator.integers(1, 8, number).astype(float) ** 2
    wide, narrow = np.exp(generator.uniform(0, np.log(2048), (2, number))).round()

    def gap(into: np.ndarray, out: np.ndarray, counted: np.ndarray) -> np.ndarray:
        access = pixels * (into + out) + taps * into * out
        least = lower_bound(taps * pixels * into * out, pixels=pixels, taps=counted)
        return np.asarray(access / least - 1)

    return {
        "below": max(0.0, float(-gap(wide, narrow, taps).min())),
        "below_without_taps": max(0.0, float(-gap(wide, narrow, np.ones(number)).min())),
        "apart_at_equal_widths": float(np.abs(gap(wide, wide, taps)).max()),
    }


class GrowthResult(TypedDict):
    """Layers of the blocks, and elements that their 3 x 3 convolutions read."""

    depths: list[int]
    dense: list[int]
    one_shot: list[int]


def growth(config: VovnetConfig, trial: Trial) -> GrowthResult:
    """Reads of blocks of growing depth, width 8, whose input is half as wide as a layer.

    With that input a dense block of n layers reads 4 n^2 elements a pixel, without a linear term.
    """
    return {
        "depths": list(config.depths),
        "dense": [_reads(DenseBlock, depth) for depth in config.depths],
        "one_shot": [_reads(OneShotAggregation, depth) for depth in config.depths],
    }


@functools.cache
def _reads(block: Any, depth: int, width: int = 8) -> int:
    found = walk(block(width, width, depth), jax.ShapeDtypeStruct((1, 4, 4, width // 2), "float32"))
    layers = [layer for layer in found.of("convolution") if "layer_" in layer.path]
    return sum(math.prod(layer.inputs[0]) for layer in layers)


def subfamily(config: VovnetConfig, trial: Trial) -> dict[str, float]:
    """Largest difference of one-shot aggregation and the dense block that it is, relative, in float64.

    In `connected` the dense block's other kernels are drawn instead of zero.
    """
    generator = trial.generator
    block = OneShotAggregation(3, 5, 3)
    with float64():
        images = generator.normal(size=(2, 5, 5, 4))
        drawn = initial_by_numpy(block, generator, images)
        variables = jax.tree.map(lambda leaf: generator.uniform(0.5, 1.5, leaf.shape), drawn)
        params = jax.tree.map(lambda leaf: generator.normal(size=leaf.shape), drawn["params"])
        variables = {**variables, "params": params}
        dense, embedded = as_dense_block(block, variables)
        expected = np.asarray(block.apply(variables, images))
        found = np.asarray(dense.apply(embedded, images))
        moved = jax.tree.map(
            lambda leaf: np.where(leaf == 0, generator.normal(size=leaf.shape), leaf), embedded
        )
        other = np.asarray(dense.apply(moved, images))
    scale = np.abs(expected).max()
    return {
        "deviation": float(np.abs(found - expected).max() / scale),
        "connected": float(np.abs(other - expected).max() / scale),
    }
