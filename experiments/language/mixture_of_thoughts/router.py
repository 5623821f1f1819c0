"""Which experts take part in a text, and which one of them goes on with it."""

from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from ntkexec.errors import ExperimentError


class Route(NamedTuple):
    """Who answers, text by text.

    Args:
        primary: the expert whose head speaks.
        active: the experts that take part, the primary among them.
        probabilities: of all experts; what the router's gradient comes through.
    """

    primary: Int[Array, "B"]
    active: Bool[Array, "B M"]
    probabilities: Float[Array, "B M"]


class Router(nn.Module):
    """Scores of all experts from what a frozen encoder says of the prompt.

    Args:
        experts: M.
        hidden: width of the two hidden layers.
        temperature: scores are divided by it.

    Raises:
        ExperimentError: no experts, no hidden units, or a temperature that is not positive.

    Source: arXiv:2509.21164, section 3; widths as in a third party's re-implementation, without dropout.
    """

    experts: int
    hidden: int = 256
    temperature: float = 1.0

    def __post_init__(self) -> None:
        if self.experts < 1 or self.hidden < 1 or not self.temperature > 0:
            raise ExperimentError(
                f"a router of {self.experts} experts with {self.hidden} hidden units at temperature "
                f"{self.temperature:g} chooses nothing"
            )
        super().__post_init__()

    @nn.compact
    def __call__(self, prompt: Float[Array, "B z"]) -> Float[Array, "B M"]:
        for layer in range(2):
            prompt = nn.relu(nn.Dense(self.hidden, name=f"hidden_{layer}")(prompt))
        return nn.Dense(self.experts, name="scores")(prompt) / self.temperature


def choose(
    scores: Float[Array, "B M"], number: int | Int[Array, ""], *, primary: Int[Array, "B"] | None = None
) -> Route:  # fmt: skip
    """The `number` experts of the highest scores, text by text; the highest of all is the primary.

    Args:
        scores: of a router, perhaps with noise.
        number: K, of active experts; may be data of a compiled program.
        primary: to be taken instead of the router's; its rivals by score join it.

    Raises:
        ExperimentError: a number of experts that there are not, as far as it is not data.
    """
    if isinstance(number, int | np.integer) and not 1 <= number <= scores.shape[1]:
        raise ExperimentError(f"{number} of {scores.shape[1]} experts cannot be active")
    if primary is not None:
        forced = jnp.arange(scores.shape[1])[None] == primary[:, None]
        scores = jnp.where(forced, scores.max() + 1.0, scores)
    # Of equal scores the first is the higher one.
    rank = jnp.argsort(jnp.argsort(-scores, axis=1, stable=True), axis=1)
    return Route(scores.argmax(1), rank < number, jax.nn.softmax(scores, 1))
