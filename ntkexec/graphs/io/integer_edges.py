"""Edge lists whose names are integers, read all lines at once: a million nodes in a second or so.

Every rule is `edge_list`'s. Text in which something else occurs, an error among it, is left to the
reader there, which knows the line.
"""

import re

import numpy as np
from jaxtyping import Bool, Int64, UInt8

from ntkexec.graphs.io.edge_arrays import EdgeArrays

# At the beginning of a line, or after a blank; then a blank follows, for "#7" may be part of a name.
_COMMENT = re.compile(rb"^[ \t]*#[\t -~]*|[ \t]+#(?:[#\t ][\t -~]*)?(?=[\r\n]|\Z)", re.MULTILINE)
# Eighteen digits fit int64, and are what `edge_list` takes for an integer.
_MAX_DIGITS = 18
_BLANK, _BREAK, _DIGIT, _MINUS, _COMMA = (1 << place for place in range(5))
_KINDS = np.zeros(256, np.uint8)
for _characters, _kind in (
    (b" \t", _BLANK),
    (b"\n\r", _BREAK),
    (b"0123456789", _DIGIT),
    (b"-", _MINUS),
    (b",", _COMMA),
):
    _KINDS[list(_characters)] = _kind


def read_integer_edges(text: bytes, *, directed: bool = False) -> EdgeArrays | None:
    """The edges of an edge list of integers.

    Args:
        text: the whole file, in UTF-8.
        directed: as for `edge_list.parse_edge_list`.

    Returns:
        The edges in the order of the lines; None if `edge_list.parse_edge_list` must read the text,
        since it is not plain integers in two columns, or three, on every line.
    """
    text = _COMMENT.sub(b"", text)
    characters = np.frombuffer(text + b"\n", np.uint8)
    kinds = _KINDS[characters]
    if not kinds.all():
        return None
    columns = _columns(characters, kinds)
    if columns is None:
        return None
    if b"," not in text and b"\t" in text and b" " in text:
        return None  # the names may be separated by tabs, and hold blanks
    with_blanks = text.replace(b",", b" ") if b"," in text else text
    values = np.fromstring(with_blanks, np.int64, sep=" ")  # only its binary mode is deprecated
    if len(values) % columns:
        return None
    table = values.reshape(-1, columns)
    names, ends = _identifiers(table[:, :2])
    weights = np.ascontiguousarray(table[:, 2]) if columns == 3 else None
    senders, receivers = np.ascontiguousarray(ends.T)
    return EdgeArrays(names.tolist(), senders, receivers, weights, directed=directed)


def _columns(characters: UInt8[np.ndarray, "c"], kinds: UInt8[np.ndarray, "c"]) -> int | None:
    """How many numbers every line holds that holds any; None unless two or three, all written well.

    Args:
        characters: the text, with a line break at its end.
        kinds: of each.
    """
    inside = (kinds & (_DIGIT | _MINUS)) > 0
    border = np.diff(inside, prepend=False)
    starts, ends = np.flatnonzero(border & inside), np.flatnonzero(border & ~inside)
    if not len(starts) or not _well_written(characters, kinds, starts, ends):
        return None
    line = np.searchsorted(np.flatnonzero(kinds == _BREAK), starts)
    first = np.flatnonzero(np.diff(line, prepend=-1))
    columns = int(first[1]) if len(first) > 1 else len(starts)
    if columns not in (2, 3) or len(starts) % columns:
        return None
    if not np.array_equal(first, np.arange(0, len(starts), columns)):
        return None
    commas = np.flatnonzero(kinds == _COMMA)
    if len(commas):
        # One between any two numbers of a line, and none elsewhere.
        follows = np.delete(np.arange(len(starts)), first)
        if not np.array_equal(np.searchsorted(starts, commas), follows):
            return None
    return columns


def _well_written(
    characters: UInt8[np.ndarray, "c"],
    kinds: UInt8[np.ndarray, "c"],
    starts: Int64[np.ndarray, "t"],
    ends: Int64[np.ndarray, "t"],
) -> Bool[np.ndarray, ""] | bool:
    """Whether every number is one that an int writes back unchanged, of at most 18 digits."""
    negative = kinds[starts] == _MINUS
    if np.count_nonzero(kinds == _MINUS) != np.count_nonzero(negative):
        return False
    digits = ends - starts - negative
    leading_zero = characters[starts + negative] == ord("0")
    fine = (digits >= 1) & (digits <= _MAX_DIGITS) & ~(leading_zero & ((digits > 1) | negative))
    return bool(fine.all())


def _identifiers(
    ends: Int64[np.ndarray, "e 2"],
) -> tuple[Int64[np.ndarray, "n"], Int64[np.ndarray, "e 2"]]:
    """The distinct names, ascending, and the place of every end among them."""
    lowest, highest = int(ends.min()), int(ends.max())
    if highest - lowest < 4 * ends.size:
        # Names that lie close together: marking is faster than sorting.
        present = np.zeros(highest - lowest + 1, bool)
        present[ends - lowest] = True
        place = np.cumsum(present) - 1
        return np.flatnonzero(present) + lowest, place[ends - lowest]
    names = np.sort(ends, axis=None)
    names = names[np.append(True, names[1:] != names[:-1])]
    return names, np.searchsorted(names, ends)
