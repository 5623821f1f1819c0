"""Graphs with a class each, as text: the one file of DGCNN and GIN, and TUDataset's folders."""

import itertools
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from experiments.data.formats import arrays
from experiments.data.graph_sets import Fold, Graph, GraphSet
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

FOLDS = "test_idx_10fold.txt"
NUM_FOLDS = 10
WHOLE = re.compile(rb"-?[0-9]{1,15}")


def read_one_file(folder: Path, name: str, key: str = "") -> GraphSet:
    """A set as DGCNN and GIN ship it: `KEY.txt`, a line for each node.

    Classes and labels of nodes are numbered in the order of the file's own numbers. A set all of whose
    nodes have one tag has no labels of nodes. Loops and repeated links count once or not at all.

    Args:
        folder: holds `KEY.txt`, and the folds: `test_idx_10fold.txt`, line i the test graphs of fold i, or
            `10fold_idx/test_idx-1.txt` to `-10.txt`; the other graphs are trained on, none is for
            validation. Without either the set has no folds.
        name: of the set.
        key: of the public file, such as `IMDBBINARY`; without it the set's name.

    Raises:
        ExperimentError: names the file and what in it does not fit.

    Source: Zhang et al., DGCNN, AAAI 2018, and Xu et al., GIN, ICLR 2019, arXiv:1810.00826; public data.
    """
    path = folder / f"{key or name}.txt"
    lines = content(path).splitlines()
    (number,) = _numbers(lines[0] if lines else b"", path, 1, exactly=1)
    at, raw, classes = 1, [], []
    for _ in range(number):
        size, label = _numbers(_line(lines, at, path), path, at + 1, exactly=2)
        if not 0 < size <= len(lines) - at - 1:
            raise ExperimentError(
                f"{shown(path)}, line {at + 1}: a graph of {size} nodes, and the file ends"
            )
        raw.append(_nodes(lines, at + 1, size, path))
        classes.append(label)
        at += size + 1
    if not raw or any(line.strip() for line in lines[at:]):
        raise ExperimentError(
            f"{shown(path)} does not hold the {number} graphs that its first line says"
        )
    tags, widths = {tag for one in raw for tag in one[0]}, {one[2].shape[1] for one in raw}
    if len(widths) > 1:
        raise ExperimentError(
            f"{shown(path)} has nodes with {min(widths)} and {max(widths)} numbers"
        )
    place = {tag: i for i, tag in enumerate(sorted(tags))}
    graphs = tuple(
        Graph(
            len(tag),
            arrays.pairs(links, len(tag), shown(path)),
            np.array([place[t] for t in tag], np.int64) if len(tags) > 1 else None,
            None,
            rows if rows.shape[1] else None,
        )
        for tag, links, rows in raw
    )
    names, targets = np.unique(classes, return_inverse=True)
    return GraphSet(
        name, graphs, targets.astype(np.int64), tuple(map(str, names)), _folds(folder, number)
    )


def read_folder(folder: Path, name: str, key: str = "") -> GraphSet:
    """A set as TUDataset ships it: `KEY_A.txt`, `KEY_graph_indicator.txt`, `KEY_graph_labels.txt`.

    Labels of nodes and edges, numbers of nodes and of graphs are read where there are any; numbers of
    graphs (`KEY_graph_attributes.txt`) are targets only where there are no classes. No folds.

    Args:
        folder: holds the files.
        name: of the set.
        key: of the public files, such as `PTC_MR`; without it the set's name.

    Raises:
        ExperimentError: names the file and what in it does not fit.

    Source: Morris et al., TUDataset, 2020, arXiv:2007.08663.
    """
    paths = {
        part: folder / f"{key or name}_{part}.txt"
        for part in ("A", "graph_indicator", "graph_labels", "node_labels", "edge_labels",
                     "node_attributes", "graph_attributes")
    }  # fmt: skip
    owner = _column(paths["graph_indicator"])
    number = int(owner.max(initial=0))
    if not len(owner) or not np.array_equal(np.unique(owner), np.arange(1, number + 1)):
        raise ExperimentError(
            f"{shown(paths['graph_indicator'])} does not give each of {number} graphs a node"
        )
    if (np.diff(owner) < 0).any():
        raise ExperimentError(f"{shown(paths['graph_indicator'])} does not list graph after graph")
    links = _table(paths["A"], _whole, 2).astype(np.int64) - 1
    starts = np.searchsorted(owner, np.arange(1, number + 2))
    if len(links) and not (links.min() >= 0 and links.max() < len(owner)):
        raise ExperimentError(f"{shown(paths['A'])} names a node beyond 1 to {len(owner)}")
    if len(links) and (owner[links[:, 0]] != owner[links[:, 1]]).any():
        raise ExperimentError(f"{shown(paths['A'])} links nodes of two graphs")

    def optional(part: str, read: Callable[[Path], np.ndarray], length: int) -> np.ndarray | None:
        if not paths[part].exists():
            return None
        found = read(paths[part])
        if len(found) != length:
            raise ExperimentError(f"{shown(paths[part])} has {len(found)} lines, not {length}")
        return found

    nodes = optional("node_labels", _ranked, len(owner))
    edges = optional("edge_labels", _ranked, len(links))
    numbers = optional("node_attributes", _floats, len(owner))
    keys, first = np.unique(
        links.min(1, initial=len(owner)) * len(owner) + links.max(1, initial=0), return_index=True
    )
    low, high = np.divmod(keys, len(owner))
    first, low, high = (part[low != high] for part in (first, low, high))
    cuts = np.searchsorted(low, starts)
    graphs = []
    for g, (a, b) in enumerate(itertools.pairwise(starts)):
        mine = slice(cuts[g], cuts[g + 1])
        graphs.append(
            Graph(
                int(b - a),
                np.stack([low[mine] - a, high[mine] - a], 1),
                None if nodes is None else nodes[a:b],
                None if edges is None else edges[first[mine]],
                None if numbers is None else numbers[a:b],
            )
        )
    classes = optional("graph_labels", _column, number)
    if classes is None:
        targets = optional("graph_attributes", _floats, number)
        if targets is None:
            raise ExperimentError(f"there is neither {shown(paths['graph_labels'])} nor attributes")
        return GraphSet(name, tuple(graphs), targets)
    names, places = np.unique(classes, return_inverse=True)
    return GraphSet(name, tuple(graphs), places.astype(np.int64), tuple(map(str, names)))


