"""What a graph file says according to csv, networkx, SciPy and the DOM, none of it by our readers.

A reading is `(directed, nodes, edges)`: edges by their ends, in order if they have directions, each with
its weight as a fraction or None. Of parallel edges the smallest weight counts.
"""

import csv
import io
import json
import re
import warnings
import zipfile
from decimal import Decimal
from fractions import Fraction
from xml.dom import expatbuilder

import networkx as nx
import numpy as np
import scipy.io
import scipy.sparse

MARKS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe\0\0": "utf-32", b"\xff\xfe": "utf-16"}


def number(value):
    """A weight, exactly; None if it is none."""
    if isinstance(value, bool) or value is None:
        return None
    try:
        return Fraction(Decimal(str(value)))
    except (ArithmeticError, ValueError):
        return None


def reading(edges, nodes=(), *, directed):
    """From triples of two ends and a weight."""
    found, names = {}, set(nodes)
    for u, v, weight in edges:
        names |= {u, v}
        ends = (u, v) if directed else frozenset((u, v))
        known = found.get(ends, weight)
        found[ends] = weight if known is None or weight is None else min(known, weight)
    return directed, frozenset(names), found


def of_networkx(graph):
    triples = ((u, v, number(w)) for u, v, w in graph.edges(data="weight"))
    return reading(triples, graph, directed=graph.is_directed())


def with_integers(found):
    """Names as integers if all of them are written as such."""
    directed, names, edges = found
    if not all(isinstance(n, str) and re.fullmatch(r"0|-?[1-9]\d{0,17}", n, re.A) for n in names):
        return found
    ends = {e: tuple(map(int, e)) if directed else frozenset(map(int, e)) for e in edges}
    return directed, frozenset(map(int, names)), {ends[e]: w for e, w in edges.items()}


def text_of(data):
    encoding = next((MARKS[mark] for mark in MARKS if data.startswith(mark)), "utf-8")
    return data.decode(encoding)


def of_edge_list(data, directed, name):
    """All readings by one separator for the whole file; ours must be one of them, or a refusal."""
    lines = [line.strip(" \t") for line in re.split(r"\r\n|\r|\n", text_of(data))]
    lines = [line for line in lines if line and line[0] != "#"]
    cut = [re.sub(r"[ \t]+#.*", "", line) for line in lines]
    found = []
    for some in (cut, lines) if any('"' in line for line in lines) else (cut,):
        for mark in "\t,;":
            try:
                rows = [next(csv.reader([x], delimiter=mark, skipinitialspace=True)) for x in some]
            except csv.Error:
                continue
            found.append([[column.strip(" \t") for column in row] for row in rows])
        kind = nx.MultiDiGraph if directed else nx.MultiGraph
        for types in ([], [("weight", str)]):
            try:
                graph = nx.parse_edgelist(some, comments=None, create_using=kind, data=types)
            except (TypeError, IndexError):
                continue
            if graph.number_of_edges() == len(some):
                weights = graph.edges(data="weight")
                found.append([[u, v] if w is None else [u, v, w] for u, v, w in weights])
    readings = []
    for rows in found:
        columns = {len(row) for row in rows}
        if columns == {2}:
            triples = [(*row, None) for row in rows]
        elif columns == {3} and all(number(row[2]) is not None for row in rows):
            triples = [(u, v, number(w)) for u, v, w in rows]
        else:
            continue
        readings.append(with_integers(reading(triples, directed=directed)))
    return readings


