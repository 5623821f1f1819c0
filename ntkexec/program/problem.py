"""Learning problems: which network learns which templates of a program.

*Joint*, as in the paper, one network learns them all. *Factored*, every bit has a network of its
own, which learns the templates that write it. Both compute the same function, but a bit's own
templates are few, and whenever one of them matches the bit is 1: nothing interferes.
"""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Literal

import numpy as np

from ntkexec.errors import ProgramError
from ntkexec.program.program import Component, Program

Kind = Literal["joint", "factored"]
KINDS: tuple[Kind, ...] = ("joint", "factored")


@dataclasses.dataclass(frozen=True)
class Stack:
    """Components of similar size, trained and evaluated in one batched computation.

    Args:
        components: indices into `LearningProblem.components`.
        num_templates: real templates of the largest, to which the others' inputs are filled up.
        num_inputs: n0 of every component here: training pairs, padding included.
        num_outputs: bits of the component with most bits.
    """

    components: tuple[int, ...]
    num_templates: int
    num_inputs: int
    num_outputs: int


@dataclasses.dataclass(frozen=True)
class LearningProblem:
    """A program divided among networks.

    Args:
        program: what is learned.
        kind: `joint` or `factored`.
        padding: templates that never match and write nothing, added to every network's training
            set; they raise n0 and so the margins.

    Raises:
        ProgramError: unknown kind or negative padding.
    """

    program: Program
    kind: Kind = "factored"
    padding: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ProgramError(f"ensemble kind {self.kind!r}; there are {' and '.join(KINDS)}")
        if self.padding < 0:
            raise ProgramError(f"padding cannot be negative, got {self.padding}")

    @functools.cached_property
    def components(self) -> tuple[Component, ...]:
        """What each network learns; factored, one component for every bit that is written."""
        if self.kind == "factored":
            writers: dict[int, list[int]] = {}
            for index, entry in enumerate(self.program.templates):
                for bit in entry.outputs:
                    writers.setdefault(bit, []).append(index)
            return tuple(Component(tuple(writers[bit]), (bit,)) for bit in sorted(writers))
        all_templates = tuple(range(self.program.num_templates))
        return (Component(all_templates, tuple(range(self.program.layout.num_bits))),)

    @functools.cached_property
    def num_inputs(self) -> np.ndarray:
        """n0 of every component, shape (c,). Factored sizes are filled up to powers of two.

        A component of one template stays at one: at a single match its network interpolates.
        """
        sizes = np.array([len(component.templates) for component in self.components])
        if self.kind == "factored":
            sizes = 2 ** np.ceil(np.log2(sizes)).astype(int)
        return sizes + self.padding

    @property
    def num_padding(self) -> int:
        """Padding templates over all networks."""
        return int(self.num_inputs.sum()) - sum(len(c.templates) for c in self.components)

    @functools.cached_property
    def stacks(self) -> tuple[Stack, ...]:
        """Components of equal n0 together, by increasing n0."""
        return tuple(
            Stack(
                tuple(int(c) for c in members),
                max(len(self.components[c].templates) for c in members),
                int(num_inputs),
                max(len(self.components[c].bits) for c in members),
            )
            for num_inputs in np.unique(self.num_inputs)
            for members in [np.flatnonzero(self.num_inputs == num_inputs)]
        )

    @functools.cached_property
    def component_of_bit(self) -> np.ndarray:
        """Shape (k,): which component learns each bit; factored, -1 for a bit that none writes."""
        owner = np.full(self.program.layout.num_bits, -1)
        for index, component in enumerate(self.components):
            owner[list(component.bits)] = index
        return owner

    @functools.cached_property
    def max_matches(self) -> int:
        """Templates of the largest component: more can never match at once."""
        return max(len(component.templates) for component in self.components)

    def stack_templates(self, stack: Stack) -> np.ndarray:
        """Templates of every component of a stack, int32 of shape (components, num_templates).

        Unused places hold the number of templates, the row of `Matches.matched` that never matches.
        """
        rows = [self.components[index].templates for index in stack.components]
        return ragged_to_padded(rows, self.program.num_templates)

    @functools.cached_property
    def row_of_bit(self) -> np.ndarray:
        """Shape (k,): where each bit lies among all outputs of all stacks, laid end to end.

        A bit that nothing writes has the row after the last.
        """
        rows = np.full(self.program.layout.num_bits, -1)
        start = 0
        for stack in self.stacks:
            for index in stack.components:
                bits = self.components[index].bits
                rows[list(bits)] = start + np.arange(len(bits))
                start += stack.num_outputs
        return np.where(rows < 0, start, rows)

    def targets(self, stack: Stack) -> np.ndarray:
        """Training targets of a stack, shape (components, n0, outputs), float32.

        Row i belongs to the standard basis vector e_i; padding rows and columns are zero.
        """
        targets = np.zeros((len(stack.components), stack.num_inputs, stack.num_outputs), np.float32)
        for target, index in zip(targets, stack.components, strict=True):
            written = self.writes(index)
            target[: written.shape[0], : written.shape[1]] = written
        return targets

    def writes(self, index: int) -> np.ndarray:
        """Which templates of a component write which of its bits; bool of shape (templates, bits)."""
        component = self.components[index]
        outputs = [self.program.templates[template].outputs for template in component.templates]
        return np.array([[bit in written for bit in component.bits] for written in outputs], bool)


def structural_counts(problem: LearningProblem) -> tuple[np.ndarray, np.ndarray]:
    """What counting alone says of a bit when its component has m matches.

    Of m matches in a component of s templates at most s - w lie outside the bit's w writers.

    Returns:
        The fewest matched writers that a bit can have, (k, largest m + 1), where m matches are
        possible; and whether it can have none, so that it is 0.
    """
    sizes = np.array([len(component.templates) for component in problem.components])
    others = (sizes[problem.component_of_bit] - problem.program.num_writers)[:, None]
    fewest = np.maximum(0, np.arange(problem.max_matches + 1) - others)
    return fewest, fewest == 0


def ragged_to_padded(rows: Sequence[Sequence[int]], fill: int) -> np.ndarray:
    """Rows of different length as one int32 matrix, filled up with `fill`; at least one column."""
    padded = np.full((len(rows), max(1, max(map(len, rows), default=1))), fill, np.int32)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded
