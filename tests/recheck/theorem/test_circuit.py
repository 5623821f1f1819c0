"""Gates and vectors are what Python's integers say, constants among them, and so are their clauses."""

import itertools
import operator
import random

import pytest

from ntkexec.prove.solve import model_of
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem import circuit as circuits
from ntkexec.recheck.theorem.circuit import FALSE, TRUE, Circuit
from ntkexec.recheck.theorem.obligation import Obligation

WIDTH = 3


def value(values, literal):
    return values[abs(literal)] == (literal > 0)


def number(values, bits):
    return sum(value(values, bit) << place for place, bit in enumerate(bits))


def test_gates_are_their_truth_tables_for_constants_and_equal_or_opposite_inputs_too():
    c = Circuit()
    x, y = c.variables(2)
    for inputs in itertools.product([x, -x, y, -y, TRUE, FALSE], repeat=3):
        a, b, d = inputs
        outputs = [
            c.all(inputs), c.any(inputs), c.xor(a, b), c.iff(a, b), c.implies(a, b),
            c.choose(a, b, d), c.at_most_one(inputs),
        ]  # fmt: skip
        for free in itertools.product([False, True], repeat=2):
            values = c.values(dict(zip((x, y), free, strict=True)))
            p, q, r = (value(values, one) for one in inputs)
            wanted = [
                p and q and r, p or q or r, p != q, p == q, q or not p, q if p else r,
                p + q + r <= 1,
            ]  # fmt: skip
            assert [value(values, one) for one in outputs] == wanted
    assert c.all([]) == TRUE
    assert c.any([]) == FALSE


def test_vectors_count_as_integers_do():
    rng = random.Random(0)
    for _ in range(40):
        c = Circuit()
        own = c.variables(4)
        pool = [*own, *(-bit for bit in own), TRUE, FALSE]
        x, y = ([rng.choice(pool) for _ in range(WIDTH)] for _ in "xy")
        constant = rng.randrange(1 << WIDTH)
        compared = [c.less(x, y), c.at_most(x, y), c.equal(x, y), c.equals(x, constant)]
        total, more, some = c.add(x, y), c.increment(x), c.where(own[0], x)
        either = c.select(own[1], x, y)
        for free in itertools.product([False, True], repeat=4):
            values = c.values(dict(zip(own, free, strict=True)))
            a, b = number(values, x), number(values, y)
            assert [value(values, one) for one in compared] == [
                a < b,
                a <= b,
                a == b,
                a == constant,
            ]
            assert number(values, total) == (a + b) % (1 << WIDTH)
            assert number(values, more) == (a + 1) % (1 << WIDTH)
            assert number(values, some) == (a if free[0] else 0)
            assert number(values, either) == (a if free[1] else b)
    with pytest.raises(ValueError, match="8 does not fit into 3 bits"):
        Circuit().number(8, WIDTH)
    with pytest.raises(ValueError, match="zip"):
        Circuit().equal([TRUE], [TRUE, TRUE])


@pytest.mark.parametrize("relation", [operator.le, operator.lt])
def test_a_formula_has_a_model_exactly_if_the_part_does_not_follow(relation):
    o = Obligation("order")
    c = o.circuit
    x, y, z = (o.input(name, WIDTH) for name in "xyz")
    o.assume(c.at_most(x, y) if relation is operator.le else c.less(x, y), "first")
    o.assume(c.less(y, z), "second")
    o.conclude(c.less(x, z), "together")
    o.conclude(TRUE, "nothing")
    o.conclude(c.less(x, y), "too much")
    follows = {part: model_of(o.formula(part)) is None for part in o.parts}
    assert follows == {"together": True, "nothing": True, "too much": relation is operator.lt}
    assert o.failing({"x": 1, "y": 1, "z": 2}) == ([] if relation is operator.le else ["first"])


def test_assumptions_that_are_false_have_no_instance():
    o = Obligation("vacuous")
    x = o.input("x", 1)
    o.assume(o.circuit.all([*x, -x[0]]), "both")
    o.conclude(FALSE, "anything")
    assert model_of(o.formula("anything")) is None
    assert all(o.failing({"x": bit}) == ["both"] for bit in (0, 1))


def test_sizes_that_nothing_holds_are_refused(monkeypatch):
    monkeypatch.setattr(circuits, "MOST_VARIABLES", 100)
    with pytest.raises(Rejected, match="more than 100 gates"):
        Circuit().variables(100)
