"""Leaving out the nodes at which nothing happens changes nothing."""

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.waves import two_hops

from ntkexec import graphs, pipeline
from ntkexec.engines.packed import execution, frontier
from ntkexec.engines.packed.execution import prepare
from ntkexec.engines.packed.plan import PackedProgram
from ntkexec.engines.packed.waiting import Waiting, as_integer
from ntkexec.language import Builder, Flag, all_of, initial_states
from ntkexec.programs.graph import bfs_split


def both(packed, inputs, num_steps):
    """States after rounds at some nodes and after rounds at all, and how many rounds were sparse."""
    prepared = prepare(packed, inputs)
    rounds = num_steps // len(prepared.orbit.ring)
    some, left = prepared.sparse_rounds(prepared.start, rounds)
    every = prepared.run(some.step)
    one, other = (prepared.states(now.clock, now.rows) for now in (some, every))
    assert some.collisions == every.collisions
    return one, other, rounds - left


@pytest.mark.parametrize(
    "spec",
    [
        "random-bounded:n=150,d=3,seed=1,connected=0",
        "gnp:n=120,p=0.015,directed=1,seed=0",
    ],
)
def test_breadth_first_search_is_the_same_at_some_nodes(spec):
    instance = pipeline.prepare("bfs", spec)
    one, other, rounds = both(PackedProgram(instance.program), instance.graphs, instance.num_steps)
    assert np.array_equal(one, other)
    assert rounds == instance.num_steps // instance.program.round_length


def counted(monkeypatch):
    """Rounds and nodes carried out, call by call."""
    seen = []
    rounds = frontier.Frontier._rounds

    def one(self, room, foreseen):
        before = self.nodes
        done = rounds(self, room, foreseen)
        seen.append((done, self.nodes - before))
        return done

    monkeypatch.setattr(frontier.Frontier, "_rounds", one)
    return seen


