"""Matrix Market files: SciPy reads them, once every line is what the header promises."""

import io
import re
from pathlib import Path

from ntkexec.errors import GraphError, shown
from ntkexec.graphs.io.adjacency import check_shape, from_matrix
from ntkexec.graphs.io.content import content_of, place_of
from ntkexec.graphs.io.edge_arrays import EdgeArrays

_PLACE = rb"[0-9]+[ \t]+[0-9]+"
_INTEGER = rb"-?[0-9]+"
_REAL = rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?(?:nan|inf)(?:inity)?"
_NUMBERS = {"integer": _INTEGER, "unsigned-integer": _INTEGER, "real": _REAL, "double": _REAL}
_EXPECTED = {"pattern": "no value", "integer": "an integer", "unsigned-integer": "an integer"}
# The header: the banner, comments, and the line of sizes.
_HEADER = re.compile(rb"[^\n]*\n(?:[ \t]*(?:%[^\n]*|\r?)\n)*[^\n]*(?:\n|\Z)")


def read_mtx(path: Path, *, directed: bool | None = None) -> EdgeArrays:
    """A Matrix Market file, sparse or dense; ends in .mtx or .mtx.gz.

    Every entry is read as its header declares it: an entry of a pattern is an edge of weight 1, and a
    file of integers holds nothing else. Entries that are listed twice add up, as in SciPy, but for
    those of a pattern, which count once; in a symmetric file with values they are refused, since it
    lists each pair on one side of the diagonal.
    """
    import scipy.io

    place, data = place_of(path), content_of(path)
    num_rows, num_columns, num_entries, layout, kind, symmetry = scipy.io.mminfo(io.BytesIO(data))
    is_dense = layout == "array"
    check_shape(
        (num_rows, num_columns),
        place,
        is_dense=is_dense,
        num_entries=None if is_dense else num_entries,
    )
    if kind in _NUMBERS or kind == "pattern":
        _check_lines(data, place, is_dense=is_dense, kind=kind)
    matrix = scipy.io.mmread(io.BytesIO(data), spmatrix=False)
    if is_dense:
        return from_matrix(matrix, place, directed=directed)
    if kind == "pattern":
        matrix = matrix.astype(bool)
    elif symmetry != "general":
        distinct = matrix.tocsr()
        distinct.sum_duplicates()
        if distinct.nnz != matrix.nnz:
            raise GraphError(
                f"{place} is {symmetry}, but lists an entry twice or on both sides of the diagonal"
            )
    return from_matrix(matrix, place, directed=directed)


def _check_lines(data: bytes, place: str, *, is_dense: bool, kind: str) -> None:
    """Raises unless every entry is written as the header says; SciPy cuts 2.9 to 2, and 1d3 to 1.

    Raises:
        GraphError: names the line and what was expected.
    """
    number = _NUMBERS.get(kind, b"")
    value = rb"(?:" + number + rb")"
    entry = value if is_dense else _PLACE + (rb"[ \t]+" + value if number else b"")
    lines = re.compile(rb"(?:[ \t]*(?:" + entry + rb")?[ \t]*(?:\r?\n|\r?\Z))*+", re.IGNORECASE)
    header = _HEADER.match(data)
    start = header.end() if header else 0
    end = lines.match(data, start).end()  # type: ignore[union-attr]
    if end < len(data):
        line = data[end : end + 80].splitlines()[0].decode("latin-1")
        expected = "" if is_dense else "a row, a column and "
        number_of_line = data.count(b"\n", 0, end) + 1
        raise GraphError(
            f"line {number_of_line} of {place} is {shown(line)}; expected {expected}"
            f"{_EXPECTED.get(kind, 'a number')}, as the header says"
        )
