"""Graph files that once ended in a traceback, in another graph, or in no time at all."""

import numpy as np
import pytest
from support.graph_files import saved
from support.read_or_refused import check

CORPUS = {
    "comment.txt": b"http://ex.org/a http://ex.org/owl#Afford\nhttp://ex.org/b http://ex.org/owl#R\n",
    "quoted.csv": b'"a",b\na,"c"\nc,d\n',
    "blanks.txt": b"Route 66\t7\nRoute 7\t8\n",
    "song.txt": b"a\tSong #9\nb\tSong #7\n",
    "mixed.txt": b"1 2\n3, 4\n",
    "breaks.txt": b"a\x0bb c\nd\x1ce f\n",
    "sign.txt": b"% asym\n1 2\n",
    "nested.graphml": (
        b'<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph edgedefault="undirected">'
        b'<node id="n0"/><node id="n5"><graph edgedefault="undirected"><node id="n5::n0"/>'
        b'<node id="n5::n1"/><edge source="n5::n0" target="n5::n1"/></graph></node>'
        b'<edge source="n0" target="n5::n0"/></graph></graphml>'
    ),
    "two.graphml": (
        b'<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph><node id="a"/></graph>'
        b'<graph><node id="c"/></graph></graphml>'
    ),
    "none.graphml": (
        b'<graphml xmlns="http://graphml.graphdrawing.org/xmlns"><graph><node id="a"/>'
        b'<edge source="a"/></graph></graphml>'
    ),
    "latin.graphml": (
        b'<?xml version="1.0" encoding="ISO-8859-1"?><graphml '
        b'xmlns="http://graphml.graphdrawing.org/xmlns"><graph><node id="M\xfcller"/></graph></graphml>'
    ),
    "zero.mtx": b"%%MatrixMarket matrix coordinate integer general\n3 3 3\n1 2 5\n2 3 0\n1 3 9\n",
    "cut.mtx": b"%%MatrixMarket matrix coordinate integer general\n2 2 1\n1 2 2.9\n",
    "fortran.mtx": b"%%MatrixMarket matrix coordinate real general\n2 2 1\n1 2 1d3\n",
    "extra.mtx": b"%%MatrixMarket matrix coordinate pattern general\n2 2 1\n1 2 5\n",
    "both.mtx": b"%%MatrixMarket matrix coordinate integer symmetric\n2 2 2\n2 1 5\n1 2 5\n",
    "large.mtx": b"%%MatrixMarket matrix coordinate integer general\n10000000 10000000 0\n",
    "marked.csv": b"\xef\xbb\xbfa,b\nb,c\n",
    "marked.json": b'\xef\xbb\xbf{"nodes": [{"id": 0}, {"id": 1}], "edges": [{"source": 0, "target": 1}]}',
    "flag.json": b'{"directed": "false", "nodes": [{"id": 0}], "edges": []}',
    "twice.json": b'{"nodes": [{"id": 0}], "edges": [], "edges": [{"source": 0, "target": 0}]}',
    "deep.json": b"[" * 100_000,
    "control.txt": b"a\x1b[31m b\nb c\n",
    # As an integer, a large float has digits that its shortest decimal has not.
    "huge.npy": saved(np.save, np.array([[0, 6.64e20], [0, 0]], np.float32)),
    # Asked for a weight that it does not have, a graph with parallel edges ended in a traceback.
    "parallel.json": b'{"multigraph": true, "nodes": [{"id": 0}, {"id": 1}], "edges": '
    b'[{"source": 0, "target": 1}, {"source": 1, "target": 0}]}',
}
READ = {
    *("comment.txt", "quoted.csv", "blanks.txt", "latin.graphml", "zero.mtx", "marked.csv"),
    *("marked.json", "control.txt", "parallel.json", "huge.npy"),
}


@pytest.mark.parametrize("name", CORPUS)
def test_what_once_went_wrong_is_read_or_refused(tmp_path, name):
    (tmp_path / name).write_bytes(CORPUS[name])
    assert check(tmp_path / name) == (name in READ)