def test_only_the_frontier_is_carried_out(monkeypatch):
    instance = pipeline.prepare("bfs", "path:2000")
    seen = counted(monkeypatch)
    one, other, rounds = both(PackedProgram(instance.program), instance.graphs, 1200)
    assert np.array_equal(one, other)
    assert rounds == sum(done for done, _ in seen) == 1200 // instance.program.round_length
    assert len(seen) == -(-rounds // frontier.MAX_ROUNDS)
    # The wave is one node wide; whoever was reached is restless until a round leaves it as it is,
    # after it has heard the next.
    assert all(nodes <= 6 * done for done, nodes in seen)


# The last way: no larger power pays, but a room of 384 does.
@pytest.mark.parametrize(
    ("share", "last", "enough"),
    [
        pytest.param(1, 0, True, marks=pytest.mark.slow),
        (1 / 16, 0, False),
        (1 / 16, 1 / 9, True),
    ],
)
def test_more_room_is_made_as_long_as_it_pays(share, last, enough, monkeypatch):
    monkeypatch.setattr(frontier, "LEAST_ROOM", 128)
    monkeypatch.setattr(frontier, "LARGEST_SHARE", share)
    monkeypatch.setattr(frontier, "LONG_SHARE", last)
    monkeypatch.setattr(frontier, "LONG", 0)
    seen = counted(monkeypatch)
    # A path that ends in a grid: few nodes, then many at once.
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(60, 60))
    graph.add_edges_from([(0, 3600), *((node, node + 1) for node in range(3600, 3620))])
    instance = pipeline.prepare("bfs", graph, source=3620)
    one, other, rounds = both(PackedProgram(instance.program), instance.graphs, instance.num_steps)
    assert np.array_equal(one, other)
    assert (rounds == instance.num_steps // 2) == enough
    assert rounds > 20
    assert (len(seen) > 1) == enough


def test_messages_that_travel_further_than_expected_would_be_missed(monkeypatch):
    instance = pipeline.prepare("bfs", "grid:11x13")
    monkeypatch.setattr(frontier, "exchanges", lambda *_: 0)
    one, other, _ = both(PackedProgram(instance.program), instance.graphs, instance.num_steps)
    assert not np.array_equal(one, other)


def test_a_long_search_uses_it_by_itself(monkeypatch):
    monkeypatch.setattr(execution, "FRONTIER_NODES", 1)
    monkeypatch.setattr(execution, "SMALL_NODES", 0)
    instance = pipeline.prepare("bfs", "path:70")
    prepared = prepare(PackedProgram(instance.program), instance.graphs)
    seen = counted(monkeypatch)
    now = prepared.run(instance.num_steps)
    answer = instance.decode(prepared.states(now.clock, now.rows))
    assert answer["distance"].tolist() == list(range(70))
    assert sum(done for done, _ in seen) == 69


@pytest.mark.parametrize(("spec", "pays"), [("path:90", True), ("star:9", False)])
def test_a_round_is_a_whole_level_of_a_split_graph_where_the_search_is_long(
    spec, pays, monkeypatch
):
    monkeypatch.setattr(execution, "FRONTIER_NODES", 1)
    monkeypatch.setattr(execution, "SMALL_NODES", 0)
    instance = pipeline.prepare("bfs", spec, split_degree=3)
    packed, steps = PackedProgram(instance.program), instance.num_steps
    prepared = prepare(packed, instance.graphs, num_steps=steps)
    seen = counted(monkeypatch)
    now = prepared.run(steps)
    answer = instance.decode(prepared.states(now.clock, now.rows))
    assert answer["distance"].tolist() == instance.reference()["distance"].tolist()
    level = bfs_split.steps_per_level(max(1, instance.split.depth))
    assert len(prepared.orbit.ring) == (level if pays else 2)
    # The fewest steps are compiled where no frontier follows.
    rounds = (steps - len(prepared.orbit.head)) // level
    assert sum(done for done, _ in seen) == (rounds if pays else 0)


def test_a_round_may_carry_messages_several_hops():
    program = two_hops()
    graph = graphs.load("path:200")
    values = {"colour": graph.colours, "here": np.arange(200) == 100}
    inputs = graph.tuple._replace(nodes=initial_states(program, 200, values))
    one, other, rounds = both(PackedProgram(program), inputs, 40)
    assert np.array_equal(one, other)
    assert rounds == 10
    assert other[:, program.layout.bit("here")].sum() > 1


def test_waiting_nodes_must_all_do_the_same():
    p = Builder("own-pace", slots=3, degree=2)
    mine, count = p.flag("mine"), p.word("count", 3)
    with p.phase("one"), p.when(mine):
        p.assign(count, count + 1)
    with p.phase("two"):
        p.assign(count, count)
    program = p.compile()
    packed = PackedProgram(program)
    mine = program.layout.bit("mine")
    ring = packed.orbit({bit: False for bit in program.layout.bits("phase")}).ring
    assert len(ring) == 2
    assert Waiting(packed, ring, frozenset([mine])).next(0) is None
    # If nobody differs there is nothing to wait for: the flag is then like any other bit.
    assert Waiting(packed, ring, frozenset()).next(0) == 0
    low = program.layout.bit("count")
    assert Waiting(packed, ring, frozenset()).next(as_integer([mine])) == as_integer([mine, low])


@st.composite
def waves(draw):
    """A random program of two phases, which sends and reacts, on a path where one node differs."""
    p = Builder("wave", slots=3, degree=2)
    flags = [p.flag(name) for name in "abc"]
    inbox = p.message(Flag("call"))

    def guard():
        chosen = draw(st.lists(st.sampled_from(flags), min_size=1, max_size=2, unique_by=id))
        return all_of(flag if draw(st.integers(0, 3)) else ~flag for flag in chosen)

    with p.phase("send"):
        p.send(inbox.call, guard())
        p.clear(flags[draw(st.integers(0, 2))], when=guard())
    with p.phase("take"):
        target = draw(st.integers(0, 2))
        for slot in p.slots:
            p.set(flags[target], when=inbox[slot].call & ~p.colour[slot])
        other = draw(st.sampled_from([i for i in range(3) if i != target]))
        p.set(flags[other], when=guard())
    program = p.compile()
    graph = graphs.load("path:100")
    here = np.arange(100) == draw(st.integers(0, 99))
    values = {"colour": graph.colours} | {name: here & draw(st.booleans()) for name in "abc"}
    return program, graph.tuple._replace(nodes=initial_states(program, 100, values))


@pytest.mark.parametrize(
    ("number", "least"), [(10, 2), pytest.param(30, 6, marks=pytest.mark.slow)]
)
def test_random_waves_are_the_same_at_some_nodes(number, least):
    sparse = []

    @given(waves(), st.integers(1, 9))
    @settings(max_examples=number, deadline=None, derandomize=True, database=None)
    def check(wave, rounds):
        program, inputs = wave
        one, other, done = both(PackedProgram(program), inputs, 2 * rounds)
        assert np.array_equal(one, other)
        sparse.append(done)

    check()
    # In many nobody may wait, since waiting nodes would send; how many depends on what is drawn. A
    # fifth of the waves at least spread or died at some nodes only.
    assert sum(done > 0 for done in sparse) >= least
