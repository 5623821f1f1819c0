"""Verification of packed execution: its bits against a plain engine's and the program's."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntkexec.errors import CertificateError
from ntkexec.executor import Verification
from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import Engine, decide
from ntkexec.program.layout import Layout
from ntkexec.runtime import compilation

# Nodes that are compared at once; the plain engines hold numbers for each of their templates.
CHUNK = 1 << 15


class Comparison:
    """Compares step after step, and sums up.

    Args:
        plain: the engine that decides number by number.
        layout: of the states, for messages.
        mask: False at padding nodes.
    """

    def __init__(self, plain: Engine, layout: Layout, mask: Bool[np.ndarray, "n"]) -> None:
        self._plain, self._layout, self._mask = plain, layout, mask
        self._wrong_bits = 0
        self._wrong_nodes = np.zeros(len(mask), bool)
        self._first: tuple[int, np.ndarray] | None = None
        self._margin = float(np.inf)
        self._matches = np.zeros(plain.encoding.num_components, np.int32)

    def add(
        self, step: int, states: Bool[np.ndarray, "n k"], decided: Bool[np.ndarray, "n k"]
    ) -> None:
        """One step of all nodes.

        Args:
            step: its number.
            states: before it.
            decided: what the packed execution made of them, before messages were exchanged.

        Raises:
            CertificateError: the plain engine decides otherwise, so the state lies outside the
                bound that packed execution relies on.
        """
        before = self._wrong_bits
        for start in range(0, len(states), CHUNK):
            part = slice(start, start + CHUNK)
            self._add_chunk(step, part, states[part], decided[part])
        if self._wrong_bits and not before:
            self._first = (step, states.copy())

    def _add_chunk(
        self,
        step: int,
        part: slice,
        states: Bool[np.ndarray, "c k"],
        decided: Bool[np.ndarray, "c k"],
    ) -> None:
        # All chunks of a large graph share one compiled shape.
        fill = min(CHUNK, len(self._mask)) - len(states)
        padded = [np.pad(array, ((0, fill), (0, 0))).T for array in (states, decided)]
        mask = np.pad(self._mask[part], (0, fill))
        (wrong, differs, margin, matches), _, _ = compilation.call(
            _compare, self._plain, *map(jnp.asarray, (*padded, mask))
        )
        differs, wrong = np.asarray(differs), np.asarray(wrong)[:, : len(states)]
        if differs.any():
            bit, node = np.argwhere(differs)[0]
            raise CertificateError(
                f"step {step}, node {part.start + node}: packed execution decides "
                f"{self._layout.bit_names[bit]} otherwise than the plain engine; the state lies outside "
                "the bound that packed execution relies on"
            )
        self._wrong_bits += int(wrong.sum())
        self._wrong_nodes[part] |= wrong.any(axis=0)
        self._margin = min(self._margin, float(margin))
        self._matches = np.maximum(self._matches, matches)

    def result(self) -> Verification:
        """The sum of all steps."""
        return Verification(
            wrong_bits=self._wrong_bits,
            wrong_nodes=self._wrong_nodes,
            first_wrong_step=None if self._first is None else self._first[0],
            snapshot=None if self._first is None else self._first[1],
            smallest_margin=self._margin,
            largest_matches=self._matches,
        )


def _compare(
    plain: Engine,
    states: Bool[Array, "k n"],
    decided: Bool[Array, "k n"],
    mask: Bool[Array, "n"],
) -> tuple[Bool[Array, "k n"], Bool[Array, "k n"], Float[Array, ""], Int[Array, "c"]]:
    matches = encode(plain.encoding, states)
    decision = decide(plain, matches)
    margins = jnp.abs(decision.means - decision.thresholds)
    return (
        (decided != (matches.active > 0)) & mask[None],
        (decided != decision.bits) & mask[None],
        jnp.where(mask[None], margins, jnp.inf).min(),
        jnp.where(mask[None], matches.count, 0).max(axis=1).astype(jnp.int32),
    )
