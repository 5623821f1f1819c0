"""GraphSAINT's folders: links and features as arrays, roles and classes as JSON."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.formats import arrays
from experiments.data.nodes import NodeData
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

CSR = ("data", "indices", "indptr", "shape")
ROLES = ("tr", "va", "te")


def read(folder: Path, name: str, key: str = "") -> NodeData:
    """A graph with one split out of `adj_full.npz`, `feats.npy`, `class_map.json` and `role.json`.

    Args:
        folder: holds the four files.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file and what in it does not fit, such as a node of several classes.

    Source: Zeng et al., GraphSAINT, ICLR 2020, arXiv:1907.04931; its public data.
    """
    path = folder / "class_map.json"
    labels = _classes(_object(path), path)
    number = len(labels)
    path = folder / "adj_full.npz"
    links = arrays.matrix(arrays.members(path, CSR), shown(path), rows=number)
    if links.shape[1] != number:
        raise ExperimentError(f"{shown(path)} has {links.shape[1]} columns for {number} nodes")
    edges = arrays.pairs(np.stack(links.nonzero(), axis=1), number, shown(path))
    path = folder / "feats.npy"
    features = arrays.table(arrays.single(path), shown(path), rows=number)
    path = folder / "role.json"
    roles = _object(path)
    parts = []
    for role in ROLES:
        listed = roles.get(role)
        if not isinstance(listed, list) or not all(
            type(i) is int and 0 <= i < number for i in listed
        ):
            raise ExperimentError(f"{shown(path)}: {quoted(role)} is no list of nodes")
        parts.append(arrays.chosen(np.array(listed, np.int64), number, f"{role} in {shown(path)}"))
    return NodeData(name, features, labels, edges, (arrays.masked(parts, number, shown(path)),))


def _object(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(content(path))
    except (ValueError, RecursionError) as error:
        if isinstance(error, ExperimentError):
            raise
        raise ExperimentError(f"{shown(path)} is no JSON: {shown(error)}") from error
    if not isinstance(found, dict) or not found:
        raise ExperimentError(
            f"{shown(path)} holds no object with entries, but {quoted(found, 60)}"
        )
    return found


def _classes(found: dict[str, Any], path: Path) -> np.ndarray:
    """A class for each node, of numbers or of lists with one 1."""
    made = np.full(len(found), -1, np.int64)
    for node, value in found.items():
        if not node.isascii() or not node.isdigit() or len(node) > 12 or int(node) >= len(found):
            raise ExperimentError(
                f"{shown(path)}: {quoted(node, 60)} is none of {len(found)} nodes"
            )
        if isinstance(value, list):
            if value.count(1) != 1 or value.count(0) != len(value) - 1:
                raise ExperimentError(
                    f"{shown(path)}: the node {node} has {quoted(value, 60)}, which is not one class; "
                    f"sets of several classes a node are not read"
                )
            value = value.index(1)
        if type(value) is not int or not 0 <= value < 2**31:
            raise ExperimentError(
                f"{shown(path)}: the node {node} has no class: {quoted(value, 60)}"
            )
        made[int(node)] = value
    return arrays.classes(made, shown(path))
