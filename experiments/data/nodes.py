"""A graph whose nodes have features and classes: what every format of node sets leads to."""

import dataclasses
import functools
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool, Float32, Int64
from scipy import sparse

from ntkexec.errors import ExperimentError, shown

Features: TypeAlias = sparse.csr_matrix | np.ndarray
"""(n, F) float32, sparse where the files are sparse."""


@dataclasses.dataclass(frozen=True, eq=False)
class Split:
    """Which nodes are trained on, picked by, and tested on.

    Args:
        train, validation, test: of all nodes; no node is in two of them.
    """

    train: Bool[np.ndarray, "n"]
    validation: Bool[np.ndarray, "n"]
    test: Bool[np.ndarray, "n"]

    def __post_init__(self) -> None:
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        for name, part in parts.items():
            if part.dtype != np.bool_ or part.ndim != 1 or len(part) != len(self.train):
                raise ExperimentError(
                    f"a split's {name} nodes must be {len(self.train)} booleans, got {_of(part)}"
                )
        twice = (self.train & self.validation) | (self.test & (self.train | self.validation))
        if twice.any():
            raise ExperimentError(
                f"a split has {int(twice.sum())} nodes in two of its parts, such as "
                f"{int(np.argmax(twice))}"
            )


@dataclasses.dataclass(frozen=True, eq=False)
class NodeData:
    """A graph with a class for each node; it checks itself.

    Args:
        name: of the set.
        features: (n, F) float32; a SciPy CSR matrix where most of them are 0.
        labels: classes from 0; -1 where a node's is unknown.
        edges: undirected, each once as u < v, without loops.
        splits: none where the set has none of its own.
        note: what somebody who uses the set must know, in words; mostly nothing.

    Raises:
        ExperimentError: what is said here does not hold.
    """

    name: str
    features: Features
    labels: Int64[np.ndarray, "n"]
    edges: Int64[np.ndarray, "m 2"]
    splits: tuple[Split, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        where, number = f"the graph {shown(self.name)}", len(self.labels)
        if self.labels.dtype != np.int64 or self.labels.ndim != 1 or not number:
            raise ExperimentError(f"{where} needs int64 labels, got {_of(self.labels)}")
        if self.labels.min() < -1:
            raise ExperimentError(f"{where} has the label {self.labels.min()}; -1 is unknown")
        of = self.features
        if of.dtype != np.float32 or of.ndim != 2 or of.shape[0] != number:
            raise ExperimentError(
                f"{where} needs float32 features of shape ({number}, F), got {_of(of)}"
            )
        if self.edges.dtype != np.int64 or self.edges.ndim != 2 or self.edges.shape[1] != 2:
            raise ExperimentError(
                f"{where} needs int64 edges of shape (m, 2), got {_of(self.edges)}"
            )
        if len(self.edges):
            _check_edges(self.edges, number, where)
        for split in self.splits:
            if len(split.train) != number:
                raise ExperimentError(
                    f"{where} has {number} nodes, and a split of {len(split.train)}"
                )

    @property
    def num_nodes(self) -> int:
        return len(self.labels)

    @property
    def num_features(self) -> int:
        return int(self.features.shape[1])

    @functools.cached_property
    def num_classes(self) -> int:
        """One more than the largest label."""
        return int(self.labels.max()) + 1

    @property
    def dense(self) -> Float32[np.ndarray, "n F"]:
        """The features as an array; of sparse ones a new one each time."""
        if isinstance(self.features, np.ndarray):
            return self.features
        made: np.ndarray = self.features.toarray()
        return made


def _check_edges(edges: np.ndarray, number: int, where: str) -> None:
    low, high = edges[:, 0], edges[:, 1]
    if low.min() < 0 or high.max() >= number:
        raise ExperimentError(f"{where} has an edge beyond its nodes 0 to {number - 1}")
    if (wrong := low >= high).any():
        pair = tuple(edges[np.argmax(wrong)].tolist())
        raise ExperimentError(f"{where} has the edge {pair}; edges are written once, as u < v")
    keys = low * number + high
    # Sorted ones, as readers make them, need not be sorted to be seen different.
    if not (keys[1:] > keys[:-1]).all() and len(np.unique(keys)) < len(keys):
        raise ExperimentError(f"{where} has an edge twice")


def _of(array: Features) -> str:
    return f"{array.dtype} of shape {tuple(array.shape)}"
