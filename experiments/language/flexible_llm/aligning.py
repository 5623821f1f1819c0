"""Tokens of one text by two tokenizers, paired; and what one model expects in the other's vocabulary.

Source: Wan et al., FuseLLM, arXiv:2401.10491, section 3.2, and its public code (fanqiwan/FuseAI), on which
the paper builds: time warping by edit distance; a row is taken over where one token of the source alone is
paired with the target's and the two end alike; elsewhere the row is the text's own next token. Of a source's
tokens that are nearest to one token of the target, FuseLLM keeps the first and we add up their probabilities.
The paper's trainer (ZLKong/LLM_Integration) reads what FuseLLM's preparation left.
"""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from ntkexec.errors import ExperimentError

_CACHED = 200_000


class Alignment(NamedTuple):
    """Two token sequences, paired in order.

    Args:
        cost: edit distances of all pairs, summed; no other path has a smaller one.
        pairs: for each token of the target the source's tokens that are paired with it, at least one.
    """

    cost: int
    pairs: tuple[tuple[int, ...], ...]


@functools.lru_cache(maxsize=_CACHED)
def edit_distance(one: str, other: str) -> int:
    """Insertions, deletions and replacements of characters that turn one text into the other."""
    row = list(range(len(other) + 1))
    for i, left in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, right in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (left != right))
    return row[-1]


def align_tokens(source: Sequence[str], target: Sequence[str]) -> Alignment:
    """The cheapest pairing of two token sequences, by dynamic time warping with edit distances.

    A path leads from the first pair to the last one; a step goes on by one token in either sequence, or in
    both. Of equally cheap steps the one in both counts, so that equal sequences are paired one to one.

    Args:
        source, target: the tokens' texts.

    Raises:
        ExperimentError: a sequence is empty.
    """
    rows, columns = len(source), len(target)
    if not rows or not columns:
        raise ExperimentError(f"cannot pair {rows} tokens with {columns}: one each is needed")
    least = np.full((rows + 1, columns + 1), np.inf)
    least[0, 0] = 0
    for i, one in enumerate(source, 1):
        above, here = least[i - 1], least[i]
        for j, other in enumerate(target, 1):
            here[j] = edit_distance(one, other) + min(above[j - 1], above[j], here[j - 1])
    pairs: list[list[int]] = [[] for _ in target]
    i, j = rows, columns
    while i and j:
        pairs[j - 1].append(i - 1)
        steps = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(steps, key=lambda step: least[step])  # the first of equal ones
    return Alignment(int(least[-1, -1]), tuple(tuple(reversed(one)) for one in pairs))


def usable(
    alignment: Alignment, source: Sequence[str], target: Sequence[str]
) -> Int[np.ndarray, "T"]:
    """For each token of the target the source's token after which both expect the same text; -1 for none.

    In text that repeats itself equally cheap paths pair tokens that end alike at different places, and the
    public code takes them. Where both sequences cut the same text, they must have read equally much of it.

    Args:
        alignment: of the two, see `align_tokens`.
        source, target: the tokens' texts.
    """
    found = np.full(len(target), -1, np.int64)
    theirs, ours = (np.cumsum([len(one) for one in side]) for side in (source, target))
    same_text = "".join(source) == "".join(target)
    for place, paired in enumerate(alignment.pairs):
        if len(paired) == 1:
            one, other = source[paired[0]], target[place]
            alike = one.endswith(other) or other.endswith(one)
            if alike and (not same_text or theirs[paired[0]] == ours[place]):
                found[place] = paired[0]
    return found


def nearest_tokens(source: Sequence[str], target: Sequence[str]) -> Int[np.ndarray, "S"]:
    """For each token of one vocabulary the nearest of another.

    By edit distance; of equally near ones that with the longest common beginning, since it is read
    first, then the first.

    Args:
        source, target: vocabularies, by number.

    Raises:
        ExperimentError: there is nothing to be near to.
    """
    if not target:
        raise ExperimentError("no token is near to an empty vocabulary")
    exact = {text: number for number, text in reversed(list(enumerate(target)))}
    found = []
    for one in source:
        if one in exact:
            found.append(exact[one])
            continue
        keys = [(edit_distance(one, other), -_common(one, other)) for other in target]
        found.append(min(range(len(target)), key=keys.__getitem__))
    return np.array(found, np.int64)


def aligned_rows(
    expected: Float[np.ndarray, "S A"],
    source: Sequence[str],
    target: Sequence[str],
    following: Int[np.ndarray, "T"],
    *,
    nearest: Int[np.ndarray, "A"],
    size: int,
) -> tuple[Float[np.ndarray, "T V"], Bool[np.ndarray, "T"]]:
    """What a source expects after each token of the target, in the target's vocabulary.

    Args:
        expected: the source's distributions of what follows each of its tokens, over its vocabulary.
        source, target: texts of the tokens of one text by both tokenizers.
        following: the target's tokens that do follow.
        nearest: see `nearest_tokens`.
        size: of the target's vocabulary.

    Returns:
        Distributions, each of the mass that the source's has, and of mass 1 where the source has none to
        offer; and where it has.
    """
    places = usable(align_tokens(source, target), source, target)
    own = places >= 0
    moved = np.zeros((len(target), size), expected.dtype)
    rows = np.flatnonzero(own)
    if expected.shape[1] == size and (nearest == np.arange(size)).all():
        moved[rows] = expected[places[rows]]
    else:
        np.add.at(moved, (rows[:, None], nearest[None]), expected[places[rows]])
    moved[~own, np.asarray(following)[~own]] = 1
    return moved, own


def _common(one: str, other: str) -> int:
    for place, (left, right) in enumerate(zip(one, other, strict=False)):
        if left != right:
            return place
    return min(len(one), len(other))
