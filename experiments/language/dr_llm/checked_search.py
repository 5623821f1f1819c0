"""Searches as in `search`, with all that is given looked at before the first path is asked for.

The package's names are these; a study that makes its searches itself calls what lies behind.
"""

import inspect
from collections.abc import Callable, Sequence

import numpy as np

from experiments.language.dr_llm import search
from experiments.language.dr_llm.misfits import refuse_other_numbers
from experiments.language.dr_llm.paths import Counts
from experiments.language.dr_llm.search import (
    BLINDLY,
    EXPLORATION,
    PENALTY,
    Search,
    Searched,
    Stop,
    never,
)
from ntkexec.errors import ExperimentError


def tree_search(
    blocks: int,
    budget: int,
    *,
    generator: np.random.Generator,
    exploration: float = EXPLORATION,
    penalty: float = PENALTY,
    blindly: float = BLINDLY,
    most: int = 2,
    stop: Stop = never,
) -> Search:
    """A tree whose every node can be expanded until its edits are used up; see `search.tree_search`.

    Args:
        blocks: of the decoder.
        budget: evaluations, the path of all blocks among them.
        generator: shuffles edits and takes children blindly.
        exploration, penalty: c and lambda.
        blindly: probability with which one of the options is taken whatever its score.
        most: times that a block may run.
        stop: ends the search early; see `search.as_published`.

    Raises:
        ExperimentError: names a number that has no meaning.
    """
    _refuse(blocks, budget, most=most)
    refuse_other_numbers(
        exploration=(exploration, -np.inf, np.inf),
        penalty=(penalty, -np.inf, np.inf),
        blindly=(blindly, 0, np.nextafter(1, 2)),
    )
    return search.tree_search(
        blocks,
        budget,
        generator=generator,
        exploration=exploration,
        penalty=penalty,
        blindly=blindly,
        most=most,
        stop=stop,
    )


def released_search(
    blocks: int,
    budget: int,
    *,
    generator: np.random.Generator,
    counted_blocks: int = 28,
    stop: Stop = never,
) -> Search:
    """The public code's search: only leaves are expanded; see `search.released_search`.

    Raises:
        ExperimentError: no blocks, or no budget.
    """
    _refuse(blocks, budget, counted_blocks=counted_blocks)
    return search.released_search(
        blocks, budget, generator=generator, counted_blocks=counted_blocks, stop=stop
    )


def uniform_edits(
    blocks: int, budget: int, *, generator: np.random.Generator, most: int = 2, stop: Stop = never
) -> Search:
    """A random edit of a random known path, again and again; see `search.uniform_edits`.

    Raises:
        ExperimentError: no blocks, no budget, or no time that a block may run.
    """
    _refuse(blocks, budget, most=most)
    return search.uniform_edits(blocks, budget, generator=generator, most=most, stop=stop)


def in_lockstep(
    searches: Sequence[Search],
    evaluate: Callable[[Sequence[int], Sequence[Counts]], Sequence[bool]],
) -> list[Searched]:
    """What all searches found, each round's paths evaluated together.

    Args:
        searches: one for every example, not begun.
        evaluate: from numbers of examples and a path for each to whether it is right.

    Raises:
        ExperimentError: a search has begun or is there twice, or not every path was judged.
    """
    for row, one in enumerate(searches):
        if inspect.getgeneratorstate(one) != inspect.GEN_CREATED:
            raise ExperimentError(f"search {row} has begun: each example needs a new one")
    if len({id(one) for one in searches}) < len(searches):
        raise ExperimentError("each example needs a search of its own, and one is there twice")

    def judged(rows: Sequence[int], paths: Sequence[Counts]) -> list[bool]:
        found = list(evaluate(rows, paths))
        if len(found) != len(paths):
            raise ExperimentError(f"{len(paths)} paths were asked about, and {len(found)} judged")
        return found

    return search.in_lockstep(searches, judged)


def _refuse(blocks: int, budget: int, **further: int) -> None:
    named = {"blocks": blocks, "budget": budget, **further}
    refuse_other_numbers(whole=True, **{name: (one, 1, np.inf) for name, one in named.items()})
