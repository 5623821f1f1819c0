"""Prompts that cannot work, found before any picture is seen: leaks, repetitions, inseparable classes."""

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np
from jaxtyping import Float

from experiments.files.words import quoted
from experiments.vision.attrseg.decomposition import Decomposition
from experiments.vision.attrseg.phrases import Vocabulary, words_of
from ntkexec.errors import ExperimentError

Kind = Literal["leak", "repeated", "unknown", "same", "contained", "near"]
ALIKE = 0.95
"""Cosine above which two tokens are nearly the same."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """What is wrong with attributes.

    Args:
        kind: "leak", the name of a class, its own or another's, is in a phrase; "repeated", a phrase has the
            words of another; "unknown", no word of a phrase is known; "same", two classes have the same
            phrases; "contained", one has all phrases of the other; "near", their tokens are nearly the same.
        classes: one or two; of a leak, the class with the phrase, then the one that is named if that is
            another.
        message: says it in words.
    """

    kind: Kind
    classes: tuple[str, ...]
    message: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.message}"


def lint_attributes(
    given: Decomposition,
    *,
    vocabulary: Vocabulary | None = None,
    tokens: Float[np.ndarray, "*n c d"] | None = None,
    threshold: float = ALIKE,
) -> tuple[Finding, ...]:
    """What will keep classes from being segmented by their attributes, or would make a test of that void.

    Args:
        given: the phrases of all classes.
        vocabulary: words that have vectors; without it none is unknown.
        tokens: of these classes, in this order, as `AttributeSegmenter` makes them from any number of
            pictures. Classes are near if their tokens are in every one of these.
        threshold: cosine above which they are.

    Returns:
        Findings by class, then by pair; none is good. With the same phrases two classes have the same
        mask in every picture; without tokens nothing is said of those that are only near.

    Raises:
        ExperimentError: attributes are no `Decomposition`; there are tokens of other classes, of no
            picture, or that are no numbers, of which no two could be found near.
    """
    if not isinstance(given, Decomposition):
        raise ExperimentError(
            f"attributes are a Decomposition, as `decompose(table, table)` makes one of a table; got "
            f"{quoted(given)}"
        )
    named: dict[tuple[str, ...], list[str]] = {}
    for name in given.classes:
        named.setdefault(_bare(name), []).append(name)
    # A name without a word is in no phrase.
    named.pop((), None)
    found: list[Finding] = []
    for name, phrases in given.attributes.items():
        found += _of_class(name, phrases, vocabulary, named)
    alike = _cosines(tokens, len(given.classes))
    keys = [frozenset(map(_key, phrases)) for phrases in given.attributes.values()]
    for (i, one), (j, other) in itertools.combinations(enumerate(given.classes), 2):
        pair = (one, other)
        if keys[i] == keys[j]:
            said = f"{quoted(one)} and {quoted(other)} have the same attributes, so the same masks"
            found.append(Finding("same", pair, said))
            continue
        if keys[i] < keys[j] or keys[j] < keys[i]:
            less, more = pair if keys[i] < keys[j] else pair[::-1]
            said = f"{quoted(less)} has no attribute that {quoted(more)} has not"
            found.append(Finding("contained", (less, more), said))
        if alike is not None and alike[i, j] > threshold:
            said = (
                f"tokens of {quoted(one)} and {quoted(other)} are nearly the same (cosine at least "
                f"{alike[i, j]:.3f}), so that their masks are"
            )
            found.append(Finding("near", pair, said))
    return tuple(found)


def _of_class(
    name: str,
    phrases: tuple[str, ...],
    vocabulary: Vocabulary | None,
    named: Mapping[tuple[str, ...], list[str]],
) -> list[Finding]:
    found = []
    seen: set[tuple[str, ...]] = set()
    for phrase in phrases:
        words, key = words_of(phrase), _key(phrase)
        for other in _names_in(phrase, named):
            if other == name:
                said = f"the name {quoted(name)} is in its attribute {quoted(phrase)}"
                found.append(Finding("leak", (name,), said))
            else:
                said = f"the name {quoted(other)} is in {quoted(phrase)}, an attribute of {quoted(name)}"
                found.append(Finding("leak", (name, other), said))
        if key in seen:
            said = f"{quoted(phrase)} of {quoted(name)} has the words of another, and weighs twice"
            found.append(Finding("repeated", (name,), said))
        seen.add(key)
        if vocabulary is not None and not any(word in vocabulary.number for word in words):
            said = f"no word of {quoted(phrase)}, an attribute of {quoted(name)}, is known"
            found.append(Finding("unknown", (name,), said))
    return found


def _names_in(phrase: str, named: Mapping[tuple[str, ...], list[str]]) -> Iterator[str]:
    """Classes whose names are in a phrase, each once, in the order in which they are met."""
    words = _bare(phrase)
    lengths = {len(name) for name in named}
    parts = (words[at : at + size] for at in range(len(words)) for size in lengths)
    return itertools.chain.from_iterable(named.get(part, []) for part in dict.fromkeys(parts))


def _bare(phrase: str) -> tuple[str, ...]:
    """The words, without what makes them possessive: a dax's tail names the dax."""
    return tuple(word.removesuffix("'s") for word in words_of(phrase))


def _key(phrase: str) -> tuple[str, ...]:
    """What makes two phrases one for an encoder that takes the mean of words."""
    return tuple(sorted(words_of(phrase)))


def _cosines(
    tokens: Float[np.ndarray, "*n c d"] | None, num_classes: int
) -> Float[np.ndarray, "c c"] | None:
    """The least cosine over all pictures of each two classes' tokens."""
    if tokens is None:
        return None
    given = np.asarray(tokens, float)
    if given.ndim < 2 or given.shape[-2] != num_classes or not given.size:
        raise ExperimentError(
            f"tokens of {num_classes} classes in some pictures are needed, got shape {given.shape}"
        )
    if not np.isfinite(given).all():
        raise ExperimentError("tokens are finite numbers; these have some that are not")
    unit = given / np.maximum(np.linalg.norm(given, axis=-1, keepdims=True), 1e-12)
    found = unit @ np.swapaxes(unit, -1, -2)
    return found.reshape(-1, num_classes, num_classes).min(0)
