"""What whole detectors cost with a classical and with this paper's neck and regions, counted from shapes."""

import dataclasses
import functools
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from experiments.kits.convnets.walker import walk
from experiments.kits.convnets.walks import Walk
from experiments.vision.catnet.context import SpatialContextPyramid
from experiments.vision.catnet.pyramids import FPN, DenseFPN, Level
from experiments.vision.catnet.regions import HierarchicalFusion
from experiments.vision.pflayer.resnets import R50
from ntkexec.errors import ExperimentError

CHANNELS = (256, 512, 1024, 2048)
"""Of ResNet-50's maps at strides 4, 8, 16 and 32."""
FORMS = ("two-stage", "one-stage")
BOXES, MASKS = 1000, 100
"""Regions of a picture of which boxes and masks are made; the released settings allow more of both."""
CLASSES = 20


@dataclasses.dataclass(frozen=True)
class Cost:
    """Of one part of a detector, or of all.

    Args:
        parameters: normalisation included, running averages not.
        multiplications: of convolutions and products with parameters; neither bilinear values nor pools.
    """

    parameters: int
    multiplications: int

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.parameters + other.parameters, self.multiplications + other.multiplications
        )


@functools.cache
def detector_costs(form: str, *, context_aware: bool, size: int = 800) -> dict[str, Cost]:
    """What the parts of a published detector on ResNet-50 cost for one picture; nothing is computed.

    Args:
        form: `two-stage`, Mask R-CNN with levels at strides 4 to 64, 1000 boxes and 100 masks a picture; or
            `one-stage`, RetinaNet with levels at 8 to 128, which has no regions.
        context_aware: whether with `DenseFPN`, `SpatialContextPyramid` and, for regions,
            `HierarchicalFusion`; or with `FPN` and regions of one level.
        size: sides of the picture.

    Returns:
        Costs of `backbone`, `neck`, `context`, `regions` and `heads`.

    Raises:
        ExperimentError: for another form.
    """
    if form not in FORMS:
        raise ExperimentError(f"detectors are {' or '.join(FORMS)}, got {form!r}")
    first = 0 if form == "two-stage" else 1
    maps = [
        _shape(1, _strided(size, 2 + place), channels)
        for place, channels in enumerate(CHANNELS)
        if place >= first
    ]
    levels = [_shape(1, _strided(size, 2 + first + place), 256) for place in range(5)]
    extra = "pool" if form == "two-stage" else "inputs"
    neck = walk(DenseFPN() if context_aware else FPN(extra=extra), maps)
    nothing = Cost(0, 0)
    found = {
        "backbone": _backbone(size),
        "neck": _cost(neck),
        "context": _cost(walk(SpatialContextPyramid(), levels)) if context_aware else nothing,
        "regions": nothing,
        "heads": nothing,
    }
    if form == "one-stage":
        # One head for all levels: its parameters count once.
        each = [walk(DenseHead(CLASSES, 9, 4), level) for level in levels]
        multiplied = sum(one.multiplications for one in each)
        return {**found, "heads": Cost(each[0].parameters, multiplied)}
    proposed = [walk(DenseHead(1, 3, 1, together=True), level) for level in levels]
    heads = Cost(proposed[0].parameters, sum(one.multiplications for one in proposed))
    boxes, masks = _shape(BOXES, 7, 256), _shape(MASKS, 14, 256)
    heads += _cost(walk(BoxHead(CLASSES), boxes)) + _cost(walk(MaskBranch(CLASSES), masks))
    if context_aware:
        gates = [walk(HierarchicalFusion(), [given] * 4) for given in (boxes, masks)]
        found["regions"] = _cost(gates[0]) + _cost(gates[1])
    return {**found, "heads": heads}


def neck_without_normalisation(neck: nn.Module, maps: Any) -> int:
    """Parameters of a neck less scales and shifts of its batch normalisations."""
    shapes = jax.eval_shape(lambda given: neck.init(jax.random.key(0), given), maps)["params"]
    paths = jax.tree_util.tree_flatten_with_path(shapes)[0]
    return sum(leaf.size for path, leaf in paths if not any(e.key == "norm" for e in path))


class DenseHead(nn.Module):
    """Classes and boxes at each place of a level: of RetinaNet, or of region proposals.

    Args:
        classes: for each anchor.
        anchors: of a place.
        depth: convolutions before the last.
        together: whether classes and boxes share them.
    """

    classes: int
    anchors: int
    depth: int
    together: bool = False

    @nn.compact
    def __call__(self, level: Level) -> tuple[Level, Level]:
        branches = ("shared",) if self.together else ("classes", "boxes")
        found = []
        for name in branches:
            x = level
            for place in range(self.depth):
                x = nn.relu(nn.Conv(256, (3, 3), padding=1, name=f"{name}_{place}")(x))
            found.append(x)
        window = (1, 1) if self.together else (3, 3)
        return (
            nn.Conv(self.anchors * self.classes, window, name="scores")(found[0]),
            nn.Conv(self.anchors * 4, window, name="sides")(found[-1]),
        )


class BoxHead(nn.Module):
    """Classes and boxes of regions, by two dense layers.

    Args:
        classes: without the background.
    """

    classes: int

    @nn.compact
    def __call__(self, regions: Level) -> tuple[Any, Any]:
        x = regions.reshape(len(regions), -1)
        for place in range(2):
            x = nn.relu(nn.Dense(1024, name=f"dense_{place}")(x))
        return nn.Dense(self.classes + 1, name="scores")(x), nn.Dense(4 * self.classes)(x)


class MaskBranch(nn.Module):
    """A mask of twice the size for each class, by four convolutions and one that doubles.

    Args:
        classes: number of them.
    """

    classes: int

    @nn.compact
    def __call__(self, regions: Level) -> Level:
        x = regions
        for place in range(4):
            x = nn.relu(nn.Conv(256, (3, 3), padding=1, name=f"window_{place}")(x))
        # A transposed convolution of stride and window 2 is a product with four outputs a place.
        x = nn.Dense(4 * 256, use_bias=False, name="doubled")(x)
        number, height, width = x.shape[:3]
        x = x.reshape(number, height, width, 2, 2, 256).transpose(0, 1, 3, 2, 4, 5)
        x = x.reshape(number, 2 * height, 2 * width, 256)
        bias = self.param("bias", nn.initializers.zeros_init(), (256,))
        return nn.Dense(self.classes, name="masks")(nn.relu(x + bias[None, None, None]))


@functools.cache
def _backbone(size: int) -> Cost:
    found = walk(R50, _shape(1, size, 3))
    kept = [layer for layer in found.layers if layer.path != "head"]
    return Cost(
        sum(layer.parameters for layer in kept), sum(layer.multiplications for layer in kept)
    )


def _cost(found: Walk) -> Cost:
    """Without products that no parameter takes part in: bilinear values are written as such."""
    trained = sum(layer.multiplications for layer in found.layers if layer.parameters)
    return Cost(found.parameters, trained)


def _strided(size: int, halvings: int) -> int:
    for _ in range(halvings):
        size = -(-size // 2)
    return size


def _shape(number: int, side: int, channels: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct((number, side, side, channels), jnp.float32)
