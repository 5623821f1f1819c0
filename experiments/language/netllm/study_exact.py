"""What needs no training: numbers of weights, answers to anything, and memory by XLA's own account."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from experiments.harness.study import NotMeasured, Trial
from experiments.kits.costs import num_parameters
from experiments.kits.transformer.decoder import MATRICES, NORMS, Params, Shape, logits, run
from experiments.kits.transformer.lora import initial_lora
from experiments.kits.transformer.tasks import WORDS
from experiments.language.netllm.abr import PAST
from experiments.language.netllm.adapting import (
    initial_trained,
    loss_of,
    optimiser,
    outputs_of,
    updated,
)
from experiments.language.netllm.streaming import Streaming
from experiments.language.netllm.study_backbone import tiny_backbone, tiny_model
from experiments.language.netllm.study_config import NetConfig

SEVEN_BILLION = Shape(
    blocks=32, width=4096, heads=32, key_heads=32, hidden=11008, vocabulary=32000, pairs="halves"
)
"""The size of Llama 2 7B."""
RANK, WINDOW = 128, 20
"""Of the public code: of low-rank weights, and chunks of a batch of one."""
QUALITIES = 6
PROMPT = 8


def counts(config: NetConfig, trial: Trial) -> dict[str, int]:
    """Numbers of low-rank weights on a model of the paper's size: their number is linear in the rank."""

    def adapting(*names: str) -> int:
        made = initial_lora(SEVEN_BILLION, trial.generator, rank=1, names=names)
        return RANK * num_parameters(made)

    return {
        "adapters": adapting("query", "value"),
        "all_matrices": adapting(*MATRICES),
        "backbone": SEVEN_BILLION.num_parameters(),
    }


