"""Sets of graphs: every public format leads to the same graphs; what does not fit is refused by name."""

import random

import numpy as np
import pytest
from support import graph_sets
from support.damage import mutant, zip_mutant

from experiments.data import load
from experiments.data.graph_sets import Fold, Graph, GraphSet
from ntkexec.errors import ExperimentError

MADE = graph_sets.graphs()


def one_file(folder):
    graph_sets.write_one_file(folder / "tu_graph_classification/MUTAG", "MUTAG", MADE)
    return "mutag"


def apart(folder):
    graph_sets.write_one_file(folder / "powerful-gnns/dataset/PTC", "PTC", MADE, apart=True)
    return "ptc"


def folder_of_text(folder):
    graph_sets.write_folder(folder / "TUDataset/PTC_MR", "PTC_MR", MADE)
    return "ptc"


def molecules(folder):
    graph_sets.write_molecules(folder / "molecules/micro_zinc_graphs.npz", MADE)
    return "micro-zinc"


FORMATS = (one_file, apart, folder_of_text, molecules)


@pytest.fixture(params=FORMATS, ids=lambda write: write.__name__)
def written(request, tmp_path):
    return request.param(tmp_path), tmp_path, [p for p in tmp_path.rglob("*") if p.is_file()]


def test_every_format_holds_what_was_written(written):
    name, folder, paths = written
    found = load(name, folder)
    graph_sets.same(found, MADE)
    if name == "micro-zinc":
        assert found.targets[:, 0].tolist() == [graph.target for graph in MADE]
        (fold,) = found.folds
        assert [part.tolist() for part in fold.parts.values()] == [[0, 3, 6], [1, 4], [2, 5]]
        graph = found.graphs[0]
        assert graph.edge_labels.tolist() == [(u + v) % 2 for u, v in graph.edges.tolist()]
        return
    assert found.targets.tolist() == [int(graph.target == 7) for graph in MADE]
    assert found.target_names == ("3", "7")
    if any("_A" in path.name for path in paths):
        for graph in found.graphs:
            assert graph.edge_labels.tolist() == [(u + v) % 2 for u, v in graph.edges.tolist()]
            tags = np.array([2, 5, 11])[graph.node_labels]
            assert graph.features.tolist() == [[tag / 2, -1.0] for tag in tags]
    else:
        assert [fold.test.tolist() for fold in found.folds] == np.arange(20).reshape(10, 2).tolist()
        assert all(len(fold.train) == 18 for fold in found.folds)


def refused_or_read(name, folder, path):
    try:
        found = load(name, folder)
    except ExperimentError as refusal:
        said = str(refusal)
        assert "\n" not in said  # a file that is read is as good
        assert len(said) < 1500 + 2 * len(str(folder))
        named = path.stem.split(".npz")[0] in said or path.parent.name in said
        assert named, (path, said)
    else:
        assert isinstance(found, GraphSet)


def test_damaged_files_are_refused_by_name_or_are_another_set(written):
    name, folder, paths = written
    chance = random.Random(0)
    for _ in range(60):
        path = chance.choice(paths)
        before = path.read_bytes()
        change = zip_mutant if path.suffix == ".npz" and chance.random() < 0.7 else mutant
        path.write_bytes(change(chance, before))
        refused_or_read(name, folder, path)
        path.write_bytes(before)
    for content in (b"", b"null", b"\xff\xfe", b"7", b"PK\x03\x04" + b"\0" * 60, b"9" * 10_000):
        for path in paths:
            before = path.read_bytes()
            path.write_bytes(content)
            refused_or_read(name, folder, path)
            path.write_bytes(before)


def test_what_is_no_set_of_graphs_is_refused():
    edge = np.array([[0, 1]])
    with pytest.raises(ExperimentError, match=r"edge \(1, 0\)"):
        Graph(2, edge[:, ::-1])
    with pytest.raises(ExperimentError, match="twice"):
        Graph(2, np.array([[0, 1], [0, 1]]))
    with pytest.raises(ExperimentError, match="beyond"):
        Graph(1, edge)
    with pytest.raises(ExperimentError, match="node_labels"):
        Graph(2, edge, np.array([0]))
    with pytest.raises(ExperimentError, match="lists the graph 1 twice"):
        Fold(np.array([0, 1]), np.array([1]), np.array([2]))
    one, other = Graph(2, edge, np.array([0, 1])), Graph(2, edge)
    with pytest.raises(ExperimentError, match="graph 1 none"):
        GraphSet("mixed", (one, other), np.array([0, 1]))
    with pytest.raises(ExperimentError, match="0 to 0"):
        GraphSet("few", (one,), np.array([0]), (), (Fold(*np.array([[0], [1], [2]])),))
    with pytest.raises(ExperimentError, match="no graph"):
        GraphSet("none", (), np.zeros(0, np.int64))
