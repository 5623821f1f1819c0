"""The three other ways to read features from a disk: on demand, an optimal cache, resident partitions."""

import dataclasses
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from jaxtyping import Int, Int64, Shaped
from scipy import sparse
from scipy.sparse import csgraph

from experiments.systems.diskgnn.checks import node_numbers
from experiments.systems.diskgnn.reading import Entry
from experiments.systems.diskgnn.sampling import MiniBatch, SamplePlan, check_graph, sample_offline
from experiments.systems.diskgnn.store import FeatureStore
from ntkexec.errors import ExperimentError

FEATURES = "features"


class Policy(Protocol):
    """What gives the features of a plan's batches and counts what it reads; `Packed` is one.

    Attributes:
        plan: of the batches.
        entries: by level, what was read.
    """

    plan: SamplePlan
    entries: dict[str, Entry]

    def features(self, number: int, *, height: int | None = None) -> Shaped[np.ndarray, "h F"]:
        """The rows of a batch, in the order of its nodes; rows of zeros follow up to `height`."""
        ...


class OnDemand:
    """Every row of every batch is read when it is needed, and nothing is kept.

    Args:
        store: of all rows.
        plan: of the batches.
    """

    def __init__(self, store: FeatureStore, plan: SamplePlan) -> None:
        self.store, self.plan = store, plan
        self.entries = {FEATURES: Entry(FEATURES, 0, store.row_bytes)}

    def features(self, number: int, *, height: int | None = None) -> Shaped[np.ndarray, "h F"]:
        """As `Policy`."""
        nodes = self.plan.batches[number].nodes
        reads, pages = self.store.file.reads, self.store.file.pages
        found = self.store.rows(nodes, height=height)
        self.entries[FEATURES] = self.entries[FEATURES].plus(
            len(nodes), self.store.file.reads - reads, self.store.file.pages - pages
        )
        return found


class BeladyCache:
    """A cache that knows all that will be read, and keeps what is needed soonest (Ginex).

    After each batch it keeps, of what it held and what was read, the rows whose next use is nearest, which
    no cache of this size beats; what is needed later than all of those is never let in. What it lacks of a
    batch it reads at once, each page that holds some of it once.

    Args:
        store: of all rows.
        plan: of the batches.
        order: in which the batches will be read; they must be.
        rows: that it holds.

    Raises:
        MemoryBudgetError: it does not fit the store's memory.
        ExperimentError: a negative size.

    Source: Park et al., Ginex, VLDB 2022, arXiv:2208.09151; Belady, IBM Systems Journal 5(2), 1966.
    """

    def __init__(
        self, store: FeatureStore, plan: SamplePlan, order: Sequence[int], *, rows: int
    ) -> None:
        if rows < 0:
            raise ExperimentError(f"a cache of {rows} rows is none")
        self.store, self.plan, self.order = store, plan, tuple(order)
        self.entries = {name: Entry(name, 0, store.row_bytes) for name in ("host", FEATURES)}
        self._cache = store.blank(rows)
        self._free = list(range(rows))[::-1]
        self._slot = np.full(plan.num_nodes, -1, np.int64)
        self._done = 0
        self._next_uses = next_uses(
            [plan.batches[number].nodes for number in order], plan.num_nodes
        )
        self._next = np.zeros(plan.num_nodes, np.int64)

    def features(self, number: int, *, height: int | None = None) -> Shaped[np.ndarray, "h F"]:
        """As `Policy`, in the order that was told.

        Raises:
            ExperimentError: another batch is next.
        """
        if self._done >= len(self.order) or self.order[self._done] != number:
            raise ExperimentError(
                f"batch {number} is not the next of the order that the cache knows"
            )
        nodes = self.plan.batches[number].nodes
        found = self.store.blank(len(nodes) if height is None else height)
        slots = self._slot[nodes]
        hits = np.flatnonzero(slots >= 0)
        for place, slot in zip(hits.tolist(), slots[hits].tolist(), strict=True):
            found[place] = self._cache[slot]
        misses = np.flatnonzero(slots < 0)
        taken = self.store.file.take(self.store.starts(nodes[misses]), found, misses)
        self.entries[FEATURES] = self.entries[FEATURES].plus(len(misses), *taken)
        self.entries["host"] = self.entries["host"].plus(len(hits), 0, 0)
        self._keep(nodes, found)
        return found

    def _keep(self, nodes: np.ndarray, rows: np.ndarray) -> None:
        self._next[nodes] = self._next_uses[self._done]
        self._done += 1
        held = np.flatnonzero(self._slot >= 0)
        wanted = np.union1d(held, nodes)
        wanted = wanted[self._next[wanted] < len(self.order)]
        wanted = wanted[np.argsort(self._next[wanted], kind="stable")][: len(self._cache)]
        for node in np.setdiff1d(held, wanted).tolist():
            self._free.append(int(self._slot[node]))
            self._slot[node] = -1
        places = np.flatnonzero(np.isin(nodes, wanted) & (self._slot[nodes] < 0))
        for place in places.tolist():
            slot = self._free.pop()
            self._cache[slot] = rows[place]
            self._slot[nodes[place]] = slot


