"""Exact statements: counts, fusion, whom the auxiliary loss reaches, what dropping it changes, inverses."""

import functools
import math
from typing import Any, TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Trial
from experiments.kits.convnets.walker import walk_function
from experiments.kits.costs import num_parameters
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.yolov9.guidance import ProgrammableGradient, without_auxiliary
from experiments.vision.yolov9.layers import fused, two_branched
from experiments.vision.yolov9.network import GELAN, PLANS, Plan, Stage
from experiments.vision.yolov9.reversible import ReversibleBranch
from experiments.vision.yolov9.study_config import YoloConfig
from ntkexec.runtime.precision import float64

TINY_PLAN = Plan(3, (4, 4), (Stage(4, 4, 4),) * 2, levels=1, pooled=4, bins=4, groups=1)


class Counted(TypedDict):
    """Parameters before and after fusion, and multiplications after it, for one picture."""

    parameters: int
    fused_parameters: int
    multiplications: int


def counts(config: YoloConfig, trial: Trial) -> dict[str, Counted]:
    """GELAN-C alone, and with the branch that it is trained with; nothing is drawn or computed."""
    trial.report("networks counted", 0, 2)
    found = {
        "GELAN-C": _counted(GELAN(PLANS["C"]), config.resolution),
        "with the branch": _counted(ProgrammableGradient(PLANS["C"]), config.resolution, both=True),
    }
    trial.report("networks counted", 2, 2)
    return found


@functools.cache
def _counted(model: Any, resolution: int, **settings: bool) -> Counted:
    picture = jax.ShapeDtypeStruct((1, resolution, resolution, 3), jnp.float32)
    variables = jax.eval_shape(model.init, jax.random.key(0), picture)
    small = jax.eval_shape(fused, variables)
    apply = functools.partial(model.apply, **settings)
    found = walk_function(apply, small, picture)
    return {
        "parameters": num_parameters(variables["params"]),
        "fused_parameters": found.parameters,
        "multiplications": found.multiplications,
    }


def fusion(config: YoloConfig, trial: Trial) -> dict[str, float]:
    """How far one kernel is from its two branches, relative, in float64: strides 1 and 2, drawn statistics.

    `xla_same` has the padding that XLA's SAME gives a 3 x 3 window of stride 2 on even sides.
    """
    generator = trial.generator
    images = generator.normal(size=(2, 8, 8, 3))
    found = {}
    with float64():
        for strides in (1, 2):
            layer = two_branched(5, strides=strides)
            variables = spread(initial_by_numpy(layer, generator, images), generator)
            few = fused(variables)
            expected = np.asarray(layer.apply(variables, images))
            found[f"stride_{strides}"] = _apart(np.asarray(layer.apply(few, images)), expected)
        kernel = few["params"]["merged"]
        same = nn.Conv(5, (3, 3), strides=(2, 2), padding="SAME")
        shifted = nn.silu(jnp.asarray(same.apply({"params": kernel}, images)))
    return {**found, "xla_same": _apart(np.asarray(shifted), expected)}


def _apart(found: np.ndarray, expected: np.ndarray) -> float:
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def spread(variables: Any, generator: np.random.Generator) -> Any:
    """Variables of which all but the kernels are moved, so that none is at a special value."""

    def moved(path: Any, leaf: Any) -> Any:
        return leaf if path[-1].key == "kernel" else leaf + generator.uniform(0.1, 0.5, leaf.shape)

    return jax.tree_util.tree_map_with_path(moved, variables)


class Paths(TypedDict):
    """Arrays of parameters, and how many of them each loss reaches; outputs that differ without the branch.

    `main` and `auxiliary` count arrays with a gradient that is not zero, by part of the network.
    """

    arrays: dict[str, int]
    main: dict[str, int]
    auxiliary: dict[str, int]
    outputs: int
    differing: int
    differing_after_a_step: int


