"""How sources are combined: ScaLearn's factors in four variants, and AdapterFusion's attention.

After every block with states h, adapters a_s and normalised states n(h):

    ScaLearn        h + sum_s w_s * a_s(n(h)),  w_s in R^d, or one number; one for each block, or for all
    AdapterFusion   h + sum_s softmax_s(q(h) . k(a_s)) v(a_s)

Source: Frohmann et al., ScaLearn, arXiv:2310.01217, section 3; Pfeiffer et al., arXiv:2005.00247.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from experiments.language.scalearn.bank import Arrays, adapted
from ntkexec.errors import ExperimentError

VARIANTS = {
    "ScaLearn": (False, False), "ScaLearnUniform": (False, True),
    "ScaLearn++": (True, False), "ScaLearnUniform++": (True, True),
}  # fmt: skip
"""Whether all blocks share their factors, and whether all dimensions do."""
CONSTRAINTS = ("none", "mean", "softmax")
"""The paper's, and of its ablations: divided by their sum over sources, or softmax over sources."""
EPSILON = 1e-6


class Ties(NamedTuple):
    """What of the factors is the same, and what binds them: 0 or 1, as data, so that all are one program."""

    shared: ArrayLike
    uniform: ArrayLike
    mean: ArrayLike = 0.0
    softmax: ArrayLike = 0.0


def tied(free: Float[Array, "L S D"], ties: Ties) -> Float[Array, "L S D"]:
    """Factors of every block, source and dimension; gradients of what is not used are exactly 0."""
    found = jnp.where(ties.shared, jnp.broadcast_to(free[:1], free.shape), free)
    found = jnp.where(ties.uniform, jnp.broadcast_to(found[..., :1], found.shape), found)
    total = found.sum(1, keepdims=True)
    # Not 0, also where it is not used, or the gradient is nan; dropout may leave no source at all.
    total = jnp.where(ties.mean, jnp.where(total == 0, 1.0, total), 1.0)
    return jnp.where(ties.softmax, jax.nn.softmax(found, 1), found / total)


@dataclasses.dataclass(frozen=True)
class ScaLearn:
    """Factors of the sources' adapters.

    Args:
        variant: of `VARIANTS`.
        constraint: of `CONSTRAINTS`.

    Raises:
        ExperimentError: names another variant or constraint.
    """

    variant: str = "ScaLearn"
    constraint: str = "none"

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS or self.constraint not in CONSTRAINTS:
            raise ExperimentError(
                f"there is no {self.variant!r} with constraint {self.constraint!r}, but "
                f"{', '.join(VARIANTS)} with {', '.join(CONSTRAINTS)}"
            )

    @property
    def ties(self) -> Ties:
        shared, uniform = VARIANTS[self.variant]
        bound = (self.constraint == "mean", self.constraint == "softmax")
        return Ties(*(np.float32(one) for one in (shared, uniform, *bound)))

    def sides(self, blocks: int, sources: int, width: int) -> tuple[int, int, int]:
        """Of the numbers that are learned."""
        shared, uniform = VARIANTS[self.variant]
        return (1 if shared else blocks, sources, 1 if uniform else width)

    def initial(
        self, generator: np.random.Generator, blocks: int, sources: int, width: int
    ) -> Float[np.ndarray, "l S d"]:
        """Normal around 2 / sources with deviation 0.001, the public code's "2-avg".

        Raises:
            ExperimentError: no block, source or width.
        """
        _refuse_sizes(blocks=blocks, sources=sources, width=width)
        drawn = generator.normal(2 / sources, 0.001, self.sides(blocks, sources, width))
        return drawn.astype(np.float32)

    def factors(
        self, learned: Float[ArrayLike, "l S d"], blocks: int, width: int
    ) -> Float[Array, "L S D"]:
        """Of every block, source and dimension.

        Raises:
            ExperimentError: as many numbers were learned as another variant or size has.
        """
        learned = jnp.asarray(learned)
        if learned.ndim != 3 or learned.shape != self.sides(blocks, learned.shape[1], width):
            raise ExperimentError(
                f"{self.variant} of {blocks} blocks of width {width} has no factors of shape "
                f"{learned.shape}"
            )
        whole = jnp.broadcast_to(learned, (blocks, learned.shape[1], width))
        return tied(whole, self.ties)


