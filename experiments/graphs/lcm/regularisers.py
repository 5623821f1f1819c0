"""What makes a learned aggregator keep a monoid's laws: penalties on the states that it visits."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from experiments.graphs.lcm.folds import Levels
from experiments.graphs.lcm.monoids import Operator

Scalar = Float[Array, ""]


def associativity_loss(
    operator: Operator, a: Float[Array, "*b d"], b: Float[Array, "*b d"], c: Float[Array, "*b d"]
) -> Scalar:
    """The mean square of (a b) c - a (b c), over triples and coordinates.

    Source: Ong and Veličković, arXiv:2212.08541, have a loss for it; this form is reconstructed.
    """
    one, other = both_brackets(operator, a, b, c)
    return jnp.square(one - other).mean()


def order_loss(
    operator: Operator,
    state: Float[Array, "*b d"],
    a: Float[Array, "*b d"],
    b: Float[Array, "*b d"],
) -> Scalar:
    """The mean square of f(b, f(a, s)) - f(a, f(b, s)): whether two rows may come in either order.

    If it is 0 on all states that some of the rows lead to, the recurrent fold does not depend on
    their order: every order comes of swaps of neighbours.

    Args:
        operator: f, of a row and a state, as in `sequential_fold`.
        state: s, visited.
        a, b: rows.

    Source: Cohen-Karlik, Ben David and Globerson, arXiv:2010.13055.
    """
    one, other = both_orders(operator, state, a, b)
    return jnp.square(one - other).mean()


def both_brackets(
    operator: Operator, a: Float[Array, "*b d"], b: Float[Array, "*b d"], c: Float[Array, "*b d"]
) -> tuple[Float[Array, "*b d"], Float[Array, "*b d"]]:
    """(a b) c and a (b c)."""
    return operator(operator(a, b), c), operator(a, operator(b, c))


def both_orders(
    operator: Operator,
    state: Float[Array, "*b d"],
    a: Float[Array, "*b d"],
    b: Float[Array, "*b d"],
) -> tuple[Float[Array, "*b d"], Float[Array, "*b d"]]:
    """f(b, f(a, s)) and f(a, f(b, s))."""
    return operator(b, operator(a, state)), operator(a, operator(b, state))


def identity_loss(
    operator: Operator, identity: Float[Array, " d"], x: Float[Array, "n d"]
) -> Scalar:
    """The mean square of x e - x, for a learned identity e."""
    return jnp.square(operator(x, jnp.broadcast_to(identity, x.shape)) - x).mean()


def visited(levels: Levels) -> tuple[Float[Array, "*b k d"], Bool[Array, "*b k"]]:
    """All rows of all levels of `tree_levels` beside each other, and which are real."""
    return (
        jnp.concatenate([rows for rows, _ in levels], -2),
        jnp.concatenate([real for _, real in levels], -1),
    )


def picked(
    key: Array, rows: Float[Array, "*b k d"], real: Bool[Array, "*b k"], count: int
) -> Float[Array, "count *b d"]:
    """So many real rows of each set, drawn with replacement; the first row where none is real.

    Args:
        key: of the draw.
        rows: k of each set, and `real` says which count.
        count: of rows drawn for each set.
    """
    scores = jax.random.uniform(key, (count, *real.shape))
    which = jnp.argmax(jnp.where(real[None], scores, -1.0), -1)
    return jnp.take_along_axis(rows[None], which[..., None, None], -2)[..., 0, :]