def paths(config: YoloConfig, trial: Trial) -> Paths:
    """Of a drawn network with the published branch: who learns from which loss, what dropping it changes."""
    generator = trial.generator
    model = ProgrammableGradient(TINY_PLAN)
    images = generator.normal(size=(2, 16, 16, 3)).astype(np.float32)
    variables = initial_by_numpy(model, generator, images, train=False)
    variables = jax.tree.map(np.float32, spread(variables, generator))
    main, auxiliary = (
        _gradient(model, variables, images, jnp.array(weights, jnp.float32))
        for weights in ((1, 0), (0, 1))
    )
    # Operation by operation: programs that compute more are fused differently, and round differently.
    outputs, _ = model.apply(variables, images, both=True)
    alone = GELAN(TINY_PLAN).apply(without_auxiliary(variables), images)
    moved = {
        name: {**tree, "main": jax.tree.map(lambda leaf: leaf * np.float32(1.5), tree["main"])}
        for name, tree in variables.items()
    }
    stepped = GELAN(TINY_PLAN).apply(without_auxiliary(moved), images)
    return {
        "arrays": {name: len(jax.tree.leaves(tree)) for name, tree in _parts(main).items()},
        "main": _reached(main),
        "auxiliary": _reached(auxiliary),
        "outputs": sum(map(np.size, jax.tree.leaves(outputs))),
        "differing": _differing(alone, outputs),
        "differing_after_a_step": _differing(stepped, outputs),
    }


# Milliseconds of arithmetic are not worth ten seconds of optimising.
QUICKLY = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}


@functools.partial(jax.jit, static_argnums=0, compiler_options=QUICKLY)
def _gradient(model: Any, variables: Any, images: jax.Array, weights: jax.Array) -> Any:
    """The gradient of a loss of the main head and one of the auxiliary head, each times its weight."""

    def loss(params: Any) -> Any:
        heads = model.apply({**variables, "params": params}, images, both=True)
        losses = [sum(jnp.sin(each).sum() for each in jax.tree.leaves(head)) for head in heads]
        return weights @ jnp.stack(losses)

    return jax.grad(loss)(variables["params"])


def _parts(params: Any) -> dict[str, Any]:
    return {**params["main"], "auxiliary": params["auxiliary"]}


def _reached(gradient: Any) -> dict[str, int]:
    return {
        name: sum(bool(np.any(np.asarray(leaf) != 0)) for leaf in jax.tree.leaves(tree))
        for name, tree in _parts(gradient).items()
    }


def _differing(one: Any, other: Any) -> int:
    """Numbers whose bits are not the same."""
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    bits = ((np.asarray(a).view(np.uint32), np.asarray(b).view(np.uint32)) for a, b in pairs)
    return sum(int((a != b).sum()) for a, b in bits)


class Inverses(TypedDict):
    """Largest errors of the picture found again, relative; numbers in the published maps and picture."""

    deviation: float
    without_sums: float
    couplings: int
    published: list[int]
    picture: int


def inverse(config: YoloConfig, trial: Trial) -> Inverses:
    """A drawn reversible branch run forwards and backwards in float64, at two resolutions.

    `without_sums` leaves out, on the way back, what the main branch sent in.
    """
    generator = trial.generator
    strides, size = (2, 4), 16
    branch = ReversibleBranch(strides, config.couplings, inner=4)
    with float64():
        images = generator.normal(size=(1, size, size, 3))
        sums = [generator.normal(size=(1, size // s, size // s, 2 * s**2)) for s in strides]
        variables = initial_by_numpy(branch, generator, images, sums)
        variables = spread(variables, generator)
        maps = branch.apply(variables, images, sums)
        back, other = (
            np.asarray(branch.apply(variables, maps[-1], given, method=branch.inverse))[..., :3]
            for given in (sums, None)
        )
    scale = np.abs(images).max()
    features = [stage.features for stage in PLANS["C"].read]
    return {
        "deviation": float(np.abs(back - images).max() / scale),
        "without_sums": float(np.abs(other - images).max() / scale),
        "couplings": config.couplings * len(strides),
        "published": [
            math.prod((640 // stride, 640 // stride, width))
            for stride, width in zip(PLANS["C"].strides, features, strict=True)
        ],
        "picture": 640 * 640 * 3,
    }
