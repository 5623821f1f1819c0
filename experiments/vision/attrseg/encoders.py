"""Vectors of a picture's patches in the space of words, learned from regions and phrases; not CLIP."""

import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.convnets.products import ByProducts
from experiments.kits.initialisation import FLAX, Rule, initial_by_numpy, zeros
from experiments.vision.attrseg.phrases import check_tokens, phrase_vectors, region_phrase_loss
from experiments.vision.attrseg.shapes import WordedModule
from ntkexec.errors import ExperimentError

STRIDE = 4
"""Pixels of a patch's side."""
GROUP = 20
"""Pictures at a time when they are encoded."""
SHARPNESS, OFFSET = math.log(10), -5.0
"""Of the loss before training: logarithm of the cosine's factor, and what is added."""


class PixelEncoder(WordedModule):
    """Convolutions to a vector for every patch of 4 x 4 pixels, each of which sees 28 x 28.

    Args:
        width: of a vector.
    """

    width: int = 32

    @nn.compact
    def __call__(self, images: Float[Array, "n h w 3"]) -> Float[Array, "n p d"]:
        """Vectors, row by row of the picture, whose sides are multiples of 4.

        Raises:
            ExperimentError: pictures of other shapes.
        """
        if images.ndim != 4 or images.shape[-1] != 3:
            raise ExperimentError(f"pictures are (number, height, width, 3), got {images.shape}")
        if images.shape[1] % STRIDE or images.shape[2] % STRIDE:
            raise ExperimentError(f"sides of pictures are multiples of 4, got {images.shape[1:3]}")
        stem = nn.Conv(2 * self.width, (STRIDE, STRIDE), (STRIDE, STRIDE), name="stem")
        x: Any = nn.Dense(self.width, name="patch")(nn.gelu(stem(images - 0.5)))
        for place in range(3):
            inner = nn.gelu(nn.LayerNorm(name=f"norm_{place}")(x))
            x = x + nn.Conv(self.width, (3, 3), name=f"conv_{place}")(inner)
        x = nn.Dense(self.width, name="out")(nn.gelu(nn.LayerNorm(name="norm")(x)))
        return jnp.asarray(x.reshape(len(images), -1, self.width))


class WordSpace(NamedTuple):
    """What was learned from regions and phrases.

    Args:
        encoder: variables of the `PixelEncoder`.
        words: a vector for each word; of a word in no phrase as it was drawn.
        losses: of every step.
        pixels: vectors of the patches of all pictures that were to be encoded.
    """

    encoder: Any
    words: Float[np.ndarray, "v d"]
    losses: Float[np.ndarray, "steps"]
    pixels: Float[np.ndarray, "m p d"]


_RULES: Mapping[str, Rule] = {
    **FLAX,
    "words": lambda generator, shape, fan_in: generator.normal(size=shape) / shape[-1] ** 0.5,
    **dict.fromkeys(("sharpness", "offset"), zeros),
}


class _Both(nn.Module):
    """Both encoders and the two numbers of the loss."""

    num_words: int
    width: int

    def setup(self) -> None:
        self.encoder = ByProducts(PixelEncoder(self.width))
        begin = nn.initializers.normal(1.0)
        self.words = self.param("words", begin, (self.num_words, self.width))
        self.sharpness = self.param("sharpness", nn.initializers.zeros, ())
        self.offset = self.param("offset", nn.initializers.zeros, ())

    def __call__(
        self, images: Array, regions: Array, phrases: Array, matches: Array, counted: Array
    ) -> Array:
        pixels = self.encoder(images)
        share = regions / jnp.maximum(regions.sum(-1, keepdims=True), 1e-6)
        pooled = jnp.einsum("nmp,npd->nmd", share, pixels).reshape(-1, self.width)
        return region_phrase_loss(
            pooled, phrase_vectors(self.words, phrases), matches.reshape(len(pooled), -1),
            sharpness=SHARPNESS + self.sharpness, bias=OFFSET + self.offset, counted=counted.reshape(-1),
        )  # fmt: skip


