"""What strangers hand over is bounded: files, sizes and the words that messages repeat."""

import gzip
import json
import os
import zipfile

import networkx as nx
import numpy as np
import pytest
import scipy.io
import scipy.sparse
from hypothesis import given
from hypothesis import strategies as st
from support.graph_files import MTX, npy_header

from ntkexec.errors import GraphError, clean, shown
from ntkexec.graphs import from_sparse, load, parse
from ntkexec.graphs.io.content import MAX_BYTES


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "g.txt")
    with pytest.raises(GraphError, match=r"g.txt is not a regular file"):
        load(tmp_path / "g.txt")
    (tmp_path / "zero.txt").symlink_to("/dev/zero")
    with pytest.raises(GraphError, match="is not a regular file"):
        load(tmp_path / "zero.txt")


@pytest.mark.parametrize("degree", [-1, -(2**31)])
def test_a_negative_degree_is_refused(degree):
    with pytest.raises(GraphError, match=rf"degree is {degree}; a bound .* at least 0"):
        load("karate", degree=degree)
    assert load("karate", degree=2147483648).degree == 17


def test_many_nodes_in_a_small_header_are_refused(file, tmp_path):
    with pytest.raises(GraphError, match="declares 10000000 nodes and 0 entries; at most 1000000"):
        load(file("g.mtx", MTX + "integer general\n10000000 10000000 0\n"))
    empty = scipy.sparse.csr_array((3, 3))
    coo = {"row": [], "col": [], "data": [], "shape": [10**7, 10**7], "format": b"coo"}
    np.savez(tmp_path / "g.npz", **{k: np.array(v, None if v else int) for k, v in coo.items()})
    with pytest.raises(GraphError, match="declares 10000000 nodes and 0 entries"):
        load(tmp_path / "g.npz")
    scipy.sparse.save_npz(tmp_path / "g.npz", empty)
    assert load(tmp_path / "g.npz").num_nodes == 3


def test_a_bomb_is_refused_before_it_goes_off(tmp_path):
    path = tmp_path / "g.npz"
    zeros = bytes(2**20)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name in ("format", "shape", "data", "row", "col"):
            archive.writestr(f"{name}.npy", npy_header((1,)) + bytes(8))
        info = zipfile.ZipInfo("offsets.npy")
        info.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(info, "w", force_zip64=True) as file:
            for _ in range(4):
                file.write(zeros)
    # The size that the directory gives is what counts; the rest is never unpacked.
    data = path.read_bytes()
    size = (4 * 2**20).to_bytes(4, "little")
    assert data.count(size) >= 1
    path.write_bytes(data.replace(size, (2**31).to_bytes(4, "little")))
    with pytest.raises(GraphError, match=rf"holds 2147\d+ bytes; at most {MAX_BYTES} are read"):
        load(path)
    packed = bytearray(gzip.compress(b"1 2\n"))
    packed[-4:] = (2**31).to_bytes(4, "little")
    (tmp_path / "g.txt.gz").write_bytes(packed)
    with pytest.raises(GraphError, match=rf"holds {2**31} bytes; at most {MAX_BYTES} are read"):
        load(tmp_path / "g.txt.gz")


def test_an_array_that_is_not_as_large_as_its_header_says_is_refused(tmp_path):
    (tmp_path / "g.npy").write_bytes(npy_header((3, 3)) + bytes(71))
    with pytest.raises(GraphError, match="bytes where its header speaks of"):
        load(tmp_path / "g.npy")
    with (tmp_path / "g.npy").open("wb") as file:
        np.save(file, np.eye(2))
        np.save(file, np.eye(3))
    with pytest.raises(GraphError, match="expected one array"):
        load(tmp_path / "g.npy")
    parts = {"format": np.array(b"csr"), "shape": np.array([3, 3]), "weights": np.ones(2)}
    np.savez(tmp_path / "g.npz", **parts)
    with pytest.raises(GraphError, match="holds 'weights', which is no part of a sparse matrix"):
        load(tmp_path / "g.npz")
    with zipfile.ZipFile(tmp_path / "g.npz", "w") as archive:
        archive.writestr("a.npy", npy_header((10**4, 10**4)) + bytes(8))
    with pytest.raises(GraphError, match=r"a of .* bytes where its header speaks of"):
        load(tmp_path / "g.npz")
    with zipfile.ZipFile(tmp_path / "g.npz", "w") as archive:
        archive.writestr("format.npy", npy_header((10**10,), "|V0"))
    with pytest.raises(GraphError, match=r"holds \|V0 items, which take no bytes"):
        load(tmp_path / "g.npz")


