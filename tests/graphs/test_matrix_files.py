"""Matrices are read as they are meant: stored zeros, entries listed twice, lines that do not fit."""

import networkx as nx
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from support.graph_files import MTX

from ntkexec.errors import GraphError
from ntkexec.graphs import load, read


def test_a_stored_zero_is_an_edge(file, tmp_path):
    path = file("g.mtx", MTX + "integer general\n3 3 3\n1 2 5\n2 3 0\n1 3 9\n")
    assert set(read(path).edges(data="weight")) == {(0, 1, 5), (1, 2, 0), (0, 2, 9)}
    matrix = scipy.io.mmread(path, spmatrix=False)
    scipy.sparse.save_npz(tmp_path / "g.npz", matrix.tocsr())
    for found in (path, tmp_path / "g.npz"):
        graph = load(found, weight="weight").to_networkx()
        distances = nx.single_source_bellman_ford_path_length(graph, 0)
        assert distances == {0: 0, 1: 5, 2: 5}
        assert distances == dict(enumerate(scipy.sparse.csgraph.bellman_ford(matrix, indices=0)))


def test_a_stored_zero_in_one_direction_makes_a_matrix_directed(file):
    path = file("g.mtx", MTX + "integer general\n2 2 1\n1 2 0\n")
    assert list(read(path).edges(data="weight")) == [(0, 1, 0)]
    assert read(path).is_directed()


def test_zeros_that_fill_blocks_and_diagonals_are_no_edges(tmp_path):
    matrix = scipy.sparse.csr_array(np.array([[0, 5, 0, 0], [5, 0, 0, 0], [0] * 4, [0] * 4]))
    for kind in ("bsr", "dia"):
        scipy.sparse.save_npz(tmp_path / "g.npz", matrix.asformat(kind))
        assert list(read(tmp_path / "g.npz").edges(data="weight")) == [(0, 1, 5)]


@pytest.mark.parametrize("dtype", [int, float, bool])
def test_weights_that_are_all_one_are_weights(tmp_path, dtype):
    np.save(tmp_path / "g.npy", np.array([[0, 1, 0], [0, 0, 1], [0, 0, 0]], dtype))
    assert load(tmp_path / "g.npy", weight="weight").tuple.edges.tolist() == [1, 1]
    scipy.io.mmwrite(tmp_path / "g.mtx", scipy.sparse.coo_array(np.eye(3, k=1)), field="pattern")
    assert load(tmp_path / "g.mtx", weight="weight").tuple.edges.tolist() == [1, 1]


def test_entries_that_are_listed_twice_add_up_or_are_refused(file):
    twice = "3 3 3\n2 1 5\n2 1 7\n3 1 1\n"
    general = read(file("g.mtx", MTX + "integer general\n" + twice))
    assert set(general.edges(data="weight")) == {(1, 0, 12), (2, 0, 1)}
    pattern = read(file("g.mtx", MTX + "pattern symmetric\n3 3 3\n2 1\n1 2\n3 1\n"))
    assert set(pattern.edges(data="weight")) == {(0, 1, 1), (0, 2, 1)}
    with pytest.raises(GraphError, match="is symmetric, but lists an entry twice or on both sides"):
        read(file("g.mtx", MTX + "integer symmetric\n" + twice))


@pytest.mark.parametrize(
    ("kind", "line"),
    [
        ("integer", "1 2 2.9"),
        ("integer", "1 2 2e3"),
        ("integer", "1 2 0x10"),
        ("integer", "1 2 3 4"),
        ("integer", "1 2"),
        ("real", "1 2 1d3"),
        ("real", "1 2 2.5x"),
        ("pattern", "1 2 5"),
    ],
)
def test_a_line_that_is_not_what_the_header_says_is_refused(file, kind, line):
    content = MTX + f"{kind} general\n% a comment\n2 2 2\n2 1{' 1' if kind != 'pattern' else ''}\n"
    with pytest.raises(
        GraphError, match=rf"line 5 of .*g.mtx is '{line}'; expected a row, a column"
    ):
        read(file("g.mtx", content + line + "\n"))
    dense = "%%MatrixMarket matrix array integer general\n2 2\n0\n2.9\n0\n0\n"
    with pytest.raises(
        GraphError, match=r"line 4 of .* is '2.9'; expected an integer, as the header"
    ):
        read(file("g.mtx", dense))
