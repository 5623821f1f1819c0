"""What frozen embeddings are worth: a linear probe of nodes, a decoder of links, clusters.

All run in scikit-learn, on the CPU; nothing is compiled.
"""

import contextlib
import functools
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

from experiments.data.nodes import NodeData, Split
from ntkexec.errors import ExperimentError


class Links(NamedTuple):
    """A graph's edges in three parts, and pairs without an edge to tell them from.

    Args:
        train, validation, test: (p, 2), edges; each edge is in one part.
        none: for each part in that order (p, 2), as many pairs: those of validation and test are no
            edges at all; those of train are no edges of train, since more is not to be known.
    """

    train: Int[np.ndarray, "p 2"]
    validation: Int[np.ndarray, "q 2"]
    test: Int[np.ndarray, "r 2"]
    none: tuple[np.ndarray, np.ndarray, np.ndarray]


def split_links(
    data: NodeData, generator: np.random.Generator, *, validation: float = 0.05, test: float = 0.1
) -> Links:
    """Shares of a graph's edges held out, with equally many pairs without an edge.

    Args:
        data: edges are read, nothing else.
        generator: draws the parts and the pairs.
        validation, test: shares of the edges; in the paper 5 and 10 %.

    Raises:
        ExperimentError: a part would be empty, or the graph has no such number of pairs.
    """
    edges, n = data.edges, data.num_nodes
    sizes = [round(share * len(edges)) for share in (validation, test)]
    if min(*sizes, len(edges) - sum(sizes)) < 1:
        raise ExperimentError(f"{len(edges)} edges do not make parts of {validation} and {test}")
    if 3 * len(edges) > n * (n - 1) // 2:
        raise ExperimentError(f"{n} nodes with {len(edges)} edges have too few pairs without one")
    order = generator.permutation(len(edges))
    held, tested, rest = np.split(edges[order], np.cumsum(sizes))
    apart = _no_edges(rest, n, len(rest), generator)
    first, second = np.split(_no_edges(edges, n, sum(sizes), generator), sizes[:1])
    return Links(rest, held, tested, (apart, first, second))


def split_nodes(
    labels: Int[np.ndarray, " n"],
    generator: np.random.Generator,
    *,
    train: float = 0.2,
    validation: float = 0.2,
) -> Split:
    """A random split into shares of the nodes, whatever their classes are: the paper's 20/20/60.

    Args:
        labels: -1 where unknown; those nodes are in no part.
        generator: draws it.
        train, validation: shares; the rest is to test on.

    Raises:
        ExperimentError: a part would be empty.
    """
    if not (train > 0 and validation > 0 and train + validation < 1):
        raise ExperimentError(
            f"shares of {train} to train and {validation} to validate leave none for a part: both are "
            "above 0, and together below 1"
        )
    place = generator.permutation(len(labels)) / len(labels)
    first, second = place < train, (place >= train) & (place < train + validation)
    known = labels >= 0
    sizes = [int((known & part).sum()) for part in (first, second, ~first & ~second)]
    if min(sizes) < 1:
        raise ExperimentError(
            f"{int(known.sum())} nodes with a label make parts of {sizes}, and each needs a node"
        )
    return Split(known & first, known & second, known & ~first & ~second)


class NodeScores(NamedTuple):
    """Accuracies, and which test nodes were right.

    Args:
        train, validation, test: shares of right answers.
        right: (t,), of the test nodes in their order.
    """

    train: float
    validation: float
    test: float
    right: Bool[np.ndarray, " t"]


def probe_nodes(
    z: Float[np.ndarray, "n h"], labels: Int[np.ndarray, " n"], split: Split, *, ridge: float = 1.0
) -> NodeScores:
    """Softmax regression on standardised embeddings, fitted to the training nodes.

    Args:
        z: embeddings.
        labels: classes; nodes of the split have one.
        split: test nodes are scored and nothing else.
        ridge: half of it times the squared weights is added to the summed loss.
    """
    columns = _standardised(z, split.train)
    found = _regression(columns[split.train], labels[split.train], ridge)
    right = found.predict(columns) == labels
    train, validation = (float(right[part].mean()) for part in (split.train, split.validation))
    tested = right[split.test]
    return NodeScores(train, validation, float(tested.mean()), tested)


class LinkScores(NamedTuple):
    """ROC AUC of validation and test, and average precision of test."""

    validation: float
    auc: float
    ap: float


