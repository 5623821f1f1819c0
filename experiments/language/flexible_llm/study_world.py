"""A tiny world to fuse in: a target, sources with other vocabularies and cuts of text, and texts with faults.

Tasks are the kit's, written with one sign a word ("a3+..." is text here), so that tokenizers can cut the same
text differently: as the target does, with its tokens in another order, or with two digits as one token.
"""

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.transformer.decoder import Params, Shape, logits, run
from experiments.kits.transformer.tasks import (
    MARKS,
    VOCABULARY,
    Examples,
    addition,
    comparison,
    copying,
    joined,
    modular_composition,
)
from experiments.kits.transformer.tiny import fit_decoder
from experiments.language.flexible_llm.aligning import aligned_rows, nearest_tokens
from experiments.language.flexible_llm.distributions import (
    Shard,
    TopK,
    read_shards,
    top_k,
    write_shards,
)

SIGNS = ".hcyma=+*<~>0123456789ABCDEF"
"""One for each word of the tasks; the first fills up and the seventh begins an answer."""
END, ASKED = SIGNS[0], SIGNS[6]
DIGITS, LENGTH = 8, 9
SINGLES = tuple(SIGNS)
PAIRS = (*SINGLES, *(f"{one}{two}" for one in SIGNS[12:20] for two in SIGNS[12:20]))
PLAIN = Shape(blocks=2, width=32, heads=4, key_heads=4, hidden=64, vocabulary=len(SINGLES))
OTHER = Shape(blocks=1, width=48, heads=4, key_heads=2, hidden=96, vocabulary=len(PAIRS))
TASKS: Mapping[str, Callable[[np.random.Generator, int], Examples]] = {
    "compose": functools.partial(modular_composition, hops=1, modulus=5, length=LENGTH),
    "copy": functools.partial(copying, items=3, symbols=DIGITS, length=LENGTH),
    "compare": functools.partial(comparison, symbols=DIGITS, length=LENGTH),
    "add": functools.partial(addition, modulus=DIGITS, length=LENGTH),
}
KNOWN = (
    ("compose", "compare"), ("copy", "compare"), ("copy", "add"), ("compose", "add"), tuple(TASKS)
)  # fmt: skip
"""Of the target and the sources, the tasks they were trained on; the last one learned all of them wrong."""
HARMFUL = len(KNOWN) - 1


class Model(NamedTuple):
    """A trained decoder with its tokenizer."""

    shape: Shape
    params: Params
    vocabulary: tuple[str, ...]


class Cut(NamedTuple):
    """Texts in one vocabulary: tokens, which of them answer, and the tokens' texts without what fills up."""

    tokens: Int[np.ndarray, "N T"]
    counted: Bool[np.ndarray, "N T"]
    pieces: list[list[str]]


@dataclasses.dataclass(frozen=True, eq=False)
class World:
    """What is fused.

    Args:
        target: the first source too.
        corpus: texts of all tasks, some with a wrong answer.
        held: the same, to judge a bilevel selector on.
        test: right answers, by task.
        stored: of every source what follows each token of the corpus.
        loss: of every source and text.
        shared: share of the counted places that each source has something to say on.
        dense: whole rows of the first texts, for the error of what is stored.
    """

    target: Model
    corpus: Cut
    held: Cut
    test: Mapping[str, Examples]
    stored: TopK
    loss: Float[np.ndarray, "n N"]
    shared: tuple[float, ...]
    dense: Float[np.ndarray, "n M T V"]


def made(
    generator: np.random.Generator, *, examples: int, texts: int, tests: int, steps: int, noise: float,
    kept: int, folder: Path,
) -> World:  # fmt: skip
    """Trains the target and its sources, and stores what they expect as shards in a folder.

    Args:
        generator: draws all.
        examples: that each model is trained on.
        texts: of the corpus.
        tests: of each task.
        steps: of each model's training.
        noise: share of the corpus whose answers are wrong.
        kept: likeliest tokens that are stored of every row.
        folder: of the shards, one below it for each source.
    """
    models = [_trained(generator, place, examples, steps) for place in range(len(KNOWN))]
    target = models[0]
    given, seen = (
        _spoilt(generator, _drawn(generator, tuple(TASKS), texts), noise) for _ in range(2)
    )
    corpus, held = (cut(written(part), SINGLES) for part in (given, seen))
    told = [expected(model, corpus, written(given)) for model in models]
    for place, (rows, loss, _) in enumerate(told):
        shard = Shard(corpus.tokens, top_k(rows, kept), loss)
        write_shards(folder / str(place), shard, vocabulary=VOCABULARY)
    read = [read_shards(folder / str(place), vocabulary=VOCABULARY) for place in range(len(models))]
    stored = TopK(*(np.stack(one) for one in zip(*(part.stored for part in read), strict=True)))
    return World(
        target=target,
        corpus=corpus,
        held=held,
        test={name: draw(generator, tests) for name, draw in TASKS.items()},
        stored=stored,
        loss=np.stack([part.loss for part in read]),
        shared=tuple(share for *_, share in told),
        dense=np.stack([rows[:32] for rows, *_ in told]),
    )


