"""Counters count to their limit and stay there, or begin again."""

import numpy as np
import pytest
from support.isolated import every, measured, run

from ntkexec.errors import ProgramError
from ntkexec.language import Builder, idioms
from ntkexec.language.idioms import costs


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("limit", [1, 2, 3, 6])
def test_a_counter_counts_to_its_limit_and_stays(limit, guarded):
    p = Builder("counter", slots=1, degree=0)
    count, go, seen = idioms.counter(p, "count", limit), p.flag("go"), p.flag("seen")
    with p.phase("count"):
        count.advance(**({"when": go} if guarded else {}))
    with p.phase("look"):
        p.assign(seen, count.full)
    with p.phase("rest"):
        pass
    program = p.compile()
    start, go = every(limit + 1, 2)
    for rounds in (1, 2, limit + 2):
        found = run(program, {"count": start, "go": go}, 3 * rounds)
        ticks = rounds * (go if guarded else np.ones_like(go))
        assert np.array_equal(found["count"], np.minimum(start + ticks, limit))
        assert np.array_equal(found["seen"], found["count"] == limit)
    assert measured(program, "count", steps=0) == costs.counter(limit, when=guarded)


def test_a_counter_begins_again():
    p = Builder("counter", slots=1, degree=0)
    count = idioms.counter(p, "count", 3)
    with p.phase("only"):
        count.advance(when=~count.full)
        count.reset(when=count.full)
    found = run(p.compile(), {"count": np.arange(4)}, 1)
    assert found["count"].tolist() == [1, 2, 3, 0]


def test_a_counter_needs_a_limit():
    p = Builder("counter", slots=1, degree=0)
    with pytest.raises(ProgramError, match="'count' counts to at least 1, not to 0"):
        idioms.counter(p, "count", 0)
