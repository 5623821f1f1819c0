"""Messages among the nodes of a list: what they send is added to the words of those that hear it."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Int, Int32, UInt32

from ntkexec.engines.packed import crossing
from ntkexec.engines.packed.neighbours import Rows
from ntkexec.engines.packed.plan import OwnSlots
from ntkexec.engines.packed.rows import WORD_BITS


@dataclasses.dataclass(frozen=True)
class Listeners:
    """Who hears whom among the nodes of a list, as places in it.

    valid: ones where there is a node; (words,).
    senders: places of those that may send; (p,).
    speaks: False where there is no sender.
    hearers: places of those that hear them; past the end where there is none.
    apart: whether it is proven that no two messages meet in those bits that nodes write in their own
        slots only.
    """

    valid: UInt32[Array, "m"]
    senders: Int32[Array, "p"]
    speaks: Bool[Array, "p"]
    hearers: Int32[Array, "d p"]
    apart: bool

    @classmethod
    def of(
        cls,
        count: Int[Array, ""],
        size: int,
        place: Int32[Array, "v"],
        senders: Int32[Array, "p"],
        hearers: Int32[Array, "d p"],
        *,
        silent: int,
        apart: bool,
    ) -> "Listeners":
        """Of a list of nodes.

        Args:
            count: how many nodes are in it.
            size: for how many there is room.
            place: by node where it stands in the list.
            senders: nodes.
            hearers: of each of them, nodes.
            silent: stands for none.
            apart: as in `Listeners`.
        """

        def places(nodes: Array) -> Array:
            # What is said at a free port gets lost, also where the list is full.
            found = place.at[nodes].get(mode="promise_in_bounds")
            return jnp.where(nodes == silent, size, jnp.minimum(found, size - 1))

        valid = crossing.flags_of(jnp.arange(size) < count)
        return cls(valid, places(senders), senders != silent, places(hearers), apart)

    def exchange(self, own: OwnSlots | None, sent: Rows, rows: Rows) -> tuple[Rows, Array]:
        """The message bits that every node holds afterwards; as `neighbours.exchange`.

        Words are added. No two that meet share a bit, so the sum is their union; where two do, it
        carries, and a carry lowers the number of ones.
        """
        bits = sorted(sent)
        words = crossing.by_node(jnp.stack([sent[bit] & self.valid for bit in bits]))
        words = words.reshape(len(words), -1)
        said = jnp.where(self.speaks, words.at[:, self.senders].get(mode="clip"), 0)
        held = self._added(words, said)
        found = crossing.by_bit(held.reshape(len(words), WORD_BITS, -1))
        met = jnp.zeros((), jnp.int32)
        if not (self.apart and own is not None and own.covered >= set(bits)):
            ones = self._added(_ones(words), _ones(said))
            met = (ones != _ones(held)).sum(dtype=jnp.int32)
        return dict(zip(bits, found, strict=False)), met

    def _added(self, own: Array, said: Array) -> Array:
        for port in self.hearers:
            own = own.at[..., port].add(said, mode="drop")
        return own


def _ones(words: UInt32[Array, "s a"]) -> UInt32[Array, "a"]:
    return jax.lax.population_count(words).sum(axis=0, dtype=jnp.uint32)
