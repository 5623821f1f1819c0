"""Rankings against enumeration, samplers against what the public code does, baselines and drawn sets."""

import itertools
import math

import numpy as np
import pytest

from experiments.data.interactions import Interactions, table_of
from experiments.kits.recommendation import generators, models, samplers
from experiments.kits.recommendation.evaluation import dot_scores, evaluate, holdout, top_items
from ntkexec.errors import ExperimentError


def drawn(seed=0, users=7, items=9):
    """A set in which a user has nothing to be tested with, and one has all items but two."""
    chance = np.random.default_rng(seed).random((users, items))
    chance[2] = np.where(chance[2] < 0.5, 0, 1)
    chance[3] = 0
    chance[3, :2] = 0.5, 0.9
    parts = np.nonzero(chance < 0.35), np.nonzero((chance >= 0.35) & (chance < 0.6))
    return Interactions("drawn", *(table_of(*part, (users, items)) for part in parts))


def by_enumeration(scores, interactions, k):
    """Recall, NDCG and Precision of each user: the mean over all orders that the scores allow."""
    found = []
    for user in range(interactions.num_users):
        tested = set(interactions.test[[user]].indices.tolist())
        known = set(interactions.train[[user]].indices.tolist())
        if not tested:
            continue
        rest = [i for i in range(interactions.num_items) if i not in known]
        values = sorted({scores[user, i] for i in rest}, reverse=True)
        groups = [[i for i in rest if scores[user, i] == value] for value in values]
        rows = []
        for order in itertools.product(*map(itertools.permutations, groups)):
            hits = [item in tested for item in itertools.chain(*order)][:k]
            gain = sum(hit / math.log2(place + 2) for place, hit in enumerate(hits))
            best = sum(1 / math.log2(place + 2) for place in range(min(k, len(tested))))
            rows.append([sum(hits) / len(tested), gain / best, sum(hits) / k])
        found.append(np.mean(rows, axis=0))
    return np.array(found).T


@pytest.mark.parametrize(("levels", "k"), [(1, 3), (2, 1), (3, 4), (50, 9)])
def test_metrics_are_means_over_all_orders_of_equal_scores(levels, k):
    for seed in range(3):
        interactions = drawn(seed, items=7)
        k = min(k, 7)
        scores = np.random.default_rng(seed).integers(levels, size=(7, 7)).astype(np.float32)
        for block in (1, 3, None):
            found = evaluate(scores.__getitem__, interactions, k=k, block=block)
            wanted = by_enumeration(scores, interactions, k)
            for metric, each in zip((found.recalls, found.ndcgs, found.precisions), wanted):
                np.testing.assert_allclose(metric, each, rtol=1e-12, atol=1e-15)
            assert found.recall == pytest.approx(wanted[0].mean())


def test_lowest_numbers_first_is_the_order_of_the_list_itself():
    interactions, scores = drawn(), np.ones((7, 9), np.float32)
    scores[:, 5] = 2
    items, _ = top_items(lambda users: scores[users], interactions.train, np.arange(7), 4)
    found = evaluate(lambda users: scores[users], interactions, k=4, ties="lowest")
    for user, recall in zip(found.users, found.recalls):
        tested = interactions.test[[user]].indices
        assert recall == np.isin(items[user], tested).sum() / len(tested)
        known = interactions.train[[user]].indices
        left = [i for i in (5, 0, 1, 2, 3, 4, 6, 7, 8) if i not in known]
        assert items[user].tolist() == (left + [-1] * 4)[:4]


def test_many_items_are_bounded_by_chunks_to_the_same_end():
    """More than 2 k chunks of 64 items, with scores that tie within and across chunks."""
    generator = np.random.default_rng(0)
    scores = generator.integers(60, size=(5, 1000)).astype(np.float32)
    parts = np.nonzero(generator.random((5, 1000)) < 0.1), np.nonzero(scores > 57)
    keep = ~np.isin(parts[1][0] * 1000 + parts[1][1], parts[0][0] * 1000 + parts[0][1])
    tested = tuple(index[keep] for index in parts[1])
    interactions = Interactions("a", table_of(*parts[0], (5, 1000)), table_of(*tested, (5, 1000)))
    items, best = top_items(lambda users: scores[users], interactions.train, np.arange(5), 7)
    masked = np.where(interactions.train.toarray() > 0, -np.inf, scores)
    np.testing.assert_array_equal(items, np.argsort(-masked, axis=1, kind="stable")[:, :7])
    np.testing.assert_array_equal(best, np.take_along_axis(masked, items, 1))
    found = evaluate(lambda users: scores[users], interactions, k=7)
    equal = (masked == 59).sum(1), (masked == 58).sum(1)
    hits = np.minimum(equal[0], 7) + np.minimum(equal[1], np.maximum(7 - equal[0], 0))
    np.testing.assert_allclose(found.precisions, hits / 7)


