"""Numbers, series and features of a network's state as tokens of a language model's width.

```python
import numpy as np
from experiments.language.netllm import Encoder, Modality

encoder = Encoder((Modality("buffer", "numbers", 1), Modality("speeds", "series", 6)), width=32, steps=10)
params = encoder.initial(np.random.default_rng(0))
inputs = {"buffer": np.ones((2, 5, 1)), "speeds": np.ones((2, 5, 6))}
print(encoder.tokens(params, inputs, np.zeros((2, 5), int)).shape)  # (2, 5, 2, 32)
```

Source: Wu et al., NetLLM, arXiv:2402.02338, section 4.1.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from experiments.kits.transformer.decoder import Params
from ntkexec.errors import ExperimentError

KINDS = ("linear", "numbers", "series")
LEAK = 0.01
"""Slope of the leaky ReLU below 0, as in the public code."""


@dataclasses.dataclass(frozen=True)
class Modality:
    """One thing that is known at every step, and becomes one token.

    Args:
        name: of the input.
        kind: "linear" maps it to the width at once (returns, actions, features of a network of yours);
            "numbers" through a layer of features; "series" through a convolution along its numbers.
        size: numbers a step.
        features: of the layer, or channels of the convolution.
        kernel: of the convolution.
    """

    name: str
    kind: str
    size: int
    features: int = 32
    kernel: int = 4

    def __post_init__(self) -> None:
        if self.kind not in KINDS or min(self.size, self.features, self.kernel) < 1:
            raise ExperimentError(
                f"no modality is {self.kind!r} of {self.size} numbers and {self.features} features; "
                f"kinds are {', '.join(KINDS)}"
            )
        if self.kind == "series" and self.size < self.kernel:
            raise ExperimentError(
                f"a series of {self.size} numbers is shorter than the kernel of {self.kernel}"
            )

    @property
    def inner(self) -> int:
        """Features that are mapped to the width."""
        places = self.size - self.kernel + 1
        return {
            "linear": self.size, "numbers": self.features, "series": places * self.features
        }[self.kind]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Encoder:
    """A token for each modality of each step, in their order, with the step's time added, then normalised.

    Args:
        modalities: in the order of their tokens.
        width: of the backbone.
        steps: that a time can be; the table of times has a row for each.
    """

    modalities: tuple[Modality, ...]
    width: int
    steps: int

    def __post_init__(self) -> None:
        names = [one.name for one in self.modalities]
        if not names or len({*names}) < len(names) or min(self.width, self.steps) < 1:
            raise ExperimentError(
                f"no encoder has the modalities {', '.join(names) or 'none'}, width {self.width} and "
                f"{self.steps} steps"
            )

    def initial(self, generator: np.random.Generator) -> Params:
        """Random parameters: uniform up to fan-in ** -0.5 as PyTorch's layers, times normal."""
        made: dict[str, Any] = {}
        for one in self.modalities:
            first = {"numbers": one.size, "series": one.kernel}.get(one.kind)
            layers = {} if first is None else {"first": layer(generator, first, one.features)}
            made[one.name] = {**layers, "last": layer(generator, one.inner, self.width)}
        times = generator.normal(size=(self.steps, self.width)).astype(np.float32)
        norm = np.ones(self.width, np.float32)
        return {"modalities": made, "times": times, "norm": norm, "shift": np.zeros_like(norm)}

    def tokens(
        self,
        params: Params,
        inputs: Mapping[str, Float[ArrayLike, "*steps size"]],
        time: Int[ArrayLike, "*steps"],
    ) -> Float[Array, "*steps modalities width"]:
        """Tokens of all steps.

        Args:
            params: see `initial`.
            inputs: by the modalities' names; others are not read.
            time: of each step.

        Raises:
            ExperimentError: names a modality that is missing or has another size.
        """
        rows = []
        for one in self.modalities:
            given = inputs.get(one.name)
            if given is None or np.shape(given)[-1:] != (one.size,):
                has = "missing" if given is None else f"of shape {np.shape(given)}"
                raise ExperimentError(f"{one.name} is {has}; its last axis has {one.size} numbers")
            rows.append(_token(one, params["modalities"][one.name], jnp.asarray(given)))
        tokens = jnp.stack(rows, -2) + jnp.asarray(params["times"])[jnp.asarray(time)][..., None, :]
        centred = tokens - tokens.mean(-1, keepdims=True)
        normal = centred * jax.lax.rsqrt(jnp.square(centred).mean(-1, keepdims=True) + 1e-5)
        ahead = range(normal.ndim - 1)
        return normal * jnp.expand_dims(params["norm"], ahead) + jnp.expand_dims(
            params["shift"], ahead
        )


def layer(generator: np.random.Generator, rows: int, columns: int) -> Params:
    """A linear layer, uniform up to rows ** -0.5, with its bias."""
    bound = rows**-0.5
    return {
        "weight": generator.uniform(-bound, bound, (rows, columns)).astype(np.float32),
        "bias": generator.uniform(-bound, bound, columns).astype(np.float32),
    }


def linear(params: Params, rows: Float[Array, "... i"]) -> Float[Array, "... o"]:
    """Rows by a layer's weight, and its bias added."""
    return rows @ params["weight"] + jnp.expand_dims(params["bias"], range(rows.ndim - 1))


def _token(one: Modality, params: Params, given: Array) -> Array:
    if one.kind == "linear":
        return linear(params["last"], given)
    if one.kind == "series":
        places = np.arange(one.size - one.kernel + 1)[:, None] + np.arange(one.kernel)[None]
        given = given[..., places]
    hidden = jax.nn.leaky_relu(linear(params["first"], given), LEAK)
    return linear(params["last"], hidden.reshape(*hidden.shape[: np.ndim(given) - 1], -1)
                  if one.kind == "numbers" else hidden.reshape(*hidden.shape[:-2], -1))  # fmt: skip
