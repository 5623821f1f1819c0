"""What a convolution in groups computes and moves, and the energy that this takes in a model of two numbers.

The model is reconstructed: the paper's own was not at hand. Energy is counted in multiply-accumulates: one
costs 1, and an element that is moved costs rho. It is a model of one memory without a cache.
"""

import dataclasses
import math

from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Convolution:
    """A convolution by its shape, for one picture.

    Args:
        inputs: positions (height times width) that are read.
        outputs: positions that are written.
        window: taps of the kernel: 9 for 3 x 3.
        channels: of the input.
        features: of the output.
        groups: into which both are parted.
    """

    inputs: int
    outputs: int
    window: int
    channels: int
    features: int
    groups: int = 1

    def __post_init__(self) -> None:
        values = dataclasses.astuple(self)
        if min(values) < 1 or self.channels % self.groups or self.features % self.groups:
            raise ExperimentError(
                f"{self.channels} channels to {self.features} in {self.groups} groups, from {self.inputs} "
                f"positions to {self.outputs} by {self.window} taps, are no convolution"
            )

    @property
    def group_size(self) -> int:
        """Input channels of a group, the paper's G."""
        return self.channels // self.groups

    @property
    def weights(self) -> int:
        return self.window * self.group_size * self.features

    @property
    def activations(self) -> int:
        """Elements read and written; they do not depend on the groups."""
        return self.inputs * self.channels + self.outputs * self.features

    @property
    def multiplications(self) -> int:
        return self.outputs * self.weights

    def grouped(self, group_size: int) -> "Convolution":
        """The same layer in groups of another size.

        Raises:
            ExperimentError: the channels cannot be parted so.
        """
        if group_size < 1 or self.channels % group_size:
            raise ExperimentError(f"{self.channels} channels make no groups of {group_size}")
        return dataclasses.replace(self, groups=self.channels // group_size)

    @property
    def feasible(self) -> tuple[int, ...]:
        """All sizes that groups may have, from 1 (depthwise, where features allow) to dense."""
        sizes = (size for size in range(1, self.channels + 1) if self.channels % size == 0)
        return tuple(size for size in sizes if self.features % (self.channels // size) == 0)


def moved(layer: Convolution, *, batch: int = 1) -> float:
    """Elements moved for a picture: weights, read once for a batch, and activations."""
    return layer.weights / batch + layer.activations


def arithmetic_intensity(layer: Convolution, *, batch: int = 1) -> float:
    """Multiply-accumulates for each element that is moved.

    With as many features as channels, at stride 1 and s positions it is s k^2 G / (k^2 G + 2 s) for one
    picture: the layer's width does not matter, the size of its groups does.

    Args:
        layer: by its shape.
        batch: pictures for which weights are read once.
    """
    return layer.multiplications / moved(layer, batch=batch)


def energy(layer: Convolution, rho: float, *, batch: int = 1) -> float:
    """Energy for a picture, in multiply-accumulates.

    Args:
        layer: by its shape.
        rho: what moving an element costs, over what a multiply-accumulate does.
        batch: pictures for which weights are read once.
    """
    return layer.multiplications + rho * moved(layer, batch=batch)


def balanced_group_size(layer: Convolution, rho: float, *, batch: int = 1) -> float:
    """The size of groups at which computing takes as much energy as moving: intensity equals rho.

    It is a balance and not a minimum: with larger groups the layer takes more energy, and less for each
    multiply-accumulate. With equal widths at stride 1 it is 2 s rho / (k^2 (s - rho)), which tends to
    2 rho / k^2 the more positions s there are, whatever the width: the reason to hold it constant.

    Args:
        layer: by its shape; its groups do not matter.
        rho: as in `energy`.
        batch: as in `energy`.

    Returns:
        A real number; infinity where no group is large enough, since a weight is used too seldom.
    """
    spare = layer.outputs * batch - rho
    if spare <= 0:
        return math.inf
    return batch * rho * layer.activations / (layer.window * layer.features * spare)
