"""Questions with all their choices in one row, walked through a decoder's blocks with nothing run twice.

A row is the prompt and then every choice, each of which sees the prompt and itself and stands at the places
after the prompt, so that the prompt is computed once for all choices. A walker takes many questions
through the blocks, each along a path of its own: rows that skip a block are not computed, and paths of the
same question share what their beginnings have in common. What is given is believed;
`checked_packed` looks at it.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from experiments.kits.transformer.decoder import (
    Params,
    Shape,
    block_of,
    keys_and_values,
    logits,
)
from experiments.language.dr_llm.paths import Counts
from ntkexec.errors import ExperimentError

State = dict[tuple[int, Counts], np.ndarray]
"""States of questions after beginnings of paths."""
PROMPT, NOTHING = -1, -2
ROWS = (2, 4, 8)
"""Rows of one call of a block, for each of which a program is compiled; the last call is filled up."""


@dataclasses.dataclass(frozen=True, eq=False)
class Packed:
    """Questions with their choices.

    Args:
        tokens: of prompt and choices, one after the other.
        place: at which a token stands: those of every choice follow the prompt.
        owner: the choice of each token; `PROMPT`, or `NOTHING` where a row is filled up.
        starts: tokens of each prompt.
        choices: of each question.
    """

    tokens: Int[np.ndarray, "N T"]
    place: Int[np.ndarray, "N T"]
    owner: Int[np.ndarray, "N T"]
    starts: Int[np.ndarray, "N"]
    choices: Int[np.ndarray, "N"]

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def before(self) -> Int[np.ndarray, "N T"]:
        """The token that predicts each: the one before it, for a choice's first the prompt's last."""
        here = np.broadcast_to(np.arange(self.tokens.shape[1])[None], self.tokens.shape)
        first = (self.owner >= 0) & (self.place == self.starts[:, None])
        return np.where(first, self.starts[:, None] - 1, np.maximum(here - 1, 0))


def pack(
    prompts: Sequence[Sequence[int]], choices: Sequence[Sequence[Sequence[int]]], length: int
) -> Packed:
    """Questions as rows of one length.

    Args:
        prompts: tokens of each, at least one.
        choices: of each question, tokens of each, at least one.
        length: of the rows.

    Raises:
        ExperimentError: something is empty, or does not fit.
    """
    shape = (len(prompts), length)
    tokens, place = np.zeros(shape, np.int32), np.zeros(shape, np.int32)
    owner = np.full(shape, NOTHING, np.int32)
    for row, (prompt, several) in enumerate(zip(prompts, choices, strict=True)):
        needed = room_of(prompt, several)
        if not prompt or not several or not all(several) or needed > length:
            raise ExperimentError(
                f"question {row} needs {needed} of {length} tokens, and tokens in every part"
            )
        at = len(prompt)
        tokens[row, :at], place[row, :at], owner[row, :at] = prompt, np.arange(at), PROMPT
        for number, choice in enumerate(several):
            here = slice(at, at + len(choice))
            tokens[row, here], owner[row, here] = choice, number
            place[row, here] = len(prompt) + np.arange(len(choice))
            at += len(choice)
    starts = np.array([len(prompt) for prompt in prompts], np.int32)
    return Packed(tokens, place, owner, starts, np.array([len(several) for several in choices]))


def room_of(prompt: Sequence[int], choices: Sequence[Sequence[int]]) -> int:
    """Tokens of a question's row."""
    return len(prompt) + sum(map(len, choices))


