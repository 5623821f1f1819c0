"""What follows from the definitions, in float64: fixed points, the limit, targets, and costs."""

import dataclasses
from typing import TypedDict

import networkx as nx
import numpy as np
from scipy import sparse

from experiments.graphs.ultragcn.factors import whole_factors
from experiments.graphs.ultragcn.model import RELEASED, Settings
from experiments.graphs.ultragcn.study_config import UltraConfig
from experiments.graphs.ultragcn.weights import Formula, cooccurrence, edge_weights
from experiments.harness.study import Trial

# Users, items and training pairs of the sets with released settings, as their files have them.
SIZES = {"gowalla": 810_128, "yelp2018": 1_237_259, "amazon-book": 2_380_730}
LAYERS, BATCH = 3, 2048
"""Of LightGCN's released settings; 8192 pairs a batch for amazon-book in its other public log."""


class Deviations(TypedDict):
    """Deviations of statements as they are, and with a premise of theirs taken out."""

    kept: dict[str, float]
    broken: dict[str, float]


def algebra(config: UltraConfig, trial: Trial) -> Deviations:
    """How far layers' and co-occurrences' fixed points, and targets of scores, are from what is said."""
    graph = trial.generator.random((30, 40)) < 0.15
    graph[:, 0] = graph[0] = True  # connected
    graph[1, :] = np.arange(40) < 1  # item 0 alone is all that this user has
    train = sparse.csr_array(graph.astype(np.float32))
    counts = np.arange(train.shape[1])
    near = cooccurrence(train, k=len(counts)), cooccurrence(train, k=len(counts), formula="code")
    target = {"plain": 0.0, "plain_negative": 0.0, "item_weight": 0.0}
    return {
        "kept": {
            "layers": _off_layers(train, loops=1.0),
            "items": _off_items(train, near[0].matrix(), "paper"),
            "targets": _off_targets(train, Settings(**target)),  # type: ignore[arg-type] # floats
        },
        "broken": {
            "layers": _off_layers(train, loops=0.0),
            "items": _off_items(train, near[1].matrix(), "code"),
            "targets": _off_targets(train, dataclasses.replace(Settings(), item_weight=0.0,
                                    plain_negative=1.0, weighted_negative=0.0)),
        },
    }  # fmt: skip


def _off_layers(train: sparse.csr_array, *, loops: float) -> float:
    """I - A' against (D + I)^-1 D (I - B), by entry; A' is the operator with these self-loops."""
    found = train.toarray().astype(np.float64)
    n, m = found.shape
    adjacency = np.block([[np.zeros((n, n)), found], [found.T, np.zeros((m, m))]])
    degree = adjacency.sum(1)
    scaled = 1 / np.sqrt(degree + loops)
    operator = scaled[:, None] * (adjacency + loops * np.eye(n + m)) * scaled
    up, down = edge_weights(train), edge_weights(train.T.tocsr())
    left = np.concatenate([up.users, down.users])
    weights = left[:, None] * adjacency * np.concatenate([down.items, up.items])
    fixed = (degree / (degree + 1))[:, None] * (np.eye(n + m) - weights)
    return float(abs(np.eye(n + m) - operator - fixed).max())


def _off_items(train: sparse.csr_array, omega: sparse.csr_array, formula: Formula) -> float:
    """I - G' against diag((g - G_ii) / g) (I - Omega), by entry; G' = D_g^-1/2 R'R D_g^-1/2."""
    counts = (train.T @ train).toarray().astype(np.float64)
    total = counts.sum(1)
    scaled = 1 / np.sqrt(total)
    eye = np.eye(len(total))
    fixed = ((total - counts.diagonal()) / total)[:, None] * (eye - omega.toarray())
    return float(abs(eye - scaled[:, None] * counts * scaled - fixed).max())


def _off_targets(train: sparse.csr_array, settings: Settings) -> float:
    """The relative slope, at a score of log(m / (c d_u)), of what a seen pair adds to the loss."""
    made = whole_factors(train, settings, cooccurrence(train))
    users, items = train.nonzero()
    many = np.diff(train.indptr)[users]
    score = np.log(train.shape[1] / (settings.negative_weight * many))
    likely = 1 / (1 + np.exp(-score))
    seen = made.seen.toarray()[users, items]
    unseen = made.plain[users] + made.weighted[users] * made.items[items]
    slope = unseen * likely - seen * (1 - likely)
    return float((abs(slope) / (unseen * likely + seen * (1 - likely))).max())


def limit(config: UltraConfig, trial: Trial) -> dict[str, float]:
    """What 2^40 hops leave of random embeddings beside one direction: second over first singular value."""
    generator = trial.generator
    graph = nx.bipartite.random_graph(60, 80, 0.08, seed=int(generator.integers(2**31)))
    graph = graph.subgraph(max(nx.connected_components(graph), key=len))
    adjacency = nx.to_numpy_array(graph)
    first = generator.normal(size=(len(adjacency), 8))
    found = {"nodes": float(len(adjacency))}
    for name, loops in (("rank", 1.0), ("without_loops", 0.0)):
        # Without self-loops powers of an even number of hops have two directions of their own.
        scaled = 1 / np.sqrt(adjacency.sum(1) + loops)
        values, vectors = np.linalg.eigh(
            scaled[:, None] * (adjacency + loops * np.eye(len(adjacency))) * scaled
        )
        # Of modulus 1 are those that rounding alone keeps from it.
        values = np.where(abs(abs(values) - 1) < 1e-12, np.sign(values), values) ** 2.0**40
        sizes = np.linalg.svd((vectors * values) @ (vectors.T @ first), compute_uv=False)
        found[name] = float(sizes[1] / sizes[0])
    return found


def costs(config: UltraConfig, trial: Trial) -> dict[str, float]:
    """LightGCN's multiply-adds in an epoch over UltraGCN's, by set, both with released settings.

    UltraGCN takes (1 + M + K) d for a pair, LightGCN 4 L |E| d for a step: L layers over both
    directions, forwards and backwards are alike and cancel with UltraGCN's, so half of it is counted.
    """
    found = {}
    for name, edges in SIZES.items():
        pair = 1 + RELEASED[name].negatives + 10
        found[name] = 2 * LAYERS * edges / BATCH / pair
    return {**found, "least": min(found.values())}
