"""What does not fit together, told in words before Flax or XLA tell it in theirs."""

from typing import Any

import flax.linen as nn
import numpy as np
from flax.errors import ScopeCollectionNotFound, ScopeParamNotFoundError, ScopeParamShapeError
from jaxtyping import Array, ArrayLike, Bool, Float

from experiments.files.words import shown
from ntkexec.errors import ExperimentError


class WordedModule(nn.Module):
    """A module that refuses variables of other widths, or of another module, in words."""

    @nn.nowrap
    def apply(self, *inputs: Any, **arguments: Any) -> Any:
        """As Flax has it.

        Raises:
            ExperimentError: names the first variable that is not there or has another shape.
        """
        try:
            return super().apply(*inputs, **arguments)
        except (ScopeCollectionNotFound, ScopeParamNotFoundError, ScopeParamShapeError) as error:
            # Behind it is an address.
            said = shown(str(error).partition(" (http")[0])
            raise ExperimentError(
                f"these variables are not those of {type(self).__name__} for inputs of these widths: {said}"
            ) from None


def check_prompts(
    attributes: Float[Array, "*n c a d"],
    pixels: Float[Array, "*m p d"],
    present: Bool[ArrayLike, "*n c a"] | None,
) -> None:
    """Refuses what is no picture and no prompts of a segmenter, by shapes alone.

    Raises:
        ExperimentError: widths differ, pixels are a grid instead of a list, or there is no mark for each
            attribute.
    """
    shape, beside = np.shape(attributes), np.shape(pixels)
    if len(shape) < 3 or len(beside) < 2:
        raise ExperimentError(
            "attributes are vectors (..., classes, attributes, width) and pixels (..., pixels, width), got "
            f"{shape} and {beside}"
        )
    _check_width(shape, beside)
    lead, sets = beside[:-2], shape[:-3]
    if not _fits(lead, sets):
        raise ExperimentError(
            f"pixels are a list of vectors, (pixels, width), for each of the sets {sets} of prompts or for "
            f"all, got {beside}; a grid of them is first made a list: pixels.reshape(-1, {beside[-1]})"
        )
    check_present(shape[:-1], present)


def check_fusion(
    attributes: Float[Array, "*n c a d"],
    pixels: Float[Array, "*n c p d"],
    present: Bool[ArrayLike, "*n c a"] | None,
) -> None:
    """Refuses what no fusion can take, by shapes alone.

    Raises:
        ExperimentError: widths differ, or pixels are of other classes.
    """
    shape, beside = np.shape(attributes), np.shape(pixels)
    if len(shape) != len(beside) or len(shape) < 3 or not _fits(beside[:-2], shape[:-2]):
        raise ExperimentError(
            "a fusion takes attributes (..., classes, attributes, width) and pixels (..., classes, pixels, "
            f"width) of as many classes or of 1 for all, got {shape} and {beside}"
        )
    _check_width(shape, beside)
    check_present(shape[:-1], present)


def check_present(shape: tuple[int, ...], present: Bool[ArrayLike, "*n a"] | None) -> None:
    """Refuses marks that are not one for each attribute.

    Raises:
        ExperimentError: says both shapes.
    """
    if present is not None and np.shape(present) != shape:
        raise ExperimentError(
            f"attributes of the shape {shape} have no marks of the shape {np.shape(present)}"
        )


def _check_width(shape: tuple[int, ...], beside: tuple[int, ...]) -> None:
    if shape[-1] != beside[-1]:
        raise ExperimentError(
            f"attributes of width {shape[-1]} and pixels of width {beside[-1]} are in no common space"
        )


def _fits(lead: tuple[int, ...], sets: tuple[int, ...]) -> bool:
    """Whether axes are those of the sets, or 1, or fewer of the last ones."""
    pairs = zip(reversed(lead), reversed(sets), strict=False)
    return len(lead) <= len(sets) and all(one in (1, other) for one, other in pairs)