def answers(config: NetConfig, trial: Trial) -> dict[str, int]:
    """Answers to random situations, a tenth of them beyond all measure, that are none of the bitrates.

    By the head, in one call each; and word by word: the trained decoder is told numbers and continues after
    "=", where a valid continuation is one of six.
    """
    generator, number = trial.generator, config.abr_states
    backbone = tiny_backbone(config, trial)
    task = Streaming.of(backbone.shape.width, qualities=QUALITIES, features=8)
    trained = initial_trained(task, backbone.shape, generator, rank=config.rank, scale=1.0)
    states = generator.normal(size=(number, 1, 6, PAST)).astype(np.float32)
    states[: number // 10] *= np.float32(1e30)
    states[: number // 20, 0, 0, -1] = np.nan
    inputs = {
        "returns": generator.normal(size=(number, 1)).astype(np.float32), "states": states,
        "actions": np.zeros((number, 1), np.int32), "time": np.zeros((number, 1), np.int32),
        "real": np.ones((number, 1), bool),
    }  # fmt: skip
    chosen = np.asarray(_chosen(task, backbone.shape, backbone.params, trained, inputs))
    params, shape = tiny_model(config, trial.seed)
    first = WORDS.index("0")
    prompts = generator.integers(first, len(WORDS), size=(number, PROMPT))
    prompts[:, -1] = WORDS.index("=")
    said = np.asarray(_said(shape, params, prompts))
    return {
        "invalid": int(((chosen < 0) | (chosen >= QUALITIES)).sum()),
        "invalid_words": int(((said < first) | (said >= first + QUALITIES)).sum()),
        "answers": number,
    }


@functools.partial(jax.jit, static_argnames=("task", "shape"))
def _chosen(task: Streaming, shape: Shape, params: Params, trained: Params, inputs: Any) -> Any:
    return task.head.answer(outputs_of(task, shape, params, trained, inputs)[:, -1])


@functools.partial(jax.jit, static_argnames="shape")
def _said(shape: Shape, params: Params, prompts: Any) -> Any:
    return logits(params, shape, run(params, shape, prompts).last[:, -1]).argmax(-1)


def memory(config: NetConfig, trial: Trial) -> dict[str, float]:
    """Gigabytes of a training step at the paper's size, all that is held at once, by XLA's account.

    Nothing of that size is made: programs are compiled for shapes alone. `saving` is that of low-rank
    weights with checkpointing in both arms, `saving_unlike` with it in theirs alone, as the public code has
    it, `saving_checkpointing` what it saves for low-rank weights, and `saving_weights` what they
    save where weights alone are counted: less than nothing.
    """
    found = dict(_gigabytes(config.memory_blocks or SEVEN_BILLION.blocks, config.memory_arms))
    weights, added = SEVEN_BILLION.num_parameters(), counts(config, trial)["adapters"]
    found["saving_weights"] = 1 - (weights + added) / weights
    for name, other in (
        ("saving", "full"), ("saving_unlike", "full_not_checkpointed"),
        ("saving_checkpointing", "adapters_not_checkpointed"),
    ):  # fmt: skip
        if other in found:
            found[name] = 1 - found["adapters"] / found[other]
    return found


@functools.cache
def _gigabytes(blocks: int, arms: int) -> tuple[tuple[str, float], ...]:
    shape = _small_table(blocks)
    known = (
        ("adapters", False, True), ("full", True, True),
        ("adapters_not_checkpointed", False, False), ("full_not_checkpointed", True, False),
    )  # fmt: skip
    return tuple((name, _held(shape, *how) / 1e9) for name, *how in known[:arms])


def _small_table(blocks: int) -> Shape:
    """Without tokens, which the task does not read."""
    big = SEVEN_BILLION
    return Shape(
        blocks=blocks, width=big.width, heads=big.heads, key_heads=big.key_heads, hidden=big.hidden,
        vocabulary=1, pairs=big.pairs,
    )  # fmt: skip


def _held(shape: Shape, everything: bool, checkpoint: bool) -> float:
    """Bytes of arguments, results that are not in an argument's place, and what lies between."""
    task = Streaming.of(shape.width, qualities=QUALITIES)

    def like(*sides: int) -> jax.ShapeDtypeStruct:
        return jax.ShapeDtypeStruct(sides, jnp.float32)

    blocks = {name: like(shape.blocks, *sides) for name, sides in shape.sides().items()}
    blocks |= {name: like(shape.blocks, shape.width) for name in NORMS}
    params = {"embedding": like(1, shape.width), "blocks": blocks, "norm": like(shape.width)}
    generator = np.random.default_rng(0)
    own = jax.tree.map(lambda x: like(*x.shape), task.initial(generator, shape.width))
    sides = {
        "down": like(shape.blocks, shape.width, RANK),
        "up": like(shape.blocks, RANK, shape.width),
    }
    adapters = {"query": sides, "value": sides}
    trained = {"task": own, **({"backbone": params} if everything else {"adapters": adapters})}
    frozen: Any = {"embedding": like(1, shape.width)} if everything else params
    state = jax.eval_shape(optimiser().init, trained)
    whole = jax.ShapeDtypeStruct((1, WINDOW), jnp.int32)
    inputs = {
        "returns": like(1, WINDOW), "states": like(1, WINDOW, 6, PAST), "actions": whole,
        "time": whole, "real": jax.ShapeDtypeStruct((1, WINDOW), jnp.bool_),
    }  # fmt: skip

    def step(params: Any, trained: Any, state: Any, inputs: Any) -> Any:
        def loss(trained: Any) -> Any:
            return loss_of(task, shape, params, trained, inputs, checkpoint=checkpoint)

        return updated(loss, trained, state, 1e-4)

    lowered = jax.jit(step, donate_argnums=(1, 2)).lower(frozen, trained, state, inputs)
    # Where buffers lie is decided before machine code is made, which nobody runs.
    compiled = lowered.compile(
        compiler_options={
            "xla_backend_optimization_level": "0", "xla_llvm_disable_expensive_passes": True,
        }
    )  # fmt: skip
    told = compiled.memory_analysis()
    if told is None:
        raise NotMeasured("XLA does not say here how much memory a program takes")
    return float(
        told.argument_size_in_bytes + told.output_size_in_bytes + told.temp_size_in_bytes
        - told.alias_size_in_bytes
    )  # fmt: skip


FUNCTIONS: dict[str, Callable[..., Any]] = {"counts": counts, "answers": answers, "memory": memory}
SLOW = ("answers", "memory")
