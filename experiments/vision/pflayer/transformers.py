"""Vision transformers in every second block of which a pool stands for attention."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.vision.pflayer.spatial import PARAMETER_FREE, mixed
from ntkexec.errors import ExperimentError


class EffLayer(nn.Module):
    """A spatial operation in the place of attention: wider, GELU, pooled over the grid, GELU, narrower.

    Tokens stay on their grid, of any height and width; there is no place for a class token.

    Args:
        operation: one of `spatial.PARAMETER_FREE`.
        size: of its window; odd.
        expansion: channels that are pooled over those of a token.

    Source: Han, Yoo, Kim and Heo, ICLR 2022, arXiv:2202.02777.
    """

    operation: str = "max"
    size: int = 3
    expansion: int = 3

    @nn.compact
    def __call__(self, tokens: Float[Array, "n h w d"]) -> Float[Array, "n h w d"]:
        width = tokens.shape[-1]
        x = _gelu(nn.Dense(self.expansion * width, name="widen")(tokens))
        x = _gelu(mixed(x, self.operation, size=self.size))
        return jnp.asarray(nn.Dense(width, name="narrow")(x))


class TransformerBlock(nn.Module):
    """Attention or an `EffLayer`, then a perceptron, each normalised before and added.

    Args:
        operation: `attention`, or one of `spatial.PARAMETER_FREE` for an `EffLayer`.
        heads: of attention; they divide the width.
        mlp_ratio: hidden width of the perceptron over that of a token.
        size: of the operation's window.
    """

    operation: str
    heads: int
    mlp_ratio: int = 4
    size: int = 3

    @nn.compact
    def __call__(
        self, tokens: Float[Array, "n t d"], grid: tuple[int, int]
    ) -> Float[Array, "n t d"]:
        """The tokens after the block.

        Args:
            tokens: a class token, if there is one, then those of the grid, row by row.
            grid: its height and width.
        """
        number, count, width = tokens.shape
        x = nn.LayerNorm(name="norm")(tokens)
        if self.operation == "attention":
            x = nn.MultiHeadDotProductAttention(self.heads, name="attention")(x)
        else:
            if count != grid[0] * grid[1]:
                raise ExperimentError(
                    f"{count} tokens are not a grid of {grid[0]} x {grid[1]}: a class token can be "
                    "attended to, not pooled"
                )
            layer = EffLayer(self.operation, self.size, name="eff")
            x = layer(x.reshape(number, *grid, width)).reshape(tokens.shape)
        tokens = tokens + x
        x = nn.LayerNorm(name="mlp_norm")(tokens)
        x = _gelu(nn.Dense(self.mlp_ratio * width, name="hidden")(x))
        return jnp.asarray(tokens + nn.Dense(width, name="out")(x))


class PfViT(nn.Module):
    """A vision transformer (ViT) of one stage, or a pooled one (PiT) of several.

    Blocks of a stage alternate: attention, then `operation`. Between stages of PiT stands a trained
    depthwise convolution of stride 2, also where all else is free of parameters in space.

    Args:
        operation: of every second block: `attention`, or one of `spatial.PARAMETER_FREE`.
        widths, depths, heads: of each stage.
        patch: height and width of the pixels that a token is made of.
        strides: from one patch to the next.
        class_token: whether one is read, beside the grid, instead of the mean of all tokens.
        token_position: whether the class token has a position too.
        mlp_ratio: hidden width of the perceptrons over that of a token.
        num_classes: outputs.
        size: window of the operation.

    Source: Dosovitskiy et al., ICLR 2021, arXiv:2010.11929; Heo et al., ICCV 2021, arXiv:2103.16302;
    Han, Yoo, Kim and Heo, ICLR 2022, arXiv:2202.02777.
    """

    operation: str = "max"
    widths: tuple[int, ...] = (384,)
    depths: tuple[int, ...] = (12,)
    heads: tuple[int, ...] = (6,)
    patch: int = 16
    strides: int = 16
    class_token: bool = False
    token_position: bool = True
    mlp_ratio: int = 4
    num_classes: int = 1000
    size: int = 3

    @nn.compact
    def __call__(self, images: Float[Array, "n h w i"]) -> Float[Array, "n k"]:
        self._check()
        x = nn.Conv(
            self.widths[0], (self.patch,) * 2, (self.strides,) * 2, "VALID", name="patches"
        )(images)
        x, token = self._positioned(x)
        for stage, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            if stage:
                if token is not None:
                    token = nn.Dense(width, name=f"token_{stage}")(token)
                x = nn.Conv(
                    width,
                    (3, 3),
                    (2, 2),
                    ((1, 1), (1, 1)),
                    feature_group_count=x.shape[-1],
                    name=f"transition_{stage}",
                )(x)
            grid, shape = (x.shape[1], x.shape[2]), x.shape
            tokens = x.reshape(shape[0], -1, width)
            if token is not None:
                tokens = jnp.concatenate([token, tokens], 1)
            for place in range(depth):
                operation = self.operation if place % 2 else "attention"
                block = TransformerBlock(
                    operation,
                    self.heads[stage],
                    self.mlp_ratio,
                    self.size,
                    name=f"stage_{stage}_block_{place}",
                )
                tokens = block(tokens, grid)
            if token is not None:
                token, tokens = tokens[:, :1], tokens[:, 1:]
            x = tokens.reshape(shape)
        last = tokens if token is None else token
        last = nn.LayerNorm(name="norm")(last).mean(1)
        return jnp.asarray(nn.Dense(self.num_classes, name="head")(last))

    def _positioned(self, x: Array) -> tuple[Array, Array | None]:
        """Patches with their positions, and the class token for each picture, if there is one."""
        number, height, width, channels = x.shape
        small = nn.initializers.truncated_normal(0.02)
        first = int(self.class_token and self.token_position)
        positions = self.param("positions", small, (1, first + height * width, channels))
        x = x + positions[:, first:].reshape(1, height, width, channels)
        if not self.class_token:
            return x, None
        token = self.param("token", small, (1, 1, channels))
        token = token + positions[:, :1] if first else token
        return x, jnp.broadcast_to(token, (number, 1, channels))

    def _check(self) -> None:
        if not len(self.widths) == len(self.depths) == len(self.heads):
            raise ExperimentError(
                f"widths {self.widths}, depths {self.depths} and heads {self.heads}: one each for a "
                "stage"
            )
        if self.operation != "attention" and self.operation not in PARAMETER_FREE:
            raise ExperimentError(
                f"there is no {self.operation!r} for every second block, but attention, "
                f"{', '.join(PARAMETER_FREE)}"
            )


def _gelu(x: Array) -> Array:
    return nn.gelu(x, approximate=False)


def _pit(operation: str, *, class_token: bool) -> PfViT:
    return PfViT(
        operation,
        widths=(144, 288, 576),
        depths=(2, 6, 4),
        heads=(3, 6, 12),
        strides=8,
        class_token=class_token,
        token_position=False,
    )


VIT_S = PfViT("attention", class_token=True)
VIT_S_MAX = PfViT()
PIT_S = _pit("attention", class_token=True)
PIT_S_MAX = _pit("max", class_token=False)
