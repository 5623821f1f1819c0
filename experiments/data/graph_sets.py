"""Many graphs with a class or numbers for each: what every format of graph sets leads to."""

import dataclasses
import functools

import numpy as np
from jaxtyping import Float32, Int64

from ntkexec.errors import ExperimentError, shown


@dataclasses.dataclass(frozen=True, eq=False)
class Graph:
    """An undirected graph without loops; it checks itself.

    Args:
        num_nodes: at least 1.
        edges: each once as u < v; in any order.
        node_labels: of a finite kind, such as the element of an atom, from 0.
        edge_labels: of the edges in their order, from 0.
        features: numbers of each node.

    Raises:
        ExperimentError: what is said here does not hold.
    """

    num_nodes: int
    edges: Int64[np.ndarray, "m 2"]
    node_labels: Int64[np.ndarray, "n"] | None = None
    edge_labels: Int64[np.ndarray, "m"] | None = None
    features: Float32[np.ndarray, "n F"] | None = None

    def __post_init__(self) -> None:
        if self.num_nodes < 1:
            raise ExperimentError(f"a graph has at least 1 node, not {self.num_nodes}")
        _check(self.edges, np.int64, (len(self.edges), 2), "edges")
        if len(self.edges):
            _check_edges(self.edges, self.num_nodes)
        for name, length in (("node_labels", self.num_nodes), ("edge_labels", len(self.edges))):
            labels = getattr(self, name)
            if labels is not None:
                _check(labels, np.int64, (length,), name)
                if length and labels.min() < 0:
                    raise ExperimentError(
                        f"a graph's {name} count from 0, and one is {labels.min()}"
                    )
        if self.features is not None:
            width = self.features.shape[-1] if self.features.ndim else 0
            _check(self.features, np.float32, (self.num_nodes, width), "features")

    @functools.cached_property
    def degrees(self) -> Int64[np.ndarray, "n"]:
        """Of each node."""
        return np.bincount(self.edges.reshape(-1), minlength=self.num_nodes)


@dataclasses.dataclass(frozen=True, eq=False)
class Fold:
    """Which graphs are trained on, picked by, and tested on.

    Args:
        train, validation, test: places of graphs in their set; none is in two parts. `validation` is
            empty where the public protocol has none.
    """

    train: Int64[np.ndarray, "a"]
    validation: Int64[np.ndarray, "b"]
    test: Int64[np.ndarray, "c"]

    def __post_init__(self) -> None:
        for name, part in self.parts.items():
            _check(part, np.int64, (len(part),), f"{name} graphs")
        listed = np.concatenate(list(self.parts.values()))
        found, counts = np.unique(listed, return_counts=True)
        if (counts > 1).any():
            raise ExperimentError(f"a fold lists the graph {found[np.argmax(counts > 1)]} twice")

    @property
    def parts(self) -> dict[str, Int64[np.ndarray, "k"]]:
        """The three, by name."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


@dataclasses.dataclass(frozen=True, eq=False)
class GraphSet:
    """Graphs and what is asked of each; it checks itself.

    Args:
        name: of the set.
        graphs: at least one; all have node labels or none has, and so on.
        targets: (G,) int64 classes from 0, or (G, T) float32 numbers.
        target_names: of the T numbers; or of the classes, where they have names; else none.
        folds: none where the set has none of its own.
        note: what somebody who uses the set must know, in words; mostly nothing.

    Raises:
        ExperimentError: what is said here does not hold.
    """

    name: str
    graphs: tuple[Graph, ...]
    targets: Int64[np.ndarray, "G"] | Float32[np.ndarray, "G T"]
    target_names: tuple[str, ...] = ()
    folds: tuple[Fold, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        where, number = f"the set {shown(self.name)}", len(self.graphs)
        if not number:
            raise ExperimentError(f"{where} has no graph")
        if self.targets.ndim == 1:
            _check(self.targets, np.int64, (number,), f"classes of {where}")
            if self.targets.min() < 0:
                raise ExperimentError(f"{where} has the class {self.targets.min()}")
        else:
            width = self.targets.shape[-1] if self.targets.ndim else 0
            _check(self.targets, np.float32, (number, width), f"targets of {where}")
            if self.target_names and len(self.target_names) != width:
                raise ExperimentError(
                    f"{where} has {width} targets, and {len(self.target_names)} names of them"
                )
        for name in ("node_labels", "edge_labels", "features"):
            there = [getattr(graph, name) is not None for graph in self.graphs]
            if any(there) and not all(there):
                raise ExperimentError(
                    f"{where} has {name}, and its graph {there.index(False)} none"
                )
        if len({g.features.shape[1] for g in self.graphs if g.features is not None}) > 1:
            raise ExperimentError(f"{where} has features of several widths")
        for fold in self.folds:
            for part in fold.parts.values():
                if len(part) and not (part.min() >= 0 and part.max() < number):
                    raise ExperimentError(
                        f"{where} has the graphs 0 to {number - 1}, and a fold with others"
                    )

    @property
    def is_classification(self) -> bool:
        """Whether targets are classes."""
        return self.targets.ndim == 1

    @functools.cached_property
    def num_classes(self) -> int:
        """One more than the largest class; 0 where targets are numbers."""
        return int(self.targets.max()) + 1 if self.is_classification else 0

    @functools.cached_property
    def num_node_labels(self) -> int:
        """One more than the largest label of a node; 0 without labels."""
        return _most([graph.node_labels for graph in self.graphs])

    @functools.cached_property
    def num_edge_labels(self) -> int:
        """One more than the largest label of an edge; 0 without labels."""
        return _most([graph.edge_labels for graph in self.graphs])


def _most(labels: list[np.ndarray | None]) -> int:
    return 1 + max((int(row.max()) for row in labels if row is not None and len(row)), default=-1)


def _check(array: np.ndarray, kind: type, shape: tuple[int, ...], what: str) -> None:
    if array.dtype != kind or array.shape != shape:
        raise ExperimentError(
            f"{what} must be {kind.__name__} of shape {shape}, got {array.dtype} of shape "
            f"{array.shape}"
        )


def _check_edges(edges: np.ndarray, number: int) -> None:
    low, high = edges[:, 0], edges[:, 1]
    if low.min() < 0 or high.max() >= number:
        raise ExperimentError(f"a graph has an edge beyond its nodes 0 to {number - 1}")
    if (wrong := low >= high).any():
        pair = tuple(edges[np.argmax(wrong)].tolist())
        raise ExperimentError(f"a graph has the edge {pair}; edges are written once, as u < v")
    if len(np.unique(low * number + high)) < len(edges):
        raise ExperimentError("a graph has an edge twice")
