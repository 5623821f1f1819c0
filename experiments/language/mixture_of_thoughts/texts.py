"""Texts of one problem or of two problems of different kinds, for experts that know one kind each."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Int

from experiments.kits.transformer.tasks import (
    PADDING,
    TASKS,
    VOCABULARY,
    Examples,
)

KINDS: dict[str, dict[str, int]] = {
    "addition": {"modulus": 8},
    "comparison": {"symbols": 8},
    "modular_composition": {"hops": 1, "modulus": 3},
}
"""Of problems, in the order of the experts; each has one token as its answer."""
LENGTH = 12


@dataclasses.dataclass(frozen=True, eq=False)
class Texts:
    """Problems followed by their answers in the same order, filled up on the right.

    Args:
        tokens: of problems and answers.
        start: where answers begin.
        owner: of every token, the number of the kind of problem that it answers; -1 of all others.
    """

    tokens: Int[np.ndarray, "N T"]
    start: Int[np.ndarray, "N"]
    owner: Int[np.ndarray, "N T"]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def counted(self) -> Bool[np.ndarray, "N T"]:
        """Which tokens are answers."""
        return self.owner >= 0

    @property
    def real(self) -> Bool[np.ndarray, "N T"]:
        """Which tokens are no padding."""
        return self.tokens != PADDING

    @property
    def prompts(self) -> Bool[np.ndarray, "N T"]:
        """Which tokens are problems."""
        return np.arange(self.tokens.shape[1])[None] < self.start[:, None]


def problems(generator: np.random.Generator, number: int, kinds: Sequence[int]) -> Texts:
    """Texts of one problem of each of these kinds, in this order."""
    names = tuple(KINDS)
    parts = [
        TASKS[names[kind]](generator, number, length=LENGTH, **KINDS[names[kind]]) for kind in kinds
    ]
    return _answered(parts, kinds)


def mixed(generator: np.random.Generator, number: int, sets: Sequence[Sequence[int]]) -> Texts:
    """As many texts of each of these lists of kinds, as far as `number` can be parted, in random order."""
    made = [
        problems(generator, len(rows), kinds)
        for kinds, rows in zip(sets, np.array_split(np.arange(number), len(sets)), strict=True)
        if len(rows)
    ]
    order = generator.permutation(sum(map(len, made)))
    fields = (f.name for f in dataclasses.fields(Texts))
    return Texts(*(np.concatenate([getattr(one, f) for one in made])[order] for f in fields))


def lessons(generator: np.random.Generator, number: int, kind: int) -> tuple[Texts, np.ndarray]:
    """What an expert in one kind is trained on, and which of the tokens it has to know.

    Half of the texts are one problem of its own, half also have one of another kind, before or after,
    whose answer it need not know.
    """
    others = [other for other in range(len(KINDS)) if other != kind]
    pairs = [pair for other in others for pair in ((kind, other), (other, kind))]
    texts = mixed(generator, number, [[kind]] * len(pairs) + [list(pair) for pair in pairs])
    return texts, texts.owner == kind


def _answered(parts: Sequence[Examples], kinds: Sequence[int]) -> Texts:
    number = len(parts[0])
    rows = np.arange(number)
    tokens = np.full((number, LENGTH), PADDING, np.int32)
    owner = np.full((number, LENGTH), -1, np.int32)
    start = np.zeros(number, np.int32)
    for part in parts:
        for row in rows:
            length = part.start[row]
            tokens[row, start[row] : start[row] + length] = part.tokens[row, :length]
        start = start + part.start
    for place, (part, kind) in enumerate(zip(parts, kinds, strict=True)):
        tokens[rows, start + place] = part.answers[:, 0]
        owner[rows, start + place] = kind
    return Texts(tokens, start, owner)


__all__ = ["KINDS", "LENGTH", "VOCABULARY", "Texts", "lessons", "mixed", "problems"]
