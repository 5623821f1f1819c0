"""Where to begin: from tiny draws, most of a training is spent on finding that there is structure."""

import numpy as np
from jaxtyping import Float
from scipy import sparse

from experiments.graphs.ultragcn.factors import Factors


def spectral_start(
    made: Factors, dimension: int, generator: np.random.Generator, *, rounds: int = 4
) -> tuple[Float[np.ndarray, "n d"], Float[np.ndarray, "m d"]]:
    """Embeddings that minimise the loss to second order in the scores, if weights were of rank one.

    A pair of weights P as seen and N as unseen pulls its score towards 2 (P - N) / (P + N) with a
    curvature of (P + N) / 4. With N's sums for the curvature, the best scores of rank d are a
    truncated singular decomposition: of a sparse matrix and one of rank one.

    Args:
        made: the weights of all pairs.
        dimension: d.
        generator: of the range that is looked into first.
        rounds: of iterating it; the decomposition is randomised.

    Returns:
        Users' and items' embeddings; those of a user without items are 0.

    Source: ours; the decomposition is Halko, Martinsson and Tropp, SIAM Review 2011.
    """
    seen = made.seen.tocoo()
    rows, columns = seen.coords
    unseen = made.plain[rows] + made.weighted[rows] * made.items[columns]
    of_users = made.plain * len(made.items) + made.weighted * made.items.sum()
    of_items = made.plain.sum() + made.weighted.sum() * made.items
    left, right = np.sqrt(of_users), np.sqrt(of_items / of_items.sum())
    both = seen.data + unseen
    pulled = np.divide(4 * seen.data, both, out=np.zeros_like(both), where=both > 0)
    matrix = sparse.csr_array((left[rows] * pulled * right[columns], (rows, columns)), seen.shape)
    transposed = matrix.T.tocsr()

    def down(block: np.ndarray) -> np.ndarray:
        found: np.ndarray = matrix @ block - np.outer(2 * left, right @ block)
        return found

    def up(block: np.ndarray) -> np.ndarray:
        found: np.ndarray = transposed @ block - np.outer(2 * right, left @ block)
        return found

    width = min(dimension + 10, *seen.shape)
    basis = np.linalg.qr(down(generator.normal(size=(seen.shape[1], width))))[0]
    for _ in range(rounds):
        basis = np.linalg.qr(down(np.linalg.qr(up(basis))[0]))[0]
    inner, sizes, outer = np.linalg.svd(up(basis).T, full_matrices=False)
    root = np.sqrt(sizes[:dimension])
    users, items = (basis @ inner[:, :dimension]) * root, outer[:dimension].T * root
    found = [np.zeros((size, dimension), np.float32) for size in seen.shape]
    for table, part, scale in zip(found, (users, items), (left, right), strict=True):
        there = scale > 0
        table[there, : part.shape[1]] = part[there] / scale[there, None]
    return found[0], found[1]
