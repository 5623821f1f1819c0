"""A Flax module's first variables, drawn by NumPy: a hundredth of a second instead of seconds."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
import jax
import numpy as np

from ntkexec.errors import ExperimentError

# (generator, shape of the leaf, inputs of its layer) -> values
Rule = Callable[[np.random.Generator, tuple[int, ...], int], np.ndarray]


def lecun_normal(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """Variance 1 / fan_in, normal cut at two deviations: what Flax gives its kernels."""
    return _cut_normal(generator, shape, 1 / fan_in)


def he_normal(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """Variance 2 / fan_in, normal cut at two deviations."""
    return _cut_normal(generator, shape, 2 / fan_in)


def glorot_normal(
    generator: np.random.Generator, shape: tuple[int, ...], fan_in: int
) -> np.ndarray:
    """Variance 2 / (fan_in + fan_out), normal cut at two deviations."""
    return _cut_normal(generator, shape, 2 / (fan_in + _fan_out(shape)))


def glorot_uniform(
    generator: np.random.Generator, shape: tuple[int, ...], fan_in: int
) -> np.ndarray:
    """Uniform with variance 2 / (fan_in + fan_out)."""
    limit = math.sqrt(6 / (fan_in + _fan_out(shape)))
    return generator.uniform(-limit, limit, shape)


def fan_in_uniform(
    generator: np.random.Generator, shape: tuple[int, ...], fan_in: int
) -> np.ndarray:
    """Uniform within 1 / sqrt(fan_in): what PyTorch gives kernels and biases of its layers."""
    limit = 1 / math.sqrt(fan_in)
    return generator.uniform(-limit, limit, shape)


def zeros(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """Zeros."""
    return np.zeros(shape)


def ones(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    """Ones."""
    return np.ones(shape)


def embedding_normal(
    generator: np.random.Generator, shape: tuple[int, ...], fan_in: int
) -> np.ndarray:
    """Normal with variance 1 / width: what Flax gives its embeddings."""
    return generator.normal(0, 1 / math.sqrt(shape[-1]), shape)


FLAX: Mapping[str, Rule] = {
    "kernel": lecun_normal,
    "embedding": embedding_normal,
    "bias": zeros,
    "attention": glorot_uniform,
    "sender_attention": glorot_uniform,
    "epsilon": zeros,
    "scale": ones,
    "mean": zeros,
    "var": ones,
}
TORCH: Mapping[str, Rule] = {**FLAX, "kernel": fan_in_uniform, "bias": fan_in_uniform}


# A module of this name holds equal layers beside each other, as `flax.linen.scan` does: the first axis
# of its leaves counts layers, each drawn by itself.
STACK = "stack"


def initial_by_numpy(
    module: nn.Module,
    generator: np.random.Generator,
    *inputs: Any,
    rules: Mapping[str, Rule] = FLAX,
    **arguments: Any,
) -> Any:
    """The module's variables before training; only their shapes are asked of Flax.

    Args:
        module: traced once, without computing anything. Equal layers that `flax.linen.scan` holds are
            told by their name, `stack`.
        generator: all values are drawn from it, leaf by leaf in Flax's order.
        inputs: of its call: pytrees of arrays, of which only shapes and types matter.
        rules: how a leaf is drawn, by its name or by the end of its path, such as `kernel` or
            `out/kernel`; the longest that fits counts. `{**FLAX, "bias": ones}` changes one.
        arguments: for its call, such as `train=True`; they are not traced.

    Returns:
        Variables as `module.init` returns them, as NumPy arrays of the same types.

    Raises:
        ExperimentError: names a leaf that no rule fits, and a kernel whose inputs cannot be told from
            its shape because a general rule is asked of three axes or more than four.
    """

    def init(*inputs: Any) -> Any:
        keys = {name: jax.random.key(0) for name in ("params", "dropout")}
        return module.init(keys, *inputs, **arguments)

    shapes = jax.eval_shape(init, *inputs)
    flat, structure = jax.tree_util.tree_flatten_with_path(shapes)
    paths = ["/".join(str(entry.key) for entry in path) for path, _ in flat]
    kernels = {
        path.rpartition("/")[0]: leaf.shape
        for path, (_, leaf) in zip(paths, flat, strict=True)
        if path.endswith("/kernel")
    }
    leaves = []
    for path, (_, leaf) in zip(paths, flat, strict=True):
        rule, general = _rule(path, rules)
        kernel = kernels.get(path.rpartition("/")[0], leaf.shape)
        copies, shape = 1, leaf.shape
        if STACK in path.split("/"):
            copies, shape, kernel = leaf.shape[0], leaf.shape[1:], kernel[1:]
        fan_in = _fan_in(path, kernel, rule, general)
        values = np.stack([rule(generator, shape, fan_in) for _ in range(copies)])
        leaves.append(values.reshape(leaf.shape).astype(leaf.dtype))
    return jax.tree.unflatten(structure, leaves)


def _rule(path: str, rules: Mapping[str, Rule]) -> tuple[Rule, bool]:
    fitting = [name for name in rules if f"/{path}".endswith(f"/{name}")]
    if not fitting:
        raise ExperimentError(
            f"no rule says how {path!r} begins: give one for {path.rpartition('/')[2]!r} beside "
            f"those for {', '.join(rules)}"
        )
    best = max(fitting, key=len)
    return rules[best], "/" not in best


def _fan_in(path: str, kernel: tuple[int, ...], rule: Rule, general: bool) -> int:
    """Inputs of a layer: all axes of its kernel but the last, as in dense layers and convolutions."""
    if general and rule not in (zeros, ones, embedding_normal) and len(kernel) not in (1, 2, 4):
        raise ExperimentError(
            f"inputs of {path!r} cannot be told from its kernel's shape {kernel}: give a rule for "
            "the end of its path, and count them there"
        )
    return max(1, math.prod(kernel[:-1]))


def _fan_out(shape: tuple[int, ...]) -> int:
    return shape[-1] * math.prod(shape[:-2])


# The variance of a standard normal that is cut at two deviations is this number squared.
_CUT_DEVIATION = 0.87962566103423978


def _cut_normal(
    generator: np.random.Generator, shape: tuple[int, ...], variance: float
) -> np.ndarray:
    values = generator.normal(size=shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = generator.normal(size=int(outside.sum()))
    return values * (math.sqrt(variance) / _CUT_DEVIATION)
