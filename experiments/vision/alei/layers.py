"""Parts of the detector: a vision transformer, LoRA experts of its views, and what lets views exchange."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.initialisation import FLAX, Rule, embedding_normal, zeros
from ntkexec.errors import ExperimentError

RULES: Mapping[str, Rule] = {
    **FLAX,
    **dict.fromkeys(("cls", "positions", "down", "stem", "second", "out", "direction"), embedding_normal),
    **dict.fromkeys(("up", "beta", "gamma", "eta"), zeros),
}  # fmt: skip
"""For `initial_by_numpy`: gates and what LoRA adds begin at 0."""


def check_heads(width: int, heads: int) -> None:
    """Refuses heads that cannot share the channels.

    Raises:
        ExperimentError: the width is no multiple of them.
    """
    if heads < 1 or width < 1 or width % heads:
        raise ExperimentError(f"{heads} heads do not share {width} channels evenly")


KEYS = ("one", "views")
"""What the adapter attends to: see `Adapter`."""


def check_keys(keys: str) -> None:
    """Refuses keys that the adapter does not have.

    Raises:
        ExperimentError: there are no such keys.
    """
    if keys not in KEYS:
        raise ExperimentError(f"there are no keys {keys!r}; there are {', '.join(KEYS)}")


def attended(
    queries: Float[Array, "*n q d"],
    keys: Float[Array, "*n k d"],
    values: Float[Array, "*n k d"],
    heads: int,
) -> Float[Array, "*n q d"]:
    """Softmax attention of several heads, each of d / heads neighbouring channels.

    Raises:
        ExperimentError: heads do not share the channels evenly.
    """
    check_heads(queries.shape[-1], heads)
    q, k, v = (x.reshape(*x.shape[:-1], heads, -1) for x in (queries, keys, values))
    scores = jnp.einsum("...qhd,...khd->...hqk", q, k) / math.sqrt(q.shape[-1])
    found = jnp.einsum("...hqk,...khd->...qhd", jax.nn.softmax(scores), v)
    return found.reshape(queries.shape)


class Attention(nn.Module):
    """MHA(queries, keys, keys) with projections.

    Args:
        heads: that share the channels.
    """

    heads: int

    @nn.compact
    def __call__(
        self, queries: Float[Array, "*n q d"], keys: Float[Array, "*n k d"]
    ) -> Float[Array, "*n q d"]:
        width = queries.shape[-1]
        q = nn.Dense(width, name="query")(queries)
        k, v = nn.Dense(width, name="key")(keys), nn.Dense(width, name="value")(keys)
        return nn.Dense(width, name="project")(attended(q, k, v, self.heads))


class Block(nn.Module):
    """A block of a vision transformer, with whatever `added` gives added to queries, keys and values.

    Args:
        heads: of attention.
        hidden: width of the MLP.
    """

    heads: int
    hidden: int

    @nn.compact
    def __call__(
        self, x: Float[Array, "*n t d"], added: Callable[[Array], Array] | None = None
    ) -> Float[Array, "*n t d"]:
        width = x.shape[-1]
        h = nn.LayerNorm(name="norm")(x)
        qkv = nn.Dense(3 * width, name="qkv")(h)
        if added is not None:
            qkv = qkv + added(h)
        q, k, v = jnp.split(qkv, 3, -1)
        x = x + nn.Dense(width, name="project")(attended(q, k, v, self.heads))
        h = nn.gelu(nn.Dense(self.hidden, name="widen")(nn.LayerNorm(name="mlp_norm")(x)))
        return x + nn.Dense(width, name="narrow")(h)


class VisionTransformer(nn.Module):
    """A small vision transformer: the backbone, which is trained on classes and then frozen.

    Args:
        patch: side of a patch.
        width: of a token.
        blocks: after each other.
        heads: of attention.
        num_classes: of the read-out that it is trained with.

    Raises:
        ExperimentError: heads do not share the width evenly.
    """

    patch: int = 4
    width: int = 32
    blocks: int = 2
    heads: int = 4
    num_classes: int = 10

    def __post_init__(self) -> None:
        check_heads(self.width, self.heads)
        super().__post_init__()

    def setup(self) -> None:
        self.patches = nn.Dense(self.width)
        self.block = [Block(self.heads, 2 * self.width) for _ in range(self.blocks)]
        self.norm = nn.LayerNorm()
        self.classifier = nn.Dense(self.num_classes)
        self.cls = self.param("cls", nn.initializers.normal(self.width**-0.5), (1, self.width))

    @nn.compact
    def tokens(self, images: Float[Array, "*n h w c"]) -> Float[Array, "*n t d"]:
        """One token for the picture and one for every patch, with their positions added."""
        *lead, height, width, channels = images.shape
        side = self.patch
        if height % side or width % side:
            raise ExperimentError(
                f"patches of {side} x {side} do not fill pictures of {height} x {width} pixels"
            )
        cut = images.reshape(*lead, height // side, side, width // side, side, channels)
        flat = jnp.moveaxis(cut, -4, -3).reshape(*lead, -1, side * side * channels)
        found = self.patches(flat)
        cls = jnp.broadcast_to(self.cls, (*lead, 1, self.width))
        found = jnp.concatenate([cls, found], -2)
        start = nn.initializers.normal(self.width**-0.5)
        positions = self.param("positions", start, found.shape[-2:])
        return jnp.asarray(found + positions.reshape(*[1] * len(lead), *positions.shape))

    def summary(self, x: Float[Array, "*n t d"]) -> Float[Array, "*n d"]:
        """What the picture's own token says after the last block."""
        return jnp.asarray(self.norm(x[..., 0, :]))

    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        x = self.tokens(images)
        for block in self.block:
            x = block(x)
        return jnp.asarray(self.classifier(self.summary(x)))


