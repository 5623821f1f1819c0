"""Spatial context: one vector that a picture's places agree on, given back to each by its own share."""

from collections.abc import Sequence

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.vision.catnet.pyramids import Level


class ContextAggregation(nn.Module):
    """`y_p = x_p + a_p W_m sum_q k_q W_v x_q`, `a = sigmoid(W_a x)`, k the softmax over places of `W_k x`.

    W_m and its bias begin at 0, so the layer begins as the identity. What it adds is one vector times a
    number for each place: it cannot send one context here and another there.

    Args:
        reduction: by which values have fewer channels than inputs.

    Source: Liu et al., arXiv:2111.11057, and its public code: layers have biases and no normalisation.
    """

    reduction: int = 1

    @nn.compact
    def __call__(self, x: Level) -> Level:
        number, height, width, channels = x.shape
        share = nn.sigmoid(nn.Dense(1, name="share")(x))
        places = nn.Dense(1, name="places")(x).reshape(number, height * width)
        values = nn.Dense(max(1, channels // self.reduction), name="values")(x)
        values = values.reshape(number, height * width, -1)
        agreed = jnp.einsum("np,npc->nc", jax.nn.softmax(places), values)
        zeros = nn.initializers.zeros_init()
        added = nn.Dense(channels, kernel_init=zeros, name="modulation")(agreed)
        return x + share * added[:, None, None]


class SpatialContextPyramid(nn.Module):
    """A `ContextAggregation` for each level, behind the neck.

    Args:
        reduction: see there.
    """

    reduction: int = 1

    @nn.compact
    def __call__(self, levels: Sequence[Float[Array, "n h w c"]]) -> list[Level]:
        return [
            ContextAggregation(self.reduction, name=f"level_{place}")(x)
            for place, x in enumerate(levels)
        ]
