"""The Open Graph Benchmark's tables of numbers between commas, compressed or not."""

import gzip
import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.formats import arrays
from experiments.data.nodes import NodeData
from experiments.files.sources import check_regular
from experiments.files.words import shown
from ntkexec.errors import ExperimentError

PARTS = ("train", "valid", "test")


def read(folder: Path, name: str, key: str = "") -> NodeData:
    """A graph with its one split; links of either direction are one.

    Args:
        folder: holds `raw/edge.csv`, `raw/node-feat.csv`, `raw/node-label.csv` and
            `split/KEY/train.csv`, `valid.csv`, `test.csv`, each perhaps with `.gz` behind.
        name: of the set.
        key: the split's scheme, such as `time`.

    Raises:
        ExperimentError: names the file and what in it does not fit.

    Source: Hu et al., Open Graph Benchmark, NeurIPS 2020, arXiv:2005.00687; its public data.
    """
    path = _file(folder / "raw/node-label.csv")
    column = _table(path, np.float64)
    labels = np.where(np.isnan(column), -1, column)[:, 0]
    if column.shape[1] != 1 or not (np.abs(labels) < 2**53).all() or (labels % 1).any():
        raise ExperimentError(f"{shown(path)} must hold one whole number or nan for each node")
    labels = arrays.classes(labels.astype(np.int64), shown(path))
    number = len(labels)
    path = _file(folder / "raw/node-feat.csv")
    features = arrays.table(_table(path, np.float32), shown(path), rows=number)
    path = _file(folder / "raw/edge.csv")
    edges = arrays.pairs(_table(path, np.int64), number, shown(path))
    parts = []
    for part in PARTS:
        path = _file(folder / "split" / (key or name) / f"{part}.csv")
        listed = _table(path, np.int64)
        if listed.shape[1] != 1:
            raise ExperimentError(f"{shown(path)} must hold one node in each line")
        parts.append(arrays.chosen(listed[:, 0], number, shown(path)))
    split = arrays.masked(parts, number, shown(path.parent))
    return NodeData(name, features, labels, edges, (split,))


def _file(path: Path) -> Path:
    packed = path.with_name(f"{path.name}.gz")
    return path if path.exists() or not packed.exists() else packed


def _table(path: Path, dtype: type[Any]) -> np.ndarray:
    """Lines of numbers between commas, as rows."""
    check_regular(path)
    try:
        with warnings.catch_warnings():
            # NumPy warns of a file without a line, which is an error here.
            warnings.simplefilter("error")
            with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
                lines = file.read(arrays.MOST_BYTES + 1)
            if len(lines) > arrays.MOST_BYTES:
                raise ValueError(f"it would take more than {arrays.MOST_BYTES} bytes")
            found: np.ndarray = np.loadtxt(
                io.BytesIO(lines), dtype, delimiter=",", comments=None, ndmin=2, encoding="ascii"
            )
    except Exception as error:
        # gzip, zlib and NumPy meet damage with errors of some ten kinds, and list them nowhere.
        raise ExperimentError(f"{shown(path)} is no table of numbers: {shown(error)}") from error
    if not found.size:
        raise ExperimentError(f"{shown(path)} holds no number")
    return found
