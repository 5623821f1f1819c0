"""Match sets that occur when the program itself runs, for ensembles with too many possible ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool

from ntkexec.program.program import Program
from ntkexec.programs import Instance


class Executed(NamedTuple):
    """An execution of the program itself, on which match sets were collected.

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


def executed(instance: Instance) -> Executed:
    """What `Executed` takes of an instance."""
    graph = instance.graph
    return Executed(
        graph.label,
        np.asarray(graph.tuple.senders),
        np.asarray(graph.tuple.receivers),
        np.asarray(instance.initial, bool),
        instance.num_steps,
    )


def occurring_sets(program: Program, executions: Sequence[Executed]) -> Bool[np.ndarray, "s t"]:
    """The different sets of templates that nodes match at some step, one a row.

    In plain NumPy, and so by another route than the executor.
    """
    conditions = [tuple(zip(*entry.condition, strict=True)) for entry in program.templates]
    writes = np.zeros((program.num_templates, program.layout.num_bits), bool)
    for index, entry in enumerate(program.templates):
        writes[index, list(entry.outputs)] = True
    first_message = program.layout.num_computation_bits
    found: list[np.ndarray] = []
    for one in executions:
        states = one.initial
        for _ in range(one.num_steps):
            matched = np.ones((len(states), len(conditions)), bool)
            for index, condition in enumerate(conditions):
                if condition:
                    bits, values = condition
                    matched[:, index] = (states[:, list(bits)] == np.array(values)).all(axis=1)
            found.append(np.unique(matched, axis=0))
            decided = matched @ writes
            states = decided.copy()
            sent = decided[:, first_message:]
            np.logical_or.at(states[:, first_message:], one.receivers, sent[one.senders])
    return np.unique(np.concatenate(found), axis=0)
