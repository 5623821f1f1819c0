"""Tables of indices in as few bytes as they need: 2.5 an entry up to a million nodes, not 4.

The lower 16 bits of an index are one number; those above are a byte, or, where four will do, half a
byte that two ports share. Gathering through them takes as long as through whole words.
"""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int32, UInt8, UInt16

LOW_BITS = 16


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Indices:
    """A table of indices by port; made by `compress`, in NumPy or JAX.

    low: the lower 16 bits of each, or the whole of indices beyond 24 bits; (ports, words, 32).
    high: bits 16 to 23, a byte each, (ports, words, 32); or bits 16 to 19, of an even port and the
        next in one byte, (half of ports, words, 32); or None where there are no such bits.
    """

    low: UInt16[Array | np.ndarray, "d w b"] | Int32[Array | np.ndarray, "d w b"]
    high: UInt8[Array | np.ndarray, "h w b"] | None = None

    @property
    def ports(self) -> int:
        """d."""
        return int(self.low.shape[0])

    def expand(self) -> Int32[Array, "d w b"]:
        """The indices, one word each; within compiled code they are never written down."""
        low = jnp.asarray(self.low).astype(jnp.int32)
        if self.high is None:
            return low
        high = jnp.asarray(self.high)
        if high.shape[0] != self.ports:
            halves = jnp.stack([high & 15, high >> 4], axis=1)
            high = halves.reshape(-1, *high.shape[1:])[: self.ports]
        return low | (high.astype(jnp.int32) << LOW_BITS)

    def at_nodes(self, nodes: Int32[Array, "m"]) -> Int32[Array, "d m"]:
        """The indices of some nodes."""

        def pick(array: Array | np.ndarray) -> Array:
            columns = jnp.asarray(array).reshape(len(array), array.shape[1] * array.shape[2])
            return columns.at[:, nodes].get(mode="promise_in_bounds")

        low = pick(self.low)
        high = None if self.high is None else pick(self.high)[..., None]
        return Indices(low[..., None], high).expand()[..., 0]


def compress(table: Int32[np.ndarray, "d w b"], largest: int) -> Indices:
    """A table in the fewest bytes that indices up to `largest` need.

    Args:
        table: of indices, none negative.
        largest: none is greater; tables of the same shape and bound have the same layout.
    """
    bits = largest.bit_length()
    if bits > LOW_BITS + 8:
        return Indices(table)
    low = table.astype(np.uint16)
    if bits <= LOW_BITS:
        return Indices(low)
    high = (table >> LOW_BITS).astype(np.uint8)
    if bits > LOW_BITS + 4:
        return Indices(low, high)
    pairs = high[0::2].copy()
    pairs[: len(high) // 2] |= high[1::2] << 4
    return Indices(low, pairs)
