"""Binary operators that aggregate: learned ones, fixed ones, and oracles whose laws are exact.

A function on multisets of rows is a commutative monoid's fold; the operator, commutative and
associative with an identity, settles it. What is learned here is commutative by construction, to the
bit, and associative as far as training makes it.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from ntkexec.errors import ExperimentError

Operator: TypeAlias = Callable[[Array, Array], Array]
"""From rows (..., d) and rows (..., d) to rows (..., d)."""
KINDS = ("gru", "mlp", "sum", "max", "min2", "flow")


class GRUWeights(NamedTuple):
    """A gated recurrent unit on states and inputs of one width: 6 d^2 + 6 d numbers.

    Args:
        input_kernel, input_bias: (d, 3d) and (3d,): reset, update and candidate, side by side.
        state_kernel, state_bias: the same, for the state.
    """

    input_kernel: Float[Array, "d 3*d"]
    input_bias: Float[Array, " 3*d"]
    state_kernel: Float[Array, "d 3*d"]
    state_bias: Float[Array, " 3*d"]


def gru(
    weights: GRUWeights, inputs: Float[Array, "*b d"], state: Float[Array, "*b d"]
) -> Float[Array, "*b d"]:
    """The next state: (1 - z) c + z h, with c = tanh(W x + r (U h + b')).

    Source: Cho et al., arXiv:1406.1078; as PyTorch computes it.
    """
    return gated(project(weights.input_kernel, weights.input_bias, inputs), weights, state)


def gated(
    projected: Float[Array, "*b 3*d"], weights: GRUWeights, state: Float[Array, "*b d"]
) -> Float[Array, "*b d"]:
    """`gru` for inputs that were multiplied by the input kernel before."""
    return _gates(projected, project(weights.state_kernel, weights.state_bias, state), state)


def project(
    kernel: Float[Array, "d e"], bias: Float[Array, " e"], x: Float[Array, "*b d"]
) -> Float[Array, "*b e"]:
    """x W + b, along the last axis."""
    return x @ kernel + bias.reshape((1,) * (x.ndim - 1) + (-1,))


def _gates(inputs: Array, inner: Array, state: Array) -> Array:
    reset_in, update_in, candidate_in = jnp.split(inputs, 3, -1)
    reset_state, update_state, candidate_state = jnp.split(inner, 3, -1)
    update = nn.sigmoid(update_in + update_state)
    candidate = jnp.tanh(candidate_in + nn.sigmoid(reset_in + reset_state) * candidate_state)
    return (1 - update) * candidate + update * state


def gru_monoid(
    weights: GRUWeights, x: Float[Array, "*b d"], y: Float[Array, "*b d"]
) -> Float[Array, "*b d"]:
    """(GRU(x, y) + GRU(y, x)) / 2, commutative to the bit since addition is.

    The four matrix products are of one shape: were they one product, a row's sum could be taken in
    another order as first than as second operand.

    Source: Ong and Veličković, arXiv:2212.08541.
    """
    return (gru(weights, x, y) + gru(weights, y, x)) / 2


class GRUCell(nn.Module):
    """Declares a GRU's weights; call it for `GRUWeights`.

    Args:
        width: d.
    """

    width: int

    @nn.compact
    def __call__(self) -> GRUWeights:
        shape = (self.width, 3 * self.width)
        return GRUWeights(*_Affine(shape, name="input")(), *_Affine(shape, name="state")())


class _Affine(nn.Module):
    shape: tuple[int, int]

    @nn.compact
    def __call__(self) -> tuple[Array, Array]:
        kernel = self.param("kernel", nn.initializers.lecun_normal(), self.shape, jnp.float32)
        return kernel, self.param("bias", nn.initializers.zeros, self.shape[1:], jnp.float32)


class _Neutral(nn.Module):
    width: int

    @nn.compact
    def __call__(self) -> Array:
        found: Array = self.param("bias", nn.initializers.zeros, (self.width,), jnp.float32)
        return found


class BinaryMonoid(nn.Module):
    """A binary operator on rows of width d, `monoid(x, y)`, and its identity, `monoid(method="identity")`.

    Args:
        width: d; even for `min2` and `flow`.
        kind: learned: `gru` and `mlp`, which are symmetrised, so commutative, and associative only as
            far as they are trained to be, and whose identity is learned; `flow`,
            phi^-1(phi(x) + phi(y)) with an invertible network phi, all of whose laws hold, but which is
            a sum in disguise. Fixed: `sum`; `max`; `min2`, whose row holds d/2 smallest values and,
            behind them, d/2 second-smallest ones: `lifted` makes such rows.

    Raises:
        ExperimentError: there is no such kind, or a width is odd that must be even.

    Source: Ong and Veličković, arXiv:2212.08541; `flow` and `min2` are ours, to test folds with.
    """

    width: int
    kind: str = "gru"

    def setup(self) -> None:
        if self.kind not in KINDS:
            raise ExperimentError(f"{self.kind!r} is no operator; there are {', '.join(KINDS)}")
        if self.kind in ("min2", "flow") and self.width % 2:
            raise ExperimentError(f"{self.kind!r} needs rows of even width, and got {self.width}")
        if self.kind == "gru":
            self.cell = GRUCell(self.width)
        if self.kind == "mlp":
            self.layers = (nn.Dense(2 * self.width), nn.Dense(self.width))
        if self.kind == "flow":
            half = self.width // 2
            self.shifts = tuple(
                (nn.Dense(self.width), nn.Dense(half, use_bias=False)) for _ in range(2)
            )
        if self.kind in ("gru", "mlp"):
            self.neutral = _Neutral(self.width)

    def __call__(self, x: Float[Array, "*b d"], y: Float[Array, "*b d"]) -> Float[Array, "*b d"]:
        if self.is_initializing():
            self.identity()  # so that its variables are made, too
        found: Array = getattr(self, f"_{self.kind}")(x, y)
        return found

    def identity(self) -> Float[Array, " d"]:
        """The row e of x e = x; what is learned begins with zeros, and obeys as far as it is trained."""
        if self.kind in ("gru", "mlp"):
            return self.neutral()
        if self.kind == "flow":
            return self._backward(jnp.zeros(self.width))
        return jnp.full(self.width, {"sum": 0.0, "max": -jnp.inf, "min2": jnp.inf}[self.kind])

    def weights(self) -> GRUWeights:
        """Of a `gru`; so that the operator can be used within JAX's loops, which modules cannot."""
        return self.cell()

    def _gru(self, x: Array, y: Array) -> Array:
        return gru_monoid(self.cell(), x, y)

    def _mlp(self, x: Array, y: Array) -> Array:
        first, second = self.layers

        def one_way(x: Array, y: Array) -> Array:
            return jnp.tanh(second(nn.gelu(first(jnp.concatenate([x, y], -1)))))

        return (one_way(x, y) + one_way(y, x)) / 2

    def _sum(self, x: Array, y: Array) -> Array:
        return x + y

    def _max(self, x: Array, y: Array) -> Array:
        return jnp.maximum(x, y)

    def _min2(self, x: Array, y: Array) -> Array:
        (low, high), (low2, high2) = jnp.split(x, 2, -1), jnp.split(y, 2, -1)
        second = jnp.minimum(jnp.maximum(low, low2), jnp.minimum(high, high2))
        return jnp.concatenate([jnp.minimum(low, low2), second], -1)

    def _flow(self, x: Array, y: Array) -> Array:
        return self._backward(self._forward(x) + self._forward(y))

    def _shift(self, layer: int, x: Array) -> Array:
        first, second = self.shifts[layer]
        found: Array = second(jnp.tanh(first(x)))
        return found

    def _forward(self, x: Array) -> Array:
        left, right = jnp.split(x, 2, -1)
        right = right + self._shift(0, left)
        left = left + self._shift(1, right)
        return jnp.concatenate([left, right], -1)

    def _backward(self, x: Array) -> Array:
        left, right = jnp.split(x, 2, -1)
        left = left - self._shift(1, right)
        right = right - self._shift(0, left)
        return jnp.concatenate([left, right], -1)


def lifted(values: Float[Array, "*b k"]) -> Float[Array, "*b 2*k"]:
    """Values as rows of `min2`: the smallest of one value is it, and there is no second."""
    return jnp.concatenate([values, jnp.full_like(values, jnp.inf)], -1)
