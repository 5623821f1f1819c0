"""What one-shot aggregation replaces: dense blocks, and DenseNet."""

import bisect
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN, mean_pool
from experiments.kits.costs import num_parameters
from experiments.vision.vovnet.network import OneShotAggregation, check_identity
from ntkexec.errors import ExperimentError


class DenseBlock(nn.Module):
    """As `OneShotAggregation`, but every convolution reads the input and all outputs before it.

    Args:
        width, features, layers, identity: as there; `width` is the growth of a DenseNet.

    Source: Huang et al., CVPR 2017, arXiv:1608.06993, normalised after each convolution, as VoVNet is.
    """

    width: int
    features: int
    layers: int = 5
    identity: bool = False

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n h w features"]:
        check_identity(self.identity, images.shape[-1], self.features)
        found = images
        for number in range(self.layers):
            new = ConvBN(self.width, name=f"layer_{number}")(found, train=train)
            found = jnp.concatenate([found, new], -1)
        out = ConvBN(self.features, 1, name="aggregate")(found, train=train)
        return out + images if self.identity else out


def as_dense_block(block: OneShotAggregation, variables: Any) -> tuple[DenseBlock, Any]:
    """The dense block that computes what a block of one-shot aggregation does.

    Its kernels are zero wherever they read another output than the last one: one-shot aggregation is
    a subfamily of dense blocks, and a dense block can start as one.

    Args:
        block: any.
        variables: of it.

    Returns:
        The dense block, and its variables.
    """
    params = jax.tree.map(np.asarray, variables["params"])
    width = block.width
    channels = params["layer_0"]["conv"]["kernel"].shape[2]
    for number in range(1, block.layers):
        kernel = params[f"layer_{number}"]["conv"]["kernel"]
        wide = np.zeros((*kernel.shape[:2], channels + number * width, width), kernel.dtype)
        wide[:, :, -width:] = kernel
        params[f"layer_{number}"]["conv"]["kernel"] = wide
    dense = DenseBlock(block.width, block.features, block.layers, block.identity)
    return dense, {**variables, "params": params}


def matched_width(
    make: Callable[[int], nn.Module], parameters: int, picture: Any, *, most: int = 256
) -> int:
    """The width with which a module has the nearest number of parameters; nothing is computed.

    Args:
        make: a module from a width, with more parameters the wider it is.
        parameters: wanted.
        picture: an array, or its shape as `jax.ShapeDtypeStruct`.
        most: the largest width that is tried.

    Raises:
        ExperimentError: even the narrowest has half as many again, or the widest has fewer.
    """

    def count(width: int) -> int:
        module = make(width)
        shapes = jax.eval_shape(lambda shown: module.init(jax.random.key(0), shown), picture)
        return num_parameters(shapes["params"])

    least, largest = count(1), count(most)
    if not 2 * least / 3 <= parameters <= largest:
        raise ExperimentError(
            f"widths from 1 to {most} have {least:,} to {largest:,} parameters, not {parameters:,}"
        )
    above = bisect.bisect_left(range(1, most), parameters, key=count) + 1
    return min(max(1, above - 1), above, key=lambda width: abs(count(width) - parameters))


class DenseNet(nn.Module):
    """A DenseNet without bottlenecks, normalised before each convolution: with defaults DenseNet-40.

    Args:
        growth: channels of each convolution.
        depths: convolutions of each dense block.
        stem: channels of the first convolution.
        num_classes: outputs.

    Source: Huang et al., CVPR 2017, arXiv:1608.06993, section 3.
    """

    growth: int = 12
    depths: tuple[int, ...] = (12, 12, 12)
    stem: int = 16
    num_classes: int = 10

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n classes"]:
        def activated(x: Array, name: str) -> Array:
            norm = nn.BatchNorm(use_running_average=not train, momentum=0.9, name=f"{name}_norm")
            return nn.relu(norm(x))

        def convolved(x: Array, features: int, size: int, name: str) -> Array:
            return jnp.asarray(nn.Conv(features, (size, size), use_bias=False, name=name)(x))

        x = convolved(images, self.stem, 3, "stem")
        for block, depth in enumerate(self.depths):
            if block:
                name = f"transition_{block}"
                x = mean_pool(convolved(activated(x, name), x.shape[-1], 1, name), 2, 2)
            for place in range(depth):
                name = f"block_{block}_{place}"
                new = convolved(activated(x, name), self.growth, 3, name)
                x = jnp.concatenate([x, new], -1)
        return jnp.asarray(
            nn.Dense(self.num_classes, name="head")(activated(x, "head").mean((1, 2)))
        )