def written(examples: Examples) -> list[str]:
    """Examples as text, without what fills them up."""
    rows = ["".join(SIGNS[token] for token in row) for row in examples.tokens]
    return [row.rstrip(END) for row in rows]


def cut(texts: Sequence[str], vocabulary: Sequence[str]) -> Cut:
    """Texts as tokens, the longest that fits at every place."""
    number = {text: place for place, text in enumerate(vocabulary)}
    tokens = np.full((len(texts), LENGTH), number[END], np.int32)
    counted = np.zeros(tokens.shape, bool)
    pieces = []
    for row, text in enumerate(texts):
        found: list[str] = []
        place = 0
        while place < len(text):
            wide = text[place : place + 2]
            found.append(wide if wide in number else text[place])
            place += len(found[-1])
        tokens[row, : len(found)] = [number[one] for one in found]
        counted[row, found.index(ASKED) + 1 : len(found)] = True
        pieces.append(found)
    return Cut(tokens, counted, pieces)


def expected(
    model: Model, corpus: Cut, texts: Sequence[str]
) -> tuple[Float[np.ndarray, "N T V"], Float[np.ndarray, "N"], float]:
    """What a model expects after each token of the target's but the last; its loss; where it has a say."""
    own = cut(texts, model.vocabulary)
    told = np.asarray(likelihoods(model.shape, model.params, own.tokens))
    chosen = np.take_along_axis(told[:, :-1], own.tokens[:, 1:, None], -1)[..., 0]
    loss = -(chosen * own.counted[:, 1:]).sum(1) / own.counted.sum(1)
    nearest = nearest_tokens(model.vocabulary, SINGLES)
    rows = np.zeros((len(texts), LENGTH - 1, VOCABULARY), np.float32)
    rows[..., 0] = 1  # after a text nothing follows
    said = np.zeros((len(texts), LENGTH - 1), bool)
    for row, (theirs, ours) in enumerate(zip(own.pieces, corpus.pieces, strict=True)):
        following = np.append(corpus.tokens[row, 1 : len(ours)], 0)
        chances = np.exp(told[row, : len(theirs)])
        moved, used = aligned_rows(
            chances, theirs, ours, following, nearest=nearest, size=VOCABULARY
        )
        rows[row, : len(ours) - 1], said[row, : len(ours) - 1] = moved[:-1], used[:-1]
    return rows, loss, float(said[corpus.counted[:, 1:]].mean())


@functools.partial(jax.jit, static_argnums=0)
def likelihoods(shape: Shape, params: Params, tokens: Any) -> Float[Array, "N T V"]:
    """log Q of what follows every token."""
    return jax.nn.log_softmax(logits(params, shape, run(params, shape, jnp.asarray(tokens)).last))


def _trained(generator: np.random.Generator, place: int, examples: int, steps: int) -> Model:
    """The target or a source: the second cuts text otherwise, the others have another order of tokens."""
    drawn = _drawn(generator, KNOWN[place], examples)
    if place == HARMFUL:
        drawn = _spoilt(generator, drawn, 1.0, by=1)
    if place == 2:
        shape, vocabulary = OTHER, PAIRS
    else:
        order = np.arange(VOCABULARY) if place == 0 else generator.permutation(VOCABULARY)
        shape, vocabulary = PLAIN, tuple(SINGLES[one] for one in order)
    texts = cut(written(drawn), vocabulary)
    seed = int(generator.integers(2**31))
    params, _ = fit_decoder(shape, texts.tokens, texts.counted, seed=seed, steps=steps)
    return Model(shape, params, vocabulary)


def _drawn(generator: np.random.Generator, names: Sequence[str], number: int) -> Examples:
    parts = [TASKS[name](generator, -(-number // len(names))) for name in names]
    return joined(*parts).part(generator.permutation(sum(map(len, parts)))[:number])


def _spoilt(
    generator: np.random.Generator, examples: Examples, share: float, *, by: int | None = None
) -> Examples:
    """A share of the examples with other answers: all of their tokens farther on by one number."""
    rows = (generator.random(len(examples)) < share)[:, None]
    tokens, first = examples.tokens, len(MARKS)
    step = generator.integers(1, 5, size=rows.shape) if by is None else by
    numbers = first + (tokens - first + step) % DIGITS
    marks = 9 + (tokens - 9 + 1 + step % 2) % 3
    wrong = np.where(tokens >= first, numbers, marks)
    changed = np.where(rows & examples.counted, wrong, tokens)
    return dataclasses.replace(examples, tokens=changed.astype(np.int32))
