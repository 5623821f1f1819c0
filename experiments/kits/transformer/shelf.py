"""Large arrays kept on disk, a file each, and mapped into memory: whole and unchanged, or absent.

```python
import tempfile
from pathlib import Path
from experiments.kits.transformer.shelf import Shelf

shelf = Shelf(Path(tempfile.mkdtemp()), "states", {"backbone": "mine", "texts": 100})
with shelf.writing({"first": ((100, 8), "float16")}) as arrays:
    arrays["first"][:50] = 1  # block by block
print(shelf.read()["first"][:60].sum())  # 400.0, read from disk as far as it is looked at
```
"""

import contextlib
import dataclasses
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.files.sources import check_regular
from experiments.files.storage import plain, read_sealed, write_sealed
from experiments.files.words import quoted, shown
from experiments.kits.transformer.naming import named
from ntkexec.errors import ExperimentError

LIST = "arrays.json"
ADVICE = "delete its folder to make it anew"
Sides = Mapping[str, tuple[tuple[int, ...], str]]


@dataclasses.dataclass(frozen=True)
class Shelf:
    """A folder of arrays that were computed once.

    Args:
        folder: below which it lies.
        what: the arrays are, a word for the folder's name.
        made_from: plain data that names all that they depend on; other data is another folder.

    Raises:
        ExperimentError: a word that is no folder's, or data that is not plain, see `naming.named`.
    """

    folder: Path
    what: str
    made_from: Mapping[str, Any]

    def __post_init__(self) -> None:
        _checked(self.what)
        named(self.made_from)

    @property
    def path(self) -> Path:
        """The folder of these arrays alone."""
        return self.folder / f"{self.what}-{named(self.made_from)}"

    def read(self, *, check: bool = True) -> dict[str, np.ndarray] | None:
        """The arrays by name, mapped from disk for reading; none if they are not there.

        Args:
            check: whether every byte is compared with what was written, a second for each GB or so.

        Raises:
            ExperimentError: names the file that is missing, damaged or of something else.
        """
        if not self.path.exists():
            return None
        stored = read_sealed(self.path / LIST, made_from=plain(self.made_from))
        if stored is None or not isinstance(stored.get("arrays"), dict):
            raise ExperimentError(f"{self.path} lacks {LIST}; {ADVICE}")
        return {name: self._mapped(name, how, check) for name, how in stored["arrays"].items()}

    def _mapped(self, name: str, how: Any, check: bool) -> np.ndarray:
        path = self.path / f"{_checked(name)}.npy"
        check_regular(path)
        try:
            # Not np.load, which opens archives as well.
            found = np.lib.format.open_memmap(path, "r")
            here = _described(found, path if check else None)
        except Exception as error:
            # NumPy meets damage with errors of some ten kinds, and lists them nowhere.
            raise ExperimentError(f"{path} is damaged; {ADVICE}: {shown(error)}") from error
        if not isinstance(how, dict) or here != {key: how.get(key) for key in here}:
            raise ExperimentError(
                f"{path} is damaged; {ADVICE}: it was changed after it was written"
            )
        return found

    @contextlib.contextmanager
    def writing(self, sides: Sides) -> Iterator[dict[str, np.ndarray]]:
        """Arrays of zeros on disk to write into; they appear as a whole when the block ends well.

        Args:
            sides: shape and type of each by name; a name becomes a file's.

        Raises:
            ExperimentError: a name that is no file's, or a disk that takes them not.
        """
        for name, (_, kind) in sides.items():
            if np.dtype(kind).kind not in "biuf" or np.dtype(kind).itemsize > 8:
                raise ExperimentError(f"cannot keep {quoted(_checked(name))} of type {kind}")
            _checked(name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(prefix=f".{self.path.name}-", dir=self.folder))
        except OSError as error:
            raise ExperimentError(f"cannot write {self.path}: {error.strerror}") from error
        try:
            arrays = {
                name: np.lib.format.open_memmap(made / f"{name}.npy", "w+", np.dtype(kind), shape)
                for name, (shape, kind) in sides.items()
            }
            yield dict(arrays)
            described = {}
            for name, array in arrays.items():
                array.flush()
                described[name] = _described(array, made / f"{name}.npy")
            stored = {"made_from": plain(self.made_from), "arrays": described}
            write_sealed(made / LIST, stored)
            made.chmod(0o755)
            os.rename(made, self.path)
        except OSError as error:
            # Where somebody else has made the same meanwhile, theirs stays.
            if not self.path.exists():
                raise ExperimentError(f"cannot write {self.path}: {error.strerror}") from error
        finally:
            shutil.rmtree(made, ignore_errors=True)


def _checked(name: str) -> str:
    if not isinstance(name, str) or not name.replace("-", "").isalnum():
        raise ExperimentError(f"{quoted(name)} is no name of arrays: letters, digits and - are")
    return name


def _described(array: np.ndarray, path: Path | None) -> dict[str, Any]:
    """Of an array its shape and type, and a digest of its file."""
    found: dict[str, Any] = {"shape": list(array.shape), "type": str(array.dtype)}
    if path is not None:
        with path.open("rb") as file:
            found["digest"] = hashlib.file_digest(file, "blake2b").hexdigest()[:32]
    return found
