"""The Heterogeneous Graph Benchmark's text: a line a node, a line a link, a line a label."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from experiments.data.formats import arrays
from experiments.data.formats.heco import unique_pairs
from experiments.data.nodes import Split
from experiments.data.typed import Relation, TypedGraph
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

VALIDATION, SEED = 0.2, 0
"""Share of `label.dat` that is picked by, and the seed that draws it: the public files leave both open."""
NOTE = (
    "one split: a fifth of label.dat, drawn by a fixed seed, to pick by; label.dat.test to test on"
)


def read(folder: Path, name: str, key: str = "") -> TypedGraph:
    """A typed graph of which one type has one class a node.

    Types are called by their numbers in the files, relations too. Of links given twice one is kept,
    and weights are dropped.

    Args:
        folder: holds `node.dat` (number, name, type and perhaps features between commas), `link.dat`
            (source, target, relation, weight), `label.dat` and `label.dat.test` (number, name, type,
            class), columns between tabs.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and line, and what in it does not fit; nodes of several classes
            at once, as IMDB's have, are refused.

    Source: Lv et al., Are we really making much progress?, KDD 2021, arXiv:2112.14936; its public data.
    """
    path = folder / "node.dat"
    kinds, rows = _nodes(path)
    members: dict[str, list[int]] = {}
    local: dict[int, int] = {}
    for node in sorted(kinds):
        local[node] = len(members.setdefault(kinds[node], []))
        members[kinds[node]].append(node)
    features = {}
    for kind, nodes in members.items():
        widths = {len(rows[node]) for node in nodes}
        if widths == {0}:
            continue
        if len(widths) > 1:
            raise ExperimentError(
                f"{shown(path)}: nodes of type {kind} have {min(widths)} to {max(widths)} features"
            )
        features[kind] = arrays.table(
            np.array([rows[node] for node in nodes]),
            f"the features of type {kind} in {shown(path)}",
        )
    labelled = {part: _labels(folder / part, kinds) for part in ("label.dat", "label.dat.test")}
    targets = {kinds[node] for part in labelled.values() for node in part}
    if len(targets) != 1 or not labelled["label.dat"]:
        raise ExperimentError(
            f"{shown(folder / 'label.dat')}: nodes of {len(targets)} types have classes, not of one"
        )
    target = targets.pop()
    number = len(members[target])
    labels, masks = np.full(number, -1, np.int64), np.zeros((3, number), bool)
    for mask, part in zip((0, 2), labelled.values(), strict=True):
        for node, label in part.items():
            labels[local[node]] = label
            masks[mask, local[node]] = True
    labels = arrays.classes(labels, f"the labels in {shown(folder / 'label.dat')}")
    known = np.flatnonzero(masks[0] & ~masks[2])
    picked = np.random.default_rng(SEED).permutation(known)[: int(VALIDATION * len(known))]
    masks[0, picked], masks[1, picked] = False, True
    masks[0] &= ~masks[2]
    sizes = {kind: len(nodes) for kind, nodes in members.items()}
    relations = _relations(folder / "link.dat", kinds, local, sizes)
    return TypedGraph(name, sizes, relations, features, target, labels, (Split(*masks),), NOTE)


def _nodes(path: Path) -> tuple[dict[int, str], dict[int, list[float]]]:
    kinds: dict[int, str] = {}
    rows: dict[int, list[float]] = {}
    for place, words in _lines(path, (3, 4)):
        node, kind = _number(words[0], path, place), str(_number(words[2], path, place))
        if node in kinds:
            raise ExperimentError(f"{shown(path)}, line {place}: the node {node} is there twice")
        kinds[node] = kind
        given = words[3].strip() if len(words) == 4 else b""
        try:
            rows[node] = [float(word) for word in given.split(b",")] if given else []
        except ValueError:
            raise ExperimentError(
                f"{shown(path)}, line {place}: {quoted(given, 60)} are no features"
            ) from None
    if not kinds:
        raise ExperimentError(f"{shown(path)} holds no node")
    return kinds, rows


def _labels(path: Path, kinds: dict[int, str]) -> dict[int, int]:
    found: dict[int, int] = {}
    for place, words in _lines(path, (4,)):
        if b"," in words[3]:
            raise ExperimentError(
                f"{shown(path)}, line {place}: {quoted(words[3], 60)} are several classes; nodes with "
                f"one each are read"
            )
        node = _known(words[0], kinds, path, place)
        if node in found:
            raise ExperimentError(f"{shown(path)}, line {place}: the node {node} is there twice")
        found[node] = _number(words[3], path, place)
    return found


def _relations(
    path: Path, kinds: dict[int, str], local: dict[int, int], sizes: dict[str, int]
) -> dict[Relation, np.ndarray]:
    found: dict[Relation, list[tuple[int, int]]] = {}
    for place, words in _lines(path, (3, 4)):
        source, target = (_known(word, kinds, path, place) for word in words[:2])
        relation = (kinds[source], str(_number(words[2], path, place)), kinds[target])
        found.setdefault(relation, []).append((local[source], local[target]))
    names = [name for _, name, _ in found]
    if len(set(names)) < len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise ExperimentError(
            f"{shown(path)}: the relation {twice} joins more than one pair of types"
        )
    return {
        relation: unique_pairs(np.array(pairs, np.int64), sizes[relation[2]])
        for relation, pairs in sorted(found.items(), key=lambda entry: int(entry[0][1]))
    }


def _lines(path: Path, widths: tuple[int, ...]) -> Iterator[tuple[int, list[bytes]]]:
    for place, line in enumerate(content(path).splitlines(), 1):
        words = line.split(b"\t")
        if len(words) not in widths:
            raise ExperimentError(
                f"{shown(path)}, line {place}: {quoted(line, 60)} does not have "
                f"{' or '.join(map(str, widths))} columns"
            )
        yield place, words


def _known(word: bytes, kinds: dict[int, str], path: Path, place: int) -> int:
    node = _number(word, path, place)
    if node not in kinds:
        raise ExperimentError(f"{shown(path)}, line {place}: there is no node {node}")
    return node


def _number(word: bytes, path: Path, place: int) -> int:
    word = word.strip()
    if not word.isdigit() or len(word) > 15:
        raise ExperimentError(f"{shown(path)}, line {place}: {quoted(word, 60)} is no number")
    return int(word)
