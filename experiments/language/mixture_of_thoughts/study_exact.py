"""What holds exactly: random experts of unequal shapes in float64."""

import functools
from typing import Any, TypedDict

import jax
import numpy as np

from experiments.harness.study import Trial
from experiments.kits.initialisation import initial_by_numpy
from experiments.kits.transformer import decoder
from experiments.kits.transformer.decoder import Shape
from experiments.kits.transformer.latent import FORBIDDEN
from experiments.language.mixture_of_thoughts.experts import DecoderExpert
from experiments.language.mixture_of_thoughts.interaction import Mask
from experiments.language.mixture_of_thoughts.leaks import as_fusion, causality_report
from experiments.language.mixture_of_thoughts.losses import language_loss
from experiments.language.mixture_of_thoughts.model import MixtureOfThoughts, initial_mixture
from experiments.language.mixture_of_thoughts.router import Route, Router, choose
from experiments.language.mixture_of_thoughts.study_config import MixtureConfig
from ntkexec.runtime.precision import float64

TOKENS = 11
SHAPES = (
    Shape(2, 8, 2, 1, 12, TOKENS),
    Shape(3, 12, 2, 2, 16, TOKENS),
    Shape(2, 8, 4, 2, 12, TOKENS),
)
ROUTER = Router(len(SHAPES), hidden=8)
TEXTS, LENGTH = 4, 6


class ExactResult(TypedDict):
    """Deviations that are 0 but for rounding, and the same with a premise taken out."""

    start: float
    changed: float
    leak: float
    leak_padding_only: float
    experts: float
    layers: float
    router_without_gate: float
    router: float


def algebra(config: MixtureConfig, trial: Trial) -> ExactResult:
    """The start, who sees what, and what gets a gradient, for texts of which one is filled up."""
    with float64():
        return _measured(trial.generator)


def _measured(generator: np.random.Generator) -> ExactResult:
    model = _model("causal")
    experts = [
        DecoderExpert(_wide(decoder.initial(shape, generator, deviation=0.4)), shape)
        for shape in SHAPES
    ]
    fresh = _wide(initial_mixture(model, generator, experts))
    params = jax.tree_util.tree_map_with_path(functools.partial(_drawn, generator), fresh)
    tokens = generator.integers(TOKENS, size=(TEXTS, LENGTH))
    real = np.arange(LENGTH)[None] < np.array([LENGTH, LENGTH - 2, LENGTH, LENGTH])[:, None]
    said = generator.normal(size=(TEXTS, 4))
    router = _wide(initial_by_numpy(ROUTER, generator, said)["params"])
    route = choose(ROUTER.apply({"params": router}, said), 2)  # type: ignore[arg-type] # no pair
    streams, masks = (tokens,) * len(experts), (real,) * len(experts)

    every = [_alone(one.params, one.shape, tokens, real) for one in experts]
    lone = np.stack(every)[np.asarray(route.primary), np.arange(TEXTS)]
    scale = float(np.abs(lone).max())
    apart = [
        float(np.abs(as_fusion(model, one, experts, route)(streams, masks) - lone)[real].max())
        for one in (fresh, params)
    ]
    leaks = [_leak(mask, params, experts, route, tokens, real, generator) for mask in MASKS]
    given = (router, experts, params, said, tokens, real)
    by_router, by_experts, by_layers = _slopes(*given, 1.0)
    ungated, _, _ = _slopes(*given, 0.0)
    return {
        "start": apart[0] / scale, "changed": apart[1] / scale,
        "leak": leaks[0], "leak_padding_only": leaks[1],
        "experts": _largest(by_experts), "layers": _largest(by_layers),
        "router_without_gate": _largest(ungated), "router": _largest(by_router),
    }  # fmt: skip


MASKS: tuple[Mask, ...] = ("causal", "padding")


def _model(mask: Mask) -> MixtureOfThoughts:
    return MixtureOfThoughts(stacks=2, shared=8, heads=2, mask=mask)


def _leak(
    mask: Mask, params: Any, experts: list[DecoderExpert], route: Route, tokens: np.ndarray,
    real: np.ndarray, generator: np.random.Generator,
) -> float:  # fmt: skip
    """The most that a token moves which may not, beside the most that one moves which may."""
    report = causality_report(
        _model(mask), params, experts, route, tokens, vocabulary=TOKENS, real=real,
        generator=generator,
    )  # fmt: skip
    return max(getattr(report, name).most for name in FORBIDDEN) / report.scale


@functools.partial(jax.jit, static_argnames="shape")
def _alone(params: Any, shape: Shape, tokens: Any, real: Any) -> Any:
    return decoder.logits(params, shape, decoder.run(params, shape, tokens, real=real).last)


@jax.jit
def _slopes(
    router: Any, experts: list[DecoderExpert], params: Any, said: Any, tokens: Any, real: Any,
    gated: Any,
) -> Any:  # fmt: skip
    """Gradients of the language loss by the router's parameters, the experts', and the layers'."""

    def loss(router: Any, experts: list[DecoderExpert], params: Any) -> Any:
        route = choose(ROUTER.apply({"params": router}, said), 2)  # type: ignore[arg-type] # no pair
        several = [tokens] * len(experts), route, [real] * len(experts), gated
        return language_loss(
            _model("causal").apply({"params": params}, experts, *several),  # type: ignore[arg-type]
            tokens,
            real,
        )

    return jax.grad(loss, argnums=(0, 1, 2))(router, experts, params)


def _drawn(generator: np.random.Generator, path: Any, leaf: np.ndarray) -> np.ndarray:
    """What leads back to the experts, drawn instead of zero."""
    return generator.normal(size=leaf.shape) * 0.3 if path[-2].key.startswith("back_") else leaf


def _wide(tree: Any) -> Any:
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def _largest(tree: Any) -> float:
    return max(float(np.abs(np.asarray(leaf)).max()) for leaf in jax.tree.leaves(tree))
