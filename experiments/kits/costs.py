"""What a computation costs: parameters, bytes, FLOPs counted by XLA, and time against a rival."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from experiments.harness.statistics import Estimate, bootstrap


def num_parameters(tree: Any) -> int:
    """Numbers in all arrays of a pytree."""
    return sum(int(np.prod(leaf.shape)) for leaf in jax.tree.leaves(tree))


def num_bytes(tree: Any) -> int:
    """Bytes of all arrays of a pytree."""
    return sum(int(np.prod(leaf.shape)) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


@dataclasses.dataclass(frozen=True)
class Cost:
    """What the compiled computation costs, by XLA's own account.

    Args:
        flops: floating-point operations; a loop's body counts once.
        accessed_bytes: read and written by all of its kernels.
        temporary_bytes: memory beyond arguments and results.
    """

    flops: float
    accessed_bytes: float
    temporary_bytes: int

    def to_data(self) -> dict[str, float]:
        return dataclasses.asdict(self)


def cost(compiled: jax.stages.Compiled) -> Cost:
    """The cost of a compiled function, as `jax.jit(function).lower(*arguments).compile()` gives it."""
    analysis = compiled.cost_analysis() or {}
    memory = compiled.memory_analysis()
    return Cost(
        float(analysis.get("flops", float("nan"))),
        float(analysis.get("bytes accessed", float("nan"))),
        0 if memory is None else int(memory.temp_size_in_bytes),
    )


def time_ratio(
    measured: Callable[[], Any],
    rival: Callable[[], Any],
    *,
    repeats: int,
    generator: np.random.Generator,
) -> Estimate:
    """Median of `measured`'s time over `rival`'s, taken in turns, so that a busy machine hits both.

    Args:
        measured, rival: compiled functions that return arrays; each is called once to warm up.
        repeats: pairs of calls.
        generator: for the order within pairs and the bootstrap.

    Returns:
        The median ratio with its bootstrap interval.
    """
    jax.block_until_ready((measured(), rival()))
    ratios = []
    for _ in range(repeats):
        seconds = {}
        for which in generator.permutation(2):
            start = time.perf_counter()
            jax.block_until_ready((measured, rival)[which]())
            seconds[int(which)] = time.perf_counter() - start
        ratios.append(seconds[0] / seconds[1])
    return bootstrap(ratios, lambda sample: float(np.median(sample)), generator=generator)
