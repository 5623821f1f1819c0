"""A counter that is trained here: a small network that has seen few objects at a time, as a stand-in."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Float32
from scipy import ndimage

from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.training import Metrics, train
from experiments.vision.lvlm_count.scenes import SIZE, draw_scene
from experiments.vision.lvlm_count.segmentation import Image, ink
from ntkexec.errors import ExperimentError

INPUT, PATCH, CLASSES = 48, 8, 61
MAX_SEEN = 15
"""The largest number of objects in the network's training scenes."""
BATCH = 64
NUM_SCENES, NUM_STEPS = 2000, 1000
"""Of a training that takes seconds."""


class CountingNetwork(nn.Module):
    """One MLP on all patches, their mean, and an MLP to a distribution over 0 to 60."""

    @nn.compact
    def __call__(self, pixels: Float[Array, "n 48 48"]) -> Float[Array, "n 61"]:
        side = INPUT // PATCH
        x = pixels.reshape(-1, side, PATCH, side, PATCH).transpose(0, 1, 3, 2, 4)
        x = x.reshape(-1, side**2, PATCH**2)
        for width in (64, 128, 64):
            x = nn.relu(nn.Dense(width)(x))
        x = nn.relu(nn.Dense(128)(x.mean(1)))
        return nn.Dense(CLASSES)(x)


@dataclasses.dataclass(frozen=True)
class LearnedCounter:
    """A trained network that counts every object of the asked colour, or all.

    Args:
        parameters: of `CountingNetwork`.
        scale: pictures are enlarged by it, so that objects have the size of those in training.
    """

    parameters: Any  # a pytree
    scale: float = 1.0

    def count(self, pictures: Sequence[Image], target: str = "") -> list[int]:
        """The likeliest number for each picture; see `canvas` for sizes."""
        if not pictures:
            return []
        found = np.stack([canvas(ink(picture, target), self.scale) for picture in pictures])
        # Padded to a power of two: few shapes, few compilations.
        padded = np.zeros((1 << (len(found) - 1).bit_length(), *found.shape[1:]), np.float32)
        padded[: len(found)] = found
        return np.asarray(_likeliest(self.parameters, padded))[: len(found)].tolist()


@jax.jit
def _likeliest(parameters: Any, pixels: jax.Array) -> jax.Array:
    return jnp.argmax(jnp.asarray(CountingNetwork().apply(parameters, pixels)), axis=1)


def canvas(grey: Float32[np.ndarray, "h w"], scale: float = 1.0) -> Float32[np.ndarray, "48 48"]:
    """A grey picture on the middle of an empty one of 192 x 192 pixels, shrunk to 48 x 48.

    One that is larger than 192 pixels, after the scaling, is shrunk to fit.
    """
    scale = min(scale, SIZE / max(grey.shape))
    if abs(scale - 1) > 1e-9:
        grey = np.clip(ndimage.zoom(grey, scale, order=1), 0, 1)[:SIZE, :SIZE]
    whole = np.zeros((SIZE, SIZE), np.float32)
    top, left = (SIZE - grey.shape[0]) // 2, (SIZE - grey.shape[1]) // 2
    whole[top : top + grey.shape[0], left : left + grey.shape[1]] = grey
    step = SIZE // INPUT
    return whole.reshape(INPUT, step, INPUT, step).mean((1, 3))


def training_scenes(
    number: int, *, generator: np.random.Generator
) -> tuple[Float32[np.ndarray, "number 48 48"], np.ndarray]:
    """Network inputs and their counts, 0 to 15 and smaller ones more often, P(n) as 1 / (n + 1).

    Objects lie in a random window of the picture, as they do in the parts of a divided one.
    """
    odds = 1 / (1 + np.arange(MAX_SEEN + 1))
    counts = generator.choice(MAX_SEEN + 1, size=number, p=odds / odds.sum())
    pixels = np.empty((number, INPUT, INPUT), np.float32)
    for i in range(number):
        # 15 objects take a fifth of the picture at most when packed at random.
        width, height = generator.uniform(0.25 + 0.025 * counts[i], 1, size=2)
        left, top = generator.uniform(0, 1 - width), generator.uniform(0, 1 - height)
        window = (left, top, left + width, top + height)
        made = draw_scene({"red": int(counts[i])}, generator=generator, window=window)
        pixels[i] = canvas(ink(made.image))
    return pixels, counts.astype(np.int32)


def train_counter(
    *,
    num_scenes: int = NUM_SCENES,
    num_steps: int = NUM_STEPS,
    key: jax.Array,
    generator: np.random.Generator,
    report: Callable[[str, int, int], None] = lambda what, done, total: None,
    checkpoint: Path | None = None,
) -> LearnedCounter:
    """A counter trained on scenes of at most 15 objects: right on few, lost on many, as an LVLM.

    Args:
        num_scenes: generated, and seen turned and mirrored too.
        num_steps: of Adam on 64 scenes, rate 2e-3 falling as a cosine.
        key: of batches.
        generator: of scenes and first weights.
        report: told about progress.
        checkpoint: file that is continued from if it exists.
    """
    if num_scenes < 1 or num_steps < 1:
        raise ExperimentError(f"cannot train {num_steps} steps on {num_scenes} scenes")
    report("drawing scenes", 0, num_steps)
    pixels, counts = training_scenes(num_scenes, generator=generator)
    parameters = initial_by_numpy(
        CountingNetwork(), generator, jax.ShapeDtypeStruct((1, INPUT, INPUT), np.float32)
    )
    state = {
        "parameters": parameters,
        "optimiser": _optimiser(num_steps).init(parameters),
        "key": key,
    }
    state, _ = train(
        _step(num_steps),
        state,
        num_steps,
        data={"pixels": jnp.asarray(pixels), "counts": jnp.asarray(counts)},
        chunk=100,
        report=report,
        checkpoint=checkpoint,
        what="training the counter",
    )
    return LearnedCounter(state["parameters"])


def _optimiser(num_steps: int) -> optax.GradientTransformation:
    return optax.adam(optax.cosine_decay_schedule(2e-3, num_steps))


@functools.cache
def _step(num_steps: int) -> Callable[[Any, jax.Array, Any], tuple[Any, Metrics]]:
    def loss(parameters: Any, pixels: jax.Array, counts: jax.Array) -> jax.Array:
        logits = CountingNetwork().apply(parameters, pixels)
        return optax.softmax_cross_entropy_with_integer_labels(logits, counts).mean()

    def step(state: Any, index: jax.Array, data: Any) -> tuple[Any, Metrics]:
        chosen, mirrored = jax.random.split(jax.random.fold_in(state["key"], index))
        rows = jax.random.randint(chosen, (BATCH,), 0, len(data["counts"]))
        down, right, turned = jax.random.bernoulli(mirrored, shape=(3, BATCH, 1, 1))
        pixels = data["pixels"][rows]
        pixels = jnp.where(down, pixels[:, ::-1], pixels)
        pixels = jnp.where(right, pixels[:, :, ::-1], pixels)
        pixels = jnp.where(turned, pixels.swapaxes(1, 2), pixels)
        value, gradient = jax.value_and_grad(loss)(
            state["parameters"], pixels, data["counts"][rows]
        )
        updates, optimiser = _optimiser(num_steps).update(gradient, state["optimiser"])
        parameters = optax.apply_updates(state["parameters"], updates)
        return {**state, "parameters": parameters, "optimiser": optimiser}, {"loss": value}

    return step