class LoRAExperts(nn.Module):
    """What the low-rank experts of all views add in one block: (alpha / rank) B_j A_j F_j.

    Args:
        views: number of experts.
        outputs: width of what is added to; queries, keys and values are three times the tokens' width.
        rank: of each.
        alpha: of the scale.

    Source: Hu et al., arXiv:2106.09685, section 4.1; rank 4 and alpha 8 from arXiv:2504.00463.
    """

    views: int
    outputs: int
    rank: int = 4
    alpha: float = 8.0

    @nn.compact
    def __call__(self, features: Float[Array, "n v t d"]) -> Float[Array, "n v t o"]:
        width = features.shape[-1]
        if features.shape[1] != self.views:
            raise ExperimentError(f"{self.views} experts do not fit {features.shape[1]} views")
        down = self.param(
            "down", nn.initializers.normal(width**-0.5), (self.views, self.rank, width)
        )
        up = self.param("up", nn.initializers.zeros, (self.views, self.outputs, self.rank))
        low = jnp.einsum("nvtd,vrd->nvtr", features, down)
        return self.alpha / self.rank * jnp.einsum("nvtr,vor->nvto", low, up)


def merged_kernels(
    kernel: Float[Array, "d o"], experts: Mapping[str, Any], *, rank: int = 4, alpha: float = 8.0
) -> Float[Array, "v d o"]:
    """For every view the frozen kernel with its expert contained in it.

    Args:
        kernel: of queries, keys and values, as Flax has it.
        experts: parameters `down` and `up` of `LoRAExperts`.
        rank, alpha: theirs.
    """
    update = jnp.einsum("vor,vrd->vdo", experts["up"], experts["down"])
    return kernel[None] + alpha / rank * update


class CrossViewAttention(nn.Module):
    """Attention among the tokens of all views, behind a gate that begins at 0.

    The gate has an entry for each token of a view and channel, the same for all views.

    Args:
        heads: of attention.

    Source: arXiv:2504.00463, section 3.
    """

    heads: int = 4

    @nn.compact
    def __call__(
        self, features: Float[Array, "n v t d"], gate: Float[Array, ""] | float = 1.0
    ) -> Float[Array, "n v t d"]:
        number, views, tokens, width = features.shape
        beta = self.param("beta", nn.initializers.zeros, (tokens, width))
        h = nn.LayerNorm(name="norm")(features).reshape(number, views * tokens, width)
        mixed = Attention(self.heads, name="attention")(h, h).reshape(features.shape)
        return jnp.asarray(features + gate * beta[None, None] * mixed)


