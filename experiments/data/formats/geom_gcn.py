"""Geom-GCN's dumps: a line of text for each node, a line for each link, ten files of splits."""

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.data.cornell import told
from experiments.data.formats import arrays, planetoid
from experiments.data.nodes import NodeData, Split
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

NUM_SPLITS = 10
MASKS = ("train_mask", "val_mask", "test_mask")
ZERO, ONE, COMMA = b"01,"


def read(folder: Path, name: str, key: str = "") -> NodeData:
    """A graph with its ten splits of 60 / 20 / 20 (or, in truth, 48 / 32 / 20) percent.

    Args:
        folder: holds `new_data/KEY/out1_node_feature_label.txt`, `out1_graph_edges.txt` beside it, and
            `splits/KEY_split_0.6_0.2_0.npz` to `_9.npz`, as the public repository does. Without the
            first of the splits the graph has none.
        name: of the set.
        key: of the public files, such as `film`; without it the set's name.

    Raises:
        ExperimentError: names the file and what in it does not fit; a Cornell whose nodes are Texas's is
            refused under any name but `cornell-geomgcn`.

    Source: Pei et al., Geom-GCN, ICLR 2020, arXiv:2002.05287; its public data.
    """
    key = key or name
    nodes = folder / "new_data" / key / "out1_node_feature_label.txt"
    numbers, rows, labels = _nodes(nodes)
    features = _indexed(rows, nodes) if _are_indices(rows) else _dense(rows, nodes)
    order = np.argsort(numbers)
    if not np.array_equal(numbers[order], np.arange(len(numbers))):
        raise ExperimentError(f"{shown(nodes)} does not number its nodes 0 to {len(numbers) - 1}")
    links = nodes.with_name("out1_graph_edges.txt")
    graph = NodeData(
        name,
        features[order],
        arrays.classes(labels[order], f"the labels in {shown(nodes)}"),
        arrays.pairs(_links(links), len(numbers), shown(links)),
        _splits(folder / "splits", key, len(numbers)),
    )
    return told(graph, shown(nodes))


def read_citations(folder: Path, name: str, key: str = "") -> NodeData:
    """A citation graph of Planetoid with Geom-GCN's ten splits.

    Nodes without a class, which CiteSeer's splits hold, are in none of its parts here; the public code
    takes them for the first class.

    Args:
        folder: holds `data/ind.KEY.*` and `splits/KEY_split_0.6_0.2_0.npz` to `_9.npz`.
        name: of the set.
        key: of the public files, such as `cora`.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    key = key or name
    graph = planetoid.read_pickles(folder / "data", name, key)
    known = graph.labels >= 0
    splits = tuple(
        Split(split.train & known, split.validation & known, split.test & known)
        for split in _splits(folder / "splits", key, graph.num_nodes)
    )
    return dataclasses.replace(graph, splits=splits)


def _nodes(path: Path) -> tuple[np.ndarray, list[bytes], np.ndarray]:
    """Numbers, words of features, and labels, of the lines after the first."""
    numbers, rows, labels = [], [], []
    for place, parts in _lines(path, 3, "no node, features and label between tabs"):
        numbers.append(_number(parts[0], path, place))
        rows.append(parts[1].strip())
        labels.append(_number(parts[2], path, place))
    if not numbers:
        raise ExperimentError(f"{shown(path)} holds no node")
    return np.array(numbers, np.int64), rows, np.array(labels, np.int64)


def _links(path: Path) -> np.ndarray:
    found = []
    for place, parts in _lines(path, 2, "no pair of nodes between tabs"):
        found.append([_number(part, path, place) for part in parts])
    return np.array(found, np.int64).reshape(-1, 2)


def _lines(path: Path, width: int, what: str) -> Iterator[tuple[int, list[bytes]]]:
    """Number and parts of each line after the first, which names what the others hold."""
    for place, line in enumerate(content(path).splitlines() or [b""], 1):
        parts = line.split(b"\t")
        if len(parts) != width or (place == 1 and parts[0] != b"node_id"):
            fits = "not the names of columns" if place == 1 else what
            raise ExperimentError(f"{shown(path)}, line {place}: {quoted(line, 60)} is {fits}")
        if place > 1:
            yield place, parts


def _number(word: bytes, path: Path, place: int) -> int:
    word = word.strip()
    if not word.isdigit() or len(word) > 15:
        raise ExperimentError(f"{shown(path)}, line {place}: {quoted(word, 60)} is no number")
    return int(word)


def _are_indices(rows: list[bytes]) -> bool:
    """Whether rows list which features are 1, as Actor's do, and not each feature's 0 or 1."""
    return len({len(row) for row in rows}) > 1 or not set(rows[0].split(b",")) <= {b"0", b"1"}


def _dense(rows: list[bytes], path: Path) -> np.ndarray:
    """Rows of 0 and 1 between commas, all of one length."""
    if not rows[0]:
        raise ExperimentError(f"{shown(path)} holds no features")
    signs = np.frombuffer(b"".join(row + b"," for row in rows), np.uint8).reshape(len(rows), -1)
    values = signs[:, ::2]
    fits = (signs[:, 1::2] == COMMA).all(axis=1) if signs.shape[1] % 2 == 0 else np.zeros(len(rows))
    wrong = ~(fits & ((values == ZERO) | (values == ONE)).all(axis=1)).astype(bool)
    if wrong.any():
        row = rows[int(np.argmax(wrong))]
        raise ExperimentError(
            f"{shown(path)}, line {int(np.argmax(wrong)) + 2}: {quoted(row, 60)} are no features of 0 "
            f"and 1"
        )
    return (values == ONE).astype(np.float32)


def _indexed(rows: list[bytes], path: Path) -> np.ndarray:
    """Rows that list their features; there are as many as the largest says, counted from 0."""
    listed = [
        [_number(word, path, place) for word in row.split(b",")] if row else []
        for place, row in enumerate(rows, 2)
    ]
    width = max((max(row, default=0) for row in listed), default=0) + 1
    # Wider than all words of the file together, it is no list of features.
    if width > 1 + sum(len(row) for row in rows):
        raise ExperimentError(f"{shown(path)} lists the feature {width - 1}, which is none of it")
    made = np.zeros((len(rows), width), np.float32)
    for row, indices in zip(made, listed, strict=True):
        row[indices] = 1
    return made


def _splits(folder: Path, key: str, number: int) -> tuple[Split, ...]:
    paths = [folder / f"{key}_split_0.6_0.2_{i}.npz" for i in range(NUM_SPLITS)]
    if not paths[0].exists():
        return ()
    found = []
    for path in paths:
        masks = arrays.members(path, MASKS)
        found.append(arrays.masked((masks[name] for name in MASKS), number, shown(path)))
    return tuple(found)
