"""Files that a quick reader takes for another graph: read as they are meant, or refused by name."""

import gzip
import io
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

from ntkexec.errors import GraphError, clean, shown
from ntkexec.graphs import from_networkx, from_sparse, load, parse, read
from ntkexec.graphs.io.content import MAX_BYTES


@pytest.fixture
def file(tmp_path):
    """Writes a file and gives its path."""

    def write(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def components(graph):
    return sorted(map(sorted, nx.connected_components(graph.to_undirected())))


# Edge lists: comments, quotation marks, separators.


def test_a_number_sign_inside_a_name_is_part_of_it(file):
    path = file(
        "g.txt",
        "http://ex.org/a http://ex.org/owl#Afford\nhttp://ex.org/b http://ex.org/owl#Reject # end\n",
    )
    assert components(read(path)) == [
        ["http://ex.org/a", "http://ex.org/owl#Afford"],
        ["http://ex.org/b", "http://ex.org/owl#Reject"],
    ]


@pytest.mark.parametrize(
    ("text", "edges"),
    [
        ("1 2 # 3\n", [(1, 2)]),
        ("1 2\t#3\n", [(1, 2)]),
        ("  # 1 2\n3 4\n", [(3, 4)]),
        ("1 2#\n", [("1", "2#")]),
        ("a,b # c\n", [("a", "b")]),
        ("#a b\nc d\n", [("c", "d")]),
        ('a,"b #c"\n', [("a", "b #c")]),
        ('a,"b #c" # d\n', [("a", "b #c")]),
    ],
)
def test_a_comment_starts_a_line_or_follows_a_blank(file, text, edges):
    assert sorted(read(file("g.edges", text)).edges) == edges


@pytest.mark.parametrize("text", ["a\tSong #9\nb\tSong #7\n", "a,Song #9\nb,Song #7\n", "1,2 #3\n"])
def test_a_number_sign_that_may_be_either_is_refused(file, text):
    with pytest.raises(GraphError, match=r"line 1 of .*'#\d' after a blank; quote the name"):
        read(file("g.edges", text))


def test_quoted_names_are_read_as_csv_reads_them(file):
    graph = read(file("g.csv", '"a",b\na,"c"\nc,d\n"e, f","5"" disk"\n'))
    assert components(graph) == [['5" disk', "e, f"], ["a", "b", "c", "d"]]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.csv", '"a,b\n', "quotation marks do not match"),
        ("g.csv", '"a"b,c\n', "quotation marks do not match"),
        ("g.csv", '"a ",b\n', "blanks at the end of a name beside quotation marks"),
        ("g.txt", '"a b" 7\n', "names in quotation marks stand between commas or tabs"),
    ],
)
def test_quotation_marks_that_leave_a_doubt_are_refused(file, name, text, message):
    with pytest.raises(GraphError, match=rf"line 1 of .*{message}"):
        read(file(name, text))


def test_names_between_tabs_may_hold_blanks(file):
    path = file("g.txt", "Route 66\t7\nRoute 7\t8\n")
    graph = read(path)
    assert set(graph) == {"Route 66", "7", "Route 7", "8"}
    assert not nx.get_edge_attributes(graph, "weight")
    assert load(path).names == ("7", "8", "Route 66", "Route 7")


