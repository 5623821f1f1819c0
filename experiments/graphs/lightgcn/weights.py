"""Weights of layers that make LightGCN another method, and the filter that two layers are."""

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float64

from experiments.kits.recommendation.models import normalised_table

if TYPE_CHECKING:
    from experiments.data.interactions import Table


def uniform_weights(layers: int) -> Float64[np.ndarray, " k"]:
    """1 / (layers + 1) each: the paper's."""
    return np.full(layers + 1, 1 / (layers + 1))


def binomial_weights(layers: int) -> Float64[np.ndarray, " k"]:
    """C(layers, k): with them sum_k alpha_k A^k is (A + I)^layers, an SGCN that has self-loops.

    Source: He et al., arXiv:2002.02126, section 3.3.1.
    """
    return np.array([float(math.comb(layers, k)) for k in range(layers + 1)])


def appnp_weights(layers: int, *, teleport: float) -> Float64[np.ndarray, " k"]:
    """With them sum_k alpha_k A^k E_0 is what `layers` steps of Z <- t E_0 + (1 - t) A Z lead to.

    Source: He et al., section 3.3.2; Klicpera et al., APPNP, ICLR 2019, arXiv:1810.05997.
    """
    kept = (1 - teleport) ** np.arange(layers + 1)
    return np.append(teleport * kept[:-1], kept[-1])


def similar_users(train: "Table") -> Any:
    """(n, n) CSR: how much a user receives from each other one, and itself, over two hops.

    c_uv = sum over common items i of 1 / d_i, over sqrt(d_u d_v).

    Source: He et al., section 3.3.3, equation 14.
    """
    from scipy import sparse

    degrees = np.asarray(train.sum(axis=0), np.float64)
    popularity = np.divide(1, degrees, out=np.zeros_like(degrees), where=degrees > 0)
    own = np.asarray(train.sum(axis=1), np.float64)
    scale = sparse.diags_array(np.divide(1, np.sqrt(own), out=np.zeros_like(own), where=own > 0))
    table = train.astype(np.float64)
    return sparse.csr_array(scale @ table @ sparse.diags_array(popularity) @ table.T @ scale)


def joined(train: "Table") -> Any:
    """The symmetric operator A of all users and items together, users first, as a CSR of doubles."""
    from scipy import sparse

    table = normalised_table(train)
    return sparse.csr_array(sparse.block_array([[None, table], [table.T, None]]))
