"""Folding rows by a binary operator: as a balanced tree, one by one, by prefixes, in random orders.

An operator is `(rows, rows) -> rows`. Rows that a mask leaves out count as an identity: they are
skipped, exactly. Only if the operator is a commutative monoid's do all folds agree.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from experiments.graphs.lcm.monoids import Operator
from ntkexec.errors import ExperimentError

Levels = list[tuple[Float[Array, "*b k d"], Bool[Array, "*b k"]]]
"""What a fold visits: rows, and which of them are real."""


def tree_fold(
    operator: Operator,
    x: Float[Array, "*b n d"],
    mask: Bool[Array, "*b n"] | None = None,
    *,
    identity: Float[Array, " d"] | None = None,
    packed: bool = False,
) -> Float[Array, "*b d"]:
    """All rows in ceil(log2 n) levels, each of which applies the operator to all pairs at once.

    Rows 0 and 1, 2 and 3, ... are paired; an odd one is passed up as it is.

    Args:
        operator: called once a level; n - 1 applications in all.
        x: the rows.
        mask: which are real; the others change nothing, wherever they are and however many.
        identity: what no real rows give; zeros if not told.
        packed: the caller's word that real rows come first, so that they need not be sorted there.

    Source: Ong and Veličković, arXiv:2212.08541.
    """
    levels = tree_levels(operator, x, mask, packed=packed)
    rows, real = levels[-1] if levels else (x, jnp.zeros(x.shape[:-1], bool))
    if mask is None and levels:
        return rows[..., 0, :]
    neutral = jnp.zeros(x.shape[-1], x.dtype) if identity is None else identity
    if not levels:
        return jnp.broadcast_to(neutral, (*x.shape[:-2], x.shape[-1]))
    return jnp.where(real[..., :1], rows[..., 0, :], neutral.astype(x.dtype))


def tree_levels(
    operator: Operator,
    x: Float[Array, "*b n d"],
    mask: Bool[Array, "*b n"] | None = None,
    *,
    packed: bool = False,
) -> Levels:
    """All levels of `tree_fold`, from the n rows to the one at the root; none for n = 0."""
    real = jnp.ones(x.shape[:-1], bool) if mask is None else jnp.asarray(mask)
    if mask is not None and not packed:
        order = jnp.argsort(~real, axis=-1, stable=True)
        x = jnp.take_along_axis(x, order[..., None], -2)
        real = jnp.take_along_axis(real, order, -1)
    levels = [(x, real)] if x.shape[-2] else []
    while levels and levels[-1][0].shape[-2] > 1:
        rows, real = levels[-1]
        paired = rows.shape[-2] // 2 * 2
        left, right = rows[..., 0:paired:2, :], rows[..., 1:paired:2, :]
        merged = operator(left, right)
        if mask is not None:
            # Real rows come first, so a real right one has a real left one.
            merged = jnp.where(real[..., 1:paired:2, None], merged, left)
        rest = (rows[..., paired:, :], real[..., paired:])
        levels.append(
            (
                jnp.concatenate([merged, rest[0]], -2),
                jnp.concatenate([real[..., 0:paired:2], rest[1]], -1),
            )
        )
    return levels


def sequential_fold(
    operator: Operator,
    x: Float[Array, "*b n d"],
    mask: Bool[Array, "*b n"] | None = None,
    *,
    begin: Float[Array, " d"] | None = None,
) -> Float[Array, "*b d"]:
    """One row after another, `state = operator(row, state)`, in n steps: what a recurrent network does.

    Args:
        operator: of the row and the state; a GRU, for instance, or a monoid.
        x: the rows, in their order.
        mask: which are real; others leave the state as it is.
        begin: the state before the first, of any width; zeros of the rows' width if not told.
    """
    return sequential_states(operator, x, mask, begin=begin)[-1]


def sequential_states(
    operator: Operator,
    x: Float[Array, "*b n d"],
    mask: Bool[Array, "*b n"] | None = None,
    *,
    begin: Float[Array, " d"] | None = None,
) -> Float[Array, "n+1 *b d"]:
    """All states of `sequential_fold`, from `begin` on."""
    real = jnp.ones(x.shape[:-1], bool) if mask is None else jnp.asarray(mask)
    first = jnp.zeros(x.shape[-1], x.dtype) if begin is None else begin.astype(x.dtype)
    first = jnp.broadcast_to(first, (*x.shape[:-2], len(first)))

    def step(state: Array, row: tuple[Array, Array]) -> tuple[Array, Array]:
        further = jnp.where(row[1][..., None], operator(row[0], state), state)
        return further, further

    rows = (jnp.moveaxis(x, -2, 0), jnp.moveaxis(real, -1, 0))
    _, states = jax.lax.scan(step, first, rows)
    return jnp.concatenate([first[None], states])


def prefix_fold(
    operator: Operator,
    x: Float[Array, "*b n d"],
    mask: Bool[Array, "*b n"] | None = None,
    *,
    identity: Float[Array, " d"] | None = None,
) -> Float[Array, "*b d"]:
    """By JAX's `associative_scan`, whose brackets are others: a second route to the same value.

    Args:
        operator, x, mask, identity: as for `tree_fold`; n is at least 1.
    """
    real = jnp.ones(x.shape[:-1], bool) if mask is None else jnp.asarray(mask)

    def masked(one: tuple[Array, Array], two: tuple[Array, Array]) -> tuple[Array, Array]:
        (x, in_x), (y, in_y) = one, two
        both = jnp.where(in_x & in_y, operator(x, y), jnp.where(in_x, x, y))
        return both, in_x | in_y

    axis = x.ndim - 2
    rows, found = jax.lax.associative_scan(masked, (x, real[..., None]), axis=axis)
    neutral = jnp.zeros(x.shape[-1], x.dtype) if identity is None else identity
    return jnp.where(found[..., -1, :], rows[..., -1, :], neutral.astype(x.dtype))


def ensemble_fold(
    operator: Operator,
    x: Float[Array, "*b n d"],
    mask: Bool[Array, "*b n"] | None = None,
    *,
    key: Array,
    orders: int = 8,
    identity: Float[Array, " d"] | None = None,
) -> tuple[Float[Array, "*b d"], Float[Array, "*b"]]:
    """The mean of `tree_fold` over random orders of the rows, and how far apart the orders are.

    Args:
        operator, x, mask, identity: as for `tree_fold`.
        key: of the orders.
        orders: how many, at least 2.

    Returns:
        The mean, and the spread: the root mean square distance from it, relative to its length. It is
        rounding for an associative and commutative operator, so where it is more, the operator is used
        on something that it was not trained for, such as a deeper tree.

    Raises:
        ExperimentError: fewer than two orders have no spread.
    """
    if orders < 2:
        raise ExperimentError(f"{orders} order of the rows has no spread; give at least 2 orders")
    real = jnp.ones(x.shape[:-1], bool) if mask is None else jnp.asarray(mask)

    def one(key: Array) -> Array:
        rows, present = reordered(key, x, real)
        return tree_fold(operator, rows, present, identity=identity, packed=True)

    found = jnp.stack([one(each) for each in jax.random.split(key, orders)])
    mean = found.mean(0)
    distance = jnp.sqrt(jnp.square(found - mean[None]).sum(-1).mean(0))
    return mean, distance / jnp.maximum(jnp.linalg.norm(mean, axis=-1), jnp.finfo(x.dtype).tiny)


def reordered(
    key: Array, x: Float[Array, "*b n d"], mask: Bool[Array, "*b n"]
) -> tuple[Float[Array, "*b n d"], Bool[Array, "*b n"]]:
    """Each set's real rows in a random order, before those that are not real; and the mask of that."""
    order = jnp.argsort(jnp.where(mask, jax.random.uniform(key, mask.shape), 2.0), axis=-1)
    rows = jnp.take_along_axis(x, order[..., None], -2)
    return rows, jnp.take_along_axis(mask, order, -1)
