"""Words as numbers and phrases as the mean of their words' vectors: the text side of a small word space."""

import dataclasses
import functools
import re
from collections.abc import Iterable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from experiments.files.words import quoted
from ntkexec.errors import ExperimentError


def words_of(phrase: str) -> tuple[str, ...]:
    """The words of a phrase in lower case; hyphens divide words, and marks are none."""
    return tuple(re.findall(r"[^\W_]+(?:'[^\W_]+)?", phrase.lower()))


@dataclasses.dataclass(frozen=True)
class Vocabulary:
    """Words that have vectors.

    Args:
        words: each once, in lower case.
    """

    words: tuple[str, ...]

    @classmethod
    def of(cls, phrases: Iterable[str]) -> "Vocabulary":
        """All words of some phrases, in their order.

        Raises:
            ExperimentError: phrases are one text, of which each character would be one.
        """
        _check_several(phrases)
        return cls(tuple(dict.fromkeys(word for phrase in phrases for word in words_of(phrase))))

    @functools.cached_property
    def number(self) -> Mapping[str, int]:
        return {word: place for place, word in enumerate(self.words)}

    def tokens(
        self, phrases: Sequence[str], *, length: int | None = None
    ) -> Int[np.ndarray, "p w"]:
        """Numbers of the words of each phrase, with -1 after them.

        Args:
            phrases: of known words; those that are unknown are left out, as long as one is known.
            length: to which all are padded; of the longest where none is given.

        Raises:
            ExperimentError: names a phrase without a known word, or one that is too long; phrases are
                one text.
        """
        _check_several(phrases)
        rows = [[self.number[w] for w in words_of(p) if w in self.number] for p in phrases]
        for phrase, row in zip(phrases, rows, strict=True):
            if not row or (length is not None and len(row) > length):
                what = f"more than {length} known words" if row else "no known word"
                raise ExperimentError(f"the phrase {quoted(phrase)} has {what}")
        longest = max((len(row) for row in rows), default=1) if length is None else length
        found = np.full((len(rows), longest), -1)
        for place, row in enumerate(rows):
            found[place, : len(row)] = row
        return found


def phrase_vectors(
    table: Float[ArrayLike, "v d"], tokens: Int[ArrayLike, "*n w"]
) -> Float[Array, "*n d"]:
    """The mean of the vectors of each phrase's words, of which there is at least one.

    Args:
        table: a vector for each word of the vocabulary.
        tokens: of `Vocabulary.tokens`.

    Raises:
        ExperimentError: a word beyond the table, or a phrase without a word, as far as they are known:
            within a compiled program they are not, see `check_tokens`.
    """
    if not isinstance(tokens, jax.core.Tracer):
        check_tokens(tokens, len(jnp.asarray(table)))
    numbers = jnp.asarray(tokens)
    vectors = jnp.asarray(table)[jnp.maximum(numbers, 0)]
    return jnp.mean(vectors, -2, where=(numbers >= 0)[..., None])


def check_tokens(tokens: Int[ArrayLike, "*n w"], num_words: int) -> None:
    """Refuses what would be read from the end of a table, or be the mean of nothing.

    Args:
        tokens: of `Vocabulary.tokens`.
        num_words: of the table.

    Raises:
        ExperimentError: names a word beyond the table, or a phrase without a word.
    """
    numbers = np.asarray(tokens)
    if not np.issubdtype(numbers.dtype, np.integer) or not numbers.ndim:
        raise ExperimentError(
            f"phrases are lists of whole numbers, got {numbers.dtype} of the shape {numbers.shape}"
        )
    if numbers.max(initial=-1) >= num_words:
        raise ExperimentError(f"word {numbers.max()} is in no table of {num_words} words")
    if not (some := (numbers >= 0).any(-1)).all():
        raise ExperimentError(f"the phrase at {np.argwhere(~some)[0].tolist()} has no word")


def _check_several(phrases: object) -> None:
    if isinstance(phrases, str | bytes):
        raise ExperimentError(f"phrases are a list of texts, got {quoted(phrases)}")


def padded_tokens(
    vocabulary: Vocabulary, attributes: Mapping[str, Sequence[str]], *, most: int, length: int
) -> tuple[Int[np.ndarray, "c most length"], Bool[np.ndarray, "c most"]]:
    """Tokens of the phrases of each class, padded with those of its first phrase, and which are there.

    Raises:
        ExperimentError: names a phrase, or a class with too many; attributes are no table.
    """
    if not isinstance(attributes, Mapping):
        raise ExperimentError(
            f"attributes are a table of phrases by class, as a Decomposition's `attributes`; got "
            f"{quoted(attributes)}"
        )
    found = np.zeros((len(attributes), most, length), int)
    present = np.zeros((len(attributes), most), bool)
    for row, (name, phrases) in enumerate(attributes.items()):
        if not 1 <= len(phrases) <= most:
            raise ExperimentError(f"{quoted(name)} has {len(phrases)} attributes, not 1 to {most}")
        tokens = vocabulary.tokens(phrases, length=length)
        found[row], present[row, : len(phrases)] = tokens[0], True
        found[row, : len(phrases)] = tokens
    return found, present


def region_phrase_loss(
    regions: Float[Array, "r d"],
    phrases: Float[Array, "p d"],
    matches: Bool[Array, "r p"],
    *,
    sharpness: float | Array,
    bias: float | Array,
    counted: Bool[Array, "r"] | None = None,
) -> Float[Array, ""]:
    """Sigmoid loss of all pairs of a region and a phrase, by the cosine of their vectors.

    Args:
        regions: means of the pixels' vectors in each region.
        phrases: vectors of phrases.
        matches: whether a phrase is true of a region; any number may be.
        sharpness: logarithm of the cosine's factor.
        bias: added to the scaled cosine.
        counted: which regions are there; all where none is given.

    Source: Zhai et al., Sigmoid loss for language image pre-training, arXiv:2303.15343, equation 1, with
    several matches of a region.
    """
    there = jnp.ones(len(regions), bool) if counted is None else counted
    unit = [x / jnp.sqrt(jnp.sum(x**2, -1, keepdims=True) + 1e-12) for x in (regions, phrases)]
    logits = jnp.exp(sharpness) * unit[0] @ unit[1].T + bias
    losses = optax.sigmoid_binary_cross_entropy(logits, matches).sum(-1)
    return jnp.mean(losses, where=jax.lax.stop_gradient(there))
