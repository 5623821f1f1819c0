"""Files: what networkx, scipy and NumPy write reads back equal; everything else is named."""

import gzip
import json

import networkx as nx
import numpy as np
import pytest
import scipy.io
import scipy.sparse

from ntkexec.errors import GraphError
from ntkexec.graphs import read


def node_link(key):
    def write(graph, path):
        path.write_text(json.dumps(nx.node_link_data(graph, edges=key)))

    return write


def write_edges(separator):
    def write(graph, path):
        weighted = nx.get_edge_attributes(graph, "weight")
        lines = [
            separator.join(map(str, (u, v, weighted[u, v]) if weighted else (u, v)))
            for u, v in graph.edges
        ]
        path.write_text("# a comment\n\n" + "\n".join(lines) + "  # another\n")

    return write


def dense(graph):
    return nx.to_numpy_array(graph, nodelist=sorted(graph), dtype=int)


def sparse(graph):
    return nx.to_scipy_sparse_array(graph, nodelist=sorted(graph), dtype=int)


UNDIRECTED_TEXT = {
    "spaces.txt": write_edges(" "),
    "tabs.edges": write_edges("\t"),
    "commas.edgelist": write_edges(", "),
    "commas.csv": write_edges(","),
}
TEXT = {
    "g.graphml": nx.write_graphml,
    "g.gml": nx.write_gml,
    "edges.json": node_link("edges"),
    "links.json": node_link("links"),
    "g.mtx": lambda graph, path: scipy.io.mmwrite(path, sparse(graph)),
    "dense.mtx": lambda graph, path: scipy.io.mmwrite(path, dense(graph)),
}
BINARY = {
    "g.npy": lambda graph, path: np.save(path, dense(graph)),
    "float.npy": lambda graph, path: np.save(path, dense(graph).astype(float)),
    "half.npy": lambda graph, path: np.save(path, dense(graph).astype(np.float16)),
    "dense.npz": lambda graph, path: np.savez(path, dense(graph)),
    "small.npz": lambda graph, path: np.savez_compressed(path, a=dense(graph)),
    "csr.npz": lambda graph, path: scipy.sparse.save_npz(path, sparse(graph)),
    "coo.npz": lambda graph, path: scipy.sparse.save_npz(path, sparse(graph).tocoo()),
    "bsr.npz": lambda graph, path: scipy.sparse.save_npz(path, sparse(graph).tobsr()),
    "dia.npz": lambda graph, path: scipy.sparse.save_npz(
        path, scipy.sparse.csc_matrix(dense(graph)).todia()
    ),
}
MATRICES = {*BINARY, "g.mtx", "dense.mtx", "g.mtx.gz", "dense.mtx.gz"}


def example(kind, *, weighted):
    graph = kind([(0, 1), (2, 1), (2, 3), (3, 4), (4, 2)])
    if weighted:
        weights = {edge: weight for edge, weight in zip(graph.edges, (1, -4, 70, 2, 1))}
        nx.set_edge_attributes(graph, weights, "weight")
    return graph


def assert_reads_back(graph, path):
    back = read(path)
    assert not back.is_multigraph()
    assert back.is_directed() == graph.is_directed()
    assert set(back) == set(graph)
    # The edges of a matrix have their entries for weights, which are 1 without weights.
    default = 1 if path.name in MATRICES else None
    assert {(u, v): w for u, v, w in back.to_directed().edges(data="weight")} == {
        (u, v): w for u, v, w in graph.to_directed().edges(data="weight", default=default)
    }


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", [*UNDIRECTED_TEXT, *TEXT, *BINARY])
def test_an_undirected_graph_reads_back_equal(tmp_path, name, weighted):
    graph = example(nx.Graph, weighted=weighted)
    (UNDIRECTED_TEXT | TEXT | BINARY)[name](graph, tmp_path / name)
    assert_reads_back(graph, tmp_path / name)
    with pytest.raises(AssertionError):
        assert_reads_back(nx.complement(graph), tmp_path / name)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", [*TEXT, *BINARY])
