"""Loading a stored ensemble: what it says of itself, whether it is what is asked for, and its networks."""

import dataclasses
import logging
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float32

from ntkexec.ensemble.chunk_files import read_chunk
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.reading import check_chunks, parse_manifest, read_json, read_tensors
from ntkexec.ensemble.stored import MANIFEST, PLAN, THRESHOLDS, Manifest, threshold_tensor
from ntkexec.ensemble.trained import Ensemble
from ntkexec.ensemble.training import Chunk
from ntkexec.ensemble.weights import Weights, join
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program

DECIDED = ("kind", "padding", "width", "draw", "descent", "seed", "weight_std")
"""What training has decided of an ensemble, so that nothing else can be asked of it."""


@dataclasses.dataclass(frozen=True)
class StoredEnsemble:
    """An ensemble in a folder, of which only the description has been read.

    Args:
        folder: where it is.
        manifest: what it says of itself.
    """

    folder: Path
    manifest: Manifest

    def load(self, program: Program, members: int | None = None) -> Ensemble:
        """Its networks, or the first of them; see `load`.

        Args:
            program: what they must have learned.
            members: how many of them, all by default.

        Raises:
            EnsembleError: as for `load`, or there are not that many.
        """
        problem = LearningProblem(program, self.manifest.kind, self.manifest.padding)
        networks = load(self.folder, problem)
        return networks if members is None else networks.first(members)


def find_stored(
    directory: str | os.PathLike[str],
    *,
    algorithm: str,
    digest: str | None = None,
    asked: Mapping[str, Any] | None = None,
) -> StoredEnsemble:
    """The ensemble in a folder, if it is what is asked for.

    Args:
        directory: the folder that `train` wrote.
        algorithm: what it must have learned, by name.
        digest: of the program, where it is known: a name is no part of what a program is.
        asked: what its networks must be, by the names in `DECIDED`; other names are passed over.

    Raises:
        EnsembleError: as for `read_manifest`, or it is something else; says what.
    """
    manifest = read_manifest(directory)
    if manifest.algorithm != algorithm and manifest.program != digest:
        raise EnsembleError(
            f"the ensemble in {directory} learned {manifest.algorithm}, not {algorithm}"
        )
    stored = vars(manifest.config) | {"kind": manifest.kind, "padding": manifest.padding}
    for name, value in (asked or {}).items():
        if name in DECIDED and value != stored[name]:
            raise EnsembleError(
                f"the ensemble in {directory} has {name} {stored[name]}, not {value}"
            )
    return StoredEnsemble(Path(directory), manifest)


def read_manifest(directory: str | os.PathLike[str]) -> Manifest:
    """What the ensemble in a folder says of itself.

    Raises:
        EnsembleError: no such folder, training unfinished, or not an ensemble of this format.
    """
    folder = Path(directory)
    path = folder / MANIFEST
    if not folder.is_dir():
        raise EnsembleError(f"there is no folder {folder}")
    if not os.path.lexists(path):
        if (folder / PLAN).exists():
            done = len(list(folder.glob("stack-*.safetensors")))
            raise EnsembleError(
                f"the training in {folder} is unfinished ({done} chunks done); run the same train "
                "command again to continue it"
            )
        raise EnsembleError(f"{folder} holds no ensemble: {MANIFEST} is missing")
    manifest = parse_manifest(read_json(path), path)
    for name, size in manifest.parameters.items():
        # Every size but the number of a permutation is one of things that have thresholds.
        if not 0 <= size <= manifest.thresholds.bytes and name != "permutation":
            raise EnsembleError(f"{path} is damaged: {name} {size} is none of this ensemble's size")
    return manifest


def load(directory: str | os.PathLike[str], problem: LearningProblem) -> Ensemble:
    """Loads a stored ensemble, with the thresholds that it runs with.

    Args:
        directory: the folder that `train` wrote.
        problem: what it must have learned.

    Raises:
        EnsembleError: the folder is missing, unfinished, damaged, holds anything that its plan does
            not say, or was trained for another program, kind or padding; says which.
    """
    folder = Path(directory)
    manifest = read_manifest(folder)
    program = problem.program
    for field, wanted in (
        ("algorithm", program.name),
        ("program", program.digest),
        ("kind", problem.kind),
        ("padding", problem.padding),
    ):
        found = getattr(manifest, field)
        if field == "algorithm" and manifest.program == program.digest:
            continue
        if found != wanted:
            changed = "; its templates have changed since, or are of other sizes: train it again"
            raise EnsembleError(
                f"the ensemble in {folder} was trained for {field} {found}, but {wanted} is needed"
                f" (its {manifest.algorithm} has {_words(manifest.parameters)})"
                f"{changed if field == 'program' else ''}"
            )
    check_chunks(manifest.files, len(problem.stacks), manifest.config.members)
    _, table = read_tensors(folder / THRESHOLDS, threshold_tensor(problem), manifest.thresholds)
    pieces = {}
    for entry in manifest.files:
        chunk = entry.chunk
        assert chunk is not None
        stack = problem.stacks[chunk.stack]
        pieces[chunk] = read_chunk(folder / entry.name, manifest, stack, chunk, entry)
    return assemble(problem, manifest.config, pieces, table["thresholds"])


def assemble(
    problem: LearningProblem,
    config: EnsembleConfig,
    pieces: Mapping[Chunk, Weights],
    thresholds: Float32[np.ndarray, "k m"] | None,
) -> Ensemble:
    """The ensemble of all chunks; says so in the log where training overshot."""
    stacks = []
    for index in range(len(problem.stacks)):
        parts = [pieces[chunk] for chunk in sorted(pieces) if chunk.stack == index]
        stacks.append(join(parts))
    found = Ensemble(problem, config, tuple(stacks), thresholds)
    if found.overshoot:
        logging.getLogger("ntkexec").warning("%s", found.overshoot)
    return found


def _words(parameters: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items()) or "no sizes stored"
