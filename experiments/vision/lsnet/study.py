"""What is measured: counts of the networks, cost and reach of the layer, accuracy where context decides."""

import dataclasses
import functools
import math
from collections.abc import Mapping
from typing import Any, TypedDict

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.harness.configuration import check_types, require
from experiments.harness.study import Studies, Trial
from experiments.kits.convnets.fitting import fit
from experiments.kits.convnets.layers import ConvBN
from experiments.kits.convnets.pictures import mnist
from experiments.kits.convnets.products import ByProducts
from experiments.kits.convnets.scenes import context_glyphs
from experiments.kits.convnets.walker import walk, walk_function
from experiments.kits.convnets.xla import multiplications_by_xla
from experiments.kits.images import Images
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.lsnet.aggregation import far_field_share
from experiments.vision.lsnet.layers import LargeSmallStatic, LSConv, lsconv_multiplications
from experiments.vision.lsnet.network import VARIANTS, fused, lsnet_variant
from ntkexec.runtime.precision import float64

CLASSES, SIZE = 10, 12
"""Outputs of every trained network, and height and width of its pictures: both tasks are one program."""


@dataclasses.dataclass(frozen=True)
class LsnetConfig:
    """Sizes of all studies.

    Args:
        resolution: of the picture for which the networks are counted.
        shapes: random ones, for the cost of the layer.
        reach: height and width of the picture on which derivatives are taken.
        width, blocks: of the networks that are trained.
        train_images, test_images: of each task.
        steps, batch: of each training.
        rate: of the first step.
    """

    resolution: int = 224
    shapes: int = 17
    reach: int = 15
    width: int = 16
    blocks: int = 1
    train_images: int = 3000
    test_images: int = 1000
    steps: int = 250
    batch: int = 32
    rate: float = 1e-2

    def __post_init__(self) -> None:
        check_types(self)
        require(self, resolution=self.resolution % 32 == 0 < self.resolution)
        require(self, shapes=self.shapes > 0, reach=self.reach >= 9)
        require(self, width=self.width % 16 == 0 < self.width, blocks=self.blocks > 0)
        require(self, train_images=self.train_images > 0, steps=self.steps > 0)
        require(self, batch=0 < self.batch <= self.train_images)
        require(self, test_images=0 < self.test_images <= 5000 - self.train_images)
        require(self, rate=self.rate > 0)


class Small(nn.Module):
    """One wide convolution, mixers with channel mixers after them, and the largest value of each channel.

    Args:
        width: channels.
        blocks: of a mixer and a channel mixer.
        mixer: "ls" or "static".
        large: side of the window that a mixer looks at.
        share: channels that share weights in LS convolutions.
    """

    width: int
    blocks: int
    mixer: str
    large: int = 7
    share: int = 8

    @nn.compact
    def __call__(
        self, images: Float[Array, "n h w i"], *, train: bool = False
    ) -> Float[Array, "n k"]:
        x: Any = ConvBN(self.width, name="stem")(images, train=train)
        for place in range(self.blocks):
            mixer: Any = (
                LSConv(self.share, self.large, name=f"mixer_{place}")
                if self.mixer == "ls"
                else LargeSmallStatic(self.large, name=f"mixer_{place}")
            )
            x = mixer(x, train=train)
            inner = ConvBN(2 * self.width, 1, name=f"expand_{place}")(x, train=train)
            reduce = ConvBN(self.width, 1, activation=None, name=f"reduce_{place}")
            x = x + reduce(inner, train=train)
        return jnp.asarray(nn.Dense(CLASSES)(x.max((1, 2))))


class Counted(TypedDict):
    """Counts of one network for one picture, as built and fused; `with_normalisation` has two operations
    more for each element that a batch normalisation makes."""

    parameters: int
    multiplications: int
    multiplications_by_xla: int
    fused_parameters: int
    with_normalisation: int
    memory_access: int
    live_activations: int


def counts(config: LsnetConfig, trial: Trial) -> dict[str, Counted]:
    """The three networks, walked through and counted by XLA; nothing is drawn."""
    found = {}
    for place, name in enumerate(VARIANTS):
        trial.report("networks counted", place, len(VARIANTS))
        found[name] = _counted(name, config.resolution)
    return found


@functools.cache
def _counted(name: str, resolution: int) -> Counted:
    model = lsnet_variant(name)
    picture = jax.ShapeDtypeStruct((1, resolution, resolution, 3), jnp.float32)
    found = walk(model, picture)
    variables = jax.eval_shape(lambda x: fused(model.init(jax.random.key(0), x)), picture)
    normalised = [
        math.prod(shape)
        for layer in found.layers
        for shape in layer.outputs
        if layer.path.endswith("/conv") or layer.kind == "sum"
    ]
    return {
        "parameters": found.parameters,
        "multiplications": found.multiplications,
        "multiplications_by_xla": multiplications_by_xla(found),
        "fused_parameters": walk_function(model.apply, variables, picture).parameters,
        "with_normalisation": found.multiplications + 2 * sum(normalised),
        "memory_access": found.memory_access,
        "live_activations": found.live_activations,
    }