def test_what_cannot_be_ranked_is_refused():
    interactions = drawn()
    with pytest.raises(ExperimentError, match="user 4 is not a number"):
        evaluate(
            lambda u: np.where(u[:, None] == 4, np.nan, np.ones((len(u), 9))), interactions, k=2
        )
    with pytest.raises(ExperimentError, match="must be 7 x 9 floats"):
        top_items(lambda u: np.ones((9, len(u))), interactions.train, np.arange(7), 2)
    for words, said in (({"k": 10}, "k=10"), ({"ties": "some"}, "ties='some'")):
        with pytest.raises(ExperimentError, match=said):
            evaluate(models.popularity(interactions.train), interactions, **{"k": 2, **words})


def test_a_validation_part_is_taken_out_of_train_and_leaves_everybody_something():
    whole = generators.planted_communities(np.random.default_rng(0), users=300)
    held = holdout(whole, np.random.default_rng(1), share=0.15)
    assert (held.train + held.test != whole.train).nnz == 0
    assert held.train.sum(1).min() >= 1
    assert held.test.nnz / whole.train.nnz == pytest.approx(0.15, abs=0.01)
    assert held.train.multiply(whole.test).nnz == held.test.multiply(whole.test).nnz == 0


@pytest.mark.parametrize("how", samplers.SAMPLERS)
def test_triples_are_of_users_with_items_and_negatives_are_none_of_theirs(how):
    whole = generators.planted_communities(np.random.default_rng(0), users=50, items=60).train
    train = table_of(*whole[:-2].nonzero(), (52, 60))
    epoch = samplers.sample(how, train, np.random.default_rng(1), 32)
    there = epoch.weights > 0
    users, positives, negatives = (
        part[there] for part in (epoch.users, epoch.positives, epoch.negatives)
    )
    table = train.toarray()
    assert (table[users, positives] == 1).all()
    assert (table[users, negatives] == 0).all()
    numbers = np.bincount(users, minlength=52)
    assert numbers[-4:].sum() == 0
    if how == "per-user-equal":
        assert set(numbers[:-4]) == {train.nnz // 52}
    elif how == "per-interaction":
        assert len(users) == train.nnz
        # Uniform over users, whatever their degree: 5 standard deviations of a binomial.
        assert abs(numbers[:-4] - train.nnz / 48).max() < 5 * math.sqrt(train.nnz / 48)
    else:
        assert len(epoch.users) == train.nnz // 32 + 1
        assert all(len(set(row)) == 32 for row in epoch.users)


def test_a_user_with_every_item_has_no_negative_and_is_named(monkeypatch):
    train = table_of(np.array([0, 0, 1]), np.array([0, 1, 0]), (2, 2))
    monkeypatch.setattr(samplers, "ATTEMPTS", 20)
    generator = np.random.default_rng(0)
    assert (
        samplers.negatives(train, np.array([1, 1]), generator, number=3).tolist() == [[1] * 3] * 2
    )
    with pytest.raises(ExperimentError, match="the user 0 has not was found in 20 draws"):
        samplers.negatives(train, np.array([1, 0]), generator)
    free = samplers.negatives(train, np.array([0]), generator, number=50, unknown_only=False)
    assert set(free.ravel()) == {0, 1}
    with pytest.raises(ExperimentError, match="none of the samplers"):
        samplers.sample("some", train, generator, 2)


def test_popularity_and_svd_rank_as_their_definitions_say():
    train = generators.planted_communities(np.random.default_rng(0), users=60, items=50).train
    scores = models.popularity(train)(np.arange(3))
    np.testing.assert_array_equal(scores, np.tile(train.toarray().sum(0), (3, 1)))
    users, items = models.pure_svd(train, np.random.default_rng(1), rank=5)
    dense = train.toarray().astype(float)
    dense /= np.sqrt(np.maximum(dense.sum(1), 1e-9))[:, None] * np.sqrt(
        np.maximum(train.toarray().sum(0), 1e-9)
    )
    left, values, right = np.linalg.svd(dense)
    best = (left[:, :5] * values[:5]) @ right[:5]
    np.testing.assert_allclose(dot_scores(users, items)(np.arange(60)), best, atol=1e-5)


def test_a_rewired_set_keeps_degrees_and_loses_its_communities():
    whole = generators.planted_communities(np.random.default_rng(0), users=200, items=200)
    control = generators.rewired(whole, np.random.default_rng(1))
    for part in ("train", "test"):
        one, other = getattr(whole, part), getattr(control, part)
        for axis in (0, 1):
            np.testing.assert_array_equal(one.sum(axis), other.sum(axis))
        assert one.multiply(other).nnz < 0.3 * one.nnz
    first, other = (
        np.linalg.svd(models.normalised_table(s.train).toarray(), compute_uv=False)[1:8]
        for s in (whole, control)
    )
    assert np.square(first).sum() > 1.2 * np.square(other).sum()
