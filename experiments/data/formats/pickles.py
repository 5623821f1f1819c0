"""Pickles of arrays, read without running anything of them: names stand for constructors of ours.

A pickle is a program that calls what it names. Here a name on a short list is looked up among stand-ins
made for this one file, which keep numbers and check them; NumPy, SciPy and everything else are out of its
reach, and a name that is not listed ends the reading.
"""

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from experiments.data.formats import arrays
from experiments.data.formats.unpickling import CarefulUnpickler, in_short
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

CODES = {f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)} | {"f2", "f4", "f8", "b1"}
"""Types of numbers that an array may hold, as NumPy's pickles name them."""


def unpickled(path: Path) -> Any:
    """What a pickle of arrays, sparse matrices, and dicts and lists of numbers holds.

    Args:
        path: of a pickle by Python 2 or 3, such as Planetoid's.

    Returns:
        NumPy arrays and float32 CSR matrices, checked, or dicts and lists of plain values.

    Raises:
        ExperimentError: names the file, and what it would have called or where it is damaged.
    """
    where = shown(path)
    stream = io.BytesIO(content(path))
    try:
        found = _Reader(stream, where).load()
        if stream.read(1):
            raise ExperimentError(f"{where} goes on after its end")
        if hasattr(found, "finished"):
            return found.finished(where)
        if not isinstance(found, dict | list):
            raise ExperimentError(f"{where} holds no array, but a {type(found).__name__}")
        return found
    except ExperimentError:
        raise
    except Exception as error:
        # The reader meets damage with errors of many kinds: of the stack, of marks, of types.
        raise ExperimentError(
            f"{where} is no pickle of arrays, or is damaged: {type(error).__name__} {shown(error)}"
        ) from error


class _Reader(CarefulUnpickler):
    def __init__(self, stream: io.BytesIO, where: str) -> None:
        # Python 2 wrote an array's bytes as text, which latin1 gives back one to one.
        super().__init__(stream, encoding="latin1")
        self.where = self._where = where
        self._names = _stand_ins(where)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._names[module, name]
        except KeyError:
            raise ExperimentError(
                f"{self._where} asks for {quoted(f'{module}.{name}')}, which no array needs; nothing "
                f"of it was run"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        raise ExperimentError(f"{self._where} asks for an object outside of it")


def _stand_ins(where: str) -> dict[tuple[str, str], Any]:
    """Names that a pickle may use, with what they mean here.

    New ones for every file: a pickle can set attributes of what it was given.
    """

    class DType:
        """A type of numbers, of which only the code and the order of bytes matter."""

        def __init__(self, code: Any = "", *_: Any) -> None:
            self.code, self.order = code, "="

        def __setstate__(self, state: tuple[Any, ...]) -> None:
            self.order = state[1]

        def checked(self) -> np.dtype[Any]:
            words = type(self.code) is str and type(self.order) is str
            if not words or self.code not in CODES or self.order not in ("<", ">", "=", "|"):
                raise ExperimentError(
                    f"{where} holds an array of {in_short(self.code)}, which are no numbers"
                )
            return np.dtype(self.code).newbyteorder("<" if self.order == "|" else self.order)

    class Array:
        """An array, empty until its state comes."""

        def __init__(self, *_: Any) -> None:
            self.made: np.ndarray | None = None

        def __setstate__(self, state: tuple[Any, ...]) -> None:
            _, shape, dtype, by_columns, data = state
            self.made = _numbers(data, shape, dtype.checked(), bool(by_columns), where)

        def finished(self, _: str) -> np.ndarray:
            if self.made is None:
                raise ExperimentError(f"{where} holds an array without numbers")
            return self.made

    class Matrix:
        """A sparse matrix in CSR, as SciPy's attributes."""

        def __init__(self, *_: Any) -> None:
            self.parts: dict[str, np.ndarray] = {}

        def __setstate__(self, state: dict[str, Any]) -> None:
            parts = {name: state[name].finished(where) for name in ("data", "indices", "indptr")}
            shape = state["_shape"] if "_shape" in state else state["shape"]
            parts["shape"] = np.array([_side(side, where) for side in shape], np.int64)
            self.parts = parts

        def finished(self, _: str) -> sparse.csr_matrix:
            if not self.parts:
                raise ExperimentError(f"{where} holds a sparse matrix without numbers")
            return arrays.matrix(self.parts, where)

    def from_buffer(data: Any, dtype: Any, shape: Any, order: Any) -> Array:
        array = Array()
        array.made = _numbers(data, shape, dtype.checked(), order == "F", where)
        return array

    def encoded(text: Any, codec: Any) -> bytes:
        if codec != "latin1" or not isinstance(text, str):
            raise ExperimentError(f"{where} encodes text as {in_short(codec)}, not as latin1")
        return text.encode("latin1")

    def rebuilt(kind: Any, *_: Any) -> Any:
        if kind is not Matrix:
            raise ExperimentError(f"{where} rebuilds what is no sparse matrix")
        return Matrix()

    def mapping(*_: Any) -> dict[Any, Any]:
        return {}

    def listing(*_: Any) -> list[Any]:
        return []

    names: dict[tuple[str, str], Any] = {("collections", "defaultdict"): mapping}
    for builtins in ("__builtin__", "builtins"):
        names |= {(builtins, "list"): listing, (builtins, "object"): object()}
    for module in ("copy_reg", "copyreg"):
        names[module, "_reconstructor"] = rebuilt
    for core in ("numpy.core", "numpy._core"):
        names[f"{core}.multiarray", "_reconstruct"] = Array
        names[f"{core}.numeric", "_frombuffer"] = from_buffer
    names |= {("numpy", "ndarray"): "ndarray", ("numpy", "dtype"): DType}
    names["_codecs", "encode"] = encoded
    for module in ("scipy.sparse.csr", "scipy.sparse._csr", "scipy.sparse"):
        names[module, "csr_matrix"] = Matrix
    return names


def _numbers(
    data: Any, shape: Any, dtype: np.dtype[Any], by_columns: bool, where: str
) -> np.ndarray:
    """An array out of its bytes, of which there must be as many as its shape says."""
    raw = data.encode("latin1") if isinstance(data, str) else data
    if not isinstance(raw, bytes | bytearray):
        raise ExperimentError(f"{where} holds an array of objects, not of numbers")
    sides = [_side(side, where) for side in shape]
    if len(sides) > 8 or math.prod(sides) * dtype.itemsize != len(raw):
        raise ExperimentError(
            f"{where} holds an array of shape {quoted(tuple(sides), 60)} in {len(raw)} bytes"
        )
    flat = np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))
    made: np.ndarray = flat.reshape(sides, order="F" if by_columns else "C")
    return made


def _side(side: Any, where: str) -> int:
    if type(side) is not int or not 0 <= side < 2**48:
        raise ExperimentError(f"{where} holds an array with the side {in_short(side)}")
    return side
