"""Statements that hold exactly, measured in float64, and ties in float32: what upcycling rests on."""

import functools
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
from experiments.vision.dynamic_dino.splitting import FeedForward, split_ffn
from experiments.vision.dynamic_dino.study_config import DynamicDinoConfig
from experiments.vision.dynamic_dino.upcycling import experts_of, upcycle
from ntkexec.runtime.precision import float64

INPUTS, HIDDEN, TOKENS = 16, 32, 64
COPIES, SLICES = 4, 2
NOISES = (0.0, 1e-6, 1e-3, 1e-2, 1e-1)
"""Of each logit, over the deviation of logits."""
PUBLISHED = (256, 2048)
"""Width and hidden units of the base model's decoder, by its public defaults."""


def algebra(config: DynamicDinoConfig, trial: Trial) -> dict[str, Any]:
    """Of one layer in float64: slices, gradients, relabelling, balance; deviations relative to the largest."""
    generator = trial.generator
    with float64():
        return {
            **_slices(generator),
            **_gradients(generator),
            **_relabelled(generator),
            **_balanced(),
        }


def _network(generator: np.random.Generator, *, gated: bool = False) -> FeedForward:
    shapes = {"up": (INPUTS, HIDDEN), "down": (HIDDEN, INPUTS)}
    shapes |= {"gate": (INPUTS, HIDDEN)} if gated else {}
    shapes |= {f"{name}_bias": shape[1:] for name, shape in shapes.items()}
    return FeedForward(**{name: generator.normal(size=shape) for name, shape in shapes.items()})


def _off(found: Any, wanted: Any) -> float:
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    return max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs)


def _slices(generator: np.random.Generator) -> dict[str, float]:
    x = generator.normal(size=(TOKENS, INPUTS))
    found = {"slices": 0.0, "slices_whole_bias": np.inf}
    for gated, activation in ((False, jax.nn.relu), (False, jax.nn.gelu), (True, jax.nn.silu)):
        ffn = _network(generator, gated=gated)
        wanted = ffn(x, activation)
        for slices in (2, 4, 8):
            order, ones = generator.permutation(HIDDEN), np.ones((TOKENS, slices))
            for name, shared in (("slices", True), ("slices_whole_bias", False)):
                parts = split_ffn(ffn, slices, order=order, share_bias=shared)
                off = _off(weighted(parts, x, ones, activation), wanted)
                found[name] = (max if shared else min)(found[name], off)
    return found


def _gradients(generator: np.random.Generator) -> dict[str, float]:
    """Gradients at the start: of all copies of a slice together, of the dense slice, and of the router."""
    ffn = _network(generator)
    x, pull = generator.normal(size=(2, TOKENS, INPUTS))
    dense = jax.grad(lambda ffn: (ffn(x, jax.nn.relu) * pull).sum())(ffn)
    wanted = split_ffn(dense, SLICES, share_bias=False)

    @functools.partial(jax.jit, static_argnums=1)
    def of(params: Any, gate: str) -> Any:
        def said(params: Any) -> Any:
            routing = routed(params["router"], x, SLICES, gate=gate)
            made = weighted(experts_of(params), x, routing.weights(), jax.nn.relu)
            return (made * pull).sum()

        return jax.grad(said)(params)

    found = {}
    for router in ("tied", "untied"):
        params = upcycle(ffn, generator, copies=COPIES, slices=SLICES, router=router)["params"]
        gradient = of(params, "scaled")
        summed = jax.tree.map(
            lambda leaf: leaf.reshape(COPIES, SLICES, *leaf.shape[1:]).sum(0), experts_of(gradient)
        )
        found[f"gradients_{router}"] = _off(summed, wanted)
        if router == "tied":
            by_gate = {"unit": of(params, "unit")["router"], "scaled": gradient["router"]}
            largest = float(np.abs(by_gate["scaled"]).max())
            of_copies = by_gate["scaled"].reshape(INPUTS, COPIES, SLICES).sum(-1)
            found |= {
                "router_unit": float(np.abs(by_gate["unit"]).max()),
                "router_scaled": largest,
                "router_of_copies": float(np.abs(of_copies).max()) / largest,
            }
    return found


def _relabelled(generator: np.random.Generator) -> dict[str, float]:
    """Outputs and balance with experts in another order, with and without their rows of the router."""
    x, number = generator.normal(size=(TOKENS, INPUTS)), COPIES * SLICES
    experts = split_ffn(_network(generator), number)
    router, order = generator.normal(size=(INPUTS, number)), generator.permutation(number)

    def said(experts: FeedForward, router: Any) -> Any:
        routing = routed(router, x, SLICES)
        return weighted(experts, x, routing.weights(), jax.nn.relu), balance_loss(routing)

    moved = jax.tree.map(lambda leaf: leaf[order], experts)
    wanted, program = said(experts, router), jax.jit(said)
    return {
        "relabelled": _off(program(moved, router[:, order]), wanted),
        "relabelled_without_router": _off(program(moved, router)[0], wanted[0]),
    }


def _balanced() -> dict[str, float]:
    """How far the balance loss is from its closed forms; and with shares that sum to k, which are another's."""
    number = COPIES * SLICES
    even = Routing(
        jnp.arange(2 * number).reshape(-1, SLICES) % number,
        jnp.ones((number, SLICES)),
        jnp.full((number, number), 1 / number),
    )
    lone, copy = (np.full((TOKENS, number), -1e4) for _ in range(2))
    lone[:, 3], copy[:, :SLICES] = 0, 0
    cases = (
        (float(balance_loss(even)), 1.0, SLICES),
        (float(balance_loss(route(lone, 1))), float(number), 1),
        (float(balance_loss(route(copy, SLICES))), float(COPIES), SLICES),
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
        wanted = _outputs(detector)(variables, images, classes)
        found: dict[str, dict[str, float]] = {"plain": {}, "anchored": {}}
        programs: dict[bool, Any] = {}
        for name in GATES:
            grown, made = upcycled(
                detector, variables, generator, copies=COPIES, slices=SLICES, gate=name
            )
            for anchored in (False, True):
                if anchored == (name in EXACT):
                    continue
                program = programs.setdefault(anchored, _by_gate(grown, anchored))
                pick = np.array([float(name == other) for other in GATES])
                found["anchored" if anchored else "plain"][name] = _off(
                    program(made, pick, images, classes), wanted
                )
            if name not in EXACT:
                pick = np.array([float(name == other) for other in GATES])
                program = programs.setdefault(False, _by_gate(grown, False))
                found["plain"][name] = _off(program(made, pick, images, classes), wanted)
    exact = [found["plain"][name] for name in EXACT]
    lost = [error for name, error in found["plain"].items() if name not in EXACT]
    return {
        **found,
        "kept": max(exact + list(found["anchored"].values())),
        "lost": min(lost),
    }
