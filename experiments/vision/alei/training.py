"""Training chosen parts of a detector on pairs of a real picture and its fake, in one compiled scan."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.vision.alei.detector import (
    Detection,
    Detector,
    Params,
    detection_loss,
)
from ntkexec.errors import ExperimentError

GROUP = 250
"""Pictures at a time when detectors are applied."""
EXPERT, FUSION = (
    ("experts", "direction", "bias"),
    ("cross", "adapter", "router", "direction", "bias"),
)
"""Parts that are trained: in the first stage, of one view; in the second, with experts frozen."""


def fit_parts(
    model: Detector,
    params: Params,
    real: Float[np.ndarray, "n v h w c"],
    fake: Float[np.ndarray, "n v h w c"],
    *,
    parts: Sequence[str],
    steps: int,
    batch: int,
    rate: float,
    seed: int,
    term: float = 0.1,
    kind: str = "written",
    switches: Mapping[str, float] | None = None,
) -> tuple[Params, Float[np.ndarray, "steps"]]:
    """Parameters after so many steps of Adam, the rate falling as a cosine; others stay as they are.

    Every step shows as many real pictures as fakes, which are their counterparts. What differs between
    arms of the same sizes is data of one program: views, parameters, switches, seeds.

    Args:
        model: to be trained.
        params: to begin with.
        real, fake: views of pictures, row by row of the same content.
        parts: names of what is trained, such as "router" or "experts_0", or beginnings of such names:
            "experts" stands for those of all blocks.
        steps: in all.
        batch: pictures of a step, half of them fake.
        rate: of the first step.
        seed: of the order of pictures.
        term, kind: weight and kind of `selection_loss`.
        switches: of the model's call.

    Returns:
        The parameters, and every step's loss.

    Raises:
        ExperimentError: pairs do not match, there are fewer than a step shows, `parts` is one string or
            empty, or one of them is no beginning of any name.
    """
    if real.shape != fake.shape or not 2 <= batch <= 2 * len(real) or steps < 1:
        raise ExperimentError(
            f"cannot train {steps} steps of {batch} pictures on real ones {real.shape} and fakes {fake.shape}"
        )
    trained = trained_names(parts, params)
    moving = {name: part for name, part in params.items() if name in trained}
    still = {name: part for name, part in params.items() if name not in moving}
    given = {name: jnp.float32(value) for name, value in (switches or {}).items()}
    found, losses = _fit(
        model, steps, batch // 2, kind, moving, still, given, jnp.asarray(real), jnp.asarray(fake),
        jax.random.key(seed), jnp.float32(rate), jnp.float32(term),
    )  # fmt: skip
    whole = {**still, **found}
    return jax.tree.map(np.asarray, {name: whole[name] for name in params}), np.asarray(losses)


def trained_names(parts: Sequence[str], params: Params) -> set[str]:
    """Names of parameters that parts stand for: the one of that name, or all that begin so.

    Raises:
        ExperimentError: parts are one string or none, or one of them is no beginning of any name.
    """
    if isinstance(parts, str) or not len(parts):
        raise ExperimentError(
            f"what is trained is a list of names, got {parts!r}; there are {', '.join(params)}"
        )
    found: set[str] = set()
    for part in parts:
        begun = [name for name in params if part and name.startswith(part)]
        if not begun:
            raise ExperimentError(
                f"no parameters are called {part or repr(part)}; there are {', '.join(params)}"
            )
        found.update([part] if part in params else begun)
    return found


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _fit(
    model: Any,
    steps: int,
    pairs: int,
    kind: str,
    moving: Params,
    still: Params,
    switches: dict[str, Array],
    real: Array,
    fake: Array,
    key: Array,
    rate: Array,
    term: Array,
) -> tuple[Params, Array]:
    update = optax.adam(optax.cosine_decay_schedule(rate, steps))
    labels = jnp.repeat(jnp.array([0.0, 1.0]), pairs)

    def step(carry: Any, index: Array) -> tuple[Any, Array]:
        moving, inner = carry
        rows = jax.random.choice(jax.random.fold_in(key, index), len(real), (pairs,), replace=False)
        shown = jnp.concatenate([real[rows], fake[rows]])

        def loss(moving: Params) -> Array:
            found = model.apply({"params": {**still, **moving}}, shown, **switches)
            return detection_loss(found, labels, weight=term, kind=kind)

        value, gradient = jax.value_and_grad(loss)(moving)
        updates, inner = update.update(gradient, inner, moving)
        return (optax.apply_updates(moving, updates), inner), value

    (moving, _), losses = jax.lax.scan(step, (moving, update.init(moving)), jnp.arange(steps))
    return moving, losses


def detect(
    model: Detector,
    params: Params,
    views: Float[np.ndarray, "n v h w c"],
    switches: Mapping[str, float] | None = None,
) -> Detection:
    """Detections of any number of pictures, as NumPy arrays.

    Raises:
        ExperimentError: there is none, or their views are not the model's.
    """
    if not len(views):
        raise ExperimentError(f"there are no pictures to detect in, got {views.shape}")
    given = {name: jnp.float32(value) for name, value in (switches or {}).items()}
    size = min(GROUP, len(views))
    rows = np.arange(-(-len(views) // size) * size) % len(views)
    found = [_apply(model, params, views[part], given) for part in rows.reshape(-1, size)]
    # Arrays of NumPy are arrays as well.
    joined: Any = [np.concatenate(each)[: len(views)] for each in zip(*found, strict=True)]
    return Detection(*joined)


@functools.partial(jax.jit, static_argnums=0)
def _apply(model: Any, params: Params, views: Array, switches: dict[str, Array]) -> Detection:
    found: Detection = model.apply({"params": params}, views, **switches)
    return found
