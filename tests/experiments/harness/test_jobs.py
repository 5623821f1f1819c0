"""Ports side by side: each in a process, each with its share of the processors, none stops the others."""

import os
import signal
import sys
import threading

import pytest

from experiments.harness import jobs, registry
from ntkexec.cli import main

SCRIPT = """
import os, signal, sys, time
slug = sys.argv[sys.argv.index("run") + 1]
print(f"{slug}, seed 100: numbers (1 of 1)", file=sys.stderr)
print("x" * 200_000)
with open(os.environ["SHARES"], "a") as shares:
    print(slug, *sorted(os.sched_getaffinity(0)), file=shares)
if slug == "bad":
    print("ntkexec: bad: no such thing", file=sys.stderr)
    sys.exit(2)
if slug == "stubborn":
    signal.signal(signal.SIGINT, signal.SIG_IGN)
if slug in ("stubborn", "slow"):
    open(os.environ["SHARES"] + str(os.getpid()), "w").close()
    print("started", file=sys.stderr, flush=True)
    time.sleep(60)
if slug == "killed":
    os.kill(os.getpid(), 9)
sys.exit(slug == "surprising")
"""


@pytest.fixture
def interpreter(tmp_path, monkeypatch):
    """Stands in for `python -P -m ntkexec`, since only the processes are tested."""
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    stand_in = tmp_path / "python"
    stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} {script} "$@"\n')
    stand_in.chmod(0o755)
    monkeypatch.setattr(jobs.sys, "executable", str(stand_in))
    monkeypatch.setenv("SHARES", str(tmp_path / "shares"))
    return tmp_path


@pytest.mark.skipif(
    not hasattr(os, "sched_getaffinity"), reason="processors are not to be had here"
)
def test_failures_are_named_and_the_others_measured(interpreter):
    lines = []
    slugs = ("good", "bad", "killed", "surprising")
    found = jobs.measure_side_by_side(slugs, ["--scale", "quick"], jobs=2, tell=lines.append)
    assert set(found) == {"bad", "killed"}
    assert found["bad"] == "no such thing"
    assert found["killed"] == (
        "its process ended with -9 (SIGKILL); it last said: killed, seed 100: numbers (1 of 1)"
    )
    for slug in slugs:
        assert f"{slug}, seed 100: numbers (1 of 1)" in lines
        assert [line for line in lines if line.startswith(f"{slug}: ")]
    mine = os.sched_getaffinity(0)
    for line in (interpreter / "shares").read_text().splitlines():
        share = set(map(int, line.split()[1:]))
        assert share <= mine
        assert len(share) <= max(1, -(-len(mine) // 2))


@pytest.fixture
def interruptible():
    """What was started in the background of a shell ignores interrupts, and so would its tests."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_run_leaves_no_process_and_says_nothing_more(interpreter, monkeypatch):
    monkeypatch.setattr(jobs, "PATIENCE", 0.3)
    lines, main, telling = [], threading.main_thread().ident, threading.Lock()

    def tell(line):
        with telling:  # two threads that both see the second start would interrupt twice
            lines.append(line)
            begun = line == "started" and lines.count("started") == 2
        if begun:
            threading.Thread(target=interrupt, daemon=True).start()

    stopped = threading.Event()

    def interrupt():
        signal.pthread_kill(main, signal.SIGINT)
        # Again if nothing came of it: while Python collects garbage, it prints an interrupt and goes on.
        if not stopped.wait(10):
            signal.pthread_kill(main, signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            jobs.measure_side_by_side(("slow", "stubborn", "good"), [], jobs=2, tell=tell)
    finally:
        stopped.set()
    started = [int(path.name[6:]) for path in interpreter.glob("shares?*")]
    assert len(started) == 2
    for process in started:
        with pytest.raises(ProcessLookupError):
            os.kill(process, 0)
    assert not any(line.startswith(("good", "slow: ", "stubborn: ")) for line in lines)


def test_those_that_wait_and_then_the_longest_are_measured_first(monkeypatch, tmp_path):
    orders = []

    def measured(slugs, options, **others):
        orders.append(list(slugs))
        return dict.fromkeys(slugs, "not here")

    monkeypatch.setattr(jobs, "measure_side_by_side", measured)
    names = list(registry.slugs())
    arguments = ["experiment", "run", "all", "--jobs", "2", "--out", str(tmp_path)]
    assert main(arguments) == 2
    (order,) = orders
    assert sorted(order) == sorted(names)
    abouts = [registry.find(slug).about for slug in order]
    waiting = [about.area == "systems" for about in abouts]
    assert waiting == sorted(waiting, reverse=True)
    assert 0 < sum(waiting) < len(names)
    for chosen in (True, False):
        times = [
            one.cpu_seconds for one, waits in zip(abouts, waiting, strict=True) if waits is chosen
        ]
        assert times == sorted(times, reverse=True)
    assert order != names
