"""Statements that hold exactly, measured in float64, and ties in float32: what upcycling rests on."""

import dataclasses
import functools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import Trial
from experiments.kits.convnets.walker import walk
from experiments.kits.costs import num_parameters
from experiments.vision.dynamic_dino.detector import (
    Detector,
    initial_detector,
    upcycled,
)
from experiments.vision.dynamic_dino.mixture import MoEFFN, routed, weighted
from experiments.vision.dynamic_dino.routing import EXACT, GATES, Routing, balance_loss, route
from experiments.vision.dynamic_dino.splitting import Activation, FeedForward, split_ffn
from experiments.vision.dynamic_dino.study_config import DynamicDinoConfig
from experiments.vision.dynamic_dino.upcycling import experts_of, upcycle
from ntkexec.runtime.precision import float64

INPUTS, HIDDEN, TOKENS = 16, 32, 64
COPIES, SLICES = 4, 2
NOISES = (0.0, 1e-6, 1e-3, 1e-2, 1e-1)
"""Of each logit, over the deviation of logits."""
SOON = {"xla_backend_optimization_level": 0}
"""Asked of XLA for programs that run once or a few times: they are compiled in half the time."""
PUBLISHED = (256, 2048)
"""Width and hidden units of the base model's decoder, by its public defaults."""


def algebra(config: DynamicDinoConfig, trial: Trial) -> dict[str, Any]:
    """Of one layer in float64: slices, gradients, relabelling, balance; relative deviations."""
    generator = trial.generator
    with float64():
        return {
            **_slices(generator),
            **_gradients(generator),
            **_relabelled(generator),
            **_balanced(),
        }


def _network(generator: np.random.Generator, *, gated: bool = False) -> FeedForward:
    shapes: dict[str, tuple[int, ...]] = {"up": (INPUTS, HIDDEN), "down": (HIDDEN, INPUTS)}
    shapes |= {"gate": (INPUTS, HIDDEN)} if gated else {}
    shapes |= {f"{name}_bias": shape[1:] for name, shape in shapes.items()}
    return FeedForward(**{name: generator.normal(size=shape) for name, shape in shapes.items()})


def _off(found: Any, wanted: Any) -> float:
    leaves = (map(np.asarray, jax.tree.leaves(each)) for each in (found, wanted))
    pairs = zip(*leaves, strict=True)
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


def _slices(generator: np.random.Generator) -> dict[str, float]:
    x = generator.normal(size=(TOKENS, INPUTS))
    found = {"slices": 0.0, "slices_whole_bias": np.inf}
    for gated, activation in ((False, jax.nn.relu), (False, jax.nn.gelu), (True, jax.nn.silu)):
        ffn = _network(generator, gated=gated)
        wanted = _dense(ffn, x, activation)
        for slices in (2, 8):
            order = generator.permutation(HIDDEN)
            for name, shared in (("slices", True), ("slices_whole_bias", False)):
                parts = split_ffn(ffn, slices, order=order, share_bias=shared)
                off = _off(_summed(parts, x, activation), wanted)
                found[name] = (max if shared else min)(found[name], off)
    return found


@functools.partial(jax.jit, static_argnums=2)
def _dense(ffn: FeedForward, x: Any, activation: Activation) -> Any:
    return ffn(x, activation)


@functools.partial(jax.jit, static_argnums=2)
def _summed(parts: FeedForward, x: Any, activation: Activation) -> Any:
    """The sum of what slices say, a program for all orders and seeds."""
    return weighted(parts, x, jnp.ones((len(x), len(parts.up)), x.dtype), activation)


