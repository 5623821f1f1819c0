"""Ensembles on disk: safetensors files and a manifest, written atomically, checked on reading.

A folder holds `plan.json` and the thresholds from the start of training, one file of weights per
finished chunk, and `ensemble.json`, with the size and SHA-256 of every file, only when all is there.
So a training that was killed leaves nothing that loads, and continues where it stopped. What each
file must hold is in `ntkexec.ensemble.stored`.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from jaxtyping import Float, Float32
from safetensors.numpy import save as serialise_tensors

from ntkexec.ensemble.chunk_files import read_chunk, to_bytes
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.folders import claim, require_same, write
from ntkexec.ensemble.gaussian import GaussianEnsemble
from ntkexec.ensemble.loading import assemble, load, read_manifest
from ntkexec.ensemble.reading import (
    read_tensors,
)
from ntkexec.ensemble.stored import (
    MANIFEST,
    THRESHOLDS,
    Entry,
    Manifest,
    Plan,
    as_json,
    chunk_name,
    made_with,
    sha256,
    tensors_of,
    threshold_tensor,
)
from ntkexec.ensemble.trained import Ensemble
from ntkexec.ensemble.training import (
    CHUNK_BYTES,
    Chunk,
    Progress,
    train_all,
)
from ntkexec.ensemble.weights import Weights
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.runtime import devices


def plan_of(
    problem: LearningProblem,
    config: EnsembleConfig,
    *,
    sizes: Mapping[str, int],
    thresholds: Entry,
    convention: str,
    budget: int,
) -> Plan:
    """What is to be trained, and with what."""
    program = problem.program
    return Plan(
        algorithm=program.name,
        parameters=dict(sizes),
        program=program.digest,
        kind=problem.kind,
        padding=problem.padding,
        config=config,
        convention=convention,
        thresholds=thresholds,
        chunk_budget=budget,
        made_with=made_with(),
    )


def train(
    problem: LearningProblem,
    config: EnsembleConfig,
    *,
    directory: str | os.PathLike[str] | None = None,
    sizes: Mapping[str, int] | None = None,
    thresholds: Float[np.ndarray, "k m"] | None = None,
    convention: str = "given",
    report: Callable[[Progress], None] = lambda _: None,
    budget: int = CHUNK_BYTES,
) -> Ensemble:
    """Trains an ensemble and, if a folder is given, stores it there chunk by chunk.

    Args:
        problem: what to learn.
        config: how.
        directory: where to store it; a training that was killed there is continued, a complete
            ensemble of the same plan is loaded. Of several processes each needs a folder of its own.
        sizes: the program's sizes, stored so that it can be built again.
        thresholds: with which it is to run, by bit and number of matches, as float32 numbers; a
            stored ensemble has them with it.
        convention: name of where they lie.
        report: called after every chunk.
        budget: bytes that training may use.

    Raises:
        EnsembleError: training fails, the folder holds something else, or thresholds are missing or
            of another shape.
    """
    if config.draw == "gaussian":
        raise EnsembleError("gaussian ensembles are not trained; use draw()")
    running = None if thresholds is None else np.asarray(thresholds, np.float32)
    if directory is None:
        pieces = dict(train_all(problem, config, report=report, budget=budget))
        return assemble(problem, config, pieces, running)
    if running is None:
        raise EnsembleError("a stored ensemble has the thresholds with it that it runs with")
    table = _threshold_bytes(problem, running)
    folder = Path(directory)
    plan = plan_of(
        problem,
        config,
        sizes=sizes or {},
        thresholds=Entry(THRESHOLDS, len(table), sha256(table)),
        convention=convention,
        budget=budget,
    )
    finished = devices.agree((folder / MANIFEST).exists())
    claim(folder, plan, table, finished=finished)
    if finished:
        # Checks the digests: training again must not vouch for files that were damaged since.
        found = load(folder, problem)
        require_same(folder, MANIFEST, read_manifest(folder).plan, plan, finished=True)
        return found
    found_pieces: dict[Chunk, Weights] = {}
    files: list[Entry] = []

    def continued(chunk: Chunk) -> Weights | None:
        path = folder / chunk_name(chunk)
        if not devices.agree(path.exists()):
            return None
        return read_chunk(path, plan, problem.stacks[chunk.stack], chunk)

    for chunk, weights in train_all(
        problem, config, finished=continued, report=report, budget=budget
    ):
        path = folder / chunk_name(chunk)
        if not path.exists():
            write(path, to_bytes(weights, plan.stamp(chunk)))
        wanted = tensors_of(config, problem.stacks[chunk.stack], len(weights.residual))
        content, _ = read_tensors(path, wanted)
        files.append(Entry(path.name, len(content), sha256(content), chunk))
        found_pieces[chunk] = weights
    own = {field.name: getattr(plan, field.name) for field in dataclasses.fields(Plan)}
    write(folder / MANIFEST, as_json(Manifest(**own, files=tuple(files)).to_data()))
    return assemble(problem, config, found_pieces, running)


def draw(
    problem: LearningProblem,
    config: EnsembleConfig,
    *,
    directory: str | os.PathLike[str] | None = None,
    sizes: Mapping[str, int] | None = None,
    thresholds: Float[np.ndarray, "k m"] | None = None,
    convention: str = "given",
    report: Callable[[Progress], None] = lambda _: None,
    budget: int = CHUNK_BYTES,
) -> Ensemble | GaussianEnsemble:
    """An ensemble, drawn as its config says; arguments as for `train`.

    Raises:
        EnsembleError: as for `train`, or gaussian draws are to be stored.
    """
    if config.draw != "gaussian":
        return train(
            problem,
            config,
            directory=directory,
            sizes=sizes,
            thresholds=thresholds,
            convention=convention,
            report=report,
            budget=budget,
        )
    if directory is not None:
        raise EnsembleError(
            "gaussian draws have values, not weights, and cannot be stored; draw them again with the "
            "same seed, or store linearised or trained networks"
        )
    return GaussianEnsemble(problem, config)


def _threshold_bytes(problem: LearningProblem, table: Float32[np.ndarray, "k m"]) -> bytes:
    ((name, wanted),) = threshold_tensor(problem).items()
    if table.shape != wanted.shape or not np.isfinite(table).all():
        raise EnsembleError(
            f"thresholds by bit and number of matches are finite and of shape {wanted.shape}, "
            f"these have shape {table.shape}"
        )
    return serialise_tensors({name: np.ascontiguousarray(table)})
