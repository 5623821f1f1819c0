"""Small graph files of every kind, and the beginnings of some."""

import functools
import io
import json

import networkx as nx
import numpy as np
import scipy.io
import scipy.sparse

MTX = "%%MatrixMarket matrix coordinate "


def npy_header(shape, dtype="<f8"):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return header.getvalue()


def saved(save, *args, **kwargs):
    file = io.BytesIO()
    save(file, *args, **kwargs)
    return file.getvalue()


@functools.cache
def seeds():
    """One small file of every kind, by name; of names, since the suffix chooses the reader."""
    weighted = nx.Graph()
    weighted.add_weighted_edges_from([(0, 1, 5), (1, 2, 1), (2, 0, 9), (2, 3, 0.5)])
    arcs = nx.DiGraph(weighted.edges(data=True))
    named = nx.relabel_nodes(weighted, dict(enumerate("abcd")))
    sparse = nx.to_scipy_sparse_array(arcs)
    integers = scipy.sparse.coo_array(np.array([[0, 5, 0], [0, 0, 1], [9, 0, 0]]))
    link = functools.partial(nx.node_link_data, edges="edges")
    return {
        "integers.txt": b"# a comment\n0 1\n1 2\n2 0\n3 3\n",
        "weights.txt": b"0 1 5\n1 2 1\n2 0 9 # last\n",
        "tabs.txt": b"# Directed graph: x\n0\t1\n1\t2\n2\t0\n",
        "names.edges": b"http://a/x http://a/o#A\nhttp://a/y http://a/o#B\n",
        "blanks.txt": b"Route 66\t7\nRoute 7\t8\n",
        "commas.csv": b'"a",b,1\na,"c d",2.5\nc d,d,3\n',
        "semicolons.csv": b"a;b\nb;c\nc;a\n",
        "spaced.txt": b"1, 2, 7\n2, 3, 8\n",
        "g.graphml": "\n".join(nx.generate_graphml(named)).encode(),
        "arcs.graphml": "\n".join(nx.generate_graphml(arcs)).encode(),
        "g.gml": "\n".join(nx.generate_gml(named)).encode(),
        "arcs.gml": "\n".join(nx.generate_gml(nx.MultiDiGraph(arcs))).encode(),
        "g.json": json.dumps(link(named), indent=0).encode(),
        "multi.json": json.dumps(link(nx.MultiDiGraph(arcs)), indent=0).encode(),
        "integer.mtx": saved(scipy.io.mmwrite, integers),
        "real.mtx": saved(scipy.io.mmwrite, sparse + sparse.T),
        "pattern.mtx": saved(scipy.io.mmwrite, integers, field="pattern"),
        "dense.mtx": saved(scipy.io.mmwrite, integers.toarray()),
        "g.npy": saved(np.save, integers.toarray()),
        "float.npy": saved(np.save, sparse.toarray().astype(np.float32)),
        "dense.npz": saved(np.savez, integers.toarray()),
        "csr.npz": saved(scipy.sparse.save_npz, sparse.tocsr()),
        "coo.npz": saved(scipy.sparse.save_npz, integers),
        "dia.npz": saved(scipy.sparse.save_npz, sparse.todia()),
    }
