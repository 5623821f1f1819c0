"""What is kept in a process is shared by equal keys, and only by them."""

import pytest

from ntkexec.runtime.keeping import Kept


def test_a_value_is_computed_once_for_a_key():
    kept, calls = Kept(3), []

    def compute():
        calls.append(1)
        return len(calls)

    assert [kept.get("a", compute), kept.get("a", compute), kept.get(("a",), compute)] == [1, 1, 2]
    # Python takes these for equal.
    assert kept.get(1, compute) == 3
    assert kept.get(1.0, compute) == 4
    assert kept.get((True,), compute) == 5


def test_the_least_recently_asked_for_makes_room():
    kept = Kept(2)
    kept.get("a", lambda: 1)
    kept.get("b", lambda: 2)
    kept.get("a", lambda: 3)
    kept.get("c", lambda: 4)
    assert len(kept) == 2
    assert kept.get("a", lambda: 5) == 1
    assert kept.get("b", lambda: 6) == 6
    kept.clear()
    assert kept.get("a", lambda: 7) == 7


def test_a_failure_is_not_kept():
    kept = Kept(2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert kept.get("a", lambda: 1) == 1
