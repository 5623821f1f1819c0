"""What answers: a linear layer on the states of a language model whose every output is a valid answer.

```python
import numpy as np
from experiments.language.netllm import Head

head = Head("choices", 6)  # of six bitrates
params = head.initial(np.random.default_rng(0), width=32)
scores = head.outputs(params, np.ones((4, 32), np.float32))
print(head.answer(scores, np.arange(6) < 3))  # four numbers from 0 to 2
```

Source: Wu et al., NetLLM, arXiv:2402.02338, section 4.2.
"""

import dataclasses

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float

from experiments.kits.transformer.decoder import Params
from experiments.language.netllm.encoder import layer, linear
from ntkexec.errors import ExperimentError

KINDS = ("choices", "coordinates", "scores")


@dataclasses.dataclass(frozen=True)
class Head:
    """Outputs of a state in one call.

    Args:
        kind: "choices" scores `size` classes; "coordinates" are `size` numbers between -1 and 1; "scores" is
            one number for each state of a sequence, of which one is chosen.
        size: of the answer; 1 for scores.
    """

    kind: str
    size: int = 1

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.size < 1 or (self.kind == "scores" and self.size != 1):
            raise ExperimentError(
                f"no head gives {self.size} {self.kind}; kinds are {', '.join(KINDS)}"
            )

    def initial(self, generator: np.random.Generator, width: int) -> Params:
        """Random parameters for states of a width."""
        return layer(generator, width, self.size)

    def outputs(
        self, params: Params, states: Float[ArrayLike, "... width"]
    ) -> Float[Array, "... size"]:
        """Scores of all choices, or coordinates; of "scores", (..., states) of them."""
        found = linear(params, jnp.asarray(states))
        if self.kind == "scores":
            return found[..., 0]
        return jnp.tanh(found) if self.kind == "coordinates" else found

    def answer(
        self,
        outputs: Float[ArrayLike, "... size"],
        allowed: Bool[ArrayLike, "... size"] | None = None,
    ) -> Array:
        """The valid answer: the best of what is allowed, or the coordinates themselves.

        Args:
            outputs: see there; a choice that is not a number is never the best, if there is another.
            allowed: which choices there are; by default all. Where none is, the answer is 0.

        Returns:
            Whole numbers below the last axis's length, or coordinates.
        """
        found = jnp.asarray(outputs)
        if self.kind == "coordinates":
            return jnp.nan_to_num(found)
        may = jnp.ones(found.shape, bool) if allowed is None else jnp.asarray(allowed)
        may = jnp.broadcast_to(may.reshape((1,) * (found.ndim - may.ndim) + may.shape), found.shape)
        # Below every number, and above what is not allowed.
        least = jnp.finfo(found.dtype).min
        scores = jnp.clip(jnp.where(jnp.isnan(found), least, found), least)
        return jnp.where(may, scores, -jnp.inf).argmax(-1)
