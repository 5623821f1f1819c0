"""Simulated and trained runs of the predecessors' experiment with permutations.

Networks are added until the mean of all of them is right at so many of 1,000 random inputs with two
ones; the number at which that happens first is what was published.
"""

import functools
import itertools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float64

from ntkexec import kernel

INPUTS = 1000
BLOCK = 16


def pairs(bits: int) -> Float64[np.ndarray, "p k"]:
    """All inputs with two ones, one a row."""
    return np.array(
        [np.isin(np.arange(bits), pair) for pair in itertools.combinations(range(bits), 2)], float
    )


def covariances(bits: int, regime: str) -> tuple[float, float, float]:
    """Covariance of trained networks at two such inputs with 2, 1 and no ones in common."""
    learns = kernel.ntk if regime == "ntk" else kernel.nngp
    x = np.zeros((4, bits))
    for row, pair in enumerate([(0, 1), (0, 1), (0, 2), (2, 3)]):
        x[row, pair] = 0.5**0.5
    weights = np.linalg.solve(learns(np.eye(bits)), learns(x).T).T
    prior = kernel.nngp(np.clip(x @ x.T, -1, 1))
    cross = weights @ kernel.nngp(x).T
    found = (prior + weights @ kernel.nngp(np.eye(bits)) @ weights.T - cross - cross.T) / bits
    return tuple(found[0, 1:].tolist())


def first_numbers(
    bits: int,
    regime: str,
    means: tuple[float, float],
    share: float,
    *,
    runs: int,
    rng: np.random.Generator,
) -> Float64[np.ndarray, "r"]:
    """The number of networks at which each run ends, networks drawn from the Gaussian limit.

    Args:
        bits: k.
        regime: ntk or nngp.
        means: of an output that must be 1, and of one that must be 0.
        share: of inputs that must come out right.
        runs: how many.
        rng: of the draws.
    """
    inputs = pairs(bits)
    targets = inputs.T > 0
    rest, part = root(inputs, *covariances(bits, regime))
    draws = rng.multinomial(INPUTS, np.full(len(inputs), 1 / len(inputs)), size=runs)
    mean = np.where(targets, *means)[None].astype(np.float32)
    total = np.zeros((runs, bits, len(inputs)), np.float32)
    ended, number = np.zeros(runs, int), 0
    while not ended.all():
        # Runs that have ended are carried along no further.
        going = np.flatnonzero(ended == 0)
        for _ in range(BLOCK):
            number += 1
            z = rng.standard_normal((len(going), bits, len(inputs)), np.float32)
            total[going] += rest * z + (z @ inputs.astype(np.float32)) @ part
            right = ((total[going] / number + mean > 0) == targets[None]).all(axis=1)
            passed = (right * draws[going]).sum(axis=1) >= share * INPUTS
            ended[going[passed & (ended[going] == 0)]] = number
    return ended.astype(float)


def root(
    inputs: np.ndarray, same: float, one: float, none: float
) -> tuple[np.float32, Float[np.ndarray, "k p"]]:
    """The symmetric root of the covariance, as r I + B W B^T, B the inputs: r, and W B^T.

    Pairs of k form an association scheme: three eigenvalues, on constants, on what is a sum over the
    two ones, and on the rest.
    """
    k = inputs.shape[1]
    values = np.array(
        [
            same + 2 * (k - 2) * one + (k - 2) * (k - 3) / 2 * none,
            same + (k - 4) * one - (k - 3) * none,
            same - 2 * one + none,
        ]
    )
    constant, sums, rest = np.sqrt(np.maximum(values, 0))
    inverse = np.linalg.inv((k - 2) * np.eye(k) + 1)
    middle = (sums - rest) * inverse
    # B 1 = 2: the constants among the sums have a root of their own.
    middle = middle + (constant - sums) * np.full((k, k), 1 / (4 * len(inputs)))
    return np.float32(rest), (middle @ inputs.T).astype(np.float32)


@functools.partial(jax.jit, static_argnames=("bits", "width", "steps", "members", "lazy"))
def trained(
    key: Array, *, bits: int, width: int, steps: int, members: int, lazy: bool
) -> Float[Array, "e p k"]:
    """Outputs, at all inputs with two ones, of networks after descent on the basis vectors.

    As released: biases that start at 0 and are trained, and one rate for all weights. With the
    standard parametrisation weights themselves are small, with the other (`lazy`) the factors are.
    """
    x = jnp.concatenate([jnp.eye(bits), jnp.asarray(pairs(bits), jnp.float32) * 0.5**0.5])
    inner, outer = bits**-0.5, width**-0.5
    c, gap = kernel.NTK_ORTHOGONAL, kernel.NTK_GAP
    last = width / bits * (kernel.NTK_GAP - 0.5 + c * bits)
    # A little below the largest eigenvalue, of which the biases have a part.
    rate = 0.5 / ((gap + c * bits) / bits if lazy else last + 2 * bits)

    def outputs(weights: Any, rows: Array) -> Array:
        first, second = (weights[0] * inner, weights[1] * outer) if lazy else weights[:2]
        hidden = rows @ first + (0 if lazy else weights[2][None])
        return jax.nn.relu(hidden) @ second + (0 if lazy else weights[3][None])

    def member(own: Array) -> Array:
        one, two = jax.random.split(own)
        first, second = jax.random.normal(one, (bits, width)), jax.random.normal(two, (width, bits))
        start = (
            (first, second)
            if lazy
            else (first * inner, second * outer, jnp.zeros(width), jnp.zeros(bits))
        )

        def step(weights: Any, _: None) -> tuple[Any, None]:
            slope = jax.grad(lambda w: 0.5 * jnp.sum((outputs(w, x[:bits]) - x[:bits]) ** 2))(
                weights
            )
            return jax.tree.map(lambda w, g: w - rate * g, weights, slope), None

        return outputs(jax.lax.scan(step, start, length=steps)[0], x[bits:])

    return jax.lax.map(member, jax.random.split(key, members), batch_size=8)
