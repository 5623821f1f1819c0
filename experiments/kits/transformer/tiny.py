"""Decoders trained from nothing in seconds: one compiled loop a shape, blocks or adapters alone.

```python
import numpy as np
from experiments.kits.transformer.decoder import Shape
from experiments.kits.transformer.tasks import VOCABULARY, comparison
from experiments.kits.transformer.tiny import answered, fit_decoder

shape = Shape(blocks=2, width=16, heads=2, key_heads=1, hidden=32, vocabulary=VOCABULARY)
made = comparison(np.random.default_rng(0), 500, length=8)
params, losses = fit_decoder(shape, made.tokens, made.counted, seed=0, steps=20)
print(losses[-1], answered(params, shape, made).mean())  # the share that is right
```
"""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from experiments.kits.transformer.decoder import (
    NORMS,
    Params,
    Shape,
    along,
    block_of,
    initial,
    keys_and_values,
    logits,
    refuse_misfits,
    run,
)
from experiments.kits.transformer.tasks import PADDING, Examples
from ntkexec.errors import ExperimentError


def fit_decoder(
    shape: Shape,
    tokens: Int[ArrayLike, "N T"],
    counted: Bool[ArrayLike, "N T"],
    *,
    seed: int,
    steps: int,
    batch: int = 64,
    rate: float = 3e-3,
    adapters: Any = None,
    drop: float = 0.0,
    start: Params | None = None,
) -> tuple[Any, Float[np.ndarray, " steps"]]:
    """Parameters that predict tokens from those before them, and the loss of every step.

    AdamW (decay 0.01 of matrices, gradients clipped at norm 1); the rate grows over a twentieth of the
    steps and falls as a cosine to nothing. Seed, rate and drop are data of the program: it is compiled
    once for each shape of the model and the data, number of steps and batch.

    Args:
        shape: of the decoder.
        tokens: texts, of which every step draws a batch anew.
        counted: which of them count as targets; the first of a text never does, nothing is before it.
        seed: of the parameters to begin with, batches and dropped blocks.
        steps, batch, rate: of the training.
        adapters: to begin with, see `lora`; then only they are trained.
        drop: probability with which a text skips a block, each by itself; survivors are not scaled.
        start: parameters to begin with, or those that adapters adapt; by default drawn.

    Returns:
        The parameters, or the adapters if there were any, and the losses (mean over counted tokens).

    Raises:
        ExperimentError: nothing counts, numbers that are none of a training, or see
            `decoder.refuse_misfits`.

    Source: skipped blocks: Fan et al., Reducing transformer depth on demand, arXiv:1909.11556.
    """
    tokens, counted = np.asarray(tokens), np.asarray(counted, bool)
    if tokens.shape != counted.shape or tokens.ndim != 2 or not counted[:, 1:].any():
        raise ExperimentError(
            f"no target counts: tokens of shape {tokens.shape}, counted of {counted.shape}"
        )
    if steps < 1 or batch < 1 or not rate > 0 or not 0 <= drop < 1:
        raise ExperimentError(
            f"cannot train {steps} steps of {batch} texts at rate {rate:g}, blocks dropped with {drop:g}"
        )
    if start is None:
        start = initial(shape, np.random.default_rng(seed), deviation=0.5 * shape.width**-0.5)
    refuse_misfits(start, shape, tokens, None, adapters)
    trained, losses = _fit(
        shape,
        steps,
        batch,
        start,
        adapters,
        tokens.astype(np.int32),
        counted,
        jax.random.key(seed),
        jnp.float32(rate),
        jnp.float32(drop),
    )
    return jax.tree.map(np.asarray, trained), np.asarray(losses)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _fit(
    shape: Shape,
    steps: int,
    batch: int,
    base: Params,
    adapters: Any,
    tokens: Array,
    counted: Array,
    key: Array,
    rate: Array,
    drop: Array,
) -> tuple[Any, Array]:
    def pace(count: Array) -> Array:
        warm = max(1, steps // 20)
        return rate * jnp.minimum((count + 1) / warm, 0.5 + 0.5 * jnp.cos(jnp.pi * count / steps))

    optimiser = optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.scale_by_adam(b2=0.98),
        optax.add_decayed_weights(0.01, mask=_matrices),
        optax.scale_by_learning_rate(pace),
    )
    first = base if adapters is None else adapters

    def step(carry: tuple[Any, Any], index: Array) -> tuple[tuple[Any, Any], Array]:
        trained, state = carry
        drawn, skipped = jax.random.split(jax.random.fold_in(key, index))
        rows = jax.random.randint(drawn, (batch,), 0, len(tokens))
        stays = jax.random.uniform(skipped, (shape.blocks, batch)) >= drop

        def loss(trained: Any) -> Array:
            whole = (trained, None) if adapters is None else (base, trained)
            return prediction_loss(whole, shape, tokens[rows], counted[rows], stays)

        found, slopes = jax.value_and_grad(loss)(trained)
        moves, state = optimiser.update(slopes, state, trained)
        return (optax.apply_updates(trained, moves), state), found

    (trained, _), losses = jax.lax.scan(step, (first, optimiser.init(first)), jnp.arange(steps))
    return trained, losses


