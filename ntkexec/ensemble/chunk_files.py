"""The file of a chunk: its tensors, and a stamp that says of which plan, stack and members it is."""

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save as serialise_tensors

from ntkexec.ensemble.reading import read_tensors
from ntkexec.ensemble.stored import Entry, Plan, sha256, tensors_of
from ntkexec.ensemble.training import Chunk
from ntkexec.ensemble.weights import Weights
from ntkexec.errors import EnsembleError
from ntkexec.program.problem import Stack

NO_DIGEST = "0" * 64


def to_bytes(weights: Weights, stamp: str) -> bytes:
    """The content of a chunk's file, with its stamp and the digest of itself."""
    tensors = {
        name: np.ascontiguousarray(a) for name, a in weights._asdict().items() if a is not None
    }
    # One entry: the library writes several in any order.
    blank = serialise_tensors(tensors, metadata={"plan": f"{stamp} {NO_DIGEST}"})
    return blank.replace(NO_DIGEST.encode(), sha256(blank).encode(), 1)


def stamp_of(content: bytes) -> str | None:
    """The plan and chunk that a file belongs to; None if it is not, byte for byte, what was written.

    It holds the digest of itself with zeros in the digest's place.
    """
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    metadata = header.get("__metadata__")
    stamp, _, digest = (metadata or {}).get("plan", "").rpartition(" ")
    if len(digest) != len(NO_DIGEST):
        return None
    blank = content.replace(digest.encode(), NO_DIGEST.encode(), 1)
    return stamp if sha256(blank) == digest else None


def read_chunk(
    path: Path, plan: Plan, stack: Stack, chunk: Chunk, entry: Entry | None = None
) -> Weights:
    """The weights of a chunk.

    Args:
        path: its file.
        plan: what it must be a part of.
        stack: whose networks it holds.
        chunk: which members.
        entry: what the manifest of a finished ensemble says of the file.

    Raises:
        EnsembleError: it is damaged, or another plan's or chunk's.
    """
    members = chunk.last_member - chunk.first_member
    content, tensors = read_tensors(path, tensors_of(plan.config, stack, members), entry)
    found = stamp_of(content)
    if found is None:
        raise EnsembleError(
            f"{path} is damaged: its SHA-256 is not the one it holds; delete it to train it again"
        )
    if found != plan.stamp(chunk):
        raise EnsembleError(
            f"{path} belongs to another training, or to other members; delete it or give another folder"
        )
    return Weights(**{name: tensors.get(name) for name in Weights._fields})  # type: ignore[arg-type]
