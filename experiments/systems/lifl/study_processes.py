"""What is measured of LIFL's processes: bytes, bits and starts exactly, times as ratios within one run."""

import math
import time
from typing import TypedDict

import numpy as np

from experiments.harness.study import Trial
from experiments.kits.federated.arrivals import poisson
from experiments.systems.lifl.cluster import Cluster
from experiments.systems.lifl.planes import PLANES, Planes
from experiments.systems.lifl.rounds import Round, run_round
from experiments.systems.lifl.schedules import eager_end, lazy_end, tree_end
from experiments.systems.lifl.states import flat_average
from experiments.systems.lifl.store import KEY
from experiments.systems.lifl.study_config import LiflConfig
from experiments.systems.lifl.wire import HEADER


class RoundsResult(TypedDict):
    """Rounds of real processes: bytes, bits and starts.

    Args:
        deviation: of the result from the mean in one sum, float64, relative.
        ledger: bytes counted that differ from the formula, in all rounds.
        ledger_leaves: the same if every leaf sent its sum to the top, without a middle.
        killed: processes killed in the last round.
        unreplaced: of those, how many were not started again.
        crash: numbers of that round's result that differ from the same round without.
        reordered: numbers that differ if the clients come in another order, without a crash.
        starts: aggregators started in all rounds before, if they are promoted and used again.
        fresh: if not.
        peak: aggregators that work at a time.
        roles: in all those rounds.
    """

    deviation: float
    ledger: int
    ledger_leaves: int
    killed: int
    unreplaced: int
    crash: int
    reordered: int
    starts: int
    fresh: int
    peak: int
    roles: int


def whole_rounds(config: LiflConfig, trial: Trial) -> RoundsResult:
    """Rounds with promotion, one in which processes are killed, and rounds with fresh processes."""
    generator = trial.generator
    updates = list(generator.normal(size=(config.updates, config.size)))
    weights = generator.integers(0, 100, config.updates).astype(float)
    weights[0] += 1
    capacity = math.ceil(config.updates / config.nodes)
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
        starts = nodes.starts
        order = generator.permutation(config.updates)
        other = run_round(nodes, [updates[i] for i in order], weights[order].tolist())
        kill = _Killing(nodes, calm[0], at=config.updates // 2)
        crashed = run_round(nodes, updates, weights.tolist(), before_update=kill)
    with cluster(reuse=False) as nodes:
        fresh = [run_round(nodes, updates, weights.tolist()) for _ in range(config.rounds)]
    every = [*calm, crashed, *fresh]
    off = max(float(np.abs(one.mean - flat).max()) for one in every) / float(np.abs(flat).max())
    message = HEADER.size + updates[0].nbytes
    return {
        "deviation": off,
        "ledger": sum(_ledger_off(one, message) for one in (*calm, *fresh)),
        "ledger_leaves": sum(
            abs(_between(one) - (len(one.tree.members) - 1) * message) for one in calm
        ),
        "killed": 2,
        "unreplaced": max(0, 2 - crashed.restarted),
        "crash": int(np.sum(crashed.mean != calm[0].mean)),
        "reordered": int(np.sum(other.mean != calm[0].mean)),
        "starts": starts,
        "fresh": sum(one.started for one in fresh),
        "peak": max(len(one.tree.members) for one in calm),
        "roles": sum(len(one.tree.roles) for one in fresh),
    }


class _Killing:
    """Kills the gateway and the aggregator to which an update is about to be sent."""

    def __init__(self, cluster: Cluster, before: Round, at: int) -> None:
        self.cluster, self.before, self.at = cluster, before, at

    def __call__(self, update: int) -> None:
        if update == self.at:
            node = self.before.placement[update]
            gateway = self.cluster.gateways[node].child
            assert gateway is not None
            gateway.kill()
            self.cluster.aggregators[node, self.before.tree.targets[update]].child.kill()


def _between(one: Round) -> int:
    return one.traffic.by_hop()["node to node"].bytes


def _ledger_off(one: Round, message: int) -> int:
    """Bytes by which a round's ledger differs from the formula."""
    nodes = len(set(one.placement))
    # Every process passes on one sum, but the last.
    expected = {
        "client to gateway": len(one.placement) * message,
        "node to node": (nodes - 1) * message,
        "inside nodes": KEY.size * (len(one.placement) + len(one.tree.roles) - 1),
    }
    found = one.traffic.by_hop()
    return sum(abs(found[hop].bytes - expected[hop]) for hop in expected)


class HandingResult(TypedDict):
    """Ratios of times in one run, medians; see `planes` for the ways.

    Args:
        pipe, broker: time of that way over that of copying into shared memory, largest model.
        pipe_folded, broker_folded: the same over that of a key alone, until the model is folded.
        crossover: bytes from which on shared memory is the quickest at every size; -1 if at none.
        milliseconds: by way, at every size, until the receiver has the model.
    """

    pipe: float
    broker: float
    pipe_folded: float
    broker_folded: float
    crossover: int
    milliseconds: dict[str, list[float]]


def handing(config: LiflConfig, trial: Trial) -> HandingResult:
    """Models handed from process to process, the ways in random order, again and again."""
    times: dict[tuple[str, int, bool], list[float]] = {}
    cases = [(size, False) for size in config.plane_sizes] + [(config.plane_sizes[-1], True)]
    with Planes(config.plane_sizes[-1]) as planes:
        for size, folded in cases:
            for turn in range(config.repeats + 1):
                for which in trial.generator.permutation(len(PLANES)):
                    taken = planes.seconds(PLANES[which], size, folded=folded)
                    if turn:  # the first warms up
                        times.setdefault((PLANES[which], size, folded), []).append(taken)
    median = {case: float(np.median(taken)) for case, taken in times.items()}
    largest, crossover = config.plane_sizes[-1], -1
    for size in reversed(config.plane_sizes):
        if median["shm", size, False] >= min(median[w, size, False] for w in ("pipe", "broker")):
            break
        crossover = 4 * size
    rivals = {
        (way, folded): median[way, largest, folded] / median[ours, largest, folded]
        for folded, ours in ((False, "shm"), (True, "key"))
        for way in ("pipe", "broker")
    }
    return {
        "pipe": rivals["pipe", False],
        "broker": rivals["broker", False],
        "pipe_folded": rivals["pipe", True],
        "broker_folded": rivals["broker", True],
        "crossover": crossover,
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
        two_leaves: end with one leaf over that with two, in a burst.
    """

    events: float
    polling: float
    eager: float
    lazy: float
    tree: float
    lazy_as_eager: float
    two_leaves: float


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
        eager, lazy, burst = (
            run_round(
                nodes, updates, weights, leaves=[1], fold_seconds=fold, arrivals=when, eager=way
            )
            for when, way in ((times, True), (times, False), (None, True))
        )
    at_leaves = [[halves.arrived[update] for update in leaf] for leaf in halves.tree.members]
    return {
        "events": events,
        "polling": polling,
        "eager": eager.seconds / eager_end(eager.arrived, fold),
        "lazy": lazy.seconds / lazy_end(lazy.arrived, fold),
        "tree": halves.seconds / tree_end(at_leaves, fold),
        "lazy_as_eager": lazy.seconds / eager_end(lazy.arrived, fold),
        "two_leaves": burst.seconds / halves.seconds,
    }


def _idle(cluster: Cluster, seconds: float) -> float:
    before, start = cluster.cpu_seconds(), time.monotonic()
    time.sleep(seconds)
    return (cluster.cpu_seconds() - before) / (time.monotonic() - start)
