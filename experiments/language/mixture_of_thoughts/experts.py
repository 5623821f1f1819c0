"""What a mixture asks of an expert, and the kit's decoders as such."""

import dataclasses
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.transformer import decoder
from experiments.kits.transformer.decoder import Params, Shape


class Expert(Protocol):
    """A decoder whose blocks can be run a few at a time; a pytree, so that its arrays are data.

    Any object with these attributes will do, such as one that wraps a pretrained model.

    Args:
        width: of a token's state, d.
        blocks: that there are.
    """

    @property
    def width(self) -> int: ...

    @property
    def blocks(self) -> int: ...

    def embed(self, tokens: Int[Array, "B T"]) -> Float[Array, "B T d"]:
        """States before the first block."""

    def run(
        self, hidden: Float[Array, "B T d"], first: int, last: int, real: Bool[Array, "B T"]
    ) -> Float[Array, "B T d"]:
        """States after blocks `first` to `last - 1`, in which tokens see real ones up to themselves."""

    def head(self, hidden: Float[Array, "B T d"]) -> Float[Array, "B T V"]:
        """Scores of the next token after the last block; all experts have one vocabulary."""


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class DecoderExpert:
    """A decoder of `experiments.kits.transformer` as an expert.

    Args:
        params: see `decoder.initial`.
        shape: of the decoder.
        adapters: see `lora`, or none.
    """

    params: Params
    shape: Shape = dataclasses.field(metadata={"static": True})
    adapters: Any = None

    @property
    def width(self) -> int:
        return self.shape.width

    @property
    def blocks(self) -> int:
        return self.shape.blocks

    def embed(self, tokens: Int[Array, "B T"]) -> Float[Array, "B T d"]:
        return self.params["embedding"][tokens]

    def run(
        self, hidden: Float[Array, "B T d"], first: int, last: int, real: Bool[Array, "B T"]
    ) -> Float[Array, "B T d"]:
        batch, length = hidden.shape[:2]
        place = jnp.broadcast_to(jnp.arange(length)[None], (batch, length))
        sees = (place[:, :, None] >= place[:, None, :]) & real[:, None, :]

        def step(hidden: Array, parts: Any) -> tuple[Array, None]:
            block, own = parts
            keys, values = decoder.keys_and_values(block, self.shape, hidden, place, own)
            after = decoder.block_of(block, self.shape, hidden, place, keys, values, sees, own)
            return after, None

        blocks, adapters = jax.tree.map(
            lambda x: x[first:last], (self.params["blocks"], self.adapters)
        )
        return decoder.along(step, hidden, blocks, adapters, None)[0]

    def head(self, hidden: Float[Array, "B T d"]) -> Float[Array, "B T V"]:
        return decoder.logits(self.params, self.shape, hidden)