def of_graphml(data, directed, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        graph = nx.read_graphml(io.BytesIO(data))
    for key, value in graph.graph["edge_default"].items():
        for *_, attributes in graph.edges(data=True):
            attributes.setdefault(key, value)
    document = expatbuilder.parseString(data, namespaces=False)
    nodes = [node.getAttribute("id") for node in document.getElementsByTagName("node")]
    ends = [
        (edge.getAttribute("source"), edge.getAttribute("target"))
        for edge in document.getElementsByTagName("edge")
    ]
    found = of_networkx(graph)
    plain = reading([(u, v, None) for u, v in ends], nodes, directed=found[0])
    assert len(nodes) == len(set(nodes)), "a node twice"
    assert (plain[1], plain[2].keys()) == (found[1], found[2].keys()), "networkx left something out"
    return [with_integers(found)]


def of_gml(data, directed, name):
    graph = nx.parse_gml(re.split(r"\r\n|\r|\n", text_of(data)), label=None)
    labels = {node: str(label) for node, label in graph.nodes(data="label", default="")}
    if "" not in labels.values() and len(set(labels.values())) == len(graph):
        graph = nx.relabel_nodes(graph, labels)
    return [with_integers(of_networkx(graph)), of_networkx(graph)]


def of_json(data, directed, name):
    found = json.loads(text_of(data))
    graph = nx.node_link_graph(found, edges="edges" if "edges" in found else "links")
    assert len(graph) == len(found["nodes"]), "an edge made a node"
    return [of_networkx(graph)]


def of_matrix(matrix, directed):
    """An adjacency matrix as networkx reads it, repeated entries summed as SciPy does."""
    if isinstance(matrix, np.ndarray):
        entries = {
            (i, j): number(matrix[i, j] * 1 if matrix.dtype == bool else matrix[i, j])
            for i, j in zip(*np.nonzero(matrix))
        }
    else:
        fills = matrix.format in ("bsr", "dia")
        is_pattern = matrix.dtype == bool
        coo = scipy.sparse.coo_array(matrix)
        entries = {}
        for i, j, value in zip(coo.row, coo.col, coo.data):
            if not (fills and value == 0):
                so_far = 0 if is_pattern else entries.get((i, j), 0)
                entries[i, j] = so_far + number(int(value) if is_pattern else value)
    entries = {(int(i), int(j)): weight for (i, j), weight in entries.items()}
    is_symmetric = all(entries.get((j, i)) == w for (i, j), w in entries.items())
    directed = not is_symmetric if directed is None else directed
    triples = [(i, j, w) for (i, j), w in entries.items()]
    return [reading(triples, range(matrix.shape[0]), directed=directed)]


def of_npy(data, directed, name):
    return of_matrix(np.load(io.BytesIO(data), allow_pickle=False), directed)


def of_npz(data, directed, name):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        is_sparse = "format.npy" in archive.namelist()
    if is_sparse:
        return of_matrix(scipy.sparse.load_npz(io.BytesIO(data)), directed)
    with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
        return of_matrix(arrays[arrays.files[0]], directed)


def of_mtx(data, directed, name):
    """As SciPy reads it, if the lines say the same to Python's own int and float."""
    matrix = scipy.io.mmread(io.BytesIO(data), spmatrix=False)
    lines = [line.split() for line in data.decode("latin-1").split("\n")]
    _, _, layout, field, symmetry = (word.lower() for word in lines[0][:5])
    values = [line for line in lines[1:] if line and not line[0].startswith("%")][1:]
    convert = int if "integer" in field else float
    if layout == "array":
        assert all(len(line) == 1 for line in values)
        written = sorted(convert(line[0]) for line in values)
        if symmetry == "general":
            assert written == sorted(matrix.ravel().tolist())
        return of_matrix(matrix, directed)
    places = {}
    for i, j, *rest in values:
        assert len(rest) == (field != "pattern")
        value = convert(rest[0]) if rest else 1
        places.setdefault((int(i) - 1, int(j) - 1), []).append(value)
    if field == "pattern":
        matrix = matrix.astype(bool)
    elif symmetry == "general":
        summed = matrix.tocsr()
        assert {place: sum(found) for place, found in places.items()} == {
            (int(i), int(j)): summed[i, j] for i, j in zip(*matrix.coords)
        }
    else:
        assert all(len(found) == 1 for found in places.values())
    return of_matrix(matrix, directed)


READERS = {
    ".txt": of_edge_list,
    ".edges": of_edge_list,
    ".csv": of_edge_list,
    ".graphml": of_graphml,
    ".gml": of_gml,
    ".json": of_json,
    ".npy": of_npy,
    ".npz": of_npz,
    ".mtx": of_mtx,
}
