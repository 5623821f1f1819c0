"""Orders, functions of weight and what is left behind: where equality of the values is not enough."""

import threading
import types

import networkx as nx
import pytest
from support.networkx_backend import plain_run, registered, without_engines

from ntkexec.errors import InexactError
from ntkexec.networkx_backend import calls, info
from ntkexec.networkx_backend.interface import BACKEND

ASKED = {"backend": info.NAME}


@pytest.fixture(autouse=True)
def _registered():
    with registered(), without_engines():
        yield


def both(name, *arguments, read=list):
    """What networkx says, and what the backend says."""
    return [
        read(getattr(nx, name)(*arguments, backend=backend)) for backend in ("networkx", info.NAME)
    ]


def walked(kind=nx.Graph):
    """Neighbours that are met in another order than that in which nodes were added."""
    graph = kind()
    graph.add_nodes_from("sabcdefg")
    graph.add_edges_from(["sc", "sb", "cg", "ce", "bf", "bd", "ga", "de"])
    return graph


@pytest.mark.parametrize("kind", [nx.Graph, nx.DiGraph, nx.MultiGraph])
def test_nodes_of_a_level_come_as_networkx_meets_them(kind):
    graph = walked(kind)
    for name, node in (
        ("bfs_layers", "s"),
        ("single_source_shortest_path_length", "s"),
        ("single_target_shortest_path_length", "a"),
    ):
        theirs, ours = both(name, graph, node)
        assert theirs == ours
    assert ours != sorted(ours, key=list(graph).index)
    theirs, ours = both("bfs_layers", graph, ["g", "d", "s", "d"])
    assert theirs == ours


@pytest.mark.parametrize("method", ["dijkstra", "bellman-ford"])
def test_a_function_of_weight_gets_the_ends_of_an_edge_as_networkx_gives_them(method):
    graph = nx.DiGraph([(1, 2), (2, 4), (4, 8)])
    # networkx turns the edges round when it is asked for the distances to a node.
    for source, target in ((None, 8), (1, None), (1, 8)):
        arguments = graph, source, target, lambda u, v, data: 3 * max(u, v) - 2 * u, method
        theirs, ours = both("shortest_path_length", *arguments, read=lambda found: found)
        assert theirs == ours

    def upwards(u, v, data):
        return v - u

    assert "negative weights" in BACKEND.why_not("shortest_path_length", graph, None, 8, upwards)
    assert BACKEND.why_not("shortest_path_length", graph, 1, None, upwards) is None


def test_neighbours_may_be_sorted_as_other_objects_that_are_equal():
    graph = nx.Graph([("root", "b" * 9), ("root", "a" * 9)])

    def anew(near):
        return sorted("".join(list(name)) for name in near)

    assert BACKEND.why_not("bfs_edges", graph, "root", sort_neighbors=anew) is None
    theirs, ours = both("bfs_edges", graph, "root", False, None, anew)
    assert theirs == ours
    assert "leaves neighbours out" in BACKEND.why_not(
        "bfs_edges", graph, "root", sort_neighbors=lambda near: [*near, "root"]
    )


def test_ends_that_are_equal_or_missing_are_what_networkx_makes_of_them():
    falling = nx.DiGraph()
    falling.add_weighted_edges_from([(0, 1, -1), (1, 0, -1)])
    arguments = falling, 0, 0, "weight", "bellman-ford"
    assert both("shortest_path_length", *arguments, read=int) == [0, 0]
    for backend in ("networkx", info.NAME):
        with pytest.raises(nx.NetworkXNoPath):
            nx.shortest_path_length(nx.path_graph(2), 0, 7, weight="weight", backend=backend)


def test_the_last_run_is_of_the_last_call_or_none(monkeypatch):
    graph = nx.path_graph(3)
    assert nx.has_path(graph, 0, 2, **ASKED)
    assert BACKEND.last_run is not None
    # An answer without a run has none, least of all that of another call.
    assert nx.dijkstra_path_length(graph, 1, 1, **ASKED) == 0
    assert BACKEND.last_run is None

    def wrong(instance, **options):
        found = plain_run(instance)
        found.execution = types.SimpleNamespace(verification=types.SimpleNamespace(wrong_bits=1))
        return found

    monkeypatch.setattr(calls, "run", wrong)
    with pytest.raises(InexactError):
        nx.has_path(graph, 0, 2, **ASKED)
    assert BACKEND.last_run is None


def test_threads_see_their_own_last_run():
    seen = {}
    together = threading.Barrier(2)

    def ask(length):
        nx.is_connected(nx.path_graph(length), **ASKED)
        together.wait(timeout=60)
        seen[length] = BACKEND.last_run.instance.graph.num_nodes

    threads = [threading.Thread(target=ask, args=[length]) for length in (2, 3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == {2: 2, 3: 3}
