"""Typed graphs as HeCo publishes them: types of one letter, links and features by letters.

In its folder and in an archive of the same arrays; pickled lists of neighbours, which say the same as
the links, are never read.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from experiments.data.formats import arrays
from experiments.data.nodes import Features, Split
from experiments.data.typed import Relation, TypedGraph
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

BUDGETS = (20, 40, 60)
"""Labels of each class to train on, in the order of the splits."""
PARTS = ("train", "val", "test")
CSR = ("data", "indices", "indptr", "shape")
MOST_NODES = 2**31 - 1


def read_archive(path: Path, name: str, key: str) -> TypedGraph:
    """A typed graph from one archive.

    Args:
        path: with `edges_XY` (m, 2), the first column of type X; perhaps `X_feat_data`, `_indices`,
            `_indptr` and `_shape` as CSR; `labels`; `train_20`, `val_20`, `test_20` and the same of 40
            and 60, where they are.
        name: of the set.
        key: the target's letter, a comma, and the letters of each relation, such as `p,pa,ps`.

    Raises:
        ExperimentError: names the file and what in it does not fit.

    Source: Wang, Liu, Han and Shi, HeCo, KDD 2021, arXiv:2105.09111; its public data.
    """
    target, *pairs = key.split(",")
    where = shown(path)
    splits = [f"{part}_{budget}" for budget in BUDGETS for part in PARTS]
    kinds = sorted(set("".join(pairs)))
    optional = [f"{kind}_feat_{part}" for kind in kinds for part in CSR]
    found = arrays.members(
        path, [f"edges_{pair}" for pair in pairs] + ["labels"], splits + optional
    )
    features = {}
    for kind in kinds:
        parts = {part: found.get(f"{kind}_feat_{part}") for part in CSR}
        there = {part: array for part, array in parts.items() if array is not None}
        if there and len(there) < len(CSR):
            lacking = min(set(CSR) - set(there))
            raise ExperimentError(f"{where} has no array '{kind}_feat_{lacking}'")
        if there:
            features[kind] = arrays.matrix(there, f"{kind}_feat in {where}")
    links = {pair: (found[f"edges_{pair}"], f"edges_{pair} in {where}") for pair in pairs}
    labels = arrays.classes(found["labels"], f"labels in {where}")

    def listed(part: str) -> tuple[np.ndarray, str] | None:
        return (found[part], f"{part} in {where}") if part in found else None

    return _graph(name, target, links, features, labels, listed, where)


def read_folder(folder: Path, name: str, key: str) -> TypedGraph:
    """A typed graph from the public folder.

    Args:
        folder: holds a file `XY.txt` for each relation, a pair of nodes a line; perhaps `X_feat.npz`
            as SciPy writes CSR; `labels.npy`; `train_20.npy` and the others of the splits.
        name: of the set.
        key: as for `read_archive`.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    target, *pairs = key.split(",")
    links = {
        pair: (_pairs(folder / f"{pair}.txt"), shown(folder / f"{pair}.txt")) for pair in pairs
    }
    features = {}
    for kind in sorted(set("".join(pairs))):
        path = folder / f"{kind}_feat.npz"
        if path.exists():
            found = arrays.members(path, (*CSR, "format"))
            if found.pop("format").tobytes().rstrip(b"\0") not in (
                b"csr",
                "csr".encode("utf-32-le"),
            ):
                raise ExperimentError(f"{shown(path)} holds no matrix by compressed rows")
            features[kind] = arrays.matrix(found, shown(path))
    path = folder / "labels.npy"
    labels = arrays.classes(arrays.single(path), shown(path))

    def listed(part: str) -> tuple[np.ndarray, str] | None:
        path = folder / f"{part}.npy"
        return (arrays.single(path), shown(path)) if path.exists() else None

    return _graph(name, target, links, features, labels, listed, shown(folder))


def _graph(
    name: str,
    target: str,
    links: Mapping[str, tuple[np.ndarray, str]],
    features: Mapping[str, Features],
    labels: np.ndarray,
    listed: Callable[[str], tuple[np.ndarray, str] | None],
    where: str,
) -> TypedGraph:
    """Checked together: sizes from labels and features, and else from the largest number of a node."""
    checked = {pair: _links(array, place) for pair, (array, place) in links.items()}
    sizes = {kind: int(of.shape[0]) for kind, of in features.items()} | {target: len(labels)}
    if target in features and features[target].shape[0] != len(labels):
        raise ExperimentError(
            f"{where} has features of {features[target].shape[0]} nodes and {len(labels)} labels"
        )
    for pair, array in checked.items():
        for kind, column in zip(pair, array.T, strict=True):
            largest = int(column.max()) + 1
            given = kind in features or kind == target
            if given and largest > sizes[kind]:
                raise ExperimentError(
                    f"{links[pair][1]} names the node {largest - 1} of type {kind}; there are 0 to "
                    f"{sizes[kind] - 1}"
                )
            sizes[kind] = max(sizes.get(kind, 0), largest)
    relations: dict[Relation, np.ndarray] = {
        (pair[0], pair, pair[1]): unique_pairs(array, sizes[pair[1]])
        for pair, array in checked.items()
    }
    splits = tuple(
        split for budget in BUDGETS if (split := _split(budget, listed, len(labels), where))
    )
    kinds = dict.fromkeys((target, *"".join(links)))
    return TypedGraph(
        name, {kind: sizes[kind] for kind in kinds}, relations, features, target, labels, splits
    )


def _split(
    budget: int,
    listed: Callable[[str], tuple[np.ndarray, str] | None],
    number: int,
    where: str,
) -> Split | None:
    found = [listed(f"{part}_{budget}") for part in PARTS]
    given = [part for part in found if part is not None]
    if not given:
        return None
    if len(given) < len(PARTS):
        lacking = PARTS[found.index(None)]
        raise ExperimentError(f"{where} lacks {lacking}_{budget} of a split that it has in part")
    return arrays.masked(
        [arrays.chosen(array, number, place) for array, place in given],
        number,
        f"the split of {budget} in {where}",
    )


def unique_pairs(pairs: np.ndarray, width: int) -> np.ndarray:
    """Pairs as int64, each once, sorted; second numbers are below `width`."""
    keys = np.unique(pairs[:, 0] * max(width, 1) + pairs[:, 1])
    return np.stack([keys // max(width, 1), keys % max(width, 1)], axis=1)


def _links(array: np.ndarray, where: str) -> np.ndarray:
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu" or not len(array):
        raise ExperimentError(
            f"{where} must be pairs of whole numbers, got {arrays.described(array)}"
        )
    made = array.astype(np.int64)
    if made.min() < 0 or made.max() >= MOST_NODES:
        wrong = made.min() if made.min() < 0 else made.max()
        raise ExperimentError(f"{where} names the node {wrong}, which no graph has")
    return made


def _pairs(path: Path) -> np.ndarray:
    found = []
    for place, line in enumerate(content(path).splitlines(), 1):
        words = line.split()
        if len(words) != 2 or not all(word.isdigit() and len(word) < 11 for word in words):
            raise ExperimentError(
                f"{shown(path)}, line {place}: {quoted(line, 60)} is no pair of nodes"
            )
        found.append([int(word) for word in words])
    return np.array(found, np.int64).reshape(-1, 2)
