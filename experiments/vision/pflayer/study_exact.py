"""What networks cost, by two routes, and what pools do to any input, in float64."""

import functools
from collections.abc import Callable
from typing import TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Trial
from experiments.kits.convnets.layers import max_pool
from experiments.kits.convnets.walker import walk
from experiments.kits.convnets.xla import multiplications_by_xla
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.pflayer.resnets import R50, R50_HYBRID, R50_MAX, PfResNet
from experiments.vision.pflayer.spatial import Spatial, mixed
from experiments.vision.pflayer.study_config import PfLayerConfig
from experiments.vision.pflayer.transformers import (
    PIT_S,
    PIT_S_MAX,
    VIT_S,
    VIT_S_MAX,
    EffLayer,
)
from ntkexec.runtime.precision import float64

# Counts. Integers by hand from the tables of the papers; nothing here is random.

NETWORKS: dict[str, nn.Module] = {
    "r50": R50,
    "r50_max": R50_MAX,
    "r50_hybrid": R50_HYBRID,
    "vit_s": VIT_S,
    "vit_s_max": VIT_S_MAX,
    "pit_s": PIT_S,
    "pit_s_max": PIT_S_MAX,
}
PARAMETERS = {
    "r50": 25_557_032,
    "r50_max": 14_232_232,
    "r50_hybrid": 17_330_600,
    "vit_s": 22_050_664,
    "vit_s_max": 23_819_368,
    "pit_s": 23_461_912,
    "pit_s_max": 25_119_784,
}
MULTIPLICATIONS = {
    "r50": 4_089_184_256,
    "r50_max": 2_239_496_192,
    "r50_hybrid": 2_586_312_704,
    "vit_s": 4_598_882_304,
    "vit_s_max": 4_743_822_336,
    "pit_s": 2_870_796_096,
    "pit_s_max": 2_813_372_640,
}
# What the networks would be with another reading of the paper, so that a count can be wrong.
MISREAD = {
    "r50_max": PfResNet("max", normalised=True),
    "r50_hybrid": PfResNet("conv"),
}


class CountsResult(TypedDict):
    """Of networks on one picture of 224 x 224: counts, and by how much any is not as it should be."""

    parameters: dict[str, int]
    multiplications: dict[str, int]
    by_xla: dict[str, int]
    parameters_off: int
    parameters_off_misread: int
    multiplications_off: int
    multiplications_off_misread: int


@functools.cache
def _counted() -> CountsResult:
    picture = jax.ShapeDtypeStruct((1, 224, 224, 3), jnp.float32)
    walks = {name: walk(network, picture) for name, network in NETWORKS.items()}
    parameters = {name: found.parameters for name, found in walks.items()}
    multiplications = {name: found.multiplications for name, found in walks.items()}
    by_xla = {name: multiplications_by_xla(found) for name, found in walks.items()}
    misread = {name: walk(network, picture) for name, network in MISREAD.items()}
    return {
        "parameters": parameters,
        "multiplications": multiplications,
        "by_xla": by_xla,
        "parameters_off": _off(parameters, PARAMETERS),
        "parameters_off_misread": _off(
            {name: found.parameters for name, found in misread.items()}, PARAMETERS
        ),
        "multiplications_off": max(
            _off(found, MULTIPLICATIONS) for found in (multiplications, by_xla)
        ),
        "multiplications_off_misread": _off(
            {name: found.multiplications for name, found in misread.items()}, MULTIPLICATIONS
        ),
    }


def counts(config: PfLayerConfig, trial: Trial) -> CountsResult:
    """Parameters and multiplications of every named network."""
    return _counted()


def _off(found: dict[str, int], wanted: dict[str, int]) -> int:
    return max(abs(number - wanted[name]) for name, number in found.items())


WIDTHS = (12, 36, 144, 384)
GRIDS = ((2, 3), (3, 4), (6, 6), (5, 8), (12, 12), (14, 14), (16, 24), (27, 27))


class CrossingResult(TypedDict):
    """Largest differences between counts of one layer and their formulas, over widths and grids."""

    parameters_off: int
    multiplications_off: int
    without_attention: int
    crossings: dict[str, int]


@functools.cache
def _crossing() -> CrossingResult:
    parameters, multiplications, bare = [0], [0], [0]
    crossings = {}
    for width in WIDTHS:
        fewer = []
        for height, across in GRIDS:
            number = height * across
            grid = jax.ShapeDtypeStruct((1, height, across, width), jnp.float32)
            row = jax.ShapeDtypeStruct((1, number, width), jnp.float32)
            pooled = walk(EffLayer(), grid)
            attended = walk(nn.MultiHeadDotProductAttention(4), row)
            parameters.append(abs(pooled.parameters - 6 * width**2 - 4 * width))
            parameters.append(abs(attended.parameters - 4 * width**2 - 4 * width))
            saved = attended.multiplications - pooled.multiplications
            multiplications.append(abs(saved - 2 * number * width * (number - width)))
            bare.append(abs(saved + 2 * number * width**2))
            # Equal counts are on neither side: the crossing lies at N = d.
            if saved >= 0:
                fewer.append(number)
        crossings[str(width)] = min(fewer, default=0)
    return {
        "parameters_off": max(parameters),
        "multiplications_off": max(multiplications),
        "without_attention": max(bare),
        "crossings": crossings,
    }


