"""The cluster's simulator against a plain one, its invariants, and policies that cannot go wrong."""

import collections
import dataclasses
import itertools

import numpy as np
import pytest

from experiments.data.formats.job_graphs import JobStage
from experiments.kits.transformer.decoder import Shape, initial
from experiments.language.netllm.adapting import Adapted, Backbone, initial_trained
from experiments.language.netllm.cluster import episode, played
from experiments.language.netllm.dispatching import collected, dispatched
from experiments.language.netllm.jobs import (
    MOVING,
    WARMING,
    Job,
    StageTimes,
    Workload,
    in_order,
    of_stage,
)
from experiments.language.netllm.scheduling import (
    RULES,
    drawn_weighing,
    lower_bound,
    number_of,
    share_of,
)
from experiments.language.netllm.tasks import Scheduling, cluster_action
from ntkexec.errors import ExperimentError


def workload(seed, *, jobs=5, executors=4):
    generator = np.random.default_rng(seed)
    made, arrival = [], 0
    for _ in range(jobs):
        number = int(generator.integers(1, 6))
        parents = tuple(
            tuple(int(i) for i in range(stage) if generator.random() < 0.4)
            for stage in range(number)
        )
        stages = tuple(
            StageTimes(
                int(generator.integers(1, 7)),
                tuple(
                    {level: tuple(generator.integers(1, most, 3).tolist()) for level in (5, 10)}
                    for most in (4000, 2500, 1500)
                ),
                float(generator.uniform(500, 1500)),
            )
            for _ in range(number)
        )
        draws = tuple(
            tuple(map(tuple, generator.random((stage.num_tasks, 2)).tolist())) for stage in stages
        )
        made.append(Job(arrival, stages, parents, draws))
        arrival += int(generator.integers(0, 6000))
    return Workload(tuple(made), executors)


def plain(given, policy):
    """The same cluster, with everything worked out anew at every moment from a list of what happened."""
    jobs, log, moves = given.jobs, [], []
    place = dict.fromkeys(range(given.executors))
    fresh = dict.fromkeys(range(given.executors), True)
    pending = [(job.arrival, i, "job", None, i, None) for i, job in enumerate(jobs)]
    present, number = [], len(pending)

    def begun(job, stage):
        return sum(one[:2] == (job, stage) for one in log)

    def start(executor, job, stage, now):
        nonlocal number
        task, times = begun(job, stage), jobs[job].stages[stage]
        if task == times.num_tasks:
            return
        mine = [one for one in log if one[3] == executor]
        wave = 0 if fresh[executor] else 2 if mine[-1][:2] == (job, stage) else 1
        local = sum(where == job for where in place.values())
        end = now + times.duration(wave, local, jobs[job].draws[stage][task])
        fresh[executor] = False
        log.append((job, stage, task, executor, wave, now, end))
        pending.append((end, number, "task", executor, job, stage))
        number += 1

    while pending:
        now = min(pending)[0]
        for one in sorted(one for one in pending if one[0] == now):
            pending.remove(one)
            _, _, kind, executor, job, stage = one
            if kind == "job":
                present.append(job)
                continue
            if kind == "arrives":
                place[executor] = job
            start(executor, job, stage, now)
        while True:
            on_way = [one for one in pending if one[2] == "arrives"]
            busy = {one[3] for one in pending if one[3] is not None}
            free = [one for one in place if one not in busy]
            ends = collections.Counter(one[:2] for one in log if one[6] <= now)
            complete = {
                (job, stage)
                for job in present
                for stage, times in enumerate(jobs[job].stages)
                if ends[job, stage] == times.num_tasks
            }
            ready = []
            for job in present:
                for stage, before in enumerate(jobs[job].parents):
                    coming = sum(one[4:] == (job, stage) for one in on_way)
                    waiting = jobs[job].stages[stage].num_tasks - begun(job, stage) - coming
                    if waiting > 0 and all((job, parent) in complete for parent in before):
                        near = sum(place[one] == job for one in free)
                        holds = sum(place[one] == job for one in place)
                        holds += sum(one[4] == job for one in on_way)
                        ready.append((job, stage, waiting, near, holds))
            if not free or not ready:
                break
            choice, wanted = policy(free, ready)
            job, stage, waiting, _, _ = ready[choice]
            free.sort(key=lambda one: (place[one] != job, place[one] is not None, one))
            for executor in free[: min(wanted, waiting)]:
                if place[executor] == job:
                    start(executor, job, stage, now)
                else:
                    place[executor], fresh[executor] = None, True
                    moves.append((executor, job))
                    pending.append((now + MOVING, number, "arrives", executor, job, stage))
                    number += 1
        for executor in free:
            fresh[executor] = True
    return log, moves


