"""Runs of the program itself, for ensembles with too many possible match sets to list."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from ntkexec.executor import reachable
from ntkexec.graphs import message_passing
from ntkexec.program.problem import LearningProblem
from ntkexec.programs import Instance


class ProgramRun(NamedTuple):
    """A run of the program itself, on which match sets are collected.

    label: what to call it.
    senders: of every directed edge.
    receivers: likewise.
    initial: states before the first step; (n, k).
    num_steps: steps.
    """

    label: str
    senders: np.ndarray
    receivers: np.ndarray
    initial: Bool[np.ndarray, "n k"]
    num_steps: int

    @classmethod
    def of(cls, instance: Instance) -> "ProgramRun":
        """The run of an instance up to its last step."""
        graph = instance.executed_graph
        return cls(
            instance.graph.label,
            np.asarray(graph.tuple.senders),
            np.asarray(graph.tuple.receivers),
            np.asarray(instance.initial, bool),
            instance.num_steps,
        )


def sets_on(
    problem: LearningProblem, runs: Sequence[ProgramRun]
) -> tuple[Bool[np.ndarray, "s t"], ...]:
    """By component, the different sets of its templates that nodes match at some step of the runs."""
    graphs = [
        message_passing.graphs_tuple(
            run.senders, run.receivers, len(run.initial), nodes=run.initial
        )
        for run in runs
    ]
    steps = np.repeat([run.num_steps for run in runs], [len(run.initial) for run in runs])
    return reachable.occurring_sets(problem, message_passing.batch(graphs), num_steps=steps)
