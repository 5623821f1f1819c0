"""Masks of classes that are told by their attributes: stages down to one token, compared with every pixel."""

import itertools
import math
from collections.abc import Mapping
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from experiments.kits.detection.losses import binary_cross_entropy, dice
from experiments.kits.initialisation import FLAX, Rule, zeros
from experiments.vision.attrseg.layers import Clustered, Clustering, Fusion, Perceptron
from experiments.vision.attrseg.shapes import WordedModule, check_prompts
from ntkexec.errors import ExperimentError

SHARPNESS = math.log(1 / 0.07)
"""Logarithm of the factor of a cosine, before training."""
RULES: Mapping[str, Rule] = {
    **FLAX,
    **dict.fromkeys(("project/kernel", "narrow/kernel", "sharpness", "offset"), zeros),
    "out/kernel": lambda generator, shape, fan_in: np.eye(shape[0], shape[1]),
    "queries": lambda generator, shape, fan_in: generator.normal(0, 0.02, shape),
}
"""For `initial_by_numpy`: as the layers' own."""


class Segmentation(NamedTuple):
    """What is said of each class in a picture.

    Args:
        logits: of each pixel showing the class; above 0 is more likely than not.
        tokens: of each class, the last stage's.
        pixels: as they are compared with the tokens.
        stages: what each clustering made; none of a model without.
        factor, offset: of the cosine, and added to it.
    """

    logits: Float[Array, "*n c p"]
    tokens: Float[Array, "*n c d"]
    pixels: Float[Array, "*n c p d"]
    stages: tuple[Clustered, ...]
    factor: Float[Array, ""]
    offset: Float[Array, ""]


class AttributeSegmenter(WordedModule):
    """Attributes of each class become one token in stages of fusion and clustering, pixels along with them.

    Classes are segmented each by itself (unless `shared`), so that any number can be asked for, and
    others asked for beside one change nothing of it.

    Args:
        stages: clusters after each stage, fewer each time, the last time 1.
        heads, hidden, hard, normalised, shared: see `Fusion` and `Clustering`.

    Raises:
        ExperimentError: stages that do not end in one token.

    Source: Ma et al., arXiv:2309.00096, for stages that end in one token; layers, sizes and the loss that
    they are trained with are reconstructed.
    """

    stages: tuple[int, ...] = (4, 1)
    heads: int = 4
    hidden: int = 64
    hard: bool = False
    normalised: bool = True
    shared: bool = False

    def __post_init__(self) -> None:
        steps = itertools.pairwise(self.stages)
        if not self.stages or self.stages[-1] != 1 or any(a <= b for a, b in steps):
            raise ExperimentError(
                f"stages have fewer clusters each time and end in 1, such as (4, 1); got {self.stages}"
            )
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        attributes: Float[Array, "*n c a d"],
        pixels: Float[Array, "*m p d"],
        present: Bool[ArrayLike, "*n c a"] | None = None,
        *,
        exchange: float | Array = 1.0,
    ) -> Segmentation:
        """Logits of every class in every pixel.

        Args:
            attributes: vectors of each class's phrases, padded to one number; of any encoder that has
                vectors of pixels in the same space.
            pixels: vectors of a picture's pixels, or of its patches; for each of several sets of
                prompts, or for all.
            present: which attributes are there, at least one of each class: others change nothing,
                whatever is in them. All where none is given.
            exchange: see `Fusion`.

        Raises:
            ExperimentError: shapes that do not fit together, such as a grid of pixels.
        """
        check_prompts(attributes, pixels, present)
        if present is not None:
            attributes = jnp.where(jnp.asarray(present)[..., None], attributes, 0)
        pixels = _beside(pixels, attributes.ndim)
        found = []
        for stage, clusters in enumerate(self.stages):
            fusion = Fusion(self.heads, self.hidden, self.shared, name=f"fusion_{stage}")
            attributes, pixels = fusion(attributes, pixels, present, exchange=exchange)
            clustering = Clustering(
                clusters, self.heads, self.hard, self.normalised, name=f"clustering_{stage}"
            )
            found.append(clustering(attributes, present))
            attributes, present = found[-1].tokens, None
        return _compared(attributes[..., 0, :], pixels, tuple(found), _scale(self))


class MeanSegmenter(WordedModule):
    """The rival: the mean of the attributes, without the image, through a perceptron; pixels likewise.

    Args:
        hidden: width of the perceptrons.
        depth: of them, in pixels and in the mean.
    """

    hidden: int = 64
    depth: int = 2

    @nn.compact
    def __call__(
        self,
        attributes: Float[Array, "*n c a d"],
        pixels: Float[Array, "*m p d"],
        present: Bool[ArrayLike, "*n c a"] | None = None,
        *,
        exchange: float | Array = 1.0,
    ) -> Segmentation:
        """As `AttributeSegmenter`; nothing is exchanged."""
        check_prompts(attributes, pixels, present)
        there = jnp.ones(attributes.shape[:-1], bool) if present is None else jnp.asarray(present)
        token = jnp.mean(attributes, -2, where=there[..., None])
        for place in range(self.depth):
            token = token + Perceptron(self.hidden, name=f"attributes_{place}")(token)
            pixels = pixels + Perceptron(self.hidden, name=f"pixels_{place}")(pixels)
        return _compared(token, _beside(pixels, attributes.ndim), (), _scale(self))


def _beside(pixels: Float[Array, "*m p d"], rank: int) -> Float[Array, "*n 1 p d"]:
    """Pixels with an axis of classes, and as many axes before as the attributes have."""
    shape = (*pixels.shape[:-2], 1, *pixels.shape[-2:])
    return pixels.reshape((1,) * (rank - len(shape)) + shape)


def _scale(module: nn.Module) -> tuple[Array, Array]:
    """Factor and offset of cosines, which are learned."""
    sharpness, offset = (
        jnp.asarray(module.param(name, nn.initializers.zeros, ()))
        for name in ("sharpness", "offset")
    )
    return jnp.exp(SHARPNESS + sharpness), offset


def _compared(
    tokens: Float[Array, "*n c d"],
    pixels: Float[Array, "*n c p d"],
    stages: tuple[Clustered, ...],
    scale: tuple[Array, Array],
) -> Segmentation:
    cosines = jnp.einsum("...pd,...d->...p", directions(pixels), directions(tokens))
    return Segmentation(scale[0] * cosines + scale[1], tokens, pixels, stages, *scale)


def directions(vectors: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
    """Vectors of length 1; what is much shorter than a millionth stays short."""
    return vectors / jnp.sqrt(jnp.sum(vectors**2, -1, keepdims=True) + 1e-12)


def enlarged(
    logits: Float[Array, "*n p"], grid: tuple[int, int], size: tuple[int, int]
) -> Float[Array, "*n h w"]:
    """Logits of a grid's places as an image of them, linear between their centres.

    Raises:
        ExperimentError: the grid has another number of places.
    """
    if math.prod(grid) != logits.shape[-1]:
        raise ExperimentError(f"a grid of {grid} has no {logits.shape[-1]} places")
    lead = logits.shape[:-1]
    return jax.image.resize(logits.reshape(*lead, *grid), (*lead, *size), "linear")


def segmentation_loss(
    logits: Float[Array, "*n h w"], masks: Float[Array, "*n h w"]
) -> Float[Array, "*n"]:
    """Binary cross entropy, meant over the pixels, plus the Dice loss of each mask; both have weight 1."""
    return binary_cross_entropy(logits, masks).mean((-2, -1)) + dice(logits, masks)