def drawn_policy(seed):
    generator = np.random.default_rng(seed)
    return lambda free, ready: (
        int(generator.integers(ready)),
        int(generator.integers(1, free + 1)),
    )


@pytest.mark.parametrize("seed", range(12))
def test_the_simulator_does_what_a_plain_one_does(seed):
    given = workload(seed, executors=1 + seed % 6)
    one, other, seen, known = drawn_policy(seed), drawn_policy(seed), [], []

    def policy(view):
        seen.append((view.free, [candidate[:5] for candidate in view.candidates]))
        return one(view.free, len(view.candidates))

    def plainly(free, ready):
        known.append((len(free), ready))
        return other(len(free), len(ready))

    found = played(given, policy)
    log, moves = plain(given, plainly)
    assert seen == known
    assert [tuple(task) for task in found.tasks] == log
    assert found.moves == len(moves)


def check(given, outcome):
    """Raises unless every task ran once, after its stage's parents, and no executor did two things."""
    ran = collections.Counter((one.job, one.stage, one.task) for one in outcome.tasks)
    wanted = {
        (job, stage, task)
        for job, one in enumerate(given.jobs)
        for stage, times in enumerate(one.stages)
        for task in range(times.num_tasks)
    }
    assert ran.keys() == wanted
    assert set(ran.values()) == {1}
    begins, ends = {}, {}
    for one in outcome.tasks:
        stage = one.job, one.stage
        begins[stage] = min(begins.get(stage, one.start), one.start)
        ends[stage] = max(ends.get(stage, 0), one.end)
    for job, one in enumerate(given.jobs):
        for stage, before in enumerate(one.parents):
            assert begins[job, stage] >= one.arrival + MOVING
            assert all(begins[job, stage] >= ends[job, parent] for parent in before)
        assert outcome.finished[job] == max(ends[job, stage] for stage in range(len(one.stages)))
    spans = sorted((one.executor, one.start, one.end) for one in outcome.tasks)
    for (before, _, end), (after, start, _) in itertools.pairwise(spans):
        assert before != after or end <= start
    assert {one.executor for one in outcome.tasks} <= set(range(given.executors))
    work = sum(one.end - one.start for one in outcome.tasks)
    # The last moves may end after the last task.
    horizon = outcome.finished.max() + MOVING
    idle = given.executors * horizon - work - MOVING * outcome.moves
    assert idle >= 0


@pytest.mark.parametrize("name", RULES)
def test_every_task_runs_once_in_order_and_no_rule_passes_the_bound(name):
    for seed in range(6):
        given = workload(seed)
        found = played(given, RULES[name])
        check(given, found)
        assert found.mean_completion(given) >= lower_bound(given)
    lazy = dataclasses.replace(found, tasks=found.tasks[1:])
    with pytest.raises(AssertionError):
        check(given, lazy)


def test_the_bound_is_met_where_nothing_can_be_arranged():
    stage = StageTimes(3, ({5: (30,)}, {5: (30,)}, {5: (30,)}), 30.0)
    draws = (((0.5, 0.5),) * 3,) * 2
    chain = Job(0, (stage, stage), ((), (0,)), draws)
    alone = Workload((chain,), 1)
    assert lower_bound(alone) == MOVING + 180
    assert played(alone, RULES["fifo"]).finished.tolist() == [MOVING + 180]
    assert lower_bound(Workload((chain,), 9)) == MOVING + 60
    assert played(Workload((chain,), 9), RULES["fifo"]).finished.tolist() == [MOVING + 60]
    short = Job(60, (StageTimes(1, stage.waves, 30.0),), ((),), (draws[0][:1],))
    # One machine: 60 of the first, all 30 of the second, the other 120 of the first.
    assert lower_bound(Workload((chain, short), 1)) == (MOVING + 210 + MOVING + 30) / 2


