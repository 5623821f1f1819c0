"""Real executions satisfy the hypotheses of the theorems, with the ghosts that networkx finds."""

import networkx as nx
import numpy as np
import pytest

from ntkexec import graphs
from ntkexec.programs.graph import bellman_ford, bfs, flooding
from ntkexec.recheck.theorem import statements
from tests.support.theorems import as_rechecked
from tests.support.witnesses import near, trace

GRAPHS = {
    "path": nx.path_graph(4),
    "prism and an edge": nx.disjoint_union(nx.circular_ladder_graph(3), nx.path_graph(2)),
    "directed": nx.DiGraph([(0, 1), (1, 2), (2, 0), (3, 2), (0, 4), (4, 3)]),
}
WORD = 3
INFINITE = 1 << WORD + 1


def _searches(graph):
    sizes = {"degree": 3, "slots": graph.num_colours, "word": WORD}
    yield bfs.instance(graph, sources=[1], sizes=sizes), statements.bfs, ("choose", "listen")
    sizes = {"degree": 3, "slots": graph.num_colours, "message_bits": 2, "arrival_bits": WORD}
    message = flooding.Message.parse("10")
    instance = flooding.instance(graph, sources=[1], message=message, sizes=sizes)
    yield instance, statements.flooding, ("send", "receive")


def _check_searches(networkx_graph):
    graph = graphs.from_networkx(networkx_graph)
    lengths = nx.single_source_shortest_path_length(networkx_graph, 1)
    distance = [lengths.get(node, INFINITE) for node in range(graph.num_nodes)]
    for instance, statement, steps in _searches(graph):
        program = as_rechecked(instance.program)
        obligations = [statement.build(step, program, instance.sizes) for step in steps]
        late = []
        for time, states in enumerate(trace(instance)):
            for node in range(graph.num_nodes):
                of = {"distance": distance, "state": states}
                witness, members = near(graph, node, 3, of)
                witness |= {f"distance{x}": INFINITE for x, u in enumerate(members) if u < 0}
                if statement is statements.flooding:
                    witness |= {"message": 0b10}
                here = obligations[time % 2]
                assert here.failing(witness | {"round": time // 2}) == []
                late.append(here.failing(witness | {"round": time // 2 + 1}))
        assert any(late)


def _random(seed):
    rng = np.random.default_rng(seed)
    size = int(rng.integers(4, 9))
    return graphs.generators.samplers.random_bounded(size, 3, rng, connected=bool(seed % 2)), rng


@pytest.mark.parametrize("name", GRAPHS)
def test_states_of_searches_satisfy_the_hypothesis_of_their_round_and_not_of_the_next(name):
    _check_searches(GRAPHS[name])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_states_of_searches_on_random_graphs_satisfy_the_hypothesis(seed):
    _check_searches(_random(seed)[0])


WEIGHTED = {
    "falls twice": {(0, 1): 5, (0, 2): 1, (2, 1): 2, (1, 3): -2, (3, 4): 4, (2, 4): 6},
    "negative cycle": {(0, 1): 1, (1, 2): -3, (2, 1): 1, (3, 1): 1, (2, 3): 0},
    "negative loop": {(0, 1): 2, (1, 1): -1, (1, 2): 1},
}


def _rounds(weights, num_nodes, rounds):
    """By round before which they hold: distances and parents, as the textbook's loops find them."""
    distance, parent, fell = {0: 0}, {}, set()
    for _ in range(rounds + 1):
        yield distance, parent, fell
        new, above = dict(distance), dict(parent)
        for v in range(num_nodes):
            for (u, end), weight in sorted(weights.items()):
                if end == v and u in distance:
                    total = distance[u] + weight
                    if v not in new or total < new[v]:
                        new[v], above[v] = total, u
        fell = {v for v in new if new[v] != distance.get(v)}
        distance, parent = new, above


def _check_bellman_ford(weights):
    arcs = nx.DiGraph()
    arcs.add_nodes_from(range(1 + max(max(pair) for pair in weights)))
    arcs.add_weighted_edges_from((u, v, weight) for (u, v), weight in weights.items())
    graph = graphs.from_networkx(arcs, weight="weight", self_loops="drop")
    heard = bellman_ford.with_negative_loops(graph)
    word, rounds = 5, bellman_ford.num_rounds(graph)
    sizes = {"degree": 3, "slots": graph.num_colours, "word": word}
    instance = bellman_ford.instance(graph, sources=[0], sizes=sizes)
    low, _ = bellman_ford.range_of_sums(heard, [0], rounds=rounds)
    program, steps = as_rechecked(instance.program), bellman_ford.steps_per_round(word=word)
    states = trace(instance)
    obligations = [
        statements.bellman_ford.build(f"step-{step}", program, sizes) for step in range(steps)
    ]
    known = list(_rounds(weights, graph.num_nodes, rounds))
    for time in range(0, rounds * steps, 1 + steps // 4):
        distance, parent, fell = known[time // steps]
        stored = [distance.get(v, low) - low for v in range(graph.num_nodes)]
        of = {"distance": stored, "reached": [v in distance for v in range(graph.num_nodes)]}
        late = []
        for node in range(graph.num_nodes):
            witness, members = near(heard, node, 3, of | {"state": states[time]})
            ports = list(enumerate(members[1:]))
            witness |= {f"weight{p}": weights[u, node] % 2**word for p, u in ports if u >= 0}
            witness["loop"] = sum(1 << p for p, u in ports if u == node)
            witness["parent"] = sum(1 << p for p, u in ports if parent.get(node) == u)
            witness["improved"] = int(node in fell)
            assert obligations[time % steps].failing(witness) == []
            late += obligations[(time + 1) % steps].failing(witness)
        assert late


@pytest.mark.parametrize("name", WEIGHTED)
def test_states_of_bellman_ford_satisfy_the_hypothesis_of_their_step(name):
    _check_bellman_ford(WEIGHTED[name])


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
def test_states_of_bellman_ford_on_random_graphs_satisfy_the_hypothesis(seed):
    graph, rng = _random(seed)
    # Both ways, with weights that make negative cycles in some of them.
    both = sorted(graph.to_directed().edges)
    _check_bellman_ford({pair: int(rng.integers(-1, 4)) for pair in both})
