"""Each folder of tests has a share of the suite's processor time, so that it cannot creep.

A share is what a folder may take on the machine on which it was measured. How much slower another
machine is, or the same one while others use it, says a calibration by every process at its beginning
and at its end. It says so roughly: the same tests took 0.9 to 1.6 times what it foretold on machines
where other work shared the caches. So a folder over its share is named, and fails the run from twice
its share on. Processor time is not the time of a clock: waiting for a processor costs nothing.
"""

import collections
import os
import pathlib
import re
import time
from collections.abc import Mapping

import pytest

TESTS = pathlib.Path(__file__).parents[1]
SOURCE = pathlib.Path(__file__).read_text()

# Seconds of processor time that the calibration took where the shares were measured.
CALIBRATION = 0.12

# Seconds of processor time by folder: what was measured times two, and at least ten, for whichever
# folder comes first imports and compiles for the others.
SHARES = {
    ".": 25,
    "architecture": 80,
    "check": 10,
    "cli": 60,
    "complete": 10,
    "complexity": 25,
    "engines": 24,
    "engines/packed": 70,
    "ensemble": 85,
    "exactness": 15,
    "executor": 15,
    "experiments": 30,
    "experiments/data": 15,
    "experiments/graphs/lcm": 15,
    "experiments/harness": 15,
    "experiments/kits": 10,
    "experiments/kits/convnets": 15,
    "experiments/kits/detection": 15,
    "experiments/kits/federated": 10,
    "experiments/kits/graph": 10,
    "experiments/kits/graph_sets": 10,
    "experiments/kits/mesh": 10,
    "experiments/kits/nodes": 10,
    "experiments/kits/recommendation": 10,
    "experiments/kits/search": 10,
    "experiments/kits/transformer": 20,
    "experiments/kits/typed": 10,
    "graphs": 25,
    "language": 20,
    "language/idioms": 10,
    "plots": 10,
    "networkx_backend": 10,
    "program": 25,
    "programs": 15,
    "programs/arithmetic": 10,
    "programs/graph": 60,
    "programs/local": 35,
    "proofs_check": 40,
    "prove": 10,
    "recheck": 25,
    "recheck/theorem": 25,
    "report": 40,
    "runtime": 10,
    "universal": 10,
    "theory": 45,
}

# How many times its share a folder takes where it is no longer the machine's doing.
FAILING = 2.0

# What any port of a paper may take that has no share of its own above: a new one needs no line here.
OF_A_PORT = 10
PORT = re.compile(r"experiments/(graphs|vision|language|systems)/[^/]+")


def share_of(folder: str, shares: Mapping[str, float]) -> float | None:
    """What a folder may take; none if nothing says."""
    return shares.get(folder, OF_A_PORT if PORT.fullmatch(folder) else None)


def cpu_seconds() -> float:
    """Processor time of this process, and of those that it started and has waited for."""
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system


def calibrate() -> float:
    """Processor time of a fixed piece of work: to compile this file some times."""
    start = time.process_time()
    for _ in range(200):
        compile(SOURCE, "calibration", "exec")
    return time.process_time() - start


def complaints(
    taken: Mapping[str, float], shares: Mapping[str, float], slowness: float
) -> list[tuple[str, bool]]:
    """What is wrong with what the folders took, and whether that fails the run.

    Args:
        taken: seconds of processor time by folder.
        shares: what each may take.
        slowness: how many times longer than on the machine of the shares the same work takes.
    """
    found: list[tuple[str, bool]] = []
    for folder, seconds in sorted(taken.items()):
        share = share_of(folder, shares)
        if share is None:
            line = (
                f"{folder} has no share of the suite's time: it took {seconds:.1f} s of processor "
                f'time; add "{folder}": {max(10, round(2 * seconds / slowness))} to SHARES in '
                "tests/support/shares.py"
            )
            found.append((line, True))
        elif seconds > share * slowness:
            line = (
                f"{folder} took {seconds:.1f} s of processor time, and its share is "
                f"{share * slowness:.1f} s ({share:g} in SHARES of "
                f"tests/support/shares.py, times {slowness:.2f} for this machine now): make it "
                "quicker, mark what takes long as slow, or say why it may take more"
            )
            found.append((line, seconds > FAILING * share * slowness))
    return found


class Shares:
    """The plugin: measures every test, prints the sums by folder, and fails if one is far too large.

    It fails in runs of the default selection that compile as the suite does; others (slow tests,
    coverage, other flags of XLA) it only measures.

    Args:
        shares: by folder, in seconds of processor time.
        root: of the folders.
        binding: whether this run compiles as the one in which they were measured.
    """

    def __init__(
        self, shares: Mapping[str, float] = SHARES, root: pathlib.Path = TESTS, *, binding: bool
    ) -> None:
        self.shares, self.root, self.binding = shares, root, binding
        self.taken: collections.Counter[str] = collections.Counter()
        self.calibrations: list[float] = []
        self.found: list[tuple[str, bool]] = []

    def pytest_sessionstart(self, session):
        self.calibrations.append(calibrate())

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_protocol(self, item):
        before = cpu_seconds()
        try:
            return (yield)
        finally:
            folder = item.path.parent.relative_to(self.root).as_posix()
            self.taken[folder] += cpu_seconds() - before

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node):
        """The controller of several workers hears what one took."""
        taken, calibrations = getattr(node, "workeroutput", {}).get("shares", ({}, []))
        self.taken.update(taken)
        self.calibrations += calibrations

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session):
        self.calibrations.append(calibrate())
        config = session.config
        if hasattr(config, "workeroutput"):
            config.workeroutput["shares"] = (dict(self.taken), self.calibrations)
            return
        is_default = config.getoption("markexpr") == "not slow"
        if self.binding and is_default and not config.getoption("cov_source", None):
            self.found = complaints(self.taken, self.shares, self.slowness)
        if any(fails for _, fails in self.found) and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    @property
    def slowness(self) -> float:
        return max(1.0, max(self.calibrations) / CALIBRATION)

    def pytest_terminal_summary(self, terminalreporter):
        total = sum(self.taken.values())
        terminalreporter.section(f"processor time: {total:.0f} s")
        terminalreporter.write_line(
            f"times {self.slowness:.2f} the machine of the shares; by folder of tests/, with shares:"
        )
        for folder, seconds in self.taken.most_common():
            share = share_of(folder, self.shares)
            told = "    -" if share is None else f"{share:5g}"
            terminalreporter.write_line(f"{seconds:7.1f} {told}  {folder}")
        for line, fails in self.found:
            terminalreporter.write_line(line, red=fails, yellow=not fails)