@pytest.mark.parametrize(
    ("name", "text", "edge"),
    [
        ("g.csv", "New York,Boston\n", ("New York", "Boston", None)),
        ("g.csv", "a;b;7\n", ("a", "b", 7)),
        ("g.txt", "New York, Boston\n", ("New York", "Boston", None)),
        ("g.txt", "a b, c d, 7\n", ("a b", "c d", 7)),
        ("g.txt", "a,b\tc\n", ("a,b", "c", None)),
        ("g.txt", "a   b  7\n", ("a", "b", 7)),
        ("g.txt", "a\t\tb\n", ("a", "b", None)),
        ("g.csv", '"a;b";c\n', ("a;b", "c", None)),
        ("g.txt", "a\x85b\tc\u2028d\n", ("a\x85b", "c\u2028d", None)),
    ],
)
def test_one_separator_holds_for_the_whole_file(file, name, text, edge):
    assert list(read(file(name, text)).edges(data="weight")) == [edge]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("g.txt", "a,b c\nd,e f\n", r"two ways, between commas \('a', 'b c'\) and between blanks"),
        ("g.csv", "a,b\tc\n", r"two ways, between tabs .* and between commas"),
        ("g.csv", "a;b;1,5\nc;d;2,5\n", "with commas and semicolons"),
        ("g.txt", "1 2\n3,4\n", "is '3,4'; expected two names"),
        ("g.txt", "1 2\n3, 4\n", "separated by blanks in one place and by commas in another"),
        ("g.txt", "a b 7\nc d\t8\n", "with tabs and blanks; one of them"),
        ("g.txt", "New\u00a0York Boston\n", "white space that is neither blank nor tab"),
        ("g.txt", "% sym\n1 2\n", "line 1 .* begins with '%'; a comment begins with '#'"),
        ("g.txt", "// a\n1 2\n", "line 1 .* begins with '/'"),
        ("g.csv", "source,target\nalice,bob\n", "line 1 .* an edge list has no header"),
        ("g.csv", "Source ID;Target ID\na;b\n", "line 1 .* an edge list has no header"),
    ],
)
def test_a_list_that_can_be_read_in_two_ways_is_refused(file, name, text, message):
    with pytest.raises(GraphError, match=message):
        read(file(name, text))


def test_names_of_columns_may_be_names_of_nodes(file):
    assert set(read(file("g.csv", "source,target\ntarget,sink\n"))) == {"source", "target", "sink"}
    assert set(read(file("h.csv", "source,target\n"))) == {"source", "target"}


# Directions.

SNAP = "# Directed graph: web.txt\n# FromNodeId\tToNodeId\n0\t1\n2\t1\n"


def test_a_list_has_directions_if_they_are_asked_for(file, caplog):
    for path in (file("g.txt", SNAP), file("h.txt", "0 1\n2 1\nx 0\n")):
        graph = load(path, directed=True)
        assert graph.directed
        arcs = {("0", "1"), ("2", "1"), ("x", "0")} if "h" in path.name else {(0, 1), (2, 1)}
        assert set(graph.to_networkx().edges) == arcs
        assert read(path, directed=True).is_directed()
    assert not caplog.records


@pytest.mark.parametrize("last", ["", "a b\n"])
def test_a_word_is_said_if_a_header_says_directed_and_nobody_asked(file, caplog, last):
    graph = load(file("g.txt", SNAP + last))
    assert not graph.directed
    assert "'Directed graph: web.txt'" in caplog.records[0].getMessage()
    assert len(caplog.records) == 1
    load(file("g.txt", SNAP), directed=False)
    for header in ("# Undirected graph", "# non-directed", "# not directed", "# 7 nodes"):
        load(file("g.txt", f"{header}\n0 1\n# Directed\n"))
    assert len(caplog.records) == 1


def test_a_matrix_is_directed_if_it_is_asked_to_be(tmp_path):
    np.save(tmp_path / "g.npy", np.array([[0, 1], [1, 0]]))
    assert load(tmp_path / "g.npy").num_edges == 1
    assert set(load(tmp_path / "g.npy", directed=True).to_networkx().edges) == {(0, 1), (1, 0)}
    np.save(tmp_path / "g.npy", np.array([[0, 1], [0, 0]]))
    with pytest.raises(GraphError, match=r"g.npy is not symmetric, so its edges are directed"):
        load(tmp_path / "g.npy", directed=False)


def test_what_says_its_direction_itself_must_agree(tmp_path):
    nx.write_graphml(nx.path_graph(3), tmp_path / "g.graphml")
    with pytest.raises(GraphError, match=r"g.graphml says that it is undirected"):
        load(tmp_path / "g.graphml", directed=True)
    with pytest.raises(GraphError, match="'path:3' is undirected; a generator takes directed=1"):
        load("path:3", directed=True)
    with pytest.raises(GraphError, match="says that it is directed"):
        load("path:3,directed=1", directed=False)
    assert load(nx.path_graph(3), directed=False).num_edges == 2
    assert load("path:3,directed=1", directed=True).directed


