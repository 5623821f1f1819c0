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
import io
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.files.sources import check_regular
from experiments.files.storage import as_folder, plain, read_sealed, sealed_bytes, write_sealed
from experiments.files.words import quoted, shown
from experiments.kits.transformer.naming import named
from ntkexec.errors import ExperimentError

LIST = "arrays.json"
DIGITS = 32
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
        ExperimentError: what is no folder, a word that is no folder's, or data that is not plain, see
            `naming.named`.
    """

    folder: str | os.PathLike[str]
    what: str
    made_from: Mapping[str, Any]

    def __post_init__(self) -> None:
        as_folder(self.folder)
        _checked(self.what)
        named(self.made_from)

    @property
    def path(self) -> Path:
        """The folder of these arrays alone."""
        return as_folder(self.folder) / f"{self.what}-{named(self.made_from)}"

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
            self.path.parent.mkdir(parents=True, exist_ok=True)
            made = Path(tempfile.mkdtemp(prefix=f".{self.path.name}-", dir=self.path.parent))
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
            write_sealed(made / LIST, _listed(self.made_from, described))
            made.chmod(0o755)
            os.rename(made, self.path)
        except OSError as error:
            # Where somebody else has made the same meanwhile, theirs stays.
            if not self.path.exists():
                raise ExperimentError(f"cannot write {self.path}: {error.strerror}") from error
        finally:
            shutil.rmtree(made, ignore_errors=True)


def file_bytes(made_from: Mapping[str, Any], sides: Sides) -> int:
    """Of all files of a shelf, known before there are any: arrays, their headers, and the list of them.

    Args:
        made_from: as of the `Shelf`.
        sides: as for `Shelf.writing`.

    Raises:
        ExperimentError: data that is not plain.
    """
    named(made_from)
    total, described = 0, {}
    for name, (shape, kind) in sides.items():
        header, of = io.BytesIO(), np.dtype(kind)
        np.lib.format.write_array_header_1_0(
            header,
            {"descr": np.lib.format.dtype_to_descr(of), "fortran_order": False, "shape": shape},
        )
        total += len(header.getvalue()) + math.prod(shape) * of.itemsize
        described[name] = {"shape": list(shape), "type": str(of), "digest": "0" * DIGITS}
    return total + len(sealed_bytes(_listed(made_from, described)))


def _listed(made_from: Mapping[str, Any], described: Mapping[str, Any]) -> dict[str, Any]:
    return {"made_from": plain(made_from), "arrays": described}


def _checked(name: str) -> str:
    if not isinstance(name, str) or not name.replace("-", "").isalnum():
        raise ExperimentError(f"{quoted(name)} is no name of arrays: letters, digits and - are")
    return name


def _described(array: np.ndarray, path: Path | None) -> dict[str, Any]:
    """Of an array its shape and type, and a digest of its file."""
    found: dict[str, Any] = {"shape": list(array.shape), "type": str(array.dtype)}
    if path is not None:
        with path.open("rb") as file:
            found["digest"] = hashlib.file_digest(file, "blake2b").hexdigest()[:DIGITS]
    return found
