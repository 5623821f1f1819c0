"""The estimator of mutual information against known answers, and how scalings follow their images."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.experiment import Result, Trial
from experiments.kits.images import blurred_noise
from experiments.vision.sgs.config import SgsConfig
from experiments.vision.sgs.dependence import information, measured_scaling, sharpened
from ntkexec.runtime.precision import float64

REPEATS = 64
SIZES = (1_000, 10_000)
CORRELATIONS = (0.0, 0.3, 0.6, 0.9, 0.99)
BLURS = (0.0, 0.5, 1.0, 2.0, 4.0)
TURNS = {
    "transposed": lambda x: np.swapaxes(x, -1, -2),
    "flipped": lambda x: np.flip(x, -1),
    "turned": lambda x: np.rot90(x, axes=(-2, -1)),
}


def known_answers(config: SgsConfig, trial: Trial) -> Result:
    """Bits found for independent, identical and correlated Gaussian samples; f_k's algebra."""
    generator = trial.generator
    pairs = jax.jit(jax.vmap(information))
    with float64():
        independent = {}
        for number in SIZES:
            bits, _ = pairs(*jnp.asarray(generator.uniform(size=(2, REPEATS, number))))
            num_bins = 1 + int(np.ceil(np.log2(number)))
            expected = (num_bins - 1) ** 2 / (2 * number * np.log(2))
            independent[str(number)] = float(bits.mean()) / expected
        ladder = []
        for correlation in CORRELATIONS:
            first, noise = generator.normal(size=(2, 1, config.pairs))
            second = correlation * first + (1 - correlation**2) ** 0.5 * noise
            bits, ratio = pairs(jnp.asarray(first), jnp.asarray(second))
            ladder.append([float(bits[0]), float(ratio[0])])
        same = jnp.asarray(generator.normal(size=(1, config.pairs)))
        ratios = jnp.linspace(0, 1, 101)
        algebra = jnp.stack(
            [
                sharpened(sharpened(ratios, 3), 5) - sharpened(ratios, 15),
                sharpened(ratios, 1) - ratios,
            ]
        )
        ends = jnp.abs(sharpened(jnp.asarray([0.0, 1.0]), 5) - jnp.asarray([0.0, 1.0]))
        return {
            "independent": independent,
            "correlated_bits": [bits for bits, _ in ladder],
            "correlated_ratios": [ratio for _, ratio in ladder],
            "identical_ratio": float(pairs(same, same)[1][0]),
            "algebra": float(jnp.maximum(jnp.abs(algebra).max(), ends.max())),
        }


def images(config: SgsConfig, trial: Trial) -> Result:
    """Scalings of blurred noise by width; what turning, shifting and scaling pixels does to them."""
    generator = trial.generator
    with float64():
        ladder = []
        for sigma in BLURS:
            maps = blurred_noise(config.maps, 32, 3, sigma=sigma, generator=generator)
            ladder.append(_scaling(maps))
        # Different blurs along the axes, so that turning makes a difference.
        maps = blurred_noise(config.maps, 16, 2, sigma=0.5, generator=generator).astype(float)
        maps = maps + np.roll(maps, 1, axis=1)
        original = _scaling(maps)
        turned = {}
        for name, turn in TURNS.items():
            moved = np.moveaxis(turn(np.moveaxis(maps, (1, 2), (-2, -1))), (-2, -1), (1, 2))
            turned[name] = float(np.abs(_scaling(moved) - turn(original)).max())
        # Zeros at the border do not move with a shift, so only the inside is compared.
        inside = _scaling(maps, padding=((0, 0), (0, 0)))
        shifted = {
            f"{factor} x + {shift}": float(
                np.abs(_scaling(factor * maps + shift, padding=((0, 0), (0, 0))) - inside).max()
            )
            for factor, shift in ((4.0, 0.25), (-1.0, 0.5))
        }
        return {
            "centres": [s[1, 1] for s in ladder],
            "mean": max(abs(float(s.mean()) - 1) for s in ladder),
            "asymmetry": max(float(np.abs(s - s[::-1, ::-1]).max()) for s in ladder),
            "turned": turned,
            "turning_matters": float(np.abs(original - np.swapaxes(original, 0, 1)).max()),
            "shifted": shifted,
            "flat_limit": float(np.abs(_scaling(maps, sharpness=1e6) - 1).max()),
            "central_limit": float(_scaling(maps, sharpness=1e-3)[1, 1]),
        }


@functools.cache
def _compiled(**options: Any) -> Callable[[jax.Array], jax.Array]:
    return jax.jit(functools.partial(measured_scaling, **options))


def _scaling(maps: np.ndarray, **options: Any) -> np.ndarray:
    return np.asarray(_compiled(**options)(jnp.asarray(maps, float)))
