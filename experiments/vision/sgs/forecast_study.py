"""Forecasts against what training then shows: on teachers with known profiles, and on images."""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.experiment import Result, Trial
from experiments.vision.sgs.bias import (
    CHANNELS,
    POSITIONS,
    PROFILE,
    ROWS,
    excess_by_position,
    limit_of_descent,
    one_by_one,
)
from experiments.vision.sgs.config import SgsConfig
from experiments.vision.sgs.forecast import energy_of, forecast
from experiments.vision.sgs.layers import Network
from experiments.vision.sgs.pictures import MEASURED_ON, OUTPUTS, digit_images, shape_images
from experiments.vision.sgs.training import fit
from ntkexec.runtime.precision import float64

POWERS = (-3, -2, -1, 0, 1, 2, 3, 4)
"""Teachers' weights have the variance of ACB's scaling to one of these powers."""
SCALINGS = {"plain": np.ones_like(PROFILE), "acb": PROFILE}
PICTURES = {"digits": digit_images, "shapes": shape_images}


@one_by_one
def _excess(key: jax.Array) -> dict[str, Any]:
    """Of a regression teacher of each power, on the same rows: errors, and the gradient's moment at zero.

    The error that a unit of variance at a position leaves is the rows' own, whoever teaches.
    """
    first, second = jax.random.split(key)
    inputs = jax.random.normal(first, (ROWS, POSITIONS * CHANNELS))
    deviations = jnp.stack([jnp.asarray(PROFILE) ** (power / 2) for power in POWERS], 1)
    teachers = deviations * jax.random.normal(second, deviations.shape)
    targets = inputs @ teachers
    rows = inputs.reshape(ROWS, POSITIONS, CHANNELS)
    # For Gaussian inputs the expected squared error is the squared distance of the weights.
    fresh = jnp.eye(POSITIONS * CHANNELS).reshape(-1, POSITIONS, CHANNELS)
    fits = {n: limit_of_descent(inputs, targets, jnp.asarray(s)) for n, s in SCALINGS.items()}
    by_position = {n: jnp.asarray(s).reshape(POSITIONS, -1)[:, 0] for n, s in SCALINGS.items()}
    return {
        "error": {name: jnp.mean((fit - teachers) ** 2, 0) for name, fit in fits.items()},
        "by_position": {n: excess_by_position(rows, fresh, s) for n, s in by_position.items()},
        "moment": ((inputs.T @ targets) ** 2).reshape(POSITIONS, CHANNELS, -1).mean(1),
    }


def profiles(config: SgsConfig, trial: Trial) -> Result:
    """Share of error that ACB's scaling saves, by power: measured, from the profile, from the gradient."""
    with float64():
        keys = jax.random.split(trial.key, config.profile_teachers)
        means = jax.tree.map(lambda leaf: np.asarray(leaf.mean(0)), _excess(keys))
        profile = PROFILE.reshape(POSITIONS, -1)[:, :1] ** np.asarray(POWERS)
        left, error = means["by_position"], means["error"]
        return {
            "powers": POWERS,
            "measured": _saved(error["acb"], error["plain"]),
            **{
                name: _saved(left["acb"] @ energy, left["plain"] @ energy)
                for name, energy in (("formula", profile), ("gradient", means["moment"]))
            },
        }


def _saved(error: np.ndarray, plain: np.ndarray) -> list[float]:
    return [float(share) for share in 1 - error / plain]


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
