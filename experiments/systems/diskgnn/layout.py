"""Which of four levels holds each row that a batch reads: two caches, a segment's cache, its own chunk."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Int64

from experiments.systems.diskgnn.minhash import order_by_minhash
from experiments.systems.diskgnn.pages import PAGE, padded_bytes
from experiments.systems.diskgnn.sampling import SamplePlan
from ntkexec.errors import ExperimentError

Level = Literal["device", "host", "disk cache", "packed"]
LEVELS: tuple[Level, ...] = ("device", "host", "disk cache", "packed")
Order = Callable[..., np.ndarray]
"""As `order_by_minhash`."""


class SpaceBudgetError(ExperimentError):
    """The packed files would take more of the disk than is allowed, however they are laid out."""


@dataclasses.dataclass(frozen=True)
class Located:
    """The rows of one batch that one level holds.

    Args:
        places: in the batch.
        slots: in the level, in the same order.
    """

    places: Int64[np.ndarray, " r"]
    slots: Int64[np.ndarray, " r"]


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """What each level holds.

    Args:
        device, host: the nodes of the two caches in memory, rising.
        segment: batches that share a cache on the disk.
        caches: for each segment its nodes, as they lie on the disk.
        chunks: for each batch the nodes of its own chunk, rising.
        row_bytes: of a row.
    """

    device: Int64[np.ndarray, " d"]
    host: Int64[np.ndarray, " h"]
    segment: int
    caches: tuple[Int64[np.ndarray, " c"], ...]
    chunks: tuple[Int64[np.ndarray, " p"], ...]
    row_bytes: int

    @property
    def disk_bytes(self) -> int:
        """Of the packed rows; every cache and chunk begins on a page, and a last one says whose they are."""
        parts = (self.device, self.host, *self.caches, *self.chunks)
        return sum(padded_bytes(len(part) * self.row_bytes) for part in parts) + PAGE

    @property
    def index_bytes(self) -> int:
        """At most, of the file that tells which rows those are: all nodes but those of chunks."""
        numbers = len(self.device) + len(self.host) + sum(map(len, self.caches)) + len(self.caches)
        return numbers * 8 + PAGE

    def located(self, number: int, nodes: Int64[np.ndarray, " n"]) -> dict[Level, Located]:
        """Where the rows of a batch are.

        Args:
            number: of the batch.
            nodes: that it reads.

        Raises:
            ExperimentError: names a node that is in no level.
        """
        found: dict[Level, Located] = {}
        left = np.arange(len(nodes))
        cache = self.caches[number // self.segment]
        order = np.argsort(cache)
        parts = (self.device, self.host, cache[order], self.chunks[number])
        for level, part in zip(LEVELS, parts, strict=True):
            slots = np.searchsorted(part, nodes[left])
            there = slots < len(part)
            there[there] = part[slots[there]] == nodes[left][there]
            slots = slots[there]
            found[level] = Located(left[there], order[slots] if level == "disk cache" else slots)
            left = left[~there]
        if len(left):
            raise ExperimentError(
                f"batch {number} reads node {nodes[left[0]]}, which is packed nowhere"
            )
        return found


def lay_out(
    plan: SamplePlan,
    *,
    row_bytes: int,
    space: float | None,
    device_rows: int = 0,
    host_rows: int = 0,
    beside: int = 0,
    generator: np.random.Generator,
    order: Order = order_by_minhash,
) -> Layout:
    """The levels: the most popular nodes in memory, what a segment reads twice in its cache, the rest packed.

    A segment is the shortest beginning of the batches of which as many as there are batches would fit the
    space, as the paper has it; and since the others may be larger, it grows until the files do fit.

    Args:
        plan: the batches, in the order in which segments are cut.
        row_bytes: of a row.
        space: for all packed files, in multiples of all rows; None for no limit, when every batch has all
            its rows for itself and no segment a cache.
        device_rows, host_rows: of the caches in memory.
        beside: bytes of files that take their part of the space: the plan itself.
        generator: for `order`.
        order: of a cache's nodes on the disk, from the nodes of it that each batch of the segment reads.

    Raises:
        SpaceBudgetError: says what a single segment would take.
        ExperimentError: for sizes that are none.

    Source: the four levels and the choice of segments in the paper and in its public code.
    """
    if min(device_rows, host_rows) < 0 or not (space is None or space > 0):
        raise ExperimentError(
            f"caches of {device_rows} and {host_rows} rows and a space of {space} are no sizes"
        )
    popularity = plan.popularity
    # Of equally popular nodes the first come first, so that the same plan has the same levels.
    ranked = np.lexsort((np.arange(plan.num_nodes), -popularity))
    ranked = ranked[: int((popularity > 0).sum())]
    device = np.sort(ranked[:device_rows])
    host = np.sort(ranked[device_rows : device_rows + host_rows])
    in_memory = np.zeros(plan.num_nodes, bool)
    in_memory[device] = in_memory[host] = True
    cold = [np.sort(batch.nodes[~in_memory[batch.nodes]]) for batch in plan.batches]

    def with_segments(segment: int, arranged: Order) -> Layout:
        caches, chunks = [], []
        for i in range(0, len(cold), segment):
            part = cold[i : i + segment]
            nodes, counts = np.unique(np.concatenate(part), return_counts=True)
            often = nodes[counts > 1]
            inside = [np.isin(nodes, often, assume_unique=True) for nodes in part]
            shared = [nodes[there] for nodes, there in zip(part, inside, strict=True)]
            caches.append(arranged(shared, generator=generator))
            chunks += [nodes[~there] for nodes, there in zip(part, inside, strict=True)]
        return Layout(device, host, segment, tuple(caches), tuple(chunks), row_bytes)

    segment = 1
    if space is not None:
        rows = plan.num_nodes * row_bytes
        segment = foreseen_segment(cold, plan.num_nodes, space * plan.num_nodes)
        while (taken := _all_bytes(with_segments(segment, _as_they_come)) + beside) > space * rows:
            if segment == len(cold):
                raise SpaceBudgetError(
                    f"{space:g} times all rows are {space * rows:,.0f} bytes, and the batches as a "
                    f"single segment take {taken:,}, {beside:,} of them the plan: allow "
                    f"{taken / rows:.3g} times, or larger caches in memory"
                )
            segment += 1
    return with_segments(segment, order)


def _all_bytes(layout: Layout) -> int:
    return layout.disk_bytes + layout.index_bytes


def foreseen_segment(cold: Sequence[np.ndarray], num_nodes: int, allowed: float) -> int:
    """The paper's choice: the shortest beginning whose share of all batches would fit.

    Args:
        cold: the nodes of each batch that no cache in memory holds.
        num_nodes: of the graph.
        allowed: rows on the disk.

    Returns:
        Batches of a segment; all of them if none is short enough.
    """
    seen = np.zeros(num_nodes, bool)
    for length, nodes in enumerate(cold, start=1):
        seen[nodes] = True
        if seen.sum() * len(cold) / length <= allowed:
            return length
    return len(cold)


def _as_they_come(sets: Sequence[np.ndarray], *, generator: np.random.Generator) -> np.ndarray:
    del generator
    return np.unique(np.concatenate(sets))
