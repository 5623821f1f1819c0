"""A cluster that runs jobs of stages on executors: an event simulator whose decisions others take.

An executor works off tasks of a stage until none is left to begin; then it, and any other that is free,
is given to a stage whose parents have finished. Going to another job costs time, and how long a task
takes depends on whether the executor has just come, is new to the stage, or goes on with it.

Times are whole milliseconds, and what a task takes is drawn beforehand (see `jobs`), so that policies are
compared on the same luck and every count is exact.

```python
from experiments.language.netllm.cluster import played
from experiments.language.netllm.jobs import Job, StageTimes, Workload

stage = StageTimes(4, ({5: (30,)}, {5: (20,)}, {5: (10,)}), mean=20.0)
job = Job(0, (stage, stage), ((), (0,)), (((0.5, 0.5),) * 4,) * 2)
found = played(Workload((job,), executors=2), lambda view: (0, view.free))
print(found.finished, found.moves)  # [2070] 2
```

Source: Mao et al., Decima, SIGCOMM 2019, arXiv:1810.01963, section 6.2, and its public simulator, as in the
public code of NetLLM; there executors can be sent ahead to a stage whose parents still run.
"""

import dataclasses
import heapq
from collections.abc import Callable, Generator
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from experiments.language.netllm.jobs import MOVING, Workload
from ntkexec.errors import ExperimentError


class Candidate(NamedTuple):
    """A stage that can be given executors, and what a policy may know of it.

    Args:
        job, stage: its numbers.
        waiting: tasks for which no executor is on its way; at least 1.
        near: free executors at its job.
        holds: executors at its job or on their way to it.
        left: estimated milliseconds of the job's tasks that have not begun.
        path: see `Job.paths`.
        mean: estimated milliseconds of one of its tasks.
        age: milliseconds since its job came.
    """

    job: int
    stage: int
    waiting: int
    near: int
    holds: int
    left: float
    path: float
    mean: float
    age: int


class View(NamedTuple):
    """What a policy sees: the free executors and the stages that can have them, by arrival."""

    time: int
    free: int
    present: int
    candidates: tuple[Candidate, ...]


class Ran(NamedTuple):
    """A task that ran."""

    job: int
    stage: int
    task: int
    executor: int
    wave: int
    start: int
    end: int


@dataclasses.dataclass(frozen=True, eq=False)
class Outcome:
    """How a workload went.

    Args:
        finished: when each job did.
        tasks: all of them, in the order in which they began.
        moves: of executors between jobs.
        decisions: that were taken.
    """

    finished: Int[np.ndarray, "J"]
    tasks: tuple[Ran, ...]
    moves: int
    decisions: int

    def mean_completion(self, workload: Workload) -> float:
        """Milliseconds from a job's arrival to its end, on average."""
        return float(np.mean(self.finished - [job.arrival for job in workload.jobs]))


Action = tuple[int, int]
Policy = Callable[[View], Action]


def played(workload: Workload, policy: Policy) -> Outcome:
    """A workload under a policy, `view -> (candidate, executors)`.

    Raises:
        ExperimentError: an action that cannot be taken; see `episode`.
    """
    running = episode(workload)
    try:
        view = next(running)
        while True:
            view = running.send(policy(view))
    except StopIteration as end:
        found: Outcome = end.value
        return found


def episode(workload: Workload) -> Generator[View, Action, Outcome]:
    """The simulator: yields what is to be decided, takes the decision, returns the outcome.

    A decision is the number of a candidate and how many executors it gets; beyond its waiting tasks
    and the free executors none go. Those at the job go first. It is asked again while there are free
    executors and candidates, so that none is idle beside work that could begin.

    Raises:
        ExperimentError: no such candidate, or no executor for it.
    """
    state = _Cluster(workload)
    while state.advance():
        while candidates := state.candidates():
            view = View(state.time, len(state.free), len(state.present), candidates)
            choice, number = yield view
            if not 0 <= choice < len(candidates) or number < 1:
                raise ExperimentError(
                    f"{number} executors cannot go to stage {choice} of {len(candidates)}"
                )
            state.send(candidates[choice], number)
        state.rest()
    return state.outcome()


