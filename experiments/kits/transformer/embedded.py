"""A decoder that reads vectors instead of tokens: whatever was encoded to its width, of any origin.

```python
import numpy as np
from experiments.kits.transformer.decoder import Shape, initial
from experiments.kits.transformer.embedded import first_blocks, run_embedded

generator = np.random.default_rng(0)
shape = Shape(blocks=4, width=16, heads=2, key_heads=1, hidden=32, vocabulary=20)
params, shape = first_blocks(initial(shape, generator), shape, 2)  # half of it
states = run_embedded(params, shape, generator.normal(size=(3, 5, 16)).astype(np.float32))
print(states.shape)  # (3, 5, 16)
```
"""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from experiments.kits.transformer.decoder import (
    Params,
    Shape,
    along,
    block_of,
    keys_and_values,
    normalised,
    refuse_misfits,
)
from ntkexec.errors import ExperimentError


def run_embedded(
    params: Params,
    shape: Shape,
    embedded: Float[ArrayLike, "B T D"],
    *,
    real: Bool[ArrayLike, "B T"] | None = None,
    sees: Bool[ArrayLike, "B T T"] | None = None,
    adapters: Any = None,
    checkpoint: bool = False,
) -> Float[Array, "B T D"]:
    """States after the final norm; each vector sees itself and those before it.

    Rotary places are relative, so a text may be filled up on the left as well as on the right.

    Args:
        params, shape: of the decoder; its table of tokens is not used.
        embedded: what stands in the tokens' places.
        real: which are no padding and may be seen; by default all. Padding is read as zeros, so it may
            hold anything, also what is no number.
        sees: which may see which, (reader, read), besides; by default all that came before.
        adapters: see `lora`.
        checkpoint: whether states within blocks are computed again for gradients, not kept.

    Raises:
        ExperimentError: vectors of another width; and see `decoder.refuse_misfits`.
    """
    refuse_misfits(params, shape, np.zeros((1, 1), np.int32), None, adapters)
    hidden = jnp.asarray(embedded)
    if hidden.ndim != 3 or hidden.shape[-1] != shape.width:
        raise ExperimentError(
            f"vectors are (texts, places, {shape.width}) for this decoder, not {hidden.shape}"
        )
    place = jnp.broadcast_to(jnp.arange(hidden.shape[1])[None], hidden.shape[:2])
    allowed = place[:, :, None] >= place[:, None, :]
    if real is not None:
        # Attention's weight of 0 times what is no number is none either.
        hidden = jnp.where(jnp.asarray(real, bool)[..., None], hidden, 0)
        allowed = allowed & jnp.asarray(real, bool)[:, None, :]
    if sees is not None:
        allowed = allowed & jnp.asarray(sees)

    def step(hidden: Array, parts: Any) -> tuple[Array, None]:
        block, own = parts
        keys, values = keys_and_values(block, shape, hidden, place, own)
        return block_of(block, shape, hidden, place, keys, values, allowed, own), None

    stepped = jax.checkpoint(step) if checkpoint else step
    hidden, _ = along(stepped, hidden, params["blocks"], adapters, None)
    return normalised(hidden, params["norm"], shape.epsilon)


def first_blocks(params: Params, shape: Shape, number: int) -> tuple[Params, Shape]:
    """A decoder cut behind its first blocks; arrays are sliced, not trained anew.

    Raises:
        ExperimentError: it has not so many.
    """
    if not 1 <= number <= shape.blocks:
        raise ExperimentError(f"a decoder of {shape.blocks} blocks has no first {number}")
    blocks = {name: array[:number] for name, array in params["blocks"].items()}
    return {**params, "blocks": blocks}, dataclasses.replace(shape, blocks=number)
