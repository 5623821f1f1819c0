"""What a mixture asks of an expert, and the kit's decoders as such."""

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.transformer import decoder
from experiments.kits.transformer.decoder import Params, Shape
from ntkexec.errors import ExperimentError


class Expert(Protocol):
    """A decoder whose blocks can be run a few at a time.

    Any object with these attributes will do, such as one that wraps a pretrained model. One that is a pytree,
    as by `jax.tree_util.register_dataclass`, has its arrays as data of compiled programs, and can be given to
    a `jax.jit` of your own. The arrays of a plain object are constants of them: see `as_pytrees`;
    they must be JAX's, since NumPy's cannot be indexed by the tokens of such a program.

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


@jax.tree_util.register_static
class _Plain:
    """An expert that is no pytree, the same one as long as it is the same object."""

    def __init__(self, expert: Expert) -> None:
        self.expert = expert

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Plain) and other.expert is self.expert

    def __hash__(self) -> int:
        return id(self.expert)

    def __getattr__(self, name: str) -> Any:
        if name == "expert":  # of a copy that has nothing yet
            raise AttributeError(name)
        return getattr(self.expert, name)


def as_pytrees(experts: Sequence[Expert]) -> list[Any]:
    """The experts, those that are no pytrees as such without leaves: their arrays are constants of programs.

    Compiled programs are kept for every such object, with what it held when it was seen first: make another
    one where arrays change, and a pytree where they are large.

    Raises:
        ExperimentError: names what an expert has not.
    """
    wanted = ("width", "blocks", "embed", "run", "head")
    for number, one in enumerate(experts):
        absent = [name for name in wanted if not hasattr(one, name)]
        if absent:
            raise ExperimentError(
                f"expert {number}, a {type(one).__name__}, has no {', '.join(absent)}: an expert has "
                f"{', '.join(wanted)}"
            )
    return [_Plain(one) if jax.tree_util.all_leaves([one]) else one for one in experts]


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
