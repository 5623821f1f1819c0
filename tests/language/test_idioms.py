"""Priority, minimum and addition on all inputs, by the kernel engine and by the naive semantics."""

import itertools

import numpy as np
import pytest
from programs import expected_bits

from ntkexec import executor, pipeline
from ntkexec.errors import ProgramError
from ntkexec.language import Builder, idioms, initial_states
from ntkexec.message_passing import graphs_tuple


def run(program, values, num_steps):
    """The fields after some steps on isolated nodes; both routes must agree on every bit."""
    num_nodes = len(next(iter(values.values())))
    states = initial_states(program, num_nodes, values)
    no_edges = np.zeros(0, np.int32)
    certificate = pipeline.certify(program, num_decisions=10**6)
    assert certificate.certified
    found = executor.execute(
        pipeline.make_engine("kernel", certificate),
        program,
        graphs_tuple(no_edges, no_edges, num_nodes, nodes=states),
        num_steps=num_steps,
    )
    for _ in range(num_steps):
        states = expected_bits(program, states)
    assert np.array_equal(found.states, states)
    assert certificate.covers(found.verification.largest_matches)
    return program.layout.unpack(states)


def every(*sizes):
    """All tuples with entries below the sizes, one column for each."""
    return np.array(list(itertools.product(*map(range, sizes)))).T


# Priority.


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_priority_picks_the_first_condition_that_holds(size):
    p = Builder("priority", slots=1, degree=0)
    asked = p.flags("asked", size)
    picked = p.flags("picked", size, temporary=True)
    with p.phase("only"):
        for flag, first in zip(picked, idioms.priority(asked)):
            p.set(flag, when=first)
    program = p.compile()
    masks = np.arange(2**size)
    found = run(program, {"asked": masks}, 1)
    assert found["picked"].tolist() == (masks & -masks).tolist()  # the lowest bit of a mask
    assert program.round_length == 1
    # The colour and the flags are kept; the first choice shares the template of its flag.
    assert program.num_templates == 1 + size + size - 1


def test_priority_takes_conditions_of_any_form():
    p = Builder("priority", slots=1, degree=0)
    x, y = p.word("x", 2), p.word("y", 2)
    first = p.choice("first", 3)
    conditions = [(x == 1) | (y == 2), x != 0, y != 3]
    with p.phase("only"):
        p.clear(first)
    with p.phase("choose"):
        for bit, condition in zip(first, idioms.priority(conditions)):
            p.set(bit, when=condition)
    values = every(4, 4)
    found = run(p.compile(), dict(zip("xy", values)), 2)
    for x_value, y_value, chosen in zip(*values, found["first"]):
        holds = [x_value == 1 or y_value == 2, x_value != 0, y_value != 3]
        assert chosen == (holds.index(True) if any(holds) else -1)


def test_priority_of_nothing_is_nothing():
    assert idioms.priority([]) == ()


# Minimum.


def minimum_program(candidates, length):
    p = Builder("minimum", slots=1, degree=0)
    live = p.flags("live", candidates)
    numbers = [p.word(f"number{i}", length) for i in range(candidates)]
    idioms.minimum(p, live, numbers)
    return p.compile()


def clock(phases):
    """Templates of the ring; of two phases a flag says which it is."""
    return phases if phases > 2 else phases - 1


@pytest.mark.parametrize("candidates, length", [(1, 1), (4, 1), (2, 2), (3, 2), (2, 3), (1, 4)])
def test_minimum_leaves_just_the_live_candidates_with_the_smallest_number(candidates, length):
    program = minimum_program(candidates, length)
    assert program.round_length == 2 * length
    # Ring and colour; numbers kept; each bit looks at and drops each candidate; live is kept.
    own = candidates * (1 + 2 + 1) * length + candidates
    assert program.num_templates == clock(2 * length) + 1 + own
    live, *numbers = every(2**candidates, *[2**length] * candidates)
    values = {"live": live} | {f"number{i}": number for i, number in enumerate(numbers)}
    found = run(program, values, 2 * length)
    for before, after, row in zip(live, found["live"], np.transpose(numbers)):
        alive = [i for i in range(candidates) if before >> i & 1]
        least = min((row[i] for i in alive), default=0)
        assert after == sum(1 << i for i in alive if row[i] == least)
        assert (after == 0) == (before == 0)  # with none live, none is left
    for i, number in enumerate(numbers):
        assert np.array_equal(found[f"number{i}"], number)
    assert not found["minimum_zero"].any()


