"""Which runs the networks that come with the package serve, and that nothing is trained for them."""

from pathlib import Path

import pytest

import ntkexec
from ntkexec import ensemble, graphs, pipeline, universal
from ntkexec.certifying import Certifying
from ntkexec.ensemble.sizing import Ensembling
from ntkexec.programs import ALGORITHMS, prepare
from ntkexec.programs.graph import bfs_split
from ntkexec.universal import checking

RUNS = {
    "bfs": {"source": 33},
    "flooding": {"source": 33, "message": "101"},
    "bellman-ford": {"source": 33},
}


@pytest.fixture(autouse=True)
def nothing_is_trained(monkeypatch):
    def refuse(*_, **__):
        raise AssertionError("trained")

    monkeypatch.setattr(ensemble.storage, "train_all", refuse)


@pytest.fixture
def unchecked(monkeypatch):
    """The checker takes seconds, and tests of its own have its verdict."""
    monkeypatch.setattr(checking, "verify", lambda data, folder: checking.Checked("EXACT", 1, None))


@pytest.mark.parametrize(
    "algorithm",
    [pytest.param(name, marks=pytest.mark.slow if name == "bellman-ford" else ()) for name in RUNS],
)
def test_on_a_split_graph_nothing_is_trained_and_the_answer_is_exact(algorithm, unchecked):
    result = ntkexec.run(algorithm, "karate", split_degree=3, **RUNS[algorithm])
    assert result.exact
    assert result.train_seconds == 0
    assert result.universal is not None
    assert result.to_data()["universal"]["claim"] == "EXACT"
    assert "universal" in str(result)
    assert dict(result.instance.sizes) == universal.SIZES[result.instance.program.name]


def served(algorithm, where, **asked):
    """What serves it, once that is known to be the same question."""
    instance = universal.fitted(ALGORITHMS[algorithm], where, asked)
    return None if instance is None else universal.serve(instance)


def test_a_graph_that_is_too_large_or_another_program_is_not_served(unchecked):
    def trees(graph):
        return graphs.split(graphs.load(graph), 3)

    assert served("bfs", trees("path:1024")) is not None
    assert served("bfs", trees("path:1025")) is None  # a distance of 1,024
    assert served("flooding", trees("star:9"), message="1111") is not None
    assert served("flooding", trees("star:9"), message="11111") is None
    assert served("bfs", graphs.split(graphs.load("star:9"), 4)) is None
    assert served("dfs", trees("path:3")) is None
    # On a graph as it is: of the program that is for both, and of the one that splits by itself.
    assert served("bellman-ford", graphs.load("petersen")) is not None
    assert served("bellman-ford", graphs.load("star:9")) is None
    assert served("bfs-split", graphs.load("star:9")) is not None
    assert served("bfs", graphs.load("petersen")) is None


def test_what_has_other_sizes_than_its_ensemble_is_not_served():
    assert universal.serve(prepare("bfs", "path:3", split_degree=3)) is None
    assert universal.serve(prepare("dfs", "path:3")) is None


def test_where_no_node_is_split_nothing_is_trained_either(unchecked):
    result = ntkexec.run("bfs", "petersen", split_degree=3)
    assert result.exact
    assert result.universal is not None
    assert result.instance.executed_graph.num_nodes == 10
    told = str(result)
    assert "no node has more than 3 neighbours" in told
    assert "none: universal" in told


def test_the_program_is_built_once(unchecked, monkeypatch):
    built, program = [], bfs_split.program

    def counted(**sizes):
        built.append(sizes)
        return program(**sizes)

    monkeypatch.setattr(bfs_split, "program", counted)
    result = ntkexec.run("bfs", "star:9", split_degree=3)
    assert result.universal is not None
    assert built == [universal.SIZES["bfs-split"]]


@pytest.mark.parametrize(
    ("certifying", "ensembling", "wanted"),
    [
        ({}, {}, True),
        ({}, {"remembered": Path("kept")}, True),
        ({"delta": 0.1}, {}, False),
        ({"bound": 3}, {}, False),
        ({"bound": "graph"}, {}, False),
        ({"kind": "joint"}, {}, False),
        ({"draw": "linearised"}, {}, False),
        ({"weight_std": 2.0}, {}, False),
        ({"threshold": "shared"}, {}, False),
        ({"padding": 4}, {}, False),
        ({}, {"members": 3}, False),
        ({}, {"seed": 1}, False),
        ({}, {"width": 64}, False),
        ({}, {"descent": "plain"}, False),
        ({}, {"universal": False}, False),
    ],
)
def test_whoever_asks_for_other_networks_gets_others(certifying, ensembling, wanted):
    found = pipeline.wants_universal(Certifying(**certifying), Ensembling(**ensembling))
    assert found is wanted
