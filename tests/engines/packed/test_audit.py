"""A search compared with the program finds faults of its lists, of its states and of what it foresees."""

import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest
from support.waves import two_hops

from ntkexec import graphs
from ntkexec.engines.packed import execution, frontier, listeners, search
from ntkexec.engines.packed.checking import run_verified
from ntkexec.engines.packed.execution import prepare
from ntkexec.engines.packed.indices import Indices
from ntkexec.engines.packed.plan import PackedProgram
from ntkexec.engines.packed.silence import unforeseen
from ntkexec.engines.packed.waiting import Waiting
from ntkexec.errors import ExecutionError
from ntkexec.language import Builder, Flag, initial_states
from ntkexec.runtime import compilation

LENGTH, PATHS = 40, 8
ROUNDS = LENGTH + 2


def wave():
    """Whoever is reached says so once, and stops counting the rounds modulo 4."""
    p = Builder("wave", slots=5, degree=4)
    fresh, reached, count = p.flag("fresh"), p.flag("reached"), p.word("count", 2)
    inbox = p.message(Flag("call"))
    with p.phase("send"):
        p.send(inbox.call, fresh)
        p.clear(fresh)
    with p.phase("take"):
        p.assign(count, count + 1, when=~reached)
        for slot in p.slots:
            for flag in (fresh, reached):
                p.set(flag, when=inbox[slot].call & ~p.colour[slot] & ~reached)
    return p.compile()


@pytest.fixture(scope="module")
def prepared():
    """Waves along paths that end beside a star, which gives every node of them free ports."""
    program = wave()
    paths = [nx.path_graph(range(i * LENGTH, (i + 1) * LENGTH)) for i in range(PATHS)]
    star = nx.convert_node_labels_to_integers(nx.star_graph(4), PATHS * LENGTH)
    graph = graphs.from_networkx(nx.union_all([*paths, star]))
    begins = np.isin(np.arange(graph.num_nodes), np.arange(0, PATHS * LENGTH, LENGTH))
    values = {"colour": graph.colours, "fresh": begins, "reached": begins}
    states = initial_states(program, graph.num_nodes, values)
    return prepare(PackedProgram(program), graph.tuple._replace(nodes=states))


@pytest.fixture(autouse=True)
def short_calls(monkeypatch):
    monkeypatch.setattr(frontier, "MAX_ROUNDS", 8)
    monkeypatch.setattr(frontier, "LEAST_ROOM", 32)
    monkeypatch.setattr(frontier, "SHORT_SENDERS", 1)
    monkeypatch.setattr(frontier, "LONG", ROUNDS + 1)
    monkeypatch.setattr(frontier, "LARGER", 4)


def compared(prepared):
    now, left = prepared.sparse_rounds(prepared.start, ROUNDS, beside=True)
    assert left == 0
    return prepared.states(now.clock, now.rows)


def test_a_right_search_is_right(prepared):
    every = prepared.run(2 * ROUNDS)
    assert np.array_equal(compared(prepared), prepared.states(every.clock, every.rows))


def after_calls(monkeypatch, plant):
    """Plants a fault after the second call of a search."""
    rounds, calls = frontier.Frontier._rounds, []

    def one(self, room, foreseen):
        done = rounds(self, room, foreseen)
        calls.append(done)
        if len(calls) == 2:
            plant(self)
        return done

    monkeypatch.setattr(frontier.Frontier, "_rounds", one)


@pytest.mark.parametrize("node", [3, LENGTH + 17, LENGTH - 1], ids=["rests", "restless", "waits"])
@pytest.mark.parametrize("bit", [0, 2, 4, 5])
def test_a_wrong_bit_is_found_wherever_it_is(prepared, monkeypatch, node, bit):
    def flip(self):
        self._held = self._held.at[0, node].set(self._held[0, node] ^ (1 << bit))

    after_calls(monkeypatch, flip)
    with pytest.raises(ExecutionError, match=r"[1-9]\d* differences"):
        compared(prepared)


def test_a_node_that_is_missing_in_the_list_is_found(prepared, monkeypatch):
    def drop(self):
        self._restless = self._restless[:-1]

    after_calls(monkeypatch, drop)
    with pytest.raises(ExecutionError, match=r"from round 16 on: .* [1-9]\d* nodes missing"):
        compared(prepared)


def test_a_node_that_stands_twice_in_place_of_another_is_found(prepared, monkeypatch):
    def double(self):
        self._restless = np.append(self._restless[:-1], self._restless[0])

    after_calls(monkeypatch, double)
    with pytest.raises(ExecutionError, match=r" [1-9]\d* nodes missing"):
        compared(prepared)


def test_a_list_that_is_empty_too_early_is_found(prepared, monkeypatch):
    def drop(self):
        self._restless = self._restless[:0]

    after_calls(monkeypatch, drop)
    with pytest.raises(ExecutionError, match=r" [1-9]\d* nodes missing"):
        compared(prepared)


