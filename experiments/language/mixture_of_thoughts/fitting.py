"""Training of router and interaction layers, experts frozen; and of a router of single experts."""

import dataclasses
import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from experiments.kits.initialisation import initial_by_numpy
from experiments.language.mixture_of_thoughts.experts import Expert, as_pytrees
from experiments.language.mixture_of_thoughts.losses import (
    balance_loss,
    consistency_loss,
    entropy,
    language_loss,
)
from experiments.language.mixture_of_thoughts.model import MixtureOfThoughts, initial_mixture
from experiments.language.mixture_of_thoughts.router import Router, choose
from ntkexec.errors import ExperimentError


@dataclasses.dataclass(frozen=True)
class Weights:
    """Of the terms beside the language loss.

    Args:
        entropy: of the router's probabilities, which is made large.
        balance: of their coefficient of variation.
        consistency: of the divergence of two passes with noise of their own.

    Source: arXiv:2509.21164, section 3; 0.01 as in a third party's re-implementation, 0.05 reconstructed.
    """

    entropy: float = 0.01
    balance: float = 0.01
    consistency: float = 0.05


USUAL = Weights()


@dataclasses.dataclass(frozen=True, eq=False)
class Fitted:
    """What was trained.

    Args:
        mixture: parameters of the interaction layers.
        router: parameters of the router.
        losses: the language loss of every step.
    """

    mixture: Any
    router: Any
    losses: Float[np.ndarray, " steps"]


def fit_mixture(
    model: MixtureOfThoughts,
    router: Router,
    experts: Sequence[Expert],
    tokens: Int[ArrayLike, "N T"],
    counted: Bool[ArrayLike, "N T"],
    prompts: Float[ArrayLike, "N z"],
    *,
    active: int,
    seed: int,
    steps: int,
    batch: int = 32,
    rate: float = 3e-3,
    weights: Weights = USUAL,
    gated: float = 1.0,
    noise: float = 1.0,
    routed: Any = None,
) -> Fitted:
    """AdamW on the whole objective; every step draws a batch and runs it twice, with Gumbel noise of its own.

    Seed, number of active experts, weights and gate are data: one program is compiled for each model, set of
    shapes and number of steps.

    Args:
        model, router, experts: of the mixture; the experts stay as they are.
        tokens: texts, which all experts read.
        counted: which of them are predicted; the first of a text never is.
        prompts: what a frozen encoder says of each text's prompt: it must not see what is predicted.
        active: K.
        seed: of the first parameters, batches and noise.
        steps, batch, rate: of the training; the rate falls as a cosine.
        weights: of the objective.
        gated: see `InteractionLayer`.
        noise: factor of the Gumbel noise on the router's scores.
        routed: parameters of a router to begin with, such as `fit_router` gives; by default drawn.

    Raises:
        ExperimentError: fewer experts than are to be active; nothing to train, or no token to predict; a
            router of another number of experts; tokens, counts and prompts of differing numbers of texts.
    """
    if not 1 <= active <= len(experts) or steps < 1 or batch < 1:
        raise ExperimentError(
            f"cannot train {steps} steps of {batch} texts with {active} of {len(experts)} experts active"
        )
    if router.experts != len(experts):
        raise ExperimentError(
            f"a router of {router.experts} experts does not choose among {len(experts)}"
        )
    texts, counts = np.asarray(tokens), np.asarray(counted)
    if (
        texts.ndim != 2
        or not np.issubdtype(texts.dtype, np.integer)
        or (counts.shape, counts.dtype) != (texts.shape, bool)
    ):
        raise ExperimentError(
            f"tokens {texts.dtype} of shape {texts.shape} and counts {counts.dtype} of {counts.shape} are "
            "not whole numbers (texts, places) and a true or false of each"
        )
    if not counts[:, 1:].any():
        raise ExperimentError(
            f"of {texts.shape} tokens (texts, places) none is counted that another one comes before: there "
            "is nothing to predict"
        )
    said = _said(prompts, len(texts))
    generator = np.random.default_rng(seed)
    drawn = initial_by_numpy(router, generator, said[:1])["params"]
    start = {
        "mixture": initial_mixture(model, generator, experts),
        "router": drawn if routed is None else routed,
    }
    terms = jnp.array(dataclasses.astuple(weights), jnp.float32)
    trained, losses = _fitted(
        model, router, steps, batch, start, as_pytrees(experts), jnp.asarray(texts), jnp.asarray(counts),
        said, jax.random.key(seed), jnp.int32(active), terms, jnp.float32(gated), jnp.float32(noise),
        jnp.float32(rate),
    )  # fmt: skip
    found = jax.tree.map(np.asarray, trained)
    return Fitted(found["mixture"], found["router"], np.asarray(losses))


