"""Packed files: every batch's rows behind each other on the disk, written by one pass over all rows."""

import contextlib
import dataclasses
import fcntl
import hashlib
import itertools
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.files.storage import as_folder, save_tree, write_sealed
from experiments.files.words import shown
from experiments.systems.diskgnn.layout import Layout, Order, SpaceBudgetError, lay_out
from experiments.systems.diskgnn.minhash import order_by_minhash
from experiments.systems.diskgnn.pages import PAGE, TEMPORARY, new_file, write_at
from experiments.systems.diskgnn.reading import LAYOUT, MANIFEST, PLAN, ROWS, Packed, starts_of
from experiments.systems.diskgnn.sampling import SamplePlan
from experiments.systems.diskgnn.store import FeatureStore
from ntkexec.errors import ExperimentError

SUFFIX = ".packing"
"""Of a folder that is not complete yet."""


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
) -> Packed:
    """The plan's rows laid out and written, ready to train from, now or in another process.

    The feature file is read once, from front to back, and every batch takes its rows as they come by.

    Args:
        store: of all rows; its memory is what packing may use, too.
        plan: of the batches.
        folder: that is made, whole or not at all, and must not be there yet.
        space: for the whole folder, plan and index included, in multiples of all rows. The tighter it is,
            the more batches share a cache on the disk; None, or plenty, gives each all its rows instead.
        device_rows, host_rows, generator, order: as for `lay_out`.

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
    with _new_folder(target) as made:
        plan.save(made / PLAN)
        layout = lay_out(
            plan,
            row_bytes=store.row_bytes,
            space=space,
            device_rows=device_rows,
            host_rows=host_rows,
            beside=(made / PLAN).stat().st_size + PAGE,  # of which the manifest takes less
            generator=generator,
            order=order,
        )
        in_memory = (len(layout.device) + len(layout.host)) * store.row_bytes
        store.memory.check(in_memory, "caches in memory")
        _check_free(target, layout.disk_bytes)
        with new_file(made / ROWS) as descriptor:
            os.ftruncate(descriptor, layout.disk_bytes)
            features = _write_streaming(store, _destinations(layout), descriptor)
            name = np.frombuffer(bytes.fromhex(features), np.uint8)
            write_at(descriptor, name, layout.disk_bytes - PAGE)
            rows = _digest_of(descriptor)
        tree = {
            "device": layout.device,
            "host": layout.host,
            "caches": np.concatenate([*layout.caches, np.zeros(0, np.int64)]),
            "lengths": np.array([len(cache) for cache in layout.caches], np.int64),
        }
        save_tree(made / LAYOUT, tree)
        manifest = {
            "shape": [store.num_nodes, store.width],
            "dtype": store.dtype.str,
            "segment": layout.segment,
            "features": features,
            "rows": rows,
        }
        write_sealed(made / MANIFEST, manifest)
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


def _write_streaming(store: FeatureStore, places: list[_Destination], descriptor: int) -> str:
    """Every row to where it belongs; the digest of all rows of the store."""
    found = hashlib.sha256()
    for first, rows in store.stream(store.parts()):
        found.update(rows.data)
        for place in places:
            low, high = np.searchsorted(place.nodes, [first, first + len(rows)])
            _write(rows, place.nodes[low:high] - first, place, low, descriptor)
    return found.hexdigest()


def _digest_of(descriptor: int) -> str:
    found, start = hashlib.sha256(), 0
    while piece := os.pread(descriptor, TEMPORARY, start):
        found.update(piece)
        start += len(piece)
    return found.hexdigest()


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


def _check_free(target: Path, needed: int) -> None:
    free = shutil.disk_usage(target.parent).free
    if needed > free:
        raise SpaceBudgetError(
            f"the packed files take {needed:,} bytes, and the disk of {shown(target)} has {free:,} left"
        )


@contextlib.contextmanager
def _new_folder(target: Path) -> Iterator[Path]:
    """A folder beside the target that becomes it in the end, or is removed; if not now, by the next one."""
    if target.exists() or target.is_symlink():
        raise ExperimentError(f"{shown(target)} is there already; delete it, or pack elsewhere")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(target)
        made = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}-", suffix=SUFFIX))
        held = os.open(made, os.O_RDONLY)
    except OSError as error:
        raise ExperimentError(
            f"cannot write in {shown(target.parent)}: {error.strerror}"
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield made
        mask = os.umask(0)
        os.umask(mask)
        made.chmod(0o777 & ~mask)
        made.rename(target)
    except OSError as error:
        raise ExperimentError(f"cannot write {shown(target)}: {error.strerror}") from error
    finally:
        os.close(held)
        shutil.rmtree(made, ignore_errors=True)


def _remove_abandoned(target: Path) -> None:
    """Removes what was begun for this target by processes that are no more: their locks ended with them."""
    begun = re.compile(rf"\.{re.escape(target.name)}-[a-z0-9_]{{8}}{re.escape(SUFFIX)}")
    for folder in target.parent.iterdir():
        if begun.fullmatch(folder.name) and folder.is_dir() and not folder.is_symlink():
            held = os.open(folder, os.O_RDONLY)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(folder, ignore_errors=True)
            except BlockingIOError:
                pass
            finally:
                os.close(held)
