"""The comparison of every step with the program itself."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntkexec.executor.protocol import Engine

NO_STEP = np.iinfo(np.int32).max


@dataclasses.dataclass(frozen=True)
class Verification:
    """Comparison of every step with the program's own Boolean update.

    Args:
        wrong_bits: bits that differ, over all steps and nodes.
        wrong_nodes: nodes that were wrong at some step; shape (n,).
        first_wrong_step: index of the first step with a difference, or None.
        snapshot: the states before that step, (n, k), or None.
        smallest_margin: smallest distance of a mean to its threshold.
        largest_matches: largest m that occurred in every component; shape (c,).
    """

    wrong_bits: int
    wrong_nodes: Bool[np.ndarray, "n"]
    first_wrong_step: int | None
    snapshot: Bool[np.ndarray, "n k"] | None
    smallest_margin: float
    largest_matches: Int[np.ndarray, "c"]

    @property
    def exact(self) -> bool:
        """Every step of every node was right."""
        return self.wrong_bits == 0


class Comparison(NamedTuple):
    """Running comparison with the program; the snapshot is the state before the first wrong step."""

    wrong_bits: Int[Array, ""]
    wrong_nodes: Bool[Array, "n"]
    first_wrong_step: Int[Array, ""]
    snapshot: Bool[Array, "k n"]
    smallest_margin: Float[Array, ""]
    largest_matches: Int[Array, "c"]


def nothing_compared(engine: Engine, states: Bool[Array, "k n"]) -> Comparison:
    """Before the first step."""
    return Comparison(
        wrong_bits=jnp.zeros((), jnp.int32),
        wrong_nodes=jnp.zeros(states.shape[1], bool),
        first_wrong_step=jnp.asarray(NO_STEP, jnp.int32),
        snapshot=jnp.zeros_like(states),
        smallest_margin=jnp.asarray(jnp.inf, engine.thresholds.dtype),
        largest_matches=jnp.zeros(engine.encoding.num_components, jnp.int32),
    )


def finished(found: Comparison) -> Verification:
    """The comparison after the last step, on the host."""
    first = int(found.first_wrong_step)
    wrong = first != NO_STEP
    return Verification(
        wrong_bits=int(found.wrong_bits),
        wrong_nodes=np.asarray(found.wrong_nodes),
        first_wrong_step=first if wrong else None,
        snapshot=np.asarray(found.snapshot).T if wrong else None,
        smallest_margin=float(found.smallest_margin),
        largest_matches=np.asarray(found.largest_matches),
    )
