"""Plain data and arrays as one file without pickle, for another process."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np

from experiments.files.storage import load_tensors, save_tree
from ntkexec.errors import ExperimentError

PASSED = ("bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))
PASSED += ("float16", "float32", "float64")
"""Types of arrays' entries that can be passed: those that NumPy itself has, without long doubles."""


def pack(path: Path, value: Any) -> None:
    """Stores a value of mappings with names, lists, tuples, what JSON knows, and arrays of numbers.

    Raises:
        ExperimentError: names the type that cannot be stored.
    """
    arrays: dict[str, np.ndarray] = {}
    save_tree(path, arrays, plain=json.dumps(_taken_apart(value, arrays)))


def unpack(path: Path) -> Any:
    """What `pack` stored: arrays are NumPy's, tuples have become lists.

    Raises:
        ExperimentError: the file is none of `pack`, or was changed.
    """
    arrays, notes = load_tensors(path)
    try:
        return _put_together(json.loads(notes["plain"]), arrays)
    except (KeyError, TypeError, ValueError) as error:
        raise ExperimentError(f"{path} holds nothing that was packed: {error}") from error


def _taken_apart(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    """JSON in which every mapping is marked as one, and arrays, which are moved out, by their names."""
    if value is None or isinstance(value, (str, bool, int, float)):
        return value
    if isinstance(value, (list, tuple)):
        return [_taken_apart(one, arrays) for one in value]
    if isinstance(value, dict) and all(isinstance(name, str) for name in value):
        return {"mapping": {name: _taken_apart(one, arrays) for name, one in value.items()}}
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        if (
            str(value.dtype.newbyteorder("=") if isinstance(value.dtype, np.dtype) else "")
            not in PASSED
        ):
            raise ExperimentError(f"an array of {value.dtype} cannot be passed between processes")
        array = np.asarray(value)
        if isinstance(value, np.generic):
            return array.item()
        name = str(len(arrays))
        arrays[name] = array.astype(array.dtype.newbyteorder("="), copy=False)
        return {"array": name}
    if isinstance(value, dict):
        wrong = next(name for name in value if not isinstance(name, str))
        raise ExperimentError(
            f"a dict cannot be passed between processes with a key {wrong!r}: text can"
        )
    raise ExperimentError(
        f"a {type(value).__name__} cannot be passed between processes; lists, mappings with names, "
        "numbers, text and arrays can"
    )


def _put_together(value: Any, arrays: dict[str, np.ndarray]) -> Any:
    if isinstance(value, list):
        return [_put_together(one, arrays) for one in value]
    if not isinstance(value, dict):
        return value
    if "array" in value:
        return np.array(arrays[value["array"]])  # those of the file cannot be written to
    return {name: _put_together(one, arrays) for name, one in value["mapping"].items()}
