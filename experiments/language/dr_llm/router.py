"""Routers, one a block: what they read of a prompt, how they are taught, and a decoder that obeys them.

```python
import jax, numpy as np
from experiments.kits.transformer.decoder import Shape, initial
from experiments.language.dr_llm.router import initial_routers, route

shape = Shape(blocks=4, width=16, heads=2, key_heads=1, hidden=32, vocabulary=20)
params, routers = initial(shape, np.random.default_rng(0)), initial_routers(shape, None)
found = route(params, shape, routers, np.array([[3, 1, 4, 1]]), [4])
print(found.decisions)  # (1, 4): every block runs once, until they are trained
```

What labels are taught with is believed: `checked_router` looks at it.

Source: the paper's sections 3.1 and 3.3; the knob: the public code's models folder.
"""

import functools
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from experiments.kits.initialisation import FLAX, glorot_uniform, initial_by_numpy
from experiments.kits.transformer.decoder import Params, Shape, refuse_misfits
from experiments.language.dr_llm.knob import turned
from experiments.language.dr_llm.misfits import (
    refuse_other_counts,
    refuse_other_knob,
    refuse_other_routers,
)
from experiments.language.dr_llm.paths import begun, repeated
from ntkexec.errors import ExperimentError

SKIP, EXECUTE, REPEAT = 0, 1, 2
WINDOWS, HIDDEN = 8, 128
PURE = -0.5
"""The knob at which routers alone decide."""
Routers = Any
"""A pytree of arrays whose first axis counts blocks."""


class Router(nn.Module):
    """Three scores from the means of a prompt's windows, averaged over windows.

    Args:
        hidden: width of its one hidden layer.
    """

    hidden: int = HIDDEN

    @nn.compact
    def __call__(
        self, windows: Float[Array, "... W D"], counted: Bool[Array, "... W"]
    ) -> Float[Array, "... 3"]:
        bent = nn.gelu(nn.Dense(self.hidden)(windows), approximate=True)
        scores = nn.Dense(3)(bent)
        weights = counted[..., None].astype(scores.dtype)
        total: Array = (scores * weights).sum(-2) / jnp.maximum(weights.sum(-2), 1)
        return total


def initial_routers(
    shape: Shape, generator: np.random.Generator | None, *, hidden: int = HIDDEN
) -> Routers:
    """Routers of all blocks, stacked.

    Args:
        shape: of the decoder; a router has (width + 1) hidden + 3 (hidden + 1) numbers.
        generator: of Xavier-uniform kernels with zero biases; None gives routers whose every score is
            that of running the block once, so that the decoder is what it was.
        hidden: width of a router's hidden layer.
    """
    inputs = jnp.zeros((1, 1, shape.width)), jnp.ones((1, 1), bool)
    drawn = generator or np.random.default_rng(0)
    rules = {**FLAX, "kernel": glorot_uniform}
    each = [
        initial_by_numpy(Router(hidden), drawn, *inputs, rules=rules)["params"]
        for _ in range(shape.blocks)
    ]
    stacked = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
    if generator is None:
        last = stacked["Dense_1"]
        last["kernel"] = np.zeros_like(last["kernel"])
        last["bias"] = np.tile(np.array([0, 1, 0], np.float32), (shape.blocks, 1))
    return stacked


def window_weights(
    lengths: Int[ArrayLike, "B"], size: int, *, windows: int = WINDOWS, ragged: bool = False
) -> tuple[Float[Array, "B W T"], Bool[Array, "B W"]]:
    """What takes tokens to means of windows, and which windows a prompt has.

    A prompt of n tokens has m = min(windows, n) of them, each of floor(n / m) tokens: the last n mod m
    tokens are in none. Ragged windows hold all tokens.

    Args:
        lengths: tokens of each prompt.
        size: places of the rows.
        windows: at most.
        ragged: whether windows differ in size by one token instead of dropping any.
    """
    lengths = jnp.asarray(lengths)[:, None]
    place = jnp.arange(size)[None]
    number = jnp.maximum(jnp.minimum(windows, lengths), 1)
    if ragged:
        owner = place * number // jnp.maximum(lengths, 1)
    else:
        owner = place // jnp.maximum(lengths // number, 1)
    owner = jnp.where(place < lengths, owner, windows)
    inside = (owner[:, None] == jnp.arange(windows)[None, :, None]) & (
        jnp.arange(windows)[None] < number
    )[..., None]
    counts = inside.sum(-1)
    return inside / jnp.maximum(counts, 1)[..., None], counts > 0


