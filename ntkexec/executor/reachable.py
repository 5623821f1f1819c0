"""What nodes meet when a program runs by itself: the distinct match sets of every component.

A correct execution visits the states of the program's own and no others. So what is decided right at
these sets is decided right throughout the execution, and of other executions that says nothing.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, UInt8

from ntkexec.executor.buckets import filled
from ntkexec.executor.encoding import Encoding, encode, index_arrays
from ntkexec.executor.loop import exchange_bits
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime import compilation
from ntkexec.theory.match_bound import NEVER, MatchBound

# Updates of nodes, and steps, that one call of compiled code makes.
UPDATES_TOGETHER, STEPS_TOGETHER = 1 << 16, 64
# Rows that are gathered before they are sorted by component.
GATHERED_ROWS = 1 << 18


def occurring_sets(
    problem: LearningProblem,
    graphs: GraphsTuple,
    *,
    num_steps: int | Int[np.ndarray, "n"],
    report: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Bool[np.ndarray, "u s"], ...]:
    """By component the different sets of its templates that nodes match before some step.

    Args:
        problem: templates divided among networks.
        graphs: one graph or a batch; `nodes` are the initial states, (n, k).
        num_steps: steps of the execution; by node if graphs of a batch run for different times.
        report: called with the steps that are done, and all.

    Returns:
        The sets, one a row, in increasing order of rows; (sets, templates of the component).
    """
    num_nodes = len(graphs.nodes)
    given = filled(graphs, np.ones(num_nodes, bool)).graphs
    states = given.nodes.T
    steps_of = np.broadcast_to(num_steps, num_nodes)
    total = int(steps_of.max(initial=0))
    together = max(1, min(STEPS_TOGETHER, UPDATES_TOGETHER // max(1, states.shape[1])))
    arrays = index_arrays(problem)
    found = [np.zeros((0, -(-len(c.templates) // 8)), np.uint8) for c in problem.components]
    gathered: list[np.ndarray] = []
    for start in range(0, total, together):
        (states, rows), _, _ = compilation.call(
            _steps,
            arrays,
            given._replace(nodes=None),
            states,
            num_steps=together,
            num_computation_bits=problem.program.layout.num_computation_bits,
        )
        counts = steps_of[None] > np.arange(start, start + together)[:, None]
        gathered.append(_distinct(np.asarray(rows)[:, :num_nodes][counts]))
        done = min(total, start + together)
        if sum(map(len, gathered)) > GATHERED_ROWS or done == total:
            _add(problem, found, _distinct(np.concatenate(gathered)))
            gathered = []
        report(done, total)
    return tuple(
        np.unpackbits(rows, axis=1, count=len(component.templates)).astype(bool)
        for rows, component in zip(found, problem.components, strict=True)
    )


def bound_of_sets(
    problem: LearningProblem, sets: Sequence[Bool[np.ndarray, "u s"]], basis: str
) -> MatchBound:
    """The bound on matches of which these sets are all that there are.

    Args:
        problem: templates divided among networks.
        sets: by component, as `occurring_sets` gives them.
        basis: where they are all, in words.
    """
    # A component that is never matched still gets the threshold of a single match.
    largest = np.array([max(1, matched.sum(axis=1).max(initial=0)) for matched in sets])
    fewest = np.full((problem.program.layout.num_bits, problem.max_matches + 1), NEVER)
    zeros = np.zeros(fewest.shape, bool)
    for index, (matched, component) in enumerate(zip(sets, problem.components, strict=True)):
        count = matched.sum(axis=1)
        written = matched.astype(int) @ problem.writes(index).astype(int)
        for bit, writers in zip(component.bits, written.T, strict=True):
            np.minimum.at(fewest[bit], count, np.where(writers > 0, writers, NEVER))
            zeros[bit, count[writers == 0]] = True
    return MatchBound(largest, fewest, zeros, basis)


def measured_bound(
    problem: LearningProblem, graphs: GraphsTuple, *, num_steps: int, label: str
) -> MatchBound:
    """The numbers of matches that occur when the program runs on given graphs.

    A certificate on this basis is complete for these graphs and initial states, and says nothing
    of others.

    Args:
        problem: templates divided among networks.
        graphs: the graphs; `nodes` are the initial states, (n, k).
        num_steps: steps of the execution.
        label: what to call the graphs in the bound's basis.
    """
    sets = occurring_sets(problem, graphs, num_steps=num_steps)
    return bound_of_sets(problem, sets, f"measured on {label}, {num_steps} steps")


def _steps(
    arrays: Encoding,
    graphs: GraphsTuple,
    states: Bool[Array, "k n"],
    *,
    num_steps: int,
    num_computation_bits: int,
) -> tuple[Bool[Array, "k n"], UInt8[Array, "s n b"]]:
    """Some steps of the program itself: the states after them, and what matched before each."""

    def step(states: Bool[Array, "k n"], _: None) -> tuple[Bool[Array, "k n"], UInt8[Array, "n b"]]:
        matches = encode(arrays, states)
        after, _met = exchange_bits(graphs, matches.matched_writers > 0, num_computation_bits)
        return after, jnp.packbits(matches.matched[:-1], axis=0).T

    return jax.lax.scan(step, states, None, length=num_steps)


def _distinct(rows: UInt8[np.ndarray, "r b"]) -> UInt8[np.ndarray, "d b"]:
    """Distinct rows, sorted; as opaque values, much faster than `unique` by axis."""
    opaque = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()
    return np.unique(opaque).view(np.uint8).reshape(-1, rows.shape[1])


def _add(problem: LearningProblem, found: list[np.ndarray], rows: np.ndarray) -> None:
    """Adds to every component's rows what rows over all templates are to its own."""
    matched = np.unpackbits(rows, axis=1, count=problem.program.num_templates)
    for index, component in enumerate(problem.components):
        own = np.packbits(matched[:, list(component.templates)], axis=1)
        found[index] = _distinct(np.concatenate([found[index], own]))
