"""Layers of a detector that is told by words what to look for: an enhancer's and a decoder's.

Boxes are centre x, centre y, width and height, as shares of the picture's side, and are refined in logits.

Source: Liu et al., Grounding DINO, arXiv:2303.05499; attention around a box by a Gaussian, in the place of
    sampling at learned points: Gao et al., SMCA, arXiv:2101.07448.
"""

import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.vision.dynamic_dino.mixture import MoEFFN

EPSILON = 1e-4
"""From 0 and 1, which have no logits."""


def inverse_sigmoid(shares: Float[Array, "..."]) -> Float[Array, "..."]:
    """Logits of numbers from 0 to 1, cut a little inside."""
    shares = jnp.clip(shares, EPSILON, 1 - EPSILON)
    return jnp.log(shares) - jnp.log1p(-shares)


def waves(boxes: Float[Array, "... 4"], width: int) -> Float[Array, "... width"]:
    """Sines and cosines of the four numbers of a box, an eighth of the width of each."""
    count = width // 8
    rates = 2 * math.pi * 2.0 ** jnp.linspace(0, 4, count, dtype=boxes.dtype)
    turned = boxes[..., None] * rates.reshape((1,) * boxes.ndim + (count,))
    found = jnp.concatenate([jnp.sin(turned), jnp.cos(turned)], -1)
    return found.reshape(*boxes.shape[:-1], 8 * count)


def nearness(
    boxes: Float[Array, "B Q 4"], points: Float[Array, "T 2"], sharpness: Float[Array, "H"]
) -> Float[Array, "B H Q T"]:
    """Minus the squared distance of points from boxes' middles, in sides of each box, for every head."""
    away = points[None, None] - boxes[:, :, None, :2]
    squared = ((away / boxes[:, :, None, 2:]) ** 2).sum(-1)
    return -jax.nn.softplus(sharpness)[None, :, None, None] * squared[:, None]


class Attention(nn.Module):
    """Attention of several heads.

    Args:
        heads: they divide the width.
    """

    heads: int

    @nn.compact
    def __call__(
        self,
        asking: Float[Array, "B Q d"],
        keys: Float[Array, "B T d"],
        values: Float[Array, "B T d"],
        bias: Float[Array, "B H Q T"] | None = None,
    ) -> Float[Array, "B Q d"]:
        width = asking.shape[-1]

        def parted(name: str, x: Array) -> Array:
            made = nn.Dense(width, name=name)(x)
            return made.reshape(*x.shape[:2], self.heads, width // self.heads)

        query, key, value = parted("query", asking), parted("key", keys), parted("value", values)
        scores = jnp.einsum("bqhc,bthc->bhqt", query, key) * (width // self.heads) ** -0.5
        scores = scores if bias is None else scores + bias
        found = jnp.einsum("bhqt,bthc->bqhc", jax.nn.softmax(scores, -1), value)
        return jnp.asarray(nn.Dense(width, name="output")(found.reshape(asking.shape)))


class DenseFFN(nn.Module):
    """Two layers with ReLU between, for all tokens alike.

    Args:
        hidden: units between.
    """

    hidden: int

    @nn.compact
    def __call__(self, x: Float[Array, "... d"]) -> Float[Array, "... d"]:
        made = nn.relu(nn.Dense(self.hidden, name="up")(x))
        return jnp.asarray(nn.Dense(x.shape[-1], name="down")(made))


class EnhancerLayer(nn.Module):
    """Tokens of a picture look at each other and at the words.

    Args:
        heads: of attention.
        hidden: units of its feed-forward network.
    """

    heads: int
    hidden: int

    @nn.compact
    def __call__(
        self, tokens: Float[Array, "B T d"], places: Float[Array, "1 T d"], words: Any
    ) -> tuple[Float[Array, "B T d"], None]:
        x = nn.LayerNorm(name="norm_own")(tokens)
        tokens = tokens + Attention(self.heads, name="own")(x + places, x + places, x)
        x = nn.LayerNorm(name="norm_words")(tokens)
        tokens = tokens + Attention(self.heads, name="words")(x, words, words)
        x = nn.LayerNorm(name="norm_ffn")(tokens)
        return tokens + DenseFFN(self.hidden, name="ffn")(x), None


class Head(nn.Module):
    """A vector that is compared with those of classes, and a change of a box, for each token.

    Args:
        hidden: units before the change.
    """

    hidden: int

    @nn.compact
    def __call__(
        self, tokens: Float[Array, "B Q d"], boxes: Float[Array, "B Q 4"], classes: Any
    ) -> tuple[Float[Array, "B Q C"], Float[Array, "B Q 4"]]:
        x = nn.LayerNorm(name="norm")(tokens)
        told = nn.Dense(tokens.shape[-1], name="told")(x)
        prior = self.param("prior", nn.initializers.constant(-4.0), (1,), jnp.float32)
        scores = told @ classes.T * tokens.shape[-1] ** -0.5 + prior.reshape(1, 1, 1)
        change = nn.Dense(4, name="change")(nn.relu(nn.Dense(self.hidden, name="box")(x)))
        return scores, jax.nn.sigmoid(inverse_sigmoid(boxes) + change)


class DecoderLayer(nn.Module):
    """Queries look at each other, at the words, and at the picture around their boxes, which they refine.

    Args:
        heads: of attention.
        hidden: units of its feed-forward network.
        experts: what `MoEFFN` is given beside `hidden`, as pairs; without, the network is dense.
    """

    heads: int
    hidden: int
    experts: tuple[tuple[str, Any], ...] | None = None

    @nn.compact
    def __call__(
        self,
        carried: tuple[Float[Array, "B Q d"], Float[Array, "B Q 4"]],
        tokens: Float[Array, "B T d"],
        places: Float[Array, "1 T d"],
        points: Float[Array, "T 2"],
        text: tuple[Any, Any],
        mixing: tuple[Any, Any],
    ) -> Any:
        (queries, boxes), (words, classes) = carried, text
        where = nn.Dense(queries.shape[-1], name="where")(waves(boxes, queries.shape[-1]))
        x = nn.LayerNorm(name="norm_own")(queries)
        queries = queries + Attention(self.heads, name="own")(x + where, x + where, x)
        x = nn.LayerNorm(name="norm_words")(queries)
        queries = queries + Attention(self.heads, name="words")(x, words, words)
        x = nn.LayerNorm(name="norm_picture")(queries)
        sharpness = self.param(
            "sharpness", nn.initializers.constant(4.0), (self.heads,), jnp.float32
        )
        near = nearness(boxes, points, sharpness)
        queries = queries + Attention(self.heads, name="picture")(
            x + where, tokens + places, tokens, near
        )
        x = nn.LayerNorm(name="norm_ffn")(queries)
        if self.experts is None:
            added = DenseFFN(self.hidden, name="ffn")(x)
        else:
            layer = MoEFFN(self.hidden, name="ffn", **dict(self.experts))
            added = layer(x, routes=mixing[0], always=mixing[1])
        queries = queries + added
        scores, boxes = Head(queries.shape[-1], name="head")(queries, boxes, classes)
        # What the next layer starts from has no gradient, as each layer has a loss of its own.
        return (queries, jax.lax.stop_gradient(boxes)), (scores, boxes)
