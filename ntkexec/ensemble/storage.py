"""Ensembles on disk: safetensors files and a manifest, written atomically, checked on reading.

A folder holds `plan.json` from the start of training, one file of weights per finished chunk, and
`ensemble.json`, with the size and SHA-256 of every file, only when all is there. So a training that
was killed leaves nothing that loads, and continues where it stopped.
"""

import dataclasses
import hashlib
import json
import logging
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load as parse_tensors
from safetensors.numpy import save as serialise_tensors

from ntkexec import files as atomic
from ntkexec.ensemble import devices
from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.engine import Ensemble
from ntkexec.ensemble.gaussian import GaussianEnsemble
from ntkexec.ensemble.training import (
    CHUNK_BYTES,
    Chunk,
    Progress,
    Weights,
    join,
    train_all,
)
from ntkexec.errors import EnsembleError
from ntkexec.problem import Kind, LearningProblem

FORMAT = "ntkexec-ensemble/1"
PLAN, MANIFEST = "plan.json", "ensemble.json"
NO_DIGEST = "0" * 64


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a stored ensemble says of itself.

    Args:
        algorithm: name of the program.
        parameters: the sizes from which the program is built.
        program: digest of the program.
        kind: joint or factored.
        padding: of the learning problem.
        config: how it was trained.
    """

    algorithm: str
    parameters: dict[str, int]
    program: str
    kind: Kind
    padding: int
    config: EnsembleConfig

    def to_data(self) -> dict[str, Any]:
        return {"format": FORMAT, **dataclasses.asdict(self)}


def manifest_of(
    problem: LearningProblem, config: EnsembleConfig, parameters: Mapping[str, int]
) -> Manifest:
    """What an ensemble of this problem and training says of itself."""
    program = problem.program
    return Manifest(
        program.name, dict(parameters), program.digest, problem.kind, problem.padding, config
    )


def train(
    problem: LearningProblem,
    config: EnsembleConfig,
    *,
    directory: str | os.PathLike[str] | None = None,
    parameters: Mapping[str, int] | None = None,
    report: Callable[[Progress], None] = lambda _: None,
    budget: int = CHUNK_BYTES,
) -> Ensemble:
    """Trains an ensemble and, if a folder is given, stores it there chunk by chunk.

    Args:
        problem: what to learn.
        config: how.
        directory: where to store it; a training that was killed there is continued, a complete
            ensemble of the same plan is loaded. Of several processes each needs a folder of its own.
        parameters: the program's sizes, stored so that it can be built again.
        report: called after every chunk.
        budget: bytes that training may use.

    Raises:
        EnsembleError: training fails, or the folder holds something else.
    """
    if config.draw == "gaussian":
        raise EnsembleError("gaussian ensembles are not trained; use draw()")
    if directory is None:
        return _assemble(
            problem, config, dict(train_all(problem, config, report=report, budget=budget))
        )
    folder = Path(directory)
    manifest = manifest_of(problem, config, parameters or {})
    _claim(folder, manifest, budget)
    if devices.agree((folder / MANIFEST).exists()):
        # Checks the digests: training again must not vouch for files that were damaged since.
        return load(folder, problem)
    pieces: dict[Chunk, Weights] = {}
    files: list[dict[str, Any]] = []
    plan = (folder / PLAN).read_bytes()
    stamp = hashlib.sha256(plan).hexdigest()

    def finished(chunk: Chunk) -> Weights | None:
        path = folder / _file_name(chunk)
        return _read_chunk(path, stamp) if devices.agree(path.exists()) else None

    for chunk, weights in train_all(
        problem, config, finished=finished, report=report, budget=budget
    ):
        path = folder / _file_name(chunk)
        if not path.exists():
            _write(path, _to_bytes(weights, stamp))
        content = path.read_bytes()
        files.append(
            {
                "name": path.name,
                "chunk": list(chunk),
                "bytes": len(content),
                "sha256": hashlib.sha256(content).hexdigest(),
            }
        )
        pieces[chunk] = weights
    _write(folder / MANIFEST, _json(manifest.to_data() | {"files": files}))
    return _assemble(problem, config, pieces)


def draw(
    problem: LearningProblem,
    config: EnsembleConfig,
    *,
    directory: str | os.PathLike[str] | None = None,
    parameters: Mapping[str, int] | None = None,
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
            parameters=parameters,
            report=report,
            budget=budget,
        )
    if directory is not None:
        raise EnsembleError(
            "gaussian draws have values, not weights, and cannot be stored; draw them again with the "
            "same seed, or store linearised or trained networks"
        )
    return GaussianEnsemble(problem, config)


def read_manifest(directory: str | os.PathLike[str]) -> Manifest:
    """What the ensemble in a folder says of itself.

    Raises:
        EnsembleError: no such folder, training unfinished, or not an ensemble of this format.
    """
    return _parse_manifest(_read_manifest_data(Path(directory)), Path(directory) / MANIFEST)


def load(directory: str | os.PathLike[str], problem: LearningProblem) -> Ensemble:
    """Loads a stored ensemble.

    Args:
        directory: the folder that `train` wrote.
        problem: what it must have learned.

    Raises:
        EnsembleError: the folder is missing, unfinished, damaged, or was trained for another
            program, kind or padding; says which.
    """
    folder = Path(directory)
    data = _read_manifest_data(folder)
    manifest = _parse_manifest(data, folder / MANIFEST)
    expected = manifest_of(problem, manifest.config, manifest.parameters)
    for field in ("algorithm", "program", "kind", "padding"):
        found, wanted = getattr(manifest, field), getattr(expected, field)
        if found != wanted:
            raise EnsembleError(
                f"the ensemble in {folder} was trained for {field} {found}, but {wanted} is needed"
                f" (its {manifest.algorithm} has {_words(manifest.parameters)})"
            )
    pieces = {}
    for entry in _parse_files(data, folder / MANIFEST):
        path = folder / entry["name"]
        try:
            content = path.read_bytes()
        except OSError as error:
            raise EnsembleError(f"{path} is missing: {error.strerror}") from error
        if len(content) != entry["bytes"]:
            raise EnsembleError(f"{path} is cut short: {len(content)} bytes of {entry['bytes']}")
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise EnsembleError(f"{path} is damaged: its SHA-256 is not the one in {MANIFEST}")
        pieces[entry["chunk"]] = _from_bytes(content, path)
    return _assemble(problem, manifest.config, pieces)


def _assemble(
    problem: LearningProblem, config: EnsembleConfig, pieces: Mapping[Chunk, Weights]
) -> Ensemble:
    stacks = []
    for index in range(len(problem.stacks)):
        parts = [pieces[chunk] for chunk in sorted(pieces) if chunk.stack == index]
        if sum(len(part.residual) for part in parts) != config.members:
            raise EnsembleError(f"stack {index} does not have its {config.members} members")
        stacks.append(join(parts))
    found = Ensemble(problem, config, tuple(stacks))
    if found.overshoot:
        logging.getLogger("ntkexec").warning("%s", found.overshoot)
    return found


def _claim(folder: Path, manifest: Manifest, budget: int) -> None:
    """Makes the folder ready for this plan, or continues there if it is the same plan."""
    plan = _json(manifest.to_data() | {"chunk_budget": budget})
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob("*.part"):
            # What a killed training was writing; nothing ever reads it.
            leftover.unlink()
        strangers = [entry.name for entry in folder.iterdir() if not _is_ours(entry.name)]
    except OSError as error:
        raise EnsembleError(f"cannot store an ensemble in {folder}: {error.strerror}") from error
    if strangers:
        raise EnsembleError(
            f"{folder} holds other files ({strangers[0]}); give an empty or new folder"
        )
    if (folder / PLAN).exists():
        if (folder / PLAN).read_bytes() != plan:
            raise EnsembleError(
                f"{folder} holds another training ({PLAN} differs); continue it with its own options, "
                "or give another folder"
            )
    else:
        _write(folder / PLAN, plan)


def _is_ours(name: str) -> bool:
    return name in (PLAN, MANIFEST) or name.endswith((".safetensors", ".part"))


def _file_name(chunk: Chunk) -> str:
    return (
        f"stack-{chunk.stack}-members-{chunk.first_member:05d}-{chunk.last_member:05d}.safetensors"
    )


def _to_bytes(weights: Weights, stamp: str) -> bytes:
    tensors = {
        name: np.ascontiguousarray(a) for name, a in weights._asdict().items() if a is not None
    }
    # One entry: the library writes several in any order.
    blank = serialise_tensors(tensors, metadata={"plan": f"{stamp} {NO_DIGEST}"})
    return blank.replace(NO_DIGEST.encode(), hashlib.sha256(blank).hexdigest().encode(), 1)


def _stamp(content: bytes) -> str | None:
    """The plan that a chunk belongs to; None if it is not, byte for byte, what was written.

    A chunk holds the digest of itself with zeros in the digest's place.
    """
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    stamp, _, digest = header.get("__metadata__", {}).get("plan", "").partition(" ")
    if not digest:
        return None
    blank = content.replace(digest.encode(), NO_DIGEST.encode(), 1)
    return stamp if hashlib.sha256(blank).hexdigest() == digest else None


def _from_bytes(content: bytes, path: Path) -> Weights:
    try:
        tensors = parse_tensors(content)
    except SafetensorError as error:
        raise EnsembleError(f"{path} is damaged: {error}") from error
    missing = {"hidden", "output", "residual", "steps"} - tensors.keys()
    if missing or tensors.keys() - set(Weights._fields):
        raise EnsembleError(f"{path} does not hold the weights of an ensemble")
    # Training never ends in such; a margin of nan would be neither right nor wrong.
    if spoilt := [
        name for name, tensor in sorted(tensors.items()) if not np.isfinite(tensor).all()
    ]:
        raise EnsembleError(f"{path} holds numbers in {spoilt[0]!r} that are not finite")
    return Weights(**{name: tensors.get(name) for name in Weights._fields})  # type: ignore[arg-type]


def _read_chunk(path: Path, stamp: str) -> Weights:
    """A finished chunk of an unfinished training."""
    content = path.read_bytes()
    weights = _from_bytes(content, path)
    found = _stamp(content)
    if found is None:
        raise EnsembleError(
            f"{path} is damaged: its SHA-256 is not the one it holds; delete it to train it again"
        )
    if found != stamp:
        raise EnsembleError(f"{path} belongs to another training; delete it or give another folder")
    return weights


def _read_manifest_data(folder: Path) -> dict[str, Any]:
    path = folder / MANIFEST
    if not folder.is_dir():
        raise EnsembleError(f"there is no folder {folder}")
    if not path.exists():
        if (folder / PLAN).exists():
            done = len(list(folder.glob("*.safetensors")))
            raise EnsembleError(
                f"the training in {folder} is unfinished ({done} chunks done); run the same train "
                "command again to continue it"
            )
        raise EnsembleError(f"{folder} holds no ensemble: {MANIFEST} is missing")
    try:
        data = json.loads(path.read_bytes())
    except (ValueError, OSError) as error:
        raise EnsembleError(f"{path} is damaged: {error}") from error
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        found = data.get("format") if isinstance(data, dict) else type(data).__name__
        raise EnsembleError(f"{path} has format {found!r}; this version reads {FORMAT!r}")
    return data


def _parse_manifest(data: dict[str, Any], path: Path) -> Manifest:
    try:
        values = {field.name: data[field.name] for field in dataclasses.fields(Manifest)}
        return Manifest(**values | {"config": EnsembleConfig(**data["config"])})
    except (KeyError, TypeError) as error:
        raise EnsembleError(f"{path} is damaged: {error}") from error


def _parse_files(data: dict[str, Any], path: Path) -> list[dict[str, Any]]:
    try:
        return [
            {
                "name": str(entry["name"]),
                "chunk": Chunk(*entry["chunk"]),
                "bytes": entry["bytes"],
                "sha256": entry["sha256"],
            }
            for entry in data["files"]
        ]
    except (KeyError, TypeError) as error:
        raise EnsembleError(f"{path} is damaged: {error}") from error


def _words(parameters: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items()) or "no sizes stored"


def _json(data: dict[str, Any]) -> bytes:
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def _write(path: Path, content: bytes) -> None:
    try:
        atomic.write(path, content)
    except OSError as error:
        raise EnsembleError(f"cannot write {path}: {error.strerror}") from error
