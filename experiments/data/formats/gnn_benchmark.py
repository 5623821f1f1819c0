"""The `.npz` files of Amazon's products and Microsoft's authors: sparse features and links, no splits."""

from pathlib import Path

import numpy as np

from experiments.data.formats import arrays
from experiments.data.nodes import NodeData
from experiments.files.words import shown
from ntkexec.errors import ExperimentError

CSR = ("data", "indices", "indptr", "shape")


def read(path: Path, name: str, key: str = "") -> NodeData:
    """A graph out of one archive; links of either direction are one.

    Args:
        path: of the archive, with the matrices `adj_*` and `attr_*` in CSR, and `labels`. Its names of
            nodes and classes are pickled, and never read.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit.

    Source: Shchur et al., Pitfalls of graph neural network evaluation, 2018, arXiv:1811.05868; its
        public data.
    """
    where = shown(path)
    names = [f"{matrix}_{part}" for matrix in ("adj", "attr") for part in CSR]
    found = arrays.members(path, (*names, "labels"))
    labels = arrays.classes(found["labels"], f"labels in {where}")
    links, features = (
        arrays.matrix(
            {part: found[f"{matrix}_{part}"] for part in CSR},
            f"{matrix} in {where}",
            rows=len(labels),
        )
        for matrix in ("adj", "attr")
    )
    if links.shape[1] != len(labels):
        raise ExperimentError(
            f"adj in {where} has {links.shape[1]} columns for {len(labels)} nodes"
        )
    pairs = np.stack(links.nonzero(), axis=1)
    return NodeData(name, features, labels, arrays.pairs(pairs, len(labels), f"adj in {where}"))
