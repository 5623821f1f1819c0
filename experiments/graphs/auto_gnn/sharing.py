"""Which trained weights an offspring inherits: those of layers that compute alike, and why not others."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np

from experiments.graphs.auto_gnn.space import Architecture
from ntkexec.errors import ExperimentError

CONNECTIONS = ("norm_", "skip_")
"""What joins layers; its weights fit one network alone."""


@dataclasses.dataclass(frozen=True)
class Transfer:
    """What happens to one part of the offspring.

    Args:
        part: `layer_0`, `norm_0`, ...
        inherited: whether all of its weights are taken over.
        reason: why, or why not.
    """

    part: str
    inherited: bool
    reason: str


def transferable(
    old: Architecture,
    new: Architecture,
    old_params: Mapping[str, Any],
    new_params: Mapping[str, Any],
) -> tuple[Transfer, ...]:
    """Part by part, whether the offspring takes over its ancestor's weights.

    A layer is *homogeneous* to its ancestor's, and inherited whole, if all its weights have the same
    shapes and its attention and activation are the same. Normalisation and skip connections between
    layers are never inherited.

    Args:
        old, new: the architectures of ancestor and offspring, of equal depth.
        old_params, new_params: of `build(...)`, as arrays or as shapes.

    Returns:
        One transfer a part of the offspring, in its order.

    Raises:
        ExperimentError: a part is neither a layer nor a connection, or depths differ: place by place, other
            layers would stand for each other, and the last one is built otherwise.

    Source: arXiv:1909.03184, section 3.4.
    """
    if len(old) != len(new):
        raise ExperimentError(
            f"an offspring has its ancestor's depth, and these have {len(new)} and {len(old)} layers"
        )
    found = []
    for part, weights in new_params.items():
        if part.startswith(CONNECTIONS):
            found.append(Transfer(part, False, "connections between layers are never inherited"))
            continue
        kind, _, place = part.rpartition("_")
        if kind != "layer" or int(place) >= len(new):
            raise ExperimentError(f"{part!r} is no part of an architecture of {len(new)} layers")
        refused = _refusal(old, new, int(place), old_params.get(part), weights)
        found.append(
            Transfer(part, not refused, refused or "all shapes and functions are the same")
        )
    return tuple(found)


def inherit(
    old: Architecture,
    new: Architecture,
    old_params: Mapping[str, Any],
    new_params: Mapping[str, Any],
) -> tuple[dict[str, Any], tuple[Transfer, ...]]:
    """The offspring's parameters, its ancestor's wherever `transferable`, and what was decided."""
    told = transferable(old, new, old_params, new_params)
    return {
        each.part: (old_params if each.inherited else new_params)[each.part] for each in told
    }, told


def _refusal(old: Architecture, new: Architecture, place: int, before: Any, after: Any) -> str:
    """Why a layer starts fresh; nothing if it does not."""
    if before is None:
        return "the ancestor's parameters have no such layer"
    for kind in ("attention", "activation"):
        was, now = getattr(old[place], kind), getattr(new[place], kind)
        if was != now:
            return f"{kind} was {was} and is {now}"
    was, now = _shapes(before), _shapes(after)
    for name in sorted({*was, *now}):
        if was.get(name) != now.get(name):
            return f"{name} was {was.get(name, 'absent')} and is {now.get(name, 'absent')}"
    return ""


def _shapes(tree: Any) -> dict[str, tuple[int, ...]]:
    flat, _ = jax.tree_util.tree_flatten_with_path(tree)
    return {"/".join(str(e.key) for e in path): tuple(np.shape(leaf)) for path, leaf in flat}
