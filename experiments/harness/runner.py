"""Runs an experiment: every study under every seed, each result stored as soon as it is there."""

import dataclasses
import importlib.metadata
import json
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax

from experiments.files.storage import (
    code_digest,
    digest,
    plain,
    read_sealed,
    write_atomically,
    write_sealed,
)
from experiments.files.words import quoted, shown
from experiments.harness.experiment import (
    Experiment,
    NotMeasured,
    Record,
    Records,
    Result,
    Study,
    Trial,
    checked_result,
)
from experiments.harness.statistics import TooFewError
from ntkexec.check import Check, Measurement, Outcome, carry_out, counts
from ntkexec.errors import ExperimentError, NtkexecError

FORMAT = "ntkexec-experiment/2"
LONGEST = 1e12
"""Seconds of measuring that are believed."""


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


@dataclasses.dataclass(frozen=True)
class Report:
    """An experiment that was run and judged.

    Args:
        experiment: what was run.
        scale: of the configuration, or "custom" where fields were changed.
        config: the configuration itself.
        records: of all seeds.
        outcomes: of all checks, in their order.
        seconds: spent on measuring, whenever that was.
        reused: results that were stored before, of `len(records) * len(studies)`.
        environment: versions and device of this run.
    """

    experiment: Experiment[Any]
    scale: str
    config: Any
    records: tuple[Record, ...]
    outcomes: tuple[Outcome, ...]
    seconds: float
    reused: int
    environment: dict[str, str]

    @property
    def failed(self) -> bool:
        """Whether a claim was measured and refuted; what is undecided may still hold."""
        return any(outcome.verdict == "fails" for outcome in self.outcomes)

    def to_data(self) -> dict[str, Any]:
        """The report as plain data, for JSON."""
        return plain(
            {
                "format": FORMAT,
                "experiment": self.experiment.slug,
                "title": self.experiment.title,
                "paper": dataclasses.asdict(self.experiment.paper),
                "scale": self.scale,
                "config": dataclasses.asdict(self.config),
                "seeds": [record.seed for record in self.records],
                "summary": {name.replace(" ", "_"): n for name, n in counts(self.outcomes).items()},
                "claims": [outcome.to_data() for outcome in self.outcomes],
                "records": [record.to_data() for record in self.records],
                "seconds": self.seconds,
                "reused": self.reused,
                "environment": self.environment,
            }
        )


def environment() -> dict[str, str]:
    """Versions and device, which a figure cannot be cited without."""
    versions = {
        name: importlib.metadata.version(name) for name in ("jax", "flax", "optax", "numpy")
    }
    return {
        "python": platform.python_version(),
        **versions,
        "device": jax.devices()[0].device_kind,
        "machine": platform.machine(),
    }


def run(
    experiment: Experiment[Any],
    config: Any,
    *,
    scale: str = "custom",
    num_seeds: int | None = None,
    out: Path | None = None,
    data: Path | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
) -> Report:
    """Measures what is not yet stored, then judges all of it.

    Args:
        experiment: what to run.
        config: one of its configurations.
        scale: what the configuration is called.
        num_seeds: seeds 0 to num_seeds - 1; by default the experiment's own number.
        out: folder for results and checkpoints, kept; in memory only if there is none.
        data: folder with real data sets.
        report: told about progress.

    Raises:
        ExperimentError: for a configuration of another experiment, or damaged stored results.
    """
    if type(config) is not type(experiment.tiny):
        raise ExperimentError(f"{type(config).__name__} is no configuration of {experiment.slug}")
    num_seeds = experiment.num_seeds if num_seeds is None else num_seeds
    if num_seeds < 1:
        raise ExperimentError(f"at least one seed is needed, got {num_seeds}")
    total = num_seeds * len(experiment.studies)
    folders = {
        name: None if out is None else _folder(out, experiment, name, study, config)
        for name, study in experiment.studies.items()
    }
    records, seconds, reused = [], 0.0, 0
    for seed in range(num_seeds):
        results: dict[str, Result] = {}
        missing: dict[str, str] = {}
        for place, (name, study) in enumerate(experiment.studies.items()):
            done = seed * len(experiment.studies) + place
            now = Progress(experiment.slug, name, seed, done, total)
            report(now)
            folder = folders[name]
            stored = None if folder is None else _read(folder, name, seed)
            if stored is None:
                trial = Trial(
                    name,
                    seed,
                    _inner(report, now),
                    None if folder is None else folder / f"seed-{seed}",
                    data,
                )
                try:
                    stored = {"study": name, "seed": seed, **_measure(study, config, trial)}
                except NotMeasured as reason:
                    missing[name] = str(reason)
                    continue
                if folder is not None:
                    write_sealed(folder / f"seed-{seed}.json", {**stored, "folder": folder.name})
            else:
                reused += 1
            results[name] = stored["result"]
            seconds += stored["seconds"]
        records.append(Record(seed, results, missing))
    outcomes = tuple(
        judge(check, records) if reused == 0 else _judge_stored(check, records, out)
        for check in experiment.checks
    )
    return Report(
        experiment, scale, config, tuple(records), outcomes, seconds, reused, environment()
    )