# GraphML, GML, JSON.

XMLNS = "http://graphml.graphdrawing.org/xmlns"


def graphml(body, declaration=""):
    return f'{declaration}<graphml xmlns="{XMLNS}">{body}</graphml>'


NESTED = """<graph id="G" edgedefault="undirected"><node id="n0"/><node id="n1"/><node id="n5">
<graph id="n5:" edgedefault="undirected"><node id="n5::n0"/><node id="n5::n1"/><node id="n5::n2"/>
<edge source="n5::n0" target="n5::n2"/><edge source="n5::n1" target="n5::n2"/></graph></node>
<edge source="n0" target="n1"/><edge source="n1" target="n5::n0"/></graph>"""


def test_a_graph_within_a_node_is_refused(file):
    with pytest.raises(
        GraphError,
        match=r"holds 6 nodes and 4 edges, of which .* node 'n5' holds a graph of its own",
    ):
        read(file("g.graphml", graphml(NESTED)))
    # yEd marks its groups, and networkx reads those.
    path = file("g.graphml", graphml(NESTED.replace('"n5">', '"n5" yfiles.foldertype="group">')))
    assert (len(read(path)), read(path).number_of_edges()) == (6, 4)
    inner = "node [ id 1 graph [ node [ id 2 ] ] ]"
    with pytest.raises(GraphError, match=r"node 1 of .* holds a graph of its own"):
        read(file("g.gml", f"graph [ node [ id 0 ] {inner} edge [ source 0 target 1 ] ]"))


def test_two_graphs_in_a_file_are_refused(file):
    graphs = "".join(
        f'<graph id="{u}{v}" edgedefault="undirected"><node id="{u}"/><node id="{v}"/>'
        f'<edge source="{u}" target="{v}"/></graph>'
        for u, v in ("ab", "cd")
    )
    with pytest.raises(GraphError, match=r"g.graphml holds 2 graphs \('ab', 'cd'\); expected one"):
        read(file("g.graphml", graphml(graphs)))
    with pytest.raises(GraphError, match="more than one graph"):
        read(file("g.gml", "graph [ node [ id 0 ] ] graph [ node [ id 1 ] ]"))


NODES = '<node id="a"/><node id="b"/>'


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (f'<graph>{NODES}<edge source="a"/></graph>', "edge 1 of .* has no target"),
        (f'<graph>{NODES}<edge target="a"/></graph>', "edge 1 of .* has no source"),
        (f'<graph>{NODES}<edge source="a" target="c"/></graph>', "has the target 'c', which is no"),
        (f'<graph>{NODES}<node id="a"/></graph>', "has the node 'a' twice"),
        (f"<graph>{NODES}<node/></graph>", "has a node without an id"),
        (f'<graph edgedefault="yes">{NODES}</graph>', "has edgedefault 'yes'"),
        (
            f'<graph edgedefault="undirected">{NODES}<edge directed="1" source="a" target="b"/></graph>',
            "has directed='1'; it must be 'true' or 'false'",
        ),
        (
            f'<graph>{NODES}<edge id="e" source="a" target="b"/><edge id="e" source="a" target="b"/>'
            "</graph>",
            "holds 2 nodes and 2 edges, of which networkx reads 2 and 1",
        ),
        (
            f'<graph>{NODES}<x:edge xmlns:x="urn:x" source="a" target="b"/></graph>',
            "holds 2 nodes and 1 edges, of which networkx reads 2 and 0",
        ),
        (f"<graph>{NODES}<hyperedge/></graph>", "doesn't support hyperedges"),
    ],
)
def test_graphml_of_which_networkx_would_make_something_else_is_refused(file, body, message):
    with pytest.raises(GraphError, match=message) as caught:
        read(file("g.graphml", graphml(body)))
    assert "None" not in str(caught.value)


