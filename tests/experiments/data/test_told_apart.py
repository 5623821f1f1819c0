"""Graphs to be told apart or counted in: read from their public files, which are refused when damaged."""

import random

import networkx as nx
import numpy as np
import pytest
from support.damage import mutant, zip_mutant

from experiments.data import load
from experiments.data.formats import formula_graphs, graph6, substructures
from experiments.data.graph_sets import GraphSet
from ntkexec.errors import ExperimentError

DRAWN = [nx.gnp_random_graph(6, 0.5, seed=seed) for seed in range(4)]


def pairs_of(graph):
    return [sorted(edge) for edge in graph.edges]


def write_graph6(folder, drawn=DRAWN, header=False):
    path = folder / "graph_isomorphism/graph8c.g6"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"".join(nx.to_graph6_bytes(graph, header=header) for graph in drawn[:1]))
    with path.open("ab") as file:
        for graph in drawn[1:]:
            file.write(nx.to_graph6_bytes(graph, header=False))
    return "graph8c", path


def write_formulas(folder, **changes):
    path = folder / "graph_isomorphism/EXP.npz"
    path.parent.mkdir(exist_ok=True)
    ends = [np.array(pairs_of(graph)).reshape(-1, 2) for graph in DRAWN]
    both = [np.concatenate([pairs, pairs[:, ::-1]]) for pairs in ends]
    parts = {
        "node_ptr": np.arange(0, 25, 6, dtype=np.int32),
        "edge_ptr": np.cumsum([0, *map(len, both)]).astype(np.int32),
        "edge_index": np.concatenate(both).T.astype(np.int16),
        "x": np.tile([0, 1, 1], 8).astype(np.int8),
        "y": np.array([1, 0, 1, 0], np.int8),
    }
    np.savez(path, **parts | changes)
    return "exp", path


def write_counts(folder, **changes):
    path = folder / "substructure_counting/er_graphs.npz"
    path.parent.mkdir(exist_ok=True)
    ends = [np.array(pairs_of(graph)).reshape(-1, 2) for graph in DRAWN]
    parts = {
        "n_nodes": np.full(4, 6, np.int8),
        "edges": np.concatenate(ends).astype(np.int8),
        "edge_ptr": np.cumsum([0, *map(len, ends)]).astype(np.int32),
        **{name: np.arange(i, i + 4.0) for i, name in enumerate(substructures.TARGETS)},
        "train_idx": np.array([3, 0]),
        "val_idx": np.array([1]),
        "test_idx": np.array([2]),
    }
    np.savez(path, **parts | changes)
    return "substructure-counting", path


WRITERS = (write_graph6, write_formulas, write_counts)


@pytest.mark.parametrize("write", WRITERS)
def test_the_graphs_are_those_that_were_written(tmp_path, write):
    name, _ = write(tmp_path)
    found = load(name, tmp_path)
    assert [graph.num_nodes for graph in found.graphs] == [6] * 4
    assert [graph.edges.tolist() for graph in found.graphs] == [sorted(pairs_of(g)) for g in DRAWN]
    assert found.name == name


def test_labels_targets_and_the_split_come_with_them(tmp_path):
    formulas = load(write_formulas(tmp_path)[0], tmp_path)
    assert formulas.targets.tolist() == [1, 0, 1, 0]
    assert formulas.graphs[1].node_labels.tolist() == [0, 1, 1, 0, 1, 1]
    counts = load(write_counts(tmp_path)[0], tmp_path)
    assert counts.targets[:, 2].tolist() == [2, 3, 4, 5]
    assert counts.target_names[2] == "tailed_triangle"
    assert counts.folds[0].train.tolist() == [0, 3]
    assert load(write_graph6(tmp_path)[0], tmp_path).targets.shape == (4, 0)


def test_the_header_of_graph6_may_be_there(tmp_path):
    name, _ = write_graph6(tmp_path, header=True)
    assert len(load(name, tmp_path).graphs) == 4


@pytest.mark.parametrize(
    ("write", "changes", "said"),
    [
        (write_formulas, {"y": np.array([1, 0, 1])}, "3 graphs"),
        (write_formulas, {"y": np.array([1, 0, 1, -1])}, "unknown kind"),
        (write_formulas, {"x": np.zeros(23, np.int8)}, "does not divide 23 rows"),
        (write_formulas, {"edge_index": np.zeros((3, 4), int)}, "edge_index of two rows"),
        (write_formulas, {"node_ptr": np.array([0, 0, 12, 18, 24])}, "graph 0 .* has no node"),
        (write_formulas, {"node_ptr": np.array([0, 6, 12, 20, 24])}, "names the node 5"),
        (write_counts, {"n_nodes": np.array([6, 6, 6, 0])}, "no node"),
        (write_counts, {"val_idx": np.array([2])}, "two parts"),
        (write_counts, {"val_idx": np.array([9])}, "beyond 0 to 3"),
        (write_counts, {"star": np.array([1, 2, np.nan, 3])}, "star .*not finite"),
        (write_counts, {"triangle": np.ones(3)}, "triangle .* 4 rows"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(tmp_path, write, changes, said):
    name, path = write(tmp_path, **changes)
    with pytest.raises(ExperimentError, match=said) as refusal:
        load(name, tmp_path)
    assert path.name in str(refusal.value)


def test_a_line_that_is_no_graph_is_named(tmp_path):
    name, path = write_graph6(tmp_path)
    whole = path.read_bytes()
    for content, said in (
        (whole + b"E\n", "line 5"),
        (b"\n" + whole, "line 1"),
        (b"?\n", "no node"),
        (b"", "no graph"),
        (b"E" * 200_000, "200000 characters"),
    ):
        path.write_bytes(content)
        with pytest.raises(ExperimentError, match=said):
            load(name, tmp_path)


@pytest.mark.parametrize("write", WRITERS)
def test_damaged_files_are_refused_by_name_or_are_other_graphs(tmp_path, write):
    name, path = write(tmp_path)
    before, chance = path.read_bytes(), random.Random(0)
    damaged = [before[:end] for end in range(0, len(before), max(1, len(before) // 12))]
    for _ in range(40):
        change = zip_mutant if path.suffix == ".npz" and chance.random() < 0.7 else mutant
        damaged.append(change(chance, before))
    for content in (*damaged, b"\0" * 100, b"7", b"[]", b"\xff\xfe", b"((((."):
        path.write_bytes(content)
        said = path.name
        try:
            assert isinstance(load(name, tmp_path), GraphSet)
        except ExperimentError as refusal:
            said = str(refusal)
        assert path.name in said
        assert "\n" not in said


@pytest.mark.parametrize("module", [graph6, formula_graphs, substructures])
def test_a_reader_of_what_is_not_there_names_it(tmp_path, module):
    with pytest.raises(ExperimentError, match="no such file"):
        module.read(tmp_path / "nothing", "name")
