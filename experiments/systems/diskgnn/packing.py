"""Packed files: every batch's rows behind each other on the disk, written by one pass over all rows."""

import contextlib
import dataclasses
import itertools
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.files.storage import as_folder, save_tree, write_sealed
from experiments.files.words import shown
from experiments.systems.diskgnn.layout import Layout, Order, lay_out
from experiments.systems.diskgnn.minhash import order_by_minhash
from experiments.systems.diskgnn.pages import TEMPORARY, new_file, write_at
from experiments.systems.diskgnn.reading import LAYOUT, MANIFEST, PLAN, ROWS, Packed, starts_of
from experiments.systems.diskgnn.sampling import SamplePlan
from experiments.systems.diskgnn.store import FeatureStore
from ntkexec.errors import ExperimentError

PARTS = 8
"""Reads of the feature file, at least; more where memory is short."""


@dataclasses.dataclass(frozen=True)
class _Destination:
    """Rows that belong behind each other from a byte on.

    Args:
        start: the byte.
        nodes: rising.
        slots: the row at which each node lies, from there.
    """

    start: int
    nodes: np.ndarray
    slots: np.ndarray


def pack(
    store: FeatureStore,
    plan: SamplePlan,
    folder: Path | str,
    *,
    space: float | None = None,
    device_rows: int = 0,
    host_rows: int = 0,
    generator: np.random.Generator,
    order: Order = order_by_minhash,
    batched: bool = True,
) -> Packed:
    """The plan's rows laid out and written, ready to train from, now or in another process.

    Args:
        store: of all rows; its memory is what packing may use, too.
        plan: of the batches.
        folder: that is made, whole or not at all, and must not be there yet.
        space, device_rows, host_rows, generator, order: as for `lay_out`.
        batched: whether the feature file is read once from front to back, and every batch takes its rows as
            they come by; otherwise each batch fetches its own, one by one.

    Raises:
        SpaceBudgetError: the files would take more than `space`, or than the disk has left.
        MemoryBudgetError: the store's memory is too small even for this.
        ExperimentError: the folder is there, cannot be written, or the plan is of another graph.

    Source: batched packing in the paper.
    """
    target = as_folder(folder)
    if plan.num_nodes != store.num_nodes:
        raise ExperimentError(
            f"a plan of {plan.num_nodes} nodes does not fit {store.num_nodes} rows of features"
        )
    layout = lay_out(
        plan,
        row_bytes=store.row_bytes,
        space=space,
        device_rows=device_rows,
        host_rows=host_rows,
        generator=generator,
        order=order,
    )
    in_memory = (len(layout.device) + len(layout.host)) * store.row_bytes
    store.memory.check(in_memory, "caches in memory")
    with _new_folder(target, layout.disk_bytes) as made:
        with new_file(made / ROWS) as descriptor:
            os.ftruncate(descriptor, layout.disk_bytes)
            places = _destinations(layout)
            if batched:
                _write_streaming(store, places, descriptor)
            else:
                _write_one_by_one(store, places, descriptor)
        plan.save(made / PLAN)
        lengths = np.array([len(cache) for cache in layout.caches], np.int64)
        tree = {
            "device": layout.device,
            "host": layout.host,
            "caches": np.concatenate([*layout.caches, np.zeros(0, np.int64)]),
            "lengths": lengths,
        }
        save_tree(made / LAYOUT, tree)
        shape = [store.num_nodes, store.width]
        write_sealed(
            made / MANIFEST,
            {"shape": shape, "dtype": store.dtype.str, "segment": layout.segment},
        )
    return Packed(target, store.memory, direct=store.file.direct)


def _destinations(layout: Layout) -> list[_Destination]:
    found = []
    starts = starts_of(layout)
    for start, nodes in zip(
        starts, (layout.device, layout.host, *layout.caches, *layout.chunks), strict=True
    ):
        slots = np.argsort(nodes)
        found.append(_Destination(start, nodes[slots], slots))
    return found


def _write_streaming(store: FeatureStore, places: list[_Destination], descriptor: int) -> None:
    # A part and what of it is on its way to a chunk are held at once; a quarter leaves room for both.
    parts = max(PARTS, -(-store.num_bytes // max(1, store.memory.limit // 4)))
    for first, rows in store.stream(parts):
        for place in places:
            low, high = np.searchsorted(place.nodes, [first, first + len(rows)])
            _write(rows, place.nodes[low:high] - first, place, low, descriptor)


def _write_one_by_one(store: FeatureStore, places: list[_Destination], descriptor: int) -> None:
    step = max(1, TEMPORARY // store.row_bytes)
    for place in places:
        for low in range(0, len(place.nodes), step):
            rows = store.rows(place.nodes[low : low + step])
            _write(rows, np.arange(len(rows)), place, low, descriptor)


def _write(
    rows: np.ndarray, chosen: np.ndarray, place: _Destination, low: int, descriptor: int
) -> None:
    """Some rows to where they belong, those that lie behind each other there together."""
    row = rows.shape[1] * rows.itemsize
    slots = place.slots[low : low + len(chosen)]
    ends = [0, *(np.flatnonzero(np.diff(slots) != 1) + 1).tolist(), len(slots)]
    step = max(1, TEMPORARY // row)
    for begin, end in itertools.pairwise(ends):
        for i in range(begin, end, step):
            some = rows[chosen[i : min(i + step, end)]]
            write_at(descriptor, some, place.start + int(slots[i]) * row)


@contextlib.contextmanager
def _new_folder(target: Path, needed: int) -> Iterator[Path]:
    """A folder beside the target that becomes it in the end, or is removed."""
    if target.exists() or target.is_symlink():
        raise ExperimentError(f"{shown(target)} is there already; delete it, or pack elsewhere")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(target.parent).free
        made = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-"))
    except OSError as error:
        raise ExperimentError(
            f"cannot write in {shown(target.parent)}: {error.strerror}"
        ) from error
    try:
        if needed > free:
            raise ExperimentError(
                f"the packed files take {needed:,} bytes, and the disk of {shown(target)} has {free:,} left"
            )
        yield made
        mask = os.umask(0)
        os.umask(mask)
        made.chmod(0o777 & ~mask)
        made.rename(target)
    except OSError as error:
        raise ExperimentError(f"cannot write {shown(target)}: {error.strerror}") from error
    finally:
        shutil.rmtree(made, ignore_errors=True)