class Walker:
    """Takes questions through a decoder's blocks.

    Args:
        params, shape: of the decoder.
        packed: the questions.
    """

    def __init__(self, params: Params, shape: Shape, packed: Packed) -> None:
        self.params, self.shape, self.packed = jax.tree.map(jnp.asarray, params), shape, packed
        self.calls = self.wanted = 0
        """Calls of blocks on rows that were made, and that paths taken one by one would make."""

    def begin(self, rows: Sequence[int]) -> list[np.ndarray]:
        """States of questions before the first block."""
        table = np.asarray(self.params["embedding"])
        return list(table[self.packed.tokens[list(rows)]])

    def apply(
        self, block: int, hidden: Sequence[np.ndarray], rows: Sequence[int]
    ) -> list[np.ndarray]:
        """What a block makes of the states of these questions."""
        found: list[np.ndarray] = []
        self.calls += len(rows)
        for part, own in self._parts(hidden, rows):
            packed = (self.packed.place[own], self.packed.owner[own])
            found += list(np.asarray(_block(self.params, self.shape, block, part, *packed)))
        return found[: len(rows)]

    def scores(self, hidden: Sequence[np.ndarray], rows: Sequence[int]) -> list[np.ndarray]:
        """Log-likelihood of every choice of these questions, from states after the last block."""
        packed, found = self.packed, []
        answers = int((packed.owner >= 0).sum(1).max())
        for part, own in self._parts(hidden, rows):
            # Tokens of choices first, as many as any row has.
            order = np.argsort(packed.owner[own] < 0, 1, kind="stable")[:, :answers]
            taken = [np.take_along_axis(x[own], order, 1) for x in (packed.before, packed.tokens)]
            told = np.asarray(_told(self.params, self.shape, part, *taken), np.float64)
            owner = np.take_along_axis(packed.owner[own], order, 1)
            most = packed.choices.max()
            sums = np.stack([np.where(owner == c, told, 0).sum(1) for c in range(most)], 1)
            found += list(sums)
        return [
            one[: packed.choices[row]] for one, row in zip(found[: len(rows)], rows, strict=True)
        ]

    def along(
        self,
        rows: Sequence[int],
        paths: Sequence[Counts],
        known: State | None = None,
        keep: Callable[[tuple[int, Counts], np.ndarray], None] | None = None,
    ) -> list[np.ndarray]:
        """Scores of questions along paths, a question as often as it has paths to ask for.

        Args:
            rows, paths: of each question the path.
            known: states after beginnings of paths, by question and counts so far.
            keep: told every state that is computed.
        """
        known = known or {}
        asked = list(zip(rows, paths, strict=True))
        self.wanted += sum(map(sum, paths))
        blocks = range(self.shape.blocks + 1)
        deepest = [
            max((n for n in blocks if (row, path[:n]) in known), default=0) for row, path in asked
        ]
        fresh = sorted({row for row, _ in asked if (row, ()) not in known})
        begun = {(row, ()): one for row, one in zip(fresh, self.begin(fresh), strict=True)}
        state = begun | {
            (row, path[:n]): known[row, path[:n]]
            for (row, path), n in zip(asked, deepest, strict=True)
            if (row, path[:n]) in known
        }
        for block in range(self.shape.blocks):
            level = {
                (row, path[: block + 1])
                for (row, path), n in zip(asked, deepest, strict=True)
                if n <= block
            }
            done: State = {}
            for times in range(max((path[-1] for _, path in level), default=-1) + 1):
                # A block that runs twice has run once on the way.
                some = sorted({(row, (*p[:-1], times)) for row, p in level if p[-1] >= times})
                done |= {one: known[one] for one in some if one in known}
                new = [one for one in some if one not in known]
                made = [
                    done[row, (*p[:-1], times - 1)] if times else state[row, p[:-1]]
                    for row, p in new
                ]
                if times and new:
                    made = self.apply(block, made, [row for row, _ in new])
                done |= dict(zip(new, made, strict=True))
            if keep is not None:
                for one, found in done.items():
                    keep(one, found)
            later = {one: x for one, x in state.items() if len(one[1]) > block}
            state = later | {one: x for one, x in done.items() if one in level}
        return self.scores([state[one] for one in asked], rows)

    def decided(
        self,
        rows: Sequence[int],
        decide: Callable[[int, np.ndarray, Int[np.ndarray, "B"]], Int[np.ndarray, "B"]],
    ) -> tuple[list[np.ndarray], Int[np.ndarray, "B L"]]:
        """Scores of questions whose next count is decided from the states before each block.

        Args:
            rows: questions, each once.
            decide: from a block, states (B, T, D) and questions to how often it runs on each.
        """
        hidden, own = self.begin(rows), np.asarray(rows)
        decisions = np.zeros((len(rows), self.shape.blocks), int)
        for block in range(self.shape.blocks):
            times = decisions[:, block] = decide(block, np.stack(hidden), own)
            for turn in range(int(times.max(initial=0))):
                which = np.flatnonzero(times > turn)
                made = self.apply(block, [hidden[i] for i in which], own[which].tolist())
                for place, one in zip(which, made, strict=True):
                    hidden[place] = one
        self.wanted += int(decisions.sum())
        return self.scores(hidden, rows), decisions

    def _parts(self, hidden: Sequence[np.ndarray], rows: Sequence[int]) -> Any:
        start = 0
        while start < len(rows):
            size = next((one for one in ROWS if one >= len(rows) - start), ROWS[-1])
            place = np.minimum(np.arange(start, start + size), len(rows) - 1)
            yield np.stack([hidden[one] for one in place]), np.asarray(rows)[place]
            start += size


@functools.partial(jax.jit, static_argnames="shape")
def _block(
    params: Params, shape: Shape, number: Array, hidden: Array, place: Array, owner: Array
) -> Float[Array, "R T D"]:
    block = jax.tree.map(
        lambda leaf: jax.lax.dynamic_index_in_dim(leaf, number, keepdims=False), params["blocks"]
    )
    order = jnp.arange(place.shape[1])
    earlier = (order[:, None] >= order[None])[None]
    same = (owner[:, :, None] == owner[:, None]) | (owner[:, None] == PROMPT)
    sees = earlier & same & (owner[:, None] != NOTHING)
    keys, values = keys_and_values(block, shape, hidden, place, None)
    return block_of(block, shape, hidden, place, keys, values, sees, None)


@functools.partial(jax.jit, static_argnames="shape")
def _told(params: Params, shape: Shape, hidden: Array, before: Array, tokens: Array) -> Array:
    found = logits(params, shape, jnp.take_along_axis(hidden, before[..., None], 1))
    chosen = jnp.take_along_axis(found, tokens[..., None], -1)[..., 0]
    return chosen - jax.nn.logsumexp(found, -1)
