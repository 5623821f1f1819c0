"""Features of regions out of a pyramid: from all levels, each let in by a gate, or from one by size."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.detection.rois import roi_align
from experiments.vision.catnet.pyramids import Level
from ntkexec.errors import ExperimentError

Regions = Float[Array, "b n rows columns c"]
DIRECTIONS = ("bottom_up", "top_down")


def of_all_levels(
    levels: Sequence[Level],
    boxes: Float[Array, "b n 4"],
    strides: Sequence[int],
    *,
    bins: int,
    sampling: int = 2,
) -> list[Regions]:
    """The same boxes' features on each level.

    Args:
        levels: of a batch of pictures, from fine to coarse.
        boxes: corners in pixels, of each picture.
        strides: of the levels.
        bins: rows and columns of a region.
        sampling: samples of a bin in a row; the released models take as many as it has features.

    Raises:
        ExperimentError: there is not one stride for each level.
    """
    if len(levels) != len(strides):
        raise ExperimentError(f"{len(levels)} levels have {len(strides)} strides")

    def of_one(stride: int, level: Level) -> Regions:
        def align(features: Float[Array, "h w c"], corners: Float[Array, "n 4"]) -> Array:
            return roi_align(features, corners, bins, sampling=sampling, stride=stride)

        return jax.vmap(align)(level, boxes)

    return [of_one(stride, level) for stride, level in zip(strides, levels, strict=True)]


class HierarchicalFusion(nn.Module):
    """A region's features on all levels added up, each times a gate that has seen the sum so far.

    `R <- R + F_l sigmoid(W_l [R, F_l] + c_l)`: a gate for each channel *and bin*, from R = 0 on, so the order
    of levels matters.

    Args:
        direction: `bottom_up`, from the finest level on, or `top_down`.

    Source: Liu et al., arXiv:2111.11057, and its public code: boxes take the first, masks the second.
    """

    direction: str = "bottom_up"

    @nn.compact
    def __call__(self, regions: Sequence[Float[Array, "... c"]]) -> Float[Array, "... c"]:
        if self.direction not in DIRECTIONS:
            raise ExperimentError(
                f"levels are fused {' or '.join(DIRECTIONS)}, got {self.direction!r}"
            )
        order = list(enumerate(regions))
        total = jnp.zeros_like(regions[0])
        for place, found in order if self.direction == "bottom_up" else reversed(order):
            seen = jnp.concatenate([total, found], -1)
            gate = nn.Dense(found.shape[-1], name=f"gate_{place}")(seen)
            total = total + found * nn.sigmoid(gate)
        return total


class HierarchicalRoI(nn.Module):
    """Features of boxes from all levels of a pyramid, fused as by `HierarchicalFusion`.

    Args:
        strides: of the levels.
        bins: rows and columns of a region.
        direction: see there.
        sampling: see `of_all_levels`.
    """

    strides: tuple[int, ...] = (4, 8, 16, 32)
    bins: int = 7
    direction: str = "bottom_up"
    sampling: int = 2

    @nn.compact
    def __call__(self, levels: Sequence[Level], boxes: Float[Array, "b n 4"]) -> Regions:
        found = of_all_levels(levels, boxes, self.strides, bins=self.bins, sampling=self.sampling)
        return HierarchicalFusion(self.direction, name="fusion")(found)


class SingleLevelRoI(nn.Module):
    """Features of boxes from the level that fits a box's size: what `HierarchicalRoI` replaces.

    Args:
        strides, bins, sampling: as there.
        finest: side in pixels up to twice which a box is read on the finest level.
    """

    strides: tuple[int, ...] = (4, 8, 16, 32)
    bins: int = 7
    finest: float = 56.0
    sampling: int = 2

    @nn.compact
    def __call__(self, levels: Sequence[Level], boxes: Float[Array, "b n 4"]) -> Regions:
        found = of_all_levels(levels, boxes, self.strides, bins=self.bins, sampling=self.sampling)
        chosen = level_of_size(boxes, len(levels), finest=self.finest)
        share = jax.nn.one_hot(chosen, len(levels), dtype=found[0].dtype)
        return jnp.einsum("lbnrkc,bnl->bnrkc", jnp.stack(found), share)


def level_of_size(
    boxes: Float[Array, "... 4"], levels: int, *, finest: float = 56.0
) -> Int[Array, "..."]:
    """`floor(log2(side / finest))`, held within the levels, of the square root of a box's area.

    Source: Lin et al., arXiv:1612.03144: 4 + log2(side / 224), the finest level being number 2.
    """
    sides = jnp.maximum(boxes[..., 2:] - boxes[..., :2], 0)
    side = jnp.sqrt(jnp.prod(sides, -1))
    # The released codes add a millionth, so that a box of no size has a level.
    return jnp.clip(jnp.floor(jnp.log2(side / finest + 1e-6)), 0, levels - 1).astype(jnp.int32)


def pasted(
    inside: Float[Array, "... n a a"], boxes: Float[Array, "... n 4"], size: tuple[int, int]
) -> Bool[Array, "... n h w"]:
    """Masks in a picture of what grids over boxes say of their pixels: those of a half or more.

    Args:
        inside: from 0 to 1 at the middles of a grid's cells; between them it is bilinear, and outside of a
            box 0.
        boxes: corners in pixels; of one without a width or height the mask is empty.
        size: height and width of the picture.
    """
    down = _seen_from(boxes[..., 1], boxes[..., 3], size[0], inside.shape[-2])
    across = _seen_from(boxes[..., 0], boxes[..., 2], size[1], inside.shape[-1])
    return jnp.einsum("...hr,...rk,...wk->...hw", down, inside, across) >= 0.5


def _seen_from(start: Array, end: Array, pixels: int, cells: int) -> Array:
    """Bilinear shares of a box's cells in each pixel of an axis; zeros for pixels outside."""
    middles = jnp.arange(pixels, dtype=start.dtype) + 0.5
    share = (middles - start[..., None]) / jnp.maximum(end - start, 1e-6)[..., None]
    inside = (share > 0) & (share < 1)
    at = jnp.clip(share * cells - 0.5, 0, cells - 1)[..., None]
    hats = jnp.maximum(1 - jnp.abs(at - jnp.arange(cells, dtype=start.dtype)), 0)
    return jnp.where(inside[..., None], hats, 0)
