"""Sums by every carry, and increments, on all inputs."""

import numpy as np
import pytest
from support.isolated import every, measured, run

from ntkexec.errors import ProgramError
from ntkexec.language import Builder, idioms
from ntkexec.language.idioms import costs

CASES = [
    *[("ripple", 1, length) for length in (1, 2, 3, 5)],
    *[("lookahead", 1, length) for length in (1, 2, 3, 4)],
    *[("prefix", 1, length) for length in (1, 2, 3, 4, 5)],
    *[(carry, 2, 2) for carry in ("ripple", "lookahead", "prefix")],
]


def add_program(pairs, length, **options):
    """Sums of several pairs, and a last phase in which the carries are taken over."""
    p = Builder("add", slots=1, degree=0)
    ones = [p.word(f"one{i}", length) for i in range(pairs)]
    others = [p.word(f"other{i}", length) for i in range(pairs)]
    sums = [p.word(f"sum{i}", length) for i in range(pairs)]
    over = p.flags("over", pairs)
    carries = idioms.add(p, sums, list(zip(ones, others)), **options)
    with p.phase("last"):
        for flag, carry in zip(over, carries):
            p.assign(flag, carry)
    return p.compile()


def phases_of(carry, length):
    ripple = [f"add {place}" for place in range(length)]
    return {
        "ripple": ripple,
        "lookahead": ["add"],
        "prefix": ["add: kill", "add: carry", "add: sum"],
    }[carry]


@pytest.mark.parametrize("carry_out", [True, False])
@pytest.mark.parametrize("carry, pairs, length", CASES)
def test_add_gives_every_sum_and_its_carry_at_its_price(carry, pairs, length, carry_out):
    program = add_program(pairs, length, carry=carry, carry_out=carry_out)
    numbers = every(*[2**length] * (2 * pairs))
    names = [f"{kind}{i}" for i in range(pairs) for kind in ("one", "other")]
    found = run(program, dict(zip(names, numbers)), learned=carry_out and (pairs, length) == (1, 3))
    for i in range(pairs):
        one, other = numbers[2 * i], numbers[2 * i + 1]
        assert np.array_equal(found[f"sum{i}"], (one + other) % 2**length)
        assert np.array_equal(found[f"one{i}"], one)
        assert np.array_equal(found[f"other{i}"], other)
        over = (one + other >> length).astype(bool) & carry_out
        assert np.array_equal(found["over.set"][:, i], over)
    price = costs.add(length, carry=carry, carry_out=carry_out)
    assert program.round_length == price.steps + 1
    found = measured(program, *phases_of(carry, length), steps=price.steps)
    assert found.templates == pairs * price.templates
    assert found.writers == price.writers


@pytest.mark.parametrize("carry", ["ripple", "lookahead", "prefix"])
def test_a_sum_may_replace_one_of_its_summands_and_be_signed(carry):
    p = Builder("add", slots=1, degree=0)
    x, y = p.word("x", 3, signed=True), p.word("y", 3, signed=True)
    idioms.add(p, [x], [(x, y)], carry=carry, carry_out=False)
    numbers = every(8, 8) - 4
    found = run(p.compile(), dict(zip("xy", numbers)))
    assert np.array_equal(found["x"], (numbers.sum(axis=0) + 4) % 8 - 4)
    assert np.array_equal(found["y"], numbers[1])


@pytest.mark.parametrize("length", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("carry_out", [True, False])
def test_auto_takes_the_fewest_templates_and_then_the_fewest_steps(length, carry_out):
    options = {"carry_out": carry_out}
    found = add_program(1, length, carry="auto", **options)
    by_way = {way: add_program(1, length, carry=way, **options) for way in costs.CARRIES}
    least = min(program.num_templates for program in by_way.values())
    cheapest = [way for way in by_way if by_way[way].num_templates == least]
    fewest = min(by_way[way].round_length for way in cheapest)
    assert found.num_templates == least
    assert found.round_length == fewest
    assert ("lookahead" in cheapest) == (length <= 2)


def test_a_missing_carry_is_noticed():
    # The broken twin: bits added without carries are wrong somewhere, at every length but one.
    p = Builder("xor", slots=1, degree=0)
    x, y, z = (p.word(name, 2) for name in "xyz")
    with p.phase("only"):
        for a, b, c in zip(x, y, z):
            p.assign(c, (a & ~b) | (~a & b))
    numbers = every(4, 4)
    assert not np.array_equal(run(p.compile(), dict(zip("xy", numbers)))["z"], numbers.sum(0) % 4)


def test_add_refuses_what_does_not_match():
    p = Builder("add", slots=1, degree=0)
    x, y, long = p.word("x", 2), p.word("y", 3), p.word("long", 7)
    with pytest.raises(ProgramError, match="plus: 1 targets for 2 pairs"):
        idioms.add(p, [x], [(x, x), (x, x)], name="plus")
    with pytest.raises(ProgramError, match=r"plus: numbers of \[2, 3\] bits"):
        idioms.add(p, [x], [(x, y)], name="plus")
    with pytest.raises(ProgramError, match="plus: carry 'skip'; there are ripple, lookahead"):
        idioms.add(p, [x], [(x, x)], name="plus", carry="skip")
    with pytest.raises(ProgramError, match=r"look-ahead over 7 bits .* up to 6 bits"):
        idioms.add(p, [long], [(long, long)], carry="lookahead")


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("length", [1, 2, 3, 4])
def test_increments_of_both_kinds(length, guarded):
    at_once, ripple = (Builder("increment", slots=1, degree=0) for _ in range(2))
    for p in (at_once, ripple):
        x, go = p.word("x", length), p.flag("go")
        when = {"when": go} if guarded else {}
        if p is ripple:
            idioms.increment(p, x, **when)
        else:
            with p.phase("increment 0"):
                p.assign(x, x + 1, **when)
        with p.phase("rest"):
            pass
    x, go = every(2**length, 2)
    for p, price in (
        (at_once, costs.add_one(length, when=guarded)),
        (ripple, costs.increment(length, when=guarded)),
    ):
        program = p.compile()
        found = run(program, {"x": x, "go": go})
        assert np.array_equal(found["x"], (x + (go if guarded else 1)) % 2**length)
        phases = [f"increment {place}" for place in range(length)]
        assert measured(program, *phases, steps=price.steps) == price
        assert program.round_length == max(1, price.steps) + 1
