"""Experts grown from one decoder: a low-rank adapter each, trained on text of its own, the decoder frozen.

```python
import numpy as np
from experiments.kits.transformer.decoder import Shape, initial
from experiments.kits.transformer.experts import grow, nats, windows

shape = Shape(blocks=2, width=16, heads=2, key_heads=1, hidden=32, vocabulary=20)
params, draw = initial(shape, np.random.default_rng(0)), np.random.default_rng(1)
texts = {name: windows(draw.integers(high, size=400), 8) for name, high in (("low", 10), ("all", 20))}
experts = grow(params, shape, texts, seed=0, steps=20, rank=2)
print(nats(params, shape, texts["low"], adapters=experts["low"].adapters).mean())  # nats a token
```
"""

import functools
import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.files.storage import as_folder, digest, load_tensors, restore_tree, save_tree
from experiments.files.words import quoted
from experiments.kits.transformer.decoder import Params, Shape, logits, refuse_misfits, run
from experiments.kits.transformer.likelihood import log_likelihoods
from experiments.kits.transformer.lora import Adapters, initial_lora
from ntkexec.errors import ExperimentError


class Expert(NamedTuple):
    """What one text made of a decoder.

    Args:
        adapters: for `decoder.run`; `lora.merged` makes a decoder of them that costs nothing more.
        losses: of every step's batch, in nats a token; the first is the decoder's own.
    """

    adapters: Adapters
    losses: Float[np.ndarray, "steps"]


def windows(tokens: Int[np.ndarray, "T"], length: int) -> Int[np.ndarray, "N length"]:
    """Running text cut into pieces of equal length, one after the other; what remains is left out.

    Raises:
        ExperimentError: the text is shorter than one piece, or pieces have no two tokens.
    """
    number = len(tokens) // max(length, 1)
    if length < 2 or not number:
        raise ExperimentError(f"{len(tokens)} tokens make no piece of {length}, two at least")
    return np.asarray(tokens[: number * length], np.int32).reshape(number, length)


def grow(
    params: Params,
    shape: Shape,
    texts: Mapping[str, Int[np.ndarray, "N T"]],
    *,
    seed: int,
    steps: int,
    rank: int = 4,
    names: Sequence[str] = ("query", "value"),
    batch: int = 4,
    rate: float = 1e-3,
    folder: str | os.PathLike[str] | None = None,
) -> dict[str, Expert]:
    """An expert for each text: AdamW on the next token, a rate that falls as a cosine, no decay.

    All start as the same adapter, and see their own rows in the same order: they differ by text alone.
    Texts of equal length share one program.

    Args:
        params, shape: of the decoder, which is not changed; of any float type. Adapters are float32.
        texts: by the expert's name, tokens of texts of equal length; `windows` cuts them.
        seed: of the first adapter, and of the rows of every step.
        steps: of training each, of `batch` texts.
        rank, names: of the adapters; see `lora.initial_lora`.
        rate: at the first step.
        folder: where experts are kept, and read if the same ones were grown before: of the same
            parameters, tokens and settings. None keeps nothing.

    Raises:
        ExperimentError: no texts, steps or rate; see `decoder.refuse_misfits`; or a kept file is damaged,
            or holds something else than its name says; or `folder` is none.
    """
    if not texts or steps < 1 or batch < 1 or not rate > 0:
        raise ExperimentError(
            f"cannot grow experts on {len(texts)} texts in {steps} steps of {batch} at rate {rate:g}"
        )
    for name, tokens in texts.items():
        refuse_misfits(params, shape, tokens, None, None)
        if len(tokens) < 1 or tokens.shape[1] < 2:
            raise ExperimentError(f"the texts of {name!r} have the shape {tokens.shape}")
    settings = {
        "shape": repr(shape), "seed": seed, "steps": steps, "rank": rank, "names": list(names),
        "batch": batch, "rate": rate,
    }  # fmt: skip
    origin = {} if folder is None else {**settings, "params": fingerprint(params)}
    found = {}
    for name, tokens in texts.items():
        first = initial_lora(shape, np.random.default_rng(seed), rank=rank, names=names)
        path = None
        if folder is not None:
            made_from = digest({**origin, "tokens": fingerprint(tokens)})
            path = as_folder(folder) / f"expert-{made_from}.safetensors"
        like = Expert(first, np.zeros(steps, np.float32))
        if path is not None and os.path.lexists(path):
            found[name] = _read(path, like)
            continue
        rows = np.random.default_rng([seed, 1]).random((steps, batch))
        chosen = (rows * len(tokens)).astype(np.int32)
        adapters, losses = _grown(shape, params, first, jnp.asarray(tokens)[chosen], rate)
        found[name] = Expert(jax.tree.map(np.asarray, adapters), np.asarray(losses))
        if path is not None:
            save_tree(path, found[name], kept=path.stem)
    return found


