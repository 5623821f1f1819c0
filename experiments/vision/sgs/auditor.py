"""Whether a block trains like one scaled kernel; if so with which scaling, if not what forbids it."""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, Literal

import flax.linen as nn
import jax
import jax.flatten_util
import jax.numpy as jnp
import numpy as np

from experiments.vision.sgs.estimation import Call
from ntkexec.runtime.precision import float64

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
            known = not np.isnan(self.residual)
            return f"no scaling: {REASONS[self.violation]}" + left * known
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
        # NumPy draws and compares: in JAX each of these shapes would be compiled.
        generator = np.random.default_rng(np.asarray(jax.random.key_data(key)))
        images, more = generator.normal(size=(2, 4, 8, 8, channels))
        weights, variables = _drawn(module, images, arguments, generator)
        flat, unflatten = jax.flatten_util.ravel_pytree(weights)
        start = np.asarray(flat)
        elsewhere = start + 0.1 * generator.normal(size=flat.shape)
        block = Call(module, arguments)

        def acts(flat: np.ndarray, images: np.ndarray) -> _Acts:
            found, slopes = _outputs_and_slopes(
                block, unflatten(jnp.asarray(flat)), variables, jnp.asarray(images)
            )
            return _acts(images, np.asarray(found), np.asarray(slopes), kernel_size)

        here = acts(start, images)
        if here.unexplained > TOLERANCE:
            return Audit("not a convolution", None, None, float("nan"))
        residual = here.beyond_scaling(generator.normal(size=here.outputs.shape))
        if _differ(here.kernel, acts(start, more).kernel):
            return Audit("batch", None, None, residual)
        there = acts(elsewhere, images)
        if _differ(here.jacobian, there.jacobian):
            return Audit("not linear in weights", None, None, residual)
        return _structured(here.jacobian, kernel_size, residual)


def _drawn(
    module: nn.Module,
    images: np.ndarray,
    arguments: Mapping[str, Any],
    generator: np.random.Generator,
) -> tuple[Any, dict[str, Any]]:
    """Random weights, away from where biases and factors are zero or one, and other collections.

    These are positive, as the stored variance of a batch is.
    """
    shapes = jax.eval_shape(
        lambda key, given: dict(module.init(key, given, **arguments)), jax.random.key(0), images
    )
    weights = jax.tree.map(lambda leaf: 0.3 * generator.normal(size=leaf.shape), shapes["params"])
    rest = {name: shapes[name] for name in shapes if name != "params"}
    return weights, jax.tree.map(lambda leaf: generator.uniform(0.5, 1.5, leaf.shape), rest)


@functools.partial(jax.jit, static_argnums=0)
def _outputs_and_slopes(
    block: Call, weights: Any, rest: Mapping[str, Any], images: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Outputs (pixels, out) and their derivatives by the weights (pixels, out, weights)."""
    flat, unflatten = jax.flatten_util.ravel_pytree(weights)

    def forward(flat: jax.Array) -> jax.Array:
        given = {"params": unflatten(flat), **rest}
        found = block.module.apply(given, images, mutable=list(rest), **block.arguments)[0]
        return found.reshape(-1, found.shape[-1])

    return forward(flat), jax.jacfwd(forward)(flat)


@dataclasses.dataclass(frozen=True)
class _Acts:
    """How a block acts on a batch, beside the kernel and bias that explain it best.

    Args:
        patches: every pixel's neighbourhood as a row, positions before channels.
        outputs: of the block for every pixel, (pixels, out).
        slopes: derivatives of the outputs by the weights, (pixels, out, weights).
        kernel: of least squares, (positions, in, out).
        jacobian: derivatives of the kernel by the weights, (positions, in, out, weights).
        unexplained: largest error of kernel and bias, over the largest output.
    """

    patches: np.ndarray
    outputs: np.ndarray
    slopes: np.ndarray
    kernel: np.ndarray
    jacobian: np.ndarray
    unexplained: float

    def beyond_scaling(self, wanted: np.ndarray) -> float:
        """The share of a small step of the kernel that no scaling of its gradient explains.

        The loss is the squared distance of the outputs' tanh from what is wanted.
        """
        squashed = np.tanh(self.outputs)
        by_output = 2 * (squashed - wanted) * (1 - squashed**2) / wanted.size
        change = -self.jacobian @ np.tensordot(by_output, self.slopes, 2)
        # The kernel's own gradient, through the outputs that it is responsible for.
        own = (self.patches.T @ by_output).reshape(self.kernel.shape)
        best = -np.sum(change * own, (1, 2)) / np.sum(own * own, (1, 2))
        left = change + best[:, None, None] * own
        return float(np.linalg.norm(left) / np.linalg.norm(change))


def _acts(
    images: np.ndarray, outputs: np.ndarray, slopes: np.ndarray, size: tuple[int, int]
) -> _Acts:
    padded = np.pad(images, ((0, 0), (size[0] // 2,) * 2, (size[1] // 2,) * 2, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, size, (1, 2))
    patches = np.moveaxis(windows, 3, 5).reshape(len(outputs), -1)
    design = np.concatenate([patches, np.ones((len(patches), 1))], 1)
    inverse = np.linalg.pinv(design)
    fitted, shape = inverse @ outputs, (size[0] * size[1], images.shape[-1], outputs.shape[-1])
    jacobian = np.tensordot(inverse[:-1], slopes, 1).reshape(*shape, -1)
    unexplained = float(np.abs(outputs - design @ fitted).max() / np.abs(outputs).max())
    return _Acts(patches, outputs, slopes, fitted[:-1].reshape(shape), jacobian, unexplained)


def _differ(one: np.ndarray, other: np.ndarray) -> bool:
    return float(np.abs(one - other).max()) > TOLERANCE * float(np.abs(one).max())


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
