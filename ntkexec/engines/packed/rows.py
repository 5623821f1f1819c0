"""States packed across nodes: row k holds bit k of all nodes, 32 nodes to a word.

Node v lies in word v // 32 at place v % 32. There is always at least one place after the last node,
which neighbour tables use as the node that is silent.
"""

import numpy as np
from jaxtyping import Bool, UInt32

from ntkexec.executor.buckets import bucket

WORD_BITS = 32
FULL = np.uint32(0xFFFFFFFF)


# Up to so many words, 4,095 nodes, twice as many cost a step next to nothing, and rows grow to the next
# power of two; up to so many, 32,767 nodes, by a quarter at most, and beyond by an eighth.
FEW_WORDS, MANY_WORDS = 1 << 7, 1 << 10
# Below so many, 127 nodes, a whole run takes less than a millisecond.
LEAST_WORDS = 4


def num_words(num_nodes: int) -> int:
    """Words of a row for `num_nodes` nodes and the silent one.

    They grow in steps, so that graphs of similar size share their compiled execution.
    """
    least = num_nodes // WORD_BITS + 1
    steps = 0 if least <= FEW_WORDS else 2 if least <= MANY_WORDS else 3
    return max(LEAST_WORDS, bucket(least, steps))


def pack(states: Bool[np.ndarray, "n k"]) -> UInt32[np.ndarray, "k w"]:
    """States as rows of words; the places after the last node are 0."""
    num_nodes, num_bits = states.shape
    padded = np.zeros((num_bits, num_words(num_nodes) * (WORD_BITS // 8)), np.uint8)
    octets = np.packbits(states, axis=0, bitorder="little")
    padded[:, : len(octets)] = octets.T
    return padded.view("<u4").astype(np.uint32, copy=False)


def unpack(rows: UInt32[np.ndarray, "k w"], num_nodes: int) -> Bool[np.ndarray, "n k"]:
    """Rows of words as states; a view whose memory is bit-major."""
    octets = np.ascontiguousarray(rows, "<u4").view(np.uint8)
    bits = np.unpackbits(octets, axis=1, count=num_nodes, bitorder="little")
    return bits.view(bool).T


def pack_row(bits: Bool[np.ndarray, "*b n"]) -> UInt32[np.ndarray, "*b w"]:
    """One row, or several, given as one Boolean a node."""
    num_nodes = bits.shape[-1]
    width = num_words(num_nodes) * WORD_BITS
    padded = np.zeros((*bits.shape[:-1], width), bool)
    padded[..., :num_nodes] = bits
    return np.packbits(padded, axis=-1, bitorder="little").view("<u4")


def uniform(rows: UInt32[np.ndarray, "k w"], num_nodes: int) -> dict[int, bool]:
    """The bits that have the same value at all nodes, and this value."""
    full = pack_row(np.ones(num_nodes, bool))
    return {
        bit: bool(row[0] & 1)
        for bit, row in enumerate(rows)
        if np.array_equal(row, full if row[0] & 1 else np.zeros_like(full))
    }
