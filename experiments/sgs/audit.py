"""Whether a block trains like one scaled kernel; if so with which scaling, if not what forbids it."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

from ntkexec.precision import float64

Violation = Literal["", "not a convolution", "batch", "not linear in weights", "channels"]
TOLERANCE = 1e-8

REASONS: Mapping[Violation, str] = {
    "": "linear branches of constant factors",
    "not a convolution": "no single kernel computes what the block computes on a batch",
    "batch": "the kernel that it acts as depends on the batch, as batch normalisation's does",
    "not linear in weights": "the kernel is no linear function of the weights: trained factors, or "
    "convolutions in series",
    "channels": "branches treat channels differently, or mix them",
}


@dataclasses.dataclass(frozen=True)
class Audit:
    """What training a block by SGD does to the one kernel that it acts as.

    Args:
        violation: the first condition of the lemma that the block breaks; empty if none.
        preconditioner: P, of shape (h w, h w): one step changes the kernel by `-rate P G` over the
            positions of every channel pair; none if a condition is broken.
        scaling: the diagonal of P as (h, w), where P is diagonal: the block is this scaling.
        residual: the part of one small step that the best scaling of the kernel's gradient leaves
            unexplained, between 0 and 1; nan if there is no such kernel.
    """

    violation: Violation
    preconditioner: np.ndarray | None
    scaling: np.ndarray | None
    residual: float

    def __str__(self) -> str:
        if self.violation:
            left = f"; {self.residual:.0%} of a step is beyond any scaling"
            return f"no scaling: {REASONS[self.violation]}" + left * (
                self.residual == self.residual
            )
        if self.scaling is None:
            return f"a preconditioner over positions, no scaling (residual {self.residual:.2g})"
        return f"trains as one kernel with the scaling\n{np.round(self.scaling, 4)}"


def audit(
    module: nn.Module,
    *,
    channels: int,
    kernel_size: tuple[int, int] = (3, 3),
    key: jax.Array,
    **arguments: Any,
) -> Audit:
    """Audits a Flax block that keeps the size of its images, such as a re-parameterised convolution.

    Everything is measured, in float64, on small random images: what the block is written like does
    not matter.

    Args:
        module: maps (n, h, w, channels) to (n, h, w, features); stride 1, zero padding.
        channels: of its input; two are enough to see channels mixed.
        kernel_size: of the kernel that it should act as.
        key: of images, weights and loss.
        arguments: for the block's call, such as `train=True`.
    """
    with float64():
        names = ("init", "other", "images", "more", "loss")
        keys = dict(zip(names, jax.random.split(key, len(names)), strict=True))
        batches = [
            jax.random.normal(keys[name], (4, 8, 8, channels)) for name in ("images", "more")
        ]
        variables = module.init(keys["init"], batches[0], **arguments)
        weights = variables["params"]
        rest = {name: value for name, value in variables.items() if name != "params"}

        def call(weights: Any, images: jax.Array) -> jax.Array:
            return module.apply(
                {"params": weights, **rest}, images, mutable=list(rest), **arguments
            )[0]

        flat, unflatten = jax.flatten_util.ravel_pytree(weights)
        # Away from the start, where biases and factors are zero or one.
        start = flat + 0.1 * jax.random.normal(keys["other"], flat.shape)
        elsewhere = start + 0.1 * jax.random.normal(keys["loss"], flat.shape)

        def forward(flat: jax.Array, images: jax.Array) -> jax.Array:
            return call(unflatten(flat), images)

        kernel, unexplained = _kernel_on(batches[0], forward, kernel_size)
        if float(unexplained(start)) > TOLERANCE:
            return Audit("not a convolution", None, None, float("nan"))
        residual = _one_step(kernel, forward, batches[0], start, kernel_size, keys["loss"])
        other, _ = _kernel_on(batches[1], forward, kernel_size)
        if _differ(kernel(start), other(start)):
            return Audit("batch", None, None, residual)
        jacobian = jax.jacobian(kernel)(start)
        if _differ(jacobian, jax.jacobian(kernel)(elsewhere)):
            return Audit("not linear in weights", None, None, residual)
        return _structured(np.asarray(jacobian), kernel_size, residual)


def _kernel_on(
    images: jax.Array, forward: Callable[..., jax.Array], kernel_size: tuple[int, int]
) -> tuple[Callable[[jax.Array], jax.Array], Callable[[jax.Array], jax.Array]]:
    """The kernel (positions, in, out) that explains a block's outputs on a batch, and what it misses."""
    patches = _patches(images, kernel_size)
    design = jnp.concatenate([patches, jnp.ones((len(patches), 1))], 1)
    inverse = jnp.linalg.pinv(design)

    def outputs(flat: jax.Array) -> jax.Array:
        found = forward(flat, images)
        return found.reshape(-1, found.shape[-1])

    def kernel(flat: jax.Array) -> jax.Array:
        fitted = (inverse @ outputs(flat))[:-1]
        return fitted.reshape(kernel_size[0] * kernel_size[1], images.shape[-1], -1)

    def unexplained(flat: jax.Array) -> jax.Array:
        found = outputs(flat)
        return jnp.abs(found - design @ (inverse @ found)).max() / jnp.abs(found).max()

    return kernel, unexplained


