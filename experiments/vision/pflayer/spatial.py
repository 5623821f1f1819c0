"""The spatial operation of a building block: pools, shifts and resizing in a convolution's place."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN, max_pool, mean_pool
from experiments.kits.convnets.products import convolve
from ntkexec.errors import ExperimentError

PARAMETER_FREE = ("max", "average", "shift", "bilinear", "none")
TRAINABLE = ("depthwise", "conv")
CHOICES = (*PARAMETER_FREE, *TRAINABLE)
"""What `Spatial("any")` chooses from, by its place here."""
OPERATIONS = (*CHOICES, "hybrid", "any")
CHOSEN = "operations"
"""The collection that holds what `Spatial("any")` does."""


def mixed(
    images: Float[Array, "n h w c"], operation: str, *, size: int = 3, strides: int = 1
) -> Float[Array, "n h2 w2 c"]:
    """What an operation without parameters makes of images, each channel by itself.

    `max` and `average` take windows around every `strides`-th pixel; beyond the border lies nothing:
    neither does a zero win a maximum, nor does it count in a mean. `shift` parts the channels into size
    x size groups and moves each by another offset, with zeros from outside; channels left over stay.
    `bilinear` shrinks by (size + 1) / 2 and, unless the strides ask for that, grows again. `none`
    takes every `strides`-th pixel.

    Args:
        images: of any height and width.
        operation: one of `PARAMETER_FREE`.
        size: of the window; odd.
        strides: by which height and width are divided, rounded up.

    Raises:
        ExperimentError: names the operation or the size that there is not.

    Source: Han, Yoo, Kim and Heo, ICLR 2022, arXiv:2202.02777, for `max`; shifts as Wu et al., CVPR
    2018, arXiv:1711.08141; the others are the paper's candidates as we read them.
    """
    if size < 1 or size % 2 == 0 or strides < 1:
        raise ExperimentError(f"a window has an odd size and a stride, not {size} and {strides}")
    if operation == "max":
        return max_pool(images, size, strides, size // 2)
    if operation == "average":
        return mean_pool(images, size, strides, size // 2, count_padding=False)
    if operation == "shift":
        return _shifted(images, size)[:, ::strides, ::strides]
    if operation == "bilinear":
        return _resized(images, size, strides)
    if operation == "none":
        return images[:, ::strides, ::strides]
    raise ExperimentError(
        f"there is no {operation!r} without parameters, but {', '.join(PARAMETER_FREE)}"
    )


def _shifted(images: Array, size: int) -> Array:
    number, height, width, channels = images.shape
    group, reach = channels // size**2, size // 2
    padded = jnp.pad(images, ((0, 0), (reach, reach), (reach, reach), (0, 0)))
    parts = []
    for place in range(size**2):
        down, right = divmod(place, size)
        first = (0, down, right, place * group)
        parts.append(jax.lax.dynamic_slice(padded, first, (number, height, width, group)))
    return jnp.concatenate([*parts, images[..., size**2 * group :]], -1)


def _resized(images: Array, size: int, strides: int) -> Array:
    number, height, width, channels = images.shape
    by = (size + 1) // 2

    def resized(x: Array, divisor: int) -> Array:
        shape = (number, -(-height // divisor), -(-width // divisor), channels)
        return jax.image.resize(x, shape, "bilinear", antialias=False)

    return resized(resized(images, by), strides) if strides != by else resized(images, by)


class Spatial(nn.Module):
    """What mixes pixels in a building block: as many channels come out as go in.

    As in the published blocks, batch normalisation and a ReLU follow what is trained, and nothing
    follows what is not. `depthwise` and `conv` are size x size convolutions padded with zeros. `hybrid`
    is `max` where it keeps the size, and where it does not, the mean of strides x strides windows and
    then `conv`. `any` holds the parameters of every one of `CHOICES`; which one it is says the variable
    `index` in the collection `operations` (`with_operations` sets it), so that one compiled program
    serves all, and of those not chosen nothing is computed.

    Args:
        operation: one of `OPERATIONS`.
        size: of the window; odd.
        strides: by which height and width are divided.
        normalised: whether normalisation and ReLU follow, if that shall differ from the above.

    Source: Han, Yoo, Kim and Heo, ICLR 2022, arXiv:2202.02777.
    """

    operation: str = "max"
    size: int = 3
    strides: int = 1
    normalised: bool | None = None

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> Float[Array, "n h2 w2 c"]:
        if self.operation not in OPERATIONS:
            raise ExperimentError(
                f"there is no operation {self.operation!r}, but {', '.join(OPERATIONS)}"
            )
        if self.operation == "any":
            return self._chosen(images, train)
        operation, strides, channels = self.operation, self.strides, images.shape[-1]
        if operation == "hybrid":
            operation = "max" if strides == 1 else "conv"
            if strides > 1:
                images, strides = mean_pool(images, strides, strides), 1
        if operation in PARAMETER_FREE:
            x = mixed(images, operation, size=self.size, strides=strides)
            return self._followed(x, train) if self.normalised else x
        groups = channels if operation == "depthwise" else 1
        if self.normalised is None or self.normalised:
            layer = ConvBN(channels, self.size, strides, groups, name=operation)
            return jnp.asarray(layer(images, train=train))
        reach = self.size // 2
        return nn.Conv(
            channels,
            (self.size, self.size),
            (strides, strides),
            ((reach, reach), (reach, reach)),
            feature_group_count=groups,
            use_bias=False,
            name=operation,
        )(images)

    def _followed(self, x: Array, train: bool) -> Array:
        norm = nn.BatchNorm(use_running_average=not train, momentum=0.9, epsilon=1e-5, name="norm")
        return nn.relu(norm(x))

    def _chosen(self, images: Array, train: bool) -> Array:
        channels, strides = images.shape[-1], self.strides
        index = self.variable(CHOSEN, "index", lambda: jnp.zeros((), jnp.int32)).value
        window = (self.size, self.size)
        depthwise = _Kernel((*window, 1, channels), name="depthwise")()
        conv = _Kernel((*window, channels, channels), name="conv")()

        def free(operation: str) -> Callable[[Array], Array]:
            return lambda x: mixed(x, operation, size=self.size, strides=strides)

        def trained(kernel: Array, groups: int) -> Callable[[Array], Array]:
            reach = self.size // 2
            return lambda x: convolve(x, kernel, strides=strides, padding=reach, groups=groups)

        branches = [
            *(free(operation) for operation in PARAMETER_FREE),
            trained(depthwise, channels),
            trained(conv, 1),
        ]
        # Computed again for gradients: else every branch would hold room for all others' steps.
        x = jax.lax.switch(index, [jax.checkpoint(one) for one in branches], images)
        followed = self._followed(x, train)
        if self.normalised is not None:
            return followed if self.normalised else x
        return jnp.where(index >= len(PARAMETER_FREE), followed, x)


class _Kernel(nn.Module):
    shape: tuple[int, ...]

    @nn.compact
    def __call__(self) -> Array:
        return jnp.asarray(self.param("kernel", nn.initializers.lecun_normal(), self.shape))


def with_operations(variables: Mapping[str, Any], operations: Sequence[str]) -> dict[str, Any]:
    """Variables of a network of `Spatial("any")` that does what is told.

    Args:
        variables: of the network.
        operations: one of `CHOICES` for each of its blocks, in the order in which they run.

    Raises:
        ExperimentError: names an operation that cannot be chosen, or the number of blocks.
    """
    held, structure = jax.tree.flatten(variables.get(CHOSEN, {}))
    if unknown := [one for one in operations if one not in CHOICES]:
        raise ExperimentError(f"{unknown[0]!r} cannot be chosen; {', '.join(CHOICES)} can")
    if len(held) != len(operations):
        raise ExperimentError(
            f"{len(operations)} operations were told to a network that has {len(held)} to choose"
        )
    chosen = [jnp.asarray(CHOICES.index(one), jnp.int32) for one in operations]
    return {**variables, CHOSEN: jax.tree.unflatten(structure, chosen)}
