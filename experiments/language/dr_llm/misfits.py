"""What fits no decoder or router: JAX would take the nearest that does."""

from typing import Any

import jax
import numpy as np

from ntkexec.errors import ExperimentError


def refuse_other_counts(counts: Any, texts: int, blocks: int) -> None:
    """Nothing, if these say of every text how often each block runs, as far as they are known.

    Raises:
        ExperimentError: there are counts of other texts or blocks, or one that is no whole number from 0.
    """
    wanted = (texts, blocks)
    if np.shape(counts) != wanted:
        raise ExperimentError(f"counts of shape {np.shape(counts)} are given, {wanted} are needed")
    if not isinstance(counts, jax.core.Tracer):
        given = np.asarray(counts)
        wrong = given[~np.isfinite(given) | (given < 0) | (given != np.floor(given))]
        if wrong.size:
            raise ExperimentError(f"a block runs {wrong[0]} times: 0, 1 or more can be asked for")


def refuse_other_knob(knob: Any) -> None:
    """Nothing, if a knob is at its marks or between them, as far as it is known.

    Raises:
        ExperimentError: names one that is not.
    """
    if not isinstance(knob, jax.core.Tracer):
        wrong = np.ravel(knob)[~(np.abs(np.ravel(knob)) <= 1)]  # nan as well
        if wrong.size:
            raise ExperimentError(f"the knob turns from -1 to 1, and {wrong[0]} is not there")


def refuse_other_routers(routers: Any, blocks: int, width: int) -> None:
    """Nothing, if there is a router for each of so many blocks, for states of this width.

    Raises:
        ExperimentError: names the array that does not fit, its shape, and the one that would.
    """
    hidden = (np.shape(routers.get("Dense_0", {}).get("bias", 0)) or (0,))[-1]
    sides = {
        "Dense_0/kernel": (blocks, width, hidden), "Dense_0/bias": (blocks, hidden),
        "Dense_1/kernel": (blocks, hidden, 3), "Dense_1/bias": (blocks, 3),
    }  # fmt: skip
    for name, wanted in sides.items():
        layer, _, part = name.partition("/")
        found = np.shape(routers.get(layer, {}).get(part, 0))
        if found != wanted:
            raise ExperimentError(
                f"routers' {name} has shape {found}, and {blocks} blocks of width {width} need {wanted}"
            )


def refuse_other_numbers(whole: bool = False, **numbers: tuple[Any, float, float]) -> None:
    """Nothing, if these are numbers in [low, high).

    Args:
        whole: whether they are whole as well.
        numbers: by name, what is given, the lowest and what is too high.

    Raises:
        ExperimentError: names one that is not.
    """
    for name, (given, low, high) in numbers.items():
        kind = (int, np.integer) if whole else (int, float, np.integer, np.floating)
        if not isinstance(given, kind) or not low <= given < high:
            what = "a whole number" if whole else "a number"
            raise ExperimentError(f"{name} is {what} from {low} to below {high}, not {given!r}")
