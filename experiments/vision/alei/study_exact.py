"""What is exact, in double precision: views, experts, gates, the injector, selection."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.harness.study import Trial
from experiments.kits.images import blurred_noise
from experiments.kits.initialisation import initial_by_numpy
from experiments.vision.alei.detector import (
    Detector,
    reordered,
    selection_entropy,
    selection_loss,
    single,
)
from experiments.vision.alei.layers import RULES, Adapter, VisionTransformer, merged_kernels
from experiments.vision.alei.study_config import AleiConfig
from experiments.vision.alei.views import (
    bayar_constrained,
    constrained_residual,
    keep_bayar,
    neighbouring_pixels,
)
from ntkexec.runtime.precision import float64

VIEWS, RANK, ALPHA, PICTURES = 3, 2, 8.0, 2
SMALL = VisionTransformer(patch=4, width=8, blocks=2, heads=2)
WHOLE = Detector(SMALL, VIEWS, RANK, ALPHA)
ALONE = Detector(SMALL, 1, RANK, ALPHA)
GATES = ("beta", "gamma", "eta")
"""Ends of the names of all gates."""


def doubled_pictures(config: AleiConfig, trial: Trial) -> dict[str, float]:
    """NPR of pictures doubled by nearest neighbours, on the grid and moved off it by a pixel."""
    generator, on_grid, moved = trial.generator, [], []
    for _ in range(config.cases):
        small = generator.integers(256, size=(2, 8, 6, 3)) / 255
        doubled = small.repeat(2, 1).repeat(2, 2)
        on_grid.append(np.abs(neighbouring_pixels(doubled)).max())
        moved.append(np.abs(neighbouring_pixels(np.roll(doubled, 1, 2))).max())
    return {"npr": float(max(on_grid)), "npr_moved": float(min(moved))}


def bayar(config: AleiConfig, trial: Trial) -> dict[str, float]:
    """How far learned prediction kernels leave Bayar's constraint, the worst of all steps of Adam."""
    generator = trial.generator
    pictures = blurred_noise(4, 10, 2, sigma=1.0, generator=generator).astype(float)
    start = generator.uniform(0.1, 1, size=(5, 5, 2, 3))
    with float64():
        start = np.asarray(bayar_constrained(jnp.asarray(start)))
        found = {
            name: float(_bayar_drift(start, pictures, kept))
            for name, kept in (("kept", True), ("free", False))
        }
    return found


@functools.partial(jax.jit, static_argnums=2)
def _bayar_drift(kernel: jax.Array, pictures: jax.Array, kept: bool) -> jax.Array:
    update = optax.adam(2e-3)
    if kept:
        update = optax.chain(update, keep_bayar())

    def step(carry: Any, index: jax.Array) -> tuple[Any, jax.Array]:
        kernel, state = carry
        gradient = jax.grad(lambda k: jnp.square(constrained_residual(pictures, k)).mean())(kernel)
        updates, state = update.update(gradient, state, kernel)
        kernel = optax.apply_updates(kernel, updates)
        middle = kernel[2, 2]
        off = jnp.maximum(jnp.abs(middle + 1), jnp.abs(kernel.sum((0, 1)) - middle - 1))
        return (kernel, state), off.max()

    _, off = jax.lax.scan(step, (kernel, update.init(kernel)), jnp.arange(50))
    return off.max()


def algebra(config: AleiConfig, trial: Trial) -> dict[str, float]:
    """Largest deviations of drawn detectors from what they should equal, and the same with a premise gone."""
    generator, rows = trial.generator, []
    with float64():
        for _ in range(config.cases):
            seen = generator.normal(size=(PICTURES, VIEWS, 8, 8, 3))
            params = _drawn(generator, seen)
            rows.append(
                {**_lora(params, seen), **_gates(params, seen), **_order(params, seen)}
                | _injector(params, generator)
            )
    # What should be 0 by its worst case, what should not by its best.
    return {
        name: float((min if "_without" in name else max)(row[name] for row in rows))
        for name in rows[0]
    }


def _drawn(generator: np.random.Generator, seen: np.ndarray) -> Any:
    """Parameters of the whole detector, none of them at a special value."""
    given = initial_by_numpy(WHOLE, generator, seen, rules=RULES)["params"]
    return jax.tree.map(lambda x: x + 0.3 * generator.normal(size=x.shape), given)


@jax.jit
def _whole(params: Any, seen: Any) -> Any:
    return WHOLE.apply({"params": params}, seen)


@jax.jit
def _alone(params: Any, seen: Any, lora: Any) -> Any:
    return ALONE.apply({"params": params}, seen, lora=lora).by_view  # type: ignore[union-attr]


def _off(one: Any, other: Any) -> float:
    return float(np.abs(np.asarray(one) - np.asarray(other)).max())


