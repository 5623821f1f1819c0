"""Programs for split graphs do, hop by hop, what the LOCAL algorithm does on the original graph."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from support.instances import exact_answer, is_right, kernel_engine_for
from support.simulated import run

from ntkexec import executor, graphs, pipeline
from ntkexec.errors import GraphError, NtkexecError, ProgramError
from ntkexec.programs import prepare
from ntkexec.programs.local import Bool, Gather, Local, Monoid, Range, compile, simulate
from ntkexec.programs.local.examples import (
    FAMILIES,
    automata,
    bipartite,
    cole_vishkin,
    greedy,
    leader_election,
    neighbourhoods,
)
from ntkexec.programs.local.simulation import nodes_of
from ntkexec.programs.local.split_instances import split_instance
from ntkexec.programs.local.split_rounds import compile_split

SPLITTABLE = [family for family in FAMILIES if family.gathered is not None]
STAR = graphs.from_networkx(nx.star_graph(5))
# A hub that is not the first, next to another one.
TWO_HUBS = graphs.from_networkx(nx.Graph([(0, 4), (1, 4), (2, 4), (3, 4), (4, 5), (5, 0), (5, 1)]))
SMALL = graphs.batch([STAR, TWO_HUBS])


def by_hand(compiled, split, rounds, inputs=None):
    """The states of all nodes after so many rounds, by the program's templates one by one."""
    nodes = nodes_of(split.original, inputs)
    steps = compiled.num_steps(rounds, split)
    return compiled.decode(
        run(compiled.program, split.graph, compiled.initial(split, nodes), steps)
    )


def compiled_for(local, split, depth_bits=2):
    degree, slots = split.graph.degree, split.graph.num_colours
    return compile_split(local, degree=degree, slots=slots, depth_bits=depth_bits)


def assert_same(local, graph, degree, rounds, inputs=None):
    split = graphs.split(graph, degree)
    compiled = compiled_for(local, split)
    for number in range(1, rounds + 1):
        states = simulate(local, graph, rounds=number, inputs=inputs)
        found = by_hand(compiled, split, number, inputs)
        assert found == [states[owner] for owner in split.owner]
    return compiled


@pytest.mark.parametrize("family", SPLITTABLE, ids=lambda family: family.name)
def test_shipped_algorithms_round_by_round(family):
    graph = STAR if family is cole_vishkin.FAMILY else SMALL
    inputs = None if family.node_inputs is None else family.node_inputs(graph)
    local = family.gathered.build(word=family.gathered.word(graph))
    assert_same(dataclasses.replace(local, halted=None), graph, 3, 2, inputs)


MODULO = Monoid("sum modulo 3", Range(3), 0, lambda one, other: (one + other) % 3)
MARKED = Local(
    name="marked-sums",
    state=Range(3),
    message=Range(3),
    init=lambda node: (node.identifier + node.degree) % 3,
    # Silent at 1.
    send=lambda state: None if state == 1 else state,
    stages=(
        Gather(
            MODULO,
            lambda state, total: (state + 2 * total + 1) % 3,
            own=True,
            mark=Bool(),
            marked=lambda node, other: other > node.identifier,
            value=lambda message, larger: (2 * message) % 3 if larger else message,
        ),
    ),
    output=lambda state, node: {"state": state},
)


@pytest.mark.parametrize("degree", [3, 4])
def test_sums_by_tables_with_marks_silence_and_the_own_message(degree):
    compiled = assert_same(MARKED, SMALL, degree, 3)
    assert {"value at port 0", "combine port 0", "update"} <= {
        one.function for one in compiled.tables
    }


def test_the_same_algorithm_compiles_for_graphs_as_they_are():
    for local in (MARKED, neighbourhoods.build_size_gathered(word=6)):
        compiled = compile(local, degree=SMALL.degree, slots=SMALL.num_colours)
        for rounds in (1, 2):
            steps = rounds * compiled.steps_per_round
            states = compiled.initial(SMALL, nodes_of(SMALL))
            found = compiled.decode(run(compiled.program, SMALL, states, steps))
            assert found == simulate(local, SMALL, rounds=rounds)


def test_a_hop_is_as_long_as_the_monoid_takes():
    split = graphs.split(STAR, 3)
    # Send, listen, unite and turn; a mark takes a step, and so does a sum by its table at each port.
    lengths = [
        (neighbourhoods.SIZE, 4),
        (greedy.INDEPENDENT_SET, 5),
        (automata.LIFE, 6),
        # Candidates, two steps a bit, and the choice.
        (leader_election.FAMILY, 3 + 2 + 2 * 3),
    ]
    for family, expected in lengths:
        local = family.gathered.build(word=family.gathered.word(STAR))
        compiled = compiled_for(local, split)
        assert compiled.steps_per_hop == expected
        assert compiled.num_steps(7, split) == 7 * 3 * expected
    instance = pipeline.prepare("life", STAR, rounds=7, split_degree=3)
    assert (instance.slowdown, instance.slowdown_in) == (3, "hops")
    assert instance.num_steps == 7 * 3 * 6


