"""What a computation costs: parameters, bytes, and FLOPs counted by XLA."""

import dataclasses
from typing import Any

import jax
import numpy as np


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
