"""Distributions cut to k tokens: bounds that hold and are attained; shards read back, or refused by name."""

import jax
import numpy as np
import pytest

from experiments.language.flexible_llm.distributions import (
    Shard,
    TopK,
    cross_entropies,
    loss_bounds,
    read_shards,
    spread,
    top_k,
    write_shards,
)
from ntkexec.errors import ExperimentError

SIZE = 9
DRAW = np.random.default_rng(0)
ROWS = DRAW.dirichlet(np.full(SIZE, 0.3), size=(4, 5))
TOLD = np.log(DRAW.dirichlet(np.ones(SIZE), size=(4, 5)))


def loss(rows, told):
    return -(rows * told).sum(-1)


@pytest.mark.parametrize("k", range(1, SIZE))
def test_the_loss_of_the_whole_row_lies_within_the_bounds(k):
    stored = top_k(ROWS, k)
    low, high = loss_bounds(stored, TOLD)
    for rows in (ROWS, spread(stored, SIZE)):
        np.testing.assert_allclose(rows.sum(-1), 1, atol=1e-12)
        assert (low <= loss(rows, TOLD) + 1e-12).all()
        assert (loss(rows, TOLD) <= high + 1e-12).all()


@pytest.mark.parametrize("k", [1, 3, 6])
def test_both_ends_are_attained_by_rows_that_are_cut_to_the_same(k):
    stored = top_k(ROWS, k)
    found = [np.zeros_like(ROWS), np.zeros_like(ROWS)]
    for place in np.ndindex(ROWS.shape[:2]):
        kept = stored.tokens[place]
        others = sorted(set(range(SIZE)) - set(kept.tolist()), key=lambda v, p=place: -TOLD[p][v])
        for rows, order in zip(found, (others, others[::-1]), strict=True):
            rows[place][kept], left = stored.mass[place], stored.tail[place]
            for token in order:
                rows[place][token] = min(left, stored.mass[place][-1])
                left -= rows[place][token]
    for rows, end in zip(found, loss_bounds(stored, TOLD), strict=True):
        np.testing.assert_allclose(rows.sum(-1), 1, atol=1e-12)
        assert (rows.max(-1) == stored.mass[..., 0]).all()  # nothing exceeds what was kept
        np.testing.assert_allclose(loss(rows, TOLD), end, atol=1e-12)


def test_the_loss_without_whole_rows_is_that_with_the_tail_spread():
    stored = top_k(np.stack([ROWS, ROWS[::-1]]), 3)
    with jax.enable_x64(True):
        found = cross_entropies(TopK(*map(jax.numpy.asarray, stored)), jax.numpy.asarray(TOLD))
        np.testing.assert_allclose(found, loss(spread(stored, SIZE), TOLD[None]), atol=1e-12)


def shard():
    texts = DRAW.integers(SIZE, size=(4, 6))
    return Shard(texts, top_k(ROWS.astype(np.float32), 3), DRAW.random(4))


def test_shards_are_read_as_they_were_written(tmp_path):
    whole = shard()
    assert len(write_shards(tmp_path, whole, vocabulary=SIZE, rows=3)) == 2
    jax.tree.map(np.testing.assert_array_equal, read_shards(tmp_path, vocabulary=SIZE), whole)


@pytest.mark.parametrize(
    ("name", "change", "words"),
    [
        ("mass", lambda a: a * 1.1, "no distributions"),
        ("mass", lambda a: a[..., ::-1], "no distributions"),
        ("mass", lambda a: a * np.nan, "no distributions"),
        ("mass", lambda a: a[..., :2], "do not fit"),
        ("tail", lambda a: a.astype(np.int32), "other kinds"),
        ("loss", lambda a: a * np.inf, "no distributions"),
        ("tokens", lambda a: a + SIZE, "beyond the 9"),
        ("tokens", lambda a: a * 0, "twice"),
        ("texts", lambda a: a - SIZE, "beyond the 9"),
        ("vocabulary", lambda a: a + 1, "over 10 tokens"),
        ("tail", lambda a: np.array(None, object), "tail"),
    ],
)
def test_what_is_no_shard_is_refused_by_its_name(tmp_path, name, change, words):
    (path,) = write_shards(tmp_path, shard(), vocabulary=SIZE)
    with np.load(path) as found:
        arrays = dict(found)
    arrays[name] = change(arrays[name])
    np.savez(path, **arrays)
    with pytest.raises(ExperimentError, match=f"shard-00000.*{words}"):
        read_shards(tmp_path, vocabulary=SIZE)


def test_cut_files_empty_folders_and_impossible_cuts_are_refused(tmp_path):
    with pytest.raises(ExperimentError, match="has no shards"):
        read_shards(tmp_path, vocabulary=SIZE)
    (path,) = write_shards(tmp_path, shard(), vocabulary=SIZE)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(ExperimentError, match=r"shard-00000\.npz"):
        read_shards(tmp_path, vocabulary=SIZE)
    for k in (0, SIZE):
        with pytest.raises(ExperimentError, match="cannot keep"):
            top_k(ROWS, k)
