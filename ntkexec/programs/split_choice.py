"""Whether hubs are split into trees before a program runs, by an estimate of what either way takes.

A program grows with the largest degree: a node listens at every port, into every slot. On the split
graph it is that of a small degree, whatever the graph, but runs on more nodes for more steps. With
L literals (conditions and outputs of all templates), n nodes and s steps a run takes about

    L (set-up + step n s) seconds,

since every literal is built, certified, learned and compiled once, and looked at by every node in
every step. The two coefficients are the engine's (`EngineSpec.seconds`).
Splitting divides L, multiplies n by N/n and s by the slowdown of the algorithm, 2h + 1 for trees of
depth h: n s only grows, so nothing is gained unless L falls by more. Where networks for split graphs
come along (`ntkexec.universal`) nothing is trained, and both coefficients are smaller.
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from ntkexec.errors import EnsembleError, NtkexecError, ProgramError
from ntkexec.graphs import Graph
from ntkexec.graphs.splitting import LEAST_DEGREE, SplitGraph, split
from ntkexec.program import limits
from ntkexec.program.work import Work
from ntkexec.programs import inputs
from ntkexec.programs.instance import Algorithm, Instance
from ntkexec.vocabulary import ALGORITHM_NAMES, SplitDegree

LOG = logging.getLogger("ntkexec")

WORTH_SECONDS = 5.0
"""A split run has another program, more nodes and more steps to look at: for less nothing is split."""


SPLIT, DEPTH_BITS = "-split", "depth_bits"
"""What names of programs for split graphs end in, and the size that they alone have."""

LEAST_HUB = 2 * LEAST_DEGREE + 1
"""A program for fewer neighbours is so small that nothing is weighed."""


Seconds = Callable[[Work], float]
"""About how long an engine takes for a run."""

# Any, here and below: what an algorithm asks is of many types.
Ready = Callable[[Algorithm, Graph | SplitGraph, Mapping[str, Any]], Instance | None]
"""An algorithm on a graph, with the sizes of networks that come along; None where none serve it."""


def none_ready(
    algorithm: Algorithm, where: Graph | SplitGraph, asked: Mapping[str, Any]
) -> Instance | None:
    """A `Ready` without any networks."""
    return None


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
    return whole.literals > limit or seconds(whole) - seconds(parts) > WORTH_SECONDS


def split_if_faster(
    algorithm: Algorithm,
    graph: Graph,
    seconds: Seconds,
    asked: Mapping[str, Any],
    ready: Ready = none_ready,
) -> Instance | None:
    """The algorithm on the split graph; None where by the estimate the graph as it is is better.

    Args:
        algorithm: what runs.
        graph: where.
        seconds: of the engine.
        asked: what the algorithm asks, by name.
        ready: for networks that come along.

    Raises:
        NtkexecError: an input that does not fit.
    """
    if algorithm.split is None or algorithm.work is None or graph.degree < LEAST_HUB:
        return None
    whole, limit = algorithm.work(graph, **asked), limits.max_literals()
    # Nothing that takes so little is worth weighing, for which the other program is built.
    if whole.literals <= limit and seconds(whole) <= WORTH_SECONDS:
        return None
    trees = split(graph, LEAST_DEGREE)
    try:
        instance, parts = prepared(algorithm, trees, asked, ready)
    except ProgramError as error:
        LOG.info("not split: %s", error)
        return None
    if not pays(whole, parts, seconds, limit=limit):
        return None
    LOG.info(
        "split: about %.0f s instead of %.0f s on the graph as it is",
        seconds(parts),
        seconds(whole),
    )
    return instance


def prepared(
    algorithm: Algorithm, trees: SplitGraph, asked: Mapping[str, Any], ready: Ready = none_ready
) -> tuple[Instance, Work]:
    """The algorithm on a split graph, for networks that come along if they serve it, and its work.

    Args:
        algorithm: with a `split`.
        trees: the split graph.
        asked: what the algorithm asks, by name.
        ready: for networks that come along.

    Raises:
        NtkexecError: an input that does not fit.
    """
    assert algorithm.split is not None
    found = ready(algorithm, trees, asked)
    instance = algorithm.split(trees, **asked) if found is None else found
    return instance, work_of(instance, ready=found is not None)


def work_of(instance: Instance, *, ready: bool) -> Work:
    """What a run does, about.

    One until nothing changes is taken for one of as many rounds as there are hops from the first node to
    the farthest, and one more.

    Args:
        instance: what runs.
        ready: whether networks for it come along.
    """
    steps, trees = instance.num_steps, instance.split
    if instance.until == "fixed-point":
        slowdown = 1 if trees is None else instance.slowdown or 2 * max(1, trees.depth) + 1
        hops = inputs.rounds_needed(instance.graph, [0])
        steps = min(steps, slowdown * (hops + 1) * instance.program.round_length)
    return Work(
        instance.program.num_nonzeros,
        instance.executed_graph.num_nodes,
        steps,
        ready=ready,
        halts=instance.until == "halt",
    )


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


def refuse_unlearned(algorithm: Algorithm, asked: int | None, sizes: Mapping[str, int]) -> None:
    """Raises if networks are to run on a split graph, or on one as it is, and have learned the other program.

    Args:
        algorithm: what is to run.
        asked: the degree to split at; None for the graph as it is.
        sizes: of the program that they learned.

    Raises:
        EnsembleError: they learned the other one.
    """
    if algorithm.same_program or (asked is not None) == (DEPTH_BITS in sizes):
        return
    learned, instead = "graphs as they are", "train some for split graphs"
    if asked is None:
        learned, instead = "split graphs", "leave it out"
    raise EnsembleError(
        f"the ensemble learned {algorithm.name} on {learned}; with --split-degree "
        f"{'none' if asked is None else asked} another program runs: {instead}"
    )
