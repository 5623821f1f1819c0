"""Which runs the networks that come with the package serve, and that nothing is trained for them."""

from pathlib import Path

import pytest

import ntkexec
from ntkexec import ensemble, pipeline, universal
from ntkexec.certifying import Certifying
from ntkexec.ensemble.sizing import Ensembling
from ntkexec.programs import prepare
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


def served(algorithm, graph, **inputs):
    instance = prepare(algorithm, graph, split_degree=3, **inputs)
    return universal.serve(algorithm, instance, inputs)


def test_a_graph_that_is_too_large_or_another_program_is_not_served(unchecked):
    assert served("bfs", "path:1024") is not None
    assert served("bfs", "path:1025") is None  # a distance of 1,024
    assert served("flooding", "star:9", message="1111") is not None
    assert served("flooding", "star:9", message="11111") is None
    instance = prepare("dfs", "path:3")
    assert universal.serve("dfs", instance, {}) is None


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