def fit_word_space(
    images: Float[np.ndarray, "n h w 3"],
    regions: Float[np.ndarray, "n m p"],
    matches: Bool[np.ndarray, "n m q"],
    phrases: Int[np.ndarray, "q w"],
    *,
    num_words: int,
    encoded: Float[np.ndarray, "m h w 3"],
    generator: np.random.Generator,
    steps: int,
    batch: int = 16,
    rate: float = 3e-3,
    width: int = 32,
) -> WordSpace:
    """Encoders of patches and words, trained on pairs of a region and a phrase; Adam, the rate a cosine.

    Args:
        images: to train on.
        regions: share of each patch that lies in each object; zeros are no object.
        matches: which phrases are true of each.
        phrases: as numbers of words.
        num_words: of the vocabulary.
        encoded: pictures whose patches' vectors are returned.
        generator: of first weights and of the order of pictures.
        steps, batch, rate: of training; a batch are pictures.
        width: of vectors.

    Raises:
        ExperimentError: there are fewer pictures than a batch holds, parts do not match, or a word is
            beyond the vocabulary.
    """
    if (
        not 0 < batch <= len(images)
        or steps < 1
        or len(regions) != len(images)
        or len(matches) != len(images)
    ):
        raise ExperimentError(
            f"{steps} batches of {batch} cannot be drawn from {len(images)} pictures with regions of "
            f"{len(regions)} and matches of {len(matches)}"
        )
    patches = math.prod(images.shape[1:3]) // STRIDE**2
    if regions.shape[2] != patches or matches.shape[1:] != (regions.shape[1], len(phrases)):
        raise ExperimentError(
            f"pictures of {patches} patches and {len(phrases)} phrases have regions (pictures, objects, "
            f"{patches}) and matches (pictures, objects, {len(phrases)}), got {regions.shape} and "
            f"{matches.shape}"
        )
    check_tokens(phrases, num_words)
    module = _Both(num_words, width)
    data = tuple(map(jnp.asarray, (images, regions, matches)))
    example = (images[:1], regions[:1], phrases, matches[:1], regions[:1].sum(-1) > 0)
    params = initial_by_numpy(module, generator, *example, rules=_RULES)["params"]
    rows = [generator.choice(len(images), batch, replace=False) for _ in range(steps)]
    params, losses, pixels = _fitted(
        module,
        params,
        data,
        jnp.asarray(phrases),
        jnp.asarray(np.array(rows)),
        jnp.float32(rate),
        encoded,
    )
    words = np.asarray(params["words"])
    return WordSpace(
        {"params": params["encoder"]}, words, np.asarray(losses), np.asarray(pixels)[: len(encoded)]
    )


@functools.partial(jax.jit, static_argnums=0)
def _fitted(
    module: Any,
    params: Any,
    data: tuple[Array, Array, Array],
    phrases: Array,
    rows: Array,
    rate: Array,
    encoded: Array,
) -> tuple[Any, Array, Array]:
    # As one vector: what is done to each number alike is compiled once, not for every leaf.
    update = optax.flatten(optax.adam(optax.cosine_decay_schedule(rate, len(rows))))

    def step(carry: Any, chosen: Array) -> tuple[Any, Array]:
        params, inner = carry
        images, regions, matches = (part[chosen] for part in data)

        def loss(params: Any) -> Array:
            counted = regions.sum(-1) > 0
            return jnp.asarray(
                module.apply({"params": params}, images, regions, phrases, matches, counted)
            )

        value, gradient = jax.value_and_grad(loss)(params)
        updates, inner = update.update(gradient, inner, params)
        return (optax.apply_updates(params, updates), inner), value

    (params, _), losses = jax.lax.scan(step, (params, update.init(params)), rows)
    groups = -(-len(encoded) // GROUP)
    at = (jnp.arange(groups * GROUP) % len(encoded)).reshape(groups, GROUP)
    encoder = ByProducts(PixelEncoder(module.width))
    found = jax.lax.map(
        lambda each: jnp.asarray(encoder.apply({"params": params["encoder"]}, encoded[each])), at
    )
    return params, losses, found.reshape(groups * GROUP, *found.shape[2:])
