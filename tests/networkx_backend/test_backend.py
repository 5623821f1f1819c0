"""The backend as networkx and its users meet it: options, reasons, certificates, and nothing stale."""

import copy
import dataclasses
import importlib
import logging
import pathlib
import pickle
import subprocess
import sys
import tomllib
import types

import networkx as nx
import pytest
from support.networkx_backend import plain_run, registered, without_engines

from ntkexec.errors import InexactError, NtkexecError
from ntkexec.networkx_backend import calls, info
from ntkexec.networkx_backend.interface import BACKEND, BackendGraph
from ntkexec.result import Result

HERE = pathlib.Path(__file__).parents[2]
ASKED = {"backend": info.NAME}


@pytest.fixture(autouse=True)
def _registered():
    with registered():
        yield


def test_an_answer_carries_its_run_and_its_certificate_and_a_second_one_is_made_of_the_first():
    graph = nx.cycle_graph(5)
    first = nx.single_source_shortest_path_length(graph, 0, **ASKED)
    assert first == nx.single_source_shortest_path_length(graph, 0)
    assert isinstance(first.run, Result)
    assert first.run.exact
    assert first.run.engine == "kernel"
    assert first.run.execution.verification.wrong_bits == 0
    assert first.certificate.certified
    # networkx would warn here of a converted graph that it kept, and warnings are errors.
    assert nx.has_path(graph, 1, 3, **ASKED) is True
    second = BACKEND.last_run
    assert second is not first.run
    assert second.certificate is first.certificate
    assert second.execution.compile_seconds == 0


def test_answers_compare_copy_and_pickle_as_dictionaries():
    with without_engines():
        found = nx.single_source_shortest_path_length(nx.path_graph(3), 0, **ASKED)
    assert found == {0: 0, 1: 1, 2: 2}
    assert repr(found) == "{0: 0, 1: 1, 2: 2}"
    for other in (copy.copy(found), pickle.loads(pickle.dumps(found))):
        assert type(other) is dict
        assert other == found


def test_a_graph_that_changes_between_calls_is_read_anew():
    graph = nx.Graph()
    graph.add_weighted_edges_from([(0, 1, 3), (1, 2, 4)])
    with without_engines():
        before = nx.single_source_bellman_ford_path_length(graph, 0, **ASKED)
        graph[0][1]["weight"] = 7  # which networkx does not notice
        after = nx.single_source_bellman_ford_path_length(graph, 0, **ASKED)
    assert (before[2], after[2]) == (7, 11)


def test_what_is_wrong_is_no_answer(monkeypatch):
    def wrong(instance, **options):
        found = plain_run(instance)
        found.execution = types.SimpleNamespace(verification=types.SimpleNamespace(wrong_bits=2))
        return found

    monkeypatch.setattr(calls, "run", wrong)
    with pytest.raises(InexactError, match="2 bits of bfs otherwise"):
        nx.has_path(nx.path_graph(3), 0, 2, **ASKED)


def test_options_come_from_the_call_then_the_configuration_then_the_defaults(monkeypatch):
    told = []

    def noted(instance, **options):
        told.append(options)
        return plain_run(instance)

    monkeypatch.setattr(calls, "run", noted)
    graph = nx.path_graph(3)
    nx.has_path(graph, 0, 2, **ASKED)
    with nx.config.backends[info.NAME](engine="boolean", verify=False):
        nx.has_path(graph, 0, 2, **ASKED)
        nx.has_path(graph, 0, 2, engine="ensemble", members=3, **ASKED)
    assert told == [
        {"engine": "kernel", "verify": True},
        {"engine": "boolean", "verify": False},
        {"engine": "ensemble", "verify": False, "members": 3},
    ]
    with pytest.raises(NtkexecError, match="no option 'engin'; did you mean 'engine'"):
        nx.has_path(graph, 0, 2, engin="kernel", **ASKED)


def test_a_run_that_takes_too_many_steps_is_declined_with_its_reason(caplog):
    with pytest.raises(NotImplementedError) as raised:
        nx.has_path(nx.path_graph(3), 0, 2, max_steps=1, **ASKED)
    assert "max_steps is 1" in str(raised.value.__cause__)
    assert "has_path is not run by ntkexec: bfs may take" in caplog.text


@pytest.mark.parametrize(
    "option",
    [{"max_degree": -1}, {"max_degree": "3"}, {"max_steps": None}, {"verify": "maybe"}],
    ids=str,
)
def test_options_that_mean_nothing_are_refused_by_name(option):
    (name,) = option
    with pytest.raises(NtkexecError, match=f"{name} is .*, not "):
        nx.has_path(nx.path_graph(3), 0, 2, **option, **ASKED)


def weighted(*values, kind=nx.Graph):
    graph = kind()
    graph.add_weighted_edges_from((i, i + 1, value) for i, value in enumerate(values))
    return graph


