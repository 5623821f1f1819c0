"""Files in graph6: one graph a line, as printable text."""

from pathlib import Path

import networkx as nx
import numpy as np

from experiments.data.graph_sets import Graph, GraphSet
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

HEADER = b">>graph6<<"
LONGEST = 100_000
"""Characters of a line; a graph of some 770 nodes."""


def read(path: Path, name: str, key: str = "") -> GraphSet:
    """The graphs of a file; they have neither labels nor targets.

    Args:
        path: of the file, with or without the header of the format.
        name: of the set.
        key: is not needed here.

    Raises:
        ExperimentError: names the file, and the line that is no graph.

    Source: McKay's description of the format; `networkx.from_graph6_bytes` decodes it.
    """
    lines = content(path).removeprefix(HEADER).splitlines()
    graphs = []
    for number, line in enumerate(lines, start=1):
        try:
            if not 0 < len(line) <= LONGEST:
                raise ValueError(f"it has {len(line)} characters")
            found = nx.from_graph6_bytes(line)
        except (ValueError, IndexError, nx.NetworkXException) as error:
            raise ExperimentError(
                f"line {number} of {shown(path)} is no graph in graph6: {quoted(line[:40])}, {error}"
            ) from error
        edges = np.array(sorted(map(sorted, found.edges)), np.int64).reshape(-1, 2)
        if len(found) == 0 or (len(edges) and (edges[:, 0] == edges[:, 1]).any()):
            raise ExperimentError(
                f"line {number} of {shown(path)} is a graph of no node, or has loops"
            )
        graphs.append(Graph(len(found), edges))
    if not graphs:
        raise ExperimentError(f"{shown(path)} holds no graph")
    return GraphSet(name, tuple(graphs), np.zeros((len(graphs), 0), np.float32))
