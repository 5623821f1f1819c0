"""Baselines: popularity, PureSVD, and matrix factorisation, whose table of embeddings others build on."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32

from experiments.data.interactions import Table
from experiments.kits.recommendation.evaluation import Scores
from ntkexec.errors import ExperimentError

Vectors = tuple[Float[Array, "n d"], Float[Array, "m d"]]
"""Of users and of items; a score is a dot product."""


class MatrixFactorisation(nn.Module):
    """A vector for each user and item and nothing else.

    Args:
        num_users, num_items: rows of the only parameter, `embedding`, users first.
        width: of a vector.
        std: with which it begins, normal; 0.1 in LightGCN-PyTorch, 0.01 in the TensorFlow code.
    """

    num_users: int
    num_items: int
    width: int = 64
    std: float = 0.1

    @nn.compact
    def __call__(self) -> Vectors:
        shape = (self.num_users + self.num_items, self.width)
        table = self.param("embedding", nn.initializers.normal(self.std), shape, jnp.float32)
        return table[: self.num_users], table[self.num_users :]


def first_embedding(
    generator: np.random.Generator, num_users: int, num_items: int, width: int, *, std: float = 0.1
) -> Float32[np.ndarray, "v d"]:
    """The normal table with which `MatrixFactorisation` begins, drawn by NumPy."""
    return generator.normal(0, std, (num_users + num_items, width)).astype(np.float32)


def popularity(train: Table) -> Scores:
    """Each item's number of users, the same for everybody."""
    count = np.asarray(train.sum(axis=0), np.float32)
    return lambda users: np.tile(count, (len(users), 1))


def normalised_table(train: Table) -> Table:
    """D_u^-1/2 R D_i^-1/2 in double precision; a user or item without pairs keeps zeros."""
    from scipy import sparse

    scales = []
    for axis in (1, 0):
        degree = np.asarray(train.sum(axis=axis), np.float64)
        scales.append(np.divide(1, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0))
    made: Table = sparse.csr_array(
        sparse.diags_array(scales[0]) @ train.astype(np.float64) @ sparse.diags_array(scales[1])
    )
    return made


def pure_svd(
    train: Table, generator: np.random.Generator, *, rank: int = 64, normalised: bool = True
) -> tuple[Float32[np.ndarray, "n d"], Float32[np.ndarray, "m d"]]:
    """Vectors whose products are the table's best approximation of a rank.

    Args:
        train: who has what.
        generator: of the iteration's first vector.
        rank: below the number of users and of items.
        normalised: approximates D_u^-1/2 R D_i^-1/2 instead of R.

    Returns:
        U S of users and V of items. With the normalised table a user's scores are those of R D_i^-1/2
        up to a factor of the user's, which changes no ranking.

    Raises:
        ExperimentError: the rank is too large.

    Source: Cremonesi, Koren and Turrin, RecSys 2010.
    """
    from scipy.sparse.linalg import svds

    if not 0 < rank < min(train.shape):
        raise ExperimentError(f"a rank of {rank} is not between 0 and {min(train.shape)}")
    table = normalised_table(train) if normalised else train.astype(np.float64)
    left, values, right = svds(table, rank, v0=generator.normal(size=min(table.shape)))
    return (left * values).astype(np.float32), right.T.astype(np.float32)


def score(vectors: Vectors, users: Array, items: Array) -> Float[Array, " *b"]:
    """Dot products of users' rows with items' rows; inside compiled code."""
    return jnp.sum(vectors[0][users] * vectors[1][items], axis=-1)


def as_arrays(vectors: Vectors) -> tuple[np.ndarray, np.ndarray]:
    """Vectors fetched from the device."""
    users, items = jax.device_get(vectors)
    return np.asarray(users), np.asarray(items)