def _nodes(
    lines: Sequence[bytes], at: int, size: int, path: Path
) -> tuple[list[int], np.ndarray, np.ndarray]:
    """Tags, links and further numbers of one graph's nodes."""
    tags, links, rows = [], [], []
    for node in range(size):
        words = lines[at + node].split()
        tag, degree = _numbers(b" ".join(words[:2]), path, at + node + 1, exactly=2)
        if not 0 <= degree <= len(words) - 2:
            raise ExperimentError(
                f"{shown(path)}, line {at + node + 1}: {degree} neighbours, and {len(words) - 2} numbers"
            )
        tags.append(tag)
        links += [(node, _whole(w, path, at + node + 1)) for w in words[2 : degree + 2]]
        rows.append([_real(word, path, at + node + 1) for word in words[degree + 2 :]])
    if len({len(row) for row in rows}) > 1:
        raise ExperimentError(
            f"{shown(path)}, line {at}: a graph's nodes have unequally many numbers"
        )
    return (
        tags,
        np.array(links, np.int64).reshape(-1, 2),
        np.array(rows, np.float32).reshape(size, -1),
    )


def _folds(folder: Path, number: int) -> tuple[Fold, ...]:
    together = folder / FOLDS
    apart = [folder / "10fold_idx" / f"test_idx-{i}.txt" for i in range(1, NUM_FOLDS + 1)]
    if together.exists():
        rows = [(together, line) for line in content(together).splitlines() if line.strip()]
    elif apart[0].exists():
        rows = [(path, content(path)) for path in apart]
    else:
        return ()
    found = []
    for path, line in rows:
        listed = np.array([_whole(word, path, 0) for word in line.split()], np.int64)
        test = arrays.chosen(listed, number, shown(path))
        if not test.any() or test.all():
            raise ExperimentError(
                f"{shown(path)} has a fold that tests {test.sum()} of {number} graphs"
            )
        found.append(Fold(np.flatnonzero(~test), np.zeros(0, np.int64), np.flatnonzero(test)))
    return tuple(found)


def _line(lines: Sequence[bytes], at: int, path: Path) -> bytes:
    if at >= len(lines):
        raise ExperimentError(f"{shown(path)} ends after {len(lines)} lines, before its last graph")
    return lines[at]


def _numbers(line: bytes, path: Path, place: int, *, exactly: int) -> list[int]:
    words = line.split()
    if len(words) != exactly:
        raise ExperimentError(
            f"{shown(path)}, line {place}: {quoted(line, 60)} are not {exactly} whole numbers"
        )
    return [_whole(word, path, place) for word in words]


def _whole(word: bytes, path: Path, place: int) -> int:
    if not WHOLE.fullmatch(word.strip()):
        raise ExperimentError(f"{shown(path)}, line {place}: {quoted(word, 60)} is no whole number")
    return int(word)


def _real(word: bytes, path: Path, place: int) -> float:
    try:
        found = float(word)
    except ValueError:
        found = float("nan")
    if not abs(found) < 3e38:
        raise ExperimentError(f"{shown(path)}, line {place}: {quoted(word, 60)} is no number")
    return found


def _table(path: Path, read: Callable[[bytes, Path, int], float], width: int = 0) -> np.ndarray:
    rows = [
        [read(word, path, place) for word in line.split(b",")]
        for place, line in enumerate(content(path).splitlines(), 1)
        if line.strip()
    ]
    width = width or (len(rows[0]) if rows else 0)
    if widths := {len(row) for row in rows} - {width}:
        raise ExperimentError(f"{shown(path)} has a line of {min(widths)} numbers, not {width}")
    return np.array(rows).reshape(len(rows), width)


def _column(path: Path) -> np.ndarray:
    return _table(path, _whole, 1)[:, 0].astype(np.int64)


def _ranked(path: Path) -> np.ndarray:
    """Labels numbered in the order of the file's own numbers."""
    return np.unique(_column(path), return_inverse=True)[1].astype(np.int64)


def _floats(path: Path) -> np.ndarray:
    return _table(path, _real).astype(np.float32)
