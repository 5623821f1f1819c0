"""The order of a disk cache, and the best of caches."""

import itertools

import numpy as np
import pytest

from experiments.systems.diskgnn import (
    FeatureStore,
    Memory,
    neighbours_of,
    order_by_minhash,
    sample_offline,
)
from experiments.systems.diskgnn.rivals import BeladyCache
from ntkexec.errors import ExperimentError

GENERATOR = np.random.default_rng(0)
MEMORY = Memory(1 << 24)


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
