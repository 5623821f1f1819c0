"""Is a fusion's gain its peers', or its parameters'? Every text is given the peers of another one.

A *fusion* is any function of several models' tokens that gives one model's logits. What is left of its gain
when all models but the one that reads on have read another text was never the peers' thought.

```python
import numpy as np
from experiments.kits.transformer.peers import swap_report


def fused(streams, real):  # the peer knows what comes next, and the reader adds a constant of its own
    return np.eye(5)[np.roll(streams[1], -1, 1)] + 0.1


def alone(streams, real):
    return np.zeros((*streams[0].shape, 5))


def grade(logits):  # of the right next token, text by text
    return np.take_along_axis(logits[:, :-1], text[:, 1:, None], 2).mean((1, 2))


generator = np.random.default_rng(0)
text = generator.integers(5, size=(200, 8))
report = swap_report(fused, (text, text), grade, generator=generator, alone=alone)
print(report.gain, report.left)  # 1.1, and about 0.27 of it: (0.1 + 1 / 5) / 1.1
```

Whether it is causal is asked by `latent.causality_report`.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import ArrayLike, Bool, Float64, Int

from ntkexec.errors import ExperimentError

Streams = tuple[Int[np.ndarray, "B T_m"], ...]
"""Tokens that each model reads, model by model."""
Masks = tuple[Bool[np.ndarray, "B T_m"], ...]
"""Which of them are no padding."""
Fusion = Callable[[Streams, Masks], Any]
"""Gives logits (B, T, V), or whatever has texts in front."""


@dataclasses.dataclass(frozen=True)
class SwapReport:
    """Grades of texts with their own peers, with another text's, and without any.

    Args:
        own, foreign: a grade for every text.
        alone: the same of what is compared with; none if nothing was given.
    """

    own: Float64[np.ndarray, "B"]
    foreign: Float64[np.ndarray, "B"]
    alone: Float64[np.ndarray, "B"] | None = None

    @property
    def gain(self) -> float:
        """Mean grade with own peers, less that alone.

        Raises:
            ExperimentError: nothing to compare with was given.
        """
        if self.alone is None:
            raise ExperimentError("a gain needs `alone`: what the fusion is compared with")
        return float((self.own - self.alone).mean())

    @property
    def left(self) -> float:
        """The part of the gain that foreign peers leave: 0 if it was all theirs, 1 if it never was.

        Not a number where there is no gain to be parted.
        """
        if not self.gain > 0 or self.alone is None:
            return float("nan")
        return float((self.foreign - self.alone).mean()) / self.gain


def swap_report(
    fusion: Fusion,
    streams: Sequence[Int[ArrayLike, "B T_m"]] | Int[ArrayLike, "M B T"],
    grade: Callable[[Any], ArrayLike],
    *,
    generator: np.random.Generator,
    reader: int | Int[ArrayLike, "B"] = 0,
    real: Sequence[Bool[ArrayLike, "B T_m"]] | None = None,
    alone: Fusion | None = None,
) -> SwapReport:
    """Grades before and after every text got the peers of another text.

    A grade that stays where it was says that the fusion's gain, if it has one, comes from the parameters that
    it added to the reader, and not from what its peers think.

    Args:
        fusion, streams, reader, real: as for `latent.causality_report`. What decides who takes part, such
            as a router, should not read the peers' streams, or it is swapped as well.
        grade: logits to one number a text, (B,); more is better.
        generator: draws whose peers a text gets; see `foreign_peers`.
        alone: what the fusion is compared with, called in the same way.

    Raises:
        ExperimentError: one text alone; shapes that do not fit.
    """
    given, masks = checked_streams(streams, real)
    swapped = foreign_peers(given, generator=generator, reader=reader, real=masks)

    def graded(how: Fusion, tokens: Streams, known: Masks) -> Float64[np.ndarray, "B"]:
        found = np.asarray(grade(how(tokens, known)), np.float64)
        if found.shape != (len(given[0]),):
            raise ExperimentError(f"grades have the shape {found.shape}, not ({len(given[0])},)")
        return found

    lone = None if alone is None else graded(alone, given, masks)
    return SwapReport(graded(fusion, given, masks), graded(fusion, *swapped), lone)


def foreign_peers(
    streams: Sequence[Int[ArrayLike, "B T_m"]] | Int[ArrayLike, "M B T"],
    *,
    generator: np.random.Generator,
    reader: int | Int[ArrayLike, "B"] = 0,
    real: Sequence[Bool[ArrayLike, "B T_m"]] | None = None,
) -> tuple[Streams, Masks]:
    """Streams and masks in which all but the reader's are those of another text.

    All peers of a text get the same other one, and every text is given once.

    Raises:
        ExperimentError: one text alone.
    """
    given, masks = checked_streams(streams, real)
    texts = len(given[0])
    if texts < 2:
        raise ExperimentError("peers are swapped between texts, and there is one alone")
    # One cycle through all texts in a random order: no text stays where it was.
    order, other = generator.permutation(texts), np.empty(texts, np.int64)
    other[order] = np.roll(order, 1)
    reads = np.broadcast_to(np.asarray(reader), (texts,))

    def swapped(one: np.ndarray, model: int) -> np.ndarray:
        return np.where((reads == model)[:, None], one, one[other])

    return (
        tuple(swapped(one, model) for model, one in enumerate(given)),
        tuple(swapped(one, model) for model, one in enumerate(masks)),
    )


def checked_streams(streams: Any, real: Any) -> tuple[Streams, Masks]:
    """Tokens and masks as NumPy arrays, model by model; without masks all tokens are real.

    Raises:
        ExperimentError: they are no whole numbers, or of differing numbers of texts, or the masks are of
            other shapes or not true or false.
    """
    given = tuple(np.asarray(one) for one in streams)
    known = [np.ones(one.shape, bool) for one in given] if real is None else list(real)
    masks = tuple(np.asarray(one) for one in known)
    for one in given:
        if one.ndim != 2 or not np.issubdtype(one.dtype, np.integer) or len(one) != len(given[0]):
            raise ExperimentError(
                f"tokens {one.dtype} of shape {one.shape} are not whole numbers (texts, places), of as many "
                "texts for each model"
            )
    if [one.shape for one in masks] != [one.shape for one in given] or not given:
        raise ExperimentError(
            f"masks of shapes {[one.shape for one in masks]} are not those of {len(given)} models' tokens, "
            f"{[one.shape for one in given]}"
        )
    if any(one.dtype != bool for one in masks):
        raise ExperimentError("masks say true or false")
    return given, masks
