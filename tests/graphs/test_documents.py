"""GraphML, GML and JSON that say two things, or that networkx makes something else of, are refused."""

import gzip
import json

import networkx as nx
import pytest

from ntkexec.errors import GraphError
from ntkexec.graphs import read

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
