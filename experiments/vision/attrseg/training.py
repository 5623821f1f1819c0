"""Training a segmenter on frozen vectors in one compiled scan, and applying it to sets of test prompts."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.attrseg.segmenter import (
    RULES,
    AttributeSegmenter,
    MeanSegmenter,
    enlarged,
    segmentation_loss,
)
from ntkexec.errors import ExperimentError

GROUP = 10
"""Pictures at a time when a segmenter is applied."""
DROPPED, DECAY = 0.3, 1e-4
"""Share of attributes left out in a step, so that any number of them will do, and weight decay."""


@dataclasses.dataclass(frozen=True, eq=False)
class Prompts:
    """Classes that are asked for in pictures, by their attributes.

    Args:
        attributes: vectors of phrases; what is in those that are not there is no matter.
        present: which of them are there, one of each class at least.

    Raises:
        ExperimentError: names a class without attributes, or with one that is not finite.
    """

    attributes: Float[np.ndarray, "*n c a d"]
    present: Bool[np.ndarray, "*n c a"]

    def __post_init__(self) -> None:
        shape, there = np.shape(self.attributes), np.asarray(self.present)
        if len(shape) < 3 or there.shape != shape[:-1] or there.dtype != bool:
            raise ExperimentError(
                "prompts are vectors (..., classes, attributes, width) and for each whether it is there, "
                f"got shapes {shape} and {there.shape} of {there.dtype}"
            )
        if not there.any(-1).all():
            place = tuple(map(int, np.argwhere(~there.any(-1))[0]))
            raise ExperimentError(f"the class at {place} of the prompts has no attribute")
        if (wrong := there & ~np.isfinite(self.attributes).all(-1)).any():
            place = tuple(map(int, np.argwhere(wrong)[0]))
            raise ExperimentError(f"the attribute at {place} of the prompts is not finite")


def fit_segmenter(
    model: AttributeSegmenter | MeanSegmenter,
    pixels: Float[np.ndarray, "n p d"],
    masks: Float[np.ndarray, "n c h w"],
    prompts: Prompts,
    *,
    tested: tuple[Float[np.ndarray, "m p d"], Int[np.ndarray, "t k"], Prompts],
    size: tuple[int, int],
    generator: np.random.Generator,
    steps: int,
    batch: int = 8,
    rate: float = 3e-3,
    exchange: float = 1.0,
) -> tuple[Any, Float[np.ndarray, "steps"], Float[np.ndarray, "t k c h w"]]:
    """A trained segmenter, and what it says of test prompts; AdamW, the rate falling as a cosine.

    A step shows two of each picture's classes, and leaves out three in ten of their attributes.

    Args:
        model: to be trained.
        pixels: vectors of the patches of pictures, from encoders that stay as they are.
        masks: for each class of a picture the share of each patch that shows it.
        prompts: the classes, (n, c, a, d); two of each picture at least.
        tested: vectors of other pictures; for each set of test prompts, rows of them; and those prompts,
            of shape (t, k, c, a, d).
        size: in pixels, of the masks that are returned.
        generator: of batches, then of first weights: whatever the model, equal generators make the same
            pictures, classes and attributes left out in every step.
        steps, batch, rate: of training.
        exchange: see `Fusion`.

    Returns:
        Variables, every step's loss, and logits of every test.

    Raises:
        ExperimentError: there are fewer pictures than a batch holds, or no two classes; parts are of
            other numbers of pictures; a test is of no picture; losses that are no longer numbers.
    """
    if not 0 < batch <= len(pixels) or masks.shape[1] < 2 or steps < 1:
        raise ExperimentError(
            f"{steps} batches of {batch} pictures with two classes each are not in {len(pixels)} with "
            f"{masks.shape[1]}"
        )
    shown, rows, asked = tested
    if prompts.present.shape[:2] != masks.shape[:2] or len(masks) != len(pixels):
        raise ExperimentError(
            f"{len(pixels)} pictures have masks of the shape {masks.shape} and prompts of the shape "
            f"{prompts.present.shape}: pictures and classes are not as many"
        )
    if rows.shape != asked.present.shape[:2] or not 0 <= rows.min() <= rows.max() < len(shown):
        raise ExperimentError(
            f"rows of tests are numbers below {len(shown)} of the shape {asked.present.shape[:2]}, got "
            f"{rows.min()} to {rows.max()} of the shape {rows.shape}"
        )
    # Before the weights, of which other models have others.
    key = jax.random.key(int(generator.integers(2**31)))
    given = initial_by_numpy(
        model, generator, prompts.attributes[:1], pixels[:1], prompts.present[:1], rules=RULES
    )
    data = (pixels, masks, prompts.attributes, prompts.present)
    tests = (shown, rows, asked.attributes, asked.present)
    found, losses, logits = _fitted(
        model, steps, batch, size, given, jax.tree.map(jnp.asarray, data), jax.tree.map(jnp.asarray, tests),
        key, jnp.float32(rate), jnp.float32(exchange),
    )  # fmt: skip
    kept = np.asarray(losses)
    if not np.isfinite(kept).all():
        raise ExperimentError(
            f"the loss is {kept[~np.isfinite(kept)][0]} from step {np.isfinite(kept).argmin()} on: a rate "
            f"of {rate:g} is too much"
        )
    return jax.tree.map(np.asarray, found), kept, np.asarray(logits)


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _fitted(
    model: Any,
    steps: int,
    batch: int,
    size: tuple[int, int],
    variables: Any,
    data: tuple[Array, ...],
    tests: tuple[Array, ...],
    key: Array,
    rate: Array,
    exchange: Array,
) -> tuple[Any, Array, Array]:
    # As one vector: what is done to each number alike is compiled once, not for every leaf.
    update = optax.flatten(
        optax.adamw(optax.cosine_decay_schedule(rate, steps), weight_decay=DECAY)
    )
    pixels, masks, attributes, present = data
    classes, grid = masks.shape[1], masks.shape[2:]

    def step(carry: Any, index: Array) -> tuple[Any, Array]:
        variables, inner = carry
        chosen, first, second, kept, one = jax.random.split(jax.random.fold_in(key, index), 5)
        rows = jax.random.choice(chosen, len(pixels), (batch,), replace=False)
        start = jax.random.randint(first, (batch,), 0, classes)
        after = (start + jax.random.randint(second, (batch,), 1, classes)) % classes
        at = (rows[:, None], jnp.stack([start, after], 1))
        there = present[at]
        # One that is there always stays.
        draws = jnp.where(there, jax.random.uniform(one, there.shape), -1)
        stays = jax.nn.one_hot(draws.argmax(-1), there.shape[-1], dtype=bool)
        there = there & ((jax.random.uniform(kept, there.shape) >= DROPPED) | stays)

        def loss(variables: Any) -> Array:
            found = model.apply(variables, attributes[at], pixels[rows], there, exchange=exchange)
            return segmentation_loss(found.logits.reshape(batch, 2, *grid), masks[at]).mean()

        value, gradient = jax.value_and_grad(loss)(variables)
        updates, inner = update.update(gradient, inner, variables)
        return (optax.apply_updates(variables, updates), inner), value

    start = (variables, update.init(variables))
    (variables, _), losses = jax.lax.scan(step, start, jnp.arange(steps))
    shown, rows, asked, told = tests
    flat = [part.reshape(-1, *part.shape[2:]) for part in (rows, asked, told)]
    number = len(flat[0])
    groups = -(-number // GROUP)
    at = (jnp.arange(groups * GROUP) % number).reshape(groups, GROUP)

    def say(each: Array) -> Array:
        row, prompt, there = (part[each] for part in flat)
        found = model.apply(variables, prompt, shown[row], there, exchange=exchange)
        return enlarged(found.logits, (grid[0], grid[1]), size)

    logits = jax.lax.map(say, at)
    logits = logits.reshape(groups * GROUP, *logits.shape[2:])[:number]
    return variables, losses, logits.reshape(*rows.shape, *logits.shape[1:])
