"""UltraGCN in closed form: in the mean over drawn negatives it is a weighted logistic factorisation."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from scipy import sparse

from experiments.graphs.ultragcn.model import Settings
from experiments.graphs.ultragcn.weights import Neighbours, degrees, edge_weights


class Factors(NamedTuple):
    """The closed form of the loss, summed over an epoch and over what can be drawn.

    `sum_uj seen_uj softplus(-s_uj) + (plain_u + weighted_u items_j) softplus(s_uj)`, without decay.

    Args:
        edges: (n, m), weights of seen pairs.
        near: (n, m), weights by which items beside seen ones count as seen.
        plain, weighted: of users, and `items`: of items, factors of what every pair weighs as unseen.
    """

    edges: sparse.csr_array
    near: sparse.csr_array
    plain: Float[np.ndarray, " n"]
    weighted: Float[np.ndarray, " n"]
    items: Float[np.ndarray, " m"]

    @property
    def seen(self) -> sparse.csr_array:
        """What every pair weighs as seen."""
        return self.edges + self.near


def whole_factors(train: sparse.csr_array, settings: Settings, neighbours: Neighbours) -> Factors:
    """What the loss is in the mean over drawn negatives, over one epoch: a weighted factorisation.

    Args:
        train: (n, m), 1 where a user has an item.
        settings: of the loss; the number of negatives has no effect.
        neighbours: of items.

    Returns:
        The weights of every pair. Without the item-item term and with `plain` weights of 0, beta_ui is a
        factor of both of a pair's weights: it says how much a pair counts, not where its score shall be.
    """
    beta, (of_users, _) = edge_weights(train), degrees(train)
    rows, columns = train.nonzero()
    values = settings.plain + settings.weighted * beta.of(rows, columns)
    mean = settings.negative_weight * of_users / train.shape[1]
    return Factors(
        edges=sparse.csr_array((values, (rows, columns)), train.shape),
        near=settings.item_weight * (train.astype(np.float64) @ neighbours.matrix()),
        plain=mean * settings.plain_negative,
        weighted=mean * settings.weighted_negative * beta.users,
        items=beta.items,
    )
