"""Files read straight into arrays: the same graph as by way of networkx, or left to that way."""

import gzip

import networkx as nx
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ntkexec.errors import GraphError
from ntkexec.graphs import from_networkx, load, read
from ntkexec.graphs.io import formats
from ntkexec.graphs.io.edge_list import parse_edge_list
from ntkexec.graphs.io.integer_edges import read_integer_edges

SIGNS_OF_TROUBLE = ("-", "+", "0", "x", "1.5", '"', "\x0b", "\x1c", "é", "#", ",", "\t", "\r")


@st.composite
def edge_lists(draw):
    """Text that mostly is an edge list of integers."""
    columns = draw(st.sampled_from([2, 2, 3]))
    separator = draw(st.sampled_from([" ", "\t", "  ", ",", " , ", ", "]))
    end = draw(st.sampled_from(["\n", "\r\n", "\n\n", " \n", " # 1 2 3\n", "\r"]))
    number = st.integers(-12, 12) | st.integers(-(10**18) + 1, 10**18 - 1)
    line = st.lists(number.map(str), min_size=columns, max_size=columns).map(separator.join)
    text = draw(st.sampled_from(["", "# a comment, 7\n", "\n"]))
    text += end.join(draw(st.lists(line, max_size=8))) + draw(st.sampled_from(["", end]))
    if draw(st.integers(0, 3)) == 0:
        place = draw(st.integers(0, len(text)))
        text = text[:place] + draw(st.sampled_from(SIGNS_OF_TROUBLE)) + text[place:]
    return text


def edges_of(graph):
    return {(*sorted((u, v)), w) for u, v, w in graph.edges(data="weight")}


@settings(max_examples=400, deadline=None)
@given(edge_lists())
@example("1,2\n,3,4\n")
@example("1 2\n3,4\n")
@example("1,2,\n3,4,\n")
@example("1 2 3\n3\n4 5\n")
@example("-0 1\n")
@example("01 1\n")
@example("1 2\n1 2 3 4\n")
@example("1\n2\n")
@example("1 2\t3\n4 5\t6\n")
@example("1,\t2\n3,\t4\n")
@example("1 2 #3\n")
@example("1,2 #3\n")
@example("1 2\n#3\n")
@example("1 2#3\n")
@example("1 2 ##\n3 4 #\n")
def test_what_is_read_at_once_is_what_is_read_line_by_line(text):
    found = read_integer_edges(text.encode())
    if found is None:
        return
    expected = parse_edge_list(text, "text")
    names = list(found.names)
    assert names == sorted(expected)
    assert all(type(name) is int for name in names)
    smallest = {}
    weights = [None] * len(found.senders) if found.weights is None else found.weights.tolist()
    for u, v, weight in zip(found.senders, found.receivers, weights, strict=True):
        edge = tuple(sorted((names[u], names[v])))
        smallest[edge] = weight if weight is None else min(weight, smallest.get(edge, weight))
    assert {(*edge, weight) for edge, weight in smallest.items()} == edges_of(expected)


@pytest.mark.parametrize(
    "text",
    [
        "1 2\n2 3\n",
        "# SNAP\n1\t2\r\n2\t3\r\n",
        "1, 2, -7\n3, 2, 0",
        "\n\n5 4 # five, four\n",
        "-999999999999999999 999999999999999999",
        "1 2\r3 4",
    ],
)
def test_plain_integers_need_no_second_reader(text):
    assert read_integer_edges(text.encode()) is not None


@pytest.mark.parametrize(
    "text", ["", "# 1 2\n", "a b\n", "1 2\n3\n", "1 +2\n", "1 1000000000000000000\n", "1--2 3\n"]
)
def test_anything_else_is_left_to_the_reader_that_knows_the_line(text):
    assert read_integer_edges(text.encode()) is None


def random_graph(kind, seed):
    graph = nx.gnp_random_graph(30, 0.1, seed=seed, directed=kind is nx.DiGraph)
    rng = np.random.default_rng(seed)
    for u, v in graph.edges:
        graph.edges[u, v]["weight"] = int(rng.integers(1, 1000))
    return graph


def write(graph, path):
    matrix = nx.to_scipy_sparse_array(graph, nodelist=range(len(graph)), dtype=np.int64)
    if path.suffix == ".npy":
        np.save(path, matrix.toarray())
    elif path.suffix == ".npz":
        scipy.sparse.save_npz(path, matrix)
    elif path.suffix == ".mtx":
        scipy.io.mmwrite(path, matrix)
    else:
        text = "".join(f"{v} {u} {w}\n" for u, v, w in graph.edges(data="weight")).encode()
        path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)


@pytest.mark.parametrize("weight", [None, "weight"])
@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph])
@pytest.mark.parametrize("name", ["g.txt", "g.csv.gz", "g.npy", "g.npz", "g.mtx"])
def test_load_gives_the_graph_that_networkx_gives(tmp_path, monkeypatch, name, kind, weight):
    path = tmp_path / name
    write(random_graph(kind, 3), path)
    expected = from_networkx(read(path), weight=weight, label=name)
    monkeypatch.setattr(formats, "read", None)  # so the arrays are what is used
    found = load(path, weight=weight)
    for field in ("names", "num_colours", "degree", "directed", "label"):
        assert getattr(found, field) == getattr(expected, field)
    assert all(type(name) is int for name in found.names)
    np.testing.assert_array_equal(found.colours, expected.colours)
    for ours, theirs in zip(found.tuple, expected.tuple, strict=True):
        if theirs is None:
            assert ours is None
        else:
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("1 2\n3 3\n", {}, r"node 3 .* has an edge to itself"),
        ("1 2\n", {"weight": "weight"}, r"edge 1-2 .* has no 'weight'"),
        ("1 2 7\n", {"weight": "cost"}, r"edge 1-2 .* has no 'cost'"),
        ("1 2 3000000000\n", {"weight": "weight"}, r"edge 1-2 .* has 3000000000 as its 'weight'"),
        ("1 2\n1 3\n", {"degree": 1}, r"node 1 .* has degree 2, above the bound 1"),
        ("1 2\n", {"strategy": "best"}, r"strategy 'best' is unknown"),
        ("1 2\n", {"self_loops": "keep"}, r"self_loops is 'keep'"),
        ("1 2\n3\n", {}, r"line 2 of .*g.txt is '3'"),
    ],
)
def test_rules_are_explained_as_before(tmp_path, text, options, message):
    (tmp_path / "g.txt").write_text(text)
    with pytest.raises(GraphError, match=message):
        load(tmp_path / "g.txt", **options)


def test_dropped_loops_leave_their_nodes(tmp_path):
    (tmp_path / "g.txt").write_text("1 2\n3 3\n")
    assert load(tmp_path / "g.txt", self_loops="drop").names == (1, 2, 3)
