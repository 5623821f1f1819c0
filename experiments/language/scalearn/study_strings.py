"""Tasks on drawn strings with built-in relations, and an encoder that was pre-trained on such strings."""

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Int

from experiments.kits.transformer.decoder import Params, Shape, normalised
from experiments.kits.transformer.encoder import encode, initial_encoder

LETTERS, A, B, C = 5, 0, 1, 2
Strings = Int[np.ndarray, "N T"]
Marks = Bool[np.ndarray, "N"]


def _occurs(strings: Strings, *letters: int) -> Marks:
    last = strings.shape[1] - len(letters) + 1
    hits = [strings[:, place : place + last] == one for place, one in enumerate(letters)]
    found: Marks = np.logical_and.reduce(hits).any(1)
    return found


def _more(strings: Strings) -> Marks:
    found: Marks = (strings == A).sum(1) > (strings == B).sum(1)
    return found


def _run(strings: Strings) -> Marks:
    same = strings[:, 1:] == strings[:, :-1]
    found: Marks = (same[:, 1:] & same[:, :-1]).any(1)
    return found


TASKS: Mapping[str, Callable[[Strings], Marks]] = {
    "ab": lambda s: _occurs(s, A, B),
    "bc": lambda s: _occurs(s, B, C),
    "more a than b": _more,
    "a run of three": _run,
    "abc": lambda s: _occurs(s, A, B, C),
    "ab or bc": lambda s: _occurs(s, A, B) | _occurs(s, B, C),
    "ab and more a than b": lambda s: _occurs(s, A, B) & _more(s),
    "first is last": lambda s: s[:, 0] == s[:, -1],
}
"""The first four have many examples, the others few; the last is related to none."""
SMALL = tuple(TASKS)[4:]
TARGETS = SMALL[:3]


def drawn(generator: np.random.Generator, number: int, length: int) -> Strings:
    """Strings of letters, into a third of which abc was put, and into a third a run of three."""
    strings = generator.integers(0, LETTERS, (number, length))
    kind, place = generator.integers(0, 3, number), generator.integers(0, length - 2, number)
    letter = generator.integers(0, LETTERS, number)
    for step, one in enumerate((A, B, C)):
        strings[np.flatnonzero(kind == 0), place[kind == 0] + step] = one
        strings[np.flatnonzero(kind == 1), place[kind == 1] + step] = letter[kind == 1]
    return strings.astype(np.int32)


def balanced(
    generator: np.random.Generator, task: str, number: int, length: int
) -> tuple[Strings, Int[np.ndarray, "N"]]:
    """Strings of a task with as many of either class, in random order, and their classes."""
    pool = drawn(generator, 20 * number + 200, length)
    labels = TASKS[task](pool)
    rows = [np.flatnonzero(labels == one)[: (number + one) // 2] for one in (0, 1)]
    order = generator.permutation(np.concatenate(rows))
    return pool[order], labels[order].astype(np.int64)


@functools.lru_cache(maxsize=4)
def pretrained_encoder(
    shape: Shape, *, length: int, strings: int, steps: int, seed: int = 0, batch: int = 64
) -> tuple[Params, float]:
    """An encoder that tells from every place what stood before it and after it, and how often it is right.

    Drawn strings have little that could be filled in where it was masked; their neighbours are all that
    the tasks need. One encoder serves all seeds, as one RoBERTa does in the paper.
    """
    generator = np.random.default_rng(seed)
    params = jax.tree.map(jnp.asarray, initial_encoder(shape, generator, deviation=0.1))
    heads = jnp.asarray(generator.normal(size=(2, shape.width, LETTERS)) * 0.1, jnp.float32)
    texts = jnp.asarray(drawn(generator, strings, length))
    learned, right = _pretrained(shape, (params, heads), texts, steps, batch)
    return learned[0], float(right)


@functools.partial(jax.jit, static_argnums=(0, 3, 4))
def _pretrained(
    shape: Shape, start: tuple[Params, Array], texts: Array, steps: int, batch: int
) -> tuple[tuple[Params, Array], Array]:
    rule = optax.adamw(optax.cosine_decay_schedule(3e-3, steps))

    def told(learned: tuple[Params, Array], rows: Array) -> tuple[Array, Array]:
        params, heads = learned
        states = normalised(encode(params, shape, rows).last, params["norm"], shape.epsilon)
        guessed = jnp.einsum("btd,kdv->kbtv", states, heads)
        before, after = guessed[0][:, 1:], guessed[1][:, :-1]
        both, wanted = jnp.stack([before, after]), jnp.stack([rows[:, :-1], rows[:, 1:]])
        loss = optax.softmax_cross_entropy_with_integer_labels(both, wanted).mean()
        return loss, (both.argmax(-1) == wanted).mean()

    def step(carry: Any, index: Array) -> tuple[Any, Array]:
        learned, state = carry
        rows = jax.lax.dynamic_slice_in_dim(texts, (index * batch) % (len(texts) - batch), batch)
        slopes, right = jax.grad(told, has_aux=True)(learned, rows)
        moves, state = rule.update(slopes, state, learned)
        made: tuple[Params, Array] = optax.apply_updates(learned, moves)
        return (made, state), right

    (learned, _), right = jax.lax.scan(step, (start, rule.init(start)), jnp.arange(steps))
    return learned, right[-1]