def test_a_directed_graph_reads_back_equal(tmp_path, name, weighted):
    graph = example(nx.DiGraph, weighted=weighted)
    (TEXT | BINARY)[name](graph, tmp_path / name)
    assert_reads_back(graph, tmp_path / name)
    with pytest.raises(AssertionError):
        assert_reads_back(graph.reverse(), tmp_path / name)


@pytest.mark.parametrize("name", [*UNDIRECTED_TEXT, *TEXT])
def test_compressed_text_reads_back_equal(tmp_path, name):
    graph = example(nx.Graph, weighted=True)
    (UNDIRECTED_TEXT | TEXT)[name](graph, tmp_path / name)
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress((tmp_path / name).read_bytes()))
    assert_reads_back(graph, packed)


@pytest.mark.parametrize("name", [*UNDIRECTED_TEXT, "g.graphml", "g.gml", "edges.json"])
def test_names_that_are_not_all_integers_stay_text(tmp_path, name):
    graph = nx.Graph([("a", "7"), ("7", "Müller"), ("Müller", "007")])
    (UNDIRECTED_TEXT | TEXT)[name](graph, tmp_path / name)
    assert_reads_back(graph, tmp_path / name)


def test_json_keeps_text_of_integers_apart(tmp_path):
    node_link("edges")(nx.Graph([("1", "2")]), tmp_path / "g.json")
    assert set(read(tmp_path / "g.json")) == {"1", "2"}


def test_leading_zeros_are_part_of_a_name(tmp_path):
    (tmp_path / "g.txt").write_text("01 02\n1 2\n")
    assert set(read(tmp_path / "g.txt")) == {"01", "02", "1", "2"}


def test_an_edge_given_twice_keeps_its_smallest_weight(tmp_path):
    (tmp_path / "g.txt").write_text("1 2 5\n2 1 3\n1 2 4\n")
    assert list(read(str(tmp_path / "g.txt")).edges(data="weight")) == [(1, 2, 3)]


def test_a_byte_order_mark_is_not_part_of_a_name(tmp_path):
    (tmp_path / "g.csv").write_bytes("1,2\r\n2,3\r\n".encode("utf-8-sig"))
    assert set(read(tmp_path / "g.csv")) == {1, 2, 3}


def test_gml_without_labels_goes_by_identifiers(tmp_path):
    (tmp_path / "g.gml").write_text(
        "graph [ node [ id 4 ] node [ id 9 ] edge [ source 4 target 9 ] ]"
    )
    assert list(read(tmp_path / "g.gml").edges) == [(4, 9)]


def test_the_suffix_may_be_in_capitals(tmp_path):
    (tmp_path / "G.TXT").write_text("1 2\n")
    assert set(read(tmp_path / "G.TXT")) == {1, 2}


def test_isolated_nodes_of_a_matrix_are_nodes(tmp_path):
    np.save(tmp_path / "g.npy", np.zeros((3, 3), bool))
    assert list(read(tmp_path / "g.npy")) == [0, 1, 2]


