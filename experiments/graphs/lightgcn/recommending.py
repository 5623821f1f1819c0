"""What a trained model says: lists for users, why one score is what it is, and which of two is better."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float, Float64, Int, Int64

from experiments.graphs.lightgcn.weights import joined
from experiments.kits.recommendation.evaluation import dot_scores, top_items
from ntkexec.errors import ExperimentError

if TYPE_CHECKING:
    from experiments.data.interactions import Table
    from experiments.kits.recommendation.evaluation import Ranking


def recommend(
    user_vectors: Float[np.ndarray, "n d"],
    item_vectors: Float[np.ndarray, "m d"],
    train: "Table",
    *,
    users: Int[np.ndarray, " b"] | Sequence[int],
    k: int = 10,
) -> tuple[Int64[np.ndarray, "b k"], Float[np.ndarray, "b k"]]:
    """The k best items that each user has not, best first, and their scores; equal ones by number.

    Args:
        user_vectors, item_vectors: final ones, of `fit` or of the model.
        train: what the users have.
        users: whom to recommend to.
        k: length of the list; -1 where fewer items are left.

    Raises:
        ExperimentError: there is no such user, or k is no length.
    """
    asked = np.asarray(users, np.int64)
    if k < 1 or (asked.size and not 0 <= asked.min() <= asked.max() < train.shape[0]):
        raise ExperimentError(
            f"{k} items for the users {asked.tolist()[:5]}: needed are 1 or more, and users below "
            f"{train.shape[0]}"
        )
    return top_items(dot_scores(user_vectors, item_vectors), train, asked, k)


@dataclasses.dataclass(frozen=True)
class Explanation:
    """One score as exact sums, since the model is linear.

    Args:
        score: of the user and the item.
        hops: (K + 1, K + 1); entry (k, l) is what the user's vector after k hops and the item's after l
            contribute. All entries sum to the score.
        history: of each item that the user has, in train's order: (item, what the walks that leave the
            user through it contribute). With the row of no hops they sum to the score.
    """

    score: float
    hops: Float64[np.ndarray, "k k"]
    history: tuple[tuple[int, float], ...]

    @property
    def even(self) -> float:
        """By the user's even hops: the own embedding, and those of users who chose alike."""
        return float(self.hops[::2].sum())

    @property
    def odd(self) -> float:
        """By the user's odd hops: embeddings of items, the user's and those of users alike."""
        return float(self.hops[1::2].sum())


def explain(
    embedding: Float[np.ndarray, "v d"],
    train: "Table",
    *,
    user: int,
    item: int,
    alpha: Sequence[float] = (0.25, 0.25, 0.25, 0.25),
) -> Explanation:
    """Where a score of LightGCN with `sym` comes from: hops of both sides, and items of the user.

    Args:
        embedding: the trained parameter, users first.
        train: the interactions that the model goes along.
        user, item: numbers.
        alpha: weights of 0, 1, ... hops.

    Raises:
        ExperimentError: no such user or item, or another embedding.
    """
    users, items = train.shape
    if len(embedding) != users + items or not (0 <= user < users and 0 <= item < items):
        raise ExperimentError(
            f"user {user}, item {item} and an embedding of {len(embedding)} rows do not fit {users} users "
            f"and {items} items"
        )
    operator = joined(train)
    layers = [np.asarray(embedding, np.float64)]
    for _ in alpha[1:]:
        layers.append(operator @ layers[-1])
    stacked = np.array(alpha)[:, None, None] * np.stack(
        [layer[[user, users + item]] for layer in layers]
    )
    hops = stacked[:, 0] @ stacked[:, 1].T
    target = stacked[:, 1].sum(axis=0)
    # A^k E_0 of the user is a weighted sum over the user's items of A^(k - 1) E_0 of theirs.
    mine = operator[[user]]
    sent = np.zeros((len(mine.data), embedding.shape[1]))
    for weight, layer in zip(alpha[1:], layers[:-1], strict=True):
        sent += weight * layer[mine.indices]
    shares = mine.data * (sent @ target)
    history = zip((mine.indices - users).tolist(), shares.tolist(), strict=True)
    return Explanation(float(hops.sum()), hops, tuple(history))


@dataclasses.dataclass(frozen=True)
class Difference:
    """A mean of differences of the same users, with its 95 % interval."""

    value: float
    low: float
    high: float


def compare(one: "Ranking", other: "Ranking") -> dict[str, Difference]:
    """By how much one ranking is better than another on the same users: `recall` and `ndcg`.

    The interval is of users drawn anew, of these two trained models alone: what another seed would
    train is not in it.

    Raises:
        ExperimentError: they are of different users or lengths.
    """
    if one.k != other.k or not np.array_equal(one.users, other.users) or len(one.users) < 2:
        raise ExperimentError(
            f"rankings of {len(one.users)} users at {one.k} and {len(other.users)} at {other.k} cannot be "
            f"paired"
        )
    found = {}
    for name, first, second in (
        ("recall", one.recalls, other.recalls),
        ("ndcg", one.ndcgs, other.ndcgs),
    ):
        each = first - second
        mean, error = float(each.mean()), 1.96 * float(each.std(ddof=1)) / len(each) ** 0.5
        found[name] = Difference(mean, mean - error, mean + error)
    return found
