"""The distinct match sets that occur in executions, and what must be decided at each.

An ensemble executes a program exactly on given graphs if and only if it decides every bit right at
every match set that the program itself visits there. These are few, however many the graphs.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Bool, Float64

from ntkexec.ensemble import gaussian
from ntkexec.errors import EnsembleError
from ntkexec.executor.reachable import bound_of_sets, occurring_sets
from ntkexec.graphs import batch
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.instance import Instance
from ntkexec.theory import predictor
from ntkexec.theory.certificate import Certificate
from ntkexec.vocabulary import Convention, Draw


@dataclasses.dataclass(frozen=True, eq=False)
class ComponentCases:
    """The match sets of one component.

    Args:
        matched: by state, which of the component's templates match; (states, templates).
        writes: which template writes which output; (templates, outputs).
        num_inputs: n0, padding included.
    """

    matched: Bool[np.ndarray, "u s"]
    writes: Bool[np.ndarray, "s o"]
    num_inputs: int

    @functools.cached_property
    def count(self) -> np.ndarray:
        """m of every state."""
        return self.matched.sum(axis=1)

    @functools.cached_property
    def matched_writers(self) -> np.ndarray:
        """Matched writers of every output; (states, outputs)."""
        return self.matched.astype(int) @ self.writes.astype(int)

    @functools.cached_property
    def means(self) -> Float64[np.ndarray, "u o"]:
        """Mean of every output at infinite width."""
        return gaussian.state_means(self.matched, self.writes, self.num_inputs)

    @functools.cached_property
    def variances(self) -> Float64[np.ndarray, "u"]:
        """Variance of every output of one network at infinite width."""
        return predictor.variance(self.count, self.num_inputs)


@dataclasses.dataclass(frozen=True, eq=False)
class Cases:
    """All distinct match sets of some executions of one program.

    Args:
        problem: the program, divided among networks.
        components: by component.
        num_graphs: on how many graphs.
        num_nodes: nodes over all graphs.
        num_steps: steps of the longest execution.
        num_updates: node updates: nodes times steps, summed over the graphs.
    """

    problem: LearningProblem
    components: tuple[ComponentCases, ...]
    num_graphs: int
    num_nodes: int
    num_steps: int
    num_updates: int

    @property
    def num_states(self) -> int:
        """Distinct match sets, summed over components."""
        return sum(len(c.matched) for c in self.components)

    @property
    def num_decisions(self) -> int:
        """Bits of the executions that are decided: bits of a state times node updates."""
        return max(1, self.problem.program.layout.num_bits * self.num_updates)

    def certificate(
        self,
        convention: Convention = "bit",
        *,
        weight_std: float = 1.0,
        draw: Draw = "trained",
    ) -> Certificate:
        """The certificate for exactly these states, with the thresholds of a convention."""
        sets = [part.matched for part in self.components]
        label = f"the states that occur on {self.num_graphs} graphs"
        return Certificate(
            self.problem,
            bound_of_sets(self.problem, sets, label),
            weight_std=weight_std,
            convention=convention,
            draw=draw,
        )


def collect(
    problem: LearningProblem,
    instances: Sequence[Instance],
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Cases:
    """The match sets that the program visits, by running it (not a network) on all graphs.

    Args:
        problem: the program, divided among networks.
        instances: its executions; each counts up to its own last step.
        report: called with the steps that are done, and all.

    Raises:
        EnsembleError: no execution, or one of another program.
    """
    if not instances:
        raise EnsembleError("no execution to collect match sets from")
    for instance in instances:
        if instance.program != problem.program:
            raise EnsembleError(f"{instance.graph.label} is an execution of another program")
    graphs = batch([instance.executed_graph for instance in instances]).tuple
    sizes = [instance.executed_graph.num_nodes for instance in instances]
    last_step = np.repeat([instance.num_steps for instance in instances], sizes)
    sets = occurring_sets(
        problem,
        graphs._replace(nodes=np.concatenate([instance.initial for instance in instances])),
        num_steps=last_step,
        report=report,
    )
    return Cases(
        problem,
        tuple(
            ComponentCases(matched, problem.writes(index), int(problem.num_inputs[index]))
            for index, matched in enumerate(sets)
        ),
        num_graphs=len(instances),
        num_nodes=sum(sizes),
        num_steps=int(last_step.max()),
        num_updates=int(last_step.sum()),
    )
