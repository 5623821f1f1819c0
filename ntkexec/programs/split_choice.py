"""Whether hubs are split into trees before a program runs, by an estimate of what either way takes.

A program grows with the largest degree: a node listens at every port, into every slot. On the split
graph it is that of a small degree, whatever the graph, but runs on more nodes for more steps. With
L literals (conditions and outputs of all templates), n nodes and s steps a run takes about

    L (set-up + step n s) seconds,

since every literal is built, certified, learned and compiled once, and looked at by every node in
every step. The two coefficients are the engine's (`EngineSpec.seconds`).
Splitting divides L, multiplies n by N/n and s by the slowdown of the algorithm, 2h + 1 for trees of
depth h: n s only grows, so nothing is gained unless L falls by more.
"""

import dataclasses
import logging
from collections.abc import Callable, Mapping
from typing import Any

from ntkexec.errors import NtkexecError, ProgramError
from ntkexec.graphs import Graph
from ntkexec.graphs.splitting import LEAST_DEGREE, SplitGraph, split
from ntkexec.program import limits
from ntkexec.programs import inputs
from ntkexec.programs.instance import Algorithm, Instance
from ntkexec.vocabulary import ALGORITHM_NAMES, SplitDegree

LOG = logging.getLogger("ntkexec")

WORTH_SECONDS = 10.0
"""A split run has another program, more nodes and more steps to look at: for less nothing is split."""


SPLIT, DEPTH_BITS = "-split", "depth_bits"
"""What names of programs for split graphs end in, and the size that they alone have."""

LEAST_HUB = 2 * LEAST_DEGREE + 1
"""A program for fewer neighbours is so small that the trees are not even counted."""


@dataclasses.dataclass(frozen=True)
class Work:
    """What a run does.

    Args:
        literals: conditions and outputs of all templates.
        nodes: that it is executed on.
        steps: of all nodes.
    """

    literals: int
    nodes: int
    steps: int


Seconds = Callable[..., float]
"""`seconds(literals=, nodes=, steps=)`: about how long an engine takes."""


def pays(whole: Work, parts: Work, seconds: Seconds, *, limit: int) -> bool:
    """Whether to split.

    Args:
        whole: the run on the graph as it is.
        parts: the run on the split graph.
        seconds: of either.
        limit: most literals of a program that is built.
    """
    if parts.literals > limit:
        return False
    saved = seconds(**vars(whole)) - seconds(**vars(parts))
    return whole.literals > limit or saved > WORTH_SECONDS


# Any, here and below: what an algorithm asks is of many types.
def chosen_degree(
    algorithm: Algorithm, graph: Graph, seconds: Seconds, given: Mapping[str, Any]
) -> int | None:
    """The degree to split at by the estimate; None to run on the graph as it is.

    Args:
        algorithm: what runs.
        graph: where.
        seconds: of the engine.
        given: inputs of the algorithm, by name; others are passed over.

    Raises:
        NtkexecError: an input that does not fit.
    """
    if algorithm.split is None or algorithm.literals is None or graph.degree < LEAST_HUB:
        return None
    asked = {name: given[name] for name in algorithm.inputs if given.get(name) is not None}
    trees = split(graph, LEAST_DEGREE)
    try:
        instance = algorithm.split(trees, **asked)
    except ProgramError as error:
        LOG.info("not split: %s", error)
        return None
    whole, parts = works(algorithm, trees, instance)
    if not pays(whole, parts, seconds, limit=limits.max_literals()):
        return None
    LOG.info(
        "split: about %.0f s instead of %.0f s on the graph as it is",
        seconds(**vars(parts)),
        seconds(**vars(whole)),
    )
    return LEAST_DEGREE


def works(algorithm: Algorithm, trees: SplitGraph, instance: Instance) -> tuple[Work, Work]:
    """The run on the graph as it is, whose program is not built, and the one on the split graph.

    A run until nothing changes is taken for one of as many rounds as there are hops from the first
    node to the farthest, and one more.

    Args:
        algorithm: with `literals`.
        trees: the split graph.
        instance: the algorithm on it.
    """
    assert algorithm.literals is not None
    graph, steps = trees.original, instance.num_steps
    slowdown = instance.slowdown or 2 * max(1, trees.depth) + 1
    if instance.until == "fixed-point":
        hops = inputs.rounds_needed(graph, [0])
        steps = min(steps, slowdown * (hops + 1) * instance.program.round_length)
    kept = {name: size for name, size in instance.sizes.items() if name != DEPTH_BITS}
    sizes = kept | {"degree": graph.degree, "slots": graph.num_colours}
    whole = Work(algorithm.literals(**sizes), graph.num_nodes, -(-steps // slowdown))
    return whole, Work(instance.program.num_nonzeros, trees.graph.num_nodes, steps)


def degree_learned(algorithm: Algorithm, graph: Graph, sizes: Mapping[str, int]) -> int | None:
    """The degree to split at for networks that have been trained; None for the graph as it is.

    Args:
        algorithm: what is to run.
        graph: where.
        sizes: of the program that they learned.
    """
    degree = sizes.get("degree", 0)
    if DEPTH_BITS in sizes:
        return max(LEAST_DEGREE, degree)
    # Where one program does for both, only what does not fit is split.
    needed = algorithm.same_program and degree < graph.degree
    return degree if needed and degree >= LEAST_DEGREE else None


def split_name(algorithm: str) -> str:
    """The name of the program that an algorithm has on split graphs."""
    name = algorithm + SPLIT
    return name if name in ALGORITHM_NAMES else algorithm


def refuse_own(asked: SplitDegree) -> None:
    """Raises NtkexecError if somebody's own program is to run on a split graph."""
    if isinstance(asked, int):
        raise NtkexecError(
            f"a split degree of {asked} is for shipped algorithms; a program of one's own runs on the graph "
            "that it is given (ntkexec.graphs.split makes one)"
        )


def refuse_whole(algorithm: Algorithm) -> None:
    """Raises NtkexecError for a program of split graphs, which can run on no other."""
    if algorithm.name.endswith(SPLIT):
        plain = algorithm.name.removesuffix(SPLIT)
        raise NtkexecError(
            f"{algorithm.name} runs on split graphs; {plain} runs on the graph as it is"
        )
