"""The public archives of large graphs, unpacked to plain files piece by piece: the Open Graph Benchmark's."""

import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64
from scipy import sparse

from experiments.data.formats import arrays
from experiments.files.sources import as_file, check_regular
from experiments.files.words import shown
from experiments.systems.diskgnn.memory import Memory
from experiments.systems.diskgnn.pages import new_file, write_at
from experiments.systems.diskgnn.sampling import neighbours_of
from experiments.systems.diskgnn.store import FeatureStore
from ntkexec.errors import ExperimentError

PIECE = 2**20
"""Bytes that are unpacked at once."""


class OpenGraph(NamedTuple):
    """A graph of the benchmark with its features on the disk.

    Args:
        graph: to sample from; links of either direction are one.
        labels: of each node; -1 where unknown.
        store: of the features.
    """

    graph: sparse.csr_array
    labels: Int64[np.ndarray, " n"]
    store: FeatureStore


def open_graph(folder: Path | str, features: Path | str, memory: Memory) -> OpenGraph:
    """A set in the raw binary layout in which the benchmark passes its large graphs on.

    The features, which are larger than all else, are never held: they are unpacked to a file, once.

    Args:
        folder: holds `raw/data.npz` with `edge_index` (2, E), `node_feat` (N, F) and `num_nodes_list`, and
            `raw/node-label.npz` with `node_label` (N, 1), nan where unknown.
        features: an `.npy` file that is made, unless it is there.
        memory: for what the store reads.

    Raises:
        ExperimentError: names the file, and what in it is missing, damaged or does not fit.

    Source: Hu et al., arXiv:2005.00687 and its public reader; papers100M comes in this layout.
    """
    data, target = as_file(folder) / "raw/data.npz", as_file(features)
    found = arrays.members(data, ("edge_index", "num_nodes_list"))
    counts = arrays.vector(found["num_nodes_list"].reshape(-1), f"num_nodes_list in {shown(data)}")
    if len(counts) != 1 or counts[0] < 1:
        raise ExperimentError(f"{shown(data)} must hold one graph of one node or more")
    number, where = int(counts[0]), f"edge_index in {shown(data)}"
    if found["edge_index"].ndim != 2 or len(found["edge_index"]) != 2:
        raise ExperimentError(
            f"{where} must be two rows, got {arrays.described(found['edge_index'])}"
        )
    graph = neighbours_of(arrays.pairs(found["edge_index"].T, number, where), number)
    path = as_file(folder) / "raw/node-label.npz"
    column = arrays.members(path, ("node_label",))["node_label"]
    if column.dtype.kind not in "iuf" or column.size != number:
        raise ExperimentError(f"{shown(path)} must hold a label for each of {number} nodes")
    column = column.reshape(-1).astype(np.float64)
    known = np.where(np.isnan(column), -1, column)
    if (known % 1).any() or not (np.abs(known) < 2**53).all():
        raise ExperimentError(f"{shown(path)} holds a label that is no whole number")
    labels = arrays.classes(known.astype(np.int64), shown(path))
    if not target.exists():
        unpack_member(data, "node_feat", target)
    store = FeatureStore(target, memory)
    if store.num_nodes != number:
        store.close()
        raise ExperimentError(
            f"{shown(target)} has {store.num_nodes} rows, and the graph {number} nodes"
        )
    return OpenGraph(graph, labels, store)


def unpack_member(archive: Path | str, name: str, target: Path | str) -> None:
    """An array of an `.npz` archive as an `.npy` file, whole or not at all, by pieces of a megabyte.

    Args:
        archive: with the array in it.
        name: of the array.
        target: that is written; what it holds is checked by who opens it.

    Raises:
        ExperimentError: the archive is none, is damaged, or has no such array.
    """
    source = as_file(archive)
    check_regular(source)
    try:
        with zipfile.ZipFile(source) as opened:
            if f"{name}.npy" not in opened.namelist():
                raise ExperimentError(f"{shown(source)} has no array {name!r}")
            with opened.open(f"{name}.npy") as member, new_file(as_file(target)) as descriptor:
                done = 0
                while piece := member.read(PIECE):
                    write_at(descriptor, np.frombuffer(piece, np.uint8), done)
                    done += len(piece)
    except ExperimentError:
        raise
    except Exception as error:
        # zipfile and zlib meet damage with errors of some ten kinds, and list them nowhere.
        raise ExperimentError(f"cannot read {shown(source)}: {shown(error)}") from error
