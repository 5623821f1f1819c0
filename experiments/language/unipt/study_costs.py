"""What a training step costs as a backbone gets deeper: XLA's own account, and the audit of its gradient."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.kits.costs import cost
from experiments.kits.initialisation import FLAX, Rule, initial_by_numpy, zeros
from experiments.kits.transformer.decoder import Shape, initial
from experiments.kits.transformer.lora import initial_lora
from experiments.language.unipt.audit import transposed_products
from experiments.language.unipt.rivals import LadderTuning, initial_adapters, inner_states, unrolled
from experiments.language.unipt.tuning import KEPT, ParallelTuning, mean_of_real

CLASSES, VOCABULARY = 6, 64
BOTTLENECK, RANK = 16, 4
Arm = tuple[Callable[[Any, Any], jax.Array], Any, Any]
"""A loss of (what is frozen, what is trained), and both."""


def proportions(blocks: int, share: int) -> Shape:
    """SmolLM2-135M's proportions at so small a share of its width, with another number of blocks."""
    return Shape(
        blocks=blocks, width=576 // share, heads=9, key_heads=3, hidden=1536 // share,
        vocabulary=VOCABULARY,
    )  # fmt: skip


def rules(layers: int) -> dict[str, Rule]:
    """How modules of the port begin."""
    return {**FLAX, **{f"gate_{number}": zeros for number in range(layers)}}


def arms(shape: Shape, batch: int, places: int, generator: np.random.Generator) -> dict[str, Arm]:
    """Losses of one batch of random tokens; only shapes decide what they cost."""
    base = unrolled(initial(shape, generator))
    tokens = generator.integers(0, VOCABULARY, (batch, places)).astype(np.int32)
    labels = generator.integers(0, CLASSES, batch)
    head = generator.normal(size=(shape.width, CLASSES)).astype(np.float32) * shape.width**-0.5
    layers = [np.zeros((1, places, shape.width), np.float32)] * (shape.blocks + 1)

    def loss(scores: jax.Array) -> jax.Array:
        return optax.softmax_cross_entropy_with_integer_labels(scores, labels).mean()

    def beside(module: Any) -> Arm:
        params = initial_by_numpy(module, generator, layers, rules=rules(len(layers)))

        def of(frozen: Any, trained: Any) -> jax.Array:
            outputs = module.apply(trained, inner_states(frozen, shape, tokens))
            return loss(mean_of_real(outputs, jnp.ones(tokens.shape, bool)))

        return of, base, params

    def within(name: str, added: Any) -> Arm:
        def of(frozen: Any, trained: Any) -> jax.Array:
            last = inner_states(frozen, shape, tokens, **{name: trained[0]})[-1]
            return loss(last.mean(1) @ trained[1])

        return of, base, (added, head)

    stacked = initial_lora(shape, generator, rank=RANK)
    lora = [jax.tree.map(lambda leaf, n=n: leaf[n], stacked) for n in range(shape.blocks)]

    def whole(frozen: Any, trained: Any) -> jax.Array:
        return loss(inner_states(trained[0], shape, tokens)[-1].mean(1) @ trained[1])

    return {
        "parallel": beside(ParallelTuning(CLASSES)),
        "ladder": beside(LadderTuning(CLASSES)),
        "adapters": within("adapters", initial_adapters(shape, generator, BOTTLENECK)),
        "lora": within("lora", lora),
        "full": (whole, None, (base, head)),
    }


@functools.cache
def counted(name: str, blocks: int, share: int, batch: int, places: int) -> dict[str, float]:
    """Temporary bytes and FLOPs of a training step, loss and gradient, as XLA compiles it."""
    shape = proportions(blocks, share)
    of, frozen, trained = arms(shape, batch, places, np.random.default_rng(0))[name]
    step = jax.jit(jax.value_and_grad(of, argnums=1)).lower(frozen, trained).compile()
    found = cost(step)
    return {"bytes": float(found.temporary_bytes), "flops": found.flops}


@functools.cache
def audited(share: int) -> dict[str, float]:
    """Products with transposed matrices of a backbone of three blocks, and its largest gradient."""
    made = arms(proportions(3, share), 2, 8, np.random.default_rng(0))
    found = {
        f"transposed_{name}": float(
            transposed_products(jax.grad(made[name][0], 1), *made[name][1:])
        )
        for name in ("parallel", "adapters")
    }

    @jax.jit
    def slopes(frozen: Any, one: Any, other: Any) -> Any:
        both = (
            jax.grad(made[name][0])(frozen, by) for name, by in (("parallel", one), ("lora", other))
        )
        return tuple(
            jnp.stack([jnp.abs(leaf).max() for leaf in jax.tree.leaves(by)]).max() for by in both
        )

    _, frozen, beside = made["parallel"]
    own, within = slopes(frozen, beside, made["lora"][2])
    return {**found, "gradient_parallel": float(own), "gradient_lora": float(within)}


def per_layer(blocks: int, share: int, places: int) -> float:
    """Bytes that a layer of parallel tuning adds for a place of a text, in closed form; see the README.

    The states, which are made anew, and what `tuning.KEPT` says.
    """
    width = proportions(blocks, share).width
    small, square = KEPT[0]
    return 4.0 * (width + small * (width // 2) + square * places)
