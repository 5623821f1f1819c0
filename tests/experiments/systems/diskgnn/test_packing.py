"""Packed batches: four levels, bytes by formula, every policy the same rows, space that is kept."""

import hashlib
import itertools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from scipy import sparse

from experiments.systems.diskgnn import (
    FeatureStore,
    Memory,
    Packed,
    ledger,
    neighbours_of,
    order_by_minhash,
    pack,
    sample_offline,
)
from experiments.systems.diskgnn.layout import LEVELS, SpaceBudgetError, lay_out
from experiments.systems.diskgnn.memory import MemoryBudgetError
from experiments.systems.diskgnn.packing import _remove_abandoned
from experiments.systems.diskgnn.pages import PAGE
from experiments.systems.diskgnn.rivals import (
    BeladyCache,
    OnDemand,
    Partitions,
    breadth_first,
    sample_resident,
)
from ntkexec.errors import ExperimentError

NODES, WIDTH = 400, 100
GENERATOR = np.random.default_rng(0)
X = GENERATOR.normal(size=(NODES, WIDTH)).astype(np.float32)
GRAPH = neighbours_of(GENERATOR.integers(NODES, size=(900, 2)), NODES)
TARGETS = GENERATOR.permutation(NODES)[:120]
PLAN = sample_offline(GRAPH, TARGETS, batch=16, fanouts=(3, 2), generator=GENERATOR)
EVERY = range(len(PLAN.batches))
MEMORY = Memory(1 << 24)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    path = tmp_path_factory.mktemp("store") / "x.npy"
    np.save(path, X)
    with FeatureStore(path, MEMORY) as opened:
        yield opened


def packed_in(folder, store, **given):
    given = {"space": 1.5, "device_rows": 20, "host_rows": 30, **given}
    return pack(store, PLAN, folder / "packed", generator=np.random.default_rng(1), **given)


@pytest.mark.slow
def test_batches_hold_distinct_neighbours_at_most_so_many_and_the_nodes_that_they_name():
    counts = np.diff(GRAPH.indptr)
    assert np.sort(np.concatenate([b.nodes[: b.sizes[0]] for b in PLAN.batches])).tolist() == (
        np.sort(TARGETS).tolist()
    )
    for batch in PLAN.batches:
        assert len(np.unique(batch.nodes)) == len(batch.nodes) == batch.sizes[-1]
        for layer, fanout in enumerate((2, 3)):
            senders, receivers = batch.senders[layer], batch.receivers[layer]
            pairs = np.stack([batch.nodes[receivers], batch.nodes[senders]])
            assert len(np.unique(pairs, axis=1).T) == pairs.shape[1]
            assert GRAPH[pairs[0], pairs[1]].all()
            heads = batch.sizes[1 - layer]
            drawn = np.bincount(receivers, minlength=heads)
            assert (drawn == np.minimum(counts[batch.nodes[:heads]], fanout)).all()
    # All subsets of three of five are equally likely: 6,000 draws, six standard deviations.
    star = neighbours_of(np.stack([np.zeros(5, int), np.arange(1, 6)], 1), 6)
    drawn = [
        frozenset(
            sample_offline(star, [0], batch=1, fanouts=(3,), generator=GENERATOR)
            .batches[0]
            .nodes[1:]
            .tolist()
        )
        for _ in range(6000)
    ]
    for subset in itertools.combinations(range(1, 6), 3):
        assert abs(drawn.count(frozenset(subset)) - 600) < 6 * np.sqrt(6000 * 0.09)


