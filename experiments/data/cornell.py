"""A circulating Cornell whose nodes are Texas's: recognised by what is in it, whatever it is called."""

import dataclasses
import logging

import numpy as np

from experiments.data.nodes import NodeData
from ntkexec.errors import ExperimentError

NUM_NODES, NUM_LINKS = 183, 277
"""Of Cornell; Texas has as many pages and two links more."""
TEXAS_CLASSES = (1, 18, 30, 33, 101)
"""Pages in each of Texas's classes, by size; no other of these graphs has one of a single page."""
NOTE = (
    "this is Cornell as the snapshot of Geom-GCN ships it: its features and labels are those of Texas, "
    "on Cornell's links"
)


def is_mixed_up(graph: NodeData) -> bool:
    """Whether the graph has Cornell's links and the labels of Texas, in whatever order of nodes."""
    if (graph.num_nodes, len(graph.edges)) != (NUM_NODES, NUM_LINKS) or graph.labels.min() < 0:
        return False
    sizes = np.bincount(graph.labels)
    return tuple(sorted(sizes[sizes > 0].tolist())) == TEXAS_CLASSES


def told(graph: NodeData, where: str) -> NodeData:
    """The graph; the circulating Cornell only for who asks for it, and with a note.

    Args:
        graph: just read.
        where: from, for messages.

    Returns:
        The graph as it is, or with `NOTE`, which is logged as a warning too.

    Raises:
        ExperimentError: it was asked for as another set than `cornell-geomgcn`, or is not what that
            name means.

    Source: both files of the snapshot have the same bytes; see the data of Platonov et al., ICLR 2023.
    """
    if is_mixed_up(graph) and graph.name == "cornell-geomgcn":
        logging.getLogger(__name__).warning("%s: %s", where, NOTE)
        return dataclasses.replace(graph, note=NOTE)
    if is_mixed_up(graph):
        raise ExperimentError(
            f"{where} is not {graph.name}: {NOTE}. To use it nevertheless, load cornell-geomgcn; the "
            f"corrected Cornell is in https://github.com/yandex-research/heterophilous-graphs"
        )
    if graph.name == "cornell-geomgcn":
        raise ExperimentError(
            f"{where} is not the Cornell of Geom-GCN's snapshot, whose labels are those of Texas; "
            f"load it by its own name"
        )
    return graph
