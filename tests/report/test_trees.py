"""The page of a split run: the graph that was asked about, whose hubs open into their trees."""

import dataclasses

import networkx as nx
import numpy as np
import pytest

from ntkexec import graphs, pipeline, report
from ntkexec.report.trees import tree_data


def traced(algorithm, graph, **options):
    return pipeline.run(algorithm, graph, engine="kernel", trace=True, **options)


def data_of(graph, degree=3):
    trees = graphs.split(graph, degree)
    pairs = zip(graph.tuple.senders.tolist(), graph.tuple.receivers.tolist(), strict=True)
    arcs = sorted((u, v) for u, v in pairs if graph.directed or u < v)
    places = np.random.default_rng(0).random((graph.num_nodes, 2))
    return trees, arcs, tree_data(trees, arcs=arcs, places=places)


@pytest.mark.parametrize(
    "graph", ["karate", "star:12", "path:3", "gnp:n=12,p=0.6,directed=1", "complete:7"]
)
def test_edges_hang_where_they_do_and_trees_are_trees(graph):
    trees, arcs, data = data_of(graphs.load(graph))
    owner = np.asarray(data["owner"])
    assert [tuple(owner[pair]) for pair in data["ends"]] == arcs
    there = {
        *zip(trees.graph.tuple.senders.tolist(), trees.graph.tuple.receivers.tolist(), strict=True)
    }
    assert {tuple(pair) for pair in data["ends"]} <= there
    inner = nx.DiGraph(map(tuple, data["inner"]))
    inner.add_nodes_from(range(len(owner)))
    assert nx.is_forest(inner)
    assert {x for x, above in inner.in_degree if not above} == set(data["roots"])
    # A ring is the way from the root.
    for above, below in data["inner"]:
        assert owner[above] == owner[below]
        assert data["rings"][below] == data["rings"][above] + 1
    assert all(data["rings"][root] == 0 for root in data["roots"])
    assert max(data["rings"]) == data["depth"] == trees.depth


def test_nodes_of_one_ring_stand_apart():
    _, _, data = data_of(graphs.load("star:40"))
    by_ring = {}
    for x, owner in enumerate(data["owner"]):
        if owner == 0:
            by_ring.setdefault(data["rings"][x], []).append(data["angles"][x])
    assert len(by_ring) == data["depth"] + 1
    for angles in by_ring.values():
        assert len(set(angles)) == len(angles)


def test_a_tree_turns_to_where_its_neighbours_are():
    graph = graphs.load("star:5")
    trees = graphs.split(graph, 3)
    # All neighbours on the right, in the order of the ports from below.
    places = [(0, 0.5), (1, 0.4), (1, 0.47), (1, 0.53), (1, 0.6)]
    arcs = [(0, v) for v in range(1, 5)]
    angles = np.array(tree_data(trees, arcs=arcs, places=places)["angles"])
    assert abs(np.angle(np.exp(1j * angles[0]))) < 1e-3


def test_what_is_told_counts_hubs_and_nodes():
    _, _, data = data_of(graphs.load("star:9"))
    assert data["told"] == (
        "Nodes of more than 3 neighbours, 1 of 9, are trees of depth at most 2: the program runs on 14 "
        "nodes."
    )
    assert report.trace_data(traced("bfs", "path:3"))["split"] is None


# In a browser.


def test_a_hub_opens_into_its_tree_and_closes_again(visit):
    result = traced("bfs", "star:9", source=3, split_degree=3)
    page = visit(result)
    assert "EXACT: all 9 nodes" in page.locator("#verdict").text_content()
    assert "runs on 14 nodes" in page.locator("#split").text_content()
    nodes, shown = page.locator("g.node"), page.locator("g.node:visible")
    assert (nodes.count(), shown.count()) == (14, 9)
    assert page.locator("line.inner:visible").count() == 0
    page.locator('[data-node="0"]').focus()
    page.keyboard.press("Enter")
    assert "root of its tree of 6 nodes" in page.locator("#name").text_content()
    assert "distance 1, parent 3" in page.locator("#answer").text_content()
    page.locator("#open").click()
    assert shown.count() == 14
    assert page.locator("line.inner:visible").count() == 5
    assert page.locator("#all").is_checked()
    inner = result.instance.split.graph.names.index("0.2")
    page.locator(f'[data-node="{inner}"]').click()
    assert "Node 0.2 " in page.locator("#name").text_content()
    assert "in the tree of 0" in page.locator("#name").text_content()
    # The answer is the hub's, whose node it is.
    assert "distance 1, parent 3" in page.locator("#answer").text_content()
    page.locator("#all").uncheck()
    assert shown.count() == 9
    # What was selected in the tree is hidden now.
    assert "root of its tree" in page.locator("#name").text_content()
    page.locator('[data-node="0"]').dblclick()
    assert shown.count() == 14


def test_nothing_of_trees_is_said_where_there_are_none(visit):
    page = visit(traced("bfs", "petersen"))
    for name in ("#split", "#trees", "#hub", "#open"):
        assert not page.locator(name).is_visible()
    assert page.locator("circle.rim").count() == 0
    page.locator('[data-node="3"]').dblclick()
    assert page.locator("g.node:visible").count() == 10


def test_a_mistake_in_a_tree_shows_at_the_closed_hub(visit):
    result = traced("bfs", "star:9", split_degree=3)
    update = dataclasses.replace(result.update, thresholds=result.update.thresholds + 2)
    page = visit(dataclasses.replace(result, update=update))
    page.keyboard.press("Home")
    assert page.locator('[data-node="0"].wrong').count() == 1
