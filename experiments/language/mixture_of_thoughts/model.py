"""The mixture: frozen experts side by side, cut into stacks, with an interaction layer between stacks."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.initialisation import FLAX, initial_by_numpy, zeros
from experiments.language.mixture_of_thoughts.experts import Expert, as_pytrees
from experiments.language.mixture_of_thoughts.interaction import (
    InteractionLayer,
    Mask,
    refuse_unknown,
)
from experiments.language.mixture_of_thoughts.router import Route
from ntkexec.errors import ExperimentError


class MixtureOfThoughts(nn.Module):
    """Logits of every text's primary expert, which hears its active peers between stacks of blocks.

    Experts are arguments, not parameters: nothing of them is trained. The router is a module of its own,
    since it reads a prompt once.

    Args:
        stacks: Q; an expert of L blocks is cut into stacks of ceil(L / Q), and there are Q - 1 interaction
            layers.
        shared, heads, mask: of those.

    Raises:
        ExperimentError: names a mask that there is not, a width that heads do not divide, or experts, tokens,
            masks and route that do not fit each other.

    Source: Fein-Ashley et al., arXiv:2509.21164, section 3; reconstructed, see the port's page.
    """

    stacks: int = 4
    shared: int = 768
    heads: int = 8
    mask: Mask = "causal"

    def __post_init__(self) -> None:
        # One stack has no layer that would refuse them.
        refuse_unknown(self.shared, self.heads, self.mask)
        super().__post_init__()

    @nn.compact
    def __call__(
        self,
        experts: Sequence[Expert],
        streams: Sequence[Int[Array, "B T"]],
        route: Route,
        real: Sequence[Bool[Array, "B T"]] | None = None,
        gated: float | Float[Array, ""] = 1.0,
        frozen: bool = True,
    ) -> Float[Array, "B T V"]:
        """See the class.

        Args:
            experts: of any widths and numbers of blocks, and of one vocabulary.
            streams: what every expert reads: the same tokens for all, unless peers are to be swapped.
            route: who takes part; see `router.choose`.
            real: which tokens are no padding; by default all.
            gated: see `InteractionLayer`.
            frozen: whether no gradient reaches the experts' parameters.
        """
        if len(streams) != len(experts) or route.active.shape[1] != len(experts):
            raise ExperimentError(
                f"{len(experts)} experts got {len(streams)} streams of tokens and a route among "
                f"{route.active.shape[1]}"
            )
        shapes = [jnp.shape(one) for one in (*streams, *(streams if real is None else real))]
        if len(set(shapes)) > 1 or len(shapes) != 2 * len(experts) or len(shapes[0]) != 2:
            raise ExperimentError(
                f"tokens and masks of shapes {shapes} are not of as many texts and places for each of "
                f"{len(experts)} experts"
            )
        if route.active.shape[0] != shapes[0][0]:
            raise ExperimentError(f"a route of {route.active.shape[0]} texts for {shapes[0][0]}")
        experts = as_pytrees(experts)
        if frozen:
            experts = jax.lax.stop_gradient(experts)
        ends = [ends_of(expert.blocks, self.stacks) for expert in experts]
        known = [jnp.ones(s.shape, bool) for s in streams] if real is None else list(real)
        hidden = [expert.embed(tokens) for expert, tokens in zip(experts, streams, strict=True)]
        for stack in range(self.stacks):
            hidden = [
                expert.run(states, end[stack], end[stack + 1], sees)
                for expert, states, end, sees in zip(experts, hidden, ends, known, strict=True)
            ]
            if stack < self.stacks - 1:
                layer = InteractionLayer(
                    self.shared, self.heads, self.mask, name=f"interaction_{stack}"
                )
                hidden = layer(hidden, route, known, gated)
        heads = [expert.head(states) for expert, states in zip(experts, hidden, strict=True)]
        found = heads[0]
        for m, scores in enumerate(heads[1:], 1):
            found = jnp.where((route.primary == m)[:, None, None], scores, found)
        return found


def ends_of(blocks: int, stacks: int) -> tuple[int, ...]:
    """Blocks before every stack and after the last: stacks of ceil(blocks / stacks), the last the smallest.

    Raises:
        ExperimentError: a stack would be empty.
    """
    size = -(-blocks // max(stacks, 1))
    if stacks < 1 or size * (stacks - 1) >= blocks:
        raise ExperimentError(f"{blocks} blocks cannot be cut into {stacks} stacks of {size}")
    return (*(size * stack for stack in range(stacks)), blocks)


def initial_mixture(
    model: MixtureOfThoughts, generator: np.random.Generator, experts: Sequence[Expert]
) -> Any:
    """Parameters of the interaction layers, drawn by NumPy; what leads back to the experts is zero."""
    tokens = [np.zeros((1, 2), np.int32)] * len(experts)
    active = np.ones((1, len(experts)), bool)
    route = Route(np.zeros(1, np.int32), active, active / np.float32(len(experts)))  # type: ignore[arg-type]
    rules = {**FLAX, **{f"back_{m}/kernel": zeros for m in range(len(experts))}}
    return initial_by_numpy(model, generator, as_pytrees(experts), tokens, route, rules=rules)[
        "params"
    ]


def part_of(params: Any, members: Sequence[int]) -> Any:
    """Parameters for some of the experts in some order: with them those that take no part need not run.

    Args:
        params: of the interaction layers for all experts.
        members: numbers of the experts, in the order in which they are given from now on.
    """

    def kept(layer: Any) -> Any:
        own = {name: leaf for name, leaf in layer.items() if not name.rpartition("_")[2].isdigit()}
        for kind in ("into", "norm", "inner", "outer", "back"):
            own |= {f"{kind}_{new}": layer[f"{kind}_{old}"] for new, old in enumerate(members)}
        return own

    return {name: kept(layer) for name, layer in params.items()}


def num_trainable(widths: Sequence[int], *, stacks: int, shared: int) -> int:
    """Numbers in the interaction layers, in closed form.

    Of each layer: four maps of the shared space with biases and a norm; of each expert a norm, a map into the
    space and one back, and an MLP of two layers.
    """
    space = 4 * (shared**2 + shared) + 2 * shared
    own = sum(2 * width + 2 * width * shared + 2 * (shared**2 + shared) for width in widths)
    return (stacks - 1) * (space + own)
