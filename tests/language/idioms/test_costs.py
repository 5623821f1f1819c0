"""What statements and messages cost: the compiled programs against the formulas."""

import numpy as np
import pytest
from support.isolated import every, measured, run

from ntkexec.language import Builder, Flag, OneHot, Word, select
from ntkexec.language.idioms import costs

STATEMENTS = {
    "assign": (lambda p, x, y, **w: p.assign(x, y, **w), costs.assign),
    "set": (lambda p, x, y, **w: p.set(x, **w), lambda bits, when: costs.fill(when=when)),
    "clear": (lambda p, x, y, **w: p.clear(x, **w), costs.clear),
    "add_one": (lambda p, x, y, **w: p.assign(x, x + 1, **w), costs.add_one),
}
AFTER = {
    "assign": lambda x, y: y,
    "set": lambda x, y: np.full_like(x, -1),
    "clear": lambda x, y: np.zeros_like(x),
    "add_one": lambda x, y: x + 1,
}


def rest(p):
    """Two more phases."""
    for name in ("rest", "sleep"):
        with p.phase(name):
            pass


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("length", [1, 2, 3])
@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_do_what_they_say_at_their_price(name, length, guarded):
    statement, price = STATEMENTS[name]
    p = Builder("statement", slots=1, degree=0)
    x, y, go = p.word("x", length), p.word("y", length), p.flag("go")
    with p.phase("do"):
        statement(p, x, y, **({"when": go} if guarded else {}))
    rest(p)
    program = p.compile()
    x, y, go = every(2**length, 2**length, 2)
    found = run(program, {"x": x, "y": y, "go": go})
    expected = np.where(go if guarded else True, AFTER[name](x, y), x) % 2**length
    assert np.array_equal(found["x"], expected)
    assert measured(program, "do", steps=0) == price(length, when=guarded)


@pytest.mark.parametrize("length", [1, 2, 3])
def test_select_is_if_then_else(length):
    p = Builder("select", slots=1, degree=0)
    x, y, z, go = *(p.word(name, length) for name in "xyz"), p.flag("go")
    with p.phase("do"):
        p.assign(z, select(go, x, y))
    rest(p)
    program = p.compile()
    x, y, go = every(2**length, 2**length, 2)
    found = run(program, {"x": x, "y": y, "go": go})
    assert np.array_equal(found["z"], np.where(go, x, y))
    assert measured(program, "do", steps=0) == costs.select(length)


@pytest.mark.parametrize("slots, bits", [(2, 1), (5, 3)])
def test_messages_cost_a_template_for_each_slot_and_bit(slots, bits):
    p = Builder("messages", slots=slots, degree=2)
    x, heard, told = (p.word(name, bits) for name in ("x", "heard", "told"))
    to_me = p.flags("to_me", slots)
    goes = [p.flag(f"go{port}") for port in range(2)]
    inbox = p.message(Word("number", bits), OneHot("to", slots), Word("call", bits))
    with p.phase("send"):
        p.send(inbox.number, x)
    with p.phase("hear"):
        p.assign(heard, p.at_port(0, inbox.number))
    with p.phase("address"):
        for port, go in enumerate(goes):
            p.address(port, inbox.to, when=go & ~goes[1 - port])
    with p.phase("addressed"):
        for flag, mine in zip(to_me, p.addressed(inbox.to)):
            p.assign(flag, mine)
    with p.phase("call"):
        for port, go in enumerate(goes):
            p.call(port, inbox.call, x, when=go & ~goes[1 - port])
    with p.phase("called"):
        p.assign(told, p.called(inbox.call))
    program = p.compile()
    for name, price in {
        "send": costs.send(bits, slots),
        "hear": costs.at_port(bits, slots),
        "address": costs.address(slots, 2),
        "addressed": costs.addressed(slots),
        "call": costs.call(bits, slots, 2),
        "called": costs.called(bits, slots),
    }.items():
        assert measured(program, name, steps=0) == price, name


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_repeat_costs_its_counter_and_the_jump_back(times):
    p = Builder("repeat", slots=1, degree=0)
    x = p.word("x", 3)
    with p.repeat(times), p.phase("one"):
        pass
    with p.phase("two"):
        p.assign(x, x + 1)
    with p.phase("three"):
        pass
    program = p.compile()
    plain = Builder("plain", slots=1, degree=0)
    x = plain.word("x", 3)
    with plain.phase("one"):
        pass
    with plain.phase("two"):
        plain.assign(x, x + 1)
    with plain.phase("three"):
        pass
    kept = times if times > 1 else 0
    extra = program.num_templates - plain.compile().num_templates - kept
    assert extra == costs.repeat(times).templates


def test_a_flag_field_is_a_value_of_one_bit():
    p = Builder("flag", slots=1, degree=0)
    inbox = p.message(Flag("noise"))
    with p.phase("one"):
        p.send(inbox.noise)
    with p.phase("two"):
        pass
    assert measured(p.compile(), "one", steps=0) == costs.send(1, 1)
