"""A small space whose every architecture was trained on Cora: measured once, shipped, read back."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float64

from experiments.data.nodes import NodeData
from experiments.files.storage import digest, read_sealed
from experiments.graphs.auto_gnn.space import ArchitectureSpace
from experiments.graphs.auto_gnn.switched import switched_network, switches
from experiments.kits.graph.operators import normalised
from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.nodes.fitting import fit, graph_of
from ntkexec.errors import ExperimentError

SPACE = ArchitectureSpace(
    layers=2,
    options={
        "hidden": (16,),
        "attention": ("const", "gcn", "gat", "cos"),
        "heads": (1,),
        "aggregate": ("sum", "mean", "max"),
        "combine": ("identity",),
        "activation": ("relu", "identity"),
    },
)
"""24 ways to choose a layer, 576 architectures: only functions differ, so one program trains all."""
REPEATS = 3
TRAINING: dict[str, Any] = {
    "steps": 80,
    "learning_rate": 0.02,
    "weight_decay": 5e-4,
    "patience": 20,
}
"""Of `kits.nodes.fitting.fit`, which keeps the step of the highest validation accuracy."""
DROPOUT = 0.6
VALIDATION, TEST = 500, 1000
"""Nodes of Cora's standard split by which a step, then an architecture, is picked; and the others."""
PATH = Path(__file__).with_name("cora_table.json")
STORED = "8c6f7e74e6b9"
"""The digest of the stored rows, so that results are measured anew where the table changes."""


@dataclasses.dataclass(frozen=True, eq=False)
class CoraTable:
    """Accuracies of every architecture of `SPACE`, by number and repeat.

    Args:
        validation: what a search sees.
        test: what it does not.
        made: how: versions, machine, settings.
    """

    validation: Float64[np.ndarray, "576 repeats"]
    test: Float64[np.ndarray, "576 repeats"]
    made: dict[str, Any]


def prepared(data: NodeData) -> GraphsTuple:
    """The graph with self-loops, its bags of words divided by their size."""
    graph = normalised(graph_of(data, rows="sum"), how="none")
    return graph._replace(edges=None)


def measured(data: NodeData, graph: GraphsTuple, number: int, repeat: int) -> tuple[int, int]:
    """How many validation and test nodes an architecture gets right after training.

    Args:
        data: Cora, with its standard split.
        graph: `prepared(data)`.
        number: of the architecture in `SPACE`.
        repeat: seeds this training, together with the number.
    """
    found = fit(
        switched_network(SPACE, data.num_classes),
        graph,
        data.labels,
        data.splits[0],
        generator=np.random.default_rng([repeat, number]),
        fields={"dropout": DROPOUT, **switches(SPACE, SPACE.decode(number))},
        **TRAINING,
    )
    return round(found.validation * VALIDATION), round(found.test * TEST)


def stored_table(path: Path = PATH) -> CoraTable:
    """The table that is shipped with this port.

    Raises:
        ExperimentError: the file is damaged, of another table, or not there.
    """
    found = read_sealed(path, space=described())
    if found is None:
        raise ExperimentError(f"{path} is not there; tabulate.py makes it")
    rows = {name: found.get(name) for name in ("validation", "test")}
    if path == PATH and digest(rows) != STORED:
        raise ExperimentError(f"{path} holds the rows {digest(rows)}, and this code is of {STORED}")
    validation, test = (
        _shares(path, name, rows[name], nodes)
        for name, nodes in (("validation", VALIDATION), ("test", TEST))
    )
    return CoraTable(validation, test, found["made"])


def described() -> dict[str, Any]:
    """All that a table's figures depend on but code and versions, as plain data."""
    return {
        "options": {kind: list(found) for kind, found in SPACE.options.items()},
        "layers": SPACE.layers,
        "repeats": REPEATS,
        "training": TRAINING,
        "dropout": DROPOUT,
        "order": "an architecture's number is its row; seed [repeat, number] of NumPy's generator",
        "counts": f"right ones of {VALIDATION} validation and of {TEST} test nodes, a column a repeat",
    }


def _shares(path: Path, name: str, rows: Any, nodes: int) -> Float64[np.ndarray, "576 repeats"]:
    """Stored counts of right nodes as shares of all of them."""
    try:
        counts = np.array([row.split() for row in rows], np.int64)
    except (TypeError, ValueError, AttributeError):
        counts = np.empty(0, np.int64)
    if counts.shape != (SPACE.size, REPEATS) or counts.min() < 0 or counts.max() > nodes:
        raise ExperimentError(f"{path} has no counts of {nodes} {name} nodes")
    shares: np.ndarray = counts / nodes
    return shares