class Routed(NamedTuple):
    """What routers made of texts.

    Args:
        last: states after the last block.
        decisions: how often each block ran.
        windows: means of the windows before each block, what its router reads.
        scores: of the routers.
    """

    last: Float[Array, "B T D"]
    decisions: Int[Array, "B L"]
    windows: Float[Array, "B L W D"]
    scores: Float[Array, "B L 3"]


def route(
    params: Params,
    shape: Shape,
    routers: Routers,
    tokens: Int[ArrayLike, "B T"],
    lengths: Int[ArrayLike, "B"],
    *,
    knob: float = PURE,
    given: Int[ArrayLike, "B L"] | None = None,
    windows: int = WINDOWS,
) -> Routed:
    """Runs every text along the path that its routers decide from its prompt.

    A block is called as often as the text that wants it most: for one text as often as was decided. The
    path, `paths.blocks_of(decisions[row])`, can be given to `cache.generate`.

    Args:
        params, shape: of the decoder.
        routers: see `initial_routers`.
        tokens: prompts, and whatever follows them.
        lengths: tokens of each prompt.
        knob: see `turned`.
        given: decisions to obey instead, as in training: how often each block runs on each text.
        windows: the same as in training; another number is another router.

    Raises:
        ExperimentError: a prompt is empty or longer than its row, a knob beyond its marks, routers of
            another decoder, decisions that are none, no window; and see `decoder.refuse_misfits`.
    """
    refuse_misfits(params, shape, tokens, None, None)
    refuse_other_routers(routers, shape.blocks, shape.width)
    refuse_other_knob(knob)
    if windows < 1:
        raise ExperimentError(f"a router reads 1 window or more, not {windows}")
    tokens, lengths = np.asarray(tokens), np.asarray(lengths)
    if given is not None:
        refuse_other_counts(given, len(tokens), shape.blocks)
    if (
        lengths.shape != tokens.shape[:1]
        or (lengths != np.floor(lengths)).any()
        or (lengths < 1).any()
        or (lengths > tokens.shape[1]).any()
    ):
        raise ExperimentError(
            f"prompts of {lengths.tolist()} tokens are not in rows of shape {tokens.shape}"
        )
    forced = np.full((len(tokens), shape.blocks), -1) if given is None else np.asarray(given)
    found = _route(
        params, shape, routers, tokens, lengths, jnp.float32(knob), forced.astype(np.int32), windows
    )
    return found


@functools.partial(jax.jit, static_argnames=("shape", "windows"))
def _route(
    params: Params,
    shape: Shape,
    routers: Routers,
    tokens: Array,
    lengths: Array,
    knob: Array,
    forced: Array,
    windows: int,
) -> Routed:
    hidden, apply = begun(params, shape, tokens)
    weights, counted = window_weights(lengths, tokens.shape[1], windows=windows)

    def step(hidden: Array, parts: Any) -> tuple[Array, Any]:
        block, router, wanted = parts
        means = jnp.einsum("bwt,btd->bwd", weights.astype(hidden.dtype), hidden)
        scores = scores_of(router, means, counted)
        decided = jnp.where(wanted < 0, turned(scores, knob).argmax(-1), wanted)
        return repeated(apply, block, hidden, decided), (decided, means, scores)

    given = (params["blocks"], routers, forced.T)
    last, (decisions, means, scores) = jax.lax.scan(step, hidden, given)
    return Routed(last, decisions.T, means.swapaxes(0, 1), scores.swapaxes(0, 1))


def scores_of(
    router: Routers, means: Float[Array, "B W D"], counted: Bool[Array, "B W"]
) -> Float[Array, "B 3"]:
    """Scores of one block's router."""
    hidden = router["Dense_0"]["bias"].shape[-1]
    found: Array = Router(hidden).apply({"params": router}, means, counted)  # type: ignore[assignment]
    return found


def class_weights(counts: Float[ArrayLike, "3"], beta: float = 0.999) -> Float[np.ndarray, "3"]:
    """Weights of classes by the effective number of their examples, of mean 1.

    Source: Cui et al., Class-balanced loss, arXiv:1901.05555, equation 2.
    """
    number = np.maximum(np.asarray(counts, float), 1)
    weights = (1 - beta) / (1 - beta**number)
    return weights / weights.mean()