def judge(check: Check[Records], records: Sequence[Record]) -> Outcome:
    """Carries out a check; what cannot be measured here is an outcome with its reason."""
    try:
        return carry_out(check, records)
    except (NotMeasured, TooFewError) as reason:
        return Outcome(check, Measurement(reason=str(reason)))


def _judge_stored(check: Check[Records], records: Sequence[Record], out: Path | None) -> Outcome:
    """As `judge`, where a check meets results that this run has not measured and that may be forged."""
    try:
        return judge(check, records)
    except NtkexecError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise ExperimentError(
            f"{check.name} cannot be judged by the results stored in {out}; delete them to measure "
            f"anew: {type(error).__name__}, {shown(error)}"
        ) from error


def _inner(report: Callable[[Progress], None], now: Progress) -> Callable[[str, int, int], None]:
    def tell(what: str, done: int, total: int) -> None:
        report(dataclasses.replace(now, what=what, part=done / total if total else 1.0))

    return tell


def _measure(study: Study, config: Any, trial: Trial) -> dict[str, Any]:
    start = time.perf_counter()
    # A result that was just measured and one that was read must not differ, so both are plain.
    result = json.loads(json.dumps(plain(study(config, trial))))
    return {
        "format": FORMAT,
        "result": result,
        "seconds": time.perf_counter() - start,
        "environment": environment(),
    }


def _folder(out: Path, experiment: Experiment[Any], name: str, study: Study, config: Any) -> Path:
    """Where a study's results lie under this configuration and this code; writes what they are."""
    identity = {
        "format": FORMAT,
        "experiment": experiment.slug,
        "study": name,
        "config": plain(dataclasses.asdict(config)),
        "code": code_digest(study.__module__),
    }
    folder = out / experiment.slug / f"{name}-{digest(identity)}"
    described = (json.dumps(identity, indent=1, sort_keys=True) + "\n").encode()
    known = folder / "config.json"
    try:
        # Nothing reads it but people, whom a damaged one would mislead.
        same = known.is_file() and known.read_bytes() == described
    except OSError as error:
        raise ExperimentError(f"cannot read {known}: {error.strerror}") from error
    if not same:
        write_atomically(known, described)
    return folder


def _read(folder: Path, study: str, seed: int) -> dict[str, Any] | None:
    """A stored result; none if there is none yet."""
    path = folder / f"seed-{seed}.json"
    stored = read_sealed(path, format=FORMAT, folder=folder.name, study=study, seed=seed)
    if stored is None:
        return None
    checked_result(stored.get("result"), path)
    seconds = stored.get("seconds")
    if not isinstance(seconds, int | float) or not 0 <= seconds < LONGEST:
        raise ExperimentError(
            f"{path} holds no result: its seconds are {quoted(seconds)}; delete it to measure anew"
        )
    return stored
