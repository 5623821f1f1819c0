"""Classification of noise images labelled by convolutional teachers with a known spatial profile.

A toy: one hidden convolution, few images, labels of which one knows what they depend on.
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.harness.experiment import Result, Trial
from experiments.kits.images import blurred_noise
from experiments.vision.sgs.bias import POWER
from experiments.vision.sgs.branches import ACB, normalised, predicted_scaling
from experiments.vision.sgs.config import SgsConfig
from experiments.vision.sgs.dependence import measured_scaling

SIZE, CHANNELS, WIDTH = 8, 3, 16
TRAIN, TEST = 96, 2000
SIGMAS = {"white": 0.0, "blurred": 0.7}
PROFILES = {
    "central": normalised(predicted_scaling(ACB)) ** (POWER / 2),
    "flat": np.ones((3, 3)),
}
RATE, MOMENTUM = 0.1, 0.9
Network = dict[str, jax.Array]


def patches(images: jax.Array) -> jax.Array:
    """Every pixel's 3x3 neighbourhood, padded with zeros: (n, h w, 9 channels), positions first."""
    padded = jnp.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)))
    shifted = [padded[:, y : y + SIZE, x : x + SIZE] for y in range(3) for x in range(3)]
    return jnp.stack(shifted, 3).reshape(len(images), SIZE**2, 9 * CHANNELS)


def logits(networks: Network, patches: jax.Array) -> jax.Array:
    """Convolution, ReLU, mean over the image, linear; of several networks at once: (n, networks).

    Their kernels stand side by side as one matrix, and so they are multiplied as one.
    """
    kernels = networks["kernel"]
    hidden = patches.reshape(-1, len(kernels)) @ kernels.reshape(len(kernels), -1)
    hidden = jax.nn.relu(hidden + networks["bias"].reshape(1, -1)).reshape(*patches.shape[:2], -1)
    means = hidden.mean(1).reshape(len(patches), *kernels.shape[1:])
    return jnp.einsum("nkw,kw->nk", means, networks["out"]) + networks["shift"][None]


def _initial(key: jax.Array, deviation: jax.Array) -> Network:
    """One network; a row of the kernel is a channel at a position."""
    kernel, out = jax.random.split(key)
    rows = jnp.repeat(deviation, CHANNELS)[:, None, None]
    return {
        "kernel": rows
        * jax.random.normal(kernel, (9 * CHANNELS, 1, WIDTH))
        / (9 * CHANNELS) ** 0.5,
        "bias": jnp.zeros((1, WIDTH)),
        "out": jax.random.normal(out, (1, WIDTH)) / WIDTH**0.5,
        "shift": jnp.zeros(1),
    }


Own = tuple[jax.Array, jax.Array, jax.Array]
"""A key, and patches to train and to test on."""


def _accuracy(own: Own, profile: jax.Array, scalings: jax.Array, num_steps: int) -> jax.Array:
    """Test accuracy after training under each scaling of (arms, 9), from one start: (arms,)."""
    key, train, test = own
    taught, start = jax.random.split(key)
    answers = logits(_initial(taught, profile), jnp.concatenate([train, test]))
    labels = answers > jnp.median(answers)
    rows = jnp.repeat(scalings.T, CHANNELS, 0)[:, :, None]
    optimiser = optax.sgd(optax.cosine_decay_schedule(RATE, num_steps), MOMENTUM)

    def loss(networks: Network) -> jax.Array:
        # No network sees another's loss, so the sum's gradient is each one's own.
        losses = optax.sigmoid_binary_cross_entropy(logits(networks, train), labels[:TRAIN])
        return losses.mean(0).sum()

    def step(state: Any, _: None) -> tuple[Any, None]:
        networks, memory = state
        gradient = jax.grad(loss)(networks)
        gradient["kernel"] = rows * gradient["kernel"]
        updates, memory = optimiser.update(gradient, memory)
        return (optax.apply_updates(networks, updates), memory), None

    alike = {
        name: jnp.repeat(value, len(scalings), 1 if name == "kernel" else 0)
        for name, value in _initial(start, jnp.ones(9)).items()
    }
    (networks, _), _ = jax.lax.scan(step, (alike, optimiser.init(alike)), None, num_steps)
    return jnp.mean((logits(networks, test) > 0) == labels[TRAIN:], 0)


@functools.partial(jax.jit, static_argnames="num_steps")
def _accuracies(own: Own, profile: jax.Array, scalings: jax.Array, *, num_steps: int) -> jax.Array:
    """The same for each key of several, one after another: (keys, arms)."""
    return jax.lax.map(lambda one: _accuracy(one, profile, scalings, num_steps), own)


_measured = jax.jit(measured_scaling)


def teachers(config: SgsConfig, trial: Trial) -> Result:
    """Mean test accuracy of plain, SGS, ACB's and inverted scaling over teachers, by images and profile."""
    generator, num = trial.generator, config.teacher_networks
    found: dict[str, Any] = {}
    for place, (images, sigma) in enumerate(SIGMAS.items()):
        pixels = blurred_noise(
            num * (TRAIN + TEST), SIZE, CHANNELS, sigma=sigma, generator=generator
        )
        measured = np.asarray(_measured(jnp.asarray(pixels[:TRAIN])), float)
        scalings = {
            "plain": np.ones((3, 3)),
            "sgs": measured,
            "acb": normalised(predicted_scaling(ACB)),
            "inverse": normalised(1 / measured),
        }
        rows = jnp.asarray(np.stack([s.ravel() for s in scalings.values()]), jnp.float32)
        shaped = patches(jnp.asarray(pixels)).reshape(num, TRAIN + TEST, SIZE**2, -1)
        for profile, deviation in PROFILES.items():
            key = jax.random.fold_in(trial.key, len(found))
            accuracy = _accuracies(
                (jax.random.split(key, num), shaped[:, :TRAIN], shaped[:, TRAIN:]),
                jnp.asarray(deviation.ravel(), jnp.float32),
                rows,
                num_steps=config.teacher_steps,
            )
            means = np.asarray(accuracy, float).mean(0)
            found[f"{images}, {profile}"] = dict(zip(scalings, means.tolist(), strict=True))
        trial.report(images, place + 1, len(SIGMAS))
    return {"tasks": found, "test_images": TEST * num}
