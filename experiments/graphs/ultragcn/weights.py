"""What the graph of users and items fixes before training: weights of edges, neighbours of items."""

import dataclasses
from collections.abc import Iterator
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float, Int
from scipy import sparse

from ntkexec.errors import ExperimentError

Formula = Literal["paper", "code"]


@dataclasses.dataclass(frozen=True, eq=False)
class EdgeWeights:
    """beta of every pair of a user and an item, seen or not: a product of two numbers.

    Args:
        users: sqrt(d_u + 1) / d_u; 0 for a user without items, where the public code divides by 0.
        items: 1 / sqrt(d_i + 1).
    """

    users: Float[np.ndarray, " n"]
    items: Float[np.ndarray, " m"]

    def of(
        self, users: Int[np.ndarray, "..."], items: Int[np.ndarray, "..."]
    ) -> Float[np.ndarray, "..."]:
        """beta of pairs; both arguments are broadcast."""
        weights: np.ndarray = self.users[users] * self.items[items]
        return weights


@dataclasses.dataclass(frozen=True, eq=False)
class Neighbours:
    """The items that occur most with each item, the largest weight first.

    Args:
        items: (m, K) int64; where an item has fewer neighbours, itself with a weight of 0.
        weights: (m, K) omega, float64.
    """

    items: Int[np.ndarray, "m K"]
    weights: Float[np.ndarray, "m K"]

    @property
    def own_share(self) -> float:
        """The share of items whose first neighbour, with a weight above 0, is the item itself."""
        own = self.items[:, 0] == np.arange(len(self.items))
        return float((own & (self.weights[:, 0] > 0)).mean())

    def matrix(self) -> sparse.csr_array:
        """Omega with nothing but these neighbours, (m, m)."""
        num, k = self.items.shape
        indices = np.arange(0, num * k + 1, k)
        # Copied: what follows works in place.
        entries = (self.weights.flatten(), self.items.flatten(), indices)
        found = sparse.csr_array(entries, (num, num))
        found.sum_duplicates()
        found.eliminate_zeros()
        return found


def edge_weights(train: sparse.csr_array) -> EdgeWeights:
    """The weight beta with which an item enters the limit of a user's infinitely many layers.

    `e_u = sum_i beta_ui e_i` over the user's items is what a layer of LightGCN with self-loops leaves
    as it is.

    Args:
        train: (n, m), 1 where a user has an item.

    Raises:
        ExperimentError: an entry is not 1, such as one that a file holds twice.

    Source: Mao et al., arXiv:2110.15114, section 3.1.
    """
    of_users, of_items = degrees(train)
    divided = np.sqrt(of_users + 1) / np.maximum(of_users, 1)
    return EdgeWeights(np.where(of_users > 0, divided, 0.0), 1 / np.sqrt(of_items + 1))


def degrees(train: sparse.csr_array) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " m"]]:
    """How many items each user has, and how many users each item.

    Raises:
        ExperimentError: an entry is not 1.
    """
    if len(off := train.data[train.data != 1]):
        raise ExperimentError(
            f"what users and items have in common is 0 or 1, and {off[0]:g} is an entry: write each "
            "pair once, without a weight"
        )
    return np.asarray(train.sum(1), np.float64), np.asarray(train.sum(0), np.float64)


def cooccurrence(
    train: sparse.csr_array, *, k: int = 10, formula: Formula = "paper", budget: int = 2**24
) -> Neighbours:
    """The K items of largest weight omega beside each item.

    With `G = R'R` and its row sums g, the paper's weight is `G_ij / (g_i - G_ii) sqrt(g_i / g_j)`, for
    j other than i; the public code's is `G_ij sqrt(g_i + 1) / (g_i sqrt(g_j + 1))`, where an item
    may be, and mostly is, a neighbour of its own. Equal weights are taken by the lower item.

    G is made some rows at a time, and of each row K entries are kept: time is that of the sparse
    product, memory that of `budget` of its entries. The public code fills a dense (m, m) array.

    Args:
        train: (n, m), 1 where a user has an item.
        k: neighbours of each item.
        formula: whose weight.
        budget: products of which one block of rows may consist; a row with more is a block of its own.

    Raises:
        ExperimentError: an entry is not 1, or `k`, `formula` or `budget` is none that there is.

    Source: Mao et al., arXiv:2110.15114, section 3.2; xue-pai/UltraGCN.
    """
    if k < 1 or budget < 1 or formula not in get_args(Formula):
        raise ExperimentError(
            f"cannot find {k} neighbours by the formula {formula!r} within {budget}: k and budget are "
            f"1 or more, formulas are {' and '.join(get_args(Formula))}"
        )
    of_users, own = degrees(train)
    transposed = train.T.tocsr()
    total = transposed @ of_users
    if formula == "paper":
        rest = total - own
        by_row = np.where(rest > 0, np.sqrt(total) / np.where(rest > 0, rest, 1), 0.0)
        by_column = 1 / np.sqrt(np.maximum(total, 1))
    else:
        by_row = np.sqrt(total + 1) / np.maximum(total, 1)
        by_column = 1 / np.sqrt(total + 1)
    num = len(own)
    items = np.repeat(np.arange(num)[:, None], k, 1)
    weights = np.zeros((num, k))
    exact = train.astype(np.float64)
    for start, stop in _blocks(total, budget):
        block = transposed[start:stop].astype(np.float64) @ exact
        block.sort_indices()
        for row, item in enumerate(range(start, stop)):
            entries = slice(block.indptr[row], block.indptr[row + 1])
            others = block.indices[entries]
            values = block.data[entries] * by_column[others] * by_row[item]
            if formula == "paper":
                values[others == item] = 0
            best = _largest(values, k)
            items[item, : len(best)], weights[item, : len(best)] = others[best], values[best]
    items = np.where(weights > 0, items, np.arange(num)[:, None])
    return Neighbours(items, weights)


def _blocks(work: Float[np.ndarray, " m"], budget: int) -> Iterator[tuple[int, int]]:
    """Ranges of rows whose work is within the budget, or of one row."""
    done = np.concatenate([[0.0], np.cumsum(work)])
    start = 0
    while start < len(work):
        stop = int(np.searchsorted(done, done[start] + budget, side="right")) - 1
        stop = min(max(stop, start + 1), len(work))
        yield start, stop
        start = stop


def _largest(values: Float[np.ndarray, " q"], k: int) -> Int[np.ndarray, " at_most_k"]:
    """Where the k largest are, in falling order; of equal ones the first."""
    places = np.arange(len(values))
    if len(values) > k:
        least = np.partition(values, -k)[-k]
        above = np.flatnonzero(values > least)
        places = np.sort(np.append(above, np.flatnonzero(values == least)[: k - len(above)]))
    return places[np.argsort(-values[places], kind="stable")]


def distance_to_limit(
    users: Float[np.ndarray, "n d"], items: Float[np.ndarray, "m d"], train: sparse.csr_array
) -> Float[np.ndarray, " n"]:
    """How far each user's embedding is from the limit that the loss stands for, and is it reached?

    Returns:
        `|e_u - sum_i beta_ui e_i| / |e_u|`, nan for a user without items or with an embedding of 0.
    """
    weights = edge_weights(train)
    limit = weights.users[:, None] * (train @ (weights.items[:, None] * items))
    sizes = np.linalg.norm(users, axis=1)
    known = (weights.users > 0) & (sizes > 0)
    off = np.linalg.norm(users - limit, axis=1)
    return np.where(known, off / np.where(known, sizes, 1), np.nan)
