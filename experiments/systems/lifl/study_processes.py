"""What is measured of LIFL's processes: bytes, bits and starts exactly, times as ratios within one run."""

import itertools
import signal
import time
from typing import TypedDict

import numpy as np

from experiments.harness.study import NotMeasured, Trial
from experiments.kits.federated.arrivals import poisson
from experiments.systems.lifl.aggregator import Aggregator, Task
from experiments.systems.lifl.children import STARTING
from experiments.systems.lifl.cluster import Cluster
from experiments.systems.lifl.gateway import Gateway
from experiments.systems.lifl.planes import PLANES, Planes
from experiments.systems.lifl.rounds import Round, run_round
from experiments.systems.lifl.schedules import eager_end, lazy_end, tree_end
from experiments.systems.lifl.states import flat_average
from experiments.systems.lifl.store import COUNTED, KEY, NoSharedMemoryError
from experiments.systems.lifl.study_config import LiflConfig
from experiments.systems.lifl.wire import ANSWERS, HEADER


class RoundsResult(TypedDict):
    """Rounds of real processes: bytes, bits and starts.

    Args:
        deviation: of the result from the mean in one sum, float64, relative.
        ledger: bytes and notes counted that differ from the formulas, in all rounds without a crash.
        ledger_leaves: the same if every leaf sent its sum to the top, without a middle.
        control: bytes of notes in the last of those rounds in which nothing was started.
        keys: bytes of keys in the same round.
        unshared: numbers of a sum without what was written into the gateway's memory; see `_unshared`.
        copied: the same if it is written into a copy.
        killed: processes that ended by a kill in another round.
        unreplaced: of those, how many were not started again.
        crash: numbers of that round's result that differ from the same round without.
        lost: numbers that differ if the update that was on its way were lost.
        starts: aggregators started in all rounds before, if they are promoted and used again.
        fresh: if not.
        peak: processes that were folding at a time.
    """

    deviation: float
    ledger: int
    ledger_leaves: int
    control: int
    keys: int
    unshared: int
    copied: int
    killed: int
    unreplaced: int
    crash: int
    lost: int
    starts: int
    fresh: int
    peak: int


def whole_rounds(config: LiflConfig, trial: Trial) -> RoundsResult:
    """Rounds with promotion, one in which processes are killed, and rounds with fresh processes."""
    generator = trial.generator
    updates = list(generator.normal(size=(config.updates, config.size)))
    weights = generator.integers(0, 100, config.updates).astype(float)
    at = config.updates // 2
    weights[at] += 1
    capacity = config.updates // config.nodes
    flat = flat_average(updates, weights.tolist())

    def cluster(reuse: bool) -> Cluster:
        return Cluster(
            config.nodes, config.size, capacity=capacity, aggregators=capacity + 2,
            dtype="float64", reuse=reuse,
        )  # fmt: skip

    with cluster(reuse=True) as nodes:
        calm = []
        for _ in range(config.rounds):
            times = generator.uniform(0, 0.05, config.updates)
            calm.append(run_round(nodes, updates, weights.tolist(), arrivals=times.tolist()))
        together = _Together(nodes, calm[0])
        calm.append(
            run_round(
                nodes, updates, weights.tolist(), arrivals=together.times, before_update=together
            )
        )
        starts = nodes.starts
        kill = _Killing(nodes, calm[0], at)
        crashed = run_round(nodes, updates, weights.tolist(), before_update=kill)
        without = np.where(np.arange(config.updates) == at, 0.0, weights)
        lost = run_round(nodes, updates, without.tolist())
    with cluster(reuse=False) as nodes:
        fresh = [run_round(nodes, updates, weights.tolist()) for _ in range(config.rounds)]
    every = [*calm, crashed, *fresh]
    off = max(float(np.abs(one.mean - flat).max()) for one in every) / float(np.abs(flat).max())
    message = HEADER.size + updates[0].nbytes + ANSWERS
    hops = calm[-1].traffic.by_hop()
    unshared, copied = _unshared(updates[0], generator)
    return {
        "deviation": off,
        "ledger": sum(_ledger_off(one, message) for one in (*calm, *fresh)),
        "ledger_leaves": sum(
            abs(one.traffic.by_hop()["node to node"].bytes - (len(one.tree.members) - 1) * message)
            for one in calm
        ),
        "control": hops["control"].bytes,
        "keys": hops["inside nodes"].bytes,
        "unshared": unshared,
        "copied": copied,
        "killed": kill.killed,
        "unreplaced": max(0, kill.killed - crashed.restarted),
        "crash": int(np.sum(crashed.mean != calm[0].mean)),
        "lost": int(np.sum(lost.mean != calm[0].mean)),
        "starts": starts,
        "fresh": sum(one.started for one in fresh),
        "peak": max(_folding(one) for one in calm),
    }


