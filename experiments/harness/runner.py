"""Runs an experiment: every study under every seed, each result stored as soon as it is there."""

import dataclasses
import json
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from experiments.files.storage import plain
from experiments.files.words import quoted, shown
from experiments.harness import stored
from experiments.harness.claim import Claim
from experiments.harness.experiment import Experiment
from experiments.harness.report import FORMAT, Report
from experiments.harness.statistics import TooFewError
from experiments.harness.study import NotMeasured, Record, Result, Study, Trial
from ntkexec.check import Measurement, Outcome, carry_out
from ntkexec.errors import ExperimentError, NtkexecError

FIRST_SEED = 1000
"""Smaller seeds are for pilots, from which bounds and settings were chosen; a run confirms on others."""

SEEDS = 2**32
"""JAX's keys know a seed by 32 bits: a larger one would be another again."""

FORGED = (ExperimentError, ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What judging results of another shape ends in."""


@dataclasses.dataclass(frozen=True)
class Progress:
    """How far a run is.

    Args:
        slug, study, seed: what runs.
        done, total: pairs of study and seed, of the whole experiment.
        what: what the study itself says of its progress, empty at its start.
        part: of the study that is done, between 0 and 1.
    """

    slug: str
    study: str
    seed: int
    done: int
    total: int
    what: str = ""
    part: float = 0.0


Tell = Callable[[Progress], None]


def run(
    experiment: Experiment[Any],
    config: Any,
    *,
    scale: str = "custom",
    num_seeds: int | None = None,
    first_seed: int = FIRST_SEED,
    out: Path | None = None,
    data: Path | None = None,
    measuring: bool = True,
    only: Sequence[str] = (),
    report: Tell = lambda progress: None,
) -> Report:
    """Measures what is not yet stored, then judges all of it.

    Args:
        experiment: what to run.
        config: one of its configurations.
        scale: what the configuration is called.
        num_seeds: by default the experiment's own number.
        first_seed: seeds count from here.
        out: folder for results and checkpoints, kept; in memory only if there is none.
        data: folder with real data sets.
        measuring: whether what is not stored is measured; otherwise it is missing.
        only: studies to measure, all of them if empty; what the others need must be stored, or is missing.
        report: told about progress.

    Raises:
        ExperimentError: for a configuration of another experiment, a study that it has not, or damaged
            stored results.
    """
    studies = experiment.studies
    if type(config) is not type(studies.tiny):
        raise ExperimentError(f"{type(config).__name__} is no configuration of {experiment.slug}")
    num_seeds = studies.num_seeds if num_seeds is None else num_seeds
    if num_seeds < 1 or first_seed < 0:
        raise ExperimentError(
            f"at least one seed is needed, from 0 on; got {num_seeds}, from {first_seed}"
        )
    if first_seed + num_seeds > SEEDS:
        raise ExperimentError(f"the last seed is {SEEDS - 1}; got {num_seeds}, from {first_seed}")
    names = tuple(studies.functions)
    if unknown := sorted(set(only) - set(names)):
        raise ExperimentError(
            f"{experiment.slug} has no study {quoted(unknown[0])}, but {', '.join(names)}"
        )
    folders: dict[str, Path | None] = dict.fromkeys(names)
    if out is not None:
        for name, found_as in stored.identities(experiment, config).items():
            folders[name] = lies = stored.folder_for(out, found_as)
            if measuring and _asked(name, only):
                stored.describe(lies, found_as)
    records, seconds, cpu_seconds, reused = [], 0.0, 0.0, 0
    for place, seed in enumerate(range(first_seed, first_seed + num_seeds)):
        results: dict[str, Result] = {}
        missing: dict[str, str] = {}
        for order, name in enumerate(names):
            now = Progress(
                experiment.slug, name, seed, place * len(names) + order, num_seeds * len(names)
            )
            report(now)
            folder = folders[name]
            found = None if folder is None else stored.read_result(folder, name, seed)
            if found is not None:
                reused += 1
            elif not measuring or not _asked(name, only):
                missing[name] = stored.read_reason(folder) or (
                    f"the study {name} has not been measured under seed {seed}"
                )
                continue
            else:
                own = None if folder is None else folder / f"seed-{seed}"
                trial = Trial(name, seed, _inner(report, now), own, data)
                try:
                    found = _measure(studies.functions[name], config, trial)
                except NotMeasured as reason:
                    missing[name] = str(reason)
                    if folder is not None:
                        stored.write_reason(folder, missing[name])
                    continue
                if folder is not None:
                    stored.write_result(folder, found)
            results[name] = found["result"]
            seconds += found["seconds"]
            cpu_seconds += found["cpu_seconds"]
        records.append(Record(seed, results, missing))
    outcomes = tuple(
        judge(claim, records) if reused == 0 else _judge_stored(claim, records, out)
        for claim in experiment.claims
    )
    return Report(
        experiment,
        scale,
        config,
        tuple(records),
        outcomes,
        seconds,
        cpu_seconds,
        reused,
        stored.environment(),
    )


def judge(claim: Claim, records: Sequence[Record]) -> Outcome:
    """Carries out a claim's check; what cannot be measured here is an outcome with its reason."""
    try:
        return carry_out(claim, records)
    except (NotMeasured, TooFewError) as reason:
        return Outcome(claim, Measurement(reason=str(reason)))


def _judge_stored(claim: Claim, records: Sequence[Record], out: Path | None) -> Outcome:
    """As `judge`, where a claim meets results that this run has not measured and that may be forged."""
    try:
        return judge(claim, records)
    except FORGED as error:
        if isinstance(error, NtkexecError) and not isinstance(error, ExperimentError):
            raise
        raise ExperimentError(
            f"{claim.name} cannot be judged by the results stored in {out}; delete them to measure "
            f"anew: {type(error).__name__}, {shown(error)}"
        ) from error


def _asked(study: str, only: Sequence[str]) -> bool:
    return not only or study in only


def _inner(report: Tell, now: Progress) -> Callable[[str, int, int], None]:
    def tell(what: str, done: int, total: int) -> None:
        report(dataclasses.replace(now, what=what, part=done / total if total else 1.0))

    return tell


def _measure(study: Study, config: Any, trial: Trial) -> dict[str, Any]:
    start, cpu = time.perf_counter(), _cpu_seconds()
    # A result that was just measured and one that was read must not differ, so both are plain.
    result = json.loads(json.dumps(plain(study(config, trial))))
    return {
        "format": FORMAT,
        "study": trial.study,
        "seed": trial.seed,
        "result": result,
        "seconds": time.perf_counter() - start,
        "cpu_seconds": _cpu_seconds() - cpu,
        "environment": stored.environment(),
    }


def _cpu_seconds() -> float:
    """Processor time of this process and of the children that it has waited for."""
    taken = os.times()
    return taken.user + taken.system + taken.children_user + taken.children_system
