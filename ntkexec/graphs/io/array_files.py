"""Matrices in NumPy's files, looked at before they are loaded: their headers say how large they are."""

import math
import zipfile
from pathlib import Path

import numpy as np

from ntkexec.errors import GraphError, clean, shown
from ntkexec.graphs.io.adjacency import check_dtype, check_shape, from_matrix
from ntkexec.graphs.io.content import check_size, place_of
from ntkexec.graphs.io.edge_arrays import EdgeArrays
from ntkexec.runtime.archives import read_header

# What scipy.sparse.save_npz writes.
_SPARSE = {"format", "shape", "data", "indices", "indptr", "row", "col", "offsets", "_is_array"}
_COORDINATES = {"coords"}
# What numbers rows and columns; SciPy would cut fractions off.
_WHOLE = {"indices", "indptr", "row", "col", "coords", "offsets"}


def read_npy(path: Path, *, directed: bool | None = None) -> EdgeArrays:
    """A dense adjacency matrix written by `numpy.save`."""
    place = place_of(path)
    with path.open("rb") as file:
        shape, dtype = read_header(file, place, GraphError)
        check_dtype(dtype, place)
        check_shape(shape, place, is_dense=True)
        expected = file.tell() + math.prod(shape) * dtype.itemsize
        size = path.stat().st_size
        if size != expected:
            raise GraphError(
                f"{place} has {size} bytes where its header speaks of {expected}; expected one array"
            )
        file.seek(0)
        matrix = np.load(file, allow_pickle=False)
    return from_matrix(matrix, place, directed=directed)


def read_npz(path: Path, *, directed: bool | None = None) -> EdgeArrays:
    """A matrix written by `scipy.sparse.save_npz`, or the single dense array of `numpy.savez`."""
    import scipy.sparse

    place = place_of(path)
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
        names = [member.filename.removesuffix(".npy") for member in members]
        check_size(sum(member.file_size for member in members), f"{place}, uncompressed,")
        if "format" not in names and len(members) != 1:
            shown_names = clean(", ".join(names), limit=100)
            raise GraphError(
                f"{place} holds {len(members)} arrays ({shown_names}); expected one adjacency matrix, "
                f"dense or in the format of scipy.sparse.save_npz"
            )
        if len(members) > 1 and (odd := set(names) - _SPARSE - _COORDINATES):
            raise GraphError(
                f"{place} holds {shown(min(odd))}, which is no part of a sparse matrix"
            )
        if len(set(names)) != len(names):
            raise GraphError(
                f"{place} holds an array twice, of {clean(', '.join(names), limit=100)}"
            )
        sizes = {}
        for member, name in zip(members, names, strict=True):
            with archive.open(member) as file:
                shape, dtype = read_header(file, f"{name} of {place}", GraphError)
                expected = file.tell() + math.prod(shape) * dtype.itemsize
            if member.file_size != expected and not dtype.hasobject:
                raise GraphError(
                    f"{name} of {place} has {member.file_size} bytes where its header speaks of "
                    f"{expected}"
                )
            if name in _WHOLE and dtype.kind not in "iu":
                raise GraphError(f"{name} of {place} holds {dtype} values; expected whole numbers")
            sizes[name] = math.prod(shape)
        if "format" not in names:
            check_dtype(dtype, place)
            check_shape(shape, place, is_dense=True)
            with archive.open(members[0]) as file:
                matrix = np.lib.format.read_array(file, allow_pickle=False)
            return from_matrix(matrix, place, directed=directed)
        with archive.open("shape.npy") as file:
            shape = tuple(np.lib.format.read_array(file, allow_pickle=False).tolist())
        if "offsets" in names:
            with archive.open("offsets.npy") as file:
                offsets = np.lib.format.read_array(file, allow_pickle=False)
            # SciPy would take them modulo 2**32.
            if len(offsets) and not -max(shape) < offsets.min() <= offsets.max() < max(shape):
                raise GraphError(f"offsets of {place} name diagonals outside the matrix")
    check_shape(shape, place, num_entries=sizes.get("data", 0))
    sparse = scipy.sparse.load_npz(path)
    check_shape(sparse.shape, place)
    if hasattr(sparse, "check_format"):
        # Indices outside the matrix would be read from foreign memory, and rows that end before they
        # begin written to it: SciPy looks for the second only where the last row ends beyond 0.
        # Neighbours are compared, since their difference could overflow to a number above 0.
        if (sparse.indptr[1:] < sparse.indptr[:-1]).any():
            raise GraphError(f"indptr of {place} falls; expected where each row begins, rising")
        if sparse.indptr[-1] != sizes["indices"]:
            raise GraphError(
                f"indptr of {place} ends at {sparse.indptr[-1]}, and there are {sizes['indices']} indices"
            )
        sparse.check_format(full_check=True)
    return from_matrix(sparse, place, directed=directed)
