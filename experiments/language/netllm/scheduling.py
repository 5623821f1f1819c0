"""Policies that need no learning, the criteria that they weigh, and a bound that none can pass."""

import dataclasses
import heapq

import numpy as np
from jaxtyping import Float

from experiments.language.netllm.cluster import Action, Policy, View
from experiments.language.netllm.jobs import MOVING, Workload, in_order

CRITERIA = ("left", "path", "near", "holds", "waiting", "mean", "age")
"""Of a candidate, in this order along the last axis of `criteria`."""


def fifo(view: View) -> Action:
    """All free executors to the first stage of the job that came first."""
    return 0, view.free


def shortest_first(view: View) -> Action:
    """All to the job with the least work left, and in it to the stage on the longest path."""
    ranked = [(one.left, -one.path) for one in view.candidates]
    return ranked.index(min(ranked)), view.free


def fair(view: View) -> Action:
    """One executor to the job that has fewest, the first of them."""
    holds = [one.holds for one in view.candidates]
    return holds.index(min(holds)), 1


def critical_path(view: View) -> Action:
    """All to the stage on the longest path to the end of its job."""
    paths = [one.path for one in view.candidates]
    return paths.index(max(paths)), view.free


RULES: dict[str, Policy] = {
    "fifo": fifo,
    "shortest_first": shortest_first,
    "fair": fair,
    "critical_path": critical_path,
}


def criteria(view: View) -> Float[np.ndarray, "K 7"]:
    """What is known of each candidate, as numbers around 0; see `CRITERIA`."""
    rows = np.array([one[2:] for one in view.candidates], np.float64)
    waiting, near, holds, left, path, mean, age = rows.T
    logs = [np.log10(1 + part / 1000) for part in (left, path, mean, age)]
    return np.stack(
        [logs[0] - 2, logs[1] - 1, near / 4, holds / 4, np.log10(waiting), logs[2], logs[3] - 1], 1
    )


SHARES = 3
"""Ways to say how many: one executor, half of the free ones, or all of them."""


def number_of(share: int, free: int) -> int:
    """Executors that a share means; at least one, at most those that are free."""
    return (1, (free + 1) // 2, free)[share]


def share_of(number: int, free: int) -> int:
    """The largest share that asks for no more than a number of executors."""
    return max(share for share in range(SHARES) if number_of(share, free) <= max(number, 1))


@dataclasses.dataclass(frozen=True, eq=False)
class Weighing:
    """The candidate whose criteria, weighed, are most; a share of the executors.

    Args:
        weights: of `CRITERIA`.
        share: see `number_of`.
    """

    weights: Float[np.ndarray, "7"]
    share: int

    def __call__(self, view: View) -> Action:
        return int((criteria(view) @ self.weights).argmax()), number_of(self.share, view.free)


def drawn_weighing(generator: np.random.Generator) -> Weighing:
    """A policy that mostly favours short jobs, and has tastes of its own."""
    middle = np.array([-1.5, 0.0, 0.5, 0.0, 0.0, 0.0, 0.0])
    return Weighing(middle + generator.normal(size=7) * 0.7, int(generator.integers(SHARES)))


def lower_bound(workload: Workload) -> float:
    """Milliseconds of mean completion time that no policy can pass, whatever it knows.

    Each task takes at least the shortest duration that its draws allow, and begins no sooner than
    somebody can have come. Then a job takes at least its longest path, and all jobs together at least
    what one machine as fast as all executors needs, which always serves the job with the least left: the
    order that is best for it. The larger of the two means.

    Source: Schrage, A proof of the optimality of the shortest remaining processing time discipline,
        Operations Research 1968.
    """
    paths, work, ready = [], [], []
    for job in workload.jobs:
        least = [
            np.min(
                [
                    np.asarray(listed)[(np.array(draws)[:, 1] * len(listed)).astype(int)]
                    for levels in stage.waves
                    for listed in levels.values()
                ],
                axis=0,
            )
            for stage, draws in zip(job.stages, job.draws, strict=True)
        ]
        ends = [0.0] * len(least)
        for stage in in_order(job.parents):
            ends[stage] = least[stage].max() + max((ends[i] for i in job.parents[stage]), default=0)
        paths.append(MOVING + max(ends))
        work.append(sum(part.sum() for part in least) / workload.executors)
        ready.append(job.arrival + MOVING)
    fluid = np.array(_shortest_remaining(ready, work)) - [job.arrival for job in workload.jobs]
    return max(float(np.mean(paths)), float(np.mean(fluid)))


def _shortest_remaining(ready: list[int], work: list[float]) -> list[float]:
    """When each job ends on one machine that always serves the one with the least left."""
    ends = [0.0] * len(work)
    waiting: list[tuple[float, int]] = []
    time, coming = 0.0, 0
    while coming < len(work) or waiting:
        if not waiting:
            time = max(time, ready[coming])
        while coming < len(work) and ready[coming] <= time:
            heapq.heappush(waiting, (work[coming], coming))
            coming += 1
        left, job = heapq.heappop(waiting)
        until = min(time + left, ready[coming] if coming < len(work) else np.inf)
        if until < time + left:
            heapq.heappush(waiting, (left - (until - time), job))
        else:
            ends[job] = until
        time = until
    return ends
