"""Algorithmic tasks as tokens, of one vocabulary, whose difficulty is known and whose answers are graded.

An example is `mark, what is given, how often, "=", answer`, filled up on the right.

```python
import numpy as np
from experiments.kits.transformer.tasks import WORDS, joined, pointer_chasing, copying

generator = np.random.default_rng(0)
made = joined(pointer_chasing(generator, 100, hops=(1, 4)), copying(generator, 50))
print(" ".join(WORDS[token] for token in made.tokens[0]))  # chase 3 0 5 ... = 4 . .
tokens, counted = made.tokens, made.counted  # for `tiny.fit_decoder`
```
"""

import dataclasses
from collections.abc import Callable, Mapping

import numpy as np
from jaxtyping import ArrayLike, Bool, Int

from ntkexec.errors import ExperimentError

NUMBERS = 16
"""Numbers that have a token."""
MARKS = (
    ".",
    "chase",
    "compose",
    "copy",
    "compare",
    "add",
    "=",
    "plus",
    "times",
    "less",
    "same",
    "more",
)
WORDS = (*MARKS, *map(str, range(NUMBERS)))
"""Of the vocabulary; a token is a word's place."""
VOCABULARY = len(WORDS)
PADDING = 0
LENGTH = 24
"""Of all examples unless another is asked for; a prompt and its answer are at most 21."""
_MARK = {word: place for place, word in enumerate(MARKS)}
_FIRST = len(MARKS)


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Prompts with their answers.

    Args:
        tokens: of prompt and answer, filled up with `PADDING`.
        start: where the answer begins; the token before it predicts it.
        answers: filled up with `PADDING`.
        difficulty: of each: the steps that it takes, one after the other.
    """

    tokens: Int[np.ndarray, "N T"]
    start: Int[np.ndarray, "N"]
    answers: Int[np.ndarray, "N A"]
    difficulty: Int[np.ndarray, "N"]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def counted(self) -> Bool[np.ndarray, "N T"]:
        """Which tokens belong to an answer."""
        length = (self.answers != PADDING).sum(1)
        place = np.arange(self.tokens.shape[1])[None]
        return (place >= self.start[:, None]) & (place < (self.start + length)[:, None])

    @property
    def prompts(self) -> Int[np.ndarray, "N T"]:
        """The tokens with answers taken out."""
        return np.where(self.counted, PADDING, self.tokens)

    def part(self, rows: ArrayLike) -> "Examples":
        """Some of the examples, by their numbers or a mask."""
        return Examples(*(getattr(self, f.name)[rows] for f in dataclasses.fields(self)))


def pointer_chasing(
    generator: np.random.Generator,
    number: int,
    hops: int | tuple[int, int],
    *,
    symbols: int = 8,
    length: int = LENGTH,
) -> Examples:
    """Where a pointer leads: a list of places, a place to begin at, and how often to look up.

    Args:
        generator: draws permutations, places and hops.
        number: of examples.
        hops: look-ups, or the fewest and the most of them, drawn evenly; they are the difficulty.
        symbols: places, at most `NUMBERS`.
        length: of the rows.

    Raises:
        ExperimentError: there are no such numbers, or rows are too short.
    """
    _refuse(symbols=symbols)
    times = _times(generator, number, hops)
    order = np.argsort(generator.random((number, symbols)), 1)
    begun = generator.integers(symbols, size=number)
    found = begun
    for step in range(int(times.max(initial=0))):
        found = np.where(step < times, order[np.arange(number), found], found)
    given = np.column_stack([order, times, begun])
    return _examples("chase", given, _numbers(found[:, None]), times, length)


def modular_composition(
    generator: np.random.Generator,
    number: int,
    hops: int | tuple[int, int],
    *,
    modulus: int = 5,
    length: int = LENGTH,
) -> Examples:
    """A number after a chain of additions and multiplications, each modulo the same number.

    Args:
        generator: draws all.
        number: of examples.
        hops: operations, or the fewest and the most of them, at most 6; they are the difficulty.
        modulus: at most `NUMBERS`.
        length: of the rows.

    Raises:
        ExperimentError: there are no such numbers, or rows are too short.
    """
    _refuse(modulus=modulus)
    times = _times(generator, number, hops, most=6)
    most = int(times.max(initial=1))
    terms = generator.integers(modulus, size=(number, most))
    factors = generator.random((number, most)) < 0.5
    begun = generator.integers(modulus, size=number)
    found = begun
    rows = [_numbers(begun[:, None])]
    for step in range(most):
        used, term = step < times, terms[:, step]
        after = np.where(factors[:, step], found * term, found + term) % modulus
        found = np.where(used, after, found)
        word = np.where(factors[:, step], _MARK["times"], _MARK["plus"])
        rows.append(np.where(used[:, None], np.column_stack([word, _FIRST + term]), PADDING))
    return _closed("compose", np.column_stack(rows), _numbers(found[:, None]), times, length)


def copying(
    generator: np.random.Generator,
    number: int,
    *,
    items: int = 4,
    symbols: int = 8,
    length: int = LENGTH,
) -> Examples:
    """A list said again; its difficulty is 1.

    Args:
        generator: draws the lists.
        number: of examples.
        items: of a list, which the answer has as many of.
        symbols: to draw from.
        length: of the rows.

    Raises:
        ExperimentError: there are no such numbers, or rows are too short.
    """
    _refuse(symbols=symbols)
    given = generator.integers(symbols, size=(number, items))
    return _examples("copy", given, _numbers(given), np.ones(number, int), length)


def comparison(
    generator: np.random.Generator, number: int, *, symbols: int = NUMBERS, length: int = LENGTH
) -> Examples:
    """Whether the first of two numbers is less, the same or more; its difficulty is 1."""
    _refuse(symbols=symbols)
    given = generator.integers(symbols, size=(number, 2))
    answer = _MARK["same"] + np.sign(given[:, 0] - given[:, 1])
    return _examples("compare", given, answer[:, None], np.ones(number, int), length)


def addition(
    generator: np.random.Generator, number: int, *, modulus: int = NUMBERS, length: int = LENGTH
) -> Examples:
    """The sum of two numbers modulo a number; its difficulty is 1."""
    _refuse(modulus=modulus)
    given = generator.integers(modulus, size=(number, 2))
    found = given.sum(1, keepdims=True) % modulus
    return _examples("add", given, _numbers(found), np.ones(number, int), length)


TASKS: Mapping[str, Callable[..., Examples]] = {
    "pointer_chasing": pointer_chasing,
    "modular_composition": modular_composition,
    "copying": copying,
    "comparison": comparison,
    "addition": addition,
}


def joined(*parts: Examples) -> Examples:
    """Examples of several tasks, one after the other.

    Raises:
        ExperimentError: there are none, or their rows are of different lengths.
    """
    if len({part.tokens.shape[1] for part in parts}) != 1:
        lengths = [part.tokens.shape[1] for part in parts]
        raise ExperimentError(f"rows of lengths {lengths} cannot be joined")
    widest = max(part.answers.shape[1] for part in parts)
    answers = [
        np.pad(part.answers, ((0, 0), (0, widest - part.answers.shape[1]))) for part in parts
    ]
    return Examples(
        np.concatenate([part.tokens for part in parts]),
        np.concatenate([part.start for part in parts]),
        np.concatenate(answers),
        np.concatenate([part.difficulty for part in parts]),
    )


def graded(answers: Int[ArrayLike, "N A"], made: Int[ArrayLike, "N M"]) -> Bool[np.ndarray, "N"]:
    """Which of the answers that were made are right, in every token that the true one has.

    Args:
        answers: as of `Examples`.
        made: tokens made after the prompts, at least as many; what follows an answer counts for nothing.

    Raises:
        ExperimentError: they are of other rows, or shorter than the answers.
    """
    true, given = np.asarray(answers), np.asarray(made)
    longest = int((true != PADDING).sum(1).max(initial=0)) if true.ndim == 2 else 0
    if true.ndim != 2 or given.ndim != 2 or len(true) != len(given) or given.shape[1] < longest:
        raise ExperimentError(f"answers of shape {true.shape} do not grade {given.shape}")
    shared = min(true.shape[1], given.shape[1])
    true, given = true[:, :shared], given[:, :shared]
    return ((true == given) | (true == PADDING)).all(1)


def _numbers(found: np.ndarray) -> np.ndarray:
    return found + _FIRST


def _times(
    generator: np.random.Generator,
    number: int,
    hops: int | tuple[int, int],
    most: int = NUMBERS - 1,
) -> np.ndarray:
    low, high = (hops, hops) if isinstance(hops, int) else hops
    if not 0 <= low <= high <= most:
        raise ExperimentError(f"from 0 to {most} hops can be asked for, not {hops}")
    return generator.integers(low, high + 1, size=number)


def _refuse(**numbers: int) -> None:
    for name, given in numbers.items():
        if not 2 <= given <= NUMBERS:
            raise ExperimentError(f"{name} are from 2 to {NUMBERS}, not {given}")


def _examples(
    mark: str, given: np.ndarray, answers: np.ndarray, difficulty: np.ndarray, length: int
) -> Examples:
    return _closed(mark, _numbers(given), answers, difficulty, length)


def _closed(
    mark: str, given: np.ndarray, answers: np.ndarray, difficulty: np.ndarray, length: int
) -> Examples:
    """Rows of the mark, the words given (padding among them is left out), "=" and the answer."""
    number, after = len(given), answers.shape[1]
    needed = given.shape[1] + after + 2
    if number < 1 or length < needed:
        raise ExperimentError(
            f"cannot make {number} examples of {length} tokens: {mark} takes up to {needed}"
        )
    # A stable sort brings padding to the end.
    order = np.argsort(given == PADDING, 1, kind="stable")
    tokens = np.full((number, length), PADDING, np.int32)
    tokens[:, 0] = _MARK[mark]
    tokens[:, 1 : 1 + given.shape[1]] = np.take_along_axis(given, order, 1)
    start = (given != PADDING).sum(1) + 2
    row = np.arange(number)
    tokens[row, start - 1] = _MARK["="]
    tokens[row[:, None], start[:, None] + np.arange(after)[None]] = answers
    return Examples(
        tokens, start.astype(np.int32), answers.astype(np.int32), difficulty.astype(np.int32)
    )