def test_edges_have_the_default_of_the_document(file):
    body = (
        '<key id="w" for="edge" attr.name="weight" attr.type="int"><default>7</default></key>'
        f'<graph>{NODES}<edge source="a" target="b"/></graph>'
    )
    assert list(read(file("g.graphml", graphml(body))).edges(data="weight")) == [("a", "b", 7)]


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-8", "UTF-16", "windows-1252"])
def test_graphml_is_read_in_the_encoding_that_it_declares(file, encoding):
    body = '<graph><node id="Müller"/><node id="é"/><edge source="Müller" target="é"/></graph>'
    text = graphml(body, f'<?xml version="1.0" encoding="{encoding}"?>\n')
    assert list(read(file("g.graphml", text.encode(encoding))).edges) == [("Müller", "é")]
    packed = gzip.compress(text.encode(encoding))
    assert list(read(file("g.graphml.gz", packed)).edges) == [("Müller", "é")]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_text_is_read_in_the_encoding_of_its_mark(file, encoding):
    edges = [("Müller", "é")]
    data = json.dumps(nx.node_link_data(nx.Graph(edges), edges="edges"), ensure_ascii=False)
    gml = (
        'graph [ node [ id 0 label "Müller" ] node [ id 1 label "é" ] edge [ source 0 target 1 ] ]'
    )
    for name, text in {"g.csv": "Müller,é\n", "g.json": data, "g.gml": gml}.items():
        assert list(read(file(name, text.encode(encoding))).edges) == edges


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"nodes": [], "nodes": [], "edges": []}', "has the key 'nodes' twice"),
        ('{"nodes": [], "links": [], "edges": []}', "has 'edges' and 'links'"),
        ('{"directed": "false", "nodes": [], "edges": []}', "directed 'false'; it must be true or"),
        ('{"nodes": [], "edges": {}}', "is not a node-link graph"),
        (
            '{"multigraph": false, "nodes": [{"id": 0}, {"id": 1}], "edges": '
            '[{"source": 0, "target": 1, "weight": 5}, {"source": 1, "target": 0, "weight": 3}]}',
            "has the edge from 1 to 0 twice",
        ),
        ("[" * 100_000, "not valid .json content"),
    ],
)
def test_json_that_says_two_things_is_refused(file, text, message):
    with pytest.raises(GraphError, match=message):
        read(file("g.json", text))


def test_the_hint_of_networkx_is_kept(file):
    edge = "edge [ source 0 target 0 key 1 ]"
    with pytest.raises(GraphError, match=r'is duplicated; Hint: If multigraph add "multigraph 1"'):
        read(file("g.gml", f"graph [ multigraph 1 node [ id 0 ] {edge} {edge} ]"))


# Matrices.

MTX = "%%MatrixMarket matrix coordinate "


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


# Weights.


def test_what_nobody_reads_may_be_any_number(file, tmp_path):
    real = file("g.mtx", MTX + "real general\n2 2 1\n1 2 1.5\n")
    assert load(real).num_edges == 1
    assert load(file("g.csv", "a,b,1.5\n")).num_edges == 1
    np.save(tmp_path / "g.npy", np.array([[0.25, 2], [2, 0]]))
    graph = load(tmp_path / "g.npy", weight="weight", self_loops="drop")
    assert graph.tuple.edges.tolist() == [2, 2]
    loop = nx.Graph([(0, 0, {"weight": 0.25}), (0, 1, {"weight": 2})])
    assert load(loop, weight="weight", self_loops="drop").tuple.edges.tolist() == [2, 2]
    loop.edges[0, 0]["weight"] = -0.25
    with pytest.raises(GraphError, match=r"edge 0-0 .* has -0.25 as its 'weight'"):
        load(loop, weight="weight", self_loops="drop")


