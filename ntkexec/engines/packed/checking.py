"""Packed execution compared, bit by bit and step by step, with the program itself on packed states.

What a packed engine carries out is the program with all left out that is known beforehand: the phase,
bits that are 0, nodes that rest. Beside it stands here the program as it is, every template on every
state, clock and all, and every bit of the two is compared at every step. XLA may find that both
calculate the same and do so once; it may not where they differ. Rounds that a long search carries out
at some nodes only are carried out so here too, with books of their own about who may be left out:
`ledger`. No mean is calculated: that the learned function decides as the packed execution does is
what the engine relies on, not what is compared.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int, UInt32

from ntkexec.engines.packed.execution import PackedExecution, PackedState
from ntkexec.engines.packed.neighbours import Neighbours, Rows
from ntkexec.engines.packed.plan import Clock, PackedProgram
from ntkexec.engines.packed.rows import pack_row, unpack
from ntkexec.engines.packed.step import SEVERAL, advance, update
from ntkexec.engines.packed.writing import written
from ntkexec.errors import ProgramError
from ntkexec.executor.verification import Verification
from ntkexec.runtime import compilation

Step = tuple[Clock, Clock]
"""What the clock shows before a step and after it."""

_Sums = tuple[Rows, Array, Array, Array]


def run_compared(
    rows: Rows,
    neighbours: Neighbours,
    mask: UInt32[Array, "w"],
    num_rings: Int[Array, ""],
    *,
    packed: PackedProgram,
    head: tuple[Step, ...],
    ring: tuple[Step, ...],
    tail: tuple[Step, ...],
) -> tuple[Rows, Int[Array, ""], Int[Array, ""], UInt32[Array, "w"]]:
    """Steps, each compared with the program.

    Args:
        rows: the states; bits that are missing are 0.
        neighbours: whom every node hears.
        mask: ones at nodes that count.
        num_rings: how many rounds of the clock.
        packed: what is executed.
        head: steps before the first round.
        ring: those of a round.
        tail: those after the last.

    Returns:
        The rows afterwards, the collisions, how many bits were wrong, and at which nodes some was.
    """
    program = PackedProgram(packed.program)
    whole = program.plan(frozenset(range(program.num_bits)), ())
    nothing = jnp.zeros_like(neighbours.valid)

    def full(found: Rows, clock: Clock) -> list[Array]:
        known: Rows = {bit: ~nothing if value else nothing for bit, value in clock}
        rows = found | known
        return [rows.get(bit, nothing) for bit in range(program.num_bits)]

    def compared(
        sums: tuple[Array, Array], states: tuple[Array, Array]
    ) -> tuple[tuple[Array, Array], None]:
        (bits, nodes), (before, after) = sums, states
        right = update(whole, dict(enumerate(before)), neighbours.valid)
        made = jnp.stack([right.get(bit, nothing) for bit in range(program.num_bits)])
        wrong = (after ^ made) & mask[None]
        bits = bits + jax.lax.population_count(wrong).sum(dtype=jnp.int32)
        return (bits, nodes | jnp.bitwise_or.reduce(wrong, axis=0)), None

    # Of many steps the comparison is compiled once, and each step for itself; see `step.SEVERAL`.
    def in_turn(now: Rows, which: Sequence[Step], met: Array, bits: Array, nodes: Array) -> _Sums:
        before, after = list[Array](), list[Array]()
        for clock, following in which:

            def once(
                rows: Rows, clock: Clock = clock, following: Clock = following
            ) -> tuple[Rows, Array, Array]:
                done = advance(packed, rows, clock, neighbours)
                return done.rows, done.collisions, jnp.stack(full(done.decided, following))

            before.append(jnp.stack(full(now, clock)))
            # Node 0 is there.
            now, collisions, decided = written(neighbours.valid[0] != 0, once, now)
            after.append(decided)
            met = met + collisions
        sums, _ = jax.lax.scan(compared, (bits, nodes), (jnp.stack(before), jnp.stack(after)))
        return now, met, *sums

    def steps(now: Rows, which: Sequence[Step], met: Array, bits: Array, nodes: Array) -> _Sums:
        if len(which) >= SEVERAL:
            return in_turn(now, which, met, bits, nodes)
        for clock, following in which:
            done = advance(packed, now, clock, neighbours)
            states = dict(enumerate(full(now, clock)))
            right = update(whole, states, neighbours.valid)
            for bit, row in enumerate(full(done.decided, following)):
                wrong = (row ^ right.get(bit, nothing)) & mask
                bits = bits + jax.lax.population_count(wrong).sum(dtype=jnp.int32)
                nodes = nodes | wrong
            now, met = done.rows, met + done.collisions
        return now, met, bits, nodes

    begun = steps(rows, head, jnp.zeros((), jnp.int32), jnp.zeros((), jnp.int32), nothing)
    possible = packed.possible_when_ring_starts(frozenset(begun[0]), [clock for clock, _ in ring])

    def once(_: Array, carry: _Sums) -> _Sums:
        now, met, bits, nodes = steps(carry[0], ring, *carry[1:])
        return {bit: now.get(bit, nothing) for bit in possible}, met, bits, nodes

    start = ({bit: begun[0].get(bit, nothing) for bit in possible}, *begun[1:])
    turned = jax.lax.fori_loop(0, num_rings, once, start)
    return steps(turned[0], tail, *turned[1:])


def run_verified(
    prepared: PackedExecution, num_steps: int, node_mask: Bool[np.ndarray, "n"]
) -> tuple[PackedState, Verification]:
    """`prepared.run`, every step of all nodes compared with the program.

    Args:
        prepared: the execution, on one device.
        num_steps: how many steps.
        node_mask: False at nodes that do not count.

    Raises:
        ProgramError: the nodes are divided among devices.
        ExecutionError: where only some nodes are carried out, the program does something else.
    """
    if prepared.mesh is not None:
        raise ProgramError(
            "verify='program' runs on one device; leave devices out, or take verify=True"
        )
    orbit, now = prepared.orbit, prepared.start
    found = _Found(now, 0, np.zeros(prepared.num_nodes, bool))
    first = min(num_steps, len(orbit.head))
    rounds = (num_steps - first) // len(orbit.ring)
    if prepared.some_suffice(rounds):
        found = _compared(prepared, found, first, node_mask)
        now, _ = prepared.sparse_rounds(found.state, rounds, beside=True)
        found = found._replace(state=now)
    found = _compared(prepared, found, num_steps, node_mask)
    return found.state, Verification(
        wrong_bits=found.bits,
        wrong_nodes=found.nodes,
        first_wrong_step=None,
        snapshot=None,
        smallest_margin=None,
        largest_matches=None,
    )


class _Found(NamedTuple):
    """A state, and what was wrong before it."""

    state: PackedState
    bits: int
    nodes: Bool[np.ndarray, "n"]


def _compared(
    prepared: PackedExecution, found: _Found, until: int, node_mask: Bool[np.ndarray, "n"]
) -> _Found:
    """Steps of all nodes, compared."""
    orbit, now = prepared.orbit, found.state
    if now.step == until:
        return found
    first = max(0, min(until, len(orbit.head)) - now.step)
    rounds, left = divmod(until - now.step - first, len(orbit.ring))

    def pairs(begin: int, count: int) -> tuple[Step, ...]:
        return tuple((orbit.at(s), orbit.at(s + 1)) for s in range(begin, begin + count))

    (rows, met, wrong_bits, wrong), compile_seconds, run_seconds = compilation.call(
        run_compared,
        now.rows,
        prepared.neighbours,
        pack_row(node_mask),
        np.int32(rounds),
        packed=prepared.packed,
        head=pairs(now.step, first),
        ring=pairs(now.step + first, len(orbit.ring)) if rounds else (),
        tail=pairs(until - left, left),
    )
    nodes = unpack(np.asarray(wrong)[None], prepared.num_nodes)[:, 0]
    after = PackedState(
        until,
        orbit.at(until),
        rows,
        now.collisions + int(met),
        now.compile_seconds + compile_seconds,
        now.run_seconds + run_seconds,
    )
    return _Found(after, found.bits + int(wrong_bits), found.nodes | nodes)
