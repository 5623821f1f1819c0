"""The distinct encoded states that occur in executions, and what must be decided at each.

An ensemble executes a program exactly on given graphs if and only if it decides every bit right at
every encoded state that the program itself visits there. These are few, however many the graphs.
"""

import dataclasses
import functools
from collections.abc import Callable, Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float64

from ntkexec.ensemble import gaussian
from ntkexec.errors import EnsembleError
from ntkexec.executor import exchange_bits
from ntkexec.executor.encoding import Encoding, encode, encoding
from ntkexec.graphs import batch
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.program.problem import LearningProblem
from ntkexec.programs.instance import Instance
from ntkexec.runtime import compilation
from ntkexec.theory import predictor
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import NEVER, MatchBound
from ntkexec.vocabulary import Convention, Draw

# Rows that are gathered before duplicates among them are looked for again.
GATHERED_ROWS = 1 << 18


@dataclasses.dataclass(frozen=True, eq=False)
class ComponentCases:
    """The encoded states of one component.

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
    def active(self) -> np.ndarray:
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

    def encoded(self) -> Float64[np.ndarray, "u s"]:
        """The states as the networks read them, padding left out."""
        return self.matched / np.sqrt(np.maximum(self.count, 1))[:, None]


@dataclasses.dataclass(frozen=True, eq=False)
class Cases:
    """All distinct encoded states of some executions of one program.

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
        """Distinct encoded states, summed over components."""
        return sum(len(c.matched) for c in self.components)

    @property
    def num_decisions(self) -> int:
        """Bits of the executions that are decided: written bits times node updates."""
        return max(1, int((self.problem.program.num_writers > 0).sum()) * self.num_updates)

    def certificate(
        self,
        convention: Convention = "bit",
        *,
        weight_std: float = 1.0,
        draw: Draw = "trained",
    ) -> Certificate:
        """The certificate for exactly these states, with the thresholds of a convention."""
        num_counts = self.problem.max_matches + 1
        largest = np.array([max(1, c.count.max(initial=0)) for c in self.components])
        fewest = np.full((self.problem.program.layout.num_bits, num_counts), NEVER)
        zeros = np.zeros(fewest.shape, bool)
        for part, component in zip(self.components, self.problem.components, strict=True):
            ones = np.where(part.active > 0, part.active, NEVER)
            for column, bit in enumerate(component.bits):
                np.minimum.at(fewest[bit], part.count, ones[:, column])
                zeros[bit, part.count[part.active[:, column] == 0]] = True
        label = f"the states that occur on {self.num_graphs} graphs"
        bound = MatchBound(largest, fewest, zeros, label)
        return Certificate(
            self.problem, bound, weight_std=weight_std, convention=convention, draw=draw
        )


def collect(
    problem: LearningProblem,
    instances: Sequence[Instance],
    *,
    report: Callable[[int, int], None] = lambda done, total: None,
) -> Cases:
    """The encoded states that the program visits, by running it (not a network) on all graphs.

    Args:
        problem: the program, divided among networks.
        instances: its executions; each counts up to its own last step.
        report: called with the steps that are done, and all.

    Raises:
        EnsembleError: no execution, or one of another program.
    """
    if not instances:
        raise EnsembleError("no execution to collect encoded states from")
    for instance in instances:
        if instance.program != problem.program:
            raise EnsembleError(f"{instance.graph.label} is an execution of another program")
    graphs = batch([instance.graph for instance in instances]).tuple
    states = jnp.asarray(np.concatenate([instance.initial for instance in instances]).T)
    sizes = [instance.graph.num_nodes for instance in instances]
    last_step = np.repeat([instance.num_steps for instance in instances], sizes)
    total = int(last_step.max())
    arrays = encoding(problem)
    gathered: list[np.ndarray] = []
    distinct: list[set[bytes]] = [set() for _ in problem.components]
    for step in range(total):
        (matched, states), _, _ = compilation.call(
            _step,
            arrays,
            graphs,
            states,
            num_computation_bits=problem.program.layout.num_computation_bits,
        )
        rows = np.packbits(np.asarray(matched)[:-1, last_step > step], axis=0).T
        gathered.append(_unique_rows(rows))
        if sum(map(len, gathered)) > GATHERED_ROWS or step == total - 1:
            _sort_by_component(problem, _unique_rows(np.concatenate(gathered)), distinct)
            gathered = []
        report(step + 1, total)
    return Cases(
        problem,
        tuple(_component_cases(problem, index, found) for index, found in enumerate(distinct)),
        num_graphs=len(instances),
        num_nodes=sum(sizes),
        num_steps=total,
        num_updates=int(last_step.sum()),
    )


def _step(
    arrays: Encoding,
    graphs: GraphsTuple,
    states: Bool[Array, "k n"],
    *,
    num_computation_bits: int,
) -> tuple[Bool[Array, "t n"], Bool[Array, "k n"]]:
    matches = encode(arrays, states)
    after, _ = exchange_bits(graphs, matches.active > 0, num_computation_bits)
    return matches.matched, after


def _unique_rows(rows: np.ndarray) -> np.ndarray:
    """Distinct rows of a matrix of bytes; as opaque values, much faster than `unique` by axis."""
    opaque = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.shape[1]))).ravel()
    return np.unique(opaque).view(np.uint8).reshape(-1, rows.shape[1])


def _sort_by_component(
    problem: LearningProblem, rows: np.ndarray, distinct: list[set[bytes]]
) -> None:
    """Adds to each component what the rows, packed over all templates, are to its templates."""
    matched = np.unpackbits(rows, axis=1, count=problem.program.num_templates)
    for component, found in zip(problem.components, distinct, strict=True):
        own = np.packbits(matched[:, list(component.templates)], axis=1)
        found.update(row.tobytes() for row in _unique_rows(own))


def _component_cases(problem: LearningProblem, index: int, found: set[bytes]) -> ComponentCases:
    size = len(problem.components[index].templates)
    packed = np.frombuffer(b"".join(sorted(found)), np.uint8).reshape(len(found), -1)
    return ComponentCases(
        np.unpackbits(packed, axis=1, count=size).astype(bool),
        problem.writes(index),
        int(problem.num_inputs[index]),
    )
