"""Pictures that Pillow reads but does not write."""

import struct
import zlib

import numpy as np


def png_of_greys(numbers: np.ndarray, bits: int) -> bytes:
    """A PNG of greys of 1, 2, 4 or 8 bits, whose rows fill whole bytes."""
    height, width = numbers.shape
    shifts = np.arange(8 // bits)[::-1] * bits
    rows = (numbers.reshape(height, -1, 8 // bits) << shifts).sum(-1).astype(np.uint8)
    packed = b"".join(b"\0" + row.tobytes() for row in rows)
    header = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(packed)), (b"IEND", b""))
    made = [
        struct.pack(">I", len(c)) + n + c + struct.pack(">I", zlib.crc32(n + c)) for n, c in chunks
    ]
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)
