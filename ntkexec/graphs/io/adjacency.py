"""Adjacency matrices as edges: what their entries mean, whatever file they come from."""

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Int, Num

from ntkexec.errors import GraphError
from ntkexec.graphs.io.edge_arrays import EdgeArrays

if TYPE_CHECKING:
    import scipy.sparse

MAX_NODES = 10_000_000
MAX_DENSE_NODES = 10_000  # 800 MB of float64
MAX_LONELY = 1_000_000
"""Nodes that no entry can touch; a few bytes may declare as many as they like."""


def from_matrix(
    matrix: "np.ndarray | scipy.sparse.sparray | scipy.sparse.spmatrix",
    place: str,
    *,
    directed: bool | None = None,
) -> EdgeArrays:
    """The edges of an adjacency matrix, on the nodes 0..n-1, each with its entry as "weight".

    The zeros of a dense matrix are no edges. An entry that a sparse one stores (coo, csr, csc) is an
    edge, of weight 0 if it is a zero, as in networkx and `scipy.sparse.csgraph`; the zeros with which
    bsr and dia fill their blocks and diagonals are none. Entries that are stored twice add up, as in
    SciPy.

    Args:
        matrix: square, dense or sparse, of Booleans or real numbers.
        place: the file, for messages.
        directed: whether row i, column j is the edge from i to j; None to ask the matrix, which has
            directed edges unless it is symmetric.

    Returns:
        The edges; undirected ones in both directions.

    Raises:
        GraphError: the matrix is not square, an entry is no finite number, or edges without direction
            were asked of a matrix that is not symmetric.
    """
    import scipy.sparse  # here, so that importing the package stays light

    check_shape(matrix.shape, place)
    check_dtype(matrix.dtype, place)
    if isinstance(matrix, np.ndarray):
        rows, columns = np.nonzero(matrix)
        values = matrix[rows, columns]
    else:
        fills = matrix.format in ("bsr", "dia")
        coo = scipy.sparse.coo_array(matrix)
        rows, columns, values = coo.row, coo.col, coo.data
        if fills:
            kept = values != 0
            rows, columns, values = rows[kept], columns[kept], values[kept]
    is_boolean = matrix.dtype.kind == "b"
    if is_boolean and not values.all():
        raise GraphError(f"{place} stores False, which is an edge to some and none to others")
    entries = _summed(rows, columns, _widened(values), matrix.shape[0])
    if is_boolean:
        entries.data[:] = 1
    canonical = entries.tocoo()
    rows, columns = (np.asarray(axis, np.int64) for axis in (canonical.row, canonical.col))
    _check_finite(rows, columns, canonical.data, place)
    is_symmetric = _is_symmetric(entries)
    if directed is False and not is_symmetric:
        raise GraphError(f"{place} is not symmetric, so its edges are directed")
    return EdgeArrays(
        range(matrix.shape[0]),
        rows,
        columns,
        weights=canonical.data,
        directed=not is_symmetric if directed is None else directed,
    )


def _widened(values: Num[np.ndarray, "e"]) -> Num[np.ndarray, "e"]:
    """In 64 bits, since repeated entries could overflow a byte; a short float by its decimals."""
    if values.dtype in (np.float16, np.float32):
        distinct, place = np.unique(values, return_inverse=True)
        return np.array([float(str(value)) for value in distinct], np.float64)[place]
    wide = {"f": np.float64, "u": np.uint64}.get(values.dtype.kind, np.int64)
    return values.astype(wide)


def _summed(
    rows: Int[np.ndarray, "e"], columns: Int[np.ndarray, "e"], values: Num[np.ndarray, "e"], n: int
) -> "scipy.sparse.csr_array":
    """The entries in the order of rows and columns, each place once; zeros stay."""
    import scipy.sparse

    entries = scipy.sparse.coo_array((values, (rows, columns)), shape=(n, n)).tocsr()
    entries.sum_duplicates()
    entries.sort_indices()
    return entries


def _is_symmetric(entries: "scipy.sparse.csr_array") -> bool:
    """Whether the transpose stores the same; zeros count as entries."""
    transpose = entries.T.tocsr()
    transpose.sort_indices()
    return all(
        np.array_equal(getattr(entries, part), getattr(transpose, part))
        for part in ("indptr", "indices", "data")
    )


def _check_finite(
    rows: np.ndarray, columns: np.ndarray, values: Num[np.ndarray, "e"], place: str
) -> None:
    is_odd = ~np.isfinite(values)
    if is_odd.any():
        k = int(is_odd.argmax())
        raise GraphError(
            f"{place} has the entry {values[k].item()!r} in row {rows[k]}, column {columns[k]} "
            f"(from 0); expected numbers, and where there is no edge a zero or nothing"
        )


def check_dtype(dtype: np.dtype, place: str) -> None:
    """Raises GraphError unless entries are Booleans or real numbers."""
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise GraphError(
            f"{place} holds entries of type {dtype}; expected integers or real numbers"
        )


def check_shape(
    shape: tuple[int, ...], place: str, *, is_dense: bool = False, num_entries: int | None = None
) -> None:
    """Raises GraphError unless a matrix is square and of a size that is read.

    Args:
        shape: of the matrix.
        place: the file, for messages.
        is_dense: whether every entry is stored.
        num_entries: stored entries of a sparse matrix, where they are known.
    """
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
    if num_entries is not None and shape[0] - 2 * num_entries > MAX_LONELY:
        raise GraphError(
            f"{place} declares {shape[0]} nodes and {num_entries} entries; at most {MAX_LONELY} nodes "
            f"may be without an edge"
        )