def _gradients(generator: np.random.Generator) -> dict[str, float]:
    """Gradients at the start: of all copies of a slice together, of the dense slice, and of the router."""
    ffn = _network(generator)
    x, pull = generator.normal(size=(2, TOKENS, INPUTS))
    wanted = split_ffn(_pulled_dense(ffn, x, pull), SLICES, share_bias=False)

    found = {}
    for router in ("tied", "untied"):
        params = upcycle(ffn, generator, copies=COPIES, slices=SLICES, router=router)["params"]
        gradient = jax.tree.map(np.asarray, _pulled(params, x, pull, "scaled"))
        summed = jax.tree.map(
            lambda leaf: leaf.reshape(COPIES, SLICES, *leaf.shape[1:]).sum(0), experts_of(gradient)
        )
        found[f"gradients_{router}"] = _off(summed, wanted)
        if router == "tied":
            unit = np.asarray(_pulled(params, x, pull, "unit")["router"])
            by_gate = {"unit": unit, "scaled": gradient["router"]}
            largest = float(np.abs(by_gate["scaled"]).max())
            of_copies = by_gate["scaled"].reshape(INPUTS, COPIES, SLICES).sum(-1)
            found |= {
                "router_unit": float(np.abs(by_gate["unit"]).max()),
                "router_scaled": largest,
                "router_of_copies": float(np.abs(of_copies).max()) / largest,
            }
    return found


@jax.jit
def _pulled_dense(ffn: FeedForward, x: Any, pull: Any) -> Any:
    """The gradient of what a network says, times what it is pulled by."""
    return jax.grad(lambda ffn: (ffn(x, jax.nn.relu) * pull).sum())(ffn)


@functools.partial(jax.jit, static_argnums=3)
def _pulled(params: Any, x: Any, pull: Any, gate: str) -> Any:
    """The gradient of what a mixture says, times what it is pulled by, whatever the seed or router."""

    def said(params: Any) -> Any:
        routing = routed(params["router"], x, SLICES, gate=gate)
        made = weighted(experts_of(params), x, routing.weights(), jax.nn.relu)
        return (made * pull).sum()

    return jax.grad(said)(params)


def _relabelled(generator: np.random.Generator) -> dict[str, float]:
    """Outputs and balance with experts in another order, with and without their rows of the router."""
    x, number = generator.normal(size=(TOKENS, INPUTS)), COPIES * SLICES
    experts = split_ffn(_network(generator), number)
    router, order = generator.normal(size=(INPUTS, number)), generator.permutation(number)

    moved = jax.tree.map(lambda leaf: np.asarray(leaf)[order], experts)
    wanted = _said(experts, router, x)
    return {
        "relabelled": _off(_said(moved, router[:, order], x), wanted),
        "relabelled_without_router": _off(_said(moved, router, x)[0], wanted[0]),
    }


@jax.jit
def _said(experts: FeedForward, router: Any, x: Any) -> tuple[Any, Any]:
    """What a mixture says, and its balance."""
    routing = routed(router, x, SLICES)
    return weighted(experts, x, routing.weights(), jax.nn.relu), balance_loss(routing)


_balance = jax.jit(balance_loss)
_routed = jax.jit(route, static_argnums=1)


def _balanced() -> dict[str, float]:
    """How far the balance loss is from its closed forms; and with shares that sum to k."""
    number = COPIES * SLICES
    even = Routing(
        jnp.arange(2 * number).reshape(-1, SLICES) % number,
        jnp.ones((number, SLICES)),
        jnp.full((number, number), 1 / number),
    )
    lone, copy = (np.full((TOKENS, number), -1e4) for _ in range(2))
    lone[:, 3], copy[:, :SLICES] = 0, 0
    cases = (
        (float(_balance(even)), 1.0, SLICES),
        (float(_balance(_routed(lone, 1))), float(number), 1),
        (float(_balance(_routed(copy, SLICES))), float(COPIES), SLICES),
    )
    return {
        "balance": max(abs(found - form) / form for found, form, _ in cases),
        "balance_summing": max(abs(found * k - form) / form for found, form, k in cases),
    }


def kept(config: DynamicDinoConfig, trial: Trial) -> dict[str, Any]:
    """How far the whole detector's outputs are from the dense one's, by gate, as it is and anchored."""
    generator = trial.generator
    images = generator.random((1, 32, 32, 3))
    classes = np.array([[0, 2], [1, 2], [1, 3]])
    detector = Detector(4, 32, 2, 32, enhancers=1, decoders=2, queries=6)
    with float64():
        variables = initial_detector(detector, generator, size=32, classes=3, fields=2)
        variables = jax.tree.map(
            lambda leaf: leaf + 0.1 * generator.normal(size=leaf.shape), variables
        )
        wanted = _found(detector, variables, images, classes)
        grown, made = upcycled(
            detector, variables, generator, copies=COPIES, slices=SLICES, gate="all"
        )  # with the router as it began, which is taken from unanchored gates
        found = {
            kind: {
                name: _off(found, wanted)
                for name, found in zip(GATES, _by_gate(grown, made, images, classes), strict=True)
            }
            for kind, grown, made in (
                ("anchored", grown, made),
                ("plain", _unanchored(grown), {"params": made["params"]}),
            )
        }
    lost = [off for name, off in found["plain"].items() if name not in EXACT]
    exact = [found["plain"][name] for name in EXACT]
    return {**found, "kept": max(exact + list(found["anchored"].values())), "lost": min(lost)}