def probe_links(z: Float[np.ndarray, "n h"], links: Links, *, ridge: float = 1.0) -> LinkScores:
    """Logistic regression on products of both ends' embeddings, column by column.

    Args:
        z: embeddings.
        links: the decoder is fitted to the training edges and pairs.
        ridge: as for `probe_nodes`.
    """
    from sklearn.metrics import average_precision_score, roc_auc_score

    columns = _standardised(z, np.ones(len(z), bool))
    parts = [np.concatenate(pair) for pair in zip(links[:3], links.none, strict=True)]
    truth = [np.repeat([1, 0], len(pairs) // 2) for pairs in parts]
    products = [columns[pairs[:, 0]] * columns[pairs[:, 1]] for pairs in parts]
    found = _regression(products[0], truth[0], ridge)
    scores = [found.decision_function(rows) for rows in products[1:]]
    return LinkScores(
        validation=float(roc_auc_score(truth[1], scores[0])),
        auc=float(roc_auc_score(truth[2], scores[1])),
        ap=float(average_precision_score(truth[2], scores[1])),
    )


class ClusterScores(NamedTuple):
    """Mutual information with the classes, by the mean of both entropies, and the adjusted Rand index."""

    nmi: float
    ari: float


def probe_clusters(
    z: Float[np.ndarray, "n h"],
    labels: Int[np.ndarray, " n"],
    generator: np.random.Generator,
    *,
    restarts: int = 2,
) -> ClusterScores:
    """k-means of embeddings, with as many clusters as there are classes, against these.

    Args:
        z: embeddings.
        labels: classes; nodes without one (-1) are clustered and not scored.
        generator: draws the first centres.
        restarts: of which the tightest clusters count.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

    seed, known = int(generator.integers(2**31)), labels >= 0
    means = KMeans(
        int(labels.max()) + 1, n_init=restarts, random_state=seed, tol=1e-3, max_iter=100
    )
    with _one_thread():
        found = means.fit(z).labels_[known]
    return ClusterScores(
        nmi=float(normalized_mutual_info_score(labels[known], found)),
        ari=float(adjusted_rand_score(labels[known], found)),
    )


def selection_inflation(
    right: Bool[np.ndarray, "T t"] | Sequence[Bool[np.ndarray, " t"]],
    generator: np.random.Generator,
    *,
    draws: int = 200,
) -> tuple[float, float]:
    """What is reported of the candidate that is best on some test nodes, and its accuracy on others.

    Args:
        right: of each candidate, which test nodes it got right.
        generator: halves the test nodes at random.
        draws: how often.

    Returns:
        Means over draws: the best candidate's accuracy on the half that chose it, and on the other half.
        Without selection both are the same in expectation.

    Raises:
        ExperimentError: there is no candidate, no draw, or no two test nodes to halve.
    """
    shapes = {np.shape(each) for each in right}
    if len(shapes) != 1 or np.ndim(right[0]) != 1 or len(right[0]) < 2 or draws < 1:
        raise ExperimentError(
            "what selection adds is told of a candidate and a draw at least, and of the same two test nodes "
            f"at least for all, not in {draws} draws of shapes {sorted(shapes)[:5]}"
        )
    hits, found = np.asarray(right, float), np.zeros(2)
    for _ in range(draws):
        order = generator.permutation(hits.shape[1])
        halves = np.array_split(order, 2)
        chose, fresh = (hits[:, half].mean(1) for half in halves)
        best = int(np.argmax(chose))
        found += (chose[best], fresh[best])
    return float(found[0] / draws), float(found[1] / draws)


def _regression(rows: np.ndarray, truth: np.ndarray, ridge: float) -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with _one_thread(), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a hundred steps are a probe
        return LogisticRegression(C=1 / ridge, max_iter=100, tol=1e-2).fit(rows, truth)


@contextlib.contextmanager
def _one_thread() -> Iterator[None]:
    """These products are so small that threads wait for each other for most of the time."""
    with _libraries().limit(limits=1):
        yield


@functools.cache
def _libraries() -> Any:
    from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]

    return ThreadpoolController()


def _standardised(z: np.ndarray, fitted: np.ndarray) -> Float[np.ndarray, "n h"]:
    z = np.asarray(z, np.float32)
    spread = z[fitted].std(0)
    return (z - z[fitted].mean(0)[None, :]) / np.where(spread > 1e-6, spread, 1)[None, :]


def _no_edges(
    edges: np.ndarray, number: int, wanted: int, generator: np.random.Generator
) -> Int[np.ndarray, "p 2"]:
    """Distinct pairs of different nodes that are none of the edges, drawn uniformly."""
    taken, found = edges[:, 0] * number + edges[:, 1], np.empty(0, np.int64)
    while len(found) < wanted:
        ends = np.sort(generator.integers(number, size=(2 * wanted + 16, 2)), axis=1)
        keys = (ends[:, 0] * number + ends[:, 1])[ends[:, 0] < ends[:, 1]]
        keys = np.concatenate([found, keys[~np.isin(keys, taken)]])
        found = keys[np.sort(np.unique(keys, return_index=True)[1])]
    return np.stack(np.divmod(found[:wanted], number), 1)
