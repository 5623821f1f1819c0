"""On a split graph every node of a tree has, round by round, the state of the node that was split.

Both are carried out function by function, without any program; the references know of no rounds.
"""

import dataclasses

import networkx as nx
import numpy as np
import pytest

from ntkexec import graphs
from ntkexec.errors import NtkexecError, ProgramError
from ntkexec.programs.inputs import index_graph
from ntkexec.programs.local import (
    Bool,
    Fold,
    Gather,
    Local,
    Monoid,
    Range,
    Set,
    capped,
    least,
    simulate,
    union,
)
from ntkexec.programs.local.enumeration import values
from ntkexec.programs.local.examples import FAMILIES, automata, cole_vishkin
from ntkexec.programs.local.judging import outputs
from ntkexec.programs.local.simulation import nodes_of
from ntkexec.programs.local.split_simulation import simulate_split


def hubs():
    """Graphs with nodes of many neighbours, other nodes and parts beside them."""
    yield nx.star_graph(12)
    yield nx.karate_club_graph()
    yield nx.barabasi_albert_graph(20, 2, seed=4)
    yield nx.disjoint_union(nx.complete_graph(8), nx.path_graph(3))
    yield nx.relabel_nodes(nx.wheel_graph(9), lambda node: 8 - node)
    yield nx.empty_graph(2)


HUBS = [graphs.from_networkx(nx.Graph(graph.edges) if graph.edges else graph) for graph in hubs()]
BATCH = graphs.batch(HUBS)
TREES = graphs.batch([graphs.load(f"tree:n=20,d={d},seed=3") for d in (3, 12)] + HUBS[:1])


def on(family):
    return TREES if family is cole_vishkin.FAMILY else BATCH


SPLITTABLE = [family for family in FAMILIES if family.gathered is not None]


def test_all_but_the_rows_of_cells_run_on_split_graphs():
    assert [family for family in FAMILIES if family not in SPLITTABLE] == [automata.RULE_110]


@pytest.mark.parametrize("degree", [3, 4])
@pytest.mark.parametrize("family", SPLITTABLE, ids=lambda family: family.name)
def test_shipped_algorithms_on_split_graphs(family, degree):
    graph = on(family)
    split = graphs.split(graph, degree)
    assert split.depth >= 1
    inputs = None if family.node_inputs is None else family.node_inputs(graph)
    local = family.gathered.build(word=family.gathered.word(graph))
    rounds = local.rounds or family.rounds(graph, inputs)
    # Also before the end, when no node need have halted.
    running = dataclasses.replace(local, halted=None)
    for number in {1, rounds // 2}:
        found = simulate_split(running, split, rounds=number, inputs=inputs)
        states = simulate(running, graph, rounds=number, inputs=inputs)
        assert found == [states[owner] for owner in split.owner]
    states = simulate(local, graph, rounds=rounds, inputs=inputs)
    assert simulate_split(local, split, rounds=rounds, inputs=inputs) == [
        states[owner] for owner in split.owner
    ]
    answer = outputs(local, nodes_of(graph, inputs), states)
    expected = reference(family, graph, inputs, rounds)
    assert answer.keys() == expected.keys()
    for field, column in expected.items():
        np.testing.assert_array_equal(answer[field], column)


def reference(family, graph, inputs, rounds):
    """The reference's answer, part by part."""
    found = {}
    whole = index_graph(graph).to_undirected()
    for part in graph.node_ranges():
        numbers = {node: node - part.start for node in range(part.start, part.stop)}
        one = nx.relabel_nodes(whole.subgraph(numbers), numbers)
        rows = family.reference(one, None if inputs is None else inputs[part], rounds)
        for node in range(len(one)):
            for field, value in rows[node].items():
                found.setdefault(field, []).append(value)
    return found


MODULO = Monoid("sum modulo 5", Range(5), 0, lambda one, other: (one + other) % 5)
MONOIDS = [union(Set(3)), capped(3), least(Range(8)), MODULO]


def random_algorithm(monoid, seed, own):
    """An algorithm whose every decision comes from a table of random numbers."""
    rng = np.random.default_rng(seed)
    every = list(values(monoid.carrier))
    place = {value: index for index, value in enumerate(every)}
    sent = rng.integers(-1, len(every), size=6)
    after = rng.integers(6, size=(6, len(every)))
    counted = rng.permutation(len(every))

    def value(message, mark):
        return message if mark or message == monoid.unit else every[counted[place[message]]]

    return Local(
        name="random",
        state=Range(6),
        message=monoid.carrier,
        init=lambda node: (node.identifier + node.degree) % 6,
        send=lambda state: None if sent[state] < 0 else every[sent[state]],
        stages=(
            Gather(
                monoid,
                lambda state, total: int(after[state, place[total]]),
                own=own,
                mark=Bool(),
                marked=lambda node, other: (node.identifier * other) % 3 == 1,
                value=value,
            ),
        ),
        output=lambda state, node: {"state": state},
    )


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("monoid", MONOIDS, ids=lambda monoid: monoid.name)
def test_random_algorithms_on_split_graphs(monoid, own):
    seen = set()
    for seed in range(6):
        local = random_algorithm(monoid, seed, own)
        for degree in (3, 5):
            split = graphs.split(BATCH, degree)
            for rounds in range(4):
                states = simulate(local, BATCH, rounds=rounds)
                found = simulate_split(local, split, rounds=rounds)
                assert found == [states[owner] for owner in split.owner]
                seen.update(states)
    assert len(seen) == 6


# Twins that must fail.


def said(combine):
    """Every node sends its number from 1 to 3, and keeps what its neighbours' combine to."""
    return Local(
        name="said",
        state=Range(4),
        message=Range(4),
        init=lambda node: 1 + node.identifier % 3,
        send=lambda state: state,
        stages=(Gather(Monoid("mine", Range(4), 0, combine), lambda state, total: total),),
        output=lambda state, node: {"state": state},
    )


def last(one, other):
    return other or one


def mean(one, other):
    return (one + other) // 2 if one and other else one or other


@pytest.mark.parametrize("combine", [last, mean])
def test_without_the_laws_split_graphs_answer_otherwise(combine):
    with pytest.raises(ProgramError, match=r"not commutative|not associative"):
        said(combine).gather.check()
    assert not equal_on_split(said(combine))
    # And with them they do not.
    said(max).gather.check()
    assert equal_on_split(said(max))


def equal_on_split(local):
    split = graphs.split(BATCH, 3)
    states = simulate(local, BATCH, rounds=1)
    return simulate_split(local, split, rounds=1) == [states[owner] for owner in split.owner]


def test_what_sees_ports_is_refused():
    split = graphs.split(HUBS[0], 3)
    ports = dataclasses.replace(
        said(max), stages=(Fold(lambda state, message, port: port if message else state),)
    )
    with pytest.raises(ProgramError, match=r"said \(stages: Fold\) does not run on split graphs"):
        simulate_split(ports, split, rounds=1)
    with pytest.raises(NtkexecError, match="rule-110 does not run on split graphs"):
        automata.RULE_110.split(split)
