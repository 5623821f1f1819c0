"""Jobs to be scheduled: queries as recorded, with every task's luck drawn before anybody decides.

Source: Mao et al., Decima, SIGCOMM 2019, arXiv:1810.01963, section 6.2, and its public simulator, as in the
public code of NetLLM. One difference: between two levels of the recorded numbers of executors the nearer
one is drawn more often here; the public code has it the other way round.
"""

import bisect
import collections
import dataclasses
import graphlib
from collections.abc import Sequence

import numpy as np

from experiments.data.formats.job_graphs import JobGraph, JobGraphSet, JobStage
from ntkexec.errors import ExperimentError

MOVING, WARMING = 2000, 1000
"""Milliseconds to go to another job, and those added to a first task where no fresh one was recorded."""
LEVELS = (5, 10, 20, 40, 50, 60, 80, 100)
"""Numbers of executors for which durations were recorded."""


@dataclasses.dataclass(frozen=True)
class StageTimes:
    """A stage as the simulator has it; see `of_stage`.

    Args:
        num_tasks: of it.
        waves: for fresh, first and further tasks, by level: durations to draw from.
        mean: duration of a task, for estimates.
    """

    num_tasks: int
    waves: tuple[dict[int, tuple[int, ...]], ...]
    mean: float

    def duration(self, wave: int, local: int, draws: tuple[float, float]) -> int:
        """Of a task, in milliseconds.

        Args:
            wave: 0 if the executor was idle or has just come to the job, 1 if it is new to the stage, else 2.
            local: executors at the job.
            draws: uniform on [0, 1): which level, and which of its durations.
        """
        place = bisect.bisect_left(LEVELS, local)
        if place == 0 or place == len(LEVELS) or LEVELS[place] == local:
            level = LEVELS[min(place, len(LEVELS) - 1)]
        else:
            left, right = LEVELS[place - 1], LEVELS[place]
            level = right if draws[0] * (right - left) < local - left else left
        listed = self.waves[wave]
        found = listed.get(level) or listed[max(listed)]
        return found[int(draws[1] * len(found))]


def of_stage(stage: JobStage) -> StageTimes:
    """A recorded stage with every wave filled, so that a draw always finds a duration.

    First waves lose the fresh tasks that the files count among them; an empty level of a first wave takes
    the next lower one's. Without fresh tasks first ones take `WARMING` longer; without further ones, first
    ones serve; without first ones, fresh ones.
    """
    fresh: dict[int, tuple[int, ...]] = {}
    first: dict[int, tuple[int, ...]] = {}
    rest: dict[int, tuple[int, ...]] = {}
    before: tuple[int, ...] = ()
    for level in sorted(stage.first):
        left = collections.Counter(stage.first[level]) - collections.Counter(stage.fresh[level])
        before = tuple(left.elements()) or before
        fresh[level] = stage.fresh[level] or tuple(one + WARMING for one in before)
        first[level] = before or fresh[level]
        rest[level] = stage.rest[level] or first[level]
    every = [*stage.first.values(), *stage.rest.values()]
    mean = float(np.mean([one for listed in every for one in listed]))
    return StageTimes(stage.num_tasks, (fresh, first, rest), mean)


@dataclasses.dataclass(frozen=True, eq=False)
class Job:
    """A job to come.

    Args:
        arrival: in milliseconds.
        stages, parents: see `JobGraph`.
        draws: two uniform numbers for each task of each stage; see `StageTimes.duration`.
    """

    arrival: int
    stages: tuple[StageTimes, ...]
    parents: tuple[tuple[int, ...], ...]
    draws: tuple[tuple[tuple[float, float], ...], ...]

    @property
    def work(self) -> float:
        """Milliseconds of all tasks, as one would estimate."""
        return sum(stage.num_tasks * stage.mean for stage in self.stages)

    @property
    def paths(self) -> tuple[float, ...]:
        """Of each stage: mean durations along the longest chain from it to the end of the job."""
        below = [0.0] * len(self.stages)
        found = [0.0] * len(self.stages)
        for stage in reversed(in_order(self.parents)):
            found[stage] = self.stages[stage].mean + below[stage]
            for parent in self.parents[stage]:
                below[parent] = max(below[parent], found[stage])
        return tuple(found)


def in_order(parents: Sequence[Sequence[int]]) -> list[int]:
    """Stages, each after its parents.

    Raises:
        ExperimentError: stages that wait for each other, or for one that there is not.
    """
    try:
        placed = list(graphlib.TopologicalSorter(dict(enumerate(parents))).static_order())
    except graphlib.CycleError as error:
        raise ExperimentError(f"the stages {error.args[1]} of a job wait for each other") from None
    if odd := {*placed} - {*range(len(parents))}:
        raise ExperimentError(f"a job of {len(parents)} stages waits for its stage {min(odd)}")
    return placed


@dataclasses.dataclass(frozen=True, eq=False)
class Workload:
    """Jobs, by arrival, and the executors that serve them.

    Raises:
        ExperimentError: no job, no executor, or jobs out of order.
    """

    jobs: tuple[Job, ...]
    executors: int

    def __post_init__(self) -> None:
        times = [job.arrival for job in self.jobs]
        if not times or self.executors < 1 or times != sorted(times) or times[0] < 0:
            raise ExperimentError(
                f"no workload has {self.executors} executors and jobs that arrive at {times}"
            )


def drawn(
    found: JobGraphSet | Sequence[JobGraph],
    generator: np.random.Generator,
    *,
    jobs: int,
    executors: int,
    pause: float,
) -> Workload:
    """Random queries that arrive at random times.

    Args:
        found: the queries, each as likely.
        generator: of everything that is random.
        jobs, executors: how many.
        pause: mean milliseconds between arrivals, which are exponential; the first job comes at 0.
    """
    graphs = found.graphs if isinstance(found, JobGraphSet) else found
    arrivals = np.cumsum(generator.exponential(pause, jobs)).astype(np.int64)
    made = []
    for arrival in (arrivals - arrivals[0]).tolist():
        graph = graphs[int(generator.integers(len(graphs)))]
        stages = tuple(of_stage(stage) for stage in graph.stages)
        draws = tuple(
            tuple(map(tuple, generator.random((stage.num_tasks, 2)).tolist())) for stage in stages
        )
        made.append(Job(arrival, stages, graph.parents, draws))
    return Workload(tuple(made), executors)
