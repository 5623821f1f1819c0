"""Arrays out of strangers' files: members of `.npz` archives, and what they must be to make a graph."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import sparse

from experiments.data.nodes import Split
from experiments.files.sources import check_regular
from experiments.files.words import quoted, shown
from ntkexec.errors import ExperimentError

MOST_COLUMNS = 2**31 - 1
"""What a 32 bit column index of a sparse matrix can count."""
MOST_BYTES = 2**33
"""Of what is unpacked; a small file could otherwise fill all memory."""


def members(
    path: Path, needed: Sequence[str], optional: Sequence[str] = ()
) -> dict[str, np.ndarray]:
    """Arrays of an `.npz` file, read key by key; pickled objects in it are never loaded.

    Args:
        path: of the archive.
        needed: keys that must be there.
        optional: keys that are read where they are there.

    Raises:
        ExperimentError: names the file, and the key that is missing or cannot be read.
    """
    check_regular(path)
    key = ""
    try:
        # Opened here, since NumPy leaves a file open that turns out to be no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            if not isinstance(archive, np.lib.npyio.NpzFile):
                raise ExperimentError(f"{shown(path)} is no .npz archive, but a single array")
            there = set(archive.files)
            if absent := [name for name in needed if name not in there]:
                raise ExperimentError(
                    f"{shown(path)} has no array {quoted(absent[0])}; it has "
                    f"{shown(', '.join(sorted(there)) or 'none')}"
                )
            sizes = {
                member.filename: member.file_size
                for member in (archive.zip.infolist() if archive.zip else ())
            }
            found = {}
            for key in (*needed, *(name for name in optional if name in there)):
                if sizes.get(f"{key}.npy", 0) > MOST_BYTES:
                    raise ValueError(f"it would take more than {MOST_BYTES} bytes")
                found[key] = np.asarray(archive[key])
            return found
    except ExperimentError:
        raise
    except Exception as error:
        # NumPy, zipfile and zlib meet damage with errors of some ten kinds, and list them nowhere.
        what = f"its array {quoted(key)}: " if key else ""
        raise ExperimentError(f"cannot read {shown(path)}: {what}{shown(error)}") from error


def single(path: Path) -> np.ndarray:
    """The array of an `.npy` file.

    Raises:
        ExperimentError: names the file, if it holds none, or one of pickled objects.
    """
    check_regular(path)
    try:
        with path.open("rb") as file:
            found = np.lib.format.read_array(file, allow_pickle=False)
    except Exception as error:
        # As above.
        raise ExperimentError(f"cannot read {shown(path)}: {shown(error)}") from error
    return found


def vector(array: np.ndarray, where: str, *, length: int | None = None) -> np.ndarray:
    """Whole numbers as int64, in one dimension.

    Raises:
        ExperimentError: names `where`, if there are others, or another number than `length`.
    """
    if array.ndim != 1 or array.dtype.kind not in "iu":
        raise ExperimentError(f"{where} must be whole numbers in one row, got {described(array)}")
    if length is not None and len(array) != length:
        raise ExperimentError(f"{where} must be {length} numbers, got {len(array)}")
    made = array.astype(np.int64)
    if made.size and array.dtype.kind == "u" and made.min() < 0:
        raise ExperimentError(f"{where} holds a number beyond 64 bits")
    return made


def classes(array: np.ndarray, where: str, *, length: int | None = None) -> np.ndarray:
    """Labels: whole numbers from 0, or -1 for unknown.

    Raises:
        ExperimentError: names `where`, and the number that is no label.
    """
    made = vector(array, where, length=length)
    if not made.size:
        raise ExperimentError(f"{where} is empty")
    # A class far beyond the number of nodes would make heads of networks as wide.
    if made.min() < -1 or made.max() >= max(len(made), 2):
        wrong = made.min() if made.min() < -1 else made.max()
        raise ExperimentError(f"{where} holds {wrong}, which is no class of {len(made)} nodes")
    return made


def table(array: np.ndarray, where: str, *, rows: int | None = None) -> np.ndarray:
    """Features as a float32 array of two dimensions.

    Raises:
        ExperimentError: names `where`, if they are no finite numbers or have another shape.
    """
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise ExperimentError(f"{where} must be numbers in rows, got {described(array)}")
    if rows is not None and len(array) != rows:
        raise ExperimentError(f"{where} must have {rows} rows, got {len(array)}")
    return _float32(array, where)


def series(array: np.ndarray, where: str, *, length: int | None = None) -> np.ndarray:
    """Numbers in one row as float64, which tells apart what happened fractions of a second apart.

    Raises:
        ExperimentError: names `where`, if they are no finite numbers or another number than `length`.
    """
    if array.ndim != 1 or array.dtype.kind not in "iuf":
        raise ExperimentError(f"{where} must be numbers in one row, got {described(array)}")
    if length is not None and len(array) != length:
        raise ExperimentError(f"{where} must be {length} numbers, got {len(array)}")
    made = array.astype(np.float64)
    if not np.isfinite(made).all():
        raise ExperimentError(f"{where} holds a number that is not finite")
    return made


def matrix(
    parts: Mapping[str, np.ndarray], where: str, *, rows: int | None = None
) -> sparse.csr_matrix:
    """A sparse float32 matrix with sorted columns and no stored zeros.

    Args:
        parts: CSR's `data`, `indices`, `indptr` and `shape`.
        where: it stands, for messages.
        rows: that it must have, if that is known.

    Raises:
        ExperimentError: names the part that does not fit.
    """
    shape = vector(parts["shape"], f"the shape in {where}", length=2)
    height, width = (int(side) for side in shape)
    if not (height >= 0 and 0 <= width <= MOST_COLUMNS) or (rows is not None and height != rows):
        wanted = "" if rows is None else f"; {rows} rows are needed"
        raise ExperimentError(f"{where} has the shape ({height}, {width}){wanted}")
    pointers = vector(parts["indptr"], f"indptr in {where}")
    columns = vector(parts["indices"], f"indices in {where}")
    values = parts["data"]
    if len(pointers) != height + 1:
        raise ExperimentError(f"indptr in {where} must be {height + 1} numbers for its shape")
    # Neighbours are compared: a difference of them could overflow to a number above 0.
    if pointers[0] != 0 or (pointers[1:] < pointers[:-1]).any() or pointers[-1] != len(columns):
        raise ExperimentError(f"indptr in {where} does not count its {len(columns)} indices")
    if columns.size and not (columns.min() >= 0 and columns.max() < width):
        raise ExperimentError(f"indices in {where} lie beyond its {width} columns")
    if values.shape != columns.shape or values.dtype.kind not in "biuf":
        raise ExperimentError(
            f"data in {where} must be {len(columns)} numbers, got {described(values)}"
        )
    made = sparse.csr_matrix((_float32(values, where), columns, pointers), shape=(height, width))
    made.sum_duplicates()
    made.eliminate_zeros()
    return made


def pairs(array: np.ndarray, number: int, where: str) -> np.ndarray:
    """Edges as NodeData has them: each once, u < v, sorted, without loops.

    Args:
        array: (m, 2) nodes, in either or both directions, with or without repetitions.
        number: of nodes.
        where: they stand, for messages.

    Raises:
        ExperimentError: names `where`, and a node that is none.
    """
    if array.ndim != 2 or array.shape[1] != 2 or array.dtype.kind not in "iu":
        raise ExperimentError(f"{where} must be pairs of whole numbers, got {described(array)}")
    made = array.astype(np.int64)
    if made.size and not (made.min() >= 0 and made.max() < number):
        wrong = made.min() if made.min() < 0 else made.max()
        raise ExperimentError(f"{where} names the node {wrong}; there are 0 to {number - 1}")
    low, high = made.min(axis=1), made.max(axis=1)
    keys = np.unique((low * number + high)[low < high])
    return np.stack([keys // max(number, 1), keys % max(number, 1)], axis=1)


def chosen(indices: np.ndarray, number: int, where: str) -> np.ndarray:
    """A boolean for each node, true for those that are listed.

    Raises:
        ExperimentError: names `where`, and an index that is no node or is listed twice.
    """
    listed = vector(indices, where)
    if listed.size and not (listed.min() >= 0 and listed.max() < number):
        raise ExperimentError(f"{where} lists a node beyond 0 to {number - 1}")
    made = np.zeros(number, bool)
    made[listed] = True
    if made.sum() < len(listed):
        raise ExperimentError(f"{where} lists a node twice")
    return made


def masked(masks: Iterable[np.ndarray], number: int, where: str) -> Split:
    """A split out of three masks of 0 and 1, to train, validate and test.

    Raises:
        ExperimentError: names `where`, if they have another length, other values, or overlap.
    """
    parts = []
    for name, part in zip(("train", "validation", "test"), masks, strict=True):
        if part.shape != (number,) or part.dtype.kind not in "biu" or (part > 1).any():
            raise ExperimentError(
                f"the {name} mask in {where} must be {number} of 0 and 1, got {described(part)}"
            )
        parts.append(part.astype(bool))
    try:
        return Split(*parts)
    except ExperimentError as error:
        raise ExperimentError(f"{where}: {error}") from error


def described(array: np.ndarray) -> str:
    """Its type and shape, in words."""
    return f"{array.dtype} of shape {array.shape}"


def _float32(array: np.ndarray, where: str) -> np.ndarray:
    with np.errstate(over="ignore", invalid="ignore"):
        made = np.ascontiguousarray(array, np.float32)
    if not np.isfinite(made).all():
        raise ExperimentError(f"{where} holds a number that is not finite in float32")
    return made
