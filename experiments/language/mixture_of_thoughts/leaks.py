"""The kit's harness of fusions, asked about a mixture."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import ArrayLike, Bool, Int

from experiments.kits.transformer import latent
from experiments.kits.transformer.peers import Fusion, Masks, Streams
from experiments.language.mixture_of_thoughts.experts import Expert, as_pytrees
from experiments.language.mixture_of_thoughts.model import MixtureOfThoughts
from experiments.language.mixture_of_thoughts.router import Route


def as_fusion(
    model: MixtureOfThoughts, params: Any, experts: Sequence[Expert], route: Route
) -> Fusion:
    """The mixture as a function of its experts' tokens, with a route that does not change with them."""
    members = as_pytrees(experts)

    def fused(streams: Streams, real: Masks) -> Any:
        return _spoken(model, params, members, list(streams), route, list(real))

    return fused


# One program of all mixtures that are equal.
@functools.partial(jax.jit, static_argnums=0)
def _spoken(
    model: MixtureOfThoughts, params: Any, experts: Any, streams: Any, route: Route, real: Any
) -> Any:
    return model.apply({"params": params}, experts, streams, route, real)


def causality_report(
    model: MixtureOfThoughts,
    params: Any,
    experts: Sequence[Expert],
    route: Route,
    tokens: Int[ArrayLike, "B T"],
    *,
    vocabulary: int,
    generator: np.random.Generator,
    real: Bool[ArrayLike, "B T"] | None = None,
    **options: Any,
) -> latent.CausalityReport:
    """What moves a mixture's logits that must not: see `experiments.kits.transformer.latent`.

    The route is fixed. A router that reads the prompt tells all outputs of it, those within the prompt too.

    Args:
        model, params, experts, route: of the mixture.
        tokens: that all experts read; in the report one expert's are changed at a time.
        vocabulary: tokens that there are.
        generator: draws the changes.
        real: which tokens are no padding.
        options: `cuts` and `prompt` of the harness.
    """
    number = len(experts)
    return latent.causality_report(
        as_fusion(model, params, experts, route),
        [np.asarray(tokens)] * number,
        vocabulary=vocabulary,
        generator=generator,
        reader=np.asarray(route.primary),
        real=None if real is None else [np.asarray(real)] * number,
        active=np.asarray(route.active),
        **options,
    )
