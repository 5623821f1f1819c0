"""A command collects garbage seldom, and leaves the process that it runs in as it was."""

import gc

import pytest
from support.commands import in_subprocess

from ntkexec.cli import garbage


@pytest.mark.parametrize("before", [(700, 10, 10), (10**6, 3, 3)])
def test_garbage_is_collected_seldom_and_then_as_before(before):
    found = gc.get_threshold()
    try:
        gc.set_threshold(*before)
        with garbage.collected_seldom():
            assert gc.get_threshold() == (max(garbage.SELDOM, before[0]), *before[1:])
        assert gc.get_threshold() == before
    finally:
        gc.set_threshold(*found)


def test_whoever_collects_none_still_collects_none():
    found = gc.get_threshold()
    try:
        gc.set_threshold(0)
        with garbage.collected_seldom():
            assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*found)


def test_cycles_are_collected_while_a_command_runs_and_passed_over_at_its_end():
    source = """
import gc, weakref
from ntkexec.cli import garbage
class Loop: pass
def loop(said):
    one = Loop(); one.itself = one
    weakref.finalize(one, print, said).atexit = False
with garbage.collected_seldom():
    loop("during")
    kept = [[] for _ in range(2 * garbage.SELDOM)]
    print("done", flush=True)
    if {late}:
        loop("at the end")
"""
    for late in (False, True):
        found = in_subprocess("-c", source.replace("{late}", str(late)))
        assert (found.returncode, found.stderr) == (0, "")
        assert found.stdout.split("\n") == ["during", "done", ""]
