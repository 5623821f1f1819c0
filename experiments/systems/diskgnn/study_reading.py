"""What is counted: bytes and pages of four policies, pages by order, and time that overlap saves."""

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypedDict

import numpy as np

from experiments.harness.study import NotMeasured, Trial
from experiments.systems.diskgnn.accounts import ledger
from experiments.systems.diskgnn.layout import lay_out
from experiments.systems.diskgnn.memory import Memory
from experiments.systems.diskgnn.minhash import order_by_minhash
from experiments.systems.diskgnn.packing import pack
from experiments.systems.diskgnn.pages import PAGE, spans
from experiments.systems.diskgnn.pipeline import train_pipelined
from experiments.systems.diskgnn.reading import ROWS, Packed
from experiments.systems.diskgnn.rivals import (
    BeladyCache,
    OnDemand,
    Partitions,
    Policy,
    sample_resident,
)
from experiments.systems.diskgnn.settings import PLENTY, DiskGnnConfig, graph_and_plan
from experiments.systems.diskgnn.store import FeatureStore


class ReadingResult(TypedDict):
    """Bytes of four policies at the same memory, for rows of both widths.

    Args:
        direct: whether the system's cache was read past.
        different: bytes of features that are not those of the array, over all policies and batches.
        different_unsorted: the same of packed rows taken in the order of the batch's nodes.
        pages_off: pages counted less those of the formulas.
        pages_off_within: the same by a formula in which no row lies across pages.
        fetched: bytes of an epoch by policy, of the first width.
        on_disk, unlimited: bytes of the packed files over what is allowed, and those of files without limit.
        one_pass_off, one_by_one_off: pages that packing read less those of the file, both ways.
        same_files: whether both ways wrote the same bytes.
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
    same_files: bool


def reading(config: DiskGnnConfig, trial: Trial) -> ReadingResult:
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
        "same_files": all(one["same_files"] for one in found),
    }


def _read(config: DiskGnnConfig, trial: Trial, width: int) -> ReadingResult:
    generator = trial.generator
    graph, plan = graph_and_plan(config, generator)
    x = generator.standard_normal((config.read_nodes, width), np.float32)
    every, rows = range(len(plan.batches)), round(config.share * config.read_nodes)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "x.bin").write_bytes(x.tobytes())
        with FeatureStore(folder / "x.bin", Memory(PLENTY), shape=x.shape) as store:
            given: dict[str, Any] = {
                "space": config.space,
                "device_rows": rows // 2,
                "host_rows": rows - rows // 2,
            }
            pages = store.file.pages
            packed = pack(
                store, plan, folder / "one", generator=np.random.default_rng(trial.seed), **given
            )
            one_pass = store.file.pages - pages
            pages = store.file.pages
            pack(
                store,
                plan,
                folder / "two",
                generator=np.random.default_rng(trial.seed),
                batched=False,
                **given,
            ).close()
            one_by_one = store.file.pages - pages
            files = [(folder / way / ROWS).read_bytes() for way in ("one", "two")]
            resident = max(1, int(config.share * config.parts))
            others, groups = sample_resident(
                graph,
                np.concatenate([batch.nodes[: batch.sizes[0]] for batch in plan.batches]),
                parts=config.parts,
                resident=resident,
                batch=config.read_batch,
                fanouts=(config.read_fanout,) * 2,
                generator=generator,
            )
            policies: dict[str, Policy] = {
                "ondemand": OnDemand(store, plan),
                "ginex": BeladyCache(store, plan, every, rows=rows),
                "partition": Partitions(store, others, groups, parts=config.parts),
                "diskgnn": packed,
            }
            different = sum(_num_bytes_off(policy, x) for policy in policies.values())
            counted = {
                name: sum(entry.pages for entry in policy.entries.values())
                for name, policy in policies.items()
            }
            whole = -(-store.file.size // PAGE)
            demanded = np.concatenate([store.starts(batch.nodes) for batch in plan.batches])
            chunks = sum(-(-len(c) * store.row_bytes // PAGE) for c in packed.layout.chunks)
            expected = int(spans(demanded, store.row_bytes).sum())
            off = abs(counted["ondemand"] - expected)
            off += abs(packed.entries["packed"].pages - chunks)
            off += abs(counted["diskgnn"] - ledger(plan, packed.layout).fetched // PAGE)
            within = len(demanded) * -(-store.row_bytes // PAGE)
            free = lay_out(
                plan, row_bytes=store.row_bytes, space=None, generator=generator
            ).disk_bytes
            allowed = config.space * x.nbytes
            result: ReadingResult = {
                "direct": store.file.direct,
                "different": different,
                "different_unsorted": _unsorted(packed, x),
                "pages_off": off,
                "pages_off_within": abs(counted["ondemand"] - within),
                "fetched": {name: number * PAGE for name, number in counted.items()},
                "on_disk": (folder / "one" / ROWS).stat().st_size / allowed,
                "unlimited": free / allowed,
                "one_pass_off": abs(one_pass - whole),
                "one_by_one_off": abs(one_by_one - whole),
                "same_files": files[0] == files[1],
            }
            packed.close()
    return result


def _num_bytes_off(policy: Policy, x: np.ndarray) -> int:
    """Bytes in which an epoch's features are not those of the array."""
    return sum(
        int((policy.features(i).view(np.uint8) != x[batch.nodes].view(np.uint8)).sum())
        for i, batch in enumerate(policy.plan.batches)
    )


