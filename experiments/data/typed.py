"""A graph whose nodes are of several types, some of one type with classes."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import TypeAlias

import numpy as np
from jaxtyping import Int64

from experiments.data.nodes import Features, Split
from ntkexec.errors import ExperimentError, shown

Relation: TypeAlias = tuple[str, str, str]
"""Source type, name, target type: links lead from the first to the last."""


@dataclasses.dataclass(frozen=True, eq=False)
class TypedGraph:
    """Nodes of several types, each type numbered from 0, and links by relation; it checks itself.

    Args:
        name: of the set.
        num_nodes: of each type.
        relations: (m, 2) pairs of a node of the source type and one of the target type; each pair
            once, sorted.
        features: (n, F) float32 by type, SciPy CSR where most are 0; a type may have none.
        target: the type whose nodes have classes.
        labels: of the target's nodes, from 0; -1 where a node's is unknown.
        splits: of the target's nodes; none where the set has none of its own.
        note: what somebody who uses the set must know, in words; mostly nothing.

    Raises:
        ExperimentError: what is said here does not hold.
    """

    name: str
    num_nodes: Mapping[str, int]
    relations: Mapping[Relation, Int64[np.ndarray, "m 2"]]
    features: Mapping[str, Features]
    target: str
    labels: Int64[np.ndarray, "n"]
    splits: tuple[Split, ...] = ()
    note: str = ""

    def __post_init__(self) -> None:
        where = f"the graph {shown(self.name)}"
        if self.target not in self.num_nodes:
            raise ExperimentError(
                f"{where} has no nodes of its target {shown(self.target)}, but of "
                f"{', '.join(map(shown, self.num_nodes))}"
            )
        for kind, number in self.num_nodes.items():
            if number < 1:
                raise ExperimentError(f"{where} has {number} nodes of the type {shown(kind)}")
        _check_labels(self.labels, self.num_nodes[self.target], where)
        for kind, of in self.features.items():
            wanted = self.num_nodes.get(kind)
            if of.dtype != np.float32 or of.ndim != 2 or of.shape[0] != wanted:
                raise ExperimentError(
                    f"{where} needs float32 features of {wanted} nodes of the type {shown(kind)}, got "
                    f"{_of(of)}"
                )
        for relation, pairs in self.relations.items():
            _check_pairs(relation, pairs, self.num_nodes, where)
        for split in self.splits:
            if len(split.train) != len(self.labels):
                raise ExperimentError(
                    f"{where} has {len(self.labels)} nodes with classes, and a split of "
                    f"{len(split.train)}"
                )

    @functools.cached_property
    def num_classes(self) -> int:
        """One more than the largest label."""
        return int(self.labels.max()) + 1

    @property
    def types(self) -> tuple[str, ...]:
        """The target first, then the others in their order."""
        return (self.target, *(kind for kind in self.num_nodes if kind != self.target))


def _check_labels(labels: np.ndarray, number: int, where: str) -> None:
    if labels.dtype != np.int64 or labels.shape != (number,):
        raise ExperimentError(
            f"{where} needs int64 labels of its {number} nodes with classes, got {_of(labels)}"
        )
    if labels.min() < -1:
        raise ExperimentError(f"{where} has the label {labels.min()}; -1 is unknown")


def _check_pairs(
    relation: Relation, pairs: np.ndarray, num_nodes: Mapping[str, int], where: str
) -> None:
    source, name, target = relation
    which = f"{where}: the relation {shown(name)}"
    if unknown := {source, target} - set(num_nodes):
        raise ExperimentError(f"{which} has an end of the type {shown(min(unknown))}, of no node")
    if pairs.dtype != np.int64 or pairs.ndim != 2 or pairs.shape[1] != 2:
        raise ExperimentError(f"{which} needs int64 pairs of shape (m, 2), got {_of(pairs)}")
    if not len(pairs):
        return
    sizes = (num_nodes[source], num_nodes[target])
    for column, kind, size in zip(pairs.T, (source, target), sizes, strict=True):
        if column.min() < 0 or column.max() >= size:
            raise ExperimentError(
                f"{which} leads beyond the nodes 0 to {size - 1} of the type {shown(kind)}"
            )
    keys = pairs[:, 0] * sizes[1] + pairs[:, 1]
    if not (keys[1:] > keys[:-1]).all():
        raise ExperimentError(f"{which} must have each pair once, sorted")


def _of(array: Features) -> str:
    return f"{array.dtype} of shape {tuple(array.shape)}"