def _patches(images: jax.Array, kernel_size: tuple[int, int]) -> jax.Array:
    """Every pixel's neighbourhood as a row, positions before channels."""
    height, width = kernel_size
    rows, columns = images.shape[1:3]
    padded = jnp.pad(images, ((0, 0), (height // 2,) * 2, (width // 2,) * 2, (0, 0)))
    shifted = [
        padded[:, dy : dy + rows, dx : dx + columns] for dy in range(height) for dx in range(width)
    ]
    stacked = jnp.stack(shifted, axis=3)
    return stacked.reshape(-1, height * width * images.shape[-1])


def _differ(one: jax.Array, other: jax.Array) -> bool:
    return float(jnp.abs(one - other).max()) > TOLERANCE * float(jnp.abs(one).max())


def _one_step(
    kernel: Callable[[jax.Array], jax.Array],
    forward: Callable[..., jax.Array],
    images: jax.Array,
    start: jax.Array,
    kernel_size: tuple[int, int],
    key: jax.Array,
) -> float:
    """The share of a small step of the kernel that no scaling of its gradient explains."""
    outputs = forward(start, images)
    wanted = jax.random.normal(key, outputs.shape)

    def loss(outputs: jax.Array) -> jax.Array:
        return jnp.mean((jnp.tanh(outputs) - wanted) ** 2)

    gradient = jax.grad(lambda flat: loss(forward(flat, images)))(start)
    # The kernel's own gradient, through the outputs that it is responsible for.
    by_output = jax.grad(loss)(outputs).reshape(-1, outputs.shape[-1])
    own = (_patches(images, kernel_size).T @ by_output).reshape(kernel(start).shape)
    change = jax.jvp(kernel, (start,), (-gradient,))[1]
    best = -jnp.sum(change * own, (1, 2)) / jnp.sum(own * own, (1, 2))
    left = change + best[:, None, None] * own
    return float(jnp.linalg.norm(left) / jnp.linalg.norm(change))


def _structured(jacobian: np.ndarray, kernel_size: tuple[int, int], residual: float) -> Audit:
    inputs, outputs = jacobian.shape[1:3]
    product = np.einsum("aiow,bjpw->abijop", jacobian, jacobian)
    preconditioner = np.einsum("abiioo->ab", product) / (inputs * outputs)
    alike = np.einsum("ab,ij,op->abijop", preconditioner, np.eye(inputs), np.eye(outputs))
    if np.abs(product - alike).max() > TOLERANCE * np.abs(product).max():
        return Audit("channels", None, None, residual)
    diagonal = np.diag(preconditioner)
    if np.abs(preconditioner - np.diag(diagonal)).max() > TOLERANCE * diagonal.max():
        return Audit("", preconditioner, None, residual)
    return Audit("", preconditioner, diagonal.reshape(kernel_size), residual)
