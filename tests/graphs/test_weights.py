"""Weights are whole numbers, decimals are exact times a scale, and what nobody reads may be anything."""

import json

import networkx as nx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.graph_files import MTX

from ntkexec.errors import GraphError
from ntkexec.graphs import from_networkx, load


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
