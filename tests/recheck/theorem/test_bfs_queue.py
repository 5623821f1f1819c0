"""Breadth-first search in queue order: proved, not vacuous, refused where it should be."""

import itertools

import networkx as nx
import pytest

from ntkexec import graphs
from ntkexec.programs.graph import bfs_queue
from ntkexec.prove.solve import model_of
from ntkexec.recheck.theorem.statements.queue_order import messages, order
from ntkexec.recheck.theorem.step import fields
from tests.support.theorems import (
    Possible,
    as_rechecked,
    dropped,
    failing,
    refuted,
    theorem_of,
    vacuous,
)
from tests.support.witnesses import near, trace

SIZES = {"degree": 2, "slots": 5, "word": 3}
PROGRAM = as_rechecked(bfs_queue.program(**SIZES))


def test_every_obligation_is_proved_and_none_is_vacuous():
    theorem = theorem_of("bfs-queue", bfs_queue.program(**SIZES), SIZES)
    assert list(theorem.obligations) == [*messages.OBLIGATIONS, *order.OBLIGATIONS]
    for build in theorem.obligations.values():
        obligation = build()
        assert not vacuous(obligation)
        assert failing(obligation) == []


@pytest.mark.parametrize(
    ("control", "name", "parts"),
    [
        ({"coloured": False}, "choose", ["messages-apart"]),
        ({"coloured": False}, "listen", ["heard", "token"]),
        ({"single": False}, "send", ["messages-apart"]),
        ({"single": False}, "listen", ["parent", "token"]),
    ],
)
def test_what_is_assumed_is_needed(control, name, parts):
    found = failing(messages.build(name, PROGRAM, SIZES, **control))
    assert set(parts) <= set(found)


@pytest.mark.parametrize(
    ("control", "name", "part"),
    [
        ({"first": False}, "order-choose", "says"),
        ({"single": False}, "order-listen", "branches"),
        ({"coloured": False}, "order-listen", "messages-apart"),
        ({"without": "the parent is the first of the neighbours"}, "order-listen", "answer"),
        ({"without": "places differ"}, "order-listen", "answer"),
        ({"without": "places by level"}, "final", "read"),
        ({"without": "parents before children"}, "final", "read"),
        ({"without": "paths pass all levels"}, "order-choose", "says"),
        ({"without": "all descend from the source"}, "order-choose", "says"),
        ({"without": "y is among its ancestors' descendants"}, "order-listen", "walk"),
        ({"without": "count within the branch"}, "order-listen", "branches"),
        ({"without": "count outside the branch"}, "order-listen", "walk"),
        ({"without": "neighbours' levels"}, "order-choose", "done"),
        ({"without": "the source alone is on level 0"}, "order-base", "walk"),
        ({"without": "where the walk begins"}, "order-base", "walk"),
    ],
    ids=str,
)
def test_what_is_assumed_of_the_tree_and_the_walk_is_needed(control, name, part):
    obligation = order.build(name, PROGRAM, SIZES, **control)
    assert model_of(obligation.formula(part)) is not None


@pytest.mark.parametrize("name", ["order-choose", "order-listen"])
def test_assumptions_allow_every_level_and_every_count(name):
    possible = Possible(order.build(name, PROGRAM, SIZES))
    for mode, number in itertools.product(range(5), range(7)):
        assert possible(mode=1 << mode, count=number) == (mode < 4 or number > 0)
        assert possible(mode=1 << mode, tour=number)
        assert possible(mode=2, token0=1, level0=number, order0=number)
        assert possible(mode=16, age=number, level0=6 - number)
    assert not possible(mode=2, token0=1, count=3, order0=2)
    assert not possible(mode=16, token0=1)


def _each_is_refuted(every):
    for program in dropped(PROGRAM, every):
        assert refuted(messages.build, ["node-round"], program, SIZES)


def test_a_program_without_one_of_its_templates_is_refuted():
    _each_is_refuted(29)


@pytest.mark.slow
def test_a_program_without_any_of_its_templates_is_refuted():
    _each_is_refuted(1)


def test_states_of_real_executions_satisfy_the_hypothesis_with_one_token():
    networkx_graph = nx.Graph([(0, 1), (1, 2), (2, 3), (3, 0), (1, 4), (3, 5)])
    graph = graphs.from_networkx(networkx_graph)
    sizes = {"degree": 3, "slots": graph.num_colours, "word": 3}
    instance = bfs_queue.instance(graph, sources=[0], sizes=sizes)
    program = as_rechecked(instance.program)
    choose = messages.build("choose", program, sizes)
    modes = [fields(program, range(program.num_bits))[m][0] for m in ("called", "claims", "waits")]
    for states in trace(instance)[:-1:6]:
        token = [any(state >> bit & 1 for bit in modes) for state in states]
        assert sum(token) <= 1
        for node in range(graph.num_nodes):
            witness, members = near(graph, node, 3, {"state": states, "token": token})
            for x, u in enumerate(members[1:], 1):
                if u >= 0:
                    around = near(graph, u, 3)[1][1:]
                    seen = [graph.colours[w] + 1 if w >= 0 else 0 for w in around]
                    witness |= {f"seen{x}.{q}": int(colour) for q, colour in enumerate(seen)}
                    witness[f"back{x}"] = 1 << around.index(node)
            assert choose.failing(witness) == []
            # The token elsewhere contradicts the states.
            assert choose.failing(witness | {"token0": 1 - token[node]})


@pytest.mark.slow
@pytest.mark.parametrize(("degree", "word"), [(3, 4), (4, 8)])
def test_larger_sizes_are_proved(degree, word):
    sizes = {"degree": degree, "slots": degree**2 + 1, "word": word}
    theorem = theorem_of("bfs-queue", bfs_queue.program(**sizes), sizes)
    assert all(failing(build()) == [] for build in theorem.obligations.values())
