"""Stages of the aggregation: attributes and pixels exchange what they know, then attributes are clustered.

What attention and perceptrons add begins at 0, and clusters begin as means: before training all stages
together are the mean of the attributes, in whatever space pixels and attributes share.
"""

import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Bool, Float

from experiments.vision.attrseg.shapes import WordedModule, check_fusion, check_present
from ntkexec.errors import ExperimentError


class Attention(nn.Module):
    """Softmax attention with projections, in which what is not present is not there.

    Args:
        heads: that share the channels; they divide them.
    """

    heads: int

    @nn.compact
    def __call__(
        self,
        queries: Float[Array, "*n q d"],
        keys: Float[Array, "*n k d"],
        present: Bool[ArrayLike, "*n k"] | None = None,
    ) -> Float[Array, "*n q d"]:
        width = queries.shape[-1]
        if self.heads < 1 or width % self.heads:
            raise ExperimentError(f"{self.heads} heads do not share {width} channels evenly")
        asked = nn.Dense(width, name="query")(queries)
        known, told = nn.Dense(width, name="key")(keys), nn.Dense(width, name="value")(keys)
        q, k, v = (x.reshape(*x.shape[:-1], self.heads, -1) for x in (asked, known, told))
        scores = jnp.einsum("...qhd,...khd->...hqk", q, k) / math.sqrt(q.shape[-1])
        there = None if present is None else jnp.asarray(present)[..., None, None, :]
        found = jnp.einsum("...hqk,...khd->...qhd", jax.nn.softmax(scores, where=there), v)
        project = nn.Dense(width, kernel_init=nn.initializers.zeros, name="project")
        return jnp.asarray(project(found.reshape(*found.shape[:-2], width)))


class Perceptron(nn.Module):
    """What follows attention in each position: a normalisation and two dense layers.

    Args:
        hidden: width between them.
    """

    hidden: int

    @nn.compact
    def __call__(self, x: Float[Array, "*n d"]) -> Float[Array, "*n d"]:
        inner = nn.gelu(nn.Dense(self.hidden, name="widen")(nn.LayerNorm(name="norm")(x)))
        narrow = nn.Dense(x.shape[-1], kernel_init=nn.initializers.zeros, name="narrow")
        return jnp.asarray(narrow(inner))


class Fusion(WordedModule):
    """Attributes attend to each other and to the pixels, pixels to the attributes; each then to itself.

    Neither attributes nor pixels have places: both are sets.

    Args:
        heads: of each attention.
        hidden: width of the perceptrons.
        shared: whether pixels attend to the attributes of all classes at once, which is cheaper, since
            they are then the same for all classes, and makes a class depend on the others.

    Source: Ma et al., arXiv:2309.00096, for a fusion in each stage; its layers are reconstructed.
    """

    heads: int = 4
    hidden: int = 64
    shared: bool = False

    @nn.compact
    def __call__(
        self,
        attributes: Float[Array, "*n c a d"],
        pixels: Float[Array, "*n c p d"],
        present: Bool[ArrayLike, "*n c a"] | None = None,
        *,
        exchange: float | Array = 1.0,
    ) -> tuple[Float[Array, "*n c a d"], Float[Array, "*n c p d"]]:
        """Both, updated.

        Args:
            attributes: of each class.
            pixels: for each class; one for all where there is one.
            present: which attributes are there, at least one of each class; all where none is given.
            exchange: factor of what either takes from the other; 0 keeps the image out.

        Raises:
            ExperimentError: shapes that do not fit together.
        """
        check_fusion(attributes, pixels, present)
        norm_a, norm_v = nn.LayerNorm(name="norm_attributes"), nn.LayerNorm(name="norm_pixels")
        known = norm_a(attributes)
        among = Attention(self.heads, name="among")(known, known, present)
        attributes = attributes + among
        seen = norm_v(pixels)
        look = nn.LayerNorm(name="norm_look")(attributes)
        attributes = attributes + exchange * Attention(self.heads, name="look")(look, seen)
        told, there = nn.LayerNorm(name="norm_told")(attributes), present
        if self.shared:
            told, there = _of_all_classes(told, present)
        pixels = pixels + exchange * Attention(self.heads, name="tell")(seen, told, there)
        attributes = attributes + Perceptron(self.hidden, name="perceptron_attributes")(attributes)
        return attributes, pixels + Perceptron(self.hidden, name="perceptron_pixels")(pixels)


