"""What a fusion group costs: on-chip memory and DRAM traffic, for both types of fusion.

LBDF keeps all weights of a group on chip and a sliding window of full rows of every tensor that is
read in it. BRR cuts the last feature map into bands and computes the group band by band, reading the
weights again for each or keeping them.

Source: sections 2 and 3 of arXiv:2501.00636, after Shi et al. (2021) and Cai et al. (2021). The paper
does not print its equations; these are a reconstruction, checked against a simulator.
"""

import dataclasses
from typing import Literal, TypeAlias

import numpy as np

from experiments.systems.op_fusion.graph import Group, OpGraph, members
from ntkexec.errors import ExperimentError

Fusion: TypeAlias = Literal["lbdf", "brr"]
KB = 1024


@dataclasses.dataclass(frozen=True)
class GroupCost:
    """The price of one group.

    Args:
        memory: bytes on chip that it needs.
        dram: bytes that it moves; under BRR for the best number of bands within the buffer.
        bands: pieces of the last feature map, 1 under LBDF.
        resident: whether all weights stay on chip.
    """

    memory: int
    dram: int
    bands: int = 1
    resident: bool = True


class CostModel:
    """Costs of the groups of one network under one buffer, remembered.

    Args:
        graph: the network.
        fusion: `lbdf` or `brr`.
        buffer: bytes on chip; a group is valid if it needs strictly less.
        element_bytes: of one number.
    """

    def __init__(
        self,
        graph: OpGraph,
        fusion: Fusion,
        buffer: float,
        *,
        element_bytes: int = 1,
    ) -> None:
        if fusion not in ("lbdf", "brr"):
            raise ExperimentError(f"no fusion type {fusion!r}; there are 'lbdf' and 'brr'")
        if not buffer > 0:
            raise ExperimentError(f"a buffer of {buffer} bytes holds nothing")
        if element_bytes < 1:
            raise ExperimentError(f"a number cannot have {element_bytes} bytes, but 1 or more")
        self.graph, self.fusion, self.buffer = graph, fusion, buffer
        self.element_bytes = element_bytes
        self._known: dict[Group, GroupCost] = {}

    def __call__(self, group: Group) -> GroupCost:
        if group not in self._known:
            price = _lbdf if self.fusion == "lbdf" else _brr
            self._known[group] = price(self.graph, group, self.buffer, self.element_bytes)
        return self._known[group]

    def is_valid(self, group: Group) -> bool:
        """Whether the group fits into the buffer."""
        return self(group).memory < self.buffer

    def least_memory(self, group: Group) -> int:
        """Bytes that the group and every larger one need at least.

        Memory itself may fall when an operator joins (it can make a branch run ahead that
        lagged behind another), so it cannot prune a search exactly; this can.
        """
        graph = self.graph
        read = {r.source for v in members(group) for r in graph.ops[v].reads}
        if self.fusion == "lbdf":
            weights = sum(graph.ops[v].weights for v in members(group))
            return self.element_bytes * (weights + sum(graph.tensor(t).width for t in read))
        return self.element_bytes * max((_piece(graph, v) for v in members(group)), default=0)

    def fusable(self) -> Group:
        """Operators that fit on their own; the others are executed apart and not counted."""
        return sum(1 << v for v in range(len(self.graph)) if self.is_valid(1 << v))


def windows(graph: OpGraph, group: Group) -> dict[int, int]:
    """Rows of each tensor read in the group that are on chip at once, under LBDF.

    A tensor runs so many rows ahead of its nominal row (that which belongs to the sink's present
    one) as its furthest reader asks for, and keeps what its slowest reader has not yet left behind.
    All operators are taken to hold their windows at once. On the groups of networks that have one
    sink this is exactly what execution row by row needs; in general, executing a lagging branch first
    can save a row. With several sinks, all are taken to stand at their nominal row; where several
    operators read whole tensors on parallel branches, the branches are taken to advance in step.
    """
    ahead: dict[int, int] = {}
    high: dict[int, int] = {}
    low: dict[int, int] = {}
    for v in reversed(list(members(group))):
        mine = ahead.get(v, 0)
        for read in graph.ops[v].reads:
            source = read.source
            if read.whole:
                first, last = 0, graph.tensor(source).rows - 1 + mine
            else:
                first = mine * read.stride - read.padding
                last = first + read.kernel - 1
            if source not in high:
                high[source], low[source] = last, first
            else:
                high[source], low[source] = max(high[source], last), min(low[source], first)
            ahead[source] = max(0, high[source])
    return {t: min(graph.tensor(t).rows, high[t] - low[t] + 1) for t in high}


