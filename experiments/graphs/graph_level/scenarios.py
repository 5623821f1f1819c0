"""Conditions under which a set is learned: as it is, with noisy edges, with rare classes, with few labels."""

import dataclasses

import numpy as np
from jaxtyping import Int64

from experiments.data.graph_sets import Fold, Graph, GraphSet
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Scenario:
    """What is done to a set before anybody learns from it; the test graphs' classes stay.

    Args:
        name: for tables.
        noise: share of each graph's edges that move to where there was none; of all graphs, also those
            tested. The number of edges stays, where there is room for it.
        imbalance: times that the largest training class is as large as the smallest is made; those between
            lie between, in the order of their numbers. 1 leaves them.
        labels: of each class that are trained on, and at most as many that are picked by; 0 is all.
    """

    name: str
    noise: float = 0.0
    imbalance: float = 1.0
    labels: int = 0

    def __post_init__(self) -> None:
        if not (0 <= self.noise <= 1 and self.imbalance >= 1 and self.labels >= 0):
            raise ExperimentError(
                f"the scenario {self.name!r} needs noise of 0 to 1, an imbalance from 1 and labels from 0: "
                f"got {self.noise:g}, {self.imbalance:g}, {self.labels}"
            )


CLEAN = Scenario("clean")


def drawn_fold(
    graphs: GraphSet, generator: np.random.Generator, *, test: float = 0.1, validation: float = 0.1
) -> Fold:
    """A random fold, of each class in the same shares; of numbers without regard to them.

    Args:
        graphs: the set.
        generator: draws.
        test, validation: shares, of which each class gives at least one graph.
    """
    classes = graphs.targets if graphs.is_classification else np.zeros(len(graphs.graphs), np.int64)
    parts: list[list[np.ndarray]] = [[], [], []]
    for c in np.unique(classes):
        members = generator.permutation(np.flatnonzero(classes == c))
        first, second = (max(1, round(share * len(members))) for share in (test, validation))
        for part, some in zip(parts, np.split(members, [first, first + second])[::-1], strict=True):
            part.append(some)
    train, picked, tested = (np.sort(np.concatenate(part)) for part in parts)
    return Fold(train, picked, tested)


def applied(
    scenario: Scenario, graphs: GraphSet, fold: Fold, generator: np.random.Generator
) -> tuple[GraphSet, Fold]:
    """The set and the fold under a scenario.

    Raises:
        ExperimentError: rare classes or few labels of a set whose targets are numbers.
    """
    if (scenario.imbalance > 1 or scenario.labels) and not graphs.is_classification:
        raise ExperimentError(f"{graphs.name} has no classes to be rare or few: {scenario.name}")
    if scenario.noise:
        moved = tuple(with_moved_edges(g, scenario.noise, generator) for g in graphs.graphs)
        graphs = dataclasses.replace(graphs, graphs=moved)
    train, validation = fold.train, fold.validation
    if scenario.imbalance > 1:
        train = _rarer(train, graphs, scenario.imbalance, generator)
    if scenario.labels:
        train = _few(train, graphs, scenario.labels, generator)
        validation = _few(validation, graphs, scenario.labels, generator)
    return graphs, Fold(train, validation, fold.test)


def with_moved_edges(graph: Graph, share: float, generator: np.random.Generator) -> Graph:
    """The graph with a share of its edges taken out and as many put where there was none before.

    Labels of edges that were put in are drawn from the graph's own.
    """
    n, m = graph.num_nodes, len(graph.edges)
    u, v = np.triu_indices(n, 1)
    keys = u * n + v
    free = np.setdiff1d(keys, graph.edges[:, 0] * n + graph.edges[:, 1])
    number = min(round(share * m), len(free))
    stays = np.ones(m, bool)
    stays[generator.permutation(m)[: round(share * m)]] = False
    new = generator.choice(free, number, replace=False) if number else free[:0]
    edges = np.concatenate([graph.edges[stays], np.stack(np.divmod(new, n), 1)]).astype(np.int64)
    labels = None
    if graph.edge_labels is not None:
        drawn = generator.choice(graph.edge_labels, number) if number else graph.edge_labels[:0]
        labels = np.concatenate([graph.edge_labels[stays], drawn])
    return dataclasses.replace(graph, edges=edges, edge_labels=labels)


def _rarer(
    among: np.ndarray, graphs: GraphSet, ratio: float, generator: np.random.Generator
) -> Int64[np.ndarray, "k"]:
    """Class by class from the largest to the smallest, sizes that fall by the same factor to `ratio`."""
    classes, counts = np.unique(graphs.targets[among], return_counts=True)
    order = np.argsort(-counts, kind="stable")
    kept = []
    for rank, place in enumerate(order):
        falls = rank / max(1, len(classes) - 1)
        size = max(1, round(counts[order[0]] * ratio**-falls))
        members = among[graphs.targets[among] == classes[place]]
        kept.append(generator.permutation(members)[:size])
    return np.sort(np.concatenate(kept))


def _few(
    among: np.ndarray, graphs: GraphSet, labels: int, generator: np.random.Generator
) -> Int64[np.ndarray, "k"]:
    kept = [among[:0]]
    for c in np.unique(graphs.targets[among]):
        members = among[graphs.targets[among] == c]
        kept.append(generator.permutation(members)[:labels])
    return np.sort(np.concatenate(kept))
