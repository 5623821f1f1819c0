"""The comparison of every step with the program itself."""

import dataclasses
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntkexec.executor.encoding import Matches
from ntkexec.executor.protocol import Decision, Engine

NO_STEP = np.iinfo(np.int32).max


@dataclasses.dataclass(frozen=True)
class Verification:
    """Comparison of every step with the program's own Boolean update.

    Args:
        wrong_bits: bits that differ, over all steps and nodes.
        wrong_nodes: nodes that were wrong at some step; shape (n,).
        first_wrong_step: index of the first step with a difference, or None.
        snapshot: the states before that step, (n, k), or None.
        smallest_margin: smallest distance of a mean to its threshold; None if none was calculated.
        largest_matches: largest m that occurred in every component; shape (c,); or None likewise.
    """

    wrong_bits: int
    wrong_nodes: Bool[np.ndarray, "n"]
    first_wrong_step: int | None
    snapshot: Bool[np.ndarray, "n k"] | None
    smallest_margin: float | None
    largest_matches: Int[np.ndarray, "c"] | None

    @property
    def exact(self) -> bool:
        """Every step of every node was right."""
        return self.wrong_bits == 0


class StepCheck(NamedTuple):
    """One step of some nodes against the program.

    wrong: bits that the program would have decided otherwise.
    smallest_margin: smallest distance of a mean to its threshold.
    largest_matches: largest m of every component.
    """

    wrong: Bool[Array, "k n"]
    smallest_margin: Float[Array, ""]
    largest_matches: Int[Array, "c"]


def check_step(
    matches: Matches,
    decision: Decision,
    mask: Bool[Array, "n"],
    bits: Bool[Array, "k n"] | None = None,
) -> StepCheck:
    """Compares what was decided with what the matched templates write.

    Args:
        matches: of the states before the step.
        decision: what an engine makes of them.
        mask: False at nodes that do not count.
        bits: what was decided, if not by this engine.
    """
    margins = jnp.abs(decision.means - decision.thresholds)
    decided = decision.bits if bits is None else bits
    return StepCheck(
        wrong=(decided != (matches.matched_writers > 0)) & mask[None],
        smallest_margin=jnp.where(mask[None], margins, jnp.inf).min(),
        largest_matches=jnp.where(mask[None], matches.count, 0).max(axis=1).astype(jnp.int32),
    )


class Comparison(NamedTuple):
    """Running comparison with the program; the snapshot is the state before the first wrong step."""

    wrong_bits: Int[Array, ""]
    wrong_nodes: Bool[Array, "n"]
    first_wrong_step: Int[Array, ""]
    snapshot: Bool[Array, "k n"]
    smallest_margin: Float[Array, ""]
    largest_matches: Int[Array, "c"]

    def after(
        self, step: Int[Array, ""], states: Bool[Array, "k n"], check: StepCheck
    ) -> "Comparison":
        """With one more step, whose states before it are given."""
        first = check.wrong.any() & (self.first_wrong_step == NO_STEP)
        return Comparison(
            wrong_bits=self.wrong_bits + check.wrong.sum(dtype=jnp.int32),
            wrong_nodes=self.wrong_nodes | check.wrong.any(axis=0),
            first_wrong_step=jnp.where(first, step, self.first_wrong_step),
            snapshot=jnp.where(first, states, self.snapshot),
            smallest_margin=jnp.minimum(self.smallest_margin, check.smallest_margin),
            largest_matches=jnp.maximum(self.largest_matches, check.largest_matches),
        )


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


def finished(comparison: Comparison, num_nodes: int | None = None) -> Verification:
    """The comparison after the last step, on the host.

    Args:
        comparison: of all steps.
        num_nodes: the first so many nodes are spoken of; by default all.
    """
    first = int(comparison.first_wrong_step)
    wrong = first != NO_STEP
    return Verification(
        wrong_bits=int(comparison.wrong_bits),
        wrong_nodes=np.asarray(comparison.wrong_nodes)[:num_nodes],
        first_wrong_step=first if wrong else None,
        snapshot=np.asarray(comparison.snapshot).T[:num_nodes] if wrong else None,
        smallest_margin=float(comparison.smallest_margin),
        largest_matches=np.asarray(comparison.largest_matches),
    )