def _unanchored(detector: Detector) -> Detector:
    options = {**dict(detector.experts or ()), "anchored": False}
    return dataclasses.replace(detector, experts=tuple(options.items()))


def _by_gate(detector: Detector, variables: Any, images: Any, classes: Any) -> list[Any]:
    """What the detector finds with each gate: one program, whose gate is data."""

    picks = np.eye(len(GATES))
    return [_picked(detector, variables, images, classes, pick) for pick in picks]


@functools.partial(jax.jit, static_argnums=0, compiler_options=SOON)
def _found(detector: Detector, variables: Any, images: Any, classes: Any) -> Any:
    return detector.apply(variables, images, classes)


@functools.partial(jax.jit, static_argnums=0, compiler_options=SOON)
def _picked(detector: Detector, variables: Any, images: Any, classes: Any, pick: Any) -> Any:
    def gate(logits: Any, chosen: Any) -> Any:
        made = jnp.stack([each(logits, chosen) for each in GATES.values()], -1)
        return made @ pick

    options = {**dict(detector.experts or ()), "gate": gate}
    named = dataclasses.replace(detector, experts=tuple(options.items()))
    return named.apply(variables, images, classes)


def ties(config: DynamicDinoConfig, trial: Trial) -> dict[str, Any]:
    """Shares of tokens whose experts are not all of one copy, in float32: as routed, and under noise."""
    generator, (width, _) = trial.generator, PUBLISHED
    router = generator.normal(size=(width, config.tie_copies)) * 0.02
    router = np.repeat(router, SLICES, -1).astype(np.float32)
    x = generator.normal(size=(config.tie_tokens, width)).astype(np.float32)

    @jax.jit
    def chosen(noise: Any) -> Any:
        logits = x @ router
        return route(logits + noise * logits.std(), SLICES).chosen

    def mixed(chosen: Any) -> float:
        copies = np.asarray(chosen) // SLICES
        return float((copies != copies[:, :1]).any(-1).mean())

    drawn = generator.normal(size=(len(x), router.shape[1])).astype(np.float32)
    single = jax.jit(jax.vmap(lambda row: routed(router, row[None], SLICES).chosen[0]))(x)
    by_noise = [mixed(chosen(np.float32(noise) * drawn)) for noise in NOISES]
    return {
        "mixed": max(by_noise[0], mixed(single)),
        "noises": list(NOISES),
        "by_noise": by_noise,
        "mixed_by_noise": by_noise[-1],
    }


def counts(config: DynamicDinoConfig, trial: Trial) -> dict[str, Any]:
    """Multiplications of a token and parameters, at the published sizes, counted from a trace."""
    width, hidden = PUBLISHED
    token = jax.ShapeDtypeStruct((1, width), jnp.float32)
    off, all_on, choices = 0, 0, {}
    active = 0
    for copies, slices in ((4, 1), (4, 2), (4, 4), (4, 8), (16, 1), (16, 2)):
        formula = 2 * width * hidden + copies * slices * width
        active, every = (
            int(
                walk(
                    MoEFFN(hidden, copies, slices, use_bias=False, sparse=sparse), token
                ).multiplications
            )
            for sparse in (True, False)
        )
        layer = MoEFFN(hidden, copies, slices)
        shapes = jax.eval_shape(layer.init, jax.random.key(0), token)["params"]
        held = copies * (2 * width * hidden + hidden) + 2 * copies * slices * width
        off += abs(active - formula) + abs(num_parameters(shapes) - held)
        all_on += abs(every - formula)
        choices[f"{copies},{slices}"] = math.log2(math.comb(copies * slices, slices))
    return {"off": off, "off_all_on": all_on, "active": active, "bits": choices}