class _Killing:
    """Kills the gateway and the aggregator to which an update is about to be sent."""

    def __init__(self, cluster: Cluster, before: Round, at: int) -> None:
        self.cluster, self.before, self.at = cluster, before, at
        self.killed = 0

    def __call__(self, update: int) -> None:
        if update == self.at:
            node = self.before.placement[update]
            gateway = self.cluster.gateways[node].child
            assert gateway is not None
            place = node, self.before.tree.targets[update]
            for child in (gateway, self.cluster.aggregators[place].child):
                child.kill()
                self.killed += child.process.wait() == -signal.SIGKILL


class _Together:
    """Sends no leaf's last update before all leaves have folded another, so that all work at a time."""

    def __init__(self, cluster: Cluster, before: Round) -> None:
        self.lasts = {leaf[-1] for leaf in before.tree.members}
        self.times = [float(update in self.lasts) / 1000 for update in range(len(before.placement))]
        self.rows = [
            cluster.gateways[before.placement[last]].store.counts[1 + before.tree.targets[last]]
            for last in self.lasts
        ]
        self.before = [int(row[COUNTED.index("folds")]) for row in self.rows]

    def __call__(self, update: int) -> None:
        until = time.monotonic() + STARTING
        while update in self.lasts and time.monotonic() < until:
            folds = [int(row[COUNTED.index("folds")]) for row in self.rows]
            if all(now > then for now, then in zip(folds, self.before, strict=True)):
                break
            time.sleep(0.001)


def _folding(one: Round) -> int:
    """The most processes between the first fold of a sum and its last, by their own clocks."""
    changes = [(at, 1) for at in one.began.values()] + [(at, -1) for at in one.ended.values()]
    return max(itertools.accumulate(change for _, change in sorted(changes)))


def _unshared(model: np.ndarray, generator: np.random.Generator) -> tuple[int, int]:
    """Numbers of an aggregator's sum that are not those of the gateway's memory.

    After the gateway is done with a model and before an aggregator is told of it, one number is changed,
    in the store and then, in a second round, in a copy of what lies there.
    """
    off = []
    with (
        Gateway(model.size, capacity=1, dtype="float64") as gateway,
        Aggregator(gateway) as aggregator,
    ):
        aggregator.child.wait_until_ready()
        for number, copied in enumerate((False, True), 1):
            gateway.begin(number)
            gateway.send(model, weight=2.0, ident=0)
            (key,) = gateway.store.announced()
            there = gateway.store.models[key.slot]
            place = int(generator.integers(model.size))
            (there.copy() if copied else there)[place] += 1.0
            expected = model.copy()
            expected[place] += 1.0
            aggregator.assign(Task(number, 1, (0,)))
            aggregator.child.next_note(STARTING)
            off.append(int(np.sum(gateway.store.models[aggregator.slot] != 2 * expected)))
    return off[0], off[1]


def _ledger_off(one: Round, message: int) -> int:
    """Bytes by which a round's ledger differs from the formulas, and notes."""
    nodes = len(set(one.placement))
    # Every process passes on one sum, but the last; every task is told once and its end is told once.
    expected = {
        "client to gateway": len(one.placement) * message,
        "node to node": (nodes - 1) * message,
        "inside nodes": KEY.size * (len(one.placement) + len(one.tree.roles) - 1),
    }
    found = one.traffic.by_hop()
    tasks = sum(len(role.tasks) for role in one.tree.roles)
    notes = found["control"].messages - 2 * (nodes + one.started + tasks)
    return abs(notes) + sum(abs(found[hop].bytes - expected[hop]) for hop in expected)