def cost(config: LsnetConfig, trial: Trial) -> dict[str, int]:
    """For how many random shapes the paper's formula is not the walker's count, or not XLA's."""
    generator = trial.generator
    missed = {"walker": 0, "xla": 0, "without_aggregation": 0}
    for _ in range(config.shapes):
        height, width = (int(side) for side in generator.integers(2, 40, size=2))
        share = int(generator.choice([1, 2, 4, 8]))
        channels = 2 * share * int(generator.integers(1, 9))
        # A small window of one pixel is a gate, which no account of multiplications knows.
        large, small = (2 * int(half) + 1 for half in generator.integers([0, 1], [6, 4]))
        picture = jax.ShapeDtypeStruct((1, height, width, channels), jnp.float32)
        found = walk(LSConv(share, large, small), picture)
        formula = lsconv_multiplications(
            height, width, channels, groups=channels // share, large=large, small=small
        )
        missed["walker"] += found.multiplications != formula
        missed["xla"] += multiplications_by_xla(found) != formula
        aggregation = height * width * channels * small**2
        missed["without_aggregation"] += found.multiplications != formula - aggregation
    return missed


class Reach(TypedDict):
    """Shares of far pixels in the squared derivative, and pixels with any derivative."""

    share: float
    pixels: int
    share_normed: float
    pixels_normed: int


def reach(config: LsnetConfig, trial: Trial) -> Reach:
    """On what the middle of a drawn LS convolution's output depends, by how weights are normalised."""
    generator = trial.generator
    image = generator.normal(size=(config.reach, config.reach, 16))
    found = {}
    with float64():
        for name in ("position", "picture"):
            layer = LSConv(normalisation=name)
            given = initial_by_numpy(layer, generator, image[None])
            # Biases, scales and averages as training leaves them: none at a special value.
            drawn = jax.tree.map(lambda x: x + 0.1 * generator.uniform(size=x.shape), given)
            apply = functools.partial(layer.apply, drawn)
            found[name] = far_field_share(apply, image, radius=3)  # type: ignore[arg-type] # an array of NumPy is one
    (share, pixels), (normed, all_pixels) = found["position"], found["picture"]
    return {"share": share, "pixels": pixels, "share_normed": normed, "pixels_normed": all_pixels}


def context(config: LsnetConfig, trial: Trial) -> dict[str, float]:
    """Test accuracies where the class of a glyph flips with a pixel that is three pixels away."""
    images = context_glyphs(
        num_train=config.train_images,
        num_test=config.test_images,
        size=SIZE,
        noise=0.2,
        distractors=0,
        moved=0,
        generator=trial.generator,
    )
    arms = {
        "ls": _small(config, "ls"),
        "static": _small(config, "static"),
        "ls_narrow": _small(config, "ls", large=3),
        "unshared": _small(config, "ls", share=1),
    }
    return _accuracies(config, trial, images, arms)


def digits(config: LsnetConfig, trial: Trial) -> dict[str, float]:
    """Test accuracies on MNIST's digits, which need no context; the programs are those of `context`."""
    found = mnist(
        trial.load("mnist-5k"),
        num_train=config.train_images,
        size=SIZE + 2,
        generator=trial.generator,
    )
    # A rim of paper is cut off, so that the pictures have the size of the others.
    tested, inner = slice(config.test_images), slice(1, -1)
    images = dataclasses.replace(
        found,
        train=found.train[:, inner, inner],
        test=found.test[tested, inner, inner],
        test_labels=found.test_labels[tested],
    )
    arms = {"ls": _small(config, "ls"), "static": _small(config, "static")}
    return _accuracies(config, trial, images, arms)


def _small(config: LsnetConfig, mixer: str, **fields: Any) -> ByProducts:
    return ByProducts(Small(config.width, config.blocks, mixer, **fields))


def _accuracies(
    config: LsnetConfig, trial: Trial, images: Images, arms: Mapping[str, ByProducts]
) -> dict[str, float]:
    found = {}
    for place, (name, model) in enumerate(arms.items()):
        trial.report(f"{name} trained", place, len(arms))
        found[name] = fit(
            model,
            images,
            generator=np.random.default_rng([trial.seed, place]),
            steps=config.steps,
            batch=config.batch,
            learning_rate=config.rate,
        ).test
    return found


STUDIES = Studies(
    configs={
        "quick": LsnetConfig(),
        "standard": LsnetConfig(shapes=50, width=32, blocks=2, train_images=4000, steps=1500),
    },
    tiny=LsnetConfig(
        resolution=64, shapes=2, reach=9, train_images=40, test_images=20, steps=2, batch=8
    ),
    functions={
        "counts": counts,
        "cost": cost,
        "reach": reach,
        "context": context,
        "digits": digits,
    },
    slow=("context", "digits"),
    num_seeds=3,
)
