"""UltraGCN: weights against dense definitions, gradients against the public form of the loss."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from scipy import sparse

from experiments.graphs.ultragcn import (
    UltraGCN,
    constraint_loss,
    cooccurrence,
    distance_to_limit,
    edge_weights,
    fit,
)
from experiments.graphs.ultragcn.factors import whole_factors
from experiments.graphs.ultragcn.fitting import _Pairs, _Users, gradients
from experiments.graphs.ultragcn.model import RELEASED, Settings, batch_loss
from ntkexec.errors import ExperimentError
from ntkexec.runtime.precision import float64

SETTINGS = Settings(
    0.3,
    0.7,
    0.2,
    0.9,
    negatives=6,
    negative_weight=3.0,
    item_weight=0.5,
    batch=8,
    dimension=4,
    std=0.5,
)


@pytest.fixture
def train():
    found = (np.random.default_rng(0).random((12, 9)) < 0.3).astype(np.float32)
    found[3], found[:, 5] = 0, 0  # a user and an item without anything
    return sparse.csr_array(found)


def test_beta_is_the_weight_of_the_limit_and_a_user_without_items_has_none(train):
    beta, dense = edge_weights(train), train.toarray().astype(float)
    users, items = dense.sum(1), dense.sum(0)
    for user, item in np.ndindex(*dense.shape):
        wanted = np.sqrt((users[user] + 1) / (items[item] + 1)) / users[user] if users[user] else 0
        assert beta.of(user, item) == pytest.approx(wanted, rel=1e-12)


@pytest.mark.parametrize("formula", ["paper", "code"])
@pytest.mark.parametrize("budget", [1, 7, 2**24])
def test_neighbours_are_those_of_the_dense_matrix_whatever_the_blocks(train, formula, budget):
    counts = (train.T @ train).toarray().astype(float)
    total = counts.sum(1)
    with np.errstate(all="ignore"):
        if formula == "paper":
            omega = counts / (total - np.diag(counts))[:, None] * np.sqrt(total[:, None] / total)
            np.fill_diagonal(omega, 0)
        else:
            omega = counts * np.sqrt(total + 1)[:, None] / total[:, None] / np.sqrt(total + 1)
    omega = np.nan_to_num(omega, posinf=0.0)
    found = cooccurrence(train, k=3, formula=formula, budget=budget)
    for item, row in enumerate(omega):
        order = np.lexsort((np.arange(len(row)), -row.round(12)))[:3]
        np.testing.assert_allclose(found.weights[item], row[order], rtol=1e-12)
        assert all(found.items[item][row[order] == 0] == item)
        np.testing.assert_allclose(row[found.items[item]], row[order], rtol=1e-12)
    first = omega.round(12).argmax(1) == np.arange(9)
    assert found.own_share == (first & (omega.max(1) > 0)).mean()
    full = cooccurrence(train, k=9, formula=formula)
    for _ in range(2):  # to ask for the matrix changes nothing
        np.testing.assert_allclose(full.matrix().toarray(), omega, rtol=1e-12)


def test_users_twice_leave_omega_as_it_is_and_repeated_pairs_are_refused(train):
    twice = sparse.csr_array(sparse.vstack([train, train]))
    one, other = cooccurrence(train, k=4), cooccurrence(twice, k=4)
    np.testing.assert_allclose(other.weights, one.weights, rtol=1e-12)
    np.testing.assert_array_equal(other.items, one.items)
    for broken in (edge_weights, cooccurrence):
        with pytest.raises(ExperimentError, match="2 is an entry"):
            broken(2 * train)
    with pytest.raises(ExperimentError, match="0 neighbours"):
        cooccurrence(train, k=0)
    with pytest.raises(ExperimentError, match="formulas are paper and code"):
        cooccurrence(train, formula="paper+")


def test_the_loss_is_cross_entropy_where_all_weights_are_one(train):
    scores, others = np.random.default_rng(1).normal(size=(2, 7)).astype(np.float32)
    labels = np.repeat(np.float32([1, 0]), 7)
    wanted = optax.sigmoid_binary_cross_entropy(np.concatenate([scores, others]), labels).sum()
    ones = np.ones(7, np.float32)
    assert constraint_loss(scores, ones, others, ones) == pytest.approx(float(wanted), rel=1e-6)


def _public(train, near, users, items, drawn, tables):
    model = UltraGCN(*train.shape, SETTINGS.dimension)
    beta = edge_weights(train)
    return jax.grad(
        lambda params: batch_loss(
            model, params, SETTINGS, (jnp.asarray(beta.users), jnp.asarray(beta.items)),
            (jnp.asarray(near.items), jnp.asarray(near.weights)), users, items, drawn,
        )
    )(tables)  # fmt: skip


def _tables(train):
    draw = np.random.default_rng(2).normal
    return {
        name: jnp.asarray(draw(size=(num, SETTINGS.dimension)))
        for name, num in zip(("users", "items"), train.shape, strict=True)
    }


def _dense(tables, batch, of_items):
    rows, items = gradients(tables, batch, of_items)
    return {"users": jnp.zeros_like(tables["users"]).at[batch.users].add(rows), "items": items}


@pytest.mark.slow
def test_a_step_of_dense_products_has_the_gradient_of_the_public_loss(train):
    near = cooccurrence(train, k=3)
    batches = _Pairs(train, SETTINGS, near, seed=0, sift=False)
    users, items = train.nonzero()
    with float64():
        tables = _tables(train)
        for step in range(batches.steps):  # the last one is padded
            batch = batches(step)
            picked = batches._order(0)[8 * step : 8 * step + 8]
            drawn = batch.drawn[: len(picked)]
            wanted = _public(train, near, users[picked], items[picked], drawn, tables)
            found = _dense(tables, batch, edge_weights(train).items)
            for name, table in tables.items():
                without = wanted[name] - SETTINGS.decay * table
                np.testing.assert_allclose(found[name], without, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("sift", [False, True])
def test_negatives_in_the_mean_are_the_mean_over_all_that_could_be_drawn(train, sift):
    near, beta, own = cooccurrence(train, k=3), edge_weights(train), train.toarray() > 0
    batches = _Users(whole_factors(train, SETTINGS, near), 5, 0, train if sift else None)
    of_pairs = beta.users[:, None] * beta.items
    seen = own * (SETTINGS.plain + SETTINGS.weighted * of_pairs)
    seen += SETTINGS.item_weight * own @ near.matrix().toarray()
    drawn = ~own if sift else np.ones_like(own)
    chance = drawn / drawn.sum(1, keepdims=True)
    unseen = SETTINGS.plain_negative + SETTINGS.weighted_negative * of_pairs
    unseen *= SETTINGS.negative_weight * own.sum(1, keepdims=True) * chance
    with float64():
        tables = _tables(train)
        steps = [_dense(tables, batches(step), beta.items) for step in range(batches.steps)]
        found = {name: sum(np.asarray(step[name]) for step in steps) for name in tables}
        users, items = (np.asarray(tables[name]) for name in ("users", "items"))
    likely = 1 / (1 + np.exp(-users @ items.T))
    pull = unseen * likely - seen * (1 - likely)
    np.testing.assert_allclose(found["users"], pull @ items, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found["items"], pull.T @ users, rtol=1e-5, atol=1e-5)


def test_a_step_costs_the_same_however_many_edges_there_are():
    flops = []
    for edges in (2000, 8000, 32000):
        drawn = np.random.default_rng(0).random((400, 500))
        train = sparse.csr_array((drawn <= np.sort(drawn, None)[edges - 1]).astype(np.float32))
        near = cooccurrence(train, k=10)
        users, items = (part[:64] for part in train.nonzero())
        drawn = np.zeros((64, 50), int)
        tables = {"users": np.ones((400, 4), "f"), "items": np.ones((500, 4), "f")}
        step = functools.partial(_public, train, near, users, items, drawn)
        flops.append(jax.jit(step).lower(tables).cost_analysis()["flops"])
    assert flops[0] == flops[1] == flops[2] > 0


def test_the_distance_to_the_limit_is_zero_at_the_limit(train):
    items = np.random.default_rng(3).normal(size=(9, 4))
    beta = edge_weights(train)
    users = beta.users[:, None] * (train @ (beta.items[:, None] * items))
    off = distance_to_limit(users, items, train)
    assert np.isnan(off[3])
    assert np.nanmax(off) < 1e-12
    np.testing.assert_allclose(np.nanmin(distance_to_limit(2 * users, items, train)), 0.5)


def test_what_makes_no_sense_is_refused(train):
    generator = np.random.default_rng(0)
    for name in ("negatives", "decay", "rate"):
        with pytest.raises(ExperimentError, match=name):
            dataclasses.replace(SETTINGS, **{name: -1})
    with pytest.raises(ExperimentError, match="0 epochs"):
        fit(train, SETTINGS, generator=generator, epochs=0)
    with pytest.raises(ExperimentError, match="sampled or expected"):
        fit(train, SETTINGS, generator=generator, epochs=1, drawing="both")
    assert {s.dimension for s in RELEASED.values()} == {64}


@pytest.mark.slow
def test_a_training_that_was_killed_goes_on_and_picks_the_same_epoch(train, tmp_path):
    def run(checkpoint, stop=None):
        def report(what, done, total):
            if done == stop:
                raise KeyboardInterrupt

        return fit(
            train, dataclasses.replace(SETTINGS, rate=0.1), generator=np.random.default_rng(5),
            epochs=6, every=2, checkpoint=checkpoint, report=report,
            score=lambda users, items: -abs(float(np.linalg.norm(users)) - 3),
        )  # fmt: skip

    whole, kept = run(None), tmp_path / "training.safetensors"
    with pytest.raises(KeyboardInterrupt):
        run(kept, stop=4 * -(-train.nnz // 8))
    again = run(kept)
    assert (again.epoch, again.scores) == (whole.epoch, whole.scores)
    np.testing.assert_array_equal(again.users, whole.users)
