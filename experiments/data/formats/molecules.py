"""Molecules in one `.npz`: atoms and bonds of all one after another, and numbers to predict."""

import itertools
import sys
from pathlib import Path

import numpy as np

from experiments.data.formats import arrays
from experiments.data.graph_sets import Fold, Graph, GraphSet
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

ATOMS, BONDS = ("atomic_num", "formal_charge", "num_h"), ("bond_type",)


def read(path: Path, name: str, key: str = "") -> GraphSet:
    """Molecules as graphs: elements are labels of nodes, kinds of bonds labels of edges.

    Args:
        path: of the archive, with `atomic_num`, `formal_charge`, `num_h` of atoms, `node_ptr` where each
            molecule's begin, `edges` (each bond once, atoms counted within their molecule), `bond_type`
            from 1, `edge_ptr`, `target_names`, `targets`.
        name: of the set.
        key: if a file `KEY_splits.csv` with the columns train, val and test lies beside the archive, it
            is the set's one fold.

    Returns:
        The set; features are formal charges and numbers of hydrogens.

    Raises:
        ExperimentError: names the file and what in it does not fit.
    """
    where = shown(path)
    wanted = (*ATOMS, *BONDS, "node_ptr", "edge_ptr", "edges", "target_names", "targets")
    found = arrays.members(path, wanted)
    charges = {part: arrays.vector(found[part], f"{part} in {where}") for part in ATOMS + BONDS}
    number = len(charges["atomic_num"])
    for part in ATOMS[1:]:
        arrays.vector(found[part], f"{part} in {where}", length=number)
    edges = found["edges"]
    if edges.ndim != 2 or edges.shape[1] != 2 or edges.dtype.kind not in "iu":
        raise ExperimentError(f"edges in {where} must be pairs, got {arrays.described(edges)}")
    bonds = charges["bond_type"] - 1
    if len(bonds) != len(edges):
        raise ExperimentError(f"{where} has {len(edges)} edges and {len(bonds)} kinds of bonds")
    nodes = _pointers(found["node_ptr"], number, f"node_ptr in {where}")
    starts = _pointers(found["edge_ptr"], len(edges), f"edge_ptr in {where}")
    targets = arrays.table(found["targets"], f"targets in {where}", rows=len(nodes) - 1)
    if len(starts) != len(nodes) or found["target_names"].shape != (targets.shape[1],):
        raise ExperimentError(f"{where} has pointers or names for another number of molecules")
    _, elements = np.unique(charges["atomic_num"], return_inverse=True)
    features = np.stack([charges[part] for part in ATOMS[1:]], 1).astype(np.float32)
    pairs, graphs = np.sort(edges.astype(np.int64), axis=1), []
    for i, (a, b) in enumerate(itertools.pairwise(nodes)):
        mine = slice(starts[i], starts[i + 1])
        try:
            graphs.append(Graph(int(b - a), pairs[mine], elements[a:b], bonds[mine], features[a:b]))
        except ExperimentError as error:
            raise ExperimentError(f"{where}, molecule {i}: {error}") from error
    beside = path.with_name(f"{key}_splits.csv")
    folds = (_split(beside, len(graphs)),) if key and beside.exists() else ()
    names = _words(found["target_names"], f"target_names in {where}")
    return GraphSet(name, tuple(graphs), targets, names, folds)


def _words(array: np.ndarray, where: str) -> tuple[str, ...]:
    """Texts, each fit for a terminal."""
    # A damaged array can hold numbers that are no characters, of which Python makes no text.
    if array.dtype.kind != "U" or (array.size and _characters(array).max() > sys.maxunicode):
        raise ExperimentError(f"{where} must be texts, got {arrays.described(array)}")
    return tuple(shown(text) for text in array)


def _characters(array: np.ndarray) -> np.ndarray:
    native = array.astype(array.dtype.newbyteorder("="), copy=False)
    return np.ascontiguousarray(native).view(np.uint32) if array.dtype.itemsize else np.zeros(1)


def _pointers(array: np.ndarray, number: int, where: str) -> np.ndarray:
    made = arrays.vector(array, where)
    if not len(made) or made[0] != 0 or made[-1] != number or (np.diff(made) < 0).any():
        raise ExperimentError(f"{where} does not count up to {number}")
    return made


def _split(path: Path, number: int) -> Fold:
    """Columns of places, of which shorter ones end in empty cells."""
    lines = [line.split(b",") for line in content(path).splitlines()]
    if not lines or lines[0] != [b"train", b"val", b"test"]:
        raise ExperimentError(f"{shown(path)} does not begin with train,val,test")
    columns: list[list[int]] = [[], [], []]
    for place, words in enumerate(lines[1:], 2):
        if len(words) != 3:
            raise ExperimentError(f"{shown(path)}, line {place}: {len(words)} cells, not 3")
        for column, word in zip(columns, words, strict=True):
            if word := word.strip().removesuffix(b".0"):
                if not word.isdigit() or len(word) > 15:
                    raise ExperimentError(
                        f"{shown(path)}, line {place}: {quoted(word, 60)} is no place"
                    )
                column.append(int(word))
    parts = [np.array(column, np.int64) for column in columns]
    arrays.chosen(np.concatenate(parts), number, shown(path))
    return Fold(*parts)
