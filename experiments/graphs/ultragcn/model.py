"""Two tables of embeddings, and the loss that takes the place of message passing."""

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from ntkexec.errors import ExperimentError

Scalar = Float[Array, ""]


class UltraGCN(nn.Module):
    """Scores of users for items: inner products of embeddings, and nothing else.

    Args:
        users, items: how many there are.
        dimension: of an embedding.
        std: standard deviation of the first embeddings.
    """

    users: int
    items: int
    dimension: int = 64
    std: float = 1e-4

    def setup(self) -> None:
        normal = nn.initializers.normal(self.std)
        self.user_embedding = self.param("users", normal, (self.users, self.dimension))
        self.item_embedding = self.param("items", normal, (self.items, self.dimension))

    def __call__(self, users: Int[Array, "..."], items: Int[Array, "..."]) -> Float[Array, "..."]:
        """Scores of pairs; both arguments are broadcast, so `(users[:, None], items)` ranks a list each."""
        return (self.user_embedding[users] * self.item_embedding[items]).sum(-1)


@dataclasses.dataclass(frozen=True)
class Settings:
    """The numbers of the loss and of its training; names of the public configuration in brackets.

    Args:
        plain, weighted: of a seen pair's weight `plain + weighted beta` (w1, w2).
        plain_negative, weighted_negative: of a drawn pair's (w3, w4).
        negatives: items drawn for each seen pair (negative_num).
        negative_weight: times their mean (negative_weight).
        item_weight: times the item-item term; the paper's gamma (lambda).
        decay: times half the squared embeddings, of all users and items at each step (gamma).
        rate, batch: of Adam, and seen pairs at a step.
        dimension, std: of the embeddings, and of their first values.
    """

    plain: float = 1e-6
    weighted: float = 1.0
    plain_negative: float = 1e-6
    weighted_negative: float = 1.0
    negatives: int = 50
    negative_weight: float = 10.0
    item_weight: float = 1.0
    decay: float = 1e-4
    rate: float = 5e-3
    batch: int = 1024
    dimension: int = 32
    std: float = 1e-2

    def __post_init__(self) -> None:
        low = {"negatives": 1, "batch": 1, "dimension": 1}
        for name, value in dataclasses.asdict(self).items():
            if not low.get(name, 0) <= value < float("inf"):
                raise ExperimentError(f"{name} must be {low.get(name, 0)} or more, got {value!r}")


RELEASED: Mapping[str, Settings] = MappingProxyType(
    {
        "gowalla": Settings(
            1e-6, 1.0, 1e-6, 1.0, 1500, 300.0, 5e-4, 1e-4, 1e-4, 512, dimension=64, std=1e-4
        ),
        "yelp2018": Settings(
            1e-8, 1.0, 1e-8, 1.0, 800, 300.0, 5e-4, 1e-4, 1e-3, 1024, dimension=64, std=1e-4
        ),
        "amazon-book": Settings(
            1e-8, 1.0, 1.0, 1e-8, 500, 500.0, 2.75, 1e-4, 1e-3, 1024, dimension=64, std=1e-4
        ),
        "amazon-cds": Settings(
            1e-7, 1.0, 1e-7, 1.0, 1000, 1000.0, 1.0, 1e-4, 1e-3, 1024, dimension=64, std=1e-4
        ),
    }
)
"""By data set, as the public code's configuration files have them."""


def constraint_loss(
    scores: Float[Array, "..."],
    weights: Float[Array, "..."],
    negative_scores: Float[Array, "..."],
    negative_weights: Float[Array, "..."],
) -> Scalar:
    """Weighted cross-entropy of seen pairs against drawn ones: layers' limit, as a loss.

    With beta for weights it is the paper's L_C, with 1 its main loss L_O, and with omega and no
    negatives its item-item loss L_I.

    Args:
        scores: of seen pairs.
        weights: theirs, beta_ui.
        negative_scores: of pairs that are not seen.
        negative_weights: theirs, beta_uj.

    Returns:
        `-sum weights log s(scores) - sum negative_weights log s(-negative_scores)`, s the logistic
        function.

    Source: Mao et al., arXiv:2110.15114, section 3.1.
    """
    seen = (weights * jax.nn.softplus(-scores)).sum()
    return seen + (negative_weights * jax.nn.softplus(negative_scores)).sum()


def batch_loss(
    model: UltraGCN,
    params: Mapping[str, Array],
    settings: Settings,
    beta: tuple[Float[Array, " n"], Float[Array, " m"]],
    neighbours: tuple[Int[Array, "m K"], Float[Array, "m K"]],
    users: Int[Array, " B"],
    items: Int[Array, " B"],
    negatives: Int[Array, "B M"],
) -> Scalar:
    """What the public code minimises at one step, written down as it is.

    `fitting.fit` takes the gradient of this in another way; here it is to be read and differentiated.

    Args:
        model, params: the tables.
        settings: of the loss.
        beta: factors of users and items, as `edge_weights` gives them.
        neighbours: ids and weights, as `cooccurrence` gives them.
        users, items: seen pairs.
        negatives: drawn items of each pair.

    Source: xue-pai/UltraGCN, main.py.
    """
    of_users, of_items = beta
    scores: Any = model.apply({"params": params}, users, items)
    drawn: Any = model.apply({"params": params}, users[:, None], negatives)
    near: Any = model.apply({"params": params}, users[:, None], neighbours[0][items])
    seen_beta, drawn_beta = (
        of_users[users] * of_items[items],
        of_users[users, None] * of_items[negatives],
    )
    mean = settings.negative_weight / negatives.shape[1]
    loss = constraint_loss(
        scores,
        settings.plain + settings.weighted * seen_beta,
        drawn,
        mean * (settings.plain_negative + settings.weighted_negative * drawn_beta),
    )
    none = jnp.zeros(0, scores.dtype)
    loss += settings.item_weight * constraint_loss(near, neighbours[1][items], none, none)
    squares = sum((table**2).sum() for table in params.values())
    return loss + settings.decay / 2 * squares