def next_uses(
    reads: Sequence[Int64[np.ndarray, " n"]], num_nodes: int
) -> list[Int64[np.ndarray, " n"]]:
    """For each node of each batch the number of the next batch that reads it; of none, how many there are."""
    coming = np.full(num_nodes, len(reads), np.int64)
    found = []
    for number in range(len(reads) - 1, -1, -1):
        found.append(coming[reads[number]])
        coming[reads[number]] = number
    return found[::-1]


def breadth_first(graph: sparse.csr_array) -> Int64[np.ndarray, " n"]:
    """All nodes in an order of breadth-first searches, in which neighbours come near each other.

    Source: Cuthill and McKee, ACM National Conference 1969, as SciPy has it.
    """
    check_graph(graph)
    order = csgraph.reverse_cuthill_mckee(graph, symmetric_mode=True)
    return np.asarray(order[::-1], np.int64)


@dataclasses.dataclass(frozen=True, eq=False)
class Residents:
    """Batches for which some partitions are in memory, and nothing else is.

    Args:
        parts: numbers of the partitions.
        batches: numbers of the batches, in a row.
    """

    parts: tuple[int, ...]
    batches: range


def sample_resident(
    graph: sparse.csr_array,
    targets: Int[np.ndarray, " t"],
    *,
    order: Int64[np.ndarray, " n"],
    parts: int,
    resident: int,
    batch: int,
    fanouts: Sequence[int],
    generator: np.random.Generator,
) -> tuple[SamplePlan, tuple[Residents, ...]]:
    """An epoch in which neighbours are drawn only from the partitions that are in memory.

    Partitions are equally many nodes that follow each other; a random grouping of them is gone through.

    Args:
        graph, targets, batch, fanouts, generator: as for `sample_offline`.
        order: of all nodes, such as `breadth_first` finds.
        parts: partitions that there are.
        resident: of them, in memory at once.

    Raises:
        ExperimentError: as `sample_offline`, or the numbers of partitions make no sense.

    Source: after Waleffe et al., MariusGNN, EuroSys 2023, arXiv:2202.02365; its grouping is another.
    """
    check_graph(graph)
    number = graph.shape[0]
    if not 1 <= resident <= parts <= number:
        raise ExperimentError(
            f"{resident} of {parts} partitions of {number} nodes cannot be resident"
        )
    home = np.empty(number, np.int64)
    home[order] = np.searchsorted(part_bounds(number, parts), np.arange(number), side="right") - 1
    listed = node_numbers(targets, number, "targets")
    ends = np.repeat(np.arange(number), np.diff(graph.indptr))
    turns, groups = generator.permutation(parts), []
    batches: list[MiniBatch] = []
    for i in range(0, parts, resident):
        chosen = np.sort(turns[i : i + resident])
        here = np.isin(home, chosen)
        inside = here[ends] & here[graph.indices]
        counts = np.bincount(ends[inside], minlength=number)
        induced = sparse.csr_array(
            (graph.data[inside], graph.indices[inside], np.append(0, np.cumsum(counts))),
            shape=graph.shape,
        )
        local = listed[here[listed]]
        first = len(batches)
        if len(local):
            batches += sample_offline(
                induced, local, batch=batch, fanouts=fanouts, generator=generator
            ).batches
        groups.append(Residents(tuple(chosen.tolist()), range(first, len(batches))))
    return SamplePlan(number, tuple(batches)), tuple(groups)


def part_bounds(num_nodes: int, parts: int) -> Int64[np.ndarray, " p"]:
    """The first place of each partition in the order of all nodes, and one more than the last."""
    return np.arange(parts + 1) * num_nodes // parts


class Partitions:
    """Whole partitions in memory, read in a row before their batches; every row is then there.

    Args:
        store: of all rows, in the order of the partitions.
        plan, groups: that `sample_resident` drew.
        order, parts: as it was told.
    """

    def __init__(
        self,
        store: FeatureStore,
        plan: SamplePlan,
        groups: Sequence[Residents],
        *,
        order: Int64[np.ndarray, " n"],
        parts: int,
    ) -> None:
        self.store, self.plan, self.groups = store, plan, tuple(groups)
        self._places = np.argsort(order)
        self.bounds = part_bounds(store.num_nodes, parts)
        self.entries = {name: Entry(name, 0, store.row_bytes) for name in ("host", FEATURES)}
        self._held: dict[int, np.ndarray] = {}

    def features(self, number: int, *, height: int | None = None) -> Shaped[np.ndarray, "h F"]:
        """As `Policy`; partitions that the batch needs and are not there take the place of others."""
        group = next(group for group in self.groups if number in group.batches)
        for part in set(self._held) - set(group.parts):
            del self._held[part]
        for part in group.parts:
            if part not in self._held:
                first, last = (int(bound) for bound in self.bounds[part : part + 2])
                reads, pages = self.store.file.reads, self.store.file.pages
                self._held[part] = self.store.part(first, last)
                self.entries[FEATURES] = self.entries[FEATURES].plus(
                    last - first, self.store.file.reads - reads, self.store.file.pages - pages
                )
        nodes = self.plan.batches[number].nodes
        found = self.store.blank(len(nodes) if height is None else height)
        rows = self._places[nodes]
        home = np.searchsorted(self.bounds, rows, side="right") - 1
        for part in np.unique(home).tolist():
            places = np.flatnonzero(home == part)
            found[places] = self._held[part][rows[places] - self.bounds[part]]
        self.entries["host"] = self.entries["host"].plus(len(nodes), 0, 0)
        return found
