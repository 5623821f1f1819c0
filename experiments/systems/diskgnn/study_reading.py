"""What is counted: bytes and pages of four policies, pages by order, and time that overlap saves."""

import contextlib
import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, TypeVar

import numpy as np

from experiments.harness.study import NotMeasured, Trial
from experiments.systems.diskgnn.accounts import ledger
from experiments.systems.diskgnn.layout import lay_out
from experiments.systems.diskgnn.memory import Memory
from experiments.systems.diskgnn.minhash import order_by_minhash
from experiments.systems.diskgnn.packing import pack
from experiments.systems.diskgnn.pages import PAGE, PageFile, kernel_bytes, spans
from experiments.systems.diskgnn.pipeline import train_pipelined
from experiments.systems.diskgnn.reading import Entry, Packed
from experiments.systems.diskgnn.rivals import (
    BeladyCache,
    OnDemand,
    Partitions,
    Policy,
    breadth_first,
    sample_resident,
)
from experiments.systems.diskgnn.sampling import SamplePlan
from experiments.systems.diskgnn.settings import PLENTY, DiskGnnConfig, graph_and_plan
from experiments.systems.diskgnn.store import FeatureStore

Found = TypeVar("Found")


class ReadingResult(TypedDict):
    """Bytes of four policies at the same memory, for rows of both widths.

    Args:
        direct: whether the system's cache was read past, so that the kernel counts what was read.
        different: bytes of features that are not those of the array, over all policies and batches.
        different_unsorted: the same of packed rows taken in the order of the batch's nodes.
        pages_off: pages counted less those of the formulas, and bytes counted less the kernel's.
        pages_off_within: the same by a formula in which no row lies across pages.
        fetched: bytes of an epoch by policy, of the first width, what fills the caches included; `unpacked`
            has those of DiskGNN, and reads the rest of a batch from the file of all rows.
        on_disk, unlimited: bytes of the whole folder over what is allowed, and those of rows without limit.
        one_pass_off, one_by_one_off: pages that packing read less those of the file, by the reader and by
            the kernel; and those that it takes to fetch each packed row by itself.
        alone: share of an epoch's targets that get no neighbour from resident partitions.
    """

    direct: bool
    different: int
    different_unsorted: int
    pages_off: int
    pages_off_within: int
    fetched: dict[str, int]
    on_disk: float
    unlimited: float
    one_pass_off: int
    one_by_one_off: int
    alone: float


def four_policies(config: DiskGnnConfig, trial: Trial) -> ReadingResult:
    """Every policy reads an epoch; what it gives and what it reads is compared with array and formulas."""
    found = [_read(config, trial, width) for width in (config.width, config.odd_width)]
    first = found[0]
    return {
        "direct": all(one["direct"] for one in found),
        "different": sum(one["different"] for one in found),
        "different_unsorted": min(one["different_unsorted"] for one in found),
        "pages_off": sum(one["pages_off"] for one in found),
        "pages_off_within": found[1]["pages_off_within"],
        "fetched": first["fetched"],
        "on_disk": max(one["on_disk"] for one in found),
        "unlimited": min(one["unlimited"] for one in found),
        "one_pass_off": sum(one["one_pass_off"] for one in found),
        "one_by_one_off": min(one["one_by_one_off"] for one in found),
        "alone": first["alone"],
    }


