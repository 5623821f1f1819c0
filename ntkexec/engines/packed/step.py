"""Steps of all nodes as AND, ANDNOT and OR of rows."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, UInt32

from ntkexec.engines.packed.neighbours import Exchanging, Neighbours, Rows
from ntkexec.engines.packed.plan import Clock, PackedProgram, StepPlan
from ntkexec.engines.packed.writing import written

# In rounds with several steps of so many conditions and outputs, these are compiled each for itself: XLA
# would compute what one decides anew for whatever reads it in the next, which makes many times the code.
SEVERAL, LARGE = 4, 100


class StepResult(NamedTuple):
    """What a step did.

    decided: the update, before messages are exchanged; a row that it keeps is the very same array.
    rows: the next states.
    collisions: at how many nodes two messages met.
    """

    decided: Rows
    rows: Rows
    collisions: Int[Array, ""]


def advance(packed: PackedProgram, rows: Rows, clock: Clock, neighbours: Exchanging) -> StepResult:
    """One step of all nodes.

    Args:
        packed: the program.
        rows: the states; bits that are missing are 0.
        clock: what the clock shows before the step.
        neighbours: whom every node hears.
    """
    decided = update(packed.plan(frozenset(rows), clock), rows, neighbours.valid)
    sent = {bit: row for bit, row in decided.items() if bit >= packed.split}
    if not sent:
        return StepResult(decided, decided, jnp.zeros((), jnp.int32))
    held, met = neighbours.exchange(packed.own, sent, decided)
    return StepResult(decided, decided | held, met)


def run_rings(
    changing: Rows,
    fixed: Rows,
    neighbours: Neighbours,
    num_rings: Int[Array, ""],
    *,
    packed: PackedProgram,
    ring: tuple[Clock, ...],
) -> tuple[Rows, Int[Array, ""]]:
    """Whole rounds of the clock.

    Args:
        changing: all other rows that may be 1 when the ring begins.
        fixed: rows that no step of the ring changes.
        neighbours: whom every node hears.
        num_rings: how many rounds.
        packed: the program.
        ring: what the clock shows, one round.

    Returns:
        The rows of `changing` afterwards, and the collisions.
    """

    # On several devices no exchange stands under a condition.
    alone = _alone(packed, frozenset(changing | fixed), ring) if neighbours.halo is None else ()

    def once(_: Array, carry: tuple[Rows, Array]) -> tuple[Rows, Array]:
        now, collisions = carry
        rows = now | fixed
        for clock in ring:
            if clock in alone:
                # Node 0 is there.
                rows, met = _apart(neighbours.valid[0] != 0, packed, rows, clock, neighbours)
            else:
                done = advance(packed, rows, clock, neighbours)
                rows, met = done.rows, done.collisions
            collisions = collisions + met
        nothing = jnp.zeros_like(neighbours.valid)
        return {bit: rows.get(bit, nothing) for bit in now}, collisions

    return jax.lax.fori_loop(0, num_rings, once, (changing, jnp.zeros((), jnp.int32)))


def _alone(
    packed: PackedProgram, possible: frozenset[int], ring: Sequence[Clock]
) -> Sequence[Clock]:
    """The steps of a round that are compiled each for itself; bits that may be 1 when it begins."""
    found = list[Clock]()
    for clock in ring:
        plan = packed.plan(possible, clock)
        possible = plan.possible
        if plan.literals >= LARGE:
            found.append(clock)
    return found if len(found) >= SEVERAL else ()


def _apart(
    always: Array, packed: PackedProgram, rows: Rows, clock: Clock, neighbours: Neighbours
) -> tuple[Rows, Int[Array, ""]]:
    """The rows after a step, and its collisions; what the step does not keep is written down."""

    def changed(rows: Rows, neighbours: Neighbours) -> tuple[Rows, Array]:
        done = single_step(rows, neighbours, packed=packed, clock=clock)
        return done.rows, done.collisions

    new, met = written(always, changed, rows, neighbours)
    kept = packed.plan(frozenset(rows), clock).kept
    return {bit: row for bit, row in rows.items() if bit in kept} | new, met


def run_small(
    rows: UInt32[Array, "k w"],
    neighbours: Neighbours,
    num_rings: Int[Array, ""],
    *,
    packed: PackedProgram,
    ring: tuple[Clock, ...],
    tail: tuple[Clock, ...],
    changing: tuple[int, ...],
    fixed: tuple[int, ...],
) -> tuple[UInt32[Array, "r w"], Int[Array, ""]]:
    """`run_rings` and the steps after it, rows stacked: every array of a call costs microseconds.

    Args:
        rows: of the bits of `changing`, then of those of `fixed`.
        neighbours: whom every node hears.
        num_rings: how many rounds.
        packed: the program.
        ring: what the clock shows, one round.
        tail: what it shows in the steps after the last round.
        changing: as in `run_rings`.
        fixed: as in `run_rings`.

    Returns:
        The rows of `after_tail`'s bits, and the collisions.
    """
    by_bit = dict(zip((*changing, *fixed), rows, strict=True))
    constant = {bit: by_bit[bit] for bit in fixed}
    now, collisions = run_rings(
        {bit: by_bit[bit] for bit in changing},
        constant,
        neighbours,
        num_rings,
        packed=packed,
        ring=ring,
    )
    now = now | constant
    for clock in tail:
        done = advance(packed, now, clock, neighbours)
        now, collisions = done.rows, collisions + done.collisions
    bits = after_tail(packed, tail, changing + fixed)
    nothing = jnp.zeros_like(neighbours.valid)
    found = jnp.array([now.get(bit, nothing) for bit in bits], nothing.dtype)
    return found.reshape(len(bits), *nothing.shape), collisions


def after_tail(
    packed: PackedProgram, tail: Sequence[Clock], bits: Sequence[int]
) -> tuple[int, ...]:
    """The bits that may be 1 after some steps if these may be before them."""
    possible = frozenset(bits)
    for clock in tail:
        possible = packed.plan(possible, clock).possible
    return tuple(sorted(possible))


def single_step(
    rows: Rows, neighbours: Neighbours, *, packed: PackedProgram, clock: Clock
) -> StepResult:
    """`advance`, only with the rows that it does not keep."""
    kept = packed.plan(frozenset(rows), clock).kept
    decided, after, met = advance(packed, rows, clock, neighbours)
    return StepResult(
        {bit: row for bit, row in decided.items() if bit not in kept},
        {bit: row for bit, row in after.items() if bit not in kept or bit >= packed.split},
        met,
    )


def update(plan: StepPlan, rows: Rows, like: Array) -> Rows:
    """The union of the matched templates, corrected, for every bit that may be 1.

    Args:
        plan: the templates.
        rows: the states; all bits of their conditions.
        like: a row of the same shape.
    """
    ones = jnp.full_like(like, 0xFFFFFFFF)
    matched = {
        entry.template: _product([(rows[bit], value) for bit, value in entry.condition], ones)
        for entry in plan.templates
    }
    terms: dict[int, list[Array]] = {}
    for entry in plan.templates:
        for bit in entry.outputs:
            terms.setdefault(bit, []).append(matched[entry.template])
    decided = {bit: _union(found) for bit, found in terms.items()}
    for bit, exactly, others in plan.corrections:
        where = _product(
            [(matched[t], True) for t in exactly] + [(matched[t], False) for t in others], ones
        )
        decided[bit] = decided.get(bit, jnp.zeros_like(like)) ^ where
    return decided


def _product(literals: Sequence[tuple[Array, bool]], ones: Array) -> Array:
    if not literals:
        return ones
    row, value = literals[0]
    product = row if value else ~row
    for row, value in literals[1:]:
        product = product & (row if value else ~row)
    return product


def _union(products: Sequence[Array]) -> Array:
    union = products[0]
    for product in products[1:]:
        union = union | product
    return union