def _of_all_classes(
    attributes: Float[Array, "*n c a d"], present: Bool[ArrayLike, "*n c a"] | None
) -> tuple[Float[Array, "*n 1 b d"], Bool[Array, "*n 1 b"] | None]:
    *lead, classes, number, width = attributes.shape
    there = None if present is None else jnp.asarray(present).reshape(*lead, 1, classes * number)
    return attributes.reshape(*lead, 1, classes * number, width), there


class Clustered(NamedTuple):
    """What one clustering makes.

    Args:
        tokens: of each cluster.
        shares: of each attribute that each cluster gets; over the clusters they sum to 1, or to 0 for
            an attribute that is not there.
        means: of the attributes in each cluster.
        asked: what the tokens would be without them.
        members: the attributes.
    """

    tokens: Float[Array, "*n q d"]
    shares: Float[Array, "*n q a"]
    means: Float[Array, "*n q d"]
    asked: Float[Array, "*n q d"]
    members: Float[Array, "*n a d"]


def _identity(key: Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> Array:
    return jnp.eye(shape[0], shape[1], dtype=dtype)


class Clustering(WordedModule):
    """Each attribute distributes itself over a few clusters, whose means become the next attributes.

    Args:
        clusters: one makes the plain mean of all that are there.
        heads: of the attention by which the clusters' queries learn of the attributes.
        hard: whether an attribute goes to its best cluster whole, with the gradient of the softmax.
        normalised: whether a cluster is a mean, not a sum, to which a repeated attribute adds.

    Source: Ma et al., arXiv:2309.00096, for a clustering in each stage; its layers are reconstructed.
    """

    clusters: int
    heads: int = 4
    hard: bool = False
    normalised: bool = True

    @nn.compact
    def __call__(
        self,
        attributes: Float[Array, "*n a d"],
        present: Bool[ArrayLike, "*n a"] | None = None,
    ) -> Clustered:
        """Clusters of the attributes that are present, at least one; of all where none is told."""
        if self.clusters < 1:
            raise ExperimentError(f"attributes go to 1 cluster or more, got {self.clusters}")
        check_present(attributes.shape[:-1], present)
        *lead, _, width = attributes.shape
        begin = self.param("queries", nn.initializers.normal(0.02), (self.clusters, width))
        known = nn.LayerNorm(name="norm")(attributes)
        queries = jnp.broadcast_to(begin, (*lead, self.clusters, width))
        asked = queries + Attention(self.heads, name="ask")(queries, known, present)
        q, k = nn.Dense(width, name="query")(asked), nn.Dense(width, name="key")(known)
        scores = jnp.einsum("...qd,...ad->...qa", q, k) / math.sqrt(width)
        shares = jax.nn.softmax(scores, -2)
        if self.hard:
            best = jax.nn.one_hot(scores.argmax(-2), self.clusters, axis=-2, dtype=shares.dtype)
            shares = best + (shares - jax.lax.stop_gradient(shares))
        if present is not None:
            shares = shares * jnp.asarray(present)[..., None, :]
        means = jnp.einsum("...qa,...ad->...qd", shares, attributes)
        if self.normalised:
            total = shares.sum(-1, keepdims=True)
            # A hard cluster may get nothing.
            means = jnp.where(total > 0, means / jnp.where(total > 0, total, 1), 0)
        pulled = nn.Dense(width, use_bias=False, kernel_init=_identity, name="out")(means)
        return Clustered(asked + pulled, shares, means, asked, attributes)
