"""Gateways and aggregators as processes: their memory, their ends, and what is left of them."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from experiments.systems.lifl.aggregator import Aggregator, Task
from experiments.systems.lifl.children import Child
from experiments.systems.lifl.cluster import Cluster
from experiments.systems.lifl.gateway import Gateway
from experiments.systems.lifl.planes import PLANES, Planes
from experiments.systems.lifl.rounds import run_round
from experiments.systems.lifl.states import flat_average
from ntkexec.errors import ExperimentError

pytestmark = pytest.mark.slow
SIZE = 3000
MEMORY = Path("/dev/shm")
PATIENCE = 60.0


def until(holds):
    """Waits for something to be so, on a machine that may be busy."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.01)


def is_gone(process):
    """Whether a process has ended, or waits to be buried by another."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.fixture(autouse=True)
def nothing_is_left():
    """No memory, no process and no thread of ours after any test, whatever happens in it."""
    before = set(os.listdir(MEMORY))
    yield
    assert not {name for name in set(os.listdir(MEMORY)) - before if name.startswith("psm_")}
    children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
    lines = {child: Path(f"/proc/{child}/cmdline").read_text() for child in children}
    assert not [line for line in lines.values() if "serve_alone" in line]
    assert threading.active_count() == 1


@pytest.fixture
def updates():
    return list(np.random.default_rng(0).normal(size=(10, SIZE)).astype(np.float32))


WEIGHTS = [3.0, 1.0, 4.0, 0.0, 5.0, 9.0, 2.0, 6.0, 5.0, 3.0]


def test_an_aggregator_reads_and_writes_the_gateways_own_memory(updates):
    with Gateway(SIZE, capacity=2) as gateway, Aggregator(gateway) as aggregator:
        for child in (gateway.child, aggregator.child):
            maps = Path(f"/proc/{child.process.pid}/maps")
            until(lambda maps=maps: gateway.store.layout.name in maps.read_text())
            assert "jaxlib" not in maps.read_text()
        aggregator.child.wait_until_ready()
        gateway.begin(1)
        gateway.send(updates[0], weight=2.0, ident=0)
        # After the gateway is done with it and before the aggregator reads it.
        gateway.store.models[0, 7] = 1000.0
        aggregator.assign(Task(1, 5, (0,)))
        assert aggregator.child.next_note(PATIENCE)["weight"] == 2.0
        found = gateway.store.models[aggregator.slot]
        assert found[7] == 2000.0
        assert (np.delete(found, 7) == np.delete(2 * updates[0], 7)).all()
        del found
        with pytest.raises(ExperimentError, match="places for 1 aggregators, not for number 1"):
            Aggregator(gateway, 1)


def test_rounds_are_the_flat_mean_whoever_is_promoted_reused_or_killed(updates):
    flat = flat_average(updates, WEIGHTS)
    with Cluster(3, SIZE, capacity=4) as cluster:
        calm = run_round(cluster, updates, WEIGHTS)
        assert np.abs(calm.mean - flat).max() <= 2e-6 * np.abs(flat).max()
        assert (calm.started, calm.restarted) == (5, 0)
        times = np.random.default_rng(1).uniform(0, 0.1, 10)
        lazy = run_round(cluster, updates, WEIGHTS, arrivals=times, eager=False)
        assert lazy.started == 0
        assert all(at >= due for at, due in zip(lazy.arrived, times))
        anyhow = run_round(cluster, updates, WEIGHTS, arrivals=times, ordered=False)
        assert np.abs(anyhow.mean - flat).max() <= 2e-6 * np.abs(flat).max()

        def kill_all_once_a_leaf_has_folded(update):
            if update == 3:
                until(lambda: cluster.counts()["folds"] > before)
                for aggregator in cluster.aggregators.values():
                    aggregator.child.kill()
                for gateway in cluster.gateways:
                    gateway.child.kill()

        before = cluster.counts()["folds"]
        killed = run_round(cluster, updates, WEIGHTS, before_update=kill_all_once_a_leaf_has_folded)
        assert killed.restarted == 8
        next(iter(cluster.aggregators.values())).child.kill()
        assert cluster.cpu_seconds() > 0
        after = run_round(cluster, updates, WEIGHTS)
        assert after.started == 1
    with Cluster(3, SIZE, capacity=4, reuse=False) as cluster:
        fresh = run_round(cluster, updates, WEIGHTS)
        assert fresh.started == len(fresh.tree.roles) == 8
        assert not cluster.aggregators
    for other in (lazy, killed, after, fresh):
        assert (other.mean == calm.mean).all()


def test_a_process_that_ends_between_rounds_is_started_again(updates):
    with Cluster(2, SIZE, capacity=5) as cluster:
        calm = run_round(cluster, updates, WEIGHTS)
        cluster.aggregators[0, 0].child.kill()
        cluster.gateways[1].child.kill()
        cluster.aggregators[0, 0].child.process.wait()
        cluster.gateways[1].child.process.wait()
        again = run_round(cluster, updates, WEIGHTS)
        assert (again.started, again.restarted) == (1, 0)
        assert (again.mean == calm.mean).all()


def _with_nan(updates):
    return [updates[0], updates[1] * np.float32(np.nan)]


def test_what_makes_no_round_is_refused_and_the_cluster_goes_on(updates):
    with Cluster(2, SIZE, capacity=[4, 6], aggregators=2, dtype=np.float32) as cluster:
        for why, given, changes in (
            ("a weight and a time for each", (updates, WEIGHTS[1:]), {}),
            ("a weight and a time for each", ([], []), {}),
            ("weight 1: a weight of float32", (updates[:2], [1, float("inf")]), {}),
            ("weight 0: a weight of float32", (updates[:2], [1e-46, 1e-46]), {}),
            ("a weight of float32", (updates[:2], [3e38, 3e38]), {}),
            ("update 0 is a MaskedArray", ([np.ma.masked_array(updates[0])], [1]), {}),
            ("update 1 holds .* not finite", (_with_nan(updates), [1, 0]), {}),
            ("function of capacities", (updates[:2], [1, 1]), {"place": [0, 1]}),
            ("ravel_pytree", ([{"w": updates[0]}], [1]), {}),
            ("patience is a finite", (updates[:2], [1, 1]), {"patience": float("nan")}),
            ("fan_in was 0", (updates[:2], [1, 1]), {"fan_in": 0}),
            ("all weights are 0", (updates[:2], [0, 0]), {}),
            ("arrivals are finite", (updates[:2], [1, 1]), {"arrivals": [-1, 0]}),
            ("update 1 is float64", ([updates[0], updates[1].astype(float)], [1, 1]), {}),
            ("more than the nodes' capacity of 10", (updates * 2, WEIGHTS * 2), {}),
            ("places for 2 aggregators; the round needs 3", (updates, WEIGHTS), {"leaves": [4, 1]}),
            ("leaves are counted", (updates, WEIGHTS), {"leaves": [4]}),
            ("folds take no time", (updates, WEIGHTS), {"fold_seconds": -1.0}),
            ("not placed", (updates, WEIGHTS), {"place": lambda left, sizes: (2,) * 10}),
            ("capacity of 4", (updates, WEIGHTS), {"place": lambda left, sizes: (0,) * 10}),
        ):
            cluster.queues = None
            with pytest.raises(ExperimentError, match=why):
                run_round(cluster, *given, **changes)
        assert run_round(cluster, updates, WEIGHTS, fan_in=1).weight == sum(WEIGHTS)

        def another(update):
            with pytest.raises(ExperimentError, match="a round is under way"):
                run_round(cluster, updates, WEIGHTS)

        assert run_round(cluster, updates, WEIGHTS, leaves=1, before_update=another).restarted == 0
    with pytest.raises(ExperimentError, match="is closed"):
        run_round(cluster, updates, WEIGHTS)
    with pytest.raises(ExperimentError, match="a capacity for each"):
        Cluster(2, SIZE, capacity=[1])
    with pytest.raises(ExperimentError, match="an update at least, not 0"):
        Cluster(2, SIZE, capacity=0)


@pytest.mark.parametrize("nodes", [1, 2])
def test_sums_that_overflow_are_an_error_and_no_mean(nodes):
    large = [np.full(SIZE, 1e37, np.float32)] * 2
    with Cluster(nodes, SIZE, capacity=2 // nodes) as cluster:
        assert run_round(cluster, large, [1.0, 1.0]).mean == pytest.approx(1e37)
        with pytest.raises(ExperimentError, match="gave up: a weighted sum of models is beyond"):
            run_round(cluster, large, [100.0, 100.0])


def test_a_callback_that_does_not_come_back_ends_the_round_in_time(updates):
    goes_on = threading.Event()
    with (
        Cluster(1, SIZE, capacity=10) as cluster,
        pytest.raises(ExperimentError, match=r"in time, .* before_update is still running"),
    ):
        run_round(cluster, updates, WEIGHTS, patience=1.0, before_update=lambda _: goes_on.wait())
    goes_on.set()
    until(lambda: threading.active_count() == 1)


def test_an_error_of_a_client_ends_the_round_and_everything(updates):
    cluster = Cluster(1, SIZE, capacity=10)
    held = [update.copy() for update in updates]

    def spoil(update):
        held[4][0] = np.nan  # after all was looked at

    with pytest.raises(ExperimentError, match="update 4: it holds numbers that are not finite"):
        run_round(cluster, held, WEIGHTS, before_update=spoil)
    assert cluster.closed

    def fail(update):
        raise RuntimeError("of the user")

    with Cluster(1, SIZE, capacity=10) as cluster, pytest.raises(RuntimeError, match="the user"):
        run_round(cluster, updates, WEIGHTS, before_update=fail)


def test_processes_that_end_again_and_again_are_an_error_that_says_what_they_said(updates):
    with Cluster(1, SIZE, capacity=10) as cluster:
        run_round(cluster, updates, WEIGHTS, leaves=[1])
        started = Child.__init__

        def broken(self, serve, settings, inherited=(), counted=None):
            started(self, serve, {**settings, "index": 10**6}, inherited, counted)

        cluster.aggregators[0, 0].child.kill()
        Child.__init__ = broken
        try:
            with pytest.raises(ExperimentError, match="a process ended with 1; it last said"):
                run_round(cluster, updates, WEIGHTS, leaves=[1])
        finally:
            Child.__init__ = started


def test_a_round_that_is_not_over_in_time_says_so(updates):
    cluster = Cluster(1, SIZE, capacity=10)
    with pytest.raises(ExperimentError, match=r"in time, 1 s after .*; 1 sums are missing"):
        run_round(cluster, updates, WEIGHTS, leaves=[1], fold_seconds=2.0, patience=1.0)


SCRIPT = """
import numpy as np, sys, time
from experiments.systems.lifl import Cluster, run_round
cluster = Cluster(2, 100, capacity=3)
updates = list(np.ones((4, 100), np.float32))
print(run_round(cluster, updates, [1.0] * 4).mean[0])
names = [gateway.store.layout.name for gateway in cluster.gateways]
children = [*cluster.gateways, *cluster.aggregators.values()]
print(*names, *(one.child.process.pid for one in children), flush=True)
{ending}
"""
ROUND = """
when = [0, 0, 0, 100.0]
tell = lambda update: print(update, flush=True)
run_round(cluster, updates, [1.0] * 4, arrivals=when, before_update=tell)
"""


@pytest.mark.parametrize(
    ("ending", "sent", "code", "says"),
    [
        ("", None, 0, "^$"),
        ("raise SystemExit(3)", None, 3, "^$"),
        ("1 / 0", None, 1, r"ZeroDivisionError: division by zero\s$"),
        (ROUND, signal.SIGINT, -signal.SIGINT, r"KeyboardInterrupt\s$"),
        (ROUND, signal.SIGKILL, -signal.SIGKILL, ""),
        ("GROUP" + ROUND, signal.SIGKILL, -signal.SIGKILL, ""),
        ("GROUP" + ROUND, signal.SIGHUP, -signal.SIGHUP, ""),
    ],
)
def test_nothing_is_left_of_a_script_without_guard_or_with(tmp_path, ending, sent, code, says):
    """However it ends, also within a round; and nobody runs it a second time."""
    script = tmp_path / "script.py"
    group = ending.startswith("GROUP")
    script.write_text(SCRIPT.format(ending=ending.removeprefix("GROUP")))
    pipes = {
        "start_new_session": True,
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "text": True,
    }
    with subprocess.Popen([sys.executable, str(script)], **pipes) as run:
        assert run.stdout.readline() == "1.0\n"
        words = run.stdout.readline().split()
        if sent is not None:
            assert run.stdout.readline() == "0\n"
            os.killpg(run.pid, sent) if group else run.send_signal(sent)
        said = run.stderr.read()
    assert run.returncode == code
    assert re.search(says, said)
    memory = [MEMORY / word for word in words if word.startswith("psm_")]
    processes = [word for word in words if word.isdigit()]
    assert (len(memory), len(processes)) == (2, 5)
    until(lambda: all(is_gone(process) for process in processes))
    until(lambda: not any(path.exists() for path in memory))


def test_what_is_handed_over_by_any_way_has_come_or_is_refused():
    with Planes(5000) as planes:
        for plane in PLANES * 2:
            assert planes.seconds(plane, 4000) > 0
        with pytest.raises(ExperimentError, match="not 'post' for 1"):
            planes.seconds("post", 1)
        real, planes.store.models = planes.store.models, np.ones((2, 5000), np.float32)
        with pytest.raises(ExperimentError, match="has not the model that went by shm"):
            planes.seconds("shm", 4000)  # copied to where nobody else looks
        planes.store.models = real
        assert planes.seconds("shm", 4000) > 0


@pytest.mark.parametrize("plane", ["key", "pipe", "broker"])
def test_a_receiver_that_ends_while_a_model_is_on_its_way_is_an_error(plane):
    with Planes(5_000_000) as planes:
        planes.receiver.process.send_signal(signal.SIGSTOP)
        killing = threading.Timer(0.3, planes.receiver.kill)
        killing.start()
        with pytest.raises(ExperimentError, match="hands models over has ended"):
            planes.seconds(plane, 5_000_000)
        killing.join()
