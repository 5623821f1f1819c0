"""Planetoid's citation graphs: the public `ind.*` pickles, and one `.npz` with the same in it."""

from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from experiments.data.formats import arrays
from experiments.data.formats.pickles import unpickled
from experiments.data.nodes import NodeData, Split
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

PARTS = ("x", "y", "tx", "ty", "allx", "ally", "graph", "test.index")
"""Ends of the public files' names."""
NUM_VALIDATION = 500
"""Nodes after the training nodes by which the published figures were picked."""


def read_npz(path: Path, name: str, key: str = "") -> NodeData:
    """A citation graph out of one archive.

    Args:
        path: of the archive: CSR features as `x_data`, `x_indices`, `x_indptr`, `x_shape`; `edges`;
            `y`; `train_idx`, `val_idx`, `test_idx`. With `feat_nodes` the rows of `x` are of these
            nodes alone, and all others' features are 0.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    where = shown(path)
    columns = {part: f"x_{part}" for part in ("data", "indices", "indptr", "shape")}
    splits = ("train_idx", "val_idx", "test_idx")
    found = arrays.members(path, (*columns.values(), "edges", "y", *splits), ("feat_nodes",))
    labels = arrays.classes(found["y"], f"y in {where}")
    number, given = len(labels), found.get("feat_nodes")
    features = arrays.matrix(
        {part: found[column] for part, column in columns.items()},
        f"x in {where}",
        rows=number if given is None else len(given),
    )
    note = ""
    if given is not None:
        listed = arrays.vector(given, f"feat_nodes in {where}")
        arrays.chosen(listed, number, f"feat_nodes in {where}")
        features = _placed(features, listed, number)
        note = f"only {len(listed)} of {number} nodes have features; those of the others are 0"
    parts = [arrays.chosen(found[part], number, f"{part} in {where}") for part in splits]
    return NodeData(
        name,
        features,
        labels,
        arrays.pairs(found["edges"], number, f"edges in {where}"),
        (arrays.masked(parts, number, where),),
        note,
    )


def read_pickles(folder: Path, name: str, key: str = "") -> NodeData:
    """A citation graph out of the eight public files `ind.KEY.x`, ..., `ind.KEY.test.index`.

    The test nodes are put in the places that the index gives them. Where the index leaves gaps
    (CiteSeer's has 15), the nodes in them have the links of the graph, but neither features nor a label,
    and are in no part of the split.

    Args:
        folder: holds the files.
        name: of the set.
        key: in the files' names; without it the set's name.

    Raises:
        ExperimentError: names the file and what in it does not fit, such as an object of a type that
            none of these files needs.

    Source: Yang, Cohen and Salakhutdinov, Revisiting semi-supervised learning with graph embeddings,
        ICML 2016, arXiv:1603.08861; its public data.
    """
    paths = {part: folder / f"ind.{key or name}.{part}" for part in PARTS}
    x, tx, allx = (_features(paths[part]) for part in ("x", "tx", "allx"))
    y, ty, ally = (
        _one_hot(paths[label], len_of, paths[part])
        for label, part, len_of in (("y", "x", x), ("ty", "tx", tx), ("ally", "allx", allx))
    )
    if not x.shape[1] == tx.shape[1] == allx.shape[1]:
        raise ExperimentError(
            f"{shown(paths['tx'])} and its relatives have {x.shape[1]}, {tx.shape[1]} and "
            f"{allx.shape[1]} columns"
        )
    index = _test_index(paths["test.index"], tx.shape[0], allx.shape[0])
    number = max(allx.shape[0], int(index.max(initial=-1)) + 1)
    labels = np.full(number, -1, np.int64)
    labels[: len(ally)] = ally
    labels[index] = ty
    rows = np.concatenate([np.arange(allx.shape[0]), index])
    features = _placed(sparse.vstack([allx, tx], format="csr"), rows, number)
    if len(y) + NUM_VALIDATION > allx.shape[0]:
        raise ExperimentError(
            f"{shown(paths['allx'])} has {allx.shape[0]} rows, too few for {len(y)} nodes to train on "
            f"and {NUM_VALIDATION} to pick by"
        )
    train, validation = np.arange(number) < len(y), np.zeros(number, bool)
    validation[len(y) : len(y) + NUM_VALIDATION] = True
    test = arrays.chosen(index, number, shown(paths["test.index"]))
    edges = arrays.pairs(_links(paths["graph"]), number, shown(paths["graph"]))
    return NodeData(name, features, labels, edges, (Split(train, validation, test),))


def _placed(matrix: sparse.csr_matrix, rows: np.ndarray, number: int) -> sparse.csr_matrix:
    """A matrix of `number` rows, of which those listed are the given ones and the others empty."""
    order = np.argsort(rows, kind="stable")
    lengths = np.zeros(number, np.int64)
    lengths[rows] = np.diff(matrix.indptr)
    pointers = np.concatenate([[0], np.cumsum(lengths)])
    made = matrix[order]
    return sparse.csr_matrix((made.data, made.indices, pointers), (number, matrix.shape[1]))


def _features(path: Path) -> sparse.csr_matrix:
    found = unpickled(path)
    if not isinstance(found, sparse.csr_matrix):
        raise ExperimentError(f"{shown(path)} holds no sparse matrix, but {_kind(found)}")
    return found


def _one_hot(path: Path, features: sparse.csr_matrix, beside: Path) -> np.ndarray:
    """Class numbers out of rows with one 1 each; a row of zeros is of an unknown class."""
    found = unpickled(path)
    if not isinstance(found, np.ndarray) or found.ndim != 2 or not found.shape[1]:
        raise ExperimentError(f"{shown(path)} holds no rows of classes, but {_kind(found)}")
    if len(found) != features.shape[0]:
        raise ExperimentError(
            f"{shown(path)} has {len(found)} rows, and {shown(beside)} {features.shape[0]}"
        )
    if not ((found == 0) | (found == 1)).all() or (found.sum(axis=1) > 1).any():
        raise ExperimentError(f"{shown(path)} has a row that is not one 1 among zeros")
    return np.where(found.any(axis=1), found.argmax(axis=1), -1).astype(np.int64)


def _test_index(path: Path, number: int, known: int) -> np.ndarray:
    """Nodes of the rows of `tx`, in their order."""
    words = content(path).split()
    if len(words) != number:
        raise ExperimentError(f"{shown(path)} lists {len(words)} nodes, and tx has {number} rows")
    try:
        index = np.array([int(word) for word in words], np.int64)
    except (ValueError, OverflowError) as error:
        raise ExperimentError(
            f"{shown(path)} holds a line that is no node: {shown(error)}"
        ) from error
    # The published gaps are of tens; a far larger one would only ask for memory.
    if number and not (known <= index.min() and index.max() < 2 * (known + number)):
        raise ExperimentError(f"{shown(path)} lists nodes that do not follow the {known} of allx")
    return index


def _links(path: Path) -> np.ndarray:
    found = unpickled(path)
    if not isinstance(found, dict):
        raise ExperimentError(f"{shown(path)} holds no lists of neighbours, but {_kind(found)}")
    for node, neighbours in found.items():
        if type(node) is not int or not isinstance(neighbours, list):
            raise ExperimentError(f"{shown(path)}: {quoted(node, 60)} has no list of neighbours")
    senders = np.repeat(
        _whole(list(found), path), [len(neighbours) for neighbours in found.values()]
    )
    receivers = _whole([node for neighbours in found.values() for node in neighbours], path)
    return np.stack([senders, receivers], axis=1)


def _whole(nodes: list[Any], path: Path) -> np.ndarray:
    if wrong := [node for node in nodes if type(node) is not int or abs(node) >= 2**62]:
        raise ExperimentError(f"{shown(path)}: {quoted(wrong[0], 60)} is no node")
    return np.array(nodes, np.int64).reshape(-1)


def _kind(found: object) -> str:
    return f"a {type(found).__name__}"