def test_minimum_can_be_used_twice_under_different_names():
    p = Builder("twice", slots=1, degree=0)
    live = [p.flags(f"live{i}", 2) for i in range(2)]
    x, y, z = (p.word(name, 2) for name in "xyz")
    idioms.minimum(p, live[0], [x, y], name="first")
    idioms.minimum(p, live[1], [y, z], name="second")
    program = p.compile()
    assert program.round_length == 8
    numbers = every(4, 4, 4)
    live_from = {"live0": np.full(64, 3), "live1": np.full(64, 3)}
    found = run(program, dict(zip("xyz", numbers)) | live_from, 8)
    for one, other, name in zip(numbers, numbers[1:], live_from):
        assert found[name].tolist() == ((one <= other) + 2 * (other <= one)).tolist()


def test_minimum_refuses_candidates_that_do_not_match():
    p = Builder("minimum", slots=1, degree=0)
    live, x, y = p.flags("live", 2), p.word("x", 2), p.word("y", 3)
    for flags, numbers in [(live, [x]), (live, [x, y]), (live[:1], [x, x]), ([], [])]:
        with pytest.raises(ProgramError, match=rf"least: {len(flags)} flags for numbers of \["):
            idioms.minimum(p, flags, numbers, name="least")


def test_idioms_with_phases_do_not_fit_into_a_phase():
    p = Builder("nested", slots=1, degree=0)
    x, live = p.word("x", 2), p.flag("live")
    with p.phase("outer"):
        with pytest.raises(ProgramError, match="begins inside phase 'outer'"):
            idioms.minimum(p, [live], [x])
        with pytest.raises(ProgramError, match="begins inside phase 'outer'"):
            idioms.add(p, [x], [(x, x)])


# Addition.


def add_program(pairs, length):
    """Sums of several pairs, and a last phase in which the carries are taken over."""
    p = Builder("add", slots=1, degree=0)
    ones = [p.word(f"one{i}", length) for i in range(pairs)]
    others = [p.word(f"other{i}", length) for i in range(pairs)]
    sums = [p.word(f"sum{i}", length) for i in range(pairs)]
    over = p.flags("over", pairs)
    carries = idioms.add(p, sums, list(zip(ones, others)))
    with p.phase("carry"):
        for flag, carry in zip(over, carries):
            p.assign(flag, carry)
    return p.compile()


@pytest.mark.parametrize("pairs, length", [(1, 1), (1, 2), (1, 3), (1, 5), (2, 3), (3, 2)])
def test_add_gives_every_sum_and_its_carry(pairs, length):
    program = add_program(pairs, length)
    assert program.round_length == length + 1
    # Of a pair: two summands and the sum are kept; the lowest bit has 2 + 1 products, others 4 + 3.
    of_a_pair = 3 * length + 3 + 7 * (length - 1)
    assert program.num_templates == clock(length + 1) + 1 + pairs * (of_a_pair + 2)
    if pairs < 3:
        numbers = every(*[2**length] * (2 * pairs))
    else:
        numbers = np.random.default_rng(0).integers(2**length, size=(2 * pairs, 1000))
    names = [f"{kind}{i}" for i in range(pairs) for kind in ("one", "other")]
    found = run(program, dict(zip(names, numbers)), length + 1)
    over = np.zeros(len(numbers[0]), int)
    for i in range(pairs):
        one, other = numbers[2 * i], numbers[2 * i + 1]
        assert np.array_equal(found[f"sum{i}"], (one + other) % 2**length)
        assert np.array_equal(found[f"one{i}"], one)
        assert np.array_equal(found[f"other{i}"], other)
        over = over + ((one + other) >> length << i)
    assert np.array_equal(found["over"], over)


def test_a_sum_may_replace_one_of_its_summands():
    # Bit b of a summand is read in the step that writes bit b of the sum, and never again.
    p = Builder("add", slots=1, degree=0)
    x, y = p.word("x", 3), p.word("y", 3)
    idioms.add(p, [x], [(x, y)])
    numbers = every(8, 8)
    found = run(p.compile(), dict(zip("xy", numbers)), 3)
    assert np.array_equal(found["x"], numbers.sum(axis=0) % 8)
    assert np.array_equal(found["y"], numbers[1])


def test_add_refuses_numbers_that_do_not_match():
    p = Builder("add", slots=1, degree=0)
    x, y = p.word("x", 2), p.word("y", 3)
    with pytest.raises(ProgramError, match="plus: 1 targets for 2 pairs"):
        idioms.add(p, [x], [(x, x), (x, x)], name="plus")
    with pytest.raises(ProgramError, match=r"plus: numbers of \[2, 3\] bits"):
        idioms.add(p, [x], [(x, y)], name="plus")