MTX = "%%MatrixMarket matrix coordinate "


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("g.txt", "1 2\n3\n", r"line 2 of .*g.txt is '3'; expected two names"),
        ("g.txt", "1 2 3 4\n", r"line 1 .*expected two names and perhaps a weight"),
        ("g.csv", "1,,3\n", r"line 1 .*'1,,3'; expected two names"),
        ("g.txt", "# x\n1 2 3\n2 3\n", r"line 3 .* 2 columns where line 2 has 3"),
        ("g.txt", "1 2 3\n2 3 x\n", r"line 2 .* has weight 'x'; expected a number$"),
        ("g.txt", "1 2 nan\n", r"line 1 .* has weight 'nan'; expected a number"),
        ("g.csv", "source,target,weight\n1,2,3\n", r"weight 'weight'.* no header"),
        ("g.csv", "source,target\n1,2\n", r"line 1 .* 'source' and 'target' .* no header"),
        ("g.txt", "# nothing\n", r"holds no edges"),
        ("g.txt", b"\xff1 2", r"not UTF-8 text \(at byte 0\)"),
        ("g.txt", b"\xff\xfe1 2", r"not UTF-16 text, as its byte order mark says"),
        ("g.gml", "graph [ node [", r"not valid .gml content: .*\(2, 1\)"),
        ("g.gml", "", r"not valid .gml content"),
        ("g.graphml", "<graphml>", r"not valid .graphml content: .*line 1, column 9"),
        ("g.graphml", "<html></html>", r"not valid .graphml content"),
        ("g.json", '{\n"nodes": [,]}', r"line 2 of .* is not JSON"),
        ("g.json", "[]", r"not a node-link graph; expected .*'nodes' and 'edges'"),
        ("g.json", '{"nodes": []}', r"not a node-link graph"),
        ("g.json", '{"nodes": 3, "edges": []}', r"not a node-link graph"),
        ("g.json", '{"nodes": [1], "edges": []}', r"not valid .json content"),
        (
            "g.json",
            '{"nodes": [{"id": 0}], "edges": [{"source": 0}]}',
            r"not valid .json content: 'target' is missing",
        ),
        (
            "g.json",
            '{"nodes": [{"id": 0}], "edges": [{"source": 0, "target": 1}]}',
            r"lists 1 nodes where .* make 2",
        ),
        ("g.mtx", "1 2\n", r"not valid .mtx content: .*banner"),
        ("g.mtx", MTX + "integer general\n2 2 1\n1 5 1\n", r"not valid .mtx content: Line 3"),
        ("g.mtx", MTX + "integer general\n2 3 1\n1 2 1\n", r"shape 2 x 3; .* is square"),
        ("g.mtx", MTX + "complex general\n2 2 1\n1 2 1 1\n", r"entries of type complex128"),
        ("g.mtx", MTX + "real general\n2 2 1\n1 2 nan\n", r"entry nan in row 0, column 1 "),
        ("g.mtx", MTX + "integer general\n99999999 99999999 0\n", r"99999999 nodes; a sparse"),
        (
            "g.mtx",
            "%%MatrixMarket matrix array integer general\n20000 20000\n",
            r"20000 nodes; a dense matrix may have at most 10000; store it sparsely",
        ),
        ("g.npy", b"", r"not valid .npy content"),
        ("g.npy", b"\x93NUMPY\x09\x00", r"version \(9, 0\)"),
        ("g.npz", b"PK", r"not valid .npz content: File is not a zip file"),
        ("g.txt.gz", b"1 2\n", r"cannot be read: Not a gzipped file"),
        ("g.gml.gz", gzip.compress(b"graph [ ]", mtime=0)[:15], r"not valid .gml.gz content"),
        ("g.xyz", "", r"suffix '.xyz'; graph files end in .txt, .*\.npz"),
        ("g.grapml", "", r"did you mean '.graphml'"),
        ("graph", "", r"suffix ''; graph files end in"),
    ],
)
def test_bad_content_is_named_in_one_line(tmp_path, name, content, message):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(GraphError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_parser_s_own_error_is_the_cause(tmp_path):
    (tmp_path / "g.gml").write_text("graph [")
    with pytest.raises(GraphError) as caught:
        read(tmp_path / "g.gml")
    assert isinstance(caught.value.__cause__, nx.NetworkXError)


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (np.ones((2, 3)), r"shape 2 x 3; an adjacency matrix is square"),
        (np.ones(4), r"shape 4; an"),
        (np.ones(()), r"shape \(\); an"),
        (np.array([["a"]]), r"entries of type <U1"),
        (np.array([[None]], object), r"entries of type object; expected integers"),
        (np.array([[0, 1], [np.nan, 0]]), r"entry nan in row 1, column 0"),
        (np.array([[0, 1], [np.inf, 0]]), r"entry inf in row 1, column 0"),
    ],
    ids=str,
)
def test_a_dense_matrix_that_is_no_adjacency_is_refused(tmp_path, matrix, message):
    np.save(tmp_path / "g.npy", matrix, allow_pickle=True)
    np.savez(tmp_path / "g.npz", matrix)
    for name in ("g.npy", "g.npz"):
        with pytest.raises(GraphError, match=message):
            read(tmp_path / name)


def test_a_huge_dense_matrix_is_refused_by_its_header(tmp_path):
    with (tmp_path / "g.npy").open("wb") as file:
        header = {"descr": "<f8", "fortran_order": False, "shape": (10**6, 10**6)}
        np.lib.format.write_array_header_1_0(file, header)
    with pytest.raises(GraphError, match="1000000 nodes; a dense matrix may have at most 10000"):
        read(tmp_path / "g.npy")


