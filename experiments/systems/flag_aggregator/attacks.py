"""What faulty workers send instead of their gradients.

An attack of `ATTACKS` is a function of all workers' gradients, a tree whose leaves are stacked along the
first axis, of who is faulty and of a key; it gives what arrives. Faulty workers see everything, as is usual,
and act together.
"""

import functools
from collections.abc import Callable, Mapping
from statistics import NormalDist

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Bool, Float, Key, PyTree

Gradients = Float[Array, "p n"]
Attack = Callable[[PyTree, Bool[Array, "p"], Key[Array, ""]], PyTree]
LOST = 0.1
"""Of a gradient's coordinates, those that do not arrive."""


def no_attack(gradients: Gradients, faulty: Bool[Array, "p"], key: Array) -> Gradients:
    """Everybody sends the gradient."""
    return gradients


def random_numbers(gradients: Gradients, faulty: Bool[Array, "p"], key: Array) -> Gradients:
    """Uniform numbers between 0 and 1: long vectors, which agree with each other (cosine 3/4)."""
    return _instead(gradients, faulty, jax.random.uniform(key, gradients.shape, gradients.dtype))


def gaussian(gradients: Gradients, faulty: Bool[Array, "p"], key: Array) -> Gradients:
    """Independent directions of an honest length: attackers that do not agree with each other."""
    noise = jax.random.normal(key, gradients.shape, gradients.dtype)
    lengths, drawn = (jnp.linalg.norm(x, axis=1, keepdims=True) for x in (gradients, noise))
    return _instead(gradients, faulty, noise * lengths / drawn)


def reverse(gradients: Gradients, faulty: Bool[Array, "p"], key: Array) -> Gradients:
    """The own gradient, ten times as long, to the other side."""
    return _instead(gradients, faulty, -10 * gradients)


def drop(gradients: Gradients, faulty: Bool[Array, "p"], key: Array) -> Gradients:
    """A tenth of the coordinates is lost; in the public code, which masks a copy, nothing is."""
    arrives = jax.random.bernoulli(key, 1 - LOST, gradients.shape)
    return _instead(gradients, faulty, jnp.where(arrives, gradients, 0))


def a_little_is_enough(gradients: Gradients, faulty: Bool[Array, "p"], key: Array) -> Gradients:
    """The honest mean moved by so many deviations that enough honest workers lie further out.

    Source: Baruch et al., NeurIPS 2019 (ALIE).
    """
    workers, wrong = len(gradients), faulty.sum()
    shares = [(workers - f - (workers // 2 + 1 - f)) / max(workers - f, 1) for f in range(workers)]
    most = 1 - 1e-6
    reaches = jnp.array([NormalDist().inv_cdf(min(max(one, 1e-6), most)) for one in shares])
    centre, spread = _honest(gradients, faulty)
    reach = reaches[wrong].astype(gradients.dtype)
    return _instead(gradients, faulty, jnp.broadcast_to(centre - reach * spread, gradients.shape))


def inner_product(gradients: Gradients, faulty: Bool[Array, "p"], key: Array) -> Gradients:
    """A tenth of the honest mean, to the other side (Xie et al., UAI 2019: IPM)."""
    centre, _ = _honest(gradients, faulty)
    return _instead(gradients, faulty, jnp.broadcast_to(-0.1 * centre, gradients.shape))


def _on_trees(attack: Callable[[Gradients, Bool[Array, "p"], Array], Gradients]) -> Attack:
    """The same of gradients in any tree, which it sees as rows of all their numbers."""

    @functools.wraps(attack)
    def sent(gradients: PyTree, faulty: Bool[Array, "p"], key: Array) -> PyTree:
        rows = jax.vmap(lambda tree: ravel_pytree(tree)[0])(gradients)
        restore = ravel_pytree(jax.tree.map(lambda leaf: leaf[0], gradients))[1]
        return jax.vmap(restore)(attack(rows, faulty, key))

    return sent


ATTACKS: Mapping[str, Attack] = {
    name: _on_trees(attack)
    for name, attack in {
        "none": no_attack,
        "random": random_numbers,
        "reverse": reverse,
        "drop": drop,
        "ALIE": a_little_is_enough,
        "IPM": inner_product,
        "Gaussian": gaussian,
    }.items()
}


def _instead(gradients: Gradients, faulty: Array, others: Gradients) -> Gradients:
    return jnp.where(faulty[:, None], others, gradients)


def _honest(gradients: Gradients, faulty: Array) -> tuple[Array, Array]:
    """Mean and standard deviation of each coordinate over the honest workers, with a first axis of 1."""
    weights = (~faulty / (~faulty).sum()).astype(gradients.dtype)[:, None]
    centre = (weights * gradients).sum(0, keepdims=True)
    return centre, jnp.sqrt((weights * (gradients - centre) ** 2).sum(0, keepdims=True))
