"""The interaction layer: the primary attends to what all active experts think, in a space they share."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from experiments.language.mixture_of_thoughts.router import Route
from ntkexec.errors import ExperimentError

Mask = Literal["causal", "padding"]


class InteractionLayer(nn.Module):
    """States of all experts, the primary's changed by all active ones, the others' by their own.

    With u_m = P_m LN(h_m) in the shared space, the primary gets R LN(W_O C + u), where C is attention from
    its u to the u of all active experts, whose tokens it sees up to its own. An active peer gets
    R_m MLP_m(u_m), and what is not active stays as it was. R begins as zero: a fresh layer changes nothing.

    The router is reached in two ways: log(p_m / sum of the active p) is added to the attention's scores of
    expert m, and the primary's change is multiplied by p / stop_gradient(p), which is 1.

    Args:
        shared: width of the shared space, a multiple of `heads`.
        heads: of the attention.
        mask: "causal"; or "padding", which hides nothing but padding, as a third party's re-implementation
            does, and so leaks what comes later.

    Raises:
        ExperimentError: names a mask that there is not, a width that heads do not divide, or states of shapes
            that do not fit each other.

    Source: arXiv:2509.21164, section 3; the zero start and both ways to the router are reconstructed.
    """

    shared: int = 768
    heads: int = 8
    mask: Mask = "causal"

    def __post_init__(self) -> None:
        refuse_unknown(self.shared, self.heads, self.mask)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        hidden: Sequence[Float[Array, "B T d_m"]],
        route: Route,
        real: Sequence[Bool[Array, "B T"]],
        gated: float | Float[Array, ""] = 1.0,
    ) -> list[Float[Array, "B T d_m"]]:
        """See the class.

        Args:
            hidden: states of every expert.
            route: who takes part.
            real: which tokens of every expert are no padding.
            gated: 1 for the ways to the router, 0 without them; a number, so that it can be data.
        """
        shapes = [states.shape for states in hidden]
        masks, members = [jnp.shape(one) for one in real], route.active.shape
        both = {shape[:2] for shape in (*shapes, *masks)}
        if (
            {len(shapes), len(masks)} != {members[1]}
            or {one[:1] for one in both} != {members[:1]}
            or len(both) > 1
        ):
            raise ExperimentError(
                f"states of shapes {shapes}, masks of {masks} and a route of {members} (texts, experts) do "
                "not fit: all experts have as many texts and tokens"
            )
        thoughts = [
            nn.Dense(self.shared, use_bias=False, name=f"into_{m}")(_norm(f"norm_{m}")(states))
            for m, states in enumerate(hidden)
        ]
        rows = jnp.arange(len(route.primary))
        stacked = jnp.stack(thoughts, 1)
        own = stacked[rows, route.primary]
        mixed = self._attended(own, stacked, self._bias(route, jnp.stack(real, 1), gated))
        update = _norm("norm")(nn.Dense(self.shared, name="output")(mixed) + own)
        chance = route.probabilities[rows, route.primary]
        through = 1 + gated * (chance / jax.lax.stop_gradient(chance) - 1)
        update = update * through[:, None, None]
        found = []
        for m, states in enumerate(hidden):
            inner = nn.gelu(nn.Dense(self.shared, name=f"inner_{m}")(thoughts[m]))
            alone = nn.Dense(self.shared, name=f"outer_{m}")(inner)
            is_primary, takes = route.primary == m, route.active[:, m]
            added = jnp.where(takes[:, None, None], alone, 0)
            added = jnp.where(is_primary[:, None, None], update, added)
            back: Any = nn.Dense(
                states.shape[-1], use_bias=False, kernel_init=nn.initializers.zeros, name=f"back_{m}"
            )  # fmt: skip
            found.append(states + back(added))
        return found

    def _bias(self, route: Route, real: Bool[Array, "B M T"], gated: Any) -> Array:
        """Added to scores, (B, M, queries, T): minus infinity where a key is hidden."""
        chances = jnp.where(route.active, route.probabilities, 0)
        shares = chances / chances.sum(1, keepdims=True)
        length = real.shape[-1]
        sees = (real & route.active[:, :, None])[:, :, None]
        if self.mask == "causal":
            place = jnp.arange(length)
            sees = sees & (place[:, None] >= place[None])[None, None]
        weights = gated * jnp.log(jnp.maximum(jnp.where(route.active, shares, 1), 1e-30))
        return jnp.where(sees, weights[:, :, None, None], -jnp.inf)

    def _attended(
        self,
        own: Float[Array, "B T s"],
        thoughts: Float[Array, "B M S s"],
        bias: Float[Array, "B M #T S"],
    ) -> Float[Array, "B T s"]:
        batch, length = own.shape[:2]
        wide = (batch, -1, self.heads, self.shared // self.heads)
        every = thoughts.reshape(batch, -1, self.shared)
        queries, keys, values = (
            nn.Dense(self.shared, name=name)(states).reshape(wide)
            for name, states in (("query", own), ("key", every), ("value", every))
        )
        scores = jnp.einsum("bthd,bshd->bhts", queries, keys) * wide[-1] ** -0.5
        flat = jnp.broadcast_to(bias, (*bias.shape[:2], length, bias.shape[-1]))
        scores = scores + flat.transpose(0, 2, 1, 3).reshape(batch, 1, length, -1)
        # A token that sees nothing, which only padding can be, gets zeros instead of nan.
        top = jax.lax.stop_gradient(scores.max(-1, keepdims=True))
        weights = jnp.exp(scores - jnp.where(jnp.isfinite(top), top, 0))
        weights = weights / jnp.maximum(weights.sum(-1, keepdims=True), 1e-30)
        return jnp.einsum("bhts,bshd->bthd", weights, values).reshape(batch, length, self.shared)


def refuse_unknown(shared: int, heads: int, mask: str) -> None:
    """Refuses a mask that there is not, and a shared space that heads cannot part.

    Raises:
        ExperimentError: names it.
    """
    if mask not in get_args(Mask):
        raise ExperimentError(f"no mask is called {mask!r}: there are {', '.join(get_args(Mask))}")
    if shared < 1 or heads < 1 or shared % heads:
        raise ExperimentError(f"a shared space of {shared} cannot be parted among {heads} heads")


def _norm(name: str) -> nn.LayerNorm:
    return nn.LayerNorm(epsilon=1e-5, name=name)
