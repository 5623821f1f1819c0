"""Questions and their walker as in `packed`, with all that is given looked at first.

The package's names are these; a study that makes its questions and paths itself calls what lies behind.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Int

from experiments.kits.transformer.decoder import Params, Shape, refuse_misfits
from experiments.language.dr_llm import packed as unchecked
from experiments.language.dr_llm.misfits import refuse_other_counts, refuse_other_numbers
from experiments.language.dr_llm.packed import Packed, State
from experiments.language.dr_llm.paths import Counts
from ntkexec.errors import ExperimentError


def pack(
    prompts: Sequence[Sequence[int]], choices: Sequence[Sequence[Sequence[int]]], length: int
) -> Packed:
    """Questions as rows of one length.

    Args:
        prompts: tokens of each, at least one.
        choices: of each question, tokens of each, at least one.
        length: of the rows.

    Raises:
        ExperimentError: there is no question, prompts and choices differ in number, something is empty
            or does not fit, or a token is no whole number from 0.
    """
    if not len(prompts) or len(prompts) != len(choices):
        raise ExperimentError(
            f"{len(prompts)} prompts need as many lists of choices, one at least, not {len(choices)}"
        )
    refuse_other_numbers(whole=True, length=(length, 1, np.inf))
    asked = [_tokens(prompt) for prompt in prompts]
    return unchecked.pack(asked, [[_tokens(one) for one in several] for several in choices], length)


def _tokens(given: Any) -> list[int]:
    found = np.asarray(given)
    if found.ndim != 1 or (found.size and not np.issubdtype(found.dtype, np.integer)):
        raise ExperimentError(
            f"tokens are a list of whole numbers, not {found.dtype} of shape {found.shape}"
        )
    if found.size and found.min() < 0:
        raise ExperimentError(f"tokens are numbers from 0, and {found.min()} is not")
    return [int(one) for one in found]


class Walker(unchecked.Walker):
    """Takes questions through a decoder's blocks.

    Args:
        params, shape: of the decoder.
        packed: the questions.

    Raises:
        ExperimentError: a question has tokens beyond the vocabulary; and see `decoder.refuse_misfits`.
    """

    def __init__(self, params: Params, shape: Shape, packed: Packed) -> None:
        refuse_misfits(params, shape, packed.tokens, None, None)
        super().__init__(params, shape, packed)

    def begin(self, rows: Sequence[int]) -> list[np.ndarray]:
        """States of questions before the first block.

        Raises:
            ExperimentError: there is no such question.
        """
        return super().begin(self._known(rows))

    def apply(
        self, block: int, hidden: Sequence[np.ndarray], rows: Sequence[int]
    ) -> list[np.ndarray]:
        """What a block makes of the states of these questions.

        Raises:
            ExperimentError: there is no such block or question, or not a state for each.
        """
        refuse_other_numbers(whole=True, block=(block, 0, self.shape.blocks))
        return super().apply(block, self._states(hidden, rows), self._known(rows))

    def scores(self, hidden: Sequence[np.ndarray], rows: Sequence[int]) -> list[np.ndarray]:
        """Log-likelihood of every choice of these questions, from states after the last block.

        Raises:
            ExperimentError: there is no such question, or not a state for each.
        """
        return super().scores(self._states(hidden, rows), self._known(rows))

    def along(
        self,
        rows: Sequence[int],
        paths: Sequence[Counts],
        known: State | None = None,
        keep: Callable[[tuple[int, Counts], np.ndarray], None] | None = None,
    ) -> list[np.ndarray]:
        """Scores of questions along paths, a question as often as it has paths to ask for.

        Args:
            rows, paths: of each question the path: how often each block runs.
            known: states after beginnings of paths, by question and counts so far.
            keep: told every state that is computed.

        Raises:
            ExperimentError: there is no such question, not a path for each, or one of other blocks or
                with a count that is no whole number from 0.
        """
        rows = self._known(rows)
        if len(paths) != len(rows):
            raise ExperimentError(f"{len(rows)} questions need as many paths, not {len(paths)}")
        for path in paths:
            refuse_other_counts([path], 1, self.shape.blocks)
        counts = [tuple(int(times) for times in path) for path in paths]
        return super().along(rows, counts, known, keep)

    def decided(
        self,
        rows: Sequence[int],
        decide: Callable[[int, np.ndarray, Int[np.ndarray, "B"]], Int[np.ndarray, "B"]],
    ) -> tuple[list[np.ndarray], Int[np.ndarray, "B L"]]:
        """Scores of questions whose next count is decided from the states before each block.

        Args:
            rows: questions, each once.
            decide: from a block, states (B, T, D) and questions to how often it runs on each.

        Raises:
            ExperimentError: there is no such question, none at all, or one twice; or what was decided is
                no whole number from 0 for each.
        """
        rows = self._known(rows)
        if not rows or len(set(rows)) < len(rows):
            raise ExperimentError(f"questions are decided each once, one at least, not {rows}")

        def obeyed(block: int, hidden: np.ndarray, own: np.ndarray) -> np.ndarray:
            times = np.asarray(decide(block, hidden, own))
            refuse_other_counts(times[..., None], len(rows), 1)
            return times

        return super().decided(rows, obeyed)

    def _known(self, rows: Sequence[int]) -> list[int]:
        """These questions, if there are such."""
        found = np.asarray(rows)
        whole = np.issubdtype(found.dtype, np.integer) or not found.size
        number = len(self.packed)
        if found.ndim != 1 or not whole:
            raise ExperimentError(f"questions are a list of whole numbers, not {rows!r}")
        wrong = found[(found < 0) | (found >= number)]
        if wrong.size:
            raise ExperimentError(
                f"questions are numbers from 0 to {number - 1}, and {wrong[0]} is not"
            )
        return [int(one) for one in found]

    def _states(self, hidden: Sequence[np.ndarray], rows: Sequence[int]) -> Sequence[np.ndarray]:
        """These states, if there is one for each question."""
        wanted = (self.packed.tokens.shape[1], self.shape.width)
        wrong = [np.shape(one) for one in hidden if np.shape(one) != wanted]
        if len(hidden) != len(rows) or wrong:
            raise ExperimentError(
                f"{len(rows)} questions need as many states of shape {wanted}, not {len(hidden)}"
                + (f" and one of shape {wrong[0]}" if wrong else "")
            )
        return hidden
