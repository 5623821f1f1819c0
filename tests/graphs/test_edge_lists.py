"""Edge lists that a quick reader takes for another graph: read as they are meant, or refused by name."""

import networkx as nx
import numpy as np
import pytest

from ntkexec.errors import GraphError
from ntkexec.graphs import load, read


def components(graph):
    return sorted(map(sorted, nx.connected_components(graph.to_undirected())))


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