def crossing(config: PfLayerConfig, trial: Trial) -> CrossingResult:
    """A pooling layer of a transformer against attention: 6d^2 + 4d parameters, cheaper from N = d on."""
    return _crossing()


# Identities.

SHAPE = (4, 9, 11, 5)


class AlgebraResult(TypedDict):
    """Largest differences between two ways to pool; and the same where zeros are padded."""

    deviation: float
    with_zeros: float


def algebra(config: PfLayerConfig, trial: Trial) -> AlgebraResult:
    """Pools after pools, and non-decreasing maps before and after; also of negative pictures."""
    images = trial.generator.normal(size=SHAPE)
    factor = trial.generator.uniform(0, 3)
    constant = trial.generator.normal(size=(1, 1, 1, SHAPE[-1]))
    with float64():
        found = [
            _pooled_twice(pool, jnp.asarray(images), factor, jnp.asarray(constant))
            for pool in (_pool, _pool_with_zeros)
        ]
    return {"deviation": found[0], "with_zeros": found[1]}


Pool = Callable[[jax.Array, int, int], jax.Array]


def _pool(x: jax.Array, size: int, strides: int = 1) -> jax.Array:
    return jnp.asarray(mixed(x, "max", size=size, strides=strides))


def _pool_with_zeros(x: jax.Array, size: int, strides: int = 1) -> jax.Array:
    reach = size // 2
    framed = jnp.pad(x, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    return max_pool(framed, size, strides)


def _pooled_twice(pool: Pool, x: jax.Array, factor: float, constant: jax.Array) -> float:
    three = functools.partial(pool, size=3)
    negative = -jnp.abs(x)
    chain = three(three(three(negative)))
    pairs = [
        (three(three(x)), pool(x, 5)),
        (chain, pool(negative, 7)),
        (pool(three(negative), 3, 2), pool(negative, 5, 2)),
        (three(nn.relu(x)), nn.relu(three(x))),
        (three(jnp.floor(4 * x)), jnp.floor(4 * three(x))),
        (three(x + constant), three(x) + constant),
        (three(factor * x), factor * three(x)),
    ]
    return max(float(jnp.abs(one - other).max()) for one, other in pairs)


class DistanceResult(TypedDict):
    """How far pairs are driven apart: largest ratio of distances, less 1, or 0."""

    excess: float
    conv: float


def distance(config: PfLayerConfig, trial: Trial) -> DistanceResult:
    """Largest distances between pictures after a pool, over those before, and after a convolution."""
    first, second = trial.generator.normal(size=(2, config.pairs, 6, 6, 3))
    # Some pairs differ in a few places only, as pictures and their neighbours do.
    kept = trial.generator.random((config.pairs, 1, 1, 1)) < trial.generator.random(first.shape)
    second = np.where(kept, second, first)
    kernel = trial.generator.normal(size=(3, 3, 3, 3)) / 27**0.5
    with float64():
        x, y = jnp.asarray(first), jnp.asarray(second)
        before = jnp.abs(x - y).max((1, 2, 3))
        conv = Spatial("conv", normalised=False)
        variables = {"params": {"conv": {"kernel": jnp.asarray(kernel)}}}

        def excess(run: Callable[[jax.Array], jax.Array]) -> float:
            after = jnp.abs(run(x) - run(y)).max((1, 2, 3))
            # 0 over 0 is a pair of equal pictures, which stay equal.
            ratio = jnp.where(before > 0, after / jnp.where(before > 0, before, 1), after)
            return float(jnp.maximum(ratio - 1, 0).max())

        pools = [
            excess(functools.partial(mixed, operation=operation, size=size))
            for operation in ("max", "average")
            for size in (3, 5)
        ]
        return {
            "excess": max(pools),
            "conv": excess(lambda x: jnp.asarray(conv.apply(variables, x))),
        }


TURNS: dict[str, Callable[[jax.Array], jax.Array]] = {
    "quarter": lambda x: jnp.rot90(x, 1, (1, 2)),
    "half": lambda x: jnp.rot90(x, 2, (1, 2)),
    "mirrored": lambda x: x[:, :, ::-1],
    "transposed": lambda x: x.swapaxes(1, 2),
}
ODD = 17
"""Height and width: every second pixel of an odd number lies alike from both ends."""


class TurnsResult(TypedDict):
    """Largest change of a network's outputs when its pictures are turned, over their size."""

    isotropic: float
    depthwise: float
    by_operation: dict[str, float]


def turns(config: PfLayerConfig, trial: Trial) -> TurnsResult:
    """Networks whose only windows are pools, and one of depthwise convolutions, on turned pictures."""
    images = trial.generator.normal(size=(4, ODD, ODD, 3))
    found = {}
    with float64():
        for operation in ("max", "average", "none", "depthwise"):
            network = PfResNet(operation, (2, 1), (4, 8), 5, 8, 1, 1, stem_pool=False)
            variables = initial_by_numpy(network, trial.generator, jnp.asarray(images))
            found[operation] = _turned(network, variables, jnp.asarray(images))
    isotropic = max(value for name, value in found.items() if name != "depthwise")
    return {"isotropic": isotropic, "depthwise": found["depthwise"], "by_operation": found}


def _turned(network: PfResNet, variables: object, images: jax.Array) -> float:
    run = jax.jit(lambda x: network.apply(variables, x))
    plain = run(images)
    changes = [jnp.abs(run(turn(images)) - plain).max() for turn in TURNS.values()]
    return float(jnp.stack(changes).max() / jnp.abs(plain).max())