def _lora(params: Any, seen: np.ndarray) -> dict[str, float]:
    """Experts that begin at 0 change nothing; merged into the kernel they are the two paths."""
    worst = {"lora_start": 0.0, "lora_merged": 0.0, "lora_without_scale": np.inf}
    for view in range(VIEWS):
        mine, shown = single(params, view), seen[:, [view]]
        with_zero = {
            name: {**part, "up": np.zeros_like(part["up"])} if name.startswith("experts") else part
            for name, part in mine.items()
        }
        frozen = _alone(mine, shown, 0.0)
        worst["lora_start"] = max(worst["lora_start"], _off(_alone(with_zero, shown, 1.0), frozen))
        two_paths = _alone(mine, shown, 1.0)
        for name, alpha in (("lora_merged", ALPHA), ("lora_without_scale", float(RANK))):
            off = _off(_alone(_merged(mine, alpha), shown, 0.0), two_paths)
            keep = max if name == "lora_merged" else min
            worst[name] = keep(worst[name], off)
    return worst


def _merged(params: Any, alpha: float) -> Any:
    backbone = dict(params["backbone"])
    for place in range(SMALL.blocks):
        block = backbone[f"block_{place}"]
        kernel = block["qkv"]["kernel"]
        experts = params[f"experts_{place}"]
        merged = np.asarray(merged_kernels(kernel, experts, rank=RANK, alpha=alpha)[0])
        backbone[f"block_{place}"] = {**block, "qkv": {**block["qkv"], "kernel": merged}}
    return {**params, "backbone": backbone}


def _gates(params: Any, seen: np.ndarray) -> dict[str, float]:
    """With all gates at 0 every view's head says what its own detector says."""

    def shut(path: Any, leaf: Any) -> Any:
        return np.zeros_like(leaf) if path[-1].key in GATES else leaf

    closed = jax.tree_util.tree_map_with_path(shut, params)
    each = [_alone(single(params, view), seen[:, [view]], 1.0) for view in range(VIEWS)]
    alone = np.concatenate(each, 1)
    return {
        "gates": _off(_whole(closed, seen).by_view, alone),
        "gates_without": _off(_whole(params, seen).by_view, alone),
    }


def _order(params: Any, seen: np.ndarray) -> dict[str, float]:
    """Low-level views in another order, with all that belongs to them, give the same probability."""
    order = [0, 2, 1]
    before = _whole(params, seen).probability
    return {
        "order": _off(_whole(reordered(params, order), seen[:, order]).probability, before),
        "order_without": _off(_whole(params, seen[:, order]).probability, before),
    }


def _injector(params: Any, generator: np.random.Generator) -> dict[str, float]:
    """How the injector's answers to different tokens differ, and how much what asks is trained, by keys."""
    tokens = generator.normal(size=(PICTURES, 5, SMALL.width))
    states = generator.normal(size=(PICTURES, VIEWS - 1, SMALL.width))
    found = {}
    for name, keys in (("injector", states[:, :1]), ("injector_without", states)):
        out, gradient = _injected(params["adapter"], tokens, keys)
        spread = _off(out, np.broadcast_to(out[:, :1], out.shape)) / float(np.abs(out).max())
        asked = gradient["asked_0"]
        answer = max(float(np.abs(leaf).max()) for leaf in jax.tree.leaves(asked["value"]))
        asking = max(
            float(np.abs(leaf).max())
            for leaf in jax.tree.leaves((asked["query"], asked["key"]["kernel"]))
        )
        found[name] = (
            max(spread, asking / answer) if name == "injector" else min(spread, asking / answer)
        )
    return found


@jax.jit
def _injected(params: Any, tokens: Any, states: Any) -> Any:
    adapter = Adapter(SMALL.width, SMALL.blocks, SMALL.heads)

    def loss(params: Any) -> Any:
        out: Any = adapter.apply({"params": params}, 0, tokens, states, method="added")
        return jnp.sin(out).sum(), out

    gradient, out = jax.grad(loss, has_aux=True)(params)
    return out, gradient


def selection(config: AleiConfig, trial: Trial) -> dict[str, float]:
    """Mean entropy of selections among four views after 100 steps on each term alone, and before."""
    logits = trial.generator.normal(size=(64 * config.cases, 4))
    with float64():
        found = {
            "start": selection_entropy(jax.nn.softmax(logits)),
            "written": _descended(logits, 1.0),
            "spread": _descended(logits, -1.0),
        }
        return {name: float(np.mean(np.asarray(each))) for name, each in found.items()}


@jax.jit
def _descended(logits: Any, sign: Any) -> Any:
    def term(logits: Any) -> Any:
        # A rate of 1 for every picture by itself.
        return sign * len(logits) * selection_loss(jax.nn.softmax(logits))

    def step(logits: Any, _: Any) -> tuple[Any, None]:
        return logits - jax.grad(term)(logits), None

    found, _ = jax.lax.scan(step, logits, None, length=100)
    return selection_entropy(jax.nn.softmax(found))
