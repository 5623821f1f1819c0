"""A dense feed-forward network of any common kind, cut into slices of hidden units whose sum it is.

Hidden units do not see each other: each is read from the input, passed through an elementwise function and
written to the output. So any parting of them parts the network, exactly, gated or not:

    E_j(x) = a(x U[:, S_j] + b[S_j]) D[S_j] + c / k,    sum over j of E_j(x) = F(x)

Leaves may have axes before these, such as one of layers.

Source: Lu et al., arXiv:2507.17436, the decomposition of granularity; gated networks: Shazeer,
    arXiv:2002.05202.
"""

import dataclasses
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ntkexec.errors import ExperimentError

Activation = Callable[[Array], Array]
PROBE = np.array(
    [[0.7, -2.0, 1.9, -0.3, 3.0, 0.1, -1.1, -0.6], [-0.4, 1.3, 0.2, -2.7, -0.9, 2.1, 0.5, -1.6]],
    np.float32,
)
"""Two rows of hidden units in no order, of both signs, no two alike."""
HALVES = (slice(0, 4), slice(4, 8))


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FeedForward:
    """A network of one hidden layer, or several of one shape along axes in front.

    Args:
        up: from the input to hidden units.
        down: from hidden units to the output.
        up_bias, down_bias: of the two, where there are any.
        gate, gate_bias: of a gated network, whose hidden units are the activation of these times what
            `up` makes, as in SwiGLU.
    """

    up: Float[Any, "... d m"]
    down: Float[Any, "... m o"]
    up_bias: Float[Any, "... m"] | None = None
    down_bias: Float[Any, "... o"] | None = None
    gate: Float[Any, "... d m"] | None = None
    gate_bias: Float[Any, "... m"] | None = None

    @property
    def hidden(self) -> int:
        """Units of the hidden layer."""
        return int(self.up.shape[-1])

    def leaves(self) -> dict[str, Array]:
        """The arrays that there are, by name."""
        named = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: leaf for name, leaf in named.items() if leaf is not None}

    def __call__(self, x: Float[ArrayLike, "... d"], activation: Activation) -> Float[Array, "..."]:
        """The output of one network, without axes in front.

        Args:
            x: one input a row, after any other axes.
            activation: of the hidden units, by itself for each.

        Raises:
            ExperimentError: inputs of another width, or several networks at once.
        """
        x = jnp.asarray(x)
        if np.ndim(self.up) != 2 or not x.ndim or x.shape[-1] != np.shape(self.up)[0]:
            raise ExperimentError(
                f"inputs of shape {x.shape} for weights of shape {np.shape(self.up)}: the last axis of the "
                "one is the first of two of the other"
            )
        made = _added(x @ self.up, self.up_bias)
        if self.gate is None:
            made = activation(made)
        else:
            made = activation(_added(x @ self.gate, self.gate_bias)) * made
        return _added(made @ self.down, self.down_bias)


def from_dense(
    params: Mapping[str, Mapping[str, Any]], *, up: str, down: str, gate: str | None = None
) -> FeedForward:
    """The network that modules of `flax.linen.Dense` make, by their names in a tree of parameters.

    Args:
        params: holds a kernel, and perhaps a bias, under each of the names.
        up, down, gate: the names.

    Raises:
        ExperimentError: names what is missing.
    """
    for name in (up, down, gate):
        if name is not None and "kernel" not in params.get(name, {}):
            raise ExperimentError(f"no kernel of {name!r} among {', '.join(sorted(params))}")
    gated = {} if gate is None else params[gate]
    return checked(
        FeedForward(
            params[up]["kernel"], params[down]["kernel"], params[up].get("bias"),
            params[down].get("bias"), gated.get("kernel"), gated.get("bias"),
        )
    )  # fmt: skip


def checked(ffn: FeedForward) -> FeedForward:
    """The network itself, if its arrays fit each other.

    Raises:
        ExperimentError: names the array that does not, and the shape that would; or it is no `FeedForward`.
    """
    if not isinstance(ffn, FeedForward):
        raise ExperimentError(
            f"a feed-forward network is a FeedForward, not a {type(ffn).__name__}; from_dense(params, "
            "up=..., down=...) makes one of the parameters of Flax"
        )
    if np.ndim(ffn.up) < 2 or np.ndim(ffn.down) < 2:
        raise ExperimentError("matrices of a feed-forward network have two axes at least")
    *front, inputs, hidden = np.shape(ffn.up)
    fitting = {
        "down": (*front, hidden, np.shape(ffn.down)[-1]),
        "up_bias": (*front, hidden),
        "down_bias": (*front, np.shape(ffn.down)[-1]),
        "gate": (*front, inputs, hidden),
        "gate_bias": (*front, hidden),
    }
    for name, shape in fitting.items():
        leaf = getattr(ffn, name)
        if leaf is not None and np.shape(leaf) != shape:
            raise ExperimentError(f"{name} has the shape {np.shape(leaf)}, and {shape} would fit")
    if ffn.gate_bias is not None and ffn.gate is None:
        raise ExperimentError("a bias of a gate needs the gate")
    return ffn


