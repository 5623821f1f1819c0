"""Clients' examples as they lie in a folder: an `.npz` for each client, as FEMNIST is cut by writers."""

import dataclasses
from pathlib import Path

import numpy as np
from jaxtyping import Num

from experiments.data.formats.arrays import members
from experiments.files.storage import as_folder
from experiments.files.words import shown
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Shard:
    """What one client has.

    Args:
        client: name of its file, without the ending.
        x: its examples, such as pictures.
        y: their classes.
    """

    client: str
    x: Num[np.ndarray, "n ..."]
    y: Num[np.ndarray, "n"]

    @property
    def weight(self) -> float:
        """Of its model in a mean: how many examples it has."""
        return float(len(self.y))


def client_shards(folder: Path | str) -> tuple[Shard, ...]:
    """All clients of a folder, sorted by name; arrays `x` and `y` of each, and nothing is unpickled.

    Raises:
        ExperimentError: names the file without examples, or whose examples are not like the first one's.
    """
    root = as_folder(folder)
    paths = sorted(path for path in root.glob("*.npz") if not path.name.startswith("."))
    if not paths:
        raise ExperimentError(f"{shown(root)} holds no .npz of a client")
    found: list[Shard] = []
    for path in paths:
        arrays = members(path, ("x", "y"))
        shard = Shard(path.stem, arrays["x"], arrays["y"])
        _check(shard, found[0] if found else shard, path)
        found.append(shard)
    return tuple(found)


def _check(shard: Shard, first: Shard, path: Path) -> None:
    x, y = shard.x, shard.y
    if x.ndim < 1 or y.ndim != 1 or not len(x) == len(y) > 0:
        raise ExperimentError(
            f"{shown(path)} has x of shape {x.shape} and y of {y.shape}; a class belongs to each of "
            f"one or more examples"
        )
    if x.dtype.kind not in "biuf" or y.dtype.kind not in "biu":
        raise ExperimentError(
            f"{shown(path)} has x of {x.dtype} and y of {y.dtype}, not numbers and classes"
        )
    if x.dtype.kind == "f" and not np.isfinite(x).all():
        raise ExperimentError(f"{shown(path)} has examples that are not finite")
    if (x.shape[1:], x.dtype) != (first.x.shape[1:], first.x.dtype):
        raise ExperimentError(
            f"{shown(path)} has examples of {x.dtype}{x.shape[1:]}, and {first.client} of "
            f"{first.x.dtype}{first.x.shape[1:]}"
        )