def _read(path: Path, like: Expert) -> Expert:
    tensors, notes = load_tensors(path)
    if notes.get("kept") != path.stem:
        raise ExperimentError(
            f"{path} holds {quoted(notes.get('kept', 'something else'))}, not {path.stem!r}; delete it to "
            "start anew"
        )
    return Expert(*restore_tree(tensors, like, path))


@functools.partial(jax.jit, static_argnums=0)
def _grown(shape: Shape, params: Params, first: Any, batches: Array, rate: Any) -> Any:
    optimiser = optax.adamw(
        lambda step: rate * 0.5 * (1 + jnp.cos(jnp.pi * step / len(batches))), weight_decay=0.0
    )

    def loss(adapters: Any, tokens: Array) -> Array:
        # Adapters are as exact as the optimiser needs, and are computed with as the decoder is.
        own = jax.tree.map(lambda one: one.astype(params["embedding"].dtype), adapters)
        scores = logits(params, shape, run(params, shape, tokens[:, :-1], adapters=own).last)
        return optax.softmax_cross_entropy_with_integer_labels(scores, tokens[:, 1:]).mean()

    def step(carry: Any, tokens: Array) -> Any:
        adapters, state = carry
        value, gradient = jax.value_and_grad(loss)(adapters, tokens)
        update, state = optimiser.update(gradient, state, adapters)
        return (optax.apply_updates(adapters, update), state), value

    first = jax.tree.map(jnp.asarray, first)
    (adapters, _), losses = jax.lax.scan(step, (first, optimiser.init(first)), batches)
    return adapters, losses


def nats(
    params: Params,
    shape: Shape,
    tokens: Int[np.ndarray, "N T"],
    *,
    adapters: Adapters | None = None,
    block: int = 8,
) -> Float[np.ndarray, "N"]:
    """Mean negative log-likelihood of the tokens of each text but its first; its exp is the perplexity.

    Args:
        params, shape, tokens: of the decoder; see `likelihood.log_likelihoods`.
        adapters: of an expert.
        block: texts at a time, for which one program is compiled.
    """
    number = len(tokens)
    filled = np.concatenate([tokens, np.repeat(tokens[-1:], -number % block, 0)])
    rows = [
        log_likelihoods(params, shape, filled[start : start + block], adapters=adapters)
        for start in range(0, len(filled), block)
    ]
    return -np.concatenate(rows)[:number].astype(np.float64).mean(1)


def fingerprint(tree: Any) -> str:
    """Names the arrays of a pytree by all of their bytes."""
    leaves, _ = jax.tree_util.tree_flatten_with_path(tree)
    found = hashlib.sha256()
    for where, leaf in leaves:
        array = np.ascontiguousarray(leaf)
        found.update(f"{jax.tree_util.keystr(where)} {array.dtype} {array.shape}".encode())
        found.update(array.reshape(-1).view(np.uint8).data)
    return found.hexdigest()[:24]