def test_a_dense_regular_graph_is_drawn_at_once():
    graph = parse("random-regular:n=100,d=97")
    assert {degree for _, degree in graph.degree} == {97}
    assert parse("random-regular:n=4,d=3").number_of_edges() == 6


@pytest.mark.parametrize("p", ["0_1", "\u0660.\u0665", "nan", "inf", "1e999", "", "0x1"])
def test_a_probability_is_written_in_digits(p):
    with pytest.raises(GraphError, match=r"expected a number in 0\.\.1"):
        parse(f"gnp:n=5,p={p}")


# The words of strangers.


def test_messages_escape_and_cut_the_words_of_strangers(file, tmp_path):
    evil = "\x1b[2J\u202e" + "x" * 10_000
    messages = []
    for spec in (
        file("g.txt", f"{evil}\n"),
        file("g.csv", f"{evil},b\na,b,c\n"),
        file("g.csv", f"a,b,{evil}\n"),
        file("g.json", json.dumps({"nodes": [{"id": evil}], "edges": [{"source": evil}]})),
        file("g.gml", f"graph [ {evil}"),
        nx.Graph([(evil, evil)]),
        evil,
        f"grid:{evil}",
        f"grid:{evil}=3",
        tmp_path / ("\x1b[2J" + "x" * 200 + ".txt"),
    ):
        with pytest.raises(GraphError) as caught:
            load(spec)
        messages.append(str(caught.value))
    with pytest.raises(GraphError) as caught:
        load(nx.Graph([(evil, 2)])).index(evil + "y")
    messages.append(str(caught.value))
    for message in messages:
        assert message.isprintable()
        assert len(message) < 900
    assert "\\x1b[2J" in messages[0]


@given(st.text(), st.integers(30, 300))
def test_clean_text_is_printable_and_short(text, limit):
    found = clean(text, limit=limit)
    assert found.isprintable()
    assert len(found) <= limit + 5
    if len(text) <= limit and text.isprintable():
        assert found == text
    assert shown(text).isprintable()


def test_a_sparse_matrix_of_stored_zeros_says_nothing_of_its_edges():
    matrix = scipy.sparse.csr_array(np.array([[0, 1], [1, 0]]))
    assert from_sparse(matrix).num_edges == 1
    assert from_sparse(matrix.tobsr()).num_edges == from_sparse(matrix.todia()).num_edges == 1
    matrix.data[:] = 0
    with pytest.raises(GraphError, match=r"stores zeros, .*; eliminate_zeros\(\) leaves them out"):
        from_sparse(matrix)


@pytest.mark.parametrize("odd", ["x", [1], None, float("nan"), True])
def test_what_is_no_number_is_no_weight_that_nobody_asked_for(odd):
    graph = nx.Graph([(0, 1, {"weight": 5}), (1, 2, {"weight": odd})])
    assert load(graph).unread_weights is None
    with pytest.raises(GraphError, match="edge 1-2 of graph 'graph' has"):
        load(graph, weight="weight")


def test_a_name_that_no_file_can_have_is_refused():
    for name in ("a\0.txt", "x" * 5000 + ".txt", "a/\0/b"):
        with pytest.raises(GraphError):
            load(name)