def test_a_hearer_that_is_not_told_is_found(prepared, monkeypatch):
    deaf = 2 * LENGTH + 20
    right = execution.PackedExecution._hearers

    def wrong(self):
        low = np.array(right(self).low)
        low[low == deaf] = self.num_nodes
        return Indices(jnp.asarray(low))

    monkeypatch.setattr(execution.PackedExecution, "_hearers", wrong)
    # Who reaches it stands in the list, it does not.
    with pytest.raises(ExecutionError, match=r"from round 19 on: .* [1-9]\d* nodes missing"):
        compared(prepared)


@pytest.mark.parametrize("name", ["count", "fresh"])
def test_a_state_of_the_waiting_that_was_foreseen_wrongly_is_found(prepared, monkeypatch, name):
    right, calls = Waiting.next, []
    bit = prepared.packed.program.layout.bits(name)[0]

    def wrong(self, ones):
        calls.append(ones)
        found = right(self, ones)
        return found ^ (1 << bit) if len(calls) == 12 else found

    monkeypatch.setattr(Waiting, "next", wrong)
    with pytest.raises(ExecutionError, match=r" [1-9]\d* rounds of nodes that wait"):
        compared(prepared)


def test_states_that_are_handed_on_wrongly_are_found(prepared, monkeypatch):
    right = frontier.up_to_date

    def wrong(held, pattern):
        first, *others = right(held, pattern)
        return first ^ jnp.zeros_like(first).at[1].set(1 << 7), *others

    monkeypatch.setattr(frontier, "up_to_date", wrong)
    with pytest.raises(ExecutionError, match="at the end: 1 differences"):
        compared(prepared)


@pytest.mark.slow
def test_what_is_said_at_a_free_port_of_a_full_list_is_found(prepared, monkeypatch):
    """A fault that there was: it was added to the words of the list's last node."""

    def of(cls, count, size, place, senders, hearers, *, silent, apart):
        def places(nodes):
            return jnp.minimum(place.at[nodes].get(mode="promise_in_bounds"), size - 1)

        valid = search.crossing.flags_of(jnp.arange(size) < count)
        return cls(valid, places(senders), senders != silent, places(hearers), apart)

    # Of each path there are four: who was reached now, those beside it, and who was reached before.
    for name, value in (("LONG", 0), ("LONG_AWAKE", 1), ("LONG_SENDERS", 1)):
        monkeypatch.setattr(frontier, name, value)
    compilation.clear()
    with monkeypatch.context() as patch:
        patch.setattr(listeners.Listeners, "of", classmethod(of))
        with pytest.raises(ExecutionError, match=r"[1-9]\d* differences"):
            compared(prepared)
    compilation.clear()
    compared(prepared)


@pytest.mark.slow
def test_a_comparison_goes_that_way_by_itself_and_goes_on_after_it(prepared, monkeypatch):
    monkeypatch.setattr(execution, "FRONTIER_NODES", 1)
    monkeypatch.setattr(execution, "FRONTIER_ROUNDS", 1)
    steps = 2 * ROUNDS + 1
    mask = np.ones(prepared.num_nodes, bool)
    now, found = run_verified(prepared, steps, mask)
    every = prepared.run(steps)
    assert found.exact
    assert now.step == steps
    one, other = (prepared.states(n.clock, n.rows) for n in (now, every))
    assert np.array_equal(one, other)


@pytest.mark.slow
def test_rounds_in_which_messages_travel_further_are_compared_too(monkeypatch):
    program, graph = two_hops(), graphs.load("path:200")
    values = {"colour": graph.colours, "here": np.arange(200) == 100}
    inputs = graph.tuple._replace(nodes=initial_states(program, 200, values))
    both = prepare(PackedProgram(program), inputs)
    now, left = both.sparse_rounds(both.start, 30, beside=True)
    every = both.run(now.step)
    assert left == 0
    one, other = (both.states(n.clock, n.rows) for n in (now, every))
    assert np.array_equal(one, other)
    right = both._hearers()
    low = np.array(right.low)
    low[low == 117] = both.num_nodes
    monkeypatch.setattr(
        execution.PackedExecution, "_hearers", lambda _: Indices(jnp.asarray(low), right.high)
    )
    with pytest.raises(ExecutionError, match=r" [1-9]\d* nodes missing"):
        both.sparse_rounds(both.start, 30, beside=True)


def test_what_waits_must_not_depend_on_what_differs_from_node_to_node():
    p = Builder("own-pace", slots=3, degree=2)
    mine, count = p.flag("mine"), p.word("count", 3)
    with p.phase("one"), p.when(mine):
        p.assign(count, count + 1)
    with p.phase("two"):
        p.assign(count, count)
    program = p.compile()
    mine, low = program.layout.bit("mine"), 1 << program.layout.bit("count")
    orbit = PackedProgram(program).orbit(dict.fromkeys(program.layout.bits("phase"), False))
    assert unforeseen(program, orbit.ring, [mine], [0, 0, 0]) == 2
    # With that bit known to all, 0 or 1.
    assert unforeseen(program, orbit.ring, [], [0, 0, 0]) == 0
    assert unforeseen(program, orbit.ring, [], [0, low]) == 1
    assert unforeseen(program, orbit.ring, [], [1 << mine, 1 << mine | low, 1 << mine]) == 1
    # It is not kept if it is said to be.
    assert unforeseen(program, orbit.ring, [low.bit_length() - 1], [1 << mine, 1 << mine]) == 1
