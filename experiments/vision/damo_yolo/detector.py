"""ZeroHead, and the whole detector."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.kits.convnets.reparameterised import merged
from experiments.kits.detection.head import Predictions
from experiments.vision.damo_yolo.backbone import EPSILON, TINY, Architecture, Backbone
from experiments.vision.damo_yolo.neck import RepGFPN


class ZeroHead(nn.Module):
    """One 3 x 3 convolution to classes and one to distances for each level, and nothing before them.

    Args:
        classes: number of them.
        bins: of a distance.
        start: probability of each class before training.

    Source: Xu et al., arXiv:2211.15444, on ZeroHead; each level's learned scale is the public code's.
    """

    classes: int
    bins: int = 17
    start: float = 0.01

    @nn.compact
    def __call__(
        self, levels: Sequence[Float[Array, "b h w c"]], *, train: bool = False
    ) -> Predictions:
        shift = np.float32(math.log(self.start / (1 - self.start)))
        scores, distances = [], []
        for number, features in enumerate(levels):
            count, points = len(features), math.prod(features.shape[1:3])
            named = {"padding": ((1, 1), (1, 1))}
            found = nn.Conv(self.classes, (3, 3), name=f"classes_{number}", **named)(features)
            scores.append(found.reshape(count, points, self.classes) + shift)
            found = nn.Conv(4 * self.bins, (3, 3), name=f"distances_{number}", **named)(features)
            found = _Scale(name=f"scale_{number}")(found)
            distances.append(found.reshape(count, points, 4, self.bins))
        return Predictions(jnp.concatenate(scores, 1), jnp.concatenate(distances, 1))


class _Scale(nn.Module):
    """All values times one number."""

    @nn.compact
    def __call__(self, x: Float[Array, "*s"]) -> Float[Array, "*s"]:
        return x * self.param("scale", nn.initializers.ones_init(), (1,) * x.ndim)


class DamoYolo(nn.Module):
    """Backbone, neck and head.

    Args:
        architecture: of the backbone; the neck reads its last three strides.
        features: that the neck gives, fine to coarse.
        classes: number of them.
        depth: of each of the neck's fusions.
        bins: of a distance.
        queen: see `RepGFPN`.
    """

    architecture: Architecture = TINY
    features: tuple[int, ...] = (64, 128, 256)
    classes: int = 80
    depth: int = 3
    bins: int = 17
    queen: bool = True

    def setup(self) -> None:
        self.backbone = Backbone(self.architecture)
        self.neck = RepGFPN(self.features, self.depth, self.queen)
        self.head = ZeroHead(self.classes, self.bins)

    @property
    def strides(self) -> tuple[int, ...]:
        """Of the three levels that are predicted on."""
        last = len(self.architecture.levels)
        return tuple(2**level for level in range(last - 2, last + 1))

    def maps(
        self, images: Float[Array, "b h w 3"], *, train: bool = False
    ) -> tuple[Float[Array, "b _ _ _"], ...]:
        """What the neck gives to the head, and a student is taught by."""
        found = self.backbone(images, train=train)
        return self.neck(found[-3:], train=train)

    def __call__(self, images: Float[Array, "b h w 3"], *, train: bool = False) -> Predictions:
        return self.head(self.maps(images, train=train), train=train)


def fused(variables: Mapping[str, Any]) -> dict[str, Any]:
    """Variables with which a detector computes the same at inference, with fewer numbers.

    Args:
        variables: of a `DamoYolo`; they are not changed.
    """
    return merged(variables, epsilon=EPSILON)
