"""Real executions are instances of what the theorem about the queue's order assumes."""

import itertools

import networkx as nx
import numpy as np
import pytest
from support import queue_walk
from support.theorems import as_rechecked
from support.witnesses import near, trace

from ntkexec import graphs
from ntkexec.graphs.ports import in_neighbours
from ntkexec.programs.graph import bfs_queue
from ntkexec.recheck.theorem.statements.queue_order import order

DEGREE = 3
NAMES = ("order-choose", "order-send", "order-listen")


def executed(networkx_graph, source, word):
    """Obligations, graph, tree, walk and the states before all steps."""
    graph = graphs.from_networkx(networkx_graph)
    sizes = {"degree": DEGREE, "slots": graph.num_colours, "word": word}
    instance = bfs_queue.instance(graph, sources=[source], sizes=sizes)
    program = as_rechecked(instance.program)
    built = {name: order.build(name, program, sizes) for name in (*NAMES, "order-base", "final")}
    ports = in_neighbours(graph, DEGREE).tolist()
    neighbours = {v: [u for u in row if u >= 0] for v, row in enumerate(ports)}
    tree = queue_walk.tree_of(neighbours, source)
    return built, graph, tree, queue_walk.walk_of(tree), trace(instance)


def around(graph, node, tree, walk, number, states=None, word=4):
    """Values for all inputs of a node before a round."""
    values = {} if states is None else {"state": states}
    witness, members = near(graph, node, DEGREE, values)
    witness |= queue_walk.ghosts(tree, walk, number, members, word)
    now, then = (queue_walk.before(tree, walk, number + i) for i in (0, 1))
    for x, u in enumerate(members):
        if u < 0:
            continue
        seen = near(graph, u, DEGREE)[1][1:]
        if x:
            colours = [graph.colours[w] + 1 if w >= 0 else 0 for w in seen]
            witness |= {f"seen{x}.{q}": int(colour) for q, colour in enumerate(colours)}
            witness[f"back{x}"] = 1 << seen.index(node)
        if u != now.node:
            continue
        goes = [w >= 0 and w == then.node for w in seen]
        up = then.node not in (u, -1) and tree.level[u] > tree.level[then.node]
        witness |= {
            f"follows{x}": sum(1 << q for q, one in enumerate(goes) if one),
            f"stays{x}": int(then.node == u),
            f"claims{x}": int(now.mode == "visits"),
            f"alive{x}": int(up and tree.num_on(u, now.tour + 1) > 0),
            f"number{x}": {"visits": tree.level[u], "claims": 0}.get(now.mode, then.count),
        }
    return witness


def broken(run, nodes, rounds):
    """The reasons that some states break, by obligation."""
    built, graph, tree, walk, states = run
    out = {}
    for number, node in itertools.product(rounds, nodes):
        for place, name in enumerate(NAMES):
            at = 3 * number + place
            if at < len(states):
                witness = around(graph, node, tree, walk, number, states[at])
                if name == "order-send":  # of the node alone
                    witness = {
                        k: v for k, v in witness.items() if k[:5] != "state" or k == "state0"
                    }
                for why in built[name].failing(witness):
                    out.setdefault((name, why), (number, node))
    return out


GRAPH = nx.Graph([(0, 4), (4, 2), (2, 5), (5, 0), (5, 6), (6, 1), (4, 3), (3, 7), (7, 6)])


@pytest.fixture(scope="module")
def run():
    return executed(GRAPH, 5, 4)


def test_every_state_of_an_execution_satisfies_the_hypothesis(run):
    assert len(run[3]) > 30
    assert broken(run, (5, 4, 6), range(len(run[3]) + 6)) == {}


def test_the_answers_are_the_queue_of_networkx(run):
    tree = run[2]
    assert tree.order == [5, *(v for _, v in nx.bfs_edges(GRAPH, 5, sort_neighbors=sorted))]


def test_states_a_round_later_do_not_satisfy_it(run):
    _, graph, tree, walk, states = run
    for number in range(8):
        later = around(graph, walk[number].node, tree, walk, number, states[3 * number + 3])
        assert run[0]["order-choose"].failing(later)


def test_first_states_are_those_of_the_base(run):
    built, graph, tree, walk, _ = run
    for node in GRAPH:
        assert built["order-base"].failing(around(graph, node, tree, walk, 0)) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_executions_on_random_graphs_satisfy_the_hypothesis(seed):
    draw = np.random.default_rng(seed)
    graph = nx.random_labeled_tree(int(draw.integers(1, 15)), seed=seed)
    while max(dict(graph.degree).values()) > DEGREE:
        graph = nx.random_labeled_tree(len(graph), seed=int(draw.integers(1 << 30)))
    for u, v in draw.integers(len(graph), size=(6, 2)).tolist():
        if u != v and max(graph.degree[u], graph.degree[v]) < DEGREE:
            graph.add_edge(u, v)
    walked = executed(graph, int(draw.integers(len(graph))), 4)
    assert broken(walked, graph, range(len(walked[3]) + 6)) == {}
