"""What a stored ensemble consists of, and so what runs: one schema, enforced wherever one is read.

A folder holds `plan.json` (what is to be trained, and with what), `thresholds.safetensors` (those
that run, by bit and number of matches), one file of weights for every chunk, and `ensemble.json`,
the plan with the size and SHA-256 of every chunk. Names, shapes and types of all tensors follow from
the plan. `ntkexec.recheck` enforces the same with no line of this.
"""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import numpy as np

from ntkexec.ensemble.config import EnsembleConfig
from ntkexec.ensemble.training import Chunk
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import LearningProblem, Stack
from ntkexec.vocabulary import Kind

FORMAT = "ntkexec-ensemble/2"
PLAN, MANIFEST, THRESHOLDS = "plan.json", "ensemble.json", "thresholds.safetensors"

SHIFTED = ("linearised",)
"""Draws that store the change of the hidden weights, and the initial output weights, too."""


class Tensor(NamedTuple):
    """Shape and type of a stored array."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def num_bytes(self) -> int:
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize


def tensors_of(config: EnsembleConfig, stack: Stack, members: int) -> dict[str, Tensor]:
    """The arrays of some members of a stack, by name: exactly these are stored.

    Raises:
        EnsembleError: networks of a draw that has no weights.
    """
    if config.draw == "gaussian":
        raise EnsembleError(f"networks drawn {config.draw} have no weights to store")
    e, c = members, len(stack.components)
    n0, h, o = stack.num_inputs, config.width, stack.num_outputs
    shapes: dict[str, tuple[int, ...]] = {"hidden": (e, c, n0, h), "output": (e, c, h, o)}
    if config.bias_std:
        shapes |= {"hidden_bias": (e, c, h), "output_bias": (e, c, o)}
    if config.draw in SHIFTED:
        shapes |= {"hidden_shift": shapes["hidden"], "initial_output": shapes["output"]}
        if config.bias_std:
            shapes["hidden_bias_shift"] = shapes["hidden_bias"]
    shapes["residual"] = (e, c)
    if config.descended:
        shapes["peak"] = (e, c)
    found = {name: Tensor(shape, config.precision) for name, shape in shapes.items()}
    return found | {"steps": Tensor((e, c), "int32")}


def threshold_tensor(problem: LearningProblem) -> dict[str, Tensor]:
    """Likewise the thresholds, by bit and number of matches, as float32: those that run."""
    shape = (problem.program.layout.num_bits, problem.max_matches + 1)
    return {"thresholds": Tensor(shape, "float32")}


def chunk_name(chunk: Chunk) -> str:
    """The name of its file."""
    return (
        f"stack-{chunk.stack}-members-{chunk.first_member:05d}-{chunk.last_member:05d}.safetensors"
    )


@dataclasses.dataclass(frozen=True)
class Entry:
    """A file of an ensemble: its name, size and SHA-256; of weights, which members of which stack."""

    name: str
    bytes: int
    sha256: str
    chunk: Chunk | None = None

    def to_data(self) -> dict[str, Any]:
        data = {"name": self.name, "bytes": self.bytes, "sha256": self.sha256}
        return data if self.chunk is None else data | {"chunk": list(self.chunk)}


@dataclasses.dataclass(frozen=True)
class Plan:
    """What is to be trained, and with what.

    Args:
        algorithm: name of the program.
        parameters: the sizes from which the program is built.
        program: digest of the program.
        kind: joint or factored.
        padding: of the learning problem.
        config: how it is trained.
        convention: name of where the thresholds lie; `given` if the caller said no name.
        thresholds: their file.
        chunk_budget: bytes that training may use, which decides the chunks.
        made_with: version of JAX, and how it makes random numbers: what the weights depend on.
    """

    algorithm: str
    parameters: dict[str, int]
    program: str
    kind: Kind
    padding: int
    config: EnsembleConfig
    convention: str
    thresholds: Entry
    chunk_budget: int
    made_with: dict[str, str]

    def to_data(self) -> dict[str, Any]:
        own = {field.name: getattr(self, field.name) for field in dataclasses.fields(Plan)}
        config = dataclasses.asdict(self.config)
        thresholds = self.thresholds.to_data()
        return {"format": FORMAT, **own, "config": config, "thresholds": thresholds}

    @property
    def digest(self) -> str:
        """SHA-256 of the plan as it is written; every chunk holds it."""
        return sha256(as_json(self.to_data()))

    def stamp(self, chunk: Chunk) -> str:
        """What a chunk of this plan says it is."""
        return f"{self.digest} stack {chunk.stack} members {chunk.first_member}-{chunk.last_member}"


@dataclasses.dataclass(frozen=True)
class Manifest(Plan):
    """What a stored ensemble says of itself: its plan, and the files of its weights."""

    files: tuple[Entry, ...] = ()

    def to_data(self) -> dict[str, Any]:
        return self.plan.to_data() | {"files": [entry.to_data() for entry in self.files]}

    @property
    def plan(self) -> Plan:
        return Plan(**{f.name: getattr(self, f.name) for f in dataclasses.fields(Plan)})

    @property
    def digest(self) -> str:
        return self.plan.digest


def made_with() -> dict[str, str]:
    """What training depends on besides its plan: resumed under another, members would differ."""
    return {
        "jax": jax.__version__,
        "prng": str(jax.config.jax_default_prng_impl),  # type: ignore[attr-defined]
        "partitionable": str(bool(jax.config.jax_threefry_partitionable)),  # type: ignore[attr-defined]
    }


def as_json(data: Mapping[str, Any]) -> bytes:
    """A description as it is written."""
    return (json.dumps(data, indent=1, sort_keys=True) + "\n").encode()


def sha256(content: bytes) -> str:
    """The digest, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
