"""Every function of the backend gives what networkx gives, on random graphs; programs run plainly."""

import networkx as nx
import numpy as np
import pytest
from support.networkx_backend import registered, without_engines

from ntkexec.networkx_backend import info

SEEDS = range(4)


@pytest.fixture(autouse=True)
def _registered():
    with registered(), without_engines():
        yield


def graph_of(seed, kind=nx.Graph, *, connected=False, weights=None):
    """Eight nodes with names in no order, of degree three at most."""
    drawn = np.random.default_rng([seed, kind is nx.DiGraph])
    names = [f"n{i}" for i in drawn.permutation(8)]
    graph = kind()
    graph.add_nodes_from(names)
    pairs = [(a, b) for a in names for b in names if a != b]
    degree = dict.fromkeys(names, 0)
    for index in drawn.permutation(len(pairs)).tolist():
        a, b = pairs[index]
        known = graph.has_edge(a, b) or graph.has_edge(b, a)
        if not known and max(degree[a], degree[b]) < 3 and drawn.random() < 0.8:
            graph.add_edge(a, b)
            degree[a], degree[b] = degree[a] + 1, degree[b] + 1
    if connected:
        parts = [*nx.connected_components(graph.to_undirected(as_view=True))]
        graph = graph.subgraph(max(parts, key=len)).copy()
    if weights is not None:
        for _, _, data in graph.edges(data=True):
            data["weight"] = int(drawn.integers(*weights))
    return graph


def plain(value):
    """Iterators as lists, graphs as dictionaries, pairs within them too."""
    if isinstance(value, nx.Graph):
        return nx.to_dict_of_dicts(value)
    if isinstance(value, dict | set | list | tuple | str | int | bool):
        return value
    return [(key, dict(row)) if isinstance(row, dict) else (key, row) for key, row in value]


def as_list(value):
    return list(value) if hasattr(value, "__iter__") else value


# By function: arguments after the graph, and whether it is asked of directed graphs too.
FROM = ("SOURCE",)
DISTANCES = {
    "single_source_shortest_path_length": (FROM, True),
    "single_target_shortest_path_length": (FROM, True),
    "all_pairs_shortest_path_length": ((), True),
    "has_path": (("SOURCE", "TARGET"), True),
    "shortest_path_length": (FROM, True),
    "descendants_at_distance": (("SOURCE", 2), True),
    "descendants": (FROM, True),
    "ancestors": (FROM, True),
    "node_connected_component": (FROM, False),
    "is_connected": ((), False),
    "number_connected_components": ((), False),
    "is_bipartite": ((), True),
    "bfs_tree": (FROM, False),
    "bfs_predecessors": (FROM, False),
    "bfs_successors": (FROM, False),
    "single_source_shortest_path": (FROM, False),
    "dfs_tree": (FROM, False),
    "dfs_predecessors": ((), False),
    "dfs_successors": (FROM, False),
}
NODES = {
    "bfs_edges": FROM,
    "dfs_edges": FROM,
    "dfs_preorder_nodes": (),
    "dfs_postorder_nodes": FROM,
    "connected_components": (),
}
# By function: arguments after the graph, and the range of weights.
WEIGHTED = {
    "shortest_path_length": (("SOURCE", None, "weight"), (0, 5)),
    "bellman_ford_path_length": (("SOURCE", "TARGET"), (-1, 5)),
    "dijkstra_path_length": (("SOURCE", "TARGET"), (0, 5)),
    "single_source_bellman_ford_path_length": (FROM, (-1, 5)),
    "all_pairs_bellman_ford_path_length": ((), (0, 5)),
    "negative_edge_cycle": ((), (-2, 6)),
    "single_source_dijkstra_path_length": (FROM, (0, 5)),
    "multi_source_dijkstra_path_length": ((["SOURCE", "TARGET"],), (0, 5)),
}


def asked(graph, arguments):
    """The places of a source and a target filled in."""
    names = sorted(graph)
    ends = {"SOURCE": names[0], "TARGET": names[-1]}
    return [
        [ends[a] for a in one] if isinstance(one, list) else ends.get(one, one) for one in arguments
    ]


def both(name, graph, arguments, read=plain):
    """What networkx says, and what the backend says."""
    found = []
    for backend in ("networkx", info.NAME):
        try:
            found.append(read(getattr(nx, name)(graph, *arguments, backend=backend)))
        except (nx.NetworkXException, KeyError) as error:
            found.append(type(error))
    return found


@pytest.mark.parametrize("name", DISTANCES)
def test_answers_are_networkx_own(name):
    arguments, directed = DISTANCES[name]
    for seed in SEEDS:
        for kind in (nx.Graph, nx.DiGraph) if directed else (nx.Graph,):
            graph = graph_of(seed, kind)
            theirs, ours = both(name, graph, asked(graph, arguments))
            assert theirs == ours


