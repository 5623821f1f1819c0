"""A mixture of fine-grained experts in the place of a dense feed-forward network.

N copies of a network, each cut into k slices, are N k experts of which a token takes k: as much work as the
dense network, C(N k, k) choices. `upcycling.upcycle` makes one that begins as the network that it replaces.

Source: Lu et al., arXiv:2507.17436; slices: `splitting`; gates: `routing`.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from experiments.vision.dynamic_dino.routing import EXACT, Gate, Routing, route
from experiments.vision.dynamic_dino.splitting import Activation, FeedForward
from ntkexec.errors import ExperimentError

START = "start"
"""Collection of the router as it began, which nothing trains."""


def weighted(
    experts: FeedForward,
    x: Float[Any, "T d"],
    weights: Float[Any, "T E"],
    activation: Activation,
) -> Float[Array, "T o"]:
    """What all experts say, each by its weight: also of those whose weight is 0, which costs them all.

    Args:
        experts: along the first axis of each leaf.
        x: a token a row.
        weights: of each expert for each token.
        activation: of the hidden units.
    """
    made = jnp.einsum("td,edh->teh", x, experts.up)
    if experts.up_bias is not None:
        made = made + experts.up_bias[None]
    if experts.gate is None:
        made = activation(made)
    else:
        gate = jnp.einsum("td,edh->teh", x, experts.gate)
        gate = gate if experts.gate_bias is None else gate + experts.gate_bias[None]
        made = activation(gate) * made
    found = jnp.einsum("teh,eho->to", made * weights[..., None], experts.down)
    return found if experts.down_bias is None else found + weights @ experts.down_bias


def gathered(
    experts: FeedForward, x: Float[Array, "T d"], routing: Routing, activation: Activation
) -> Float[Array, "T o"]:
    """What the chosen experts say by their gates, and nothing else is computed.

    Each token's experts are copied out for it: few multiplications and much memory, for few tokens or as
    the measure of what a mixture has to cost.

    Args:
        experts: along the first axis of each leaf.
        x: a token a row.
        routing: of each token.
        activation: of the hidden units.
    """
    own = jax.tree.map(lambda leaf: jnp.asarray(leaf)[routing.chosen], experts)
    made = jnp.einsum("td,tkdh->tkh", x, own.up)
    made = made if own.up_bias is None else made + own.up_bias
    if own.gate is None:
        made = activation(made)
    else:
        gate = jnp.einsum("td,tkdh->tkh", x, own.gate)
        made = activation(gate if own.gate_bias is None else gate + own.gate_bias) * made
    found = jnp.einsum("tkh,tkho->to", made * routing.gates[..., None], own.down)
    if own.down_bias is None:
        return found
    return found + (routing.gates[..., None] * own.down_bias).sum(1)


def routed(
    router: Float[ArrayLike, "d E"],
    x: Float[ArrayLike, "... d"],
    active: int,
    *,
    gate: str | Gate = "scaled",
    start: Float[ArrayLike, "d E"] | None = None,
) -> Routing:
    """Where a linear router sends tokens, in float32 at least, whatever the tokens are.

    Args:
        router: the row of an expert is its column here.
        x: tokens.
        active: experts of each.
        gate, start: see `routing.route`; `start` is the router as it began.
    """
    exact = jnp.promote_types(jnp.result_type(x, router), jnp.float32)
    x = jnp.asarray(x, exact)
    before = None if start is None else x @ jnp.asarray(start, exact)
    return route(x @ jnp.asarray(router, exact), active, gate=gate, start=before)


class MoEFFN(nn.Module):
    """A feed-forward layer of `copies * slices` experts, of which a token takes `slices`.

    What it chose is sown as `routing` into "intermediates", for `balance_loss` and `co_activation`. Its
    parameters are the leaves of a `FeedForward` along a first axis of experts, and `router`; drawn by
    `init` all experts differ, which is the mixture that was not grown from a network.

    Args:
        hidden: units of the dense network; an expert has `hidden / slices`.
        copies: N, of the network.
        slices: k, into which each is cut, and experts of a token.
        features: outputs; by default as many as inputs.
        activation: elementwise.
        gate: see `routing.GATES`.
        anchored: whether gates are 1 plus what they have become more than they were, by the router that
            the collection "start" holds; `upcycle` gives it. By default that is so of all gates but those of
            `routing.EXACT`, which need it not.
        gated: whether experts are gated, as in SwiGLU.
        use_bias: whether there are biases.
        sparse: whether only chosen experts are computed, by `gathered`; else all, by `weighted`.
    """

    hidden: int
    copies: int = 4
    slices: int = 2
    features: int | None = None
    activation: Activation = nn.relu
    gate: str | Gate = "scaled"
    anchored: bool | None = None
    gated: bool = False
    use_bias: bool = True
    sparse: bool = False

    @nn.compact
    def __call__(
        self,
        x: Float[Array, "... d"],
        *,
        routes: Float[ArrayLike, ""] = 1.0,
        always: Float[ArrayLike, "*B E"] | None = None,
    ) -> Float[Array, "... o"]:
        """The layer's output.

        Args:
            x: tokens.
            routes: what gates are multiplied by; 0 takes the routed experts out.
            always: weight of each expert besides, for all tokens alike or along axes that fit theirs: ones
                and `routes=0` make a wide dense network of the experts; not for `sparse`.

        Raises:
            ExperimentError: numbers that make no experts, or variables of other ones, or of another gate.
        """
        width, number = x.shape[-1], self.copies * self.slices
        if self.hidden % self.slices or min(self.copies, self.slices) < 1:
            raise ExperimentError(
                f"{self.hidden} hidden units make no {self.copies} copies of {self.slices} equal slices"
            )
        if self.sparse and always is not None:
            raise ExperimentError("experts that are always on are not computed sparsely")
        anchored = self.gate not in EXACT if self.anchored is None else self.anchored
        shapes = self._shapes(width, number)
        self._check_given(shapes, anchored)
        experts = self._experts(shapes)
        router = self.param("router", nn.initializers.normal(0.02), shapes["router"], jnp.float32)
        start = self.variable(START, "router", lambda: router) if anchored else None
        tokens = jnp.asarray(x).reshape(-1, width)
        routing = routed(
            router,
            tokens,
            self.slices,
            gate=self.gate,
            start=None if start is None else start.value,
        )
        front = x.shape[:-1]
        self.sow(
            "intermediates",
            "routing",
            jax.tree.map(lambda leaf: leaf.reshape(*front, leaf.shape[-1]), routing),
        )
        if self.sparse:
            scaled = routing._replace(gates=jnp.asarray(routes * routing.gates, x.dtype))
            found = gathered(experts, tokens, scaled, self.activation)
        else:
            weights = jnp.asarray(routes) * routing.weights()
            if always is not None:
                each = jnp.broadcast_to(jnp.asarray(always), (*front, number))
                weights = weights + each.reshape(-1, number)
            found = weighted(experts, tokens, weights.astype(x.dtype), self.activation)
        return found.reshape(*front, found.shape[-1])

    def _shapes(self, width: int, number: int) -> dict[str, tuple[int, ...]]:
        """Of all parameters."""
        features = width if self.features is None else self.features
        each = self.hidden // self.slices
        sides = {"up": (width, each), "down": (each, features)}
        sides |= {"gate": (width, each)} if self.gated else {}
        found: dict[str, tuple[int, ...]] = {
            name: (number, *shape) for name, shape in sides.items()
        }
        if self.use_bias:
            found |= {f"{name}_bias": (number, outputs) for name, (_, outputs) in sides.items()}
        return {**found, "router": (width, number)}

    def _check_given(self, shapes: Mapping[str, tuple[int, ...]], anchored: bool) -> None:
        """Refuses variables that were made for another layer, whose function this one would not be."""
        if self.is_initializing():
            return
        given = self.variables.get("params", {})
        found = {name: jnp.shape(leaf) for name, leaf in given.items()}
        for name in sorted({*shapes, *found}):
            if found.get(name) != shapes.get(name):
                raise ExperimentError(
                    f"the parameter {name!r} has the shape {found.get(name)}, and {shapes.get(name)} would "
                    f"fit tokens of width {shapes['router'][0]}, {self.hidden} hidden units, {self.copies} "
                    f"copies of {self.slices} slices, gated={self.gated} and use_bias={self.use_bias}"
                )
        if anchored != self.has_variable(START, "router"):
            have = "hold no" if anchored else "hold the"
            raise ExperimentError(
                f"the variables {have} router as it began, so they were upcycled for another gate than "
                f"{self.gate!r} with anchored={anchored}; give upcycle and MoEFFN the same gate"
            )

    def _experts(self, shapes: Mapping[str, tuple[int, ...]]) -> FeedForward:
        drawn = nn.initializers.lecun_normal(batch_axis=0)
        leaves: dict[str, Any] = {}
        for name, shape in shapes.items():
            if name != "router":
                draw = nn.initializers.zeros_init() if name.endswith("_bias") else drawn
                leaves[name] = self.param(name, draw, shape, jnp.float32)
        return FeedForward(**leaves)