def test_four_policies_give_the_same_rows_and_count_what_the_formulas_say(store, tmp_path):
    rows = [X[batch.nodes] for batch in PLAN.batches]
    starts = [store.starts(batch.nodes) for batch in PLAN.batches]
    touched = [(s + store.row_bytes - 1) // PAGE - s // PAGE + 1 for s in starts]
    demand = OnDemand(store, PLAN)
    belady = BeladyCache(store, PLAN, EVERY, rows=50)
    order = breadth_first(GRAPH)
    plan, groups = sample_resident(
        GRAPH, TARGETS, order=order, parts=8, resident=3, batch=16, fanouts=(3, 2),
        generator=GENERATOR,
    )  # fmt: skip
    np.save(tmp_path / "parts.npy", X[order])
    by_parts = FeatureStore(tmp_path / "parts.npy", MEMORY)
    parts = Partitions(by_parts, plan, groups, order=order, parts=8)
    place = np.argsort(order)
    with packed_in(tmp_path, store) as packed:
        for number in EVERY:
            before = [one.entries["features"].pages for one in (demand, belady)]
            for policy in (demand, belady, packed):
                found = policy.features(number, height=150)
                assert (found[: len(rows[number])] == rows[number]).all()
                assert not found[len(rows[number]) :].any()
            # The optimal cache reads a page once a batch, however many rows it lacks of it.
            read = belady.entries["features"].pages - before[1]
            pages = {int(s) // PAGE for s in starts[number]}
            assert read <= len(pages | {(int(s) + 399) // PAGE for s in starts[number]})
            assert read < demand.entries["features"].pages - before[0]
        foreseen = ledger(PLAN, packed.layout)
        assert dict(zip(LEVELS, foreseen.entries, strict=True)) == packed.entries
        chunks = [-(-len(chunk) * store.row_bytes // PAGE) for chunk in packed.layout.chunks]
        assert packed.entries["packed"].pages == sum(chunks)
        assert packed.entries["disk cache"].pages > 0
        assert "disk cache" in str(foreseen)
    assert demand.entries["features"].pages == sum(pages.sum() for pages in touched)
    for number, batch in enumerate(plan.batches):
        assert (parts.features(number) == X[batch.nodes]).all()
        home = {int(place[node]) * 8 // NODES for node in batch.nodes}
        assert home <= set(next(g.parts for g in groups if number in g.batches))
    assert sorted(p for group in groups for p in group.parts) == list(range(8))
    by_parts.close()
    with pytest.raises(ExperimentError, match="not the next"):
        belady.features(0)


@pytest.mark.parametrize("space", [None, 1.3, 1.5])
def test_levels_split_every_batch_and_disk_use_is_the_formula_within_its_budget(
    store, tmp_path, space
):
    with packed_in(tmp_path, store, space=space) as packed:
        layout = packed.layout
        for number, batch in enumerate(PLAN.batches):
            where = packed.locate(number)
            places = np.concatenate([where[level].places for level in LEVELS])
            assert np.sort(places).tolist() == list(range(len(batch.nodes)))
            cache = layout.caches[number // layout.segment]
            parts = (layout.device, layout.host, cache, layout.chunks[number])
            for level, part in zip(LEVELS, parts, strict=True):
                assert (part[where[level].slots] == batch.nodes[where[level].places]).all()
        parts = (layout.device, layout.host, *layout.caches, *layout.chunks)
        used = sum(-(-len(part) * 400 // PAGE) * PAGE for part in parts) + PAGE
        assert used == layout.disk_bytes == (tmp_path / "packed" / "rows.bin").stat().st_size
        if space is None:
            assert not any(map(len, layout.caches))
        else:
            files = [path.stat().st_size for path in (tmp_path / "packed").iterdir()]
            assert len(files) == 4
            assert sum(files) <= space * X.nbytes
        popularity = PLAN.popularity
        held = np.concatenate([layout.device, layout.host])
        assert popularity[held].min() >= np.delete(popularity, held).max()
        for number in EVERY:
            packed.features(number)
        hits = sum(packed.entries[level].rows for level in LEVELS[:2])
        assert hits == popularity[held].sum()


def test_a_space_that_nothing_fits_and_folders_that_are_there_or_too_small_are_refused(
    store, tmp_path
):
    with pytest.raises(
        SpaceBudgetError, match=r"single segment take [\d,]+, 2\d,\d+ of them the plan: allow 1\.\d"
    ):
        packed_in(tmp_path, store, space=0.2)
    packed_in(tmp_path, store).close()
    with pytest.raises(ExperimentError, match="is there already"):
        packed_in(tmp_path, store)
    for pages, rows in ((2, 100), (1, 0)):
        small = FeatureStore(store.file.path, Memory(pages * PAGE))
        with small, pytest.raises(MemoryBudgetError):
            pack(small, PLAN, tmp_path / "other", generator=GENERATOR, host_rows=rows)
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]


def test_packing_reads_each_page_of_the_file_once_from_front_to_back(store, tmp_path, monkeypatch):
    reading, log = os.preadv, []

    def read(descriptor, buffers, start):
        got = reading(descriptor, buffers, start)
        if os.path.samestat(os.fstat(descriptor), os.stat(store.file.path)):
            log.append((start, got))
        return got

    monkeypatch.setattr(os, "preadv", read)
    before = store.file.pages
    packed_in(tmp_path, store).close()
    assert store.file.pages - before == -(-store.file.size // PAGE)
    assert [start for start, _ in log] == np.cumsum([0, *(got for _, got in log)])[:-1].tolist()
    assert sum(got for _, got in log) == store.file.size


def test_a_folder_is_tied_to_its_features_and_a_changed_byte_of_its_rows_is_found(store, tmp_path):
    np.save(tmp_path / "y.npy", X + 1)
    packed_in(tmp_path, store).close()
    with FeatureStore(tmp_path / "y.npy", MEMORY) as other:
        packed_in(tmp_path / "other", other).close()
        rows = [folder / "packed" / "rows.bin" for folder in (tmp_path, tmp_path / "other")]
        with Packed(tmp_path / "packed", MEMORY) as packed:
            packed.check()
            packed.check(store)
            with pytest.raises(ExperimentError, match=r"y\.npy.* holds other features"):
                packed.check(other)
    whole = rows[0].read_bytes()
    assert store.digest() == hashlib.sha256(X.tobytes()).hexdigest()
    rows[0].write_bytes(rows[1].read_bytes())
    with pytest.raises(ExperimentError, match=r"rows\.bin.* holds rows of other features"):
        Packed(tmp_path / "packed", MEMORY)
    rows[0].write_bytes(whole[:10] + bytes([whole[10] ^ 64]) + whole[11:])
    changed = Packed(tmp_path / "packed", MEMORY)
    with changed, pytest.raises(ExperimentError, match=r"rows\.bin.* was changed"):
        changed.check()


def test_several_threads_get_their_rows_and_count_what_the_ledger_foresees(store, tmp_path):
    with packed_in(tmp_path, store) as packed, ThreadPoolExecutor(4) as threads:
        for number, found in zip(EVERY, threads.map(packed.features, EVERY), strict=True):
            assert (found == X[PLAN.batches[number].nodes]).all()
        foreseen = ledger(PLAN, packed.layout).entries
        assert tuple(packed.entries[level] for level in LEVELS) == foreseen
        assert packed.file.pages == packed.filled - packed.file.probed + sum(
            entry.pages for entry in foreseen
        )


def test_what_a_killed_packing_left_is_removed_and_what_another_is_writing_stays(store, tmp_path):
    (tmp_path / ".packed-abcd0123.packing").mkdir()
    (tmp_path / ".packed-abcd0123.packing" / "rows.bin").write_bytes(b"0")
    mine = [".packed-mine", ".packed.packing", ".packed-other-abcd0123.packing"]
    for name in mine:
        (tmp_path / name).mkdir()
    seen = []

    def order(sets, *, generator):
        if not seen:
            seen.append(None)
            seen.extend(path.name for path in tmp_path.glob(".packed-????????.packing"))
            _remove_abandoned(tmp_path / "packed")  # as another would that packs to the same place
        return order_by_minhash(sets, generator=generator)

    packed_in(tmp_path, store, order=order).close()
    assert len(seen) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*mine, "packed"])


@pytest.mark.parametrize(
    "name", ["rows.bin", "plan.safetensors", "layout.safetensors", "packed.json"]
)
def test_a_packed_folder_is_opened_again_and_refused_once_it_is_cut(store, tmp_path, name):
    with packed_in(tmp_path, store) as packed, Packed(tmp_path / "packed", MEMORY) as again:
        for number in EVERY:
            assert (packed.features(number) == again.features(number)).all()
    path = tmp_path / "packed" / name
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.raises(ExperimentError, match=name):
        Packed(tmp_path / "packed", MEMORY)
    path.unlink()
    with pytest.raises(ExperimentError, match=name):
        Packed(tmp_path / "packed", MEMORY)


def test_node_numbers_are_whole_and_edges_are_rows_or_refused_in_words(store):
    neighbours_of([[0, 1]], 2)
    neighbours_of(np.zeros((0, 2)), 5)
    for wrong, words in (
        (np.array([[0, 1, 2], [1, 2, 3]]), "edges must be rows of 2.*transpose"),
        (np.array([0, 1]), "edges must be rows of 2"),
        (np.array([[0.9, 1.9]]), "whole numbers"),
        (np.array([[np.nan, 1.0]]), "whole numbers"),
        (np.array([[0, 5]]), "no node 5, but 0 to 4"),
        (np.array([[2**64 - 1, 0]], np.uint64), "no node"),
    ):
        with pytest.raises(ExperimentError, match=words):
            neighbours_of(wrong, 5)
    for wrong in (np.array([1.9]), np.array([True] * 3), np.array([[1]]), np.array([-1])):
        with pytest.raises(ExperimentError, match=r"rows of .*x\.npy"):
            store.rows(wrong)
        with pytest.raises(ExperimentError, match="targets"):
            sample_offline(GRAPH, wrong, batch=2, fanouts=(2,), generator=GENERATOR)
    for indices in ([1, 1, 2], [1, 2, 1]):
        twice = sparse.csr_array((np.ones(3), indices, [0, 3, 3, 3]), shape=(3, 3))
        with pytest.raises(ExperimentError, match="row 0 of the graph names node 1 twice"):
            sample_offline(twice, [0], batch=1, fanouts=(3,), generator=GENERATOR)


def test_a_layout_of_the_paper_s_rule_is_the_shortest_that_fits():
    generator = np.random.default_rng(2)
    free = lay_out(PLAN, row_bytes=400, space=None, generator=generator)
    tight = [
        lay_out(PLAN, row_bytes=400, space=space, generator=generator) for space in (3.0, 1.6, 1.3)
    ]
    segments = [layout.segment for layout in (free, *tight)]
    assert segments == sorted(segments)
    assert segments[-1] > 1
    with pytest.raises(ExperimentError, match="are no sizes"):
        lay_out(PLAN, row_bytes=400, space=-1.0, generator=generator)
