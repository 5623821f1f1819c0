"""Arrays that are computed once and kept: a file each, named by what they were made from.

```python
import numpy as np
from experiments.kits.transformer.keeping import kept

found = kept(None, "squares", {"up to": 4}, lambda: {"squares": np.arange(4) ** 2})
print(found["squares"])  # with a folder instead of None, the next call reads them
```
"""

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.files.storage import as_folder, load_tensors, save_tree
from experiments.files.words import quoted
from experiments.kits.transformer.naming import named
from ntkexec.errors import ExperimentError

Arrays = dict[str, np.ndarray]


def kept(
    folder: str | os.PathLike[str] | None,
    what: str,
    made_from: Mapping[str, Any],
    make: Callable[[], Arrays],
) -> Arrays:
    """Arrays by their names: read from a folder if they are there, else made and kept.

    Args:
        folder: where files lie; None keeps nothing.
        what: the arrays are: small letters, digits and hyphens; a file's name begins with it.
        made_from: all that decides what `make` returns (sizes, seeds, a digest of data, the version of
            what computes): plain data. Other values mean another file, and never an old one read.
        make: computes them, at least one: of numbers of at most 8 bytes, complex ones cast before.

    Returns:
        What `make` returned, now or before, as NumPy arrays.

    Raises:
        ExperimentError: the file of this name is damaged or holds something else (names it); what was
            made cannot be stored; `folder` is none; or `made_from` is no plain data, see `naming.named`.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", what):
        raise ExperimentError(f"{quoted(what)} names no file: small letters, digits and hyphens do")
    named(made_from)
    if folder is None:
        return _checked(what, make())
    path = path_of(folder, what, made_from)
    name = path.stem
    if not os.path.lexists(path):
        save_tree(path, _checked(what, make()), kept=name)
    tensors, notes = load_tensors(path)
    if notes.get("kept") != name:
        raise ExperimentError(
            f"{path} holds {quoted(notes.get('kept', 'something else'))}, not {name!r}; delete it to "
            "start anew"
        )
    return tensors


def path_of(folder: str | os.PathLike[str], what: str, made_from: Mapping[str, Any]) -> Path:
    """The file in which `kept` keeps them."""
    return as_folder(folder) / f"{what}-{named(made_from)}.safetensors"


def _checked(what: str, made: Any) -> Arrays:
    if not isinstance(made, Mapping) or not made or not all(isinstance(n, str) for n in made):
        raise ExperimentError(f"{what} are no arrays by names, but {quoted(made)}")
    found = {}
    for name, one in made.items():
        array = np.asarray(one)
        if not name.isprintable() or name in ("", "__metadata__"):
            raise ExperimentError(f"{what} cannot be kept with an array named {quoted(name)}")
        if array.dtype.kind not in "biuf" or array.dtype.itemsize > 8:
            raise ExperimentError(
                f"cannot keep {quoted(name)} of type {array.dtype}; cast it first"
            )
        # Files are little-endian, and another order of bytes would be another type when read.
        found[name] = np.asarray(array, array.dtype.newbyteorder("="))
    return found
