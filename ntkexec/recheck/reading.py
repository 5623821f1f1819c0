"""What an ensemble consists of: files, fields and tensors, and nothing else."""

import hashlib
import json
import math
import os
import stat
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load

MOST_BYTES = 1 << 26
FIELDS = (
    "algorithm chunk_budget config convention files format kind made_with padding parameters program"
    " thresholds"
)
DRAWS = ("trained", "antisymmetric", "linearised")
# What training says of itself; it has no part in what runs.
RECORDS = {"residual", "steps", "peak"}


class Rejected(Exception):
    """What in the certificate is not so."""


def need(true: Any, otherwise: str) -> None:
    """Raises Rejected with these words unless `true`."""
    if not true:
        raise Rejected(otherwise)


def whole(value: Any, low: int = 0, high: int = 1 << 40) -> int:
    """The value, a number from low to high."""
    need(type(value) is int and low <= value <= high, f"{value!r} is not from {low} to {high}")
    return int(value)


def read(path: Path, most: int) -> bytes:
    """The content of a regular file of at most so many bytes."""
    need(stat.S_ISREG(os.lstat(path).st_mode), f"{path.name} is no regular file")
    need(os.lstat(path).st_size <= most, f"{path.name} is larger than {most} bytes")
    with path.open("rb") as file:
        return file.read(most)


def parse(content: bytes) -> Any:
    """JSON in which no name stands twice and every number is finite."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        need(len(dict(pairs)) == len(pairs), "a name stands twice")
        return dict(pairs)

    def finite(text: str) -> float:
        need(math.isfinite(float(text)), f"{text} is no number")
        return float(text)

    return json.loads(content, object_pairs_hook=once, parse_float=finite, parse_constant=finite)


def tensors(folder: Path, entry: Any, size: int) -> dict[str, np.ndarray]:
    """A file's arrays, of about so many bytes together, all finite."""
    content = read(folder / entry["name"], size + (1 << 20))
    digest = hashlib.sha256(content).hexdigest()
    same = (len(content), digest) == (entry["bytes"], entry["sha256"])
    need(same, f"{entry['name']} was changed")
    found = load(content)
    need(all(np.isfinite(array).all() for array in found.values()), "a number is not finite")
    return found


def read_manifest(content: bytes) -> Any:
    """`ensemble.json`, as far as it decides what runs."""
    manifest = parse(content)
    need(sorted(manifest) == FIELDS.split(), "ensemble.json has other fields")
    config = manifest["config"]
    need(manifest["format"] == "ntkexec-ensemble/2", "not an ensemble of format 2")
    need(manifest["kind"] in ("joint", "factored"), "neither joint nor factored")
    need(config["draw"] in DRAWS and type(config["bias_std"]) in (int, float), "no such draw")
    need(config["bias_std"] == 0, "networks with biases")
    need(config["precision"] in ("float32", "float64"), "no such precision")
    need(type(config["weight_std"]) in (int, float), "no such weight_std")
    need(2.0**-60 <= config["weight_std"] <= 2.0**60, "weight_std leaves the range of float32")
    whole(manifest["padding"])
    whole(config["members"], 1)
    whole(config["width"], 1)
    return manifest


def check_chunks(files: Any, num_stacks: int, members: int) -> None:
    """Every member of every stack is in exactly one file, whose name says so."""
    at = [0, 0]
    for entry in files:
        need(sorted(entry) == ["bytes", "chunk", "name", "sha256"], "an entry has other fields")
        stack, first, last = (whole(number) for number in entry["chunk"])
        name = f"stack-{stack}-members-{first:05d}-{last:05d}.safetensors"
        need(entry["name"] == name, f"{entry['name']!r} is not {name}")
        fits = [stack, first] == at and first < last <= members and stack < num_stacks
        need(fits, f"{name} does not follow what stands before it")
        at = [stack + 1, 0] if last == members else [stack, last]
    need(at == [num_stacks, 0], f"stack {at[0]} does not have its {members} members")


def read_weights(folder: Path, manifest: Any, stack: int, shape: tuple[int, int, int]) -> Any:
    """The weights of a stack, by name, all members together.

    Args:
        folder: of the ensemble.
        manifest: what it says.
        stack: which.
        shape: components, inputs and outputs of a network.
    """
    config, (components, inputs, outputs) = manifest["config"], shape
    width, layers = config["width"], {"hidden": 1, "output": 1}
    if config["draw"] == "linearised":
        layers |= {"hidden_shift": 1, "initial_output": 1}
    itemsize = np.dtype(config["precision"]).itemsize
    parts = []
    for entry in manifest["files"]:
        if entry["chunk"][0] != stack:
            continue
        own = (entry["chunk"][2] - entry["chunk"][1], components)
        size = own[0] * components * (width * (inputs + outputs) * 2 + 3) * itemsize
        found = tensors(folder, entry, size)
        need(found.keys() - RECORDS == layers.keys(), f"{entry['name']} holds other tensors")
        for name, array in found.items():
            matrix = (inputs, width) if "hidden" in name else (width, outputs)
            wanted = own if name in RECORDS else own + matrix
            need(array.shape == wanted, f"{name} has the shape {array.shape}, not {wanted}")
            kind = "int32" if name == "steps" else config["precision"]
            need(array.dtype == kind, f"{name} has the type {array.dtype}, not {kind}")
        parts.append(found)
    return {name: np.concatenate([part[name] for part in parts]) for name in layers}


def read_thresholds(folder: Path, entry: Any, shape: tuple[int, int]) -> np.ndarray:
    """The thresholds that run, by bit and number of matches."""
    need(sorted(entry) == ["bytes", "name", "sha256"], "an entry has other fields")
    need(entry["name"] == "thresholds.safetensors", "thresholds in another file")
    found = tensors(folder, entry, 4 * shape[0] * shape[1])
    need(list(found) == ["thresholds"], "thresholds and other tensors")
    table = found["thresholds"]
    need((table.shape, table.dtype) == (shape, np.float32), f"thresholds of shape {table.shape}")
    return table.astype(float)