class Adapter(nn.Module):
    """Re-injects what small convolutions see of the low-level views, and reads tokens back.

    Args:
        width: of a token.
        blocks: of the backbone, after each of which there is an exchange.
        heads: of attention.
        keys: "one" as the text says, a single vector for all low-level views, so that attention
            to it has the weight 1 whatever asks; "views" for a vector of each.
        channels: of both convolutions, which stand in for the first two blocks of a ResNet-50.

    Raises:
        ExperimentError: there are no such keys, or heads do not share the width evenly.

    Source: arXiv:2504.00463, section 3; that gamma and eta begin at 0 is our reading.
    """

    width: int
    blocks: int
    heads: int = 4
    keys: str = "one"
    channels: tuple[int, int] = (8, 16)

    def __post_init__(self) -> None:
        check_keys(self.keys)
        check_heads(self.width, self.heads)
        super().__post_init__()

    def setup(self) -> None:
        each = range(self.blocks)
        self.asked = [Attention(self.heads) for _ in each]
        self.read = [Attention(self.heads) for _ in each]
        self.token_norm = [nn.LayerNorm() for _ in each]
        self.state_norm = [nn.LayerNorm() for _ in each]
        self.last_norm = [nn.LayerNorm() for _ in each]
        self.widen = [nn.Dense(2 * self.width) for _ in each]
        self.narrow = [nn.Dense(self.width) for _ in each]
        gates = (self.blocks, self.width)
        self.gamma = self.param("gamma", nn.initializers.zeros, gates)
        self.eta = self.param("eta", nn.initializers.zeros, gates)

    @nn.compact
    def encode(self, views: Float[Array, "n m h w c"]) -> Float[Array, "n k d"]:
        """G_0: a vector for each low-level view, or their mean; each view has weights of its own."""
        x = views
        for name, features in zip(("stem", "second"), self.channels, strict=True):
            x = _windows(x)
            shape = (x.shape[1], features, x.shape[-1])
            kernel = self.param(name, nn.initializers.normal(x.shape[-1] ** -0.5), shape)
            x = nn.relu(jnp.einsum("nmhwi,moi->nmhwo", x, kernel))
        pooled = x.mean((2, 3))
        shape = (pooled.shape[1], self.width, pooled.shape[-1])
        out = self.param("out", nn.initializers.normal(pooled.shape[-1] ** -0.5), shape)
        found = jnp.einsum("nmi,moi->nmo", pooled, out)
        return found.mean(1, keepdims=True) if self.keys == "one" else found

    def added(
        self, block: int, tokens: Float[Array, "n s d"], states: Float[Array, "n k d"]
    ) -> Float[Array, "n s d"]:
        """What the injector would add to tokens before its gate."""
        normed = self.state_norm[block](states)
        return jnp.asarray(self.asked[block](self.token_norm[block](tokens), normed))

    def inject(self, block: int, tokens: Array, states: Array, gate: Array | float = 1.0) -> Array:
        """Tokens (n, s, d) of all views with what the states (n, k, d) tell them."""
        gamma = self.gamma[block][None, None]
        return jnp.asarray(tokens + gate * gamma * self.added(block, tokens, states))

    def extract(self, block: int, tokens: Array, states: Array) -> Array:
        """The next states (n, k, d), from the tokens after the block."""
        asked = self.state_norm[block](states)
        read = self.read[block](asked, self.token_norm[block](tokens))
        states = states + self.eta[block][None, None] * read
        inner = nn.gelu(self.widen[block](self.last_norm[block](states)))
        return jnp.asarray(states + self.narrow[block](inner))


class ViewRouter(nn.Module):
    """How much each view's head counts for a picture: a softmax over what all views say of it."""

    @nn.compact
    def __call__(self, summaries: Float[Array, "n v d"]) -> Float[Array, "n v"]:
        number, views, width = summaries.shape
        logits = nn.Dense(views, name="logits")(summaries.reshape(number, views * width))
        return jax.nn.softmax(logits)


def _windows(x: Float[Array, "n m h w c"]) -> Float[Array, "n m h2 w2 k"]:
    """Every second pixel's 3 x 3 neighbours, zeros around the picture."""
    height, width = x.shape[2:4]
    framed = jnp.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1), (0, 0)))
    taps = [framed[:, :, i : i + height : 2, j : j + width : 2] for i in range(3) for j in range(3)]
    return jnp.concatenate(taps, -1)
