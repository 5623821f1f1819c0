"""Adjacency matrices as edges, and the checks that keep a bad array file from being loaded."""

import io
import zipfile
from pathlib import Path
from typing import IO, TYPE_CHECKING

import numpy as np

from ntkexec.errors import GraphError
from ntkexec.graphs.edge_arrays import EdgeArrays

if TYPE_CHECKING:
    import scipy.sparse

MAX_NODES = 10_000_000
MAX_DENSE_NODES = 10_000  # 800 MB of float64


def from_matrix(
    matrix: "np.ndarray | scipy.sparse.sparray | scipy.sparse.spmatrix", place: str
) -> EdgeArrays:
    """The edges of an adjacency matrix, on the nodes 0..n-1.

    Args:
        matrix: square, dense or sparse, of Booleans or whole numbers. Zeros are no edges. If all
            other entries are 1, edges have no weight; if not, each has its entry as "weight".
        place: the file, for messages.

    Returns:
        Undirected edges, each in both directions, if the matrix is symmetric, and otherwise directed
        ones: row i, column j is the edge from i to j.

    Raises:
        GraphError: the matrix is not square, or an entry is not a whole number.
    """
    import scipy.sparse  # here, so that importing the package stays light

    _check_shape(matrix.shape, place)
    if matrix.dtype.kind not in "biuf":
        raise GraphError(f"{place} holds entries of type {matrix.dtype}; expected integers")
    # Widened, since float16 has no sparse arithmetic and repeated entries could overflow a byte.
    wide = {"f": np.float64, "u": np.uint64}.get(matrix.dtype.kind, np.int64)
    entries = scipy.sparse.csr_array(matrix.astype(wide))
    entries.sum_duplicates()
    entries.eliminate_zeros()
    coo = entries.tocoo()
    rows, columns = (np.asarray(axis, np.int64) for axis in (coo.row, coo.col))
    values = coo.data
    fractional = ~np.isfinite(values) | (values != np.floor(values))
    if fractional.any():
        k = int(fractional.argmax())
        raise GraphError(
            f"{place} has the entry {values[k].item()!r} in row {rows[k]}, column {columns[k]} "
            f"(from 0); expected whole numbers"
        )
    is_symmetric = (entries != entries.T).nnz == 0
    return EdgeArrays(
        range(matrix.shape[0]),
        rows,
        columns,
        weights=None if np.all(values == 1) else values,
        directed=not is_symmetric,
    )


def read_npy(path: Path) -> EdgeArrays:
    """A dense adjacency matrix written by `numpy.save`."""
    with path.open("rb") as file:
        _check_header(file, str(path))
        file.seek(0)
        matrix = np.load(file, allow_pickle=False)
    return from_matrix(matrix, str(path))


def read_npz(path: Path) -> EdgeArrays:
    """A matrix written by `scipy.sparse.save_npz`, or the single dense array of `numpy.savez`."""
    import scipy.sparse

    with zipfile.ZipFile(path) as archive:
        members = archive.namelist()
        if "format.npy" not in members:
            if len(members) != 1:
                names = ", ".join(name.removesuffix(".npy") for name in members)
                raise GraphError(
                    f"{path} holds {len(members)} arrays ({names}); expected one adjacency matrix, "
                    f"dense or in the format of scipy.sparse.save_npz"
                )
            with archive.open(members[0]) as file:
                _check_header(file, str(path))
            with archive.open(members[0]) as file:
                return from_matrix(np.lib.format.read_array(file, allow_pickle=False), str(path))
    matrix = scipy.sparse.load_npz(path)
    _check_shape(matrix.shape, str(path))
    if hasattr(matrix, "check_format"):
        # Indices outside the matrix would be read from foreign memory.
        matrix.check_format(full_check=True)
    return from_matrix(matrix, str(path))


def read_mtx(path: Path) -> EdgeArrays:
    """A Matrix Market file, sparse or dense; ends in .mtx or .mtx.gz."""
    import scipy.io

    rows, columns, _, layout, _, _ = scipy.io.mminfo(path)
    _check_shape((rows, columns), str(path), is_dense=layout == "array")
    return from_matrix(scipy.io.mmread(path, spmatrix=False), str(path))


def _check_header(file: IO[bytes] | io.BufferedIOBase, place: str) -> None:
    """Raises unless the .npy data that follows is a numeric square matrix of a sane size."""
    version = np.lib.format.read_magic(file)
    read_header = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read_header is None:
        raise GraphError(f"{place} has .npy version {version}; expected a plain numeric array")
    shape, _, dtype = read_header(file)
    if dtype.kind not in "biuf":
        raise GraphError(f"{place} holds entries of type {dtype}; expected integers")
    _check_shape(shape, place, is_dense=True)


def _check_shape(shape: tuple[int, ...], place: str, *, is_dense: bool = False) -> None:
    if len(shape) != 2 or shape[0] != shape[1]:
        found = " x ".join(map(str, shape)) or "()"
        raise GraphError(f"{place} has shape {found}; an adjacency matrix is square")
    largest = MAX_DENSE_NODES if is_dense else MAX_NODES
    if shape[0] > largest:
        hint = "; store it sparsely, as .npz or .mtx" if is_dense else ""
        raise GraphError(
            f"{place} has {shape[0]} nodes; a {'dense' if is_dense else 'sparse'} matrix may have "
            f"at most {largest}{hint}"
        )
