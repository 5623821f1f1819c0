"""Graphs of tensor operators as fusion sees them, groups of operators, and ways to cut a group."""

import dataclasses
import functools
from collections import deque
from collections.abc import Iterator, Sequence
from typing import TypeAlias

from ntkexec.errors import ExperimentError

Group: TypeAlias = int
"""A set of operators as the bits of an integer: operator `v` is in it if bit `v` is one."""
Cut: TypeAlias = tuple[Group, Group]
"""Two connected halves of a group, the first of which can be executed first."""
PER_EDGE, VISITED = 24, 400


@dataclasses.dataclass(frozen=True)
class Tensor:
    """A feature map of `rows` rows of `width` numbers each (the width of an image times channels)."""

    rows: int
    width: int

    @property
    def size(self) -> int:
        """Numbers in all."""
        return self.rows * self.width


@dataclasses.dataclass(frozen=True)
class Read:
    """Which rows of a tensor an operator needs for one row of its output.

    Args:
        source: operator whose output is read; input `i` of the network is `-1 - i`.
        kernel: rows of the window, dilation included.
        stride: rows that the window moves for one output row.
        padding: rows of padding on top; negative where rows are skipped.
        whole: all rows are needed for any output row; then the rest says nothing.
    """

    source: int
    kernel: int = 1
    stride: int = 1
    padding: int = 0
    whole: bool = False


@dataclasses.dataclass(frozen=True)
class Op:
    """An operator and its one output tensor.

    Args:
        kind: what it is called, such as `conv` or `relu6`.
        output: the tensor that it writes.
        reads: its operands that are no weights; a tensor may be read twice.
        weights: numbers that it keeps, after constants were folded.
        filters: output channels, by which weights can be brought in piece by piece.
    """

    kind: str
    output: Tensor
    reads: tuple[Read, ...]
    weights: int = 0
    filters: int = 1


@dataclasses.dataclass(frozen=True)
class OpGraph:
    """A network as operators in topological order.

    Args:
        ops: each reads only inputs and earlier operators.
        inputs: tensors that are given.
        outputs: operators whose tensors are the network's results.

    Raises:
        ExperimentError: if the order is not topological, or an operand or output does not exist.
    """

    ops: tuple[Op, ...]
    inputs: tuple[Tensor, ...]
    outputs: frozenset[int]

    def __post_init__(self) -> None:
        for v, op in enumerate(self.ops):
            for read in op.reads:
                if not -len(self.inputs) <= read.source < v:
                    raise ExperimentError(
                        f"operator {v} ({op.kind}) reads {read.source}, which is neither an input "
                        "nor an earlier operator"
                    )
        if bad := [v for v in self.outputs if not 0 <= v < len(self.ops)]:
            raise ExperimentError(f"output {bad[0]} is no operator of {len(self.ops)}")

    def __len__(self) -> int:
        return len(self.ops)

    @property
    def everything(self) -> Group:
        """All operators."""
        return (1 << len(self.ops)) - 1

    def tensor(self, source: int) -> Tensor:
        """The tensor that a read names."""
        return self.ops[source].output if source >= 0 else self.inputs[-1 - source]

    @functools.cached_property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """Pairs of an operator and one that reads its output, each once."""
        pairs = {(r.source, v) for v, op in enumerate(self.ops) for r in op.reads if r.source >= 0}
        return tuple(sorted(pairs))

    @functools.cached_property
    def predecessors(self) -> tuple[Group, ...]:
        """For each operator, those whose outputs it reads."""
        found = [0] * len(self.ops)
        for u, v in self.edges:
            found[v] |= 1 << u
        return tuple(found)

    @functools.cached_property
    def successors(self) -> tuple[Group, ...]:
        """For each operator, those that read its output."""
        found = [0] * len(self.ops)
        for u, v in self.edges:
            found[u] |= 1 << v
        return tuple(found)

    @functools.cached_property
    def neighbours(self) -> tuple[Group, ...]:
        """For each operator, its predecessors and successors."""
        both = zip(self.predecessors, self.successors, strict=True)
        return tuple(before | after for before, after in both)

    def is_connected(self, group: Group) -> bool:
        """Whether a non-empty group hangs together, whatever the direction of edges."""
        if not group:
            return False
        return self._closure(group & -group, group, self.neighbours) == group

    def inner_edges(self, group: Group) -> list[tuple[int, int]]:
        """Edges with both ends in the group."""
        return [(u, v) for v in members(group) for u in members(self.predecessors[v] & group)]

    def ancestors(self, v: int, group: Group) -> Group:
        """Operators of the group from which `v` is reached inside it, `v` among them."""
        return self._closure(1 << v, group, self.predecessors)

    def descendants(self, v: int, group: Group) -> Group:
        """Operators of the group that are reached from `v` inside it, `v` among them."""
        return self._closure(1 << v, group, self.successors)

    @staticmethod
    def _closure(start: Group, group: Group, neighbours: Sequence[Group]) -> Group:
        # Not by `members`: searches for plans ask this most often.
        frontier, left = start, group & ~start
        while frontier:
            low = frontier & -frontier
            new = neighbours[low.bit_length() - 1] & left
            left ^= new
            frontier ^= low | new
        return start | group & ~left


def members(group: Group) -> Iterator[int]:
    """The operators of a group, in topological order."""
    while group:
        low = group & -group
        yield low.bit_length() - 1
        group ^= low


def as_group(ops: Sequence[int]) -> Group:
    """The group of these operators."""
    return functools.reduce(lambda group, v: group | 1 << v, ops, 0)


def edge_cuts(
    graph: OpGraph, group: Group, edge: tuple[int, int], *, most: int = PER_EDGE
) -> list[Cut]:
    """Ways to cut a group such that the edge is cut, those with the smallest first half first.

    A first half is closed under predecessors in the group, so cutting keeps a plan executable.
    Where the edge is on a cycle (a skip connection, or what it skips), other edges are cut as well.

    Args:
        graph: the network.
        group: connected.
        edge: inside the group.
        most: cuts that are returned; at most 400 first halves are looked at.

    Source: section 3 of arXiv:2501.00636, "handling skip connections", as an enumeration of down-sets
        instead of a case distinction; the same cuts on its figure 2.
    """
    start = graph.ancestors(edge[0], group)
    banned = graph.descendants(edge[1], group)
    found: list[Cut] = []
    seen = {start}
    queue = deque([start])
    while queue and len(found) < most:
        first = queue.popleft()
        second = group & ~first
        if graph.is_connected(first) and graph.is_connected(second):
            found.append((first, second))
        if len(seen) >= VISITED:
            continue
        for v in members(second & ~banned):
            larger = first | 1 << v
            if not graph.predecessors[v] & group & ~first and larger not in seen:
                seen.add(larger)
                queue.append(larger)
    return found


def chain(weights: Sequence[int], tensors: Sequence[int]) -> OpGraph:
    """A chain of point-wise operators with given weights on tensors of one row.

    Args:
        weights: of each operator.
        tensors: sizes of the input and of each operator's output, one more than weights.
    """
    if len(tensors) != len(weights) + 1:
        raise ExperimentError(f"{len(weights)} operators in a chain need one tensor more")
    ops = tuple(
        Op("map", Tensor(1, tensors[v + 1]), (Read(v - 1),), weight)
        for v, weight in enumerate(weights)
    )
    return OpGraph(ops, (Tensor(1, tensors[0]),), frozenset({len(weights) - 1}))
