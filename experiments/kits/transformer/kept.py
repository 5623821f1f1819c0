"""Arrays that are computed once and kept: a file each, named by what they were made from.

```python
import numpy as np
from experiments.kits.transformer.kept import kept

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

from experiments.files.storage import digest, load_tensors, plain, save_tree
from experiments.files.words import quoted
from ntkexec.errors import ExperimentError

Arrays = dict[str, np.ndarray]


def kept(
    folder: Path | None, what: str, made_from: Mapping[str, Any], make: Callable[[], Arrays]
) -> Arrays:
    """Arrays by their names: read from a folder if they are there, else made and kept.

    Args:
        folder: where files lie; None keeps nothing.
        what: the arrays are: small letters, digits and hyphens; a file's name begins with it.
        made_from: all that decides what `make` returns (sizes, seeds, a digest of data, the version of
            what computes): plain data. Other values mean another file, and never an old one read.
        make: computes them, at least one.

    Returns:
        What `make` returned, now or before, as NumPy arrays.

    Raises:
        ExperimentError: the file of this name is damaged or holds something else (names it); or what
            was made cannot be stored.
    """
    if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", what):
        raise ExperimentError(f"{quoted(what)} names no file: small letters, digits and hyphens do")
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


def path_of(folder: Path, what: str, made_from: Mapping[str, Any]) -> Path:
    """The file in which `kept` keeps them."""
    return folder / f"{what}-{digest(plain(made_from))}.safetensors"


def _checked(what: str, made: Any) -> Arrays:
    if not isinstance(made, Mapping) or not made or not all(isinstance(n, str) for n in made):
        raise ExperimentError(f"{what} are no arrays by names, but {quoted(made)}")
    return {name: np.asarray(one) for name, one in made.items()}
