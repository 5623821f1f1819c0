"""What an update engine is: it gives the mean output of the learned function for match sets.

All engines share this protocol, so that the loop need not know them apart; they are in
`ntkexec.engines`.
"""

from typing import NamedTuple, Protocol, runtime_checkable

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from ntkexec.executor.encoding import Encoding, Matches, encode, lookup


@runtime_checkable
class Engine(Protocol):
    """A pytree that evaluates the learned function.

    encoding: the learning problem's index arrays.
    thresholds: by bit and number of matches.
    """

    @property
    def encoding(self) -> Encoding: ...

    @property
    def thresholds(self) -> Float[Array, "k m"]: ...

    def means(self, matches: Matches) -> Float[Array, "k n"]:
        """The network outputs before the Heaviside step, bit-major."""
        ...


class Decision(NamedTuple):
    """Bits of the next state, before messages are exchanged, and how they came about."""

    bits: Bool[Array, "k n"]
    means: Float[Array, "k n"]
    thresholds: Float[Array, "k n"]


def decide(engine: Engine, matches: Matches) -> Decision:
    """The Heaviside step: which outputs exceed the threshold for their number of matches."""
    means = engine.means(matches)
    thresholds = lookup(engine.thresholds, count_of_bits(engine.encoding, matches))
    return Decision(means > thresholds, means, thresholds)


def decide_states(engine: Engine, states: Bool[Array, "k n"]) -> tuple[Matches, Decision]:
    """Matches of every state, and what is decided for it; to be compiled as one."""
    matches = encode(engine.encoding, states)
    return matches, decide(engine, matches)


def count_of_bits(arrays: Encoding, matches: Matches) -> Int[Array, "k n"]:
    """m, for every bit that of its component; any component's for a bit that nothing writes."""
    return matches.count[jnp.minimum(arrays.component_of_bit, matches.count.shape[0] - 1)]
