"""Full rankings, judged by Recall, NDCG and Precision at k: ties exact, memory bounded by blocks of users.

An item that a user has already is no candidate. Where scores tie, the order among equals is nobody's
merit: by default each metric is its expectation over all orders of what ties, computed in closed form.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from experiments.data.interactions import Interactions, Table, table_of
from ntkexec.errors import ExperimentError

Ties = Literal["expected", "lowest"]
TIES = ("expected", "lowest")
Scores: TypeAlias = Callable[[np.ndarray], np.ndarray]
"""(b,) users -> (b, items) scores of all items, in an array of its own, which is written into."""
BLOCK_BYTES = 2**26
"""Of a block of scores, where nobody says how many users it has."""
CHUNK = 64
"""Items whose maximum stands for them when the k largest of a row are bounded from below."""


@dataclasses.dataclass(frozen=True)
class Ranking:
    """Metrics at k of every user who has something to be tested with, and their means.

    Args:
        users: those users, sorted.
        recalls, ndcgs, precisions: of each: hits by tested items; binary gains by the best possible
            order's, of min(k, tested) items; hits by k.
        k: of the list.
    """

    users: Int64[np.ndarray, " u"]
    recalls: Float64[np.ndarray, " u"]
    ndcgs: Float64[np.ndarray, " u"]
    precisions: Float64[np.ndarray, " u"]
    k: int

    @property
    def recall(self) -> float:
        return float(self.recalls.mean())

    @property
    def ndcg(self) -> float:
        return float(self.ndcgs.mean())

    @property
    def precision(self) -> float:
        return float(self.precisions.mean())


def dot_scores(
    user_vectors: Float[np.ndarray, "n d"], item_vectors: Float[np.ndarray, "m d"]
) -> Scores:
    """Scores that are dot products, as `evaluate` asks for them."""
    users, items = np.asarray(user_vectors), np.asarray(item_vectors)
    return lambda rows: users[rows] @ items.T


def evaluate(
    scores: Scores,
    interactions: Interactions,
    *,
    k: int = 20,
    block: int | None = None,
    ties: Ties = "expected",
) -> Ranking:
    """Ranks all items but those trained on for every user with test items.

    Args:
        scores: of users' blocks, such as `dot_scores(user_vectors, item_vectors)`; raw ones: a sigmoid
            in float32 makes all above 17 equal.
        interactions: `train` is left out, `test` is looked for. To judge on a validation part see
            `holdout`.
        k: length of the list.
        block: users whose scores are held at once; by default as many as 64 MB hold.
        ties: `expected` over all orders of equal scores, or equal ones in the order of their numbers,
            `lowest` first.

    Raises:
        ExperimentError: no user has a test item, `k` or `ties` is none, or a score is not a number.
    """
    if not 1 <= k <= interactions.num_items or ties not in TIES:
        raise ExperimentError(
            f"k={k} and ties={ties!r}: needed are 1 to {interactions.num_items} items and one of "
            f"{', '.join(TIES)}"
        )
    users = np.flatnonzero(np.diff(interactions.test.indptr))
    if not len(users):
        raise ExperimentError(f"no user of {interactions.name!r} has an item to be tested with")
    size = block or max(1, BLOCK_BYTES // (4 * interactions.num_items))
    gains = np.concatenate([[0.0], np.cumsum(1 / np.log2(np.arange(k) + 2.0))])
    parts = []
    for start in range(0, len(users), size):
        rows = users[start : start + size]
        found = masked_scores(scores, interactions.train, rows)
        parts.append(_judged(found, interactions.test, rows, gains, ties))
    hits, gained = np.concatenate(parts, axis=1)
    tested = np.diff(interactions.test.indptr)[users]
    return Ranking(users, hits / tested, gained / gains[np.minimum(tested, k)], hits / k, k)


def masked_scores(
    scores: Scores, train: Table, users: Int[np.ndarray, " b"]
) -> Float[np.ndarray, "b items"]:
    """Scores of some users, minus infinity where an item was trained on.

    Raises:
        ExperimentError: names a user with a score that is not a number, or a wrong shape.
    """
    found = np.array(scores(users), copy=None)
    if found.shape != (len(users), train.shape[1]) or found.dtype.kind != "f":
        raise ExperimentError(
            f"scores of {len(users)} users must be {len(users)} x {train.shape[1]} floats, got "
            f"{found.dtype} of shape {found.shape}"
        )
    if not found.flags.writeable:
        found = found.copy()
    if np.isnan(found.min(axis=1)).any():
        user = users[np.argmax(np.isnan(found.min(axis=1)))]
        raise ExperimentError(f"a score of the user {user} is not a number: did training diverge?")
    known = train[users]
    found[np.repeat(np.arange(len(users)), np.diff(known.indptr)), known.indices] = -np.inf
    return found


def top_items(
    scores: Scores, train: Table, users: Int[np.ndarray, " b"], k: int
) -> tuple[Int64[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
    """The k best items of some users and their scores, best first; equal ones by their numbers.

    Args:
        scores: as for `evaluate`.
        train: what is left out. Where fewer than k items remain, the rest of a row is -1.
        users: any.
        k: length of the list.
    """
    found = masked_scores(scores, train, users)
    items = np.full((len(users), k), -1)
    best = np.full((len(users), k), -np.inf, found.dtype)
    rows, columns = np.nonzero(found >= _lower_bound(found, k)[:, None])
    starts = np.searchsorted(rows, np.arange(len(users) + 1))
    for i in range(len(users)):
        mine = columns[starts[i] : starts[i + 1]]
        mine = mine[found[i, mine] > -np.inf]
        mine = mine[np.lexsort((mine, -found[i, mine]))[:k]]
        items[i, : len(mine)], best[i, : len(mine)] = mine, found[i, mine]
    return items, best


def holdout(
    interactions: Interactions, generator: np.random.Generator, *, share: float = 0.1
) -> Interactions:
    """The same users and items with a validation part, taken out of train, in place of test.

    Of a user's d items share * d are taken, rounded up or down at random so that the mean is right, and
    at most d - 1. To test afterwards, rank with the original, whose `train` leaves both parts out.

    Raises:
        ExperimentError: the share is not between 0 and 1, or so small that nothing is taken.
    """
    if not 0 < share < 1:
        raise ExperimentError(f"a share of {share!r} is not between 0 and 1")
    train = interactions.train
    degrees = np.diff(train.indptr)
    owners = np.repeat(np.arange(len(degrees)), degrees)
    order = np.lexsort((generator.random(train.nnz), owners))
    wanted = np.floor(share * degrees + generator.random(len(degrees))).astype(np.int64)
    wanted = np.minimum(wanted, np.maximum(degrees - 1, 0))
    taken = np.zeros(train.nnz, bool)
    taken[order[np.arange(train.nnz) - train.indptr[owners] < wanted[owners]]] = True
    if not taken.any():
        raise ExperimentError(f"a share of {share:g} takes nothing out of {train.nnz} pairs")
    left, held = (
        table_of(owners[part], train.indices[part], train.shape) for part in (~taken, taken)
    )
    return dataclasses.replace(interactions, train=left, test=held)


def _judged(
    found: Float[np.ndarray, "b items"],
    test: Table,
    users: np.ndarray,
    gains: np.ndarray,
    ties: Ties,
) -> Float64[np.ndarray, "2 b"]:
    """Hits and discounted gains of each user, of test items alone: only their places matter.

    An item with `above` better and `equal` as good ones, itself among them, has each of the places
    above + 1 to above + equal with the same chance.
    """
    k = len(gains) - 1
    rows, columns = np.nonzero(found >= _lower_bound(found, k)[:, None])
    values = found[rows, columns]
    order = np.lexsort((columns, -values, rows))
    rows, columns, values = rows[order], columns[order], values[order]
    starts = np.searchsorted(rows, np.arange(len(users) + 1))
    # Runs of equal scores within a row.
    fresh = np.ones(len(rows), bool)
    fresh[1:] = (rows[1:] != rows[:-1]) | (values[1:] != values[:-1])
    firsts = np.flatnonzero(fresh)
    run = np.cumsum(fresh) - 1
    equal = np.diff(np.append(firsts, len(rows)))[run]
    above = firsts[run] - starts[rows]
    if ties == "lowest":
        above, equal = np.arange(len(rows)) - starts[rows], np.ones(len(rows), np.int64)
    known = test[users]
    wanted = np.repeat(np.arange(len(users)), np.diff(known.indptr)) * test.shape[1] + known.indices
    hit = (above < k) & np.isin(rows * test.shape[1] + columns, wanted, kind="sort")
    rows, above, equal = rows[hit], above[hit], equal[hit]
    last = np.minimum(above + equal, k)
    return np.stack(
        [
            np.bincount(rows, (last - above) / equal, len(users)),
            np.bincount(rows, (gains[last] - gains[above]) / equal, len(users)),
        ]
    )


def _lower_bound(found: Float[np.ndarray, "b items"], k: int) -> Float[np.ndarray, " b"]:
    """A number for each row that at least k of its entries reach, and not many more.

    The k-th largest of the maxima of `CHUNK` items each: each of k chunks has an item that reaches it.
    """
    rows, items = found.shape
    whole = items // CHUNK
    if whole < 2 * k:
        return np.partition(found, items - k, axis=1)[:, items - k]
    highest = found[:, : whole * CHUNK].reshape(rows, whole, CHUNK).max(axis=2)
    return np.partition(highest, whole - k, axis=1)[:, whole - k]