# One program for all graphs.


def test_one_program_serves_graphs_of_every_depth_and_degree():
    sizes = {"degree": 3, "slots": 10, "word": 1, "depth_bits": 3}
    programs = set()
    for graph in (STAR, graphs.load("star:20"), graphs.load("path:3")):
        instance = automata.LIFE.split(graphs.split(graph), sizes=sizes, rounds=2)
        programs.add(instance.program.digest)
        engine = kernel_engine_for(instance.program)
        states = executor.execute(
            engine, instance.program, instance.graphs, num_steps=instance.num_steps
        )
        assert is_right(instance, states)
    assert len(programs) == 1


def test_exact_by_the_mean_of_the_networks_and_by_name():
    result = pipeline.run("bipartite", STAR, engine="kernel", split_degree=3)
    assert result.exact
    assert result.execution.verification.exact
    assert result.answer["side"].tolist() == [0, 1, 1, 1, 1, 1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["star:12", "karate", "hubs"])
@pytest.mark.parametrize("family", SPLITTABLE, ids=lambda family: family.name)
def test_exact_on_graphs_with_hubs(family, name):
    if family is cole_vishkin.FAMILY and name != "star:12":
        name = "tree:n=40,d=12,seed=2"
    hubs = nx.barabasi_albert_graph(30, 2, seed=5)
    graph = graphs.from_networkx(hubs) if name == "hubs" else graphs.load(name)
    answer = exact_answer(family.split(graphs.split(graph)))
    assert answer.keys() == family.prepare(graphs.load("path:3")).reference().keys()


@pytest.mark.slow
def test_trained_networks_are_exact():
    # By the certificate's bound a wrong bit has a probability of at most 1e-3.
    result = pipeline.run("independent-set", STAR, engine="ensemble", split_degree=3, delta=1e-3)
    assert result.exact
    assert result.execution.verification.exact


# Twins that must fail.


def test_one_hop_less_is_noticed():
    split = graphs.split(graphs.load("star:12"))
    instance = neighbourhoods.SIZE.split(split, rounds=1)
    start = instance.program.layout.bits("start")
    shorter = instance.initial.copy()
    # Of 2h + 1 hops two are left out: with h = 2 the counter begins at 2^2 - 2, and here at 2^2 - 1.
    assert split.depth == 2
    assert shorter[:, start].tolist() == [[False, True]] * len(shorter)
    shorter[:, start] = True
    steps = instance.num_steps // 5 * 3
    states = run(instance.program, split.graph, shorter, steps)
    sizes = instance.decode(states)["size"]
    assert not np.array_equal(sizes, instance.reference()["size"])
    assert is_right(instance, executed(instance, split))


def executed(instance, split):
    states = run(instance.program, split.graph, instance.initial, instance.num_steps)
    return dataclasses.make_dataclass("Found", ["states"])(states)


# What is refused.


def test_what_does_not_fit_is_refused():
    split = graphs.split(graphs.load("star:12"))
    sizes = {"degree": 3, "slots": 10, "word": 12, "depth_bits": 1}
    with pytest.raises(ProgramError, match="needs depth_bits of at least 2, the program has 1"):
        neighbourhoods.SIZE.split(split, sizes=sizes)
    with pytest.raises(ProgramError, match="needs word of at least 12"):
        neighbourhoods.SIZE.split(split, sizes=sizes | {"depth_bits": 2, "word": 5})
    compiled = compiled_for(MARKED, split)
    with pytest.raises(ProgramError, match="needs degree of at least 5"):
        split_instance(compiled, graphs.split(STAR, 5), rounds=1)
    with pytest.raises(GraphError, match="is directed"):
        split_instance(compiled, graphs.split(graphs.from_networkx(nx.DiGraph([(0, 1)]))), rounds=1)
    with pytest.raises(ProgramError, match=r"does not run on split graphs.*ports of a node"):
        compile_split(bipartite.FAMILY.build(degree=3, word=1), degree=3, slots=10, depth_bits=2)
    with pytest.raises(NtkexecError, match="rule-110 does not run on split graphs"):
        prepare("rule-110", "path:3", split_degree=3)


def test_sizes_with_a_counter_of_hops_are_those_of_a_split_graph():
    sizes = {"degree": 3, "slots": 10, "word": 6, "depth_bits": 3}
    instance = prepare("neighbourhood-size", STAR, sizes=sizes)
    assert instance.split is not None
    assert instance.split.most == 3
    assert instance.program == neighbourhoods.SIZE.program(**sizes)
