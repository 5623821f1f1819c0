"""From a dense network to a mixture of experts that begins as the same function, and how far it went since.

```python
import jax
import numpy as np
from experiments.vision.dynamic_dino.mixture import MoEFFN
from experiments.vision.dynamic_dino.splitting import FeedForward
from experiments.vision.dynamic_dino.upcycling import upcycle

rng = np.random.default_rng(0)
dense = FeedForward(*(rng.normal(size=shape) for shape in ((8, 32), (32, 8), (32,), (8,))))
layer = MoEFFN(hidden=32, copies=4, slices=2, activation=jax.nn.gelu, gate="all")
variables = upcycle(dense, rng, copies=4, slices=2, activation=jax.nn.gelu, gate="all")
x = rng.normal(size=(5, 8)).astype(np.float32)
print(np.abs(layer.apply(variables, x) - dense(x, jax.nn.gelu)).max())  # rounding
```

Source: Lu et al., arXiv:2507.17436, initialisation of experts and router; Komatsuzaki et al., Sparse
    upcycling, arXiv:2212.05055.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from experiments.vision.dynamic_dino.mixture import START
from experiments.vision.dynamic_dino.routing import EXACT, Gate, gate_of
from experiments.vision.dynamic_dino.splitting import (
    Activation,
    FeedForward,
    checked,
    refuse_fractions,
    refuse_mixing,
    split_ffn,
)
from ntkexec.errors import ExperimentError

ROUTERS = ("tied", "untied")


def upcycle(
    ffn: FeedForward,
    generator: np.random.Generator,
    *,
    copies: int,
    slices: int,
    activation: Activation = jax.nn.relu,
    gate: str | Gate = "scaled",
    router: str = "tied",
    deviation: float = 0.02,
    order: np.ndarray | None = None,
) -> dict[str, Any]:
    """Variables of a `MoEFFN` that computes what a dense network does.

    The k slices of a copy share their row of the router, so their logits are equal, and k of them are
    chosen together; each token meets one whole copy. That needs gates of 1. `unit` and `scaled` are 1 where
    the chosen tie. Any other is *anchored*: the variables hold the router as it begins, and a `MoEFFN` of
    such a gate takes 1 plus the gate less what it is by that router.

    Args:
        ffn: of any number of layers along axes in front, which the variables keep, as `nn.scan` stacks them.
        generator: of the router's rows.
        copies, slices: see `MoEFFN`.
        activation: of the network; refused if it is not elementwise.
        gate: see `routing.GATES`.
        router: "tied", or "untied": a row of its own for each expert, with which slices of many copies
            mix, and the function is lost.
        deviation: of the router's normal draws.
        order: of hidden units, see `split_ffn`.

    Raises:
        ExperimentError: a network that cannot be cut so, or another router.
    """
    gate_of(gate)
    checked(ffn)
    refuse_fractions(copies=copies, slices=slices)
    refuse_mixing(activation)
    if copies < 1 or not deviation > 0 or router not in ROUTERS:
        raise ExperimentError(
            f"{copies} copies, a router that is {router!r} with deviation {deviation:g}: there is a copy at "
            f"least, the deviation is above 0, and routers are {' or '.join(ROUTERS)}"
        )
    parts = split_ffn(ffn, slices, order=order)
    front = np.shape(ffn.up)[:-2]

    # All slices of the first copy, then of the next.
    experts = {
        name: jnp.concatenate([leaf] * copies, len(front)) for name, leaf in parts.leaves().items()
    }
    inputs, rows = np.shape(ffn.up)[-2], copies if router == "tied" else copies * slices
    drawn = generator.normal(size=(*front, inputs, rows)) * deviation
    if router == "tied":
        drawn = np.repeat(drawn, slices, -1)
    rows_of = jnp.asarray(drawn, jnp.promote_types(experts["up"].dtype, jnp.float32))
    variables: dict[str, Any] = {"params": {**experts, "router": rows_of}}
    if gate not in EXACT:
        variables[START] = {"router": rows_of}
    return variables


def widened(
    ffn: FeedForward, generator: np.random.Generator, *, copies: int, deviation: float | None = None
) -> FeedForward:
    """A dense network with so many times the hidden units that computes the same, and can learn more.

    New units are read by random weights and written by zeros. Copies of the old ones would not do: equal
    units get equal gradients and stay equal.

    Args:
        ffn: to be widened.
        generator: of the new weights that read.
        copies: times the hidden units, in all.
        deviation: of the new weights; by default 1 / sqrt(inputs).

    Raises:
        ExperimentError: no copy, or arrays that do not fit.
    """
    refuse_fractions(copies=copies)
    if copies < 1:
        raise ExperimentError(f"a network cannot be made {copies} times as wide")
    inputs, more = np.shape(checked(ffn).up)[-2], (copies - 1) * ffn.hidden
    scale = inputs**-0.5 if deviation is None else deviation

    def longer(leaf: Any, axis: int, *, random: bool = False) -> Any:
        if leaf is None:
            return None
        shape = list(np.shape(leaf))
        shape[axis] = more
        added = generator.normal(size=shape) * scale if random else np.zeros(shape)
        old = jnp.asarray(leaf)
        return jnp.concatenate([old, jnp.asarray(added).astype(old.dtype)], axis)

    return FeedForward(
        up=longer(ffn.up, -1, random=True),
        down=longer(ffn.down, -2),
        up_bias=longer(ffn.up_bias, -1),
        down_bias=ffn.down_bias,
        gate=longer(ffn.gate, -1, random=True),
        gate_bias=longer(ffn.gate_bias, -1),
    )


class Symmetry(NamedTuple):
    """How far copies of one network have come apart, layer by layer where there are layers.

    Args:
        distance: between two copies, root mean square, over the size of one; 0 as they begin.
        share: of the squared way that copies went since the start, what they did not go together: 0 if all
            moved alike, so that the mixture is a dense layer at the price of many, 1 if at right angles;
            nan without a start, or if none moved.
    """

    distance: Float[np.ndarray, "..."]
    share: Float[np.ndarray, "..."]


def symmetry(experts: FeedForward, copies: int, *, start: FeedForward | None = None) -> Symmetry:
    """The meter of broken symmetry: are there several experts, or one many times?

    Args:
        experts: along an axis before those of each leaf, all slices of a copy after each other.
        copies: how many.
        start: the experts before they were trained.

    Raises:
        ExperimentError: fewer than two copies, or experts that they do not divide.
    """
    now = _by_copy(experts, copies)
    norms = (now**2).sum(-1).mean(-1)
    if start is None:
        share = np.full(norms.shape, np.nan)
    else:
        moved = now - _by_copy(start, copies)
        ways = (moved**2).sum(-1).mean(-1)
        share = np.divide(_apart(moved), 2 * ways, out=np.full(ways.shape, np.nan), where=ways > 0)
    return Symmetry(np.sqrt(_apart(now) / norms), share)


def _apart(rows: Float[np.ndarray, "... copies n"]) -> Any:
    """Mean squared distance of two different copies."""
    copies = rows.shape[-2]
    around = rows - rows.mean(-2, keepdims=True)
    return 2 * (around**2).sum((-2, -1)) / (copies - 1)


def _by_copy(experts: FeedForward, copies: int) -> Float[np.ndarray, "... copies n"]:
    front = np.ndim(experts.up) - 3
    number = np.shape(experts.up)[front]
    if copies < 2 or number % copies:
        raise ExperimentError(f"{number} experts are not of {copies} copies, two at least")
    rows = []
    for leaf in experts.leaves().values():
        values = np.asarray(leaf, np.float64)
        rows.append(values.reshape(*values.shape[:front], copies, -1))
    return np.concatenate(rows, -1)


def experts_of(params: Any) -> FeedForward:
    """The experts among a `MoEFFN`'s parameters."""
    return FeedForward(**{name: leaf for name, leaf in params.items() if name != "router"})
