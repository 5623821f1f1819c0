"""What parallel tuning is compared with: a ladder beside the backbone, and adapters and LoRA within it."""

from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from experiments.kits.transformer.decoder import (
    Params,
    Shape,
    block_of,
    keys_and_values,
)

TEMPERATURE = 0.1
"""By which a gate's number is divided before the sigmoid, as in ladder side tuning's code."""


class LadderTuning(nn.Module):
    """Ladder side tuning: a narrow network whose layers run one after the other, each fed by the backbone's.

    A gate mixes what the ladder carries with the projection of a layer's states; a narrow block of
    attention and MLP follows.

    Attributes:
        outputs: numbers for each place.
        reduction: how many times narrower than the last layer's states the ladder is.

    Source: Sung et al., LST, arXiv:2206.06522, section 3; in which side blocks begin as pruned ones of the
        backbone, here drawn.
    """

    outputs: int
    reduction: int = 2

    @nn.compact
    def __call__(
        self, states: Sequence[Float[Array, "B T d"]], real: Bool[Array, "B T"] | None = None
    ) -> Float[Array, "B T o"]:
        """As `ParallelTuning`'s."""
        states = [jax.lax.stop_gradient(one) for one in states]
        kind, width = states[-1].dtype, states[-1].shape[-1] // self.reduction
        real = jnp.ones(states[-1].shape[:2], bool) if real is None else real
        carried = jnp.zeros((*states[-1].shape[:2], width), kind)
        for number, one in enumerate(states):
            fed = nn.Dense(width, name=f"down_{number}", param_dtype=kind)(one)
            fed = nn.LayerNorm(name=f"norm_{number}", param_dtype=kind)(fed)
            gate = self.param(f"gate_{number}", nn.initializers.zeros, (1,), kind)
            share = jax.nn.sigmoid(gate / TEMPERATURE)[None, None]
            carried = share * carried + (1 - share) * fed
            carried = _side_block(carried, real, number)
        last = nn.LayerNorm(name="last_norm", param_dtype=kind)(carried)
        return nn.Dense(self.outputs, name="up", param_dtype=kind)(last)


def _side_block(carried: Array, real: Array, number: int) -> Array:
    """Attention with one head, and an MLP twice as wide; to be called within a module's own call."""
    width, kind = carried.shape[-1], carried.dtype
    normed = nn.LayerNorm(name=f"attention_norm_{number}", param_dtype=kind)(carried)
    dense = nn.Dense(3 * width, name=f"attention_{number}", param_dtype=kind)
    query, key, value = jnp.split(dense(normed), 3, -1)
    scores = jnp.einsum("btw,bsw->bts", query, key) * width**-0.5
    weights = jax.nn.softmax(jnp.where(real[:, None], scores, -1e9), -1)
    carried = carried + nn.Dense(width, name=f"output_{number}", param_dtype=kind)(weights @ value)
    normed = nn.LayerNorm(name=f"mlp_norm_{number}", param_dtype=kind)(carried)
    wide = nn.gelu(nn.Dense(2 * width, name=f"wide_{number}", param_dtype=kind)(normed))
    return carried + nn.Dense(width, name=f"narrow_{number}", param_dtype=kind)(wide)


def unrolled(params: Params) -> dict[str, Any]:
    """A decoder's parameters with a dictionary for each block, not stacked."""
    blocks = params["blocks"]
    number = len(next(iter(blocks.values())))
    each = [{name: leaf[place] for name, leaf in blocks.items()} for place in range(number)]
    return {**params, "blocks": each}


def inner_states(
    params: dict[str, Any],
    shape: Shape,
    tokens: Int[ArrayLike, "B T"],
    *,
    lora: Any = None,
    adapters: Any = None,
) -> list[Float[Array, "B T D"]]:
    """States before the first block and after each, by a loop that XLA sees block by block.

    What `decoder.run` computes; but of a scan XLA counts one pass through the body.

    Args:
        params: see `unrolled`.
        shape: of the decoder.
        tokens: of whole texts.
        lora: for each block, adapters of its matrices.
        adapters: for each block a bottleneck after it, see `initial_adapters`.
    """
    tokens = jnp.asarray(tokens)
    hidden = params["embedding"][tokens]
    place = jnp.broadcast_to(jnp.arange(tokens.shape[1])[None], tokens.shape)
    sees = place[:, :, None] >= place[:, None, :]
    found = [hidden]
    for number, block in enumerate(params["blocks"]):
        own = None if lora is None else lora[number]
        keys, values = keys_and_values(block, shape, hidden, place, own)
        hidden = block_of(block, shape, hidden, place, keys, values, sees, own)
        if adapters is not None:
            inside = jax.nn.relu(hidden @ adapters[number]["down"])
            hidden = hidden + inside @ adapters[number]["up"]
        found.append(hidden)
    return found


def initial_adapters(
    shape: Shape, generator: np.random.Generator, bottleneck: int
) -> list[dict[str, np.ndarray]]:
    """A bottleneck after each block that changes nothing yet.

    Source: Houlsby et al., arXiv:1902.00751; one a block, as in Pfeiffer et al., arXiv:2005.00247.
    """
    sides = (shape.width, bottleneck)
    return [
        {
            "down": (generator.normal(size=sides) * shape.width**-0.5).astype(np.float32),
            "up": np.zeros(sides[::-1], np.float32),
        }
        for _ in range(shape.blocks)
    ]
