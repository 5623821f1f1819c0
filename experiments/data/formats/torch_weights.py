"""PyTorch's files of weights, without PyTorch and without running anything of them: names become arrays.

Such a file is a pickle, which is a program, beside raw numbers. As in `pickles`, a name on a short list
means a stand-in made for this one file, which can make nothing else than views of those numbers, and any
other name ends the reading. Both forms are read: the old one, five pickles and then the numbers, and the
archive, in which every storage is a member.
"""

import dataclasses
import io
import math
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data.formats.unpickling import CarefulUnpickler, in_short
from experiments.files.sources import content
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

MAGIC, PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
"""With which the old form begins."""
STORAGES = {
    "FloatStorage": "f4",
    "DoubleStorage": "f8",
    "HalfStorage": "f2",
    "BFloat16Storage": "u2",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "b1",
}
"""Kinds of storage, with NumPy's names of their numbers; of bfloat16 the bits, which become float32."""
DEEPEST = 32
"""Of dictionaries within each other."""

Stored = Callable[["_Storage"], np.ndarray]


def read(path: Path, name: str, key: str = "") -> dict[str, np.ndarray]:
    """All tensors of a file that `torch.save` wrote, by name.

    Args:
        path: of the file, of either form.
        name, key: are not needed here.

    Returns:
        Read-only arrays in the file's order, as many bytes in all as the file stores; bfloat16 as float32.
        Names within a dictionary in the dictionary follow its own after a point, as in
        `state_dict.conv.weight`. What is no tensor, such as the number of an epoch, is left out, and so
        is all that lies in a list.

    Raises:
        ExperimentError: names the file, and what it would have called or where it is damaged.

    Source: the format as `torch/serialization.py` documents it; the code here is our own.
    """
    where = shown(path)
    raw = content(path)
    try:
        found, stored = (_archive if raw.startswith(b"PK") else _legacy)(raw, where)
        return _by_name(found, stored, where)
    except ExperimentError:
        raise
    except Exception as error:
        # The reader meets damage with errors of many kinds: of the stack, of marks, of types.
        raise ExperimentError(
            f"{where} is no file of PyTorch's weights, or is damaged: {type(error).__name__} "
            f"{shown(error)}"
        ) from error


@dataclasses.dataclass(frozen=True)
class _Storage:
    """Numbers beside each other in the file, as its pickle names them."""

    kind: str
    key: str
    size: int


