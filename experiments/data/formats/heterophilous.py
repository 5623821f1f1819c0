"""The `.npz` files of heterophilous graphs: dense features and fixed splits in one archive."""

from pathlib import Path

from experiments.data.cornell import told
from experiments.data.formats import arrays
from experiments.data.nodes import NodeData
from experiments.files.words import shown
from ntkexec.errors import ExperimentError

MASKS = ("train_masks", "val_masks", "test_masks")


def read(path: Path, name: str, key: str = "") -> NodeData:
    """A graph with its splits, mostly ten.

    Args:
        path: of the archive, with `node_features`, `node_labels`, `edges` and the three masks of
            shape (splits, nodes).
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit; a Cornell whose nodes are Texas's is
            refused under any name but `cornell-geomgcn`.

    Source: Platonov et al., A critical look at the evaluation of GNNs under heterophily, ICLR 2023,
        arXiv:2302.11640; its public data.
    """
    where = shown(path)
    found = arrays.members(path, ("node_features", "node_labels", "edges", *MASKS))
    labels = arrays.classes(found["node_labels"], f"node_labels in {where}")
    number = len(labels)
    masks = [found[mask] for mask in MASKS]
    for mask, array in zip(MASKS, masks, strict=True):
        if array.ndim != 2 or array.shape != masks[0].shape or array.shape[1] != number:
            raise ExperimentError(
                f"{mask} in {where} must have the shape (splits, {number}), got "
                f"{arrays.described(array)}"
            )
    graph = NodeData(
        name,
        arrays.table(found["node_features"], f"node_features in {where}", rows=number),
        labels,
        arrays.pairs(found["edges"], number, f"edges in {where}"),
        tuple(
            arrays.masked(parts, number, f"split {i} in {where}")
            for i, parts in enumerate(zip(*masks, strict=True))
        ),
    )
    return told(graph, where)