@pytest.mark.parametrize("name", NODES)
def test_orders_are_networkx_own(name):
    for seed in SEEDS:
        graph = graph_of(seed)
        theirs, ours = both(name, graph, asked(graph, NODES[name]), as_list)
        assert theirs == ours


@pytest.mark.parametrize("name", WEIGHTED)
def test_weighted_answers_are_networkx_own(name):
    arguments, weights = WEIGHTED[name]
    cycles = 0
    for seed in range(6):
        graph = graph_of(seed, nx.DiGraph, weights=weights)
        theirs, ours = both(name, graph, asked(graph, arguments))
        assert theirs == ours
        cycles += theirs in (True, nx.NetworkXUnbounded)
    assert cycles < 6


PARTS = (
    "weakly_connected_components",
    "number_weakly_connected_components",
    "is_weakly_connected",
)


@pytest.mark.parametrize("name", PARTS)
def test_components_without_regard_to_directions_are_networkx_own(name):
    for seed in SEEDS:
        theirs, ours = both(name, graph_of(seed, nx.DiGraph), (), as_list)
        assert theirs == ours


def test_layers_are_networkx_own_and_eccentricities_of_connected_graphs():
    for seed in SEEDS:
        graph = graph_of(seed)
        first, *_, last = sorted(graph)
        for sources in (first, [first, last]):
            theirs, ours = both("bfs_layers", graph, [sources], lambda found: [*map(set, found)])
            assert theirs == ours
        theirs, ours = both("eccentricity", graph_of(seed, connected=True), ())
        assert theirs == ours
    apart = nx.empty_graph(2)
    assert both("eccentricity", apart, ()) == [nx.NetworkXError] * 2


PATHS = ("single_source_bellman_ford", "single_source_bellman_ford_path", "bellman_ford_path")


def weight_of(graph, path):
    return sum(graph.edges[edge]["weight"] for edge in nx.utils.pairwise(path))


def test_paths_are_as_short_as_networkx_own_whichever_of_several():
    found = 0
    for seed in range(6):
        graph = graph_of(seed, nx.DiGraph, weights=(-1, 5))
        source = sorted(graph)[0]
        for name in PATHS[:2]:
            theirs, ours = both(name, graph, [source], lambda value: value)
            if isinstance(theirs, type):
                assert theirs is ours is nx.NetworkXUnbounded
                continue
            if name == "single_source_bellman_ford":
                assert theirs[0] == ours[0]
                theirs, ours = theirs[1], ours[1]
            assert theirs.keys() == ours.keys()
            for target, path in ours.items():
                assert (path[0], path[-1]) == (source, target)
                assert weight_of(graph, path) == weight_of(graph, theirs[target])
                one = nx.bellman_ford_path(graph, source, target, backend=info.NAME)
                assert weight_of(graph, one) == weight_of(graph, path)
                found += len(path) > 2
    assert found


def test_predecessors_are_all_that_lie_on_a_shortest_path():
    name = "bellman_ford_predecessor_and_distance"
    several = 0
    for seed in range(6):
        graph = graph_of(seed, weights=(1, 3))
        theirs, ours = both(name, graph, [sorted(graph)[0]], lambda value: value)
        assert theirs[1] == ours[1]
        assert {v: set(near) for v, near in theirs[0].items()} == {
            v: set(near) for v, near in ours[0].items()
        }
        several += max(map(len, ours[0].values())) > 1
    assert several
    loop = nx.DiGraph([(0, 1), (2, 2)])
    loop.edges[2, 2]["weight"] = -1
    assert both(name, loop, [0]) == [nx.NetworkXUnbounded] * 2
    still = nx.DiGraph()
    still.add_weighted_edges_from([(0, 1, 1), (1, 0, -1)])
    with pytest.raises(NotImplementedError):
        nx.bellman_ford_predecessor_and_distance(still, 0, backend=info.NAME)


ARGUMENTS = {
    **{name: arguments for name, (arguments, _) in {**DISTANCES, **WEIGHTED}.items()},
    **NODES,
    **dict.fromkeys(("bfs_layers", *PATHS[:2]), FROM),
    "bellman_ford_path": ("SOURCE", "TARGET"),
}


@pytest.mark.parametrize("name", [name for name in ARGUMENTS if "SOURCE" in ARGUMENTS[name]])
def test_a_node_that_is_not_there_is_the_same_error(name):
    arguments = ARGUMENTS[name]
    graph = nx.Graph([("a", "b")])
    missing = ["nowhere" if one == "SOURCE" else one for one in arguments]
    theirs, ours = both(name, graph, asked(graph, missing), as_list)
    assert isinstance(theirs, type)
    assert theirs is ours


def test_every_function_is_compared_here():
    here = {*DISTANCES, *NODES, *WEIGHTED, *PARTS, *PATHS, "bfs_layers", "eccentricity"}
    assert {*info.FUNCTIONS} == here | {"bellman_ford_predecessor_and_distance"}
