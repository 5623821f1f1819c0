"""Deep stacks of equal units, to see what each forgets, and one with auxiliary branches beside it."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.kits.convnets.layers import ConvBN
from experiments.vision.yolov9.layers import RepNCSPELAN
from experiments.vision.yolov9.reversible import Coupling
from ntkexec.errors import ExperimentError


class Plain(nn.Module):
    """A convolution, its normalisation and a rectifier."""

    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], *, train: bool = False) -> Array:
        return ConvBN(self.width, name="conv")(x, train=train)


class Residual(nn.Module):
    """The rectified sum of the input and a normalised convolution of it."""

    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], *, train: bool = False) -> Array:
        inner = ConvBN(self.width, activation=None, name="conv")(x, train=train)
        return nn.relu(x + inner)


class Branch(nn.Module):
    """A normalisation, a rectifier and a convolution: what is added to what it reads, or to another half."""

    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], *, train: bool = False) -> Array:
        normed = nn.BatchNorm(use_running_average=not train, momentum=0.9, name="norm")(x)
        inner = nn.Conv(self.width, (3, 3), padding=1, use_bias=False, name="conv")
        return jnp.asarray(inner(nn.relu(normed)))


class Preactivated(nn.Module):
    """The input and a branch of it: nothing acts on the sum."""

    width: int

    @nn.compact
    def __call__(self, x: Float[Array, "n h w c"], *, train: bool = False) -> Array:
        added: Array = Branch(self.width, name="branch")(x, train=train)
        return x + added


UNITS: dict[str, Any] = {
    "plain": Plain,
    "residual": Residual,
    "preactivated": Preactivated,
    "gelan": lambda width, name=None: RepNCSPELAN(width, width, width // 2, name=name),
    "coupling": lambda width, name=None: Coupling(width, Branch, name=name),
}
"""Units of stacks by name; each keeps the number of channels."""


class Stack(nn.Module):
    """A linear convolution that lifts the picture, and equal units after one another, `unit_0` and so on.

    Args:
        unit: one of `UNITS`.
        depth: units.
        width: channels.
    """

    unit: str
    depth: int
    width: int = 8

    @nn.compact
    def __call__(self, images: Float[Array, "n h w c"], *, train: bool = False) -> Array:
        if self.unit not in UNITS:
            raise ExperimentError(f"there is no unit {self.unit!r}; there are {', '.join(UNITS)}")
        x: Array = ConvBN(self.width, activation=None, name="lift")(images, train=train)
        for place in range(self.depth):
            x = UNITS[self.unit](self.width, name=f"unit_{place}")(x, train=train)
        return x


class GuidedStack(nn.Module):
    """A plain stack that classifies, a head at its middle, and a reversible branch that it sends two maps to.

    Args:
        depth: units, an even number.
        width: channels.
        num_classes: outputs.
        couplings: of the branch, after each of the two maps.
    """

    depth: int = 20
    width: int = 8
    num_classes: int = 10
    couplings: int = 2

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w c"], *, train: bool = False
    ) -> tuple[Array, Array, Array]:
        """Logits of the main head, of the head in the middle, and of the branch's."""
        x: Array = ConvBN(self.width, name="lift")(images, train=train)
        main, branch = [], jnp.pad(images, ((0, 0),) * 3 + ((0, self.width - images.shape[-1]),))
        for half in range(2):
            x = self._units(half)(x, train)
            main.append(x)
            sent = nn.Conv(self.width // 2, (1, 1), name=f"guide_{half}")(x)
            a, b = jnp.split(branch, 2, -1)
            branch = jnp.concatenate([a + sent, b], -1)
            for place in range(self.couplings):
                unit = Coupling(self.width, Branch, name=f"coupling_{half}_{place}")
                branch = unit(branch, train=train)
        heads = zip(("end", "middle", "branch"), (main[1], main[0], branch), strict=True)
        end, middle, branched = (
            nn.Dense(self.num_classes, name=name)(nn.relu(maps).mean((1, 2)))
            for name, maps in heads
        )
        return end, middle, branched

    def _units(self, half: int) -> Any:
        """Half of the stack, its variables beside each other."""
        many = nn.scan(
            _Step,
            variable_axes={"params": 0, "batch_stats": 0},
            split_rngs={"params": True},
            length=self.depth // 2,
            in_axes=nn.broadcast,
        )
        holder = _Half(many, self.width, name=f"half_{half}")
        return holder


class _Step(nn.Module):
    width: int

    @nn.compact
    def __call__(self, x: Array, train: bool) -> tuple[Array, None]:
        return Plain(self.width, name="unit")(x, train=train), None


class _Half(nn.Module):
    many: Any
    width: int

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        found: tuple[Array, None] = self.many(self.width, name="stack")(x, train)
        return found[0]