def scaled(hidden: Float[Array, "... D"], own: tuple[Arrays, Array]) -> Float[Array, "... D"]:
    """States of a block with the sum of all sources' adapters by their factors; `after` of `encode`.

    Args:
        hidden: states that the block has made.
        own: the block's part of a bank, and its factors (S, D).
    """
    arrays, factors = own
    return hidden + jnp.einsum("s...d,sd->...d", adapted(arrays, unit(hidden)), factors)


@dataclasses.dataclass(frozen=True)
class AdapterFusion:
    """The rival: attention of a block's states to the sources' adapters; 3 D^2 + 2 D numbers a block.

    Args:
        deviation: of queries and keys at the start.
    """

    deviation: float = 0.02

    def initial(self, generator: np.random.Generator, blocks: int, width: int) -> dict[str, Array]:
        """Values begin as the identity plus 1e-6 elsewhere, as in the public code.

        Raises:
            ExperimentError: no block or width.
        """
        _refuse_sizes(blocks=blocks, width=width)
        square = (blocks, width, width)
        value = np.where(np.eye(width, dtype=bool), 1.0, 1e-6)
        made = {
            "query": generator.normal(size=square) * self.deviation,
            "key": generator.normal(size=square) * self.deviation,
            "value": np.broadcast_to(value, square),
            "query_bias": np.zeros((blocks, width)), "key_bias": np.zeros((blocks, width)),
        }  # fmt: skip
        return {name: np.array(one, np.float32) for name, one in made.items()}  # type: ignore[misc]


def attended(hidden: Float[Array, "... D"], own: tuple[Arrays, Arrays]) -> Float[Array, "... D"]:
    """States of a block with AdapterFusion's mixture of the sources; `after` of `encode`.

    Args:
        hidden: states that the block has made.
        own: the block's part of a bank, and of `AdapterFusion.initial`.
    """
    arrays, learned = own
    found = adapted(arrays, unit(hidden))
    axes = range(hidden.ndim - 1)
    query = unit(hidden) @ learned["query"] + jnp.expand_dims(learned["query_bias"], axes)
    keys = found @ learned["key"] + jnp.expand_dims(learned["key_bias"], (*axes, found.ndim - 2))
    weights = jax.nn.softmax(jnp.einsum("...d,s...d->s...", query, keys), 0)
    return hidden + jnp.einsum("s...,s...d->...d", weights, found @ learned["value"])


def unit(hidden: Float[Array, "... D"]) -> Float[Array, "... D"]:
    """States by the root of their mean square: what adapters read, as BERT's reads what is normalised."""
    return hidden * jax.lax.rsqrt(jnp.square(hidden).mean(-1, keepdims=True) + EPSILON)


def num_learned(variant: str, *, blocks: int, sources: int, width: int) -> int:
    """Numbers that a target task learns beside its head, by the closed forms.

    Args:
        variant: of `VARIANTS`, or "AdapterFusion".
        blocks, sources, width: of the bank.

    Raises:
        ExperimentError: names another variant, or a size below 1.
    """
    _refuse_sizes(blocks=blocks, sources=sources, width=width)
    if variant == "AdapterFusion":
        return blocks * (3 * width**2 + 2 * width)
    return int(np.prod(ScaLearn(variant).sides(blocks, sources, width)))


def _refuse_sizes(**sizes: int) -> None:
    for name, size in sizes.items():
        if size < 1:
            raise ExperimentError(f"{name} are 1 or more, not {size}")
