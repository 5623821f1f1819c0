"""What is shown of breadth-first search in queue order: proved, not vacuous, refused where it should be."""

import networkx as nx
import pytest

from ntkexec import graphs
from ntkexec.programs.graph import bfs_queue
from ntkexec.recheck.theorem.statements import bfs_queue as statement
from ntkexec.recheck.theorem.step import fields
from tests.support.theorems import (
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
    assert list(theorem.obligations) == list(statement.OBLIGATIONS)
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
    found = failing(statement.build(name, PROGRAM, SIZES, **control))
    assert set(parts) <= set(found)


def _each_is_refuted(every):
    for program in dropped(PROGRAM, every):
        assert refuted(statement.build, ["node-round"], program, SIZES)


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
    choose = statement.build("choose", program, sizes)
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
