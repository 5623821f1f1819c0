"""Viewports and clusters: what an adapted decoder makes of them beside rules that need no learning."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from experiments.data.formats.job_graphs import JobGraphSet
from experiments.data.formats.viewports import ViewportSet
from experiments.harness.study import Trial
from experiments.language.netllm import viewport
from experiments.language.netllm.adapting import Adapted, Backbone, adapt
from experiments.language.netllm.cluster import Outcome, played
from experiments.language.netllm.dispatching import collected, dispatched
from experiments.language.netllm.jobs import Workload, drawn
from experiments.language.netllm.scheduling import RULES, lower_bound
from experiments.language.netllm.study_backbone import random_twin, real_backbone, tiny_backbone
from experiments.language.netllm.study_config import NetConfig
from experiments.language.netllm.tasks import Foretelling, Scheduling, viewport_inputs
from experiments.language.netllm.viewport import Windows, windows

HOME, AWAY = "viewports-jin2022", "viewports-wu2017"
BLOCK = 300
"""Windows that are answered at once."""
POOL = ("fifo", "shortest_first", "fair")
"""Rules whose schedules are learned from."""
ASKED = {"good": 1.0, "bad": -1.0}
"""Qualities that are asked for, in deviations of the pool."""
LARGEST_QUERY = 20
"""Gigabytes of the queries that are drawn."""


def viewports(config: NetConfig, trial: Trial) -> dict[str, Any]:
    """Mean absolute error in degrees on unseen viewers of unseen videos, by method.

    `home` has the methods on the set that was trained on, `away` on another with other videos, viewers
    and recordings; `public` is the rules' error without unwrapping and by the public code's measure.
    """
    sets = {name: trial.load(name) for name in (HOME, AWAY)}
    seen, tested = _parts(sets[HOME], config.view_stride)
    away = windows(sets[AWAY], "test")
    backbone = tiny_backbone(config, trial)
    fitted = viewport.LinearMap.fitted(seen, penalty=30.0)
    rules: dict[str, Callable[..., Any]] = {
        "still": viewport.last_value, "velocity": viewport.velocity,
        "line": viewport.linear_regression, "map": fitted,
    }  # fmt: skip
    found: dict[str, Any] = {
        place: {name: _error(rule(one.past, viewport.FUTURE), one) for name, rule in rules.items()}
        for place, one in (("home", tested), ("away", away))
    }
    found["public"] = {
        name: viewport.public_error(
            rules[name](tested.past, viewport.FUTURE, unwrap=False), tested.future
        )
        for name in ("velocity", "line")
    }
    for name, one in {
        "adapted": backbone,
        "random": random_twin(backbone, trial.generator),
    }.items():
        adapted = adapt(
            Foretelling(), one, viewport_inputs(seen), seed=trial.seed, steps=config.view_steps,
            batch=config.view_batch, rate=config.view_rate, rank=config.rank,
        )  # fmt: skip
        found["home"][name] = foretold_error(adapted, tested)
        found["away"][name] = foretold_error(adapted, away)
    return {**found, "windows": len(tested.past)}


def real_viewports(config: NetConfig, trial: Trial) -> dict[str, float]:
    """The same error with the first blocks of the real model, and of its twin at random start."""
    backbone = real_backbone(trial, config.real_blocks)
    seen, tested = _parts(trial.load(HOME), config.view_stride)
    arms = {"pretrained": backbone, "random": random_twin(backbone, trial.generator)}
    found = {"still": _error(viewport.last_value(tested.past, viewport.FUTURE), tested)}
    for name, one in arms.items():
        trial.report("real models adapted to viewports", len(found) - 1, len(arms))
        adapted = adapt(
            Foretelling(), one, viewport_inputs(seen), seed=trial.seed, steps=config.view_real_steps,
            batch=config.view_real_batch, rate=config.view_real_rate, rank=config.rank,
        )  # fmt: skip
        found[name] = foretold_error(adapted, tested)
    return found


def schedules(config: NetConfig, trial: Trial) -> dict[str, Any]:
    """Mean seconds from a job's arrival to its end, by method, on workloads that were not learned from.

    `rules` has all rules, `bound` what none can pass, `asked` the adapted decoder by the quality that
    it is asked for, `random` the same of its twin at random start.
    """
    known: JobGraphSet = trial.load("tpch")
    queries = [graph for graph in known.graphs if graph.gigabytes <= LARGEST_QUERY]
    generator = trial.generator

    def some(number: int) -> list[Workload]:
        sizes = {"jobs": config.cluster_jobs, "executors": config.cluster_executors}
        return [
            drawn(queries, generator, pause=config.cluster_pause, **sizes) for _ in range(number)
        ]

    learned, tested = some(config.cluster_learned), some(config.cluster_tested)
    task = Scheduling(config.cluster_slots)
    pool = collected(task, learned, {name: RULES[name] for name in POOL})
    backbone = tiny_backbone(config, trial)

    def made(one: Backbone) -> Adapted:
        return adapt(
            task, one, pool.examples, seed=trial.seed, steps=config.cluster_steps,
            batch=config.cluster_batch, rate=config.cluster_rate, rank=config.rank,
        )  # fmt: skip

    rules = {name: [played(workload, rule) for workload in tested] for name, rule in RULES.items()}

    def asked(adapted: Adapted) -> dict[str, float]:
        # Both qualities at once, since a call costs nearly the same.
        qualities = [quality for quality in ASKED.values() for _ in tested]
        ran = dispatched(adapted, tested * len(ASKED), quality=qualities)
        number = len(tested)
        each = {name: ran[i * number : (i + 1) * number] for i, name in enumerate(ASKED)}
        return _seconds(each, tested)

    return {
        "rules": _seconds(rules, tested),
        "asked": asked(made(backbone)),
        "random": asked(made(random_twin(backbone, generator))),
        "bound": float(np.mean([lower_bound(workload) for workload in tested])) / 1000,
        "learned_from": len(pool.examples["choice"]),
    }


def foretold_error(adapted: Adapted, found: Windows) -> float:
    """Mean absolute error in degrees of a decoder that was adapted to `Foretelling`."""
    inputs = viewport_inputs(found)
    number, turns = len(found.past), []
    for begin in range(0, number, BLOCK):
        # A batch of another size would be compiled anew.
        rows = np.arange(begin, begin + BLOCK) % number
        answers = adapted.outputs({name: part[rows] for name, part in inputs.items()})
        turns.append(np.asarray(answers, np.float64))
    foretold = np.concatenate(turns)[:number]
    return _error(found.past[:, -1:] + foretold, found)


def _parts(found: ViewportSet, stride: int) -> tuple[Windows, Windows]:
    return windows(found, "train", stride=stride), windows(found, "test")


def _error(foretold: np.ndarray, found: Windows) -> float:
    return viewport.wrapped_error(foretold, found.future)


def _seconds(outcomes: Mapping[str, Any], workloads: list[Workload]) -> dict[str, float]:
    def mean(ran: list[Outcome]) -> float:
        each = [one.mean_completion(load) for one, load in zip(ran, workloads, strict=True)]
        return float(np.mean(each)) / 1000

    return {name: mean(ran) for name, ran in outcomes.items()}


FUNCTIONS: dict[str, Callable[..., Any]] = {
    "viewports": viewports,
    "schedules": schedules,
    "real_viewports": real_viewports,
}
SLOW = ("viewports", "schedules", "real_viewports")
