"""Packed batches: four levels, bytes by formula, every policy the same rows, space that is kept."""

import itertools

import numpy as np
import pytest

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
from experiments.systems.diskgnn.pages import PAGE
from experiments.systems.diskgnn.rivals import BeladyCache, OnDemand, Partitions, sample_resident
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
    plan, groups = sample_resident(
        GRAPH, TARGETS, parts=8, resident=3, batch=16, fanouts=(3, 2), generator=GENERATOR
    )
    parts = Partitions(store, plan, groups, parts=8)
    with packed_in(tmp_path, store) as packed:
        for number in EVERY:
            for policy in (demand, belady, packed):
                found = policy.features(number, height=150)
                assert (found[: len(rows[number])] == rows[number]).all()
                assert not found[len(rows[number]) :].any()
        foreseen = ledger(PLAN, packed.layout)
        assert dict(zip(LEVELS, foreseen.entries, strict=True)) == packed.entries
        chunks = [-(-len(chunk) * store.row_bytes // PAGE) for chunk in packed.layout.chunks]
        assert packed.entries["packed"].pages == sum(chunks)
        assert packed.entries["disk cache"].pages > 0
        assert "disk cache" in str(foreseen)
    assert demand.entries["features"].pages == sum(pages.sum() for pages in touched)
    for number, batch in enumerate(plan.batches):
        assert (parts.features(number) == X[batch.nodes]).all()
        home = {int(node) * 8 // NODES for node in batch.nodes}
        assert home <= set(next(g.parts for g in groups if number in g.batches))
    assert sorted(p for group in groups for p in group.parts) == list(range(8))
    with pytest.raises(ExperimentError, match="not the next"):
        belady.features(0)


@pytest.mark.parametrize("space", [None, 1.2, 1.5])
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
        used = sum(-(-len(part) * 400 // PAGE) * PAGE for part in parts)
        assert used == layout.disk_bytes == (tmp_path / "packed" / "rows.bin").stat().st_size
        if space is None:
            assert not any(map(len, layout.caches))
        else:
            assert used <= space * X.nbytes
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
    with pytest.raises(SpaceBudgetError, match=r"single segment take [\d,]+: allow \d"):
        packed_in(tmp_path, store, space=0.2)
    packed_in(tmp_path, store).close()
    with pytest.raises(ExperimentError, match="is there already"):
        packed_in(tmp_path, store)
    for pages, rows in ((2, 100), (1, 0)):
        small = FeatureStore(store.file.path, Memory(pages * PAGE))
        with small, pytest.raises(MemoryBudgetError):
            pack(small, PLAN, tmp_path / "other", generator=GENERATOR, host_rows=rows)
    assert [path.name for path in tmp_path.iterdir()] == ["packed"]


def test_packing_reads_the_file_once_and_writes_what_row_by_row_packing_writes(store, tmp_path):
    before = store.file.pages
    packed_in(tmp_path / "one", store).close()
    assert store.file.pages - before == -(-store.file.size // PAGE)
    before = store.file.reads
    with packed_in(tmp_path / "two", store, batched=False) as packed:
        written = sum(map(len, (*packed.layout.caches, *packed.layout.chunks))) + 50
        assert store.file.reads - before == written
    one, two = (tmp_path / name / "packed" / "rows.bin" for name in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()


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


def test_minhash_puts_equal_sets_side_by_side_and_every_node_once():
    alone = [np.arange(60)[np.arange(60) % 7 == k] for k in range(7)]
    order = order_by_minhash(alone, generator=GENERATOR)
    assert np.sort(order).tolist() == list(range(60))
    assert len([key for key, _ in itertools.groupby(order % 7)]) == 7
    sets = [GENERATOR.permutation(60)[:20] for _ in range(6)]
    generator = np.random.default_rng(5)
    places = [generator.permutation(6) for _ in range(2)]
    inside = {v: [k for k in range(6) if v in sets[k]] for v in range(60)}
    keys = {v: [min(p[inside[v]]) for p in places] + [v] for v in range(60) if inside[v]}
    order = order_by_minhash(sets, generator=np.random.default_rng(5))
    assert order.tolist() == sorted(keys, key=keys.__getitem__)
    assert not len(order_by_minhash([np.zeros(0, int)], generator=GENERATOR))
    with pytest.raises(ExperimentError, match="0 sets"):
        order_by_minhash([], generator=GENERATOR)


def test_the_optimal_cache_misses_no_more_than_any_choice_of_what_to_keep(tmp_path):
    x = np.arange(5, dtype=np.float32)[:, None]
    np.save(tmp_path / "x.npy", x)
    reads = [[0, 1], [2, 0], [3, 1], [0, 4], [1, 2], [0, 3]]

    def fewest(kept, batch):
        if batch == len(reads):
            return 0
        now = set(reads[batch])
        after = itertools.combinations(sorted(kept | now), min(2, len(kept | now)))
        return len(now - kept) + min(fewest(frozenset(k), batch + 1) for k in after)

    star = sample_offline(
        neighbours_of(np.zeros((0, 2), int), 5),
        np.arange(5),
        batch=2,
        fanouts=(1,),
        generator=GENERATOR,
    )
    batches = tuple(
        type(star.batches[0])(
            np.array(nodes), (2, 2), star.batches[0].senders, star.batches[0].receivers
        )
        for nodes in reads
    )
    plan = type(star)(5, batches)
    with FeatureStore(tmp_path / "x.npy", MEMORY) as store:
        for rows, least in ((2, fewest(frozenset(), 0)), (0, 12), (5, 5)):
            cache = BeladyCache(store, plan, range(6), rows=rows)
            for number in range(6):
                assert (cache.features(number)[:, 0] == reads[number]).all()
            assert cache.entries["features"].rows == least
            # The most popular rows, kept from their first use on, hit no more often.
            popular = np.sort(plan.popularity)[::-1][:rows]
            assert cache.entries["host"].rows >= (popular - 1).sum()


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
