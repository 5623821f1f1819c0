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


@pytest.mark.slow
def test_what_has_no_probability_costs_nothing_even_where_the_model_holds_it_for_impossible():
    told = np.r_[np.log([0.5, 0.3, 0.2]), -np.inf, -np.inf]
    rows = np.array(
        [
            [0.6, 0.4, 0, 0, 0],  # a kept one of no probability, and no tail
            [0.7, 0.3, 0, 0, 0],
            [0.5, 0.3, 0.2, 0, 0],  # a tail that may lie on what is possible, and may not
            [0.5, 0.3, 0, 0.2, 0],  # a tail on the impossible
            [0.4, 0, 0, 0.6, 0],  # the impossible is kept
        ]
    )
    told = np.broadcast_to(told, rows.shape)
    true = np.array([loss(r[r > 0], t[r > 0]) for r, t in zip(rows, told, strict=True)])
    for k in (2, 3):
        stored = top_k(rows, k)
        low, high = loss_bounds(stored, told)
        assert (low <= true + 1e-12).all()
        assert (true <= high + 1e-12).all()
        with jax.enable_x64(True):
            found = np.asarray(cross_entropies(TopK(*map(jax.numpy.asarray, stored)), told))
            slope = jax.grad(lambda one, s=stored: cross_entropies(TopK(*s), one)[:2].sum())(told)
        np.testing.assert_allclose(found[:2], true[:2])
        assert np.isfinite(slope).all()
        assert (found[3:] == np.inf).all()
        assert (found[2] == np.inf) == (k == 2)  # spread evenly, a tail reaches the impossible
        np.testing.assert_allclose(low[:3], true[:3])
        np.testing.assert_allclose(high[:2], true[:2])
        assert (high[2] == np.inf) == (k == 2)
    assert np.isnan(loss_bounds(stored, told * np.nan)).all()


def test_mass_that_rounding_leaves_is_put_on_no_impossible_token():
    rows = DRAW.dirichlet(np.ones(5), size=500).astype(np.float32)
    told = np.r_[np.full(5, np.log(0.2)), -np.inf, -np.inf]
    rows = np.concatenate([rows, np.zeros((500, 2), np.float32)], 1)
    sevenths = np.r_[np.full(7, 1 / 7), 0, 0][None]
    for given, excluded in ((rows, 2), (sevenths, 2)):
        possible = given.shape[-1] - excluded
        log = np.r_[np.full(possible, -np.log(possible)), np.full(excluded, -np.inf)]
        log = np.broadcast_to(log, given.shape)
        for k in range(1, possible + 2):
            low, high = loss_bounds(top_k(given, k), log)
            np.testing.assert_allclose(low, np.log(possible), rtol=1e-6)
            assert (np.isfinite(high) == (k >= possible)).all()
    stored = TopK(np.array([[0, 1]]), np.array([[1.0, 0.0]]), np.array([1e-8]))
    for end in (*loss_bounds(stored, told[None]), cross_entropies(stored, told[None])):
        np.testing.assert_allclose(end, -told[0], rtol=1e-6)
    np.testing.assert_array_equal(spread(stored, 7), np.eye(7)[:1])


def shard(texts=4):
    rows = np.resize(ROWS, (texts, *ROWS.shape[1:])).astype(np.float32)
    return Shard(DRAW.integers(SIZE, size=(texts, 6)), top_k(rows, 3), DRAW.random(texts))


def test_shards_are_read_as_they_were_written(tmp_path):
    whole = shard()
    assert len(write_shards(tmp_path, whole, vocabulary=SIZE, rows=3)) == 2
    jax.tree.map(np.testing.assert_array_equal, read_shards(tmp_path, vocabulary=SIZE), whole)


def test_shards_replace_those_that_were_written_before_and_leave_other_files(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    write_shards(tmp_path, shard(6), vocabulary=SIZE, rows=2)
    fewer = shard(2)
    write_shards(tmp_path, fewer, vocabulary=SIZE, rows=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["notes.txt", "shard-00000.npz"]
    jax.tree.map(np.testing.assert_array_equal, read_shards(tmp_path, vocabulary=SIZE), fewer)


def test_shards_that_were_not_written_together_are_refused(tmp_path):
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    mine = write_shards(ours, shard(6), vocabulary=SIZE, rows=2)
    other = write_shards(theirs, shard(6), vocabulary=SIZE, rows=2)
    longer = write_shards(tmp_path / "longer", shard(8), vocabulary=SIZE, rows=2)
    kept = mine[1].read_bytes()
    for foreign in (other[1], longer[1]):  # as a writing that was cut short would leave it
        mine[1].write_bytes(foreign.read_bytes())
        with pytest.raises(ExperimentError, match=r"shard-00001.*was not written together"):
            read_shards(ours, vocabulary=SIZE)
    mine[1].write_bytes(kept)
    (ours / "more.npz").write_bytes(longer[3].read_bytes())
    with pytest.raises(ExperimentError, match="not written together"):
        read_shards(ours, vocabulary=SIZE)
    (ours / "more.npz").write_bytes(kept)
    with pytest.raises(ExperimentError, match="3 different shards in 4 files"):
        read_shards(ours, vocabulary=SIZE)
    mine[1].unlink()  # the copy is the same shard, whatever its name
    assert len(read_shards(ours, vocabulary=SIZE).texts) == 6
    mine[0].unlink()
    with pytest.raises(ExperimentError, match=r"2 different shards in 2 files.* 3 written"):
        read_shards(ours, vocabulary=SIZE)


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
        ("number", lambda a: a[None], "which shard"),
        ("shards", lambda a: a + 0.5, "which shard"),
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


def test_a_shard_that_is_no_longer_as_it_was_written_is_refused(tmp_path):
    (path,) = write_shards(tmp_path, shard(), vocabulary=SIZE)
    with np.load(path) as found:
        arrays = dict(found)
    np.savez(path, **{**arrays, "loss": arrays["loss"][::-1]})
    with pytest.raises(ExperimentError, match="not as they were written"):
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
