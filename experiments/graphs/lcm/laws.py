"""How far an operator keeps a commutative monoid's laws, on the states that its fold visits."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from experiments.graphs.lcm.folds import reordered, tree_fold, tree_levels
from experiments.graphs.lcm.monoids import Operator
from experiments.graphs.lcm.regularisers import picked, visited
from ntkexec.errors import ExperimentError

Fold = Callable[[Array, Array], Array]
"""From rows (B, n, d) and a mask (B, n) to values (B, d)."""


@dataclasses.dataclass(frozen=True)
class Law:
    """How far a law is broken, relative to the larger side; 0 if it holds.

    Args:
        mean: over the sets.
        low, high: Student's 95 % interval of it.
        largest: of any set.
    """

    mean: float
    low: float
    high: float
    largest: float


@dataclasses.dataclass(frozen=True)
class LawReport:
    """What of a commutative monoid an operator is.

    Args:
        commutativity: x y = y x.
        associativity: (x y) z = x (y z).
        identity: x e = x.
        idempotence: x x = x; no law of a monoid, but what tells a maximum from a sum.
        permutation: two random orders of a set's rows give one value. It alone concerns the fold.
    """

    commutativity: Law
    associativity: Law
    identity: Law
    idempotence: Law
    permutation: Law


def law_report(
    operator: Operator,
    x: Float[Array, "b n d"],
    mask: Bool[Array, "b n"] | None = None,
    *,
    key: Array,
    identity: Float[Array, " d"] | None = None,
    fold: Fold | None = None,
) -> LawReport:
    """The laws of any binary operator, on triples of the states that folding these sets visits.

    Args:
        operator: learned or not; also one that is no monoid's, such as a recurrent cell.
        x: sets of rows, from where the operator is used: its laws elsewhere do not matter.
        mask: which rows are real.
        key: of the triples and orders.
        identity: e; zeros if not told.
        fold: whose dependence on the order is told; `tree_fold` of the operator if not told.

    Raises:
        ExperimentError: fewer than two sets have no interval.
    """
    from ntkexec.check.intervals import student_reach  # which takes SciPy along

    if x.shape[0] < 2:
        raise ExperimentError(f"laws have an interval over at least two sets, and got {x.shape[0]}")
    found = {}
    for name, errors in law_errors(
        operator, x, mask, key=key, identity=identity, fold=fold
    ).items():
        values = np.asarray(errors, np.float64)
        mean, reach = float(values.mean()), float(student_reach(values, miss=0.05))
        found[name] = Law(mean, max(0.0, mean - reach), mean + reach, float(values.max()))
    return LawReport(**found)


def law_errors(
    operator: Operator,
    x: Float[Array, "b n d"],
    mask: Bool[Array, "b n"] | None = None,
    *,
    key: Array,
    identity: Float[Array, " d"] | None = None,
    fold: Fold | None = None,
) -> dict[str, Float[Array, " b"]]:
    """`law_report`'s numbers of each set, by law; a pure function that can be compiled."""
    real = jnp.ones(x.shape[:-1], bool) if mask is None else jnp.asarray(mask)
    neutral = jnp.zeros(x.shape[-1], x.dtype) if identity is None else identity
    states = jax.random.split(key, 3)
    a, b, c = picked(states[0], *visited(tree_levels(operator, x, real)), 3)

    def folded(rows: Array, real: Array) -> Array:
        return tree_fold(operator, rows, real, identity=neutral, packed=True)

    orders = [(fold or folded)(*reordered(each, x, real)) for each in states[1:]]
    ab = operator(a, b)
    return {
        "commutativity": apart(ab, operator(b, a)),
        "associativity": apart(operator(ab, c), operator(a, operator(b, c))),
        "identity": apart(operator(a, jnp.broadcast_to(neutral, a.shape)), a),
        "idempotence": apart(operator(a, a), a),
        "permutation": apart(*orders),
    }


def apart(one: Float[Array, "*b d"], other: Float[Array, "*b d"]) -> Float[Array, "*b"]:
    """The distance of rows, relative to the longer; equal infinities are no distance."""
    difference = jnp.where(one == other, 0, one - other)
    lengths = [
        jnp.linalg.norm(jnp.where(jnp.isfinite(rows), rows, 0), axis=-1) for rows in (one, other)
    ]
    longer = jnp.maximum(jnp.maximum(*lengths), jnp.finfo(one.dtype).tiny)
    return jnp.linalg.norm(difference, axis=-1) / longer
