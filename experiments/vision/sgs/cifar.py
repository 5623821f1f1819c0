"""The paper's own setting: VGG and ResNet-18 on CIFAR, plainly and by SGS, for those who have the data."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from experiments.harness.experiment import NotMeasured, Result, Trial
from experiments.kits.images import Images
from experiments.kits.images import cifar as read_cifar
from experiments.vision.sgs.config import SgsConfig
from experiments.vision.sgs.training import accuracy, fit

BATCH, RATE, CUTOUT, PAD, MEASURED_BATCHES = 128, 0.1, 16, 4, 2
"""The 200-epoch setting of the public code: batch 128, rate 0.1 with a cosine, cutout 16."""
VGG_STAGES = {"vgg-11": (1, 1, 2, 2, 2), "vgg-16": (2, 2, 3, 3, 3)}
VGG_WIDTHS = (64, 128, 256, 512, 512)


class Vgg(nn.Module):
    """VGG for 32x32 images: 3x3 convolutions with batch normalisation, one linear layer.

    Args:
        stages: convolutions before each halving.
        num_classes: outputs.
    """

    stages: tuple[int, ...]
    num_classes: int

    @nn.compact
    def __call__(self, images: Float[Array, "n h w 3"], *, train: bool) -> Float[Array, "n k"]:
        x = images
        for number, width in zip(self.stages, VGG_WIDTHS, strict=True):
            for _ in range(number):
                x = nn.relu(_normalised(nn.Conv(width, (3, 3), use_bias=False)(x), train))
            x = nn.max_pool(x, (2, 2), (2, 2))
        return nn.Dense(self.num_classes)(x.mean((1, 2)))


class ResNet18(nn.Module):
    """ResNet-18: a stem and four stages of two basic blocks.

    Args:
        num_classes: outputs.
        large: whether images are large, as ImageNet's: a 7x7 stem of stride 2 and a maximum over 3x3,
            also of stride 2, where 32x32 images have a 3x3 stem.

    Source: He et al., arXiv:1512.03385; the small stem is the usual one on CIFAR.
    """

    num_classes: int
    large: bool = False

    @nn.compact
    def __call__(self, images: Float[Array, "n h w 3"], *, train: bool) -> Float[Array, "n k"]:
        if self.large:
            stem = nn.Conv(64, (7, 7), (2, 2), padding=((3, 3), (3, 3)), use_bias=False)
            x = nn.relu(_normalised(stem(images), train))
            x = nn.max_pool(x, (3, 3), (2, 2), ((1, 1), (1, 1)))
        else:
            x = nn.relu(_normalised(_conv(64)(images), train))
        for stage, width in enumerate((64, 128, 256, 512)):
            for block in range(2):
                stride = 2 if stage and not block else 1
                inner = nn.relu(_normalised(_conv(width, stride)(x), train))
                inner = _normalised(_conv(width)(inner), train)
                if x.shape[-1] != width:
                    shortcut = nn.Conv(width, (1, 1), (stride, stride), use_bias=False)
                    x = _normalised(shortcut(x), train)
                x = nn.relu(x + inner)
        return nn.Dense(self.num_classes)(x.mean((1, 2)))


def _conv(width: int, stride: int = 1) -> nn.Conv:
    # Not "SAME", which pads strided convolutions on one side only.
    return nn.Conv(width, (3, 3), (stride, stride), padding=((1, 1), (1, 1)), use_bias=False)


def _normalised(x: jax.Array, train: bool) -> jax.Array:
    return nn.BatchNorm(use_running_average=not train, momentum=0.9)(x)


def build(name: str, num_classes: int) -> nn.Module:
    """One of the paper's networks by its name."""
    if name in VGG_STAGES:
        return Vgg(VGG_STAGES[name], num_classes)
    return ResNet18(num_classes)


def augment(key: jax.Array, images: Float[Array, "n h w c"]) -> Float[Array, "n h w c"]:
    """Random crops of images padded by 4 pixels, random flips, and a square of 16 pixels cut out."""

    def one(key: jax.Array, image: jax.Array) -> jax.Array:
        crop, flip, cut = jax.random.split(key, 3)
        size, channels = image.shape[0], image.shape[2]
        padded = jnp.pad(image, ((PAD, PAD), (PAD, PAD), (0, 0)))
        top, left = jax.random.randint(crop, (2,), 0, 2 * PAD + 1)
        image = jax.lax.dynamic_slice(padded, (top, left, 0), (size, size, channels))
        image = jnp.where(jax.random.bernoulli(flip), image[:, ::-1], image)
        y, x = jax.random.randint(cut, (2,), 0, size)
        rows = jnp.arange(size)
        hidden_rows = (rows >= y - CUTOUT // 2) & (rows < y + CUTOUT // 2)
        hidden_columns = (rows >= x - CUTOUT // 2) & (rows < x + CUTOUT // 2)
        hidden = hidden_rows[:, None, None] & hidden_columns[None, :, None]
        return jnp.where(hidden, 0, image)

    return jax.vmap(one)(jax.random.split(key, len(images)), images)


def cifar(config: SgsConfig, trial: Trial) -> Result:
    """Test accuracy of plain training and of SGS in the paper's setting.

    Raises:
        NotMeasured: if the scale does without CIFAR, or its files are not there.
    """
    if config.cifar == "none":
        raise NotMeasured(
            "CIFAR takes --scale full, its binary files under --data, and an accelerator"
        )
    images = read_cifar(trial.dataset(config.cifar), config.cifar)
    return compare(config, trial, images)


def compare(config: SgsConfig, trial: Trial, images: Images) -> dict[str, Any]:
    """Both ways of training from one start, each continued from its checkpoint if killed."""
    model = build(config.model, images.num_classes)
    per_epoch = max(1, len(images.train) // BATCH)
    found = {}
    for method in ("plain", "sgs"):
        state, _ = fit(
            model,
            method,
            images,
            key=trial.key,
            rate=RATE,
            batch=BATCH,
            num_steps=config.epochs * per_epoch,
            refresh=config.refresh_epochs * per_epoch,
            measured_on=MEASURED_BATCHES * BATCH,
            augment=augment,
            report=trial.report,
            checkpoint=None if trial.folder is None else trial.folder / f"{method}.safetensors",
        )
        found[method] = accuracy(model, state, images.test, images.test_labels)
    return {"accuracy": found, "test_images": len(images.test)}
