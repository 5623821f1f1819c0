"""Detectors that differ in one module and have the same number of parameters."""

import functools
from typing import Any

import jax
import jax.numpy as jnp

from experiments.kits.costs import num_parameters
from experiments.vision.catnet.detector import CatDetector
from ntkexec.errors import ExperimentError

ARMS: dict[str, dict[str, Any]] = {
    "fpn": {},
    "dense": {"neck": "dense"},
    "context": {"context": True},
    "regions": {"regions": "top_down"},
    "all": {"neck": "dense", "context": True, "regions": "top_down"},
    "pafpn": {"neck": "pafpn"},
}
"""By name, what is changed in a detector with a classical pyramid and regions of one level."""


@functools.cache
def parameters_of(network: CatDetector) -> int:
    """Parameters of a detector; nothing is computed."""
    side = network.strides[-1]
    picture = jax.ShapeDtypeStruct((1, side, side, 3), jnp.float32)
    shapes = jax.eval_shape(lambda shown: network.init(jax.random.key(0), shown), picture)
    return num_parameters(shapes["params"])


@functools.cache
def matched(arm: str, width: int, **fields: Any) -> CatDetector:
    """The detector of an arm, as wide as to have the parameters nearest to those of the arm with all modules.

    Args:
        arm: a name of `ARMS`.
        width: of the detector with all modules.
        fields: of all detectors alike.

    Raises:
        ExperimentError: there is no such arm.
    """
    if arm not in ARMS:
        raise ExperimentError(f"arms are {', '.join(ARMS)}, got {arm!r}")
    goal = CatDetector(width=width, **{**fields, **ARMS["all"]})
    if arm == "all":
        return goal
    wanted = parameters_of(goal)

    def at(width: int) -> CatDetector:
        return CatDetector(width=width, **{**fields, **ARMS[arm]})

    # Each is wider than the one with all modules or little narrower, so few are looked at.
    while parameters_of(at(width)) > wanted and width > 1:
        width -= 1
    while parameters_of(at(width + 1)) <= wanted:
        width += 1
    return min((at(width), at(width + 1)), key=lambda one: abs(parameters_of(one) - wanted))