def test_several_arrays_are_refused_by_name(tmp_path):
    np.savez(tmp_path / "g.npz", first=np.eye(2), second=np.eye(2))
    with pytest.raises(GraphError, match=r"holds 2 arrays \(first, second\)"):
        read(tmp_path / "g.npz")


def test_a_sparse_file_with_indices_outside_the_matrix_is_refused(tmp_path):
    parts = {"indptr": np.array([0, 1, 2]), "data": np.ones(2), "shape": np.array([2, 2])}
    for bad in (10**6, -1):
        indices = np.array([0, bad])
        np.savez(tmp_path / "g.npz", format=np.array(b"csr"), indices=indices, **parts)
        with pytest.raises(GraphError, match=r"not valid .npz content: indices must be (<|>=) "):
            read(tmp_path / "g.npz")


@pytest.mark.parametrize(
    "pointers",
    [
        *([0, 2, 3, 4, last] for last in (0, 1, -1, -(2**63) + 4)),
        [0, 1, 2**63 - 1, -2, 4],  # differences overflow to numbers above 0
    ],
)
def test_a_sparse_file_whose_rows_end_before_they_begin_is_refused(tmp_path, pointers):
    # SciPy would write a cell for every row's length to memory of the last one's size.
    parts = {"indices": np.array([1, 2, 2, 3]), "data": np.ones(4), "shape": np.array([4, 4])}
    for form in (b"csr", b"csc"):
        np.savez(tmp_path / "g.npz", format=np.array(form), indptr=np.array(pointers), **parts)
        with pytest.raises(GraphError, match=r"indptr of .*g\.npz falls"):
            read(tmp_path / "g.npz")


@pytest.mark.parametrize(
    ("form", "parts", "said"),
    [
        (b"csr", {"indices": [1, 2, 0], "indptr": [0, 1, 2, 2]}, "ends at 2, and there are 3"),
        (b"csr", {"indices": [1, 2.9], "indptr": [0, 1, 2, 2]}, "indices of .* expected whole"),
        (b"coo", {"row": [0.9, 1], "col": [1, 2]}, "row of .* expected whole numbers"),
        (b"dia", {"offsets": [2**32 + 1]}, "offsets of .* diagonals outside the matrix"),
    ],
)
def test_parts_that_scipy_would_cut_or_wrap_are_refused(tmp_path, form, parts, said):
    data = {b"csr": np.ones(len(parts.get("indices", ()))), b"dia": np.ones((1, 3))}
    made = {name: np.array(part) for name, part in parts.items()}
    np.savez(
        tmp_path / "g.npz", format=np.array(form), shape=np.array([3, 3]),
        data=data.get(form, np.ones(2)), **made,
    )  # fmt: skip
    with pytest.raises(GraphError, match=said):
        read(tmp_path / "g.npz")


def test_repeated_entries_of_a_sparse_file_add_up(tmp_path):
    rows, columns = np.zeros(300, int), np.ones(300, int)
    matrix = scipy.sparse.coo_array((np.ones(300, np.int8), (rows, columns)), shape=(2, 2))
    scipy.sparse.save_npz(tmp_path / "g.npz", matrix)
    assert list(read(tmp_path / "g.npz").edges(data="weight")) == [(0, 1, 300)]


@pytest.mark.parametrize(("values", "weight"), [([1, 1], 2), ([1, -1], 0), ([0, 0], 0)])
def test_repeated_and_zero_entries_within_a_row_count_by_their_sum(tmp_path, values, weight):
    parts = (np.array(values), np.array([1, 1]), np.array([0, 2, 2]))
    scipy.sparse.save_npz(tmp_path / "g.npz", scipy.sparse.csr_array(parts, shape=(2, 2)))
    assert list(read(tmp_path / "g.npz").edges(data="weight")) == [(0, 1, weight)]


def test_missing_files_and_directories_are_refused(tmp_path):
    with pytest.raises(GraphError, match=r"there is no file .*g\.gml"):
        read(tmp_path / "g.gml")
    with pytest.raises(GraphError, match=r"is a directory; expected a graph file"):
        read(tmp_path)
