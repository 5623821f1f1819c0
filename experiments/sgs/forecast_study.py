"""Forecasts against what training then shows: on teachers with known profiles, and on images."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.experiment import Result, Trial
from experiments.sgs.bias import (
    CHANNELS,
    POSITIONS,
    PROFILE,
    ROWS,
    excess_by_position,
    limit_of_descent,
    one_by_one,
)
from experiments.sgs.config import SgsConfig
from experiments.sgs.forecast import energy_of, forecast
from experiments.sgs.layers import Network
from experiments.sgs.pictures import MEASURED_ON, OUTPUTS, digit_images, shape_images
from experiments.sgs.training import fit
from ntkexec.precision import float64

POWERS = (-3, -2, -1, 0, 1, 2, 3, 4)
"""Teachers' weights have the variance of ACB's scaling to one of these powers."""
SCALINGS = {"plain": np.ones_like(PROFILE), "acb": PROFILE}
PICTURES = {"digits": digit_images, "shapes": shape_images}


@one_by_one
def _excess(key: jax.Array, deviation: jax.Array) -> dict[str, Any]:
    """Of one regression teacher: errors, errors by position, and the gradient's moment at zero."""
    first, second = jax.random.split(key)
    inputs = jax.random.normal(first, (ROWS, POSITIONS * CHANNELS))
    teacher = deviation * jax.random.normal(second, deviation.shape)
    targets = inputs @ teacher
    rows = inputs.reshape(ROWS, POSITIONS, CHANNELS)
    # For Gaussian inputs the expected squared error is the squared distance of the weights.
    fresh = jnp.eye(POSITIONS * CHANNELS).reshape(-1, POSITIONS, CHANNELS)
    fits = {n: limit_of_descent(inputs, targets, jnp.asarray(s)) for n, s in SCALINGS.items()}
    by_position = {n: jnp.asarray(s).reshape(POSITIONS, -1)[:, 0] for n, s in SCALINGS.items()}
    return {
        "error": {name: jnp.mean((fit - teacher) ** 2) for name, fit in fits.items()},
        "by_position": {n: excess_by_position(rows, fresh, s) for n, s in by_position.items()},
        "moment": ((targets @ inputs) ** 2).reshape(POSITIONS, CHANNELS).mean(1),
    }


def profiles(config: SgsConfig, trial: Trial) -> Result:
    """Share of error that ACB's scaling saves, by power: measured, from the profile, from the gradient."""
    found: dict[str, list[float]] = {"measured": [], "formula": [], "gradient": []}
    with float64():
        for place, power in enumerate(POWERS):
            keys = jax.random.split(jax.random.fold_in(trial.key, place), config.profile_teachers)
            deviations = jnp.tile(jnp.asarray(PROFILE) ** (power / 2), (len(keys), 1))
            means = jax.tree.map(lambda leaf: leaf.mean(0), _excess(keys, deviations))
            left = means["by_position"]
            energies = {
                "formula": PROFILE.reshape(POSITIONS, -1)[:, 0] ** power,
                "gradient": means["moment"],
            }
            found["measured"].append(_saved(means["error"]["acb"], means["error"]["plain"]))
            for name, energy in energies.items():
                found[name].append(_saved(energy @ left["acb"], energy @ left["plain"]))
            trial.report("profiles", place + 1, len(POWERS))
    return {"powers": POWERS, **found}


def _saved(error: jax.Array, plain: jax.Array) -> float:
    return float(1 - error / plain)


def networks(config: SgsConfig, trial: Trial) -> Result:
    """Forecasts at the start of networks on images, with the energy of what plain training learns."""
    model = Network(config.widths, OUTPUTS)
    found = {}
    for place, (name, made) in enumerate(PICTURES.items()):
        images = made(config, trial.generator)

        def trained(num_steps: int, images: Any = images) -> Mapping[str, Any]:
            state, _ = fit(
                model,
                "plain",
                images,
                key=trial.key,
                rate=config.rates[0],
                batch=config.batch,
                num_steps=num_steps,
                refresh=config.refresh,
                measured_on=MEASURED_ON,
            )
            return state

        start, end = trained(0), trained(config.train_steps)
        variables = {"params": start["params"], **start["rest"]}
        pixels, labels = jnp.asarray(images.train), jnp.asarray(images.train_labels)
        forecasts = forecast(model, variables, pixels, labels, train=False)
        moved = {
            jax.tree_util.keystr(where, simple=True, separator="/"): leaf
            for where, leaf in jax.tree_util.tree_leaves_with_path(
                jax.tree.map(lambda a, b: np.asarray(a) - b, end["params"], start["params"])
            )
        }
        found[name] = {
            path: {
                "scaling": one.scaling,
                "moment": one.moment,
                "learned": (learned := energy_of(moved[path])),
                "correlation": one.correlation(one.moment),
                "correlation_learned": one.correlation(learned),
                "gain": one.gain(one.moment),
                "gain_learned": one.gain(learned),
            }
            for path, one in forecasts.items()
        }
        trial.report(name, place + 1, len(PICTURES))
    return {"networks": found}
