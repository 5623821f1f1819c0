"""What is called a commutative monoid is one, by all triples of its values; what is none is refused."""

import itertools

import pytest

from ntkexec.errors import ProgramError
from ntkexec.programs.local import (
    Bool,
    Enum,
    Gather,
    Local,
    Monoid,
    Optional,
    Range,
    Record,
    Set,
    Step,
    capped,
    least,
    union,
)
from ntkexec.programs.local.enumeration import values

PAIR = Record("Pair", high=Range(4), low=Range(2))
FLAGS = Record("Flags", some=Set(2), any=Bool(), bits=Range(2))
SHIPPED = [union(FLAGS), union(Bool()), least(Range(8)), least(PAIR), capped(1), capped(6)]


@pytest.mark.parametrize("monoid", SHIPPED, ids=lambda monoid: f"{monoid.name} {monoid.unit}")
def test_the_laws_hold_for_all_values(monoid):
    every = list(values(monoid.carrier))
    assert monoid.check() == f"checked for all triples of {len(every)} values"
    # Again, one by one.
    for one, two, three in itertools.product(every, repeat=3):
        left = monoid.combine(monoid.combine(one, two), three)
        assert (
            left
            == monoid.combine(one, monoid.combine(two, three))
            == monoid.total((three, two, one))
        )
    assert all(monoid.combine(monoid.unit, one) == one for one in every)


def test_they_are_what_they_are_called():
    ones = [FLAGS(some=frozenset({place}), any=False, bits=place) for place in range(2)]
    assert union(FLAGS).total(ones) == FLAGS(some=frozenset({0, 1}), any=False, bits=1)
    assert least(PAIR).total([PAIR(high=2, low=0), PAIR(high=1, low=1)]) == PAIR(high=1, low=1)
    assert capped(6).total([1, 2, 2]) == 5
    assert capped(6).total([4, 4]) == 6


def monoid(combine, unit=0, carrier=None, **options):
    return Monoid("mine", carrier or Range(4), unit, combine, **options)


def last(one, other):
    """Associative, with 0 as unit, and not commutative."""
    return other if other else one


def mean(one, other):
    """Commutative, with 0 as unit, and not associative."""
    return (one + other + 1) // 2 if one and other else one or other


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        (monoid(last), "not commutative: 1 with 2 is 2, and the other way round 1"),
        (monoid(mean), r"not associative: \(1 with 2\) with 3 is 3, and 1 with \(2 with 3\) is 2"),
        (monoid(max, unit=1), "1 is no unit, since with 0 it is 1"),
        (monoid(lambda a, b: a + b), "combine of 1 and 3: 4 is not in the range 0 to 3"),
        (monoid(lambda a, b: a // b), "combine of 0 and 0 raises ZeroDivisionError"),
        (monoid(max, unit=7), "the unit: 7 is not in the range 0 to 3"),
        (monoid(max, carrier=Range(1000)), "1,000 values have too many triples"),
        (monoid(last, carrier=Range(1000), law="I say so"), "not commutative"),
        (monoid(mean, carrier=Range(1000), law="I say so"), "not associative"),
    ],
)
def test_what_is_none_is_refused_with_the_values(broken, message):
    with pytest.raises(ProgramError, match=message):
        broken.check()


def test_large_carriers_need_a_reason():
    large = monoid(max, carrier=Range(1000), law="the larger of two in a total order")
    assert large.check() == "the larger of two in a total order, and 729 triples checked"
    assert least(Range(1 << 20)).check().startswith("the smaller of two in a total order")


def test_only_what_they_are_made_for_is_united_and_compared():
    with pytest.raises(ProgramError, match="not word: Enum"):
        union(Record("Words", word=Enum("a", "b")))
    with pytest.raises(ProgramError, match="ranges of 2\\^b numbers, not a value: Range"):
        least(Range(5))
    with pytest.raises(ProgramError, match="not present: Bool"):
        least(Optional(Range(4)))


def algorithm(*stages, message=None):
    return Local(
        name="mine",
        state=Range(4),
        message=message or Range(4),
        init=lambda node: 0,
        send=lambda state: state,
        stages=stages,
        output=lambda state, node: {"state": state},
    )


def test_stages_that_cannot_be_meant_are_refused():
    gather = Gather(monoid(max), lambda state, total: total)
    with pytest.raises(ProgramError, match="a Gather is the only stage"):
        algorithm(gather, Step(lambda state: state))
    with pytest.raises(ProgramError, match="of its monoid's carrier"):
        algorithm(gather, message=Range(5))
    with pytest.raises(ProgramError, match="mark, marked and value together"):
        Gather(monoid(max), lambda state, total: total, mark=Bool())
    loud = Gather(
        monoid(max),
        lambda state, total: total,
        mark=Bool(),
        marked=lambda node, other: True,
        value=lambda message, mark: 3 if mark else message,
    )
    with pytest.raises(ProgramError, match="the unit 0 at mark True counts as 3"):
        loud.check()