def _matrices(tree: Any) -> Any:
    """Which leaves are matrices, not scales of norms."""
    norms = {*NORMS, "norm"}
    return jax.tree_util.tree_map_with_path(lambda path, _: path[-1].key not in norms, tree)


def prediction_loss(
    whole: tuple[Params, Any],
    shape: Shape,
    tokens: Int[Array, "B T"],
    counted: Bool[Array, "B T"],
    stays: Bool[Array, "L B"],
) -> Float[Array, ""]:
    """Mean cross-entropy of the counted tokens, blocks skipped where they do not stay.

    Args:
        whole: parameters, and adapters or None.
        shape: of the decoder.
        tokens, counted: as for `fit_decoder`.
        stays: which block runs in which text.
    """
    last = with_dropped(whole, shape, tokens[:, :-1], stays)
    scores = logits(whole[0], shape, last)
    losses = optax.softmax_cross_entropy_with_integer_labels(scores, tokens[:, 1:])
    counts = counted[:, 1:]
    return jnp.where(counts, losses, 0).sum() / jnp.maximum(counts.sum(), 1)


def with_dropped(
    whole: tuple[Params, Any], shape: Shape, tokens: Int[Array, "B T"], stays: Bool[Array, "L B"]
) -> Float[Array, "B T D"]:
    """States after the last block, where every text skips blocks of its own; see `prediction_loss`."""
    params, adapters = whole
    hidden = params["embedding"][tokens]
    place = jnp.broadcast_to(jnp.arange(tokens.shape[1])[None], tokens.shape)
    sees = place[:, :, None] >= place[:, None, :]

    def step(hidden: Array, parts: Any) -> tuple[Array, None]:
        block, own, stay = parts
        keys, values = keys_and_values(block, shape, hidden, place, own)
        after = block_of(block, shape, hidden, place, keys, values, sees, own)
        return jnp.where(stay[:, None, None], after, hidden), None

    return along(step, hidden, params["blocks"], adapters, None, stays)[0]


def answered(
    params: Params, shape: Shape, examples: Examples, *, path: Any = None, adapters: Any = None
) -> Bool[np.ndarray, "N"]:
    """Which examples are answered right by the most likely token again and again.

    As `cache.generate` and `tasks.graded` would say, in one pass: an answer is right exactly if each of
    its tokens is the most likely one after the prompt and the true tokens before it.

    Args:
        params, shape: of the decoder.
        examples: prompts with their answers.
        path, adapters: as for `decoder.run`.

    Raises:
        ExperimentError: see `decoder.refuse_misfits`.
    """
    refuse_misfits(params, shape, examples.tokens, path, adapters)
    order = None if path is None else jnp.asarray(path, jnp.int32)
    likeliest = np.asarray(_likeliest(params, shape, examples.tokens, order, adapters))
    wrong = (likeliest[:, :-1] != examples.tokens[:, 1:]) & examples.counted[:, 1:]
    empty = (examples.answers == PADDING).all(1)
    return ~wrong.any(1) & ~empty


@functools.partial(jax.jit, static_argnames="shape")
def _likeliest(params: Params, shape: Shape, tokens: Any, path: Any, adapters: Any) -> Array:
    last = run(params, shape, tokens, path=path, adapters=adapters).last
    return logits(params, shape, last).argmax(-1)
