"""What SGS costs: FLOPs, parameters and optimiser state by count, time as ratios to rivals."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.harness.experiment import Result, Trial
from experiments.kits.costs import cost, num_parameters, time_ratio
from experiments.vision.sgs.branches import ACB, convolve, merge
from experiments.vision.sgs.config import SgsConfig
from experiments.vision.sgs.dependence import measured_scaling
from experiments.vision.sgs.scaling import ScalingState, spatial_gradient_scaling

LAYERS, SIZE, BATCH = 3, 16, 32
RATE, MOMENTUM = 0.01, 0.9
OPTIMISERS = {
    "plain": optax.sgd(RATE, MOMENTUM),
    "sgs": optax.chain(spatial_gradient_scaling(), optax.sgd(RATE, MOMENTUM)),
    "acb": optax.sgd(RATE, MOMENTUM),
}


def _layer(x: jax.Array, weights: Any) -> jax.Array:
    if not isinstance(weights, list):
        return convolve(x, weights)
    branches = [convolve(x, merge([b], [u])) for b, u in zip(ACB, weights, strict=True)]
    return jnp.sum(jnp.stack(branches), 0)


@functools.partial(jax.jit, static_argnums=0)
def _step(
    method: str, params: Any, state: Any, images: jax.Array, targets: jax.Array
) -> tuple[Any, Any]:
    def loss(params: Any) -> jax.Array:
        x = images
        for weights in params:
            x = jax.nn.relu(_layer(x, weights))
        return jnp.mean((x - targets) ** 2)

    updates, state = OPTIMISERS[method].update(jax.grad(loss)(params), state, params)
    return optax.apply_updates(params, updates), state


_estimate = jax.jit(measured_scaling)


def costs(config: SgsConfig, trial: Trial) -> Result:
    """Plain, scaled and branched training steps of one network of convolutions, and the estimator.

    The branched step convolves with every branch, as the published blocks do.
    """
    width = config.cost_width
    start, drawn, wanted = jax.random.split(trial.key, 3)
    images = jax.random.normal(drawn, (BATCH, SIZE, SIZE, width))
    targets = jax.random.normal(wanted, images.shape)
    kernels = 0.05 * jax.random.normal(start, (LAYERS, 3, 3, width, width))
    params = {
        "plain": list(kernels),
        "sgs": list(kernels),
        "acb": [[k] * len(ACB) for k in kernels],
    }
    steps: dict[str, Callable[[], Any]] = {}
    counts = {}
    for name, optimiser in OPTIMISERS.items():
        arguments = (params[name], optimiser.init(params[name]), images, targets)
        steps[name] = functools.partial(_step, name, *arguments)
        counts[name] = {
            **cost(_step.lower(name, *arguments).compile()).to_data(),
            "parameters": num_parameters(params[name]),
            "optimiser": num_parameters(_without_scalings(arguments[1])),
        }
    generator, repeats = trial.generator, config.cost_repeats
    pairs = {
        "sgs over plain": (steps["sgs"], steps["plain"]),
        "sgs over acb": (steps["sgs"], steps["acb"]),
        "estimator over plain": (lambda: _estimate(images), steps["plain"]),
    }
    ratios = {}
    for place, (name, (measured, rival)) in enumerate(pairs.items()):
        ratio = time_ratio(measured, rival, repeats=repeats, generator=generator)
        ratios[name] = ratio.to_data()
        trial.report(name, place + 1, len(pairs))
    return {
        "counts": counts,
        "time": ratios,
        "scaled_weights": int(np.prod(kernels.shape)),
        "branches": len(ACB),
    }


def _without_scalings(state: Any) -> Any:
    """An optimiser's state without the scalings, which are nine numbers for each layer."""
    leaves = jax.tree.leaves(state, is_leaf=lambda leaf: isinstance(leaf, ScalingState))
    return [leaf for leaf in leaves if not isinstance(leaf, ScalingState)]