def focal_loss(
    scores: Float[ArrayLike, "... 3"],
    labels: Int[ArrayLike, "..."],
    weights: Float[ArrayLike, "3"],
    gamma: float | Array = 2.0,
) -> Float[Array, ""]:
    """Mean of -a_y (1 - p_y)^gamma log p_y; with gamma 0 and equal weights it is cross-entropy.

    Source: Lin et al., Focal loss, arXiv:1708.02002, equation 5.
    """
    labels = jnp.asarray(labels)
    logs = jax.nn.log_softmax(jnp.asarray(scores), -1)
    own = jnp.take_along_axis(logs, labels[..., None], -1)[..., 0]
    missing = jnp.maximum(-jnp.expm1(own), 1e-12)  # 0 ** 0 has no slope
    return (-jnp.asarray(weights)[labels] * missing**gamma * own).mean()


def fit_routers(
    routers: Routers,
    windows: Float[np.ndarray, "N L W D"],
    lengths: Int[np.ndarray, "N"],
    labels: Int[np.ndarray, "N L"],
    *,
    seed: int,
    steps: int,
    batch: int = 16,
    rate: float = 1e-3,
    gamma: float = 2.0,
    beta: float | None = 0.999,
) -> Routers:
    """Routers taught by labels, all blocks beside each other: the decoder is not run.

    AdamW (decay 0.01), warm-up over a tenth of the steps, a cosine after.

    Args:
        routers: to begin with.
        windows: what each router read where labels drove the path; `route(..., given=labels).windows`.
        lengths: tokens of the prompts.
        labels: how often each block is to run, at most twice.
        seed: of the batches.
        steps, batch, rate: of the training.
        gamma: of the focal loss; 0 makes it cross-entropy.
        beta: of the class weights, whose counts are those of these labels; None gives equal weights.

    Raises:
        ExperimentError: labels are of other examples, or a router cannot say them.
    """
    windows, labels = np.asarray(windows), np.asarray(labels)
    if labels.shape != windows.shape[:2] or not labels.size or labels.min() < 0 or labels.max() > 2:
        raise ExperimentError(
            f"labels from 0 to 2 of shape {windows.shape[:2]} are needed, not {labels.shape}"
        )
    counts = np.bincount(labels.ravel(), minlength=3)
    weights = np.ones(3) if beta is None else class_weights(counts, beta)
    number = np.minimum(np.asarray(lengths), windows.shape[2])
    counted = np.arange(windows.shape[2])[None] < number[:, None]
    settings = (jnp.float32(rate), jnp.float32(gamma), jnp.asarray(weights, jnp.float32))
    fitted = _fit(
        routers,
        windows,
        counted,
        labels.astype(np.int32),
        jax.random.key(seed),
        settings,
        steps,
        batch,
    )
    return jax.tree.map(np.asarray, fitted)


@functools.partial(jax.jit, static_argnames=("steps", "batch"))
def _fit(
    routers: Routers,
    windows: Array,
    counted: Array,
    labels: Array,
    key: Array,
    settings: Any,
    steps: int,
    batch: int,
) -> Routers:
    rate, gamma, weights = settings
    pace = optax.warmup_cosine_decay_schedule(0.0, 1.0, max(1, steps // 10), steps)
    optimiser = optax.chain(
        optax.scale_by_adam(),
        optax.add_decayed_weights(0.01),
        optax.scale_by_learning_rate(lambda count: rate * pace(count)),
    )

    def loss(routers: Routers, rows: Array) -> Array:
        inputs = windows[rows].swapaxes(0, 1), labels[rows].T
        scores = jax.vmap(lambda own, means: scores_of(own, means, counted[rows]))(
            routers, inputs[0]
        )
        return focal_loss(scores, inputs[1], weights, gamma)

    def step(carry: Any, index: Array) -> tuple[Any, None]:
        routers, state = carry
        rows = jax.random.randint(jax.random.fold_in(key, index), (batch,), 0, len(labels))
        moves, state = optimiser.update(jax.grad(loss)(routers, rows), state, routers)
        return (optax.apply_updates(routers, moves), state), None

    begun_with = (routers, optimiser.init(routers))
    return jax.lax.scan(step, begun_with, jnp.arange(steps))[0][0]
