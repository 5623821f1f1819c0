"""LSNet, its three published sizes, and its form for inference with branches merged."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.kits.convnets.folding import fold_tree
from experiments.kits.convnets.layers import ConvBN
from experiments.vision.lsnet.layers import EPSILON, DepthwiseBranches, LSConv
from ntkexec.errors import ExperimentError

VARIANTS: Mapping[str, Mapping[str, tuple[int, ...]]] = {
    "T": {"widths": (64, 128, 256, 384), "depths": (0, 2, 8, 10)},
    "S": {"widths": (96, 192, 320, 448), "depths": (1, 2, 8, 10)},
    "B": {"widths": (128, 256, 384, 512), "depths": (4, 6, 8, 10)},
}
"""Channels and blocks of the four stages, by the paper's names."""


class LSNet(nn.Module):
    """A classifier of pictures: LS convolutions between depthwise ones, attention in the last stage.

    Args:
        widths: channels of each stage; the stem's convolutions have a quarter, half and all of the first.
        depths: blocks of each stage.
        num_classes: outputs.
        heads: of attention.
        key_dim: channels of a key.
        distilled: whether a second head learns from a teacher; at inference the two are averaged.

    Source: Wang et al., arXiv:2503.23135, and the public code's wiring.
    """

    widths: tuple[int, ...]
    depths: tuple[int, ...]
    num_classes: int = 1000
    heads: int = 4
    key_dim: int = 16
    distilled: bool = False

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n k"] | tuple[Float[Array, "n k"], Float[Array, "n k"]]:
        """A row for each picture; of a distilled network in training, one of each head."""
        if len(self.widths) != len(self.depths):
            raise ExperimentError(f"{self.widths} and {self.depths} name other numbers of stages")
        x: Any = images
        first = self.widths[0]
        for place, (width, act) in enumerate(
            ((first // 4, nn.relu), (first // 2, nn.relu), (first, None))
        ):
            stem = ConvBN(width, strides=2, activation=act, name=f"stem_{place}")
            x = stem(x, train=train)
        last = len(self.widths) - 1
        for stage, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            if stage:
                before = x.shape[-1]
                smaller = ConvBN(
                    before, strides=2, groups=before, activation=None, name=f"smaller_{stage}"
                )
                wider = ConvBN(width, 1, activation=None, name=f"wider_{stage}")
                x = wider(smaller(x, train=train), train=train)
            for place in range(depth):
                kind = "attention" if stage == last else "ls"
                if place % 2 == 0:
                    kind = "branches"
                block = Block(kind, self.heads, self.key_dim, name=f"block_{stage}_{place}")
                x = block(x, train=train)
        x = x.mean((1, 2))
        found = NormedDense(self.num_classes, name="head")(x, train=train)
        if not self.distilled:
            return jnp.asarray(found)
        second = NormedDense(self.num_classes, name="head_distilled")(x, train=train)
        return (found, second) if train else (found + second) / 2


class Block(nn.Module):
    """A mixer of positions, then one of channels.

    Args:
        kind: of the mixer: "branches" with a gate for each channel, "ls" or "attention".
        heads, key_dim: of attention.
    """

    kind: str
    heads: int = 4
    key_dim: int = 16

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n h w c"]:
        if self.kind == "branches":
            x = DepthwiseBranches(name="mixer")(images, train=train)
            x = ChannelGate(name="gate")(x)
        elif self.kind == "ls":
            x = LSConv(name="mixer")(images, train=train)
        else:
            attention = Attention(self.heads, self.key_dim, name="mixer")
            x = images + attention(images, train=train)
        channels = x.shape[-1]
        inner = ConvBN(2 * channels, 1, name="expand")(x, train=train)
        # It begins as the identity.
        reduced = ConvBN(
            channels, 1, activation=None, scale_init=nn.initializers.zeros_init(), name="reduce"
        )
        return jnp.asarray(x + reduced(inner, train=train))


class ChannelGate(nn.Module):
    """Squeeze and excitation: each channel multiplied by a number from 0 to 1 that the picture decides.

    Args:
        ratio: hidden units for each channel, rounded to a multiple of eight.
    """

    ratio: float = 0.25

    @nn.compact
    def __call__(self, images: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
        channels = images.shape[-1]
        hidden = max(8, int(channels * self.ratio + 4) // 8 * 8)
        x = nn.relu(nn.Dense(hidden, name="squeeze")(images.mean((1, 2))))
        gate = nn.sigmoid(nn.Dense(channels, name="excite")(x))
        return jnp.asarray(images * gate[:, None, None])


class Attention(nn.Module):
    """Attention of all positions to all, queries convolved by 3 x 3, with a learned bias for each offset.

    Args:
        heads: which share the channels of values.
        key_dim: channels of a key.
    """

    heads: int = 4
    key_dim: int = 16

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n h w c"]:
        number, height, width, channels = images.shape
        if channels % self.heads:
            raise ExperimentError(f"{channels} channels cannot be shared by {self.heads} heads")
        keys = self.heads * self.key_dim
        qkv = ConvBN(2 * keys + channels, 1, activation=None, name="qkv")(images, train=train)
        q, k, v = jnp.split(qkv, (keys, 2 * keys), axis=-1)
        q = ConvBN(keys, groups=keys, activation=None, name="queries")(q, train=train)
        q, k, v = (x.reshape(number, height * width, self.heads, -1) for x in (q, k, v))
        biases = self.param("bias", nn.initializers.zeros_init(), (self.heads, height * width))
        rows, columns = np.indices((height, width)).reshape(2, -1)
        offsets = np.abs(rows[:, None] - rows[None]) * width + np.abs(
            columns[:, None] - columns[None]
        )
        scores = jnp.einsum("nqhd,nkhd->nhqk", q, k) / self.key_dim**0.5
        shares = nn.softmax(scores + biases[None, :, offsets], axis=-1)
        found = jnp.einsum("nhqk,nkhd->nqhd", shares, v).reshape(images.shape)
        out = ConvBN(
            channels, 1, activation=None, scale_init=nn.initializers.zeros_init(), name="project"
        )
        return jnp.asarray(out(nn.relu(found), train=train))


class NormedDense(nn.Module):
    """Batch normalisation and a linear layer; of fused variables, the linear layer alone.

    Args:
        features: outputs.
    """

    features: int

    @nn.compact
    def __call__(self, x: Float[Array, "n c"], *, train: bool = False) -> Float[Array, "n k"]:
        if self.is_initializing() or self.has_variable("params", "norm"):
            x = nn.BatchNorm(
                use_running_average=not train, momentum=0.9, epsilon=EPSILON, name="norm"
            )(x)
        return jnp.asarray(nn.Dense(self.features, name="linear")(x))


def lsnet_variant(name: str, **changes: Any) -> LSNet:
    """One of the published networks, "T", "S" or "B", with other fields if wanted.

    Raises:
        ExperimentError: there is no such network.
    """
    if name not in VARIANTS:
        raise ExperimentError(f"there is no LSNet {name!r}; there are {', '.join(VARIANTS)}")
    return LSNet(**{**VARIANTS[name], **changes})


def fused(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables with which the same network computes the same at inference, with fewer numbers.

    Normalisations are folded into their convolutions and into the heads, and depthwise branches become one
    kernel. What normalises an LS convolution's sum stays: its weights are the picture's own.

    Args:
        variables: of an `LSNet`, or of a part of it; they are not changed.
    """
    folded = fold_tree(variables, epsilon=EPSILON)
    params, stats = _merged(folded["params"], folded.get("batch_stats", {}))
    rest = {name: folded[name] for name in folded if name not in ("params", "batch_stats")}
    return {"params": params, **({"batch_stats": stats} if stats else {}), **rest}


def _merged(
    params: Mapping[str, Any], stats: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    new, left = dict(params), dict(stats)
    if set(params) == {"wide", "point"}:
        wide, point = (params[name]["conv"] for name in ("wide", "point"))
        centre = jnp.pad(point["kernel"] + 1, ((1, 1), (1, 1), (0, 0), (0, 0)))
        merged = {"kernel": wide["kernel"] + centre, "bias": wide["bias"] + point["bias"]}
        return {"merged": merged}, left
    if set(params) == {"norm", "linear"} and "norm" in stats:
        norm, linear, averages = new.pop("norm"), dict(params["linear"]), left.pop("norm")
        factor = norm["scale"] / (averages["var"] + EPSILON) ** 0.5
        shift = norm["bias"] - averages["mean"] * factor
        linear["bias"] = linear["bias"] + shift @ linear["kernel"]
        linear["kernel"] = linear["kernel"] * factor[:, None]
        return {**new, "linear": linear}, left
    for name, inner in params.items():
        if isinstance(inner, Mapping):
            new[name], below = _merged(inner, left.pop(name, {}))
            if below:
                left[name] = below
    return new, left
