"""Compiled LOCAL algorithms do, round by round, what their Python functions do.

The functions are carried out directly by `simulate`; random algorithms and graphs are compared
state by state. Bodies in the instruction language are compared with the functions they stand for.
"""

import networkx as nx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from support.programs import FEW
from support.simulated import run

from ntkexec import graphs, pipeline, testing
from ntkexec.errors import GraphError, ProgramError
from ntkexec.programs import local
from ntkexec.programs.local import Bool, Fold, Local, Optional, Range, Record, Set, Step, Update
from ntkexec.programs.local.simulation import nodes_of, reverse_ports

GRAPHS = [
    nx.empty_graph(1),
    nx.path_graph(2),
    nx.path_graph(4),
    nx.star_graph(3),
    nx.cycle_graph(5),
    nx.disjoint_union(nx.complete_graph(3), nx.path_graph(2)),
    nx.complete_graph(4),
]


def assert_same(algorithm, graph, rounds):
    compiled = local.compile(algorithm, degree=graph.degree, slots=graph.num_colours)
    nodes = nodes_of(graph)
    found = run(
        compiled.program,
        graph,
        compiled.initial(graph, nodes),
        rounds * compiled.steps_per_round,
    )
    assert compiled.decode(found) == local.simulate(algorithm, graph, rounds=rounds)
    return compiled


def hashed(random_table, *key):
    """A number that depends on everything in the key, from a random table."""
    number = 0
    for entry in key:
        number = random_table[(3 * number + entry) % len(random_table)]
    return number


def code(message):
    return 0 if message is None else 1 + message


STATE = Record("State", a=Range(3), b=Bool(), c=Optional(Range(2)))


def random_algorithm(table, stages, addressed):
    """An algorithm whose every decision comes from a table of random numbers."""

    def mixed(state, *key):
        number = hashed(table, state.a, int(state.b), code(state.c), *key)
        c = None if number % 5 == 0 else number % 2
        return STATE(a=number % 3, b=number % 7 > 3, c=c)

    def send(state, port=0):
        number = hashed(table, state.a, int(state.b), port)
        return None if number % 4 == 0 else number % 3

    kinds = {
        "update": Update(lambda s, received: mixed(s, *map(code, received))),
        "fold": Fold(lambda s, m: mixed(s, code(m))),
        "fold with port": Fold(lambda s, m, port: mixed(s, code(m), port)),
        "step": Step(mixed),
    }
    return Local(
        name="random",
        state=STATE,
        message=Range(3),
        init=lambda node: mixed(STATE(a=0, b=False, c=None), node.identifier, node.degree),
        send=(lambda s, port: send(s, port)) if addressed else (lambda s: send(s)),
        stages=tuple(kinds[stage] for stage in stages),
        output=lambda state, node: {"a": state.a},
        addressed=addressed,
    )


@given(
    st.lists(st.integers(0, 1000), min_size=7, max_size=31),
    st.lists(st.sampled_from(["update", "fold", "fold with port", "step"]), min_size=1, max_size=2),
    st.booleans(),
    st.sampled_from(GRAPHS[:5]),
)
@example([5, 3, 8, 1, 9, 2, 6], ["step", "update"], False, GRAPHS[2])
@settings(FEW, max_examples=12)
def test_a_random_algorithm_and_its_program_agree_in_every_round(table, stages, addressed, graph):
    assert_same(random_algorithm(table, stages, addressed), graphs.load(graph), rounds=2)


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_addressed_messages_arrive_at_the_port_they_were_sent_to(graph):
    # Every node tells each neighbour at which port it has it; who is told knows the way back.
    degree = max(1, max(dict(graph.degree).values()))
    State = Record("State", told=local.Tuple(*[Optional(Range(degree))] * degree))
    algorithm = Local(
        name="where-am-i",
        state=State,
        message=Range(degree),
        init=lambda node: State(told=(None,) * degree),
        send=lambda state, port: port,
        stages=(Update(lambda state, received: State(told=tuple(received))),),
        output=lambda state, node: {"told": sum(t is not None for t in state.told)},
        addressed=True,
    )
    loaded = graphs.load(graph)
    compiled = local.compile(algorithm, degree=loaded.degree, slots=loaded.num_colours)
    states = run(
        compiled.program,
        loaded,
        compiled.initial(loaded, nodes_of(loaded)),
        compiled.steps_per_round,
    )
    order = sorted(graph)
    for node, state in zip(order, compiled.decode(states)):
        neighbours = sorted(graph[node])
        expected = [sorted(graph[other]).index(node) for other in neighbours]
        assert list(state.told) == expected + [None] * (degree - len(neighbours))


def test_the_way_back_leads_back():
    graph = graphs.load("random-bounded:n=20,d=4,seed=1")
    ports = reverse_ports(graph, 4)
    nodes = nodes_of(graph)
    for node in nodes:
        for port, other in enumerate(node.neighbours):
            assert nodes[other].neighbours[ports[node.identifier, port]] == node.identifier


def parity_of_ones(broken=False):
    """Counts, modulo 2, the neighbours that hold 1; a body does the same, or nearly."""
    State = Record("State", bit=Bool(), odd=Bool())

    def update(state, received):
        return state._replace(odd=sum(m is True for m in received) % 2 == 1)

    def body(p, state, received):
        heard = received.by_port()
        with p.phase("clear"):
            p.clear(state.odd)
        for message in heard[: -1 if broken else None]:
            with p.phase(f"count {heard.index(message)}"):
                one = message.present & message.value
                p.assign(state.odd, (state.odd & ~one) | (~state.odd & one))

    return Local(
        name="parity",
        state=State,
        message=Bool(),
        init=lambda node: State(bit=node.identifier % 3 > 0, odd=False),
        send=lambda state: state.bit,
        stages=(Update(update, body),),
        output=lambda state, node: {"odd": int(state.odd)},
    )


