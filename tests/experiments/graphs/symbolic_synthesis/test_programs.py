"""Programs: the graphs they draw, the search's order against brute force, compression that keeps graphs."""

import itertools
import math

import networkx as nx
import numpy as np
import pytest

from experiments.graphs.symbolic_synthesis import (
    Program,
    compress,
    enumerate_programs,
    graph_of_program,
    interpret,
    synthesise,
)
from experiments.graphs.symbolic_synthesis.compression import rewrite
from experiments.graphs.symbolic_synthesis.controls import random_graph
from experiments.graphs.symbolic_synthesis.enumeration import Grammar, programs_by_length
from experiments.graphs.symbolic_synthesis.language import PRIMITIVES, Abstraction, Graph, State
from ntkexec.errors import ExperimentError

PATH = "push(add(connect(push(next_port(add(connect(identity)))))))"


def state(text, library=()):
    return interpret(Program.parse(text, library), library=library)


def test_every_primitive_does_what_the_language_says():
    edge = state("push(add(connect(identity)))")
    assert edge == State(Graph((0, 1), ((2, 1, 0, 0),)), cursor=1, port=0, stack=(0,))
    assert state(PATH).graph == Graph((0, 1, 3), ((2, 1, 0, 0), (4, 3, 1, 1)))
    assert state("prev_port(identity)").port == 9
    assert state("push(add(connect(move(identity))))").cursor == 0
    # Nothing is added with an empty stack, or while a node dangles; nothing is joined to itself.
    assert state("add(identity)") == State()
    assert state("push(add(add(identity)))").graph.nodes == (0, 1)
    assert state("push(connect(identity))").graph.edges == ()
    # The port of the other end is taken.
    assert state("push(add(connect(push(add(connect(identity))))))").dangling
    # What a dangling node could be joined to stays on the stack.
    assert state("push(add(pop(identity)))").stack == (0,)
    assert state("push(push(pop(pop(pop(identity)))))").stack == ()


def test_func_keeps_a_connected_graph_and_nothing_else_and_a_conditional_compares_cursors():
    drawn = state("push(func(add(connect(identity)), identity))")
    assert drawn.graph.edges
    assert (drawn.cursor, drawn.stack) == (0, (0,))
    assert state("push(func(add(identity), identity))").graph == Graph()
    arms = "identity, next_port(identity), push(identity), identity"
    branch = f"push(add(connect(if_positions_equal({{}}, {arms}))))"
    assert state(branch.format("move(identity)")).stack == (0, 1)
    assert state(branch.format("move(move(identity))")).port == 1


def test_terms_are_read_as_they_are_written_and_nonsense_is_named():
    program = Program.parse(PATH)
    assert (Program.parse(str(program)), program.size) == (program, 8)
    for text in ("push(", "push(identity))", "()", "push(identity,)"):
        with pytest.raises(ExperimentError, match="no term"):
            Program.parse(text)
    for text in ("foo(identity)", "push(identity, identity)", "push(identity($0))", "push", "$x"):
        with pytest.raises(ExperimentError, match=r"arguments is neither .* push \(1\)"):
            Program.parse(text)
    with pytest.raises(ExperimentError, match="'draw' with 0 arguments"):
        interpret(Program("draw"))
    twice = Abstraction("twice", 1, Program.parse("push(push($0))"))
    assert state("twice(identity)", (twice,)).stack == (0, 0)
    with pytest.raises(ExperimentError, match=r"'nosuch' is no symbol .* if_positions_equal"):
        Grammar.weighted({"nosuch": 1})
    with pytest.raises(ExperimentError, match="nested too deeply"):
        interpret(Program.parse("push(" * 30 + "identity" + ")" * 30), library=deep())


def deep():
    """An abstraction that calls itself."""
    return (Abstraction("push", 1, Program.parse("push(push($0))")),)


def test_the_search_finds_what_brute_force_finds_at_the_same_lengths():
    grammar = Grammar.weighted({"push": 3, "add": 2, "if_positions_equal": 0.7})
    search = programs_by_length(grammar, expansions=10**5, open_terms=20)
    found = list(itertools.takewhile(lambda each: each.bits < 16.5, search))
    assert [each.bits for each in found] == sorted(each.bits for each in found)
    shortest = {}
    for program, bits in brute_force(grammar, 16.5):
        final = interpret(program)
        shortest[final] = min(bits, shortest.get(final, math.inf))
    assert len(shortest) > 50
    assert {each.state: pytest.approx(each.bits) for each in found} == shortest
    for each in found:
        assert interpret(each.program) == each.state
        assert grammar.bits(each.program) == pytest.approx(each.bits)


def brute_force(grammar, bits):
    """All terms below a length, with their lengths."""
    for name, arity in PRIMITIVES.items():
        cost = grammar.costs[name]
        if cost < bits:
            for arguments, used in sequences(grammar, arity, bits - cost):
                yield Program(name, arguments), cost + used


def sequences(grammar, number, bits):
    if not number:
        yield (), 0.0
        return
    for first, used in brute_force(grammar, bits - (number - 1) * grammar.costs["identity"]):
        for rest, more in sequences(grammar, number - 1, bits - used):
            yield (first, *rest), used + more


def test_no_two_graphs_of_the_search_are_isomorphic_and_turns_keep_graphs_and_save_bits():
    turns = synthesise(rounds=3, most=10, expansions=6000)
    graphs = [graph.to_networkx() for graph in turns[-1].graphs]
    assert len(graphs) > 10
    assert all(map(nx.is_connected, graphs))
    for one, other in itertools.combinations(graphs, 2):
        assert not nx.is_isomorphic(one, other)
    for turn in turns:
        assert turn.after <= turn.before
        for program, graph in zip(turn.kept, turn.graphs, strict=True):
            assert graph_of_program(program, library=turn.library) == graph
    assert turns[-1].after < turns[-1].before
    assert not enumerate_programs(Grammar.uniform(), expansions=2000, known=turns[-1].graphs)


def test_a_rewritten_term_has_the_fewest_symbols_and_calls_what_it_was_made_of():
    programs = [Program.parse(text) for text in (PATH, "push(add(connect(pop(identity))))")]
    made = compress(programs, rounds=1)
    (new,) = made.library
    assert (new.arity, str(new.body)) == (1, "add(connect($0))")
    assert made.after < made.before
    twice = Abstraction("f", 1, Program.parse("push(push($0))"))
    term = Program.parse("push(push(push(identity)))")
    assert rewrite(term, twice).size == 3
    swapped = Grammar.uniform((Abstraction("g", 2, Program.parse("func($1, $0)")),))
    with pytest.raises(ExperimentError, match="each once, from left to right"):
        next(programs_by_length(swapped, expansions=1))


def test_random_graphs_have_the_size_that_is_asked_for_and_ports_as_programs_would():
    generator = np.random.default_rng(0)
    for nodes, edges in ((2, 1), (5, 4), (6, 9), (8, 10)):
        graph = random_graph(generator, nodes, edges)
        drawn = graph.to_networkx()
        assert (len(drawn), drawn.size()) == (nodes, edges)
        assert nx.is_connected(drawn)
        ids = [*graph.nodes, *(edge[0] for edge in graph.edges)]
        assert sorted(ids) == list(range(nodes + edges))
        ends = [(node, port) for _, u, v, port in graph.edges for node in (u, v)]
        assert len(set(ends)) == 2 * edges
    with pytest.raises(ExperimentError, match="do not connect"):
        random_graph(generator, 5, 3)
