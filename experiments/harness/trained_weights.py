"""Which weights a user's own data is looked at by: those of the longest training, or a file that is named."""

import dataclasses
import json
import math
from pathlib import Path
from typing import Any, NamedTuple

from experiments.files.sources import check_regular, content_up_to
from experiments.files.storage import plain
from experiments.files.words import shown
from experiments.harness import registry, stored
from experiments.harness.configuration import changed
from experiments.harness.experiment import Experiment
from experiments.kits.detection.weights import find_weights
from ntkexec.errors import ExperimentError
from ntkexec.vocabulary import Scale

SCALES: tuple[Scale, ...] = ("full", "standard", "quick")
"""Whose weights are taken, the first that are stored: the longest training first."""
TRAINING: tuple[Scale, ...] = ("quick", "standard")
"""What is advised where nothing is stored, the first that the port has: the shortest training first."""
CUSTOM = "custom"
"""Scale of a configuration that was changed."""
MOST_BYTES = 2**20
"""Of what a run writes of its configuration."""


class TrainedWeights(NamedTuple):
    """A file of weights, and the network that they are of.

    Args:
        scale: of the run that trained them; `CUSTOM` if its configuration is none of the port's.
        config: of that run.
        file: of `kits.detection.weights.kept_weights`.
    """

    scale: str
    config: Any
    file: Path


def longest_trained(slug: str, study: str, what: str, out: Path) -> TrainedWeights:
    """Those of a scale of the port, trained by this code, the longest training first.

    Args:
        slug: of the port.
        study: that trains.
        what: the weights are called.
        out: folder of results.

    Raises:
        ExperimentError: there are none. It says how they are trained; and where a file lies that another
            configuration, code or version trained, which `given_weights` takes.
    """
    experiment = registry.find(slug)
    for scale in SCALES:
        if scale in experiment.studies.configs:
            config = experiment.studies.config(scale)
            found = find_weights(stored.folder_of(out, experiment, study, config), what)
            if found is not None:
                return TrainedWeights(scale, config, found)
    scale = _first(experiment)
    command = (
        f"`ntkexec experiment run {slug} --scale {scale} --study {study} --seeds 1 --out {out}`"
    )
    other = _newest(experiment, study, what, out)
    if other is not None:
        # Short: of a long message the middle is left out.
        by = "under other settings" if other.scale == CUSTOM else f"at {other.scale} by other code"
        raise ExperimentError(
            f"{other.file} was trained {by}; --weights takes it, or {command} trains anew"
        )
    # Of a run of all studies and seeds, as it was last measured: training alone takes less.
    minutes = math.ceil(experiment.about.cpu_seconds / 60) if scale == "quick" else 0
    spent = f" within {minutes} minute{'s' * (minutes > 1)} of processor time" if minutes else ""
    better = "; --scale standard trains longer" if "standard" in experiment.studies.configs else ""
    raise ExperimentError(
        f"no trained weights of {slug} are stored in {out}: {command} trains them{spent}"
        f"{better * (scale == 'quick')}"
    )


def given_weights(slug: str, study: str, file: Path) -> TrainedWeights:
    """Weights in a file that a run of the port has kept, whatever its configuration was.

    Args:
        slug: of the port.
        study: that trained.
        file: where the run kept it: below the folder in which its configuration is written.

    Raises:
        ExperimentError: there is no such file, or beside it no configuration that is one of this study.
    """
    check_regular(file)
    experiment = registry.find(slug)
    described = _described(file)
    if described is None or (described["experiment"], described["study"]) != (slug, study):
        said = "no" if described is None else "another study's"
        raise ExperimentError(
            f"{said} config.json lies two folders above {shown(file)} to say what network it is of: name the "
            f"file where a run of {slug} with --study {study} has kept it"
        )
    words = [f"{name}={json.dumps(value)}" for name, value in described["config"].items()]
    try:
        config = changed(experiment.studies.config(_first(experiment)), words)
    except ExperimentError as error:
        raise ExperimentError(
            f"{shown(file)} was trained under a configuration that {slug} no longer has: {error}"
        ) from error
    return TrainedWeights(_scale_of(experiment, plain(dataclasses.asdict(config))), config, file)


def _first(experiment: Experiment[Any]) -> Scale:
    return next(name for name in (*TRAINING, *SCALES) if name in experiment.studies.configs)


def _newest(experiment: Experiment[Any], study: str, what: str, out: Path) -> TrainedWeights | None:
    """The weights that were written last, of whatever configuration and version; none if there are none."""
    found = [
        (path.stat().st_mtime, path)
        for path in (out / experiment.slug).glob(f"{study}-*/seed-*/{what}-*.safetensors")
        if path.is_file()
    ]
    if not found:
        return None
    newest = max(found)[1]
    described = _described(newest)
    config = None if described is None else described["config"]
    return TrainedWeights(_scale_of(experiment, config), config, newest)


def _described(file: Path) -> dict[str, Any] | None:
    """What a run wrote of the study that a file of weights belongs to; none, if it is not there."""
    written = file.absolute().parent.parent / "config.json"
    try:
        found = json.loads(content_up_to(written, MOST_BYTES))
    except (ExperimentError, ValueError, RecursionError):
        return None
    named = isinstance(found, dict) and isinstance(found.get("config"), dict)
    return found if named and {"experiment", "study"} <= set(found) else None


def _scale_of(experiment: Experiment[Any], config: Any) -> str:
    """The scale of which a configuration is, as plain data."""
    for scale in SCALES:
        if scale in experiment.studies.configs:
            known = plain(dataclasses.asdict(experiment.studies.config(scale)))
            if known == config:
                return scale
    return CUSTOM
