"""Real executions of depth-first search are instances of what its theorem assumes."""

import random

import networkx as nx
import pytest
from support.depth_first import near, on_the_stack, run_of
from support.theorems import as_rechecked
from support.witnesses import trace

from ntkexec import graphs
from ntkexec.programs.graph import dfs
from ntkexec.recheck.theorem.statements.depth_first import simulation, stack

SIZES = {"degree": 3, "slots": 7, "word": 5}
# Two components, one of them a triangle with a tail and a node of degree 3, and a node alone.
GRAPH = nx.Graph([(0, 2), (2, 5), (5, 0), (5, 6), (1, 3), (1, 7), (7, 3)])
GRAPH.add_nodes_from(range(8))
PROGRAM = as_rechecked(dfs.program(**SIZES))


@pytest.fixture(scope="module", params=["dfs", "dfs-forest"])
def executed(request):
    """The graph's colours, its run, and the states before all steps."""
    graph = graphs.from_networkx(GRAPH)
    forest = request.param == "dfs-forest"
    sources = [min(own) for own in nx.connected_components(GRAPH)] if forest else [5, 4]
    instance = (
        dfs.forest_instance(graph, sizes=SIZES)
        if forest
        else dfs.instance(graph, sources=sources, sizes=SIZES)
    )
    run = run_of(GRAPH, sorted(sources) if forest else sources, forest=forest)
    before = trace(instance, instance.num_steps + 4)
    return instance.graph.colours + 1, run, before


@pytest.mark.parametrize("name", ["choose", "listen"])
def test_every_state_of_an_execution_satisfies_the_hypothesis(executed, name):
    colours, run, before = executed
    obligation = simulation.build(name, PROGRAM, SIZES)
    for step in range(name == "listen", len(before), 2):
        for node in (0, 1, 4, 5):
            witness = near(run, colours, SIZES, node, step // 2)
            members = [node, *run.neighbours(node)]
            witness |= {f"state{x}": before[step][own] for x, own in enumerate(members)}
            assert obligation.failing(witness) == [], (node, step)


def test_states_a_round_later_do_not(executed):
    colours, run, before = executed
    obligation = simulation.build("choose", PROGRAM, SIZES)
    witness = near(run, colours, SIZES, 5, 1)
    members = [5, *run.neighbours(5)]
    witness |= {f"state{x}": before[4][own] for x, own in enumerate(members)}
    assert any("hypothesis" in why for why in obligation.failing(witness))


def test_first_states_are_those_of_the_base(executed):
    colours, run, _ = executed
    obligation = simulation.build("base", PROGRAM, SIZES, clock=None)
    for node in GRAPH:
        assert obligation.failing(near(run, colours, SIZES, node, 0)) == []


def test_every_round_is_one_that_the_stack_machine_allows(executed):
    _, run, _ = executed
    draw = random.Random(0)
    obligations = {name: stack.build(name, SIZES["word"]) for name in stack.ROUNDS}
    met = set()
    for source, holders in run.holders.items():
        assert len(holders) == 2 * len(set(holders)) - 1
        for r in range(len(holders) + 2):
            here = [node for node in GRAPH if run.of.get(node) == source]
            named = {a: draw.choice(here) for a in stack.NAMES}
            parent = run.parent(named["x"])
            named |= {"q": named["q"] if parent is None else parent}
            name = "stack-rest"
            if r < len(holders):
                following = holders[r + 1] if r + 1 < len(holders) else named["w"]
                named |= {"u": holders[r], "w": following}
                named |= {"p": holders[r - 1]} if r else {}
                pushed = following not in holders[: r + 1]
                name = "stack-push" if pushed else "stack-pop"
                name = "stack-end" if r + 1 == len(holders) else name
            met.add(name)
            assert obligations[name].failing(on_the_stack(run, named, r)) == [], (name, r)
    assert met == set(stack.ROUNDS) - {"stack-base"}


def test_a_holder_does_not_leave_while_a_neighbour_is_not_discovered():
    run = run_of(GRAPH, [5])
    named = dict.fromkeys(stack.NAMES, 5) | {"w": 0}
    end = stack.build("stack-end", SIZES["word"])
    assert set(end.failing(on_the_stack(run, named, 0))) == {"all neighbours are discovered"}