@dataclasses.dataclass(frozen=True)
class _Tensor:
    """A view of a storage, from an offset on."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _legacy(raw: bytes, where: str) -> tuple[Any, Stored]:
    """Four pickles, the keys of the storages, and of each its size and its numbers."""
    stream = io.BytesIO(raw)
    if (_load(stream, where), _load(stream, where)) != (MAGIC, PROTOCOL):
        raise ExperimentError(f"{where} does not begin as PyTorch's weights do")
    system = _load(stream, where)
    if not isinstance(system, dict) or system.get("little_endian") is not True:
        raise ExperimentError(f"{where} was written by a machine with another order of bytes")
    met: dict[str, _Storage] = {}
    found = _load(stream, where, met)
    keys = _load(stream, where)
    if not isinstance(keys, list) or any(type(key) not in (str, int) for key in keys):
        raise ExperimentError(f"{where} stores numbers that are called by no words")
    if sorted(map(str, keys)) != sorted(met):
        raise ExperimentError(f"{where} stores other numbers than its tensors need")
    arrays = {}
    for key in map(str, keys):
        storage = met[key]
        size = int.from_bytes(stream.read(8), "little", signed=True)
        if size != storage.size:
            raise ExperimentError(
                f"{where} holds {quoted(size, 40)} numbers where a tensor needs {storage.size}"
            )
        width = np.dtype(STORAGES[storage.kind]).itemsize
        arrays[key] = _numbers(stream.read(size * width), storage, where)
    if stream.read(1):
        raise ExperimentError(f"{where} goes on after its end")
    return found, lambda storage: arrays[storage.key]


def _archive(raw: bytes, where: str) -> tuple[Any, Stored]:
    """An archive of one pickle, `data.pkl`, and a member for each storage, none of them compressed."""
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = {member.filename: member for member in archive.infolist()}
        if len(members) != len(archive.infolist()):
            raise ExperimentError(f"{where} holds two members of one name")
        if any(member.compress_type != zipfile.ZIP_STORED for member in members.values()):
            raise ExperimentError(f"{where} is compressed, which PyTorch's weights are not")
        # Members that share their bytes could make a small file fill all memory.
        if sum(member.file_size for member in members.values()) > len(raw):
            raise ExperimentError(f"{where} says that it holds more bytes than it has")
        pickles = [name for name in members if name.endswith("/data.pkl")]
        if len(pickles) != 1:
            raise ExperimentError(
                f"{where} is an archive of {len(pickles)} files data.pkl, not of one"
            )
        folder = pickles[0].removesuffix("data.pkl")
        order = f"{folder}byteorder"
        if order in members and archive.read(order).strip() != b"little":
            raise ExperimentError(f"{where} was written by a machine with another order of bytes")
        met: dict[str, _Storage] = {}
        stream = io.BytesIO(archive.read(pickles[0]))
        found = _load(stream, where, met)
        if stream.read(1):
            raise ExperimentError(f"{where} goes on after its end")
        arrays = {}
        for key, storage in met.items():
            if f"{folder}data/{key}" not in members:
                raise ExperimentError(f"{where} lacks the numbers {quoted(key, 40)} of a tensor")
            arrays[key] = _numbers(archive.read(f"{folder}data/{key}"), storage, where)
    return found, lambda storage: arrays[storage.key]


def _numbers(raw: bytes, storage: _Storage, where: str) -> np.ndarray:
    dtype = np.dtype(STORAGES[storage.kind]).newbyteorder("<")
    if len(raw) != storage.size * dtype.itemsize:
        raise ExperimentError(
            f"{where} ends or is cut within the numbers {quoted(storage.key, 40)}: {len(raw)} bytes for "
            f"{storage.size} of {dtype.itemsize}"
        )
    if storage.kind == "BoolStorage" and raw.strip(b"\0\1"):
        raise ExperimentError(f"{where} holds what is neither true nor false")
    # Copied: what lies at any place in a file is not aligned as arrays are.
    numbers = np.frombuffer(raw, dtype).astype(dtype.newbyteorder("="))
    if storage.kind == "BFloat16Storage":
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    numbers.setflags(write=False)
    return numbers


def _by_name(found: Any, stored: Stored, where: str) -> dict[str, np.ndarray]:
    """The tensors of dictionaries within each other; each dictionary once."""
    made: dict[str, np.ndarray] = {}
    seen: set[int] = set()

    def add(prefix: str, inner: Any, depth: int) -> None:
        if isinstance(inner, _Tensor):
            if prefix in made:
                raise ExperimentError(f"{where} holds two tensors {quoted(prefix)}")
            made[prefix] = _view(inner, stored(inner.storage), where)
        elif isinstance(inner, dict):
            if id(inner) in seen or depth > DEEPEST:
                raise ExperimentError(
                    f"{where} holds a dictionary within itself, twice, or too deep"
                )
            seen.add(id(inner))
            for name, value in inner.items():
                add(f"{prefix}.{name}" if prefix else str(name), value, depth + 1)

    if not isinstance(found, dict):
        raise ExperimentError(f"{where} holds no tensors by name, but a {type(found).__name__}")
    add("", found, 0)
    if not made:
        raise ExperimentError(f"{where} holds no tensor")
    return made


def _view(tensor: _Tensor, numbers: np.ndarray, where: str) -> np.ndarray:
    """A tensor's numbers without a copy; it must lie in its storage, and be no larger."""
    last = tensor.offset + sum(
        (side - 1) * stride for side, stride in zip(tensor.shape, tensor.strides, strict=True)
    )
    size = math.prod(tensor.shape)
    if size and (last >= numbers.size or size > numbers.size):
        raise ExperimentError(
            f"{where} holds a tensor of shape {quoted(tensor.shape, 60)} beyond its {numbers.size} numbers"
        )
    if not size:
        return np.zeros(tensor.shape, numbers.dtype)
    strides = [stride * numbers.itemsize for stride in tensor.strides]
    found: np.ndarray = np.lib.stride_tricks.as_strided(
        numbers[tensor.offset :], tensor.shape, strides, writeable=False
    )
    return found