@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _fitted(
    model: MixtureOfThoughts,
    router: Router,
    steps: int,
    batch: int,
    start: Any,
    experts: list[Any],
    tokens: Array,
    counted: Array,
    said: Array,
    key: Array,
    active: Array,
    terms: Array,
    gated: Array,
    noisy: Array,
    rate: Array,
) -> tuple[Any, Array]:
    optimiser = optimiser_of(steps, rate)

    def loss(params: Any, rows: Array, noise: Array) -> tuple[Array, Array]:
        scores = router.apply({"params": params["router"]}, said[rows])
        # Flax says that `apply` may return a pair as well; it does so if it is asked to.
        clean = jax.nn.softmax(scores, 1)  # type: ignore[arg-type]
        route = choose(
            (scores[None] + noise).reshape(-1, scores.shape[1]),  # type: ignore[operator,call-overload,union-attr]
            active,
        )
        twice = jnp.concatenate([rows, rows])
        read, counts = tokens[twice], counted[twice]
        logits = model.apply(
            {"params": params["mixture"]}, experts, [read] * len(experts), route, None, gated
        )
        told = language_loss(logits, read, counts)  # type: ignore[arg-type]
        apart = consistency_loss(logits[:batch], logits[batch:], counts[:batch])  # type: ignore[arg-type]
        others = jnp.stack([-entropy(clean), balance_loss(clean), apart])
        return told + terms @ others, told

    def step(carry: Any, index: Array) -> tuple[Any, Array]:
        params, state = carry
        drawn, shaken = jax.random.split(jax.random.fold_in(key, index))
        rows = jax.random.randint(drawn, (batch,), 0, len(tokens))
        noise = noisy * jax.random.gumbel(shaken, (2, batch, len(experts)))
        slopes, told = jax.grad(loss, has_aux=True)(params, rows, noise)
        moves, state = optimiser.update(slopes, state, params)
        return (optax.apply_updates(params, moves), state), told

    start = jax.tree.map(jnp.asarray, start)
    (params, _), losses = jax.lax.scan(step, (start, optimiser.init(start)), jnp.arange(steps))
    return params, losses


def fit_router(
    router: Router,
    prompts: Float[ArrayLike, "N z"],
    costs: Float[ArrayLike, "N M"],
    *,
    seed: int,
    steps: int,
    batch: int = 32,
    rate: float = 3e-3,
) -> Any:
    """Parameters of a router that picks one expert alone: the expected loss of its choice is made small.

    Args:
        router: of the experts.
        prompts: as for `fit_mixture`.
        costs: every lone expert's loss on every text.
        seed, steps, batch, rate: of the training.

    Raises:
        ExperimentError: nothing to train; costs of other experts than the router's, or of another number of
            texts than prompts.
    """
    if steps < 1 or batch < 1:
        raise ExperimentError(f"cannot train {steps} steps of {batch} texts")
    shape = np.shape(costs)
    if len(shape) != 2 or shape[1] != router.experts or not shape[0]:
        raise ExperimentError(
            f"costs of shape {shape} are not (texts, experts) of a router of {router.experts} experts"
        )
    said = _said(prompts, shape[0])
    start = initial_by_numpy(router, np.random.default_rng(seed), said[:1])["params"]
    rows = np.random.default_rng([seed, 1]).integers(len(said), size=(steps, batch))
    given = (start, said, jnp.asarray(costs, jnp.float32), rows, jnp.float32(rate))
    return jax.tree.map(np.asarray, _routed(router, *given))


@functools.partial(jax.jit, static_argnums=0)
def _routed(router: Router, start: Any, said: Array, costs: Array, rows: Array, rate: Array) -> Any:
    optimiser = optimiser_of(len(rows), rate)

    def loss(params: Any, chosen: Array) -> Array:
        chances = jax.nn.softmax(
            router.apply({"params": params}, said[chosen]),  # type: ignore[arg-type] # as above
            1,
        )
        return (chances * costs[chosen]).sum(1).mean()

    def step(carry: Any, chosen: Array) -> tuple[Any, None]:
        params, state = carry
        moves, state = optimiser.update(jax.grad(loss)(params, chosen), state, params)
        return (optax.apply_updates(params, moves), state), None

    start = jax.tree.map(jnp.asarray, start)
    return jax.lax.scan(step, (start, optimiser.init(start)), rows)[0][0]


def _said(prompts: Any, texts: int) -> Float[np.ndarray, "N z"]:
    said = np.asarray(prompts, np.float32)
    if said.ndim != 2 or len(said) != texts:
        raise ExperimentError(
            f"prompts of shape {said.shape} are not one row of numbers for each of {texts} texts"
        )
    return said


def optimiser_of(steps: int, rate: Any) -> optax.GradientTransformation:
    """AdamW with decay 0.01 and gradients clipped at norm 1, whose rate falls as a cosine."""
    return optax.chain(
        optax.clip_by_global_norm(1.0),
        optax.adamw(lambda count: rate * 0.5 * (1 + jnp.cos(jnp.pi * count / steps)), weight_decay=0.01),
    )  # fmt: skip