class HandingResult(TypedDict):
    """Ratios of median times in one run, largest model; see `planes` for the ways.

    Args:
        pipe, broker: time of that way over that of copying into shared memory.
        pipe_twin, broker_twin: over that of the same way once more.
        milliseconds: by way, at every size, until the receiver has the model.
    """

    pipe: float
    broker: float
    pipe_twin: float
    broker_twin: float
    milliseconds: dict[str, list[float]]


def handing(config: LiflConfig, trial: Trial) -> HandingResult:
    """Models handed from process to process, the ways in random order, again and again."""
    times: dict[tuple[str, int, bool], list[float]] = {}
    largest = config.plane_sizes[-1]
    try:
        planes = Planes(largest)
    except NoSharedMemoryError as error:
        raise NotMeasured(str(error)) from error
    with planes:
        for size in config.plane_sizes:
            ways = [(way, False) for way in PLANES]
            ways += [("pipe", True), ("broker", True)] if size == largest else []
            for turn in range(config.repeats + 1):
                for which in trial.generator.permutation(len(ways)):
                    way, again = ways[which]
                    taken = planes.seconds(way, size)
                    if turn:  # the first warms up
                        times.setdefault((way, size, again), []).append(taken)
    median = {case: float(np.median(taken)) for case, taken in times.items()}
    return {
        "pipe": median["pipe", largest, False] / median["shm", largest, False],
        "broker": median["broker", largest, False] / median["shm", largest, False],
        "pipe_twin": median["pipe", largest, False] / median["pipe", largest, True],
        "broker_twin": median["broker", largest, False] / median["broker", largest, True],
        "milliseconds": {
            way: [1000 * median[way, size, False] for size in config.plane_sizes] for way in PLANES
        },
    }


class WaitingResult(TypedDict):
    """Processor time of a gateway and two aggregators without traffic, and times against formulas.

    Args:
        events: processor seconds in a second, if the system wakes them.
        polling: if they look every millisecond.
        eager, lazy, tree: measured end over the formula's.
        lazy_as_eager: end of the lazy one over the formula of the eager one.
    """

    events: float
    polling: float
    eager: float
    lazy: float
    tree: float
    lazy_as_eager: float


def waiting(config: LiflConfig, trial: Trial) -> WaitingResult:
    """Processes left alone; and folds that take a set time, on arrival, at the end and in a tree."""
    generator, number, fold = trial.generator, config.timed, config.fold_seconds
    updates = list(generator.normal(size=(number, 1000)).astype(np.float32))
    weights = [1.0] * number
    times = poisson(number, 1 / fold, generator).tolist()
    with Cluster(1, 1000, capacity=number, poll=0.001) as nodes:
        run_round(nodes, updates, weights, leaves=[2])
        polling = _idle(nodes, config.idle_seconds)
    with Cluster(1, 1000, capacity=number) as nodes:
        halves = run_round(nodes, updates, weights, leaves=[2], fold_seconds=fold)
        events = _idle(nodes, config.idle_seconds)
        eager, lazy = (
            run_round(
                nodes, updates, weights, leaves=[1], fold_seconds=fold, arrivals=times, eager=way
            )
            for way in (True, False)
        )
    at_leaves = [[halves.arrived[update] for update in leaf] for leaf in halves.tree.members]
    return {
        "events": events,
        "polling": polling,
        "eager": eager.seconds / eager_end(eager.arrived, fold),
        "lazy": lazy.seconds / lazy_end(lazy.arrived, fold),
        "tree": halves.seconds / tree_end(at_leaves, fold),
        "lazy_as_eager": lazy.seconds / eager_end(lazy.arrived, fold),
    }


def _idle(cluster: Cluster, seconds: float) -> float:
    before, start = cluster.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return (cluster.cpu_seconds() - before) / (time.monotonic() - start)
