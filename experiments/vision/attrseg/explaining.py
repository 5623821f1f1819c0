"""Which attribute made the mask: each left out in turn, and the last stage taken apart without a rest."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from experiments.vision.attrseg.segmenter import (
    AttributeSegmenter,
    MeanSegmenter,
    Segmentation,
    directions,
)
from experiments.vision.attrseg.shapes import check_prompts
from ntkexec.errors import ExperimentError

Model = AttributeSegmenter | MeanSegmenter


class AttributeMaps(NamedTuple):
    """What each attribute does to a mask.

    Args:
        logits: with all attributes.
        changes: what each adds to them: logits with all, less those without it.
    """

    logits: Float[Array, "c p"]
    changes: Float[Array, "c a p"]


def attribute_maps(
    model: Model,
    variables: Any,
    attributes: Float[Array, "c a d"],
    pixels: Float[Array, "p d"],
    present: Bool[np.ndarray, "c a"] | None = None,
) -> AttributeMaps:
    """The change of each class's logits, pixel by pixel, by leaving out one attribute after the other.

    Changes of one mask do not add up to anything: attributes act together. See `additive_parts`.

    Args:
        model, variables: trained, or not.
        attributes, pixels, present: of one picture, as of the model's call. Leaving out what is not
            present changes nothing.

    Raises:
        ExperimentError: a class has one attribute, without which none is left; shapes that do not fit
            together, or variables of another model.
    """
    check_prompts(attributes, pixels, present)
    number = attributes.shape[-2]
    there = np.ones(attributes.shape[:-1], bool) if present is None else np.asarray(present, bool)
    if there.sum(-1).min() < 2:
        raise ExperimentError("a class has fewer than two attributes: without one, none is left")
    # All of them first, then all but one.
    kept = np.concatenate([np.ones((1, number), bool), ~np.eye(number, dtype=bool)])
    each = np.broadcast_to(attributes, (number + 1, *attributes.shape))
    found = _applied(model, variables, each, pixels, there[None] & kept[:, None]).logits
    return AttributeMaps(found[0], jnp.moveaxis(found[:1] - found[1:], 0, 1))


def additive_parts(
    model: AttributeSegmenter,
    variables: Any,
    attributes: Float[Array, "c a d"],
    pixels: Float[Array, "p d"],
    present: Bool[np.ndarray, "c a"] | None = None,
) -> Float[Array, "c m p"]:
    """The logits as a sum over what the last stage put together, exactly.

    The last token is what its query learned plus a mean of members through one matrix, so that a pixel's
    cosine with it is a sum, given the token's length. Members are the clusters of the stage before; of a
    model with one stage, the attributes.

    Args:
        model, variables, attributes, pixels, present: as of `attribute_maps`.

    Returns:
        For each class the part of the query and the offset, then that of each member; they sum to the
        logits.

    Raises:
        ExperimentError: the model has no stages; otherwise as of `attribute_maps`.
    """
    if not isinstance(model, AttributeSegmenter):
        raise ExperimentError(
            f"only what has stages has parts of the last one, and {type(model).__name__} has none"
        )
    check_prompts(attributes, pixels, present)
    found = _applied(model, variables, attributes, pixels, present)
    last = found.stages[-1]
    kernel = variables["params"][f"clustering_{len(model.stages) - 1}"]["out"]["kernel"]
    weights = jnp.swapaxes(last.shares, -1, -2)  # of one cluster: (c, members, 1)
    if model.normalised:
        weights = weights / weights.sum(-2, keepdims=True)
    parts = jnp.concatenate([last.asked, (weights * last.members) @ kernel], -2)
    length = jnp.sqrt(jnp.sum(found.tokens**2, -1, keepdims=True) + 1e-12)
    unit = directions(found.pixels)
    each = found.factor * jnp.einsum("cpd,cmd->cmp", unit, parts / length[..., None])
    return each.at[:, 0].add(found.offset)


@functools.partial(jax.jit, static_argnums=0)
def _applied(
    model: Any, variables: Any, attributes: Array, pixels: Array, present: Array | None
) -> Segmentation:
    found: Segmentation = model.apply(variables, attributes, pixels, present)
    return found
