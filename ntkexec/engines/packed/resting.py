"""Runs that end when a whole round changes nothing, as one compiled loop."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from ntkexec.engines.packed.execution import PackedExecution, PackedState
from ntkexec.engines.packed.neighbours import Neighbours, Rows
from ntkexec.engines.packed.plan import Clock, Orbit, PackedProgram
from ntkexec.engines.packed.step import run_rings
from ntkexec.runtime import compilation


def run_to_rest(
    prepared: PackedExecution, num_steps: int, round_length: int
) -> tuple[PackedState, bool] | None:
    """Steps until a round changes nothing, or until there were enough.

    Args:
        prepared: the execution.
        num_steps: at most so many.
        round_length: steps of a round, at whose ends states are compared.

    Returns:
        The state afterwards, and whether it rests; None where there is no such loop: on several
        devices, or where the clock does not fit into a round.
    """
    orbit, now = prepared.orbit, prepared.start
    # A clock that has not come round yet differs from one round's end to the next.
    before = -(-len(orbit.head) // round_length) * round_length
    rounds = (num_steps - before) // round_length
    if prepared.mesh is not None or round_length % len(orbit.ring) or rounds < 1:
        return None
    while now.step < before:
        _, now = prepared.step(now)
    ring = tuple(orbit.at(before + step) for step in range(round_length))
    turning = dataclasses.replace(prepared, orbit=Orbit((), ring))
    changing, fixed = turning._division(now)
    (found, collisions, done, moves), *seconds = compilation.call(
        rounds_to_rest,
        changing,
        fixed,
        prepared.neighbours,
        np.asarray(rounds, np.int32),
        packed=prepared.packed,
        ring=ring,
    )
    now = PackedState(
        before + int(done) * round_length,
        ring[0],
        fixed | found,
        now.collisions + int(collisions),
        now.compile_seconds + seconds[0],
        now.run_seconds + seconds[1],
    )
    while bool(moves) and now.step < num_steps:
        _, now = prepared.step(now)
    return now, not bool(moves)


def rounds_to_rest(
    changing: Rows,
    fixed: Rows,
    neighbours: Neighbours,
    num_rounds: Int[Array, ""],
    *,
    packed: PackedProgram,
    ring: tuple[Clock, ...],
) -> tuple[Rows, Int[Array, ""], Int[Array, ""], Bool[Array, ""]]:
    """Rounds until one of them changes no node.

    Args:
        changing: as in `run_rings`.
        fixed: as in `run_rings`.
        neighbours: whom every node hears.
        num_rounds: at most so many.
        packed: the program.
        ring: what the clock shows, one round.

    Returns:
        The rows of `changing` afterwards, the collisions, how many rounds were done, and whether the
        last one changed anything.
    """
    Carry = tuple[Rows, Array, Array, Array]

    def once(carry: Carry) -> Carry:
        rows, collisions, done, _ = carry
        after, met = run_rings(
            rows, fixed, neighbours, jnp.ones((), jnp.int32), packed=packed, ring=ring
        )
        moves = [((after[bit] ^ row) & neighbours.valid).any() for bit, row in rows.items()]
        return after, collisions + met, done + 1, jnp.asarray(moves).any()

    nothing = jnp.zeros((), jnp.int32)
    return jax.lax.while_loop(
        lambda carry: carry[3] & (carry[2] < num_rounds),
        once,
        (changing, nothing, nothing, jnp.asarray(True)),
    )