def _unsorted(packed: Packed, x: np.ndarray) -> int:
    """Bytes that would be wrong if a chunk's rows were taken in the order in which the batch names them."""
    off = 0
    for i, batch in enumerate(packed.plan.batches):
        where = packed.locate(i)["packed"]
        right, wrong = batch.nodes[where.places], packed.layout.chunks[i]
        off += int((x[right].view(np.uint8) != x[wrong].view(np.uint8)).sum())
    return off


class OrderingResult(TypedDict):
    """Pages that an epoch reads of the disk caches, by order over random order.

    Args:
        minhash, popularity: with eight rows a page.
        one_a_page: MinHash with one row a page, where no order can matter.
        pages: in random order.
    """

    minhash: float
    popularity: float
    one_a_page: float
    pages: int


def ordering(config: DiskGnnConfig, trial: Trial) -> OrderingResult:
    """How many pages of the disk caches each order of their nodes makes an epoch touch."""
    generator = trial.generator
    _, plan = graph_and_plan(config, generator)

    def at_random(sets: Sequence[np.ndarray], *, generator: np.random.Generator) -> np.ndarray:
        return generator.permutation(np.unique(np.concatenate(sets)))

    def by_popularity(sets: Sequence[np.ndarray], *, generator: np.random.Generator) -> np.ndarray:
        nodes, counts = np.unique(np.concatenate(sets), return_counts=True)
        shuffled = generator.permutation(len(nodes))
        return nodes[shuffled[np.argsort(-counts[shuffled], kind="stable")]]

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
        "popularity": pages(by_popularity, row_bytes) / base,
        "one_a_page": pages(order_by_minhash, PAGE) / pages(at_random, PAGE),
        "pages": base,
    }


def overlap(config: DiskGnnConfig, trial: Trial) -> dict[str, float]:
    """Time of an epoch over that of one in turn, where every read and every step takes longer by a delay."""
    delay = config.delay_ms / 1000

    def read(number: int) -> int:
        time.sleep(delay)
        return number

    def step(state: float, number: int) -> tuple[float, float]:
        time.sleep(delay)
        return state + number, state

    def seconds(ahead: int) -> float:
        start = time.perf_counter()
        train_pipelined(step, 0.0, range(config.delayed), (read,), ahead=ahead)
        return time.perf_counter() - start

    serial = seconds(0)
    return {
        "pipelined": seconds(2) / serial,
        "in_turn": seconds(0) / serial,
        "delays": serial / (2 * delay * config.delayed),
    }
