"""Classification of noise images labelled by convolutional teachers with a known spatial profile.

A toy: one hidden convolution, few images, labels of which one knows what they depend on.
"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.experiment import Result, Trial
from experiments.sgs.bias import POWER
from experiments.sgs.branches import ACB, normalised, predicted_scaling
from experiments.sgs.config import SgsConfig
from experiments.sgs.dependence import measured_scaling
from experiments.shared.images import blurred_noise

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


def logits(network: Network, patches: jax.Array) -> jax.Array:
    """Convolution, ReLU, mean over the image, linear: (n,)."""
    hidden = jax.nn.relu(patches @ network["kernel"] + network["bias"][None, None])
    return hidden.mean(1) @ network["out"] + network["shift"]


def _initial(key: jax.Array, deviation: jax.Array) -> Network:
    kernel, out = jax.random.split(key)
    rows = jnp.repeat(deviation, CHANNELS)[:, None]
    return {
        "kernel": rows * jax.random.normal(kernel, (9 * CHANNELS, WIDTH)) / (9 * CHANNELS) ** 0.5,
        "bias": jnp.zeros(WIDTH),
        "out": jax.random.normal(out, (WIDTH,)) / WIDTH**0.5,
        "shift": jnp.zeros(()),
    }


def _accuracy(
    key: jax.Array,
    profile: jax.Array,
    train: jax.Array,
    test: jax.Array,
    scalings: jax.Array,
    num_steps: int,
) -> jax.Array:
    """Test accuracy after training under each scaling of (arms, 9), from one start: (arms,)."""
    taught, start = jax.random.split(key)
    teacher = _initial(taught, profile)
    answers = logits(teacher, jnp.concatenate([train, test]))
    labels = answers > jnp.median(answers)

    def loss(network: Network) -> jax.Array:
        return optax.sigmoid_binary_cross_entropy(logits(network, train), labels[:TRAIN]).mean()

    def trained(scaling: jax.Array) -> jax.Array:
        rows = jnp.repeat(scaling, CHANNELS)[:, None]
        optimiser = optax.sgd(optax.cosine_decay_schedule(RATE, num_steps), MOMENTUM)

        def step(state: Any, _: None) -> tuple[Any, None]:
            network, memory = state
            gradient = jax.grad(loss)(network)
            gradient["kernel"] = rows * gradient["kernel"]
            updates, memory = optimiser.update(gradient, memory)
            return (optax.apply_updates(network, updates), memory), None

        network = _initial(start, jnp.ones(9))
        (network, _), _ = jax.lax.scan(step, (network, optimiser.init(network)), None, num_steps)
        return jnp.mean((logits(network, test) > 0) == labels[TRAIN:])

    return jax.vmap(trained)(scalings)


_accuracies = jax.jit(jax.vmap(_accuracy, (0, None, 0, 0, None, None)), static_argnums=5)


def teachers(config: SgsConfig, trial: Trial) -> Result:
    """Mean test accuracy of plain, SGS, ACB's and inverted scaling over teachers, by images and profile."""
    generator, num = trial.generator, config.teacher_networks
    found: dict[str, Any] = {}
    for place, (images, sigma) in enumerate(SIGMAS.items()):
        pixels = blurred_noise(
            num * (TRAIN + TEST), SIZE, CHANNELS, sigma=sigma, generator=generator
        )
        measured = np.asarray(measured_scaling(jnp.asarray(pixels[:TRAIN])), float)
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
                jax.random.split(key, num),
                jnp.asarray(deviation.ravel(), jnp.float32),
                shaped[:, :TRAIN],
                shaped[:, TRAIN:],
                rows,
                config.teacher_steps,
            )
            means = np.asarray(accuracy, float).mean(0)
            found[f"{images}, {profile}"] = dict(zip(scalings, means.tolist(), strict=True))
        trial.report(images, place + 1, len(SIGMAS))
    return {"tasks": found, "test_images": TEST * num}