def _load(stream: io.BytesIO, where: str, met: dict[str, _Storage] | None = None) -> Any:
    return _Reader(stream, where, met).load()


class _Reader(CarefulUnpickler):
    def __init__(self, stream: io.BytesIO, where: str, met: dict[str, _Storage] | None) -> None:
        super().__init__(stream)
        self.where = self._where = where
        self._met = met
        self._names: dict[tuple[str, str], Any] = {} if met is None else _stand_ins(where)

    def find_class(self, module: str, name: str) -> Any:
        try:
            return self._names[module, name]
        except KeyError:
            raise ExperimentError(
                f"{self._where} asks for {quoted(f'{module}.{name}')}, which no tensor needs here; "
                "nothing of it was run"
            ) from None

    def persistent_load(self, pid: Any) -> Any:
        if (
            self._met is None
            or type(pid) is not tuple
            or len(pid) not in (5, 6)
            or pid[0] != "storage"
        ):
            raise ExperimentError(f"{self._where} asks for an object outside of it")
        _, kind, key, _, size, *view = pid
        if type(kind) is not str or kind not in STORAGES:
            raise ExperimentError(f"{self._where} stores tensors in what is no storage")
        if any(part is not None for part in view):
            raise ExperimentError(
                f"{self._where} holds a storage within another, as no version writes"
            )
        if type(key) not in (str, int):
            raise ExperimentError(f"{self._where} holds a storage that is called by no word")
        storage = _Storage(kind, str(key), _whole(size, self._where))
        if self._met.setdefault(storage.key, storage) != storage:
            raise ExperimentError(f"{self._where} holds two storages {quoted(storage.key, 40)}")
        return storage


def _stand_ins(where: str) -> dict[tuple[str, str], Any]:
    """Names that such a pickle may use, with what they mean here; new ones for every file."""

    class Mapping(dict[Any, Any]):
        """A dictionary in order, whose attributes nobody reads."""

        def __setstate__(self, _: Any) -> None:
            pass

    def tensor(storage: Any, offset: Any, shape: Any, strides: Any, *others: Any) -> _Tensor:
        if not isinstance(storage, _Storage) or len(shape) != len(strides) or len(shape) > 16:
            raise ExperimentError(f"{where} holds a tensor without numbers, or of no shape")
        if any(others[2:]):  # bits such as `neg`, with which its numbers mean others
            raise ExperimentError(f"{where} holds a tensor that is to be read in another way")
        sides, steps = (tuple(_whole(one, where) for one in many) for many in (shape, strides))
        return _Tensor(storage, _whole(offset, where), sides, steps)

    def parameter(data: Any, *_: Any) -> _Tensor:
        if not isinstance(data, _Tensor):
            raise ExperimentError(f"{where} holds a parameter that is no tensor")
        return data

    names: dict[tuple[str, str], Any] = {("torch", kind): kind for kind in STORAGES}
    names["collections", "OrderedDict"] = lambda *pairs: Mapping(*pairs)
    # The first as versions before 0.4 wrote it.
    for rebuild in ("_rebuild_tensor", "_rebuild_tensor_v2"):
        names["torch._utils", rebuild] = tensor
    names["torch._utils", "_rebuild_parameter"] = parameter
    return names


def _whole(number: Any, where: str) -> int:
    if type(number) is not int or not 0 <= number < 2**48:
        raise ExperimentError(f"{where} holds a tensor with the number {in_short(number)}")
    return number