def _read(config: DiskGnnConfig, trial: Trial, width: int) -> ReadingResult:
    generator = trial.generator
    graph, plan = graph_and_plan(config, generator)
    x = generator.standard_normal((config.read_nodes, width), np.float32)
    order, every = breadth_first(graph), range(len(plan.batches))
    rows, memory = round(config.share * config.read_nodes), Memory(PLENTY)
    with tempfile.TemporaryDirectory() as name, contextlib.ExitStack() as open_files:
        folder = Path(name)

        def stored(file: str, values: np.ndarray) -> FeatureStore:
            (folder / file).write_bytes(values.tobytes())
            return open_files.enter_context(FeatureStore(folder / file, memory, shape=values.shape))

        store, by_parts = stored("x.bin", x), stored("parts.bin", x[order])
        whole, passes = -(-store.file.size // PAGE), list[int]()

        def packing() -> tuple[int, Packed]:
            pages = store.file.pages
            made = pack(
                store,
                plan,
                folder / f"packed-{len(passes)}",
                space=config.space,
                device_rows=rows // 2,
                host_rows=rows - rows // 2,
                generator=np.random.default_rng(trial.seed),
            )
            passes.append(store.file.pages - pages)
            return passes[-1] + made.filled, open_files.enter_context(made)

        kernel_off, packed = by_kernel(packing, direct=store.file.direct)
        one_pass_off = abs(passes[0] - whole) + kernel_off
        others, groups = sample_resident(
            graph,
            np.concatenate([batch.nodes[: batch.sizes[0]] for batch in plan.batches]),
            order=order,
            parts=config.parts,
            resident=max(1, int(config.share * config.parts)),
            batch=config.read_batch,
            fanouts=(config.read_fanout,) * 2,
            generator=generator,
        )
        policies: dict[str, OnDemand | BeladyCache | Partitions | Packed] = {
            "ondemand": OnDemand(store, plan),
            "ginex": BeladyCache(store, plan, every, rows=rows),
            "partition": Partitions(by_parts, others, groups, order=order, parts=config.parts),
            "diskgnn": packed,
        }
        seen, off = {}, 0
        for name_of, policy in policies.items():
            file = policy.file if isinstance(policy, Packed) else policy.store.file
            attempts = 1 if isinstance(policy, BeladyCache) else 3  # which reads an epoch but once
            bytes_off, seen[name_of] = by_kernel(
                functools.partial(_epoch, policy, file, x),
                direct=file.direct,
                attempts=attempts,
            )
            off += bytes_off
        counted = {name_of: one.pages for name_of, one in seen.items()}
        levels = seen["diskgnn"].entries
        demanded = np.concatenate([store.starts(batch.nodes) for batch in plan.batches])
        chunks = sum(-(-len(c) * store.row_bytes // PAGE) for c in packed.layout.chunks)
        expected = int(spans(demanded, store.row_bytes).sum())
        off += abs(counted["ondemand"] - expected)
        off += abs(levels["packed"].pages - chunks)
        off += abs(counted["diskgnn"] - ledger(plan, packed.layout).fetched // PAGE)
        within = len(demanded) * -(-store.row_bytes // PAGE)
        counted["diskgnn"] += packed.filled
        counted["unpacked"] = packed.filled + _unpacked(store, packed)
        allowed = config.space * x.nbytes
        taken = sum(file.stat().st_size for file in (folder / "packed-0").iterdir())
        free = lay_out(plan, row_bytes=store.row_bytes, space=None, generator=generator)
        return {
            "direct": store.file.direct,
            "different": sum(one.different for one in seen.values()),
            "different_unsorted": _unsorted(packed, x),
            "pages_off": off,
            "pages_off_within": abs(counted["ondemand"] - within),
            "fetched": {name: number * PAGE for name, number in counted.items()},
            "on_disk": taken / allowed,
            "unlimited": free.disk_bytes / allowed,
            "one_pass_off": one_pass_off,
            "one_by_one_off": abs(_one_by_one(store, packed) - whole),
            "alone": _share_alone(others),
        }


def by_kernel(
    reading: Callable[[], tuple[int, Found]], *, direct: bool, attempts: int = 3
) -> tuple[int, Found]:
    """Bytes by which the pages that a reader counts are not what the kernel fetched for it.

    Args:
        reading: reads, and returns how many pages it says that it read, with what it found.
        direct: whether the cache is read past; if not, the kernel reads what it likes, and 0 is returned.
        attempts: after a difference; the least counts, for a page of code may have to be fetched, too.

    Returns:
        The difference, and what the first reading found.
    """
    found, differences = None, []
    for _ in range(attempts):
        before = kernel_bytes()
        pages, one = reading()
        after = kernel_bytes()
        found = one if found is None else found
        if not direct or before is None or after is None:
            return 0, found
        differences.append(abs(after - before - pages * PAGE))
        if not differences[-1]:
            break
    assert found is not None
    return min(differences), found


class _Epoch(NamedTuple):
    """What was read: pages, by level, and in how many bytes the features are not those of the array."""

    pages: int
    entries: dict[str, Entry]
    different: int


def _epoch(policy: Policy, file: PageFile, x: np.ndarray) -> tuple[int, _Epoch]:
    pages, different = file.pages, 0
    for number, batch in enumerate(policy.plan.batches):
        given = policy.features(number)
        different += int((given.view(np.uint8) != x[batch.nodes].view(np.uint8)).sum())
    pages = file.pages - pages
    return pages, _Epoch(pages, dict(policy.entries), different)


def _unpacked(store: FeatureStore, packed: Packed) -> int:
    """The pages of an epoch with the same two caches in memory and nothing packed on the disk."""
    pages = 0
    for number, batch in enumerate(packed.plan.batches):
        where = packed.locate(number)
        cold = batch.nodes[np.concatenate([where["disk cache"].places, where["packed"].places])]
        pages += store.file.take(store.starts(cold), store.blank(len(cold)), np.arange(len(cold)))[
            1
        ]
    return pages


def _share_alone(plan: SamplePlan) -> float:
    """The share of targets that receive nothing in the last layer."""
    counts = [np.bincount(b.receivers[-1], minlength=b.sizes[0]) for b in plan.batches]
    return float((np.concatenate(counts) == 0).mean())


def _one_by_one(store: FeatureStore, packed: Packed) -> int:
    """The pages that it takes to fetch the packed rows one by one."""
    pages, layout = store.file.pages, packed.layout
    for part in (layout.device, layout.host, *layout.caches, *layout.chunks):
        store.rows(part)
    return store.file.pages - pages


def _unsorted(packed: Packed, x: np.ndarray) -> int:
    """Bytes that would be wrong if a chunk's rows were taken in the order in which the batch names them."""
    off = 0
    for i, batch in enumerate(packed.plan.batches):
        where = packed.locate(i)["packed"]
        right, wrong = batch.nodes[where.places], packed.layout.chunks[i]
        off += int((x[right].view(np.uint8) != x[wrong].view(np.uint8)).sum())
    return off


def ordering(config: DiskGnnConfig, trial: Trial) -> dict[str, float]:
    """Pages that an epoch reads of the disk caches in MinHash order, over those in random order.

    With eight rows a page; and with one, where no order can matter.
    """
    generator = trial.generator
    _, plan = graph_and_plan(config, generator)

    def at_random(sets: Sequence[np.ndarray], *, generator: np.random.Generator) -> np.ndarray:
        return generator.permutation(np.unique(np.concatenate(sets)))

    def pages(order: Any, row_bytes: int) -> int:
        layout = lay_out(
            plan,
            row_bytes=row_bytes,
            space=config.space,
            host_rows=round(config.share * config.read_nodes),
            generator=generator,
            order=order,
        )
        return ledger(plan, layout).entries[2].pages

    row_bytes = config.width * 4
    base = pages(at_random, row_bytes)
    if not base:
        raise NotMeasured("everything fits the space without a cache on the disk")
    return {
        "minhash": pages(order_by_minhash, row_bytes) / base,
        "one_a_page": pages(order_by_minhash, PAGE) / pages(at_random, PAGE),
    }


def overlap(config: DiskGnnConfig, trial: Trial) -> dict[str, float]:
    """Time of epochs from packed files over that in turn, where a step takes as long as its batch's read.

    Reads take longer by a delay, so that it is mostly waiting that is to be hidden, as for a disk.
    """
    generator, delay = trial.generator, config.delay_ms / 1000
    _, plan = graph_and_plan(config, generator)
    x = generator.standard_normal((config.read_nodes, config.width), np.float32)
    order = np.resize(np.arange(len(plan.batches)), config.delayed).tolist()
    with tempfile.TemporaryDirectory() as name:
        np.save(Path(name) / "x.npy", x)
        with (
            FeatureStore(Path(name) / "x.npy", Memory(PLENTY)) as store,
            pack(
                store, plan, Path(name) / "packed", space=config.space, generator=generator
            ) as packed,
        ):

            def read(number: int) -> tuple[int, np.ndarray]:
                time.sleep(delay)
                return number, packed.features(number)

            def step(state: float, item: tuple[int, np.ndarray]) -> tuple[float, float]:
                time.sleep(took[item[0]])
                return state + float(item[1][0, 0]), state

            def seconds(ahead: int) -> float:
                start = time.perf_counter()
                train_pipelined(step, 0.0, order, (read,), ahead=ahead)
                return time.perf_counter() - start

            took = []
            for number in range(len(plan.batches)):
                start = time.perf_counter()
                read(number)
                took.append(time.perf_counter() - start)
            serial = seconds(0)
            return {
                "pipelined": seconds(2) / serial,
                "in_turn": seconds(0) / serial,
                "delays": 2 * delay * config.delayed / serial,
            }