FRACTIONS = {
    "g.csv": b"a,b,0.1\nb,c,2.75\n",
    "g.txt": b"1 2 0.1\n2 3 2.75\n",
    "g.mtx": (MTX + "real symmetric\n3 3 2\n2 1 0.1\n3 2 2.75\n").encode(),
    "g.json": json.dumps(
        {
            "nodes": [{"id": i} for i in range(3)],
            "edges": [
                {"source": 0, "target": 1, "weight": 0.1},
                {"source": 1, "target": 2, "weight": 2.75},
            ],
        }
    ).encode(),
}


@pytest.mark.parametrize("name", FRACTIONS)
def test_decimals_are_exact_times_the_scale(file, name):
    path = file(name, FRACTIONS[name])
    with pytest.raises(
        GraphError,
        match=r"has 0.1 as its 'weight'; a weight must be an integer in .*=100 makes all",
    ):
        load(path, weight="weight")
    with pytest.raises(
        GraphError, match=r"has 2.75 as its 'weight'; a weight times weight_scale=10"
    ):
        load(path, weight="weight", weight_scale=10)
    graph = load(path, weight="weight", weight_scale=100)
    assert sorted(set(graph.tuple.edges.tolist())) == [10, 275]


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_short_floats_mean_their_own_decimals(tmp_path, dtype):
    np.save(tmp_path / "g.npy", np.array([[0, 0.1], [0.1, 0]], dtype))
    assert load(tmp_path / "g.npy", weight="weight", weight_scale=10).tuple.edges.tolist() == [1, 1]
    graph = nx.Graph([(0, 1, {"weight": dtype(0.1)})])
    assert from_networkx(graph, weight="weight", weight_scale=10).tuple.edges.tolist() == [1, 1]


@given(st.decimals(-2000, 2000, places=3), st.sampled_from([1, 10, 100, 1000, 3000]), st.booleans())
def test_a_scaled_weight_is_the_product_or_refused(weight, scale, as_float):
    graph = nx.Graph([(0, 1, {"weight": float(weight) if as_float else weight})])
    product = weight * scale
    if product == int(product):
        found = from_networkx(graph, weight="weight", weight_scale=scale)
        assert found.tuple.edges.tolist() == [int(product)] * 2
    else:
        with pytest.raises(GraphError, match="must be an integer"):
            from_networkx(graph, weight="weight", weight_scale=scale)


@pytest.mark.parametrize("scale", [0, -1, 10**9 + 1, 1.5, True, "10"])
def test_a_scale_is_a_whole_number_and_goes_with_weights(scale):
    with pytest.raises((GraphError, Exception), match=r"weight_scale is|Type-check error"):
        load("path:3,weights=1..2", weight="weight", weight_scale=scale)
    with pytest.raises(GraphError, match="weight_scale=10 goes with weights"):
        load("path:3", weight_scale=10)


def test_a_graph_remembers_weights_that_nobody_asked_for(file, tmp_path):
    assert load(file("g.csv", "a,b,3\n")).unread_weights == "weight"
    assert load(file("g.txt", "1 2 3\n")).unread_weights == "weight"
    assert load(file("g.txt", "1 2 1\n")).unread_weights is None
    assert load(file("g.csv", "a,b,3\n"), weight="weight").unread_weights is None
    assert load("karate").unread_weights == "weight"
    assert load("petersen").unread_weights is None
    roads = nx.Graph([(0, 1, {"name": "A1", "length": 2.5})])
    assert load(roads).unread_weights == "length"
    np.save(tmp_path / "g.npy", np.diag([5, 0]) + 1 - np.eye(2))
    assert load(tmp_path / "g.npy", self_loops="drop").unread_weights is None


def test_dropped_loops_are_remembered(file):
    path = file("g.txt", "1 1 -3\n1 2 5\n1 1 4\n3 3 0\n")
    graph = load(path, weight="weight", self_loops="drop")
    assert (graph.loops.nodes.tolist(), graph.loops.weights.tolist()) == ([0, 2], [-3, 0])
    assert (graph.loops.negative.nodes.tolist()) == [0]
    assert load(path, self_loops="drop").loops.weights is None
    assert load("petersen").loops is None


# Limits.


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


def npy_header(shape, dtype="<f8"):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return header.getvalue()


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
