"""The comparison of a search with the program from its first round to its last: see `ledger`."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, UInt32

from ntkexec.engines.packed.crossing import population
from ntkexec.engines.packed.ledger import Heard, Ledger, rows_of
from ntkexec.engines.packed.neighbours import Neighbours
from ntkexec.engines.packed.plan import Clock
from ntkexec.engines.packed.rows import WORD_BITS
from ntkexec.engines.packed.silence import unforeseen
from ntkexec.errors import ExecutionError
from ntkexec.program.program import Program
from ntkexec.runtime import compilation


class Audit:
    """A ledger and what is compared before, between and after the calls of a search.

    Args:
        program: all of it.
        ring: what the clock shows, one round.
        changing: as `Shape.changing`.
        fixed: as `Shape.fixed`.
        neighbours: the graph.
        num_nodes: n.
    """

    def __init__(
        self,
        program: Program,
        ring: tuple[Clock, ...],
        changing: tuple[int, ...],
        fixed: tuple[int, ...],
        neighbours: Neighbours,
        num_nodes: int,
    ) -> None:
        self._program, self._ring = program, ring
        self._changing, self._fixed = changing, fixed
        self._num_nodes = num_nodes
        (audience,), *_ = compilation.call(_audience, neighbours.table)
        self.heard = Heard(neighbours.table, audience.at[num_nodes].set(0))
        self.ledger: Ledger | None = None
        self._unforeseen = 0

    def begin(
        self,
        held: UInt32[Array, "s v"],
        fixed: UInt32[Array, "f v"],
        pattern: UInt32[np.ndarray, "b"],
        rows: UInt32[np.ndarray, "k w"],
        constant: UInt32[np.ndarray, "f w"],
    ) -> None:
        """Before the first round.

        Args:
            held: as in `Search`.
            fixed: as in `search_on`.
            pattern: the state of the waiting.
            rows: those that may change, bit by bit.
            constant: those that do not; then where there are nodes.
        """
        (wrong, restless), *_ = compilation.call(_begun, held, fixed, pattern, rows, constant)
        zero, none = jnp.asarray(np.int32(0)), jnp.asarray(np.int32(-1))
        self.ledger = Ledger(held, restless, wrong, zero, zero, none, none)

    def foreseen(self, patterns: Sequence[int]) -> None:
        """Compares what waiting nodes are said to do.

        Args:
            patterns: bits that are 1 at them, before each round and after the last.
        """
        self._unforeseen += unforeseen(self._program, self._ring, self._fixed, patterns)

    def nobody(self) -> None:
        """Compares that all rest or wait."""
        assert self.ledger is not None
        left = int(self.ledger.left_out) + int(self.ledger.restless)
        self.ledger = self.ledger._replace(left_out=jnp.asarray(np.int32(left)))

    def finish(
        self,
        held: UInt32[Array, "s v"],
        pattern: UInt32[np.ndarray, "b"],
        rows: Sequence[UInt32[Array, "w"]],
    ) -> None:
        """Compares the states at the end.

        Args:
            held: as in `Search`.
            pattern: the state of the waiting.
            rows: those that may change, as they are handed on.

        Raises:
            ExecutionError: something was wrong, here or before.
        """
        ledger = self.ledger
        assert ledger is not None
        last, *_ = compilation.call(_differing_at_end, ledger.held, held, pattern, tuple(rows))
        differing, out = int(ledger.differences) + int(last), int(ledger.left_out)
        if not (differing or out or self._unforeseen):
            return
        first, node = int(ledger.first), int(ledger.node)
        where = "at the end" if first < 0 else f"from round {first} on"
        who = "" if node < 0 else f" at node {node} or others"
        raise ExecutionError(
            f"a search at some nodes only does otherwise than the program {where}: {differing:,} "
            f"differences{who}, {out:,} nodes missing in its lists or there twice, "
            f"{self._unforeseen:,} rounds of nodes that wait; verify=True carries out all nodes"
        )


def _audience(table: object) -> tuple[Array]:
    ports = table.expand()  # type: ignore[attr-defined]
    size = ports.shape[1] * WORD_BITS
    return (jnp.zeros(size, jnp.int32).at[ports.ravel()].add(1),)


def _begun(
    held: UInt32[Array, "s v"],
    fixed: UInt32[Array, "f v"],
    pattern: UInt32[Array, "b"],
    rows: UInt32[Array, "k w"],
    constant: UInt32[Array, "f w"],
) -> tuple[Array, Array]:
    """Bits of words that differ from the rows, and how many nodes neither wait nor rest."""
    found, valid = _rows(held, len(rows) + 2), constant[-1]
    wait, rest = found[-2] & valid, found[-1] & valid
    meant = (found[:-2] & ~wait[None]) | (pattern[:, None] & wait[None])
    kept = _rows(fixed, len(constant))
    wrong = _ones((meant ^ rows) & valid[None]) + _ones(kept ^ constant) + _ones(rest)
    return wrong, _ones(~(wait | rest) & valid)


def _differing_at_end(
    kept: UInt32[Array, "s v"],
    held: UInt32[Array, "s v"],
    pattern: UInt32[Array, "b"],
    rows: tuple[UInt32[Array, "w"], ...],
) -> Array:
    found = _rows(kept, len(rows) + 2)
    wait = found[-2]
    meant = (found[:-2] & ~wait[None]) | (pattern[:, None] & wait[None])
    return _ones(jnp.stack(rows) ^ meant) + _ones(kept ^ held)


def _rows(words: UInt32[Array, "s v"], count: int) -> UInt32[Array, "k w"]:
    """As `rows_of`, nodes in order."""
    lanes = words.reshape(len(words), -1, WORD_BITS).swapaxes(1, 2)
    return rows_of(lanes.reshape(len(words), -1), count)


def _ones(rows: Array) -> Array:
    return population(rows).sum(dtype=jnp.int32)
