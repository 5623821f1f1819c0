"""The random numbers of many networks at once: those that `jax.random` and Flax draw one by one.

Half of the time that XLA takes to compile the training of a network goes into its random numbers:
a key is folded four times, and two arrays are drawn. Here keys are folded in NumPy, which
compiles nothing, and one array holds the rows of all that is drawn.
"""

import hashlib
from typing import Any

import jax
import jax.extend.random
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, UInt32

ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
PARITY = np.uint32(0x1BD11BDA)


def threefry(
    key: UInt32[np.ndarray, "*k 2"], count: UInt32[np.ndarray, "*k 2"]
) -> UInt32[np.ndarray, "*k 2"]:
    """The Threefry-2x32 hash, of 20 rounds.

    Source: Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
    """
    first, second = key[..., 0], key[..., 1]
    keys = (first, second, first ^ second ^ PARITY)
    # Sums are meant modulo 2^32; of single numbers NumPy would complain.
    with np.errstate(over="ignore"):
        x, y = count[..., 0] + first, count[..., 1] + second
        for block in range(5):
            for rotation in ROTATIONS[block % 2]:
                x = x + y
                y = x ^ (y << np.uint32(rotation) | y >> np.uint32(32 - rotation))
            x = x + keys[(block + 1) % 3]
            y = y + keys[(block + 2) % 3] + np.uint32(block + 1)
    return np.stack([x, y], axis=-1)


def fold_in(
    key: UInt32[np.ndarray, "*k 2"], data: UInt32[np.ndarray, "*k"] | int
) -> UInt32[np.ndarray, "*k 2"]:
    """The data of `jax.random.fold_in(key, data)`, for many keys, or data, at once."""
    low = np.asarray(data, np.uint32)
    shape = (*np.broadcast_shapes(key.shape[:-1], low.shape), 2)
    count = np.stack([np.zeros_like(low), low], axis=-1)
    return threefry(np.broadcast_to(key, shape), np.broadcast_to(count, shape))


def _number_of(parameter: int) -> int:
    """What Flax folds into a module's key for its first, second, ... parameter."""
    digest = hashlib.sha1(parameter.to_bytes(1, "big"), usedforsecurity=False).digest()
    return int.from_bytes(digest[:4], "big")


# In the order in which `TwoLayerNetwork` draws them.
HIDDEN, OUTPUT = _number_of(1), _number_of(2)


def are_those_of_jax() -> bool:
    """Whether JAX draws like this: settings of the process can ask it for other random numbers."""
    config: Any = jax.config
    usual = config.jax_default_prng_impl == "threefry2x32"
    return usual and bool(config.jax_threefry_partitionable)


def network_keys(
    seed: int, member: UInt32[np.ndarray, "k"], component: UInt32[np.ndarray, "k"]
) -> UInt32[np.ndarray, "k 2 2"]:
    """Keys of the hidden weights and of the output weights of networks.

    Args:
        seed: of the ensemble.
        member: of every network, which member it is of.
        component: of every network, what it learns.
    """
    of_member = fold_in(np.array([0, seed], np.uint32), member)
    of_network = fold_in(of_member, component)
    return np.stack([fold_in(of_network, HIDDEN), fold_in(of_network, OUTPUT)], axis=1)


def normal(
    keys: UInt32[Array, "r 2"], first: UInt32[Array, "r"], size: int
) -> Float32[Array, "r {size}"]:
    """Rows of standard normal numbers, each a stretch of what `jax.random.normal` draws for a key.

    Args:
        keys: of every row.
        first: number of the row's first entry in the array, laid out flat, that the key draws.
        size: entries of a row.
    """
    low = first[:, None] + jnp.arange(size, dtype=jnp.uint32)[None]
    one, other = (jnp.broadcast_to(keys[:, i : i + 1], low.shape) for i in (0, 1))
    bits = jax.extend.random.threefry2x32_p.bind(one, other, jnp.zeros_like(low), low)
    mantissa = jax.lax.shift_right_logical(bits[0] ^ bits[1], jnp.uint32(9))
    unit = jax.lax.bitcast_convert_type(mantissa | jnp.uint32(0x3F800000), jnp.float32) - 1
    least = np.nextafter(np.float32(-1), np.float32(0))
    uniform = jnp.maximum(least, unit * (np.float32(1) - least) + least)
    return np.sqrt(np.float32(2)) * jax.lax.erf_inv(uniform)
