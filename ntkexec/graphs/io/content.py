"""The content of a graph file: its limits are known before it is read, its encoding is honoured."""

import codecs
import gzip
import io
import stat
from pathlib import Path

from ntkexec.errors import GraphError, clean

MAX_BYTES = 2**30
"""Most bytes that are read, uncompressed: a dense matrix of 10,000 nodes, 50 million edges in text."""

# The longer marks first: that of UTF-32 begins with that of UTF-16.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig", "UTF-8"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF32_BE, "utf-32", "UTF-32"),
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)


def place_of(path: Path) -> str:
    """A file as messages call it."""
    return clean(str(path))


def check_file(path: Path) -> None:
    """Raises unless there is a file to read, of a size that fits.

    Raises:
        GraphError: nothing is there, or no regular file (reading a pipe could wait for ever), or one
            that is too large.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise GraphError(f"there is no file {place_of(path)}") from None
    if not stat.S_ISREG(found.st_mode):
        raise GraphError(f"{place_of(path)} is not a regular file; graphs are read from files only")
    check_size(found.st_size, place_of(path))


def check_size(num_bytes: int, place: str) -> None:
    """Raises GraphError if so much would not be read."""
    if num_bytes > MAX_BYTES:
        raise GraphError(f"{place} holds {num_bytes} bytes; at most {MAX_BYTES} are read")


def content_of(path: Path) -> bytes:
    """What a file holds, uncompressed if its name ends in .gz.

    Raises:
        GraphError: that is more than `MAX_BYTES`.
        OSError, EOFError, zlib.error: it cannot be read or uncompressed.
    """
    data = path.read_bytes()
    if path.suffix.lower() != ".gz":
        return data
    # The end of a compressed file says how much it holds, so most bombs need not go off.
    if len(data) >= 18:
        check_size(int.from_bytes(data[-4:], "little"), place_of(path))
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as file:
        unpacked = file.read(MAX_BYTES + 1)
    if len(unpacked) > MAX_BYTES:
        raise GraphError(
            f"{place_of(path)} unpacks to more than the {MAX_BYTES} bytes that are read"
        )
    return unpacked


def text_of(data: bytes, place: str) -> str:
    """Text in UTF-8, or in the encoding that a byte order mark declares.

    Raises:
        GraphError: it is not.
    """
    mark, encoding, name = next(
        (found for found in _MARKS if data.startswith(found[0])), (b"", "utf-8", "UTF-8")
    )
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        said = ", as its byte order mark says" if mark else ""
        raise GraphError(f"{place} is not {name} text{said} (at byte {error.start})") from error
