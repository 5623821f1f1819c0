"""A specification that was changed is refused, not proved, or says the same of all values."""

import copy
import itertools
import random

import pytest
from support.theorems import theorem_of

from ntkexec.prove.solve import model_of
from ntkexec.prove.specifications import specified
from ntkexec.prove.tables import look_up
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem.circuit import FALSE, TRUE, Circuit
from ntkexec.recheck.theorem.tables import is_value, width

SPOKEN = {"words", "compared", "values", "function", "name"}


def places(data, path=()):
    """Where something stands that decides what is claimed."""
    if isinstance(data, dict | list):
        for key in data if isinstance(data, dict) else range(len(data)):
            if key not in SPOKEN:
                yield (*path, key)
                yield from places(data[key], (*path, key))


def at(data, path):
    for key in path:
        data = data[key]
    return data


def mutated(data, rng):
    out, everywhere = copy.deepcopy(data), list(places(data))
    *path, key = rng.choice(everywhere)
    parent, other = at(out, path), copy.deepcopy(at(data, rng.choice(everywhere)))
    old = parent[key]
    if isinstance(parent, list) and rng.random() < 0.5:
        change = rng.choice(
            [lambda: parent.pop(key), lambda: parent.insert(key, old), parent.reverse]
        )
        change()
    elif type(old) is bool:
        parent[key] = not old
    else:
        parent[key] = old + rng.choice([-1, 1]) if type(old) is int else other
    return out


def values(kind):
    """The codes of a type's values."""
    for bits in itertools.product((False, True), repeat=width(kind)):
        if is_value(Circuit(), kind, [TRUE if bit else FALSE for bit in bits]) == TRUE:
            yield [*bits]


def meaning(data):
    """All that a specification of one message and one fold says of values, as its tables have it."""
    states, messages = [*values(data["state"])], [*values({"optional": data["message"]})]
    (send,), ((fold,),) = data["send"], [stage["tables"] for stage in data["stages"]]
    sent = [look_up(send["tree"], state) for state in states]
    folded = [look_up(fold["tree"], s + m) for s, m in itertools.product(states, messages)]
    return states, messages, sent, folded, data["fields"], data["parts"], data["addressed"]


def is_proved(given, data):
    try:
        theorem = theorem_of("local", given.program, given.sizes, data)
        obligations = [build() for build in theorem.obligations.values()]
    except (Rejected, ValueError, LookupError, TypeError, AttributeError):
        return False
    return all(model_of(o.formula(part)) is None for o in obligations for part in o.parts)


@pytest.mark.parametrize("mutants", [100, pytest.param(2000, marks=pytest.mark.slow)])
def test_what_is_proved_of_a_mutant_is_what_was_said_before(mutants):
    given, rng = specified("bipartite", degree=1), random.Random(mutants)
    wanted, proved = meaning(given.specification), 0
    for _ in range(mutants):
        data = mutated(given.specification, rng)
        if is_proved(given, data):
            proved += 1
            assert meaning(data) == wanted
    assert 0 < proved < mutants / 2