LENGTHS = "single_source_bellman_ford_path_length"
DECLINED = {
    "without nodes": ("is_connected", nx.Graph()),
    "cannot walk back": ("bfs_tree", nx.DiGraph([(0, 1)]), 0),
    "limit on depth": ("dfs_edges", nx.path_graph(3), 0, 1),
    "are not integers": (LENGTHS, weighted(1, 0.5), 0),
    "are floats": (LENGTHS, weighted(1, 2.0), 0),
    "not integers": (LENGTHS, weighted(1, True), 0),
    "beyond 32 bits": (LENGTHS, weighted(2**31), 0),
    "negative weights": ("dijkstra_path_length", weighted(-1, kind=nx.DiGraph), 0, 1),
    "max_degree is 8": ("dfs_tree", nx.star_graph(9), 0),
    "max_degree is 32": ("bfs_layers", nx.star_graph(33), 0),
    "the direction": (LENGTHS, nx.path_graph(2), 0, lambda u, v, data: u),
    "hide edges": (LENGTHS, nx.path_graph(2), 0, lambda u, v, data: None),
    "leaves neighbours out": ("bfs_edges", nx.path_graph(2), 0, False, None, lambda near: []),
    "computes pagerank": ("pagerank", nx.path_graph(2)),
}


@pytest.mark.parametrize("reason", DECLINED)
def test_what_no_program_covers_is_declined_with_the_reason(reason, caplog):
    name, graph, *arguments = DECLINED[reason]
    assert reason in BACKEND.why_not(name, graph, *arguments)
    with caplog.at_level(logging.WARNING, "ntkexec"), pytest.raises(NotImplementedError):
        getattr(nx, name)(graph, *arguments, **ASKED)
    assert name == "pagerank" or reason in caplog.text


def test_what_is_declined_by_default_may_be_asked_for():
    star = nx.star_graph(9)
    assert BACKEND.why_not("dfs_tree", star, 0, max_degree=9) is None
    assert BACKEND.why_not("dfs_tree", nx.star_graph(8), 0) is None
    assert "max_degree is 1" in BACKEND.why_not("is_connected", nx.path_graph(3), max_degree=1)


def test_it_is_never_chosen_automatically():
    graph = BACKEND.convert_from_nx(nx.path_graph(3))
    assert isinstance(graph, BackendGraph)
    assert isinstance(BACKEND.should_run("is_connected", (graph,), {}), str)
    last = BACKEND.last_run
    with nx.config.backend_priority(algos=[info.NAME]):
        assert nx.is_connected(nx.path_graph(3))
    assert BACKEND.last_run is last


def test_a_graph_on_its_way_says_of_itself_what_networkx_asks():
    graph = BackendGraph(nx.MultiDiGraph([(0, 1)]))
    assert (graph.is_directed(), graph.is_multigraph(), len(graph), list(graph)) == (
        True,
        True,
        2,
        [0, 1],
    )
    assert 0 in graph
    assert BACKEND.convert_to_nx(graph) is graph.networkx


def test_every_function_is_one_of_networkx_and_every_other_name_is_none():
    known = nx.utils.backends._registered_algorithms
    assert set(info.FUNCTIONS) <= set(known)
    assert set(info.get_info()["functions"]) == set(info.FUNCTIONS)
    assert all(callable(getattr(BACKEND, name)) for name in info.FUNCTIONS)
    assert not hasattr(BACKEND, "pagerank")
    assert set(info.FUNCTIONS) <= set(dir(BACKEND))


def test_the_entry_points_lead_there_and_what_networkx_loads_by_itself_is_light():
    points = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]["entry-points"]
    loaded = {}
    for group in ("networkx.backends", "networkx.backend_info"):
        module, name = points[group][info.NAME].split(":")
        loaded[group] = getattr(importlib.import_module(module), name)
    assert loaded == {"networkx.backends": BACKEND, "networkx.backend_info": info.get_info}
    code = (
        "import sys\nfrom ntkexec.networkx_backend.info import get_info\nget_info()\n"
        "heavy = {'jax', 'numpy', 'networkx'} & set(sys.modules)\nassert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=HERE)


def test_defaults_of_the_program_are_options_of_a_run():
    fields = {
        f.name
        for one in (calls.Certifying, calls.Ensembling, calls.Executing)
        for f in dataclasses.fields(one)
    }
    assert calls.KNOWN - {"engine", calls.SPLIT, *calls.LIMITS} <= fields


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("single_source_shortest_path_length", (5,)),
        ("dfs_preorder_nodes", (5,)),
        ("single_source_bellman_ford_path_length", (5,)),
    ],
)
def test_a_hub_may_be_split_whatever_its_degree(name, arguments):
    star = nx.star_graph(40)
    assert "max_degree" in BACKEND.why_not(name, star, *arguments)
    assert BACKEND.why_not(name, star, *arguments, split_degree=3) is None
    found = getattr(nx, name)(star, *arguments, split_degree=3, **ASKED)
    expected = getattr(nx, name)(star, *arguments)
    assert found == expected if isinstance(found, dict) else list(found) == list(expected)
    assert BACKEND.last_run.instance.split.most == 3


def test_what_does_not_run_on_split_graphs_is_declined_and_degrees_that_make_no_trees_refused():
    for name, arguments in (("bfs_tree", (0,)), ("is_connected", ())):
        assert "does not run" in BACKEND.why_not(name, nx.star_graph(5), *arguments, split_degree=3)
    with pytest.raises(NtkexecError, match="at least 3"):
        nx.has_path(nx.path_graph(3), 0, 2, split_degree=2, **ASKED)