class _Cluster:
    """The state of one run."""

    def __init__(self, workload: Workload) -> None:
        jobs = workload.jobs
        self.jobs, self.time, self.moves, self.decisions = jobs, 0, 0, 0
        # What happens: (when, in which order, executor or -1, job, stage or -1 for a finished task).
        self.events = [(job.arrival, i, -1, i, -1) for i, job in enumerate(jobs)]
        self.order = len(jobs)
        self.free: set[int] = set(range(workload.executors))
        self.at: list[int] = [-1] * workload.executors
        # The stage whose task an executor has just finished, while it has not been idle.
        self.just: list[tuple[int, int] | None] = [None] * workload.executors
        self.local = [0] * len(jobs)
        self.holds = [0] * len(jobs)
        self.present: list[int] = []
        self.begun = [[0] * len(job.stages) for job in jobs]
        self.done = [[0] * len(job.stages) for job in jobs]
        self.coming = [[0] * len(job.stages) for job in jobs]
        self.missing = [[len(before) for before in job.parents] for job in jobs]
        self.left = [job.work for job in jobs]
        self.paths = [job.paths for job in jobs]
        self.finished = np.full(len(jobs), -1, np.int64)
        self.tasks: list[Ran] = []

    def advance(self) -> bool:
        """All that happens at the next time; false at the end."""
        if not self.events:
            return False
        self.time = self.events[0][0]
        while self.events and self.events[0][0] == self.time:
            _, _, executor, job, stage = heapq.heappop(self.events)
            if executor < 0:
                self.present.append(job)
            elif stage >= 0:
                self.coming[job][stage] -= 1
                self.at[executor], self.local[job] = job, self.local[job] + 1
                self.go_on(executor, job, stage)
            else:
                self.finish(executor)
        return True

    def finish(self, executor: int) -> None:
        job, stage = self.just[executor]  # type: ignore[misc]
        self.done[job][stage] += 1
        if self.done[job][stage] == self.jobs[job].stages[stage].num_tasks:
            for child, before in enumerate(self.jobs[job].parents):
                self.missing[job][child] -= stage in before
            if all(
                done == one.num_tasks
                for done, one in zip(self.done[job], self.jobs[job].stages, strict=True)
            ):
                self.finished[job] = self.time
                self.present.remove(job)
        self.go_on(executor, job, stage)

    def go_on(self, executor: int, job: int, stage: int) -> None:
        """The executor begins a task of this stage if there is one, and else is free."""
        task = self.begun[job][stage]
        times = self.jobs[job].stages[stage]
        # Tasks for which others are on their way are left to them only while some remain: first come.
        if task == times.num_tasks:
            self.free.add(executor)
            return
        just = self.just[executor]
        wave = 0 if just is None else 2 if just == (job, stage) else 1
        takes = times.duration(wave, self.local[job], self.jobs[job].draws[stage][task])
        self.begun[job][stage] += 1
        self.left[job] -= times.mean
        self.just[executor] = (job, stage)
        self.tasks.append(Ran(job, stage, task, executor, wave, self.time, self.time + takes))
        self.push(self.time + takes, executor, job, -1)

    def candidates(self) -> tuple[Candidate, ...]:
        """Stages that can have executors, if some are free."""
        if not self.free:
            return ()
        found = []
        for job in self.present:
            one = self.jobs[job]
            near = sum(self.at[executor] == job for executor in self.free)
            for stage, missing in enumerate(self.missing[job]):
                times = one.stages[stage]
                waiting = times.num_tasks - self.begun[job][stage] - self.coming[job][stage]
                if not missing and waiting > 0:
                    known = (self.left[job], self.paths[job][stage], times.mean)
                    age = self.time - one.arrival
                    found.append(Candidate(job, stage, waiting, near, self.holds[job], *known, age))
        return tuple(found)

    def send(self, chosen: Candidate, number: int) -> None:
        """Executors to a stage: those at its job, then those at none, then the others."""
        self.decisions += 1
        job, stage = chosen.job, chosen.stage
        ranked = sorted(self.free, key=lambda one: (self.at[one] != job, self.at[one] != -1, one))
        for executor in ranked[: min(number, chosen.waiting)]:
            self.free.discard(executor)
            old = self.at[executor]
            if old == job:
                self.go_on(executor, job, stage)
                continue
            if old >= 0:
                self.local[old] -= 1
                self.holds[old] -= 1
            self.at[executor], self.just[executor] = -1, None
            self.holds[job] += 1
            self.coming[job][stage] += 1
            self.moves += 1
            self.push(self.time + MOVING, executor, job, stage)

    def rest(self) -> None:
        """Who is still free is idle from now on."""
        for executor in self.free:
            self.just[executor] = None

    def push(self, when: int, executor: int, job: int, stage: int) -> None:
        heapq.heappush(self.events, (when, self.order, executor, job, stage))
        self.order += 1

    def outcome(self) -> Outcome:
        if (self.finished < 0).any():
            raise ExperimentError(f"job {int(self.finished.argmin())} never ends")
        return Outcome(self.finished, tuple(self.tasks), self.moves, self.decisions)