def _lbdf(graph: OpGraph, group: Group, buffer: float, size: int) -> GroupCost:
    # Everything in one pass: searches for plans ask for nothing as often.
    ops = list(members(group))
    weights = held = moved = 0
    for t, rows in windows(graph, group).items():
        tensor = graph.tensor(t)
        held += rows * tensor.width
        if t < 0 or not group >> t & 1:
            moved += tensor.size
    for v in ops:
        op, readers = graph.ops[v], graph.successors[v]
        weights += op.weights
        if not readers & group:
            held += op.output.width
        if readers & ~group or v in graph.outputs:
            moved += op.output.size
    return GroupCost(size * (weights + held), size * (weights + moved))


def _piece(graph: OpGraph, v: int) -> int:
    op = graph.ops[v]
    return -(-op.weights // max(1, op.filters))


def _brr(graph: OpGraph, group: Group, buffer: float, size: int) -> GroupCost:
    ops = list(members(group))
    sinks = [v for v in ops if not graph.successors[v] & group]
    height = max(graph.ops[v].output.rows for v in sinks)
    counts = [2**i for i in range(height.bit_length()) if 2**i < height] + [height]
    # All bands of all counts at once: band `j` of `n` is one place of a long vector.
    n = np.concatenate([np.full(count, count) for count in counts])
    j = np.concatenate([np.arange(count) for count in counts])
    starts = np.cumsum([0, *counts[:-1]])
    first, last = _intervals(graph, ops, sinks, n, j)
    rows = {t: np.maximum(last[t] - first[t] + 1, 0) for t in first}
    peak, all_weights = _band_memory(graph, group, ops, rows)
    need = np.maximum.reduceat(peak, starts)
    kept = np.maximum.reduceat(all_weights, starts)
    total = sum(graph.ops[v].weights for v in ops)
    entering = [
        t
        for t in {r.source for v in ops for r in graph.ops[v].reads}
        if t < 0 or not group >> t & 1
    ]
    leaving = [v for v in ops if v in graph.outputs or graph.successors[v] & ~group]
    written = sum(graph.ops[v].output.size for v in leaving)
    reads = np.zeros(len(counts), np.int64)
    for t in entering:
        tensor = graph.tensor(t)
        reads += tensor.width * np.maximum(tensor.rows, np.add.reduceat(rows[t], starts))
    best = None
    for place, count in enumerate(counts):
        for resident, memory in ((True, kept[place]), (False, need[place])):
            if size * memory < buffer:
                times = 1 if resident else count
                dram = size * int(times * total + reads[place] + written)
                if best is None or dram < best[0]:
                    best = (dram, count, resident)
    least = size * int(need.min())
    if best is None:  # invalid: what it would move if it fitted, so that cuts can be compared
        place = int(need.argmin())
        best = (size * int(counts[place] * total + reads[place] + written), counts[place], False)
    return GroupCost(least, *best)


def _intervals(
    graph: OpGraph, ops: list[int], sinks: list[int], n: np.ndarray, j: np.ndarray
) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray]]:
    """First and last row of each tensor that each band needs; last < first where it needs none."""
    first: dict[int, np.ndarray] = {}
    last: dict[int, np.ndarray] = {}
    for v in sinks:
        rows = graph.ops[v].output.rows
        first[v], last[v] = j * rows // n, (j + 1) * rows // n - 1
    for v in reversed(ops):
        empty = last[v] < first[v]
        for read in graph.ops[v].reads:
            end = graph.tensor(read.source).rows - 1
            if read.whole:
                low, high = np.zeros_like(j), np.full_like(j, end)
            else:
                low = first[v] * read.stride - read.padding
                high = last[v] * read.stride - read.padding + read.kernel - 1
            low = np.where(empty, end + 1, np.clip(low, 0, end))
            high = np.where(empty, -1, np.clip(high, 0, end))
            if read.source in first:
                low = np.minimum(low, first[read.source])
                high = np.maximum(high, last[read.source])
            first[read.source], last[read.source] = low, high
    return first, last


def _band_memory(
    graph: OpGraph, group: Group, ops: list[int], rows: dict[int, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Peak of each band with one filter's weights at a time, and with all weights on chip."""
    some = rows[ops[-1]]
    peak, slices = np.zeros_like(some), np.zeros_like(some)
    live = np.zeros_like(some)
    last_use = {r.source: v for v in ops for r in graph.ops[v].reads}
    held: set[int] = set()
    for v in ops:
        op = graph.ops[v]
        for t in {r.source for r in op.reads} - held:
            if t < 0 or not group >> t & 1:
                live = live + rows[t] * graph.tensor(t).width
                held.add(t)
        live = live + rows[v] * op.output.width
        held.add(v)
        peak = np.maximum(peak, live + _piece(graph, v))
        slices = np.maximum(slices, live)
        done = {t for t in held if last_use.get(t, -1) <= v}
        for t in done:
            live = live - rows[t] * graph.tensor(t).width
        held -= done
    return peak, slices + sum(graph.ops[v].weights for v in ops)