def refuse_fractions(**numbers: Any) -> None:
    """Refuses what should count something and is no whole number.

    Raises:
        ExperimentError: names the first.
    """
    for name, value in numbers.items():
        if not isinstance(value, Integral) or isinstance(value, bool):
            raise ExperimentError(f"{name} is a whole number, not {value!r}")


def refuse_mixing(activation: Activation) -> None:
    """Refuses a function of hidden units that is not elementwise: sliced, it would be another one.

    Raises:
        ExperimentError: the function of a part is not the part of the function.
    """

    def of(rows: Any) -> np.ndarray:
        found = np.asarray(activation(jnp.asarray(rows)))
        # Of another shape, it is no function of each unit; nan equals nothing.
        return found if found.shape == rows.shape else np.full(rows.shape, np.nan)

    parts = [of(PROBE[row : row + 1, half]) for row in (0, 1) for half in HALVES]
    by_parts = np.concatenate([np.concatenate(parts[:2], -1), np.concatenate(parts[2:], -1)])
    order = np.array([3, 6, 0, 5, 1, 7, 2, 4])
    whole, permuted = of(PROBE), of(PROBE[:, order])
    for found, wanted in ((whole, by_parts), (permuted, whole[:, order])):
        if not np.allclose(found, wanted, rtol=1e-5, atol=1e-6):
            raise ExperimentError(
                "the activation mixes hidden units, as softmax, sorting and norms do, or gives no numbers; "
                "only elementwise ones can be cut"
            )


def split_ffn(
    ffn: FeedForward,
    slices: int,
    *,
    order: Int[np.ndarray, "m"] | None = None,
    share_bias: bool = True,
) -> FeedForward:
    """Networks whose sum is the given one, each of an equal share of its hidden units.

    Args:
        ffn: to be cut.
        slices: how many; they divide the hidden units.
        order: of hidden units, a permutation; consecutive ones make a slice. By default as they are.
        share_bias: whether each slice gets its share of the output's bias. With all of it in each, the sum
            is off by (slices - 1) biases.

    Returns:
        The slices, along an axis before those of each leaf.

    Raises:
        ExperimentError: slices that do not divide, an order that is none, or arrays that do not fit.
    """
    refuse_fractions(slices=slices)
    hidden = checked(ffn).hidden
    if slices < 1 or hidden % slices:
        fitting = [number for number in range(1, hidden + 1) if hidden % number == 0]
        raise ExperimentError(
            f"{hidden} hidden units make no {slices} equal slices; "
            f"{', '.join(map(str, fitting[:8]))} would fit"
        )
    order = np.arange(hidden) if order is None else np.asarray(order)
    if not np.array_equal(np.sort(order), np.arange(hidden)):
        raise ExperimentError(f"the order is no permutation of {hidden} hidden units")
    parts = order.reshape(slices, -1)

    def into(leaf: Any) -> Array:
        """Of the last axis, which is moved apart: (..., d, m) to (..., slices, d, m / slices)."""
        return jnp.moveaxis(jnp.asarray(leaf)[..., parts], -2, -3)

    def flat(leaf: Any) -> Array | None:
        return None if leaf is None else jnp.asarray(leaf)[..., parts]

    bias = ffn.down_bias
    if bias is not None:
        bias = jnp.asarray(bias) / (slices if share_bias else 1)
        bias = jnp.repeat(bias[..., None, :], slices, -2)
    return FeedForward(
        up=into(ffn.up),
        down=jnp.asarray(ffn.down)[..., parts, :],
        up_bias=flat(ffn.up_bias),
        down_bias=bias,
        gate=None if ffn.gate is None else into(ffn.gate),
        gate_bias=flat(ffn.gate_bias),
    )


def _added(values: Array, bias: Array | None) -> Array:
    if bias is None:
        return values
    return values + jnp.asarray(bias).reshape((1,) * (values.ndim - 1) + (-1,))