@pytest.mark.parametrize("graph", GRAPHS, ids=str)
def test_a_body_in_the_instruction_language_stands_for_its_function(graph):
    assert_same(parity_of_ones(), graphs.load(graph), rounds=2)


def test_a_body_that_does_something_else_is_noticed():
    with pytest.raises(AssertionError):
        assert_same(parity_of_ones(broken=True), graphs.load(nx.complete_graph(4)), rounds=1)


# Cost.


def test_sizes_stay_within_the_theorem():
    table = list(range(1, 40, 3))
    for stages in (["update"], ["fold", "step"], ["fold with port"]):
        for addressed in (False, True):
            for graph in (graphs.load(nx.path_graph(2)), graphs.load(nx.path_graph(3))):
                algorithm = random_algorithm(table, stages, addressed)
                compiled = local.compile(algorithm, degree=graph.degree, slots=graph.num_colours)
                certificate = pipeline.certify(compiled.program, bound=8, num_decisions=10**6)
                found = local.cost(compiled, certificate, rounds=4, num_decisions=10**6)
                assert found.steps == 4 * found.steps_per_round
                assert found.templates <= found.templates_bound
                assert found.state_bits <= found.state_bits_bound
                assert found.steps_per_round <= found.steps_per_round_bound
                assert found.ensemble_size <= found.ensemble_size_bound
                assert found.to_data()["tables"][0]["function"].startswith("send")


# What is refused.


def simple(**changes):
    State = Record("State", n=Range(3))
    parts = {
        "name": "simple",
        "state": State,
        "message": Range(3),
        "init": lambda node: State(n=0),
        "send": lambda state: state.n,
        "stages": (Step(lambda state: state),),
        "output": lambda state, node: {"n": state.n},
    }
    return Local(**parts | changes)


PATH = graphs.load(nx.path_graph(3))


def instance(algorithm, graph=PATH, rounds=1, degree=2, slots=3):
    return local.instance(
        local.compile(algorithm, degree=degree, slots=slots), graph, rounds=rounds
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"stages": ()}, "simple has no stage"),
        ({"stages": (len,)}, "an Update, a Fold, a Step or a Gather"),
        ({"message": Optional(Range(2))}, "optional already"),
        ({"init": lambda node: 7}, r"init of node 0: 7 is not a State \(n\)"),
        ({"init": lambda node: node.nonsense}, "init of node 0: .*nonsense"),
        ({"send": lambda state: state.n + 1}, "send with state.n = 2 gives 3 is not in the range"),
        ({"send": lambda state: state.m}, "AttributeError: State has no field 'm'"),
        (
            {"stages": (Fold(lambda s, m: s._replace(n=m)),)},
            "fold 0 at port 0 with message present = False gives n: None is not a whole number",
        ),
    ],
    # Not the changes: functions have other addresses in every process.
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_faulty_algorithm_is_refused_with_the_case_that_breaks_it(changes, message):
    with pytest.raises(ProgramError, match=message):
        instance(simple(**changes))


def test_a_graph_that_does_not_fit_is_refused():
    star = graphs.load(nx.star_graph(5))
    with pytest.raises(ProgramError, match="needs degree of at least 5, the program has 2"):
        instance(simple(), star)
    with pytest.raises(GraphError, match="undirected"):
        instance(simple(), graphs.load(nx.DiGraph([(0, 1)])))
    with pytest.raises(ProgramError, match="number of rounds cannot be negative"):
        instance(simple(), rounds=-1)


def test_a_node_that_never_halts_is_named_with_its_state():
    late = simple(
        init=lambda node: Record("State", n=Range(3))(n=node.identifier),
        halted=lambda state: state.n != 1,
    )
    prepared = instance(late, rounds=4)
    with pytest.raises(ProgramError, match=r"node 1 has not halted after 4 rounds.*State\(n=1\)"):
        prepared.decode(prepared.initial)


def test_messages_that_are_gone_are_not_read():
    def body(p, state, received):
        received.by_slot()

    late = simple(stages=(Step(lambda state: state), Update(lambda s, r: s, body)))
    with pytest.raises(ProgramError, match="for one step after they were sent"):
        local.compile(late, degree=2, slots=3)


def test_sets_of_more_elements_than_a_word_has_bits_fit():
    State = Record("State", heard=Set(70))
    algorithm = Local(
        name="large",
        state=State,
        message=Set(70),
        init=lambda node: State(heard=frozenset({node.identifier, 69})),
        send=lambda state: state.heard,
        stages=(Step(lambda state: state._replace(heard=state.heard - {69})),),
        output=lambda state, node: {"size": len(state.heard)},
    )
    assert_same(algorithm, PATH, rounds=1)


def test_the_learned_networks_run_an_algorithm_of_ones_own():
    algorithm = simple(stages=(Fold(lambda s, m: s._replace(n=min(2, s.n + (m == 0)))),))
    prepared = instance(algorithm, rounds=1)
    found = testing.assert_exact(prepared)
    assert prepared.decode(found.states)["n"].tolist() == [1, 2, 1]