def test_durations_are_drawn_from_the_wave_and_the_nearer_level():
    recorded = JobStage(
        fresh={5: (9,), 10: ()}, first={5: (9, 4, 4), 10: (6,)}, rest={5: (), 10: (2, 3)}
    )
    found = of_stage(recorded)
    assert found.waves == (
        {5: (9,), 10: (6 + WARMING,)}, {5: (4, 4), 10: (6,)}, {5: (4, 4), 10: (2, 3)}
    )  # fmt: skip
    assert (found.num_tasks, found.mean) == (3, 28 / 6)
    assert [found.duration(2, local, (0.5, 0.99)) for local in (1, 5, 7, 8, 10, 70)] == [
        *(4, 4, 4, 3, 3, 3)
    ]
    shares = np.mean([found.duration(0, 6, (u, 0)) > 9 for u in np.arange(0, 1, 0.01)])
    assert shares == pytest.approx(0.2)
    assert in_order(((1,), (), (0, 1))) == [1, 0, 2]
    for parents, said in (
        (((1,), (0,)), "wait for each other"),
        (((0,),), "wait for each other"),
        (((), (2,)), "2 stages waits for its stage 2"),
        (((), (-1,)), "2 stages waits for its stage -1"),
    ):
        with pytest.raises(ExperimentError, match=said):
            in_order(parents)
    number = 20_000
    chain = [(i + 1,) for i in range(number - 1)] + [()]
    assert in_order(chain) == [*reversed(range(number))]


def test_whatever_a_head_says_is_an_action_and_no_other_is_taken():
    generator = np.random.default_rng(0)
    view = next(episode(workload(1, executors=5)))
    for _ in range(300):
        scores = generator.normal(size=16) * generator.choice([1, np.nan, np.inf, -np.inf], 16)
        shares = generator.normal(size=(16, 3)) * generator.choice([1, np.nan, np.inf], (16, 1))
        choice, number = cluster_action(scores, shares, view)
        assert 0 <= choice < len(view.candidates)
        assert 1 <= number <= view.free
    for action in ((len(view.candidates), 1), (-1, 1), (0, 0)):
        running = episode(workload(1, executors=5))
        next(running)
        with pytest.raises(ExperimentError, match="executors cannot go to stage"):
            running.send(action)
    for free in range(1, 9):
        assert [number_of(share, free) for share in range(3)] == [1, (free + 1) // 2, free]
        assert all(number_of(share_of(n, free), free) <= n for n in range(1, free + 1))


def test_an_adapted_decoder_schedules_alike_alone_and_beside_others():
    task = Scheduling(slots=4, features=8)
    shape = Shape(blocks=1, width=8, heads=2, key_heads=1, hidden=8, vocabulary=1)
    generator = np.random.default_rng(3)
    trained = initial_trained(task, shape, generator, rank=2, scale=1.0)
    adapted = Adapted(task, Backbone(shape, initial(shape, generator)), trained, np.zeros(0))
    given = [workload(seed, jobs=6) for seed in range(3)]
    together = dispatched(adapted, given, quality=[1.0, 0.0, -1.0])
    for one, outcome in zip(given, together, strict=True):
        check(one, outcome)
    # The same size of batch, so that nothing is compiled anew.
    for place in range(3):
        again = dispatched(adapted, [given[place]] * 3, quality=[1.0 - place] * 3)[0]
        assert again.tasks == together[place].tasks
    with pytest.raises(ExperimentError, match="1 qualities are asked for in 3 workloads"):
        dispatched(adapted, given, quality=[1.0])


def test_a_pool_says_how_good_each_schedule_was():
    given = [workload(seed, jobs=6) for seed in range(2)]
    policies = {"fifo": RULES["fifo"], "other": drawn_weighing(np.random.default_rng(0))}
    pool = collected(Scheduling(slots=4), given, policies)
    assert pool.completion.shape == (2, 2)
    assert set(np.round(pool.examples["quality"].ravel(), 6)) <= {-1.0, 1.0}
    rows = np.arange(len(pool.examples["choice"]))
    assert pool.examples["there"][rows, pool.examples["choice"]].all()
    assert (pool.examples["there"].sum(1) > 1).all()
