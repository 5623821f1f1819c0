"""Sheaf diffusion: node classifiers that learn the sheaf they diffuse over, in Flax."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.graphs.neural_sheaf_diffusion.sheaf import Sheaf, SheafLaplacian, sheaf_laplacian
from experiments.kits.graph.features import Dense, Dropout
from experiments.kits.graph.operators import num_nodes
from experiments.kits.graph.segments import GraphsTuple, segment_sum
from experiments.kits.initialisation import TORCH, Rule, zeros
from ntkexec.errors import ExperimentError

Learner = Literal["whole", "public"]


def householder(parameters: Float[Array, "e p"], d: int) -> Float[Array, "e d d"]:
    """Products of d reflections, the j-th along a vector that is 0 before entry j and 1 there."""
    vectors = _below(parameters, d) + jnp.eye(d)[None]
    vectors = vectors / jnp.linalg.norm(vectors, axis=1, keepdims=True)
    # The last one turns the last axis alone.
    product = jnp.broadcast_to(jnp.diag(jnp.ones(d).at[-1].set(-1)), vectors.shape)
    for j in reversed(range(d - 1)):
        along = vectors[:, :, j]
        product = product - 2 * jnp.einsum("ei,ej,ejk->eik", along, along, product)
    return product


def cayley(parameters: Float[Array, "e p"], d: int) -> Float[Array, "e d d"]:
    """Rotations without the angle pi: (I - A/2)^-1 (I + A/2) of a skew A."""
    below = _below(parameters, d)
    half, eye = (below - below.mT) / 2, jnp.broadcast_to(jnp.eye(d), below.shape)
    return jnp.linalg.solve(eye - half, eye + half)


def exponential(parameters: Float[Array, "e p"], d: int) -> Float[Array, "e d d"]:
    """Rotations exp(A) of a skew A."""
    below = _below(parameters, d)
    return jax.scipy.linalg.expm(below - below.mT)


ORTHOGONAL: dict[str, Callable[[Array, int], Array]] = {
    "householder": householder,
    "cayley": cayley,
    "exponential": exponential,
}
"""Orthogonal d x d matrices of d(d - 1)/2 numbers; all of one kind have the same determinant."""


@dataclasses.dataclass(frozen=True)
class Restriction:
    """A kind of restriction map.

    Attributes:
        constant: the numbers, from d, that make the same map everywhere: the identity, or another one
            that carries as the identity does.
        maps: `(numbers, d)` to (E, d, d), or to (E, d) for diagonal ones.
        orthogonal: whether they are.
    """

    constant: Callable[[int], np.ndarray]
    maps: Callable[[Array, int], Array]
    orthogonal: bool = False


class SheafLayer(nn.Module):
    """One layer of `SheafDiffusion`, with its attributes.

    It carries the features (n, rows, channels) and what the next layer's learner sees of them.
    """

    restriction: Restriction
    stalk: int
    fixed: tuple[int, ...]
    dropout: float
    learner: Learner
    edge_weights: bool
    learned: float | Array
    asymmetric: float | Array
    train: bool

    @nn.compact
    def __call__(
        self, carry: tuple[Array, Array], graph: GraphsTuple
    ) -> tuple[tuple[Array, Array], None]:
        x, seen = carry
        rows, channels = x.shape[1:]
        sheaf = self._sheaf(seen, graph)
        self.sow("intermediates", "near", sheaf.near)
        self.sow("intermediates", "far", sheaf.far)
        left = self.param("left", lambda key: jnp.eye(rows))
        right = self.param("right", nn.initializers.orthogonal(), (channels, channels))
        epsilon = self.param("epsilon", nn.initializers.zeros, (rows,))
        moved = Dropout(self.dropout)(x, train=self.train)
        moved = jnp.einsum("ij,vjf,fg->vig", left, moved, right)
        parts = [sheaf_laplacian(sheaf) @ moved[:, : self.stalk]]
        if self.fixed:
            parts.append(_fixed(graph, len(x), self.fixed) @ moved[:, self.stalk :])
        x = (1 + jnp.tanh(epsilon))[None, :, None] * x - nn.elu(jnp.concatenate(parts, axis=1))
        return (x, Dropout(self.dropout)(x, train=self.train)), None

    def _sheaf(self, seen: Float[Array, "n rows f"], graph: GraphsTuple) -> Sheaf:
        senders, receivers = jnp.asarray(graph.senders), jnp.asarray(graph.receivers)
        constant = jnp.asarray(self.restriction.constant(self.stalk), seen.dtype)
        rows, channels = seen.shape[1:]
        each = channels if self.learner == "public" else rows * channels
        kernel = self.param("learner", nn.initializers.normal(), (2, each, len(constant)))
        own, other = halves(kernel, self.learner, seen)
        if self.edge_weights:
            kernel = self.param("weigher", nn.initializers.normal(), (2, rows * channels, 1))
            more = halves(kernel, "whole", seen)
            own, other = (
                jnp.concatenate(two, axis=1) for two in zip((own, other), more, strict=True)
            )
        # Read once at each end of an edge: gathers are what takes the time.
        at_nodes, size = jnp.concatenate([own, other], axis=1), own.shape[1]
        here, there = at_nodes[receivers], at_nodes[senders]
        near, far = here[:, :size] + there[:, size:], there[:, :size] + here[:, size:]
        weights = (nn.sigmoid(near[:, -1]) * nn.sigmoid(far[:, -1])) ** self.learned
        near, far = (jnp.tanh(end[:, : len(constant)]) for end in (near, far))
        common, apart = (near + far) / 2, self.asymmetric * (near - far) / 2
        numbers = jnp.concatenate([common + apart, common - apart])
        numbers = self.learned * numbers + (1 - self.learned) * constant[None]
        near, far = jnp.split(self.restriction.maps(numbers, self.stalk), 2)
        if self.edge_weights:
            weights = weights.reshape(-1, *(1,) * (near.ndim - 1))
            near, far = weights * near, weights * far
        return Sheaf(senders, receivers, near, far, len(seen), self.restriction.orthogonal)


def halves(
    kernel: Float[Array, "2 k size"], learner: Learner, seen: Float[Array, "n rows f"]
) -> tuple[Float[Array, "n size"], Float[Array, "n size"]]:
    """A linear map of two nodes' features as a sum of two: of the first node's and the second's.

    Args:
        kernel: for `whole`, of all features of each node; for `public`, of rows at even and at odd
            places of the two stalks laid one below the other.
        learner: which of the two.
        seen: the features.
    """
    if learner == "whole":
        flat = seen.reshape(len(seen), -1)
        return flat @ kernel[0], flat @ kernel[1]
    sums = jnp.stack([seen[:, 0::2].sum(1), seen[:, 1::2].sum(1)], axis=1)
    # An odd number of rows makes the second node's change places.
    turned = jnp.roll(sums, seen.shape[1] % 2, axis=1)
    return jnp.einsum("vsf,sfp->vp", sums, kernel), jnp.einsum("vsf,sfp->vp", turned, kernel)


_OF_LAYER = (
    *("restriction", "stalk", "fixed", "dropout"),
    *("learner", "edge_weights", "learned", "asymmetric"),
)


class SheafDiffusion(nn.Module):
    """What the three models share; use `DiagonalSheaf`, `BundleSheaf` or `GeneralSheaf`.

    `model.apply(variables, graph, train=False)` gives logits (n, classes). The graph lists its edges
    both ways, without self-loops; weights in `edges` are not read. Each layer learns a sheaf from the
    features X and takes one step of diffusion over it, of its augmented Laplacian L:
    X <- (1 + tanh e) X - ELU(L (I x W1) X W2).

    Attributes:
        classes: of the logits.
        stalk: dimension d of the learned stalks.
        channels: f, columns of X.
        layers: with weights of their own; compiled once.
        fixed: signs of further rows of the stalks, which the graph's own Laplacian moves: -1, or +1
            for the signless one (`add_hp` and `add_lp` of the public code).
        dropout: before W1, and before the learner from the second layer on.
        input_dropout: of the raw features.
        second_linear: a second linear map of the input.
        learner: `whole` sees the features of both nodes. `public`, as the public code's sparse
            learner, adds up every other row of the two stalks laid one below the other: with an even
            number of rows it cannot tell the two nodes apart, and both ends get the same map.
        edge_weights: each edge's maps are times a learned number, the same at both ends.
        learned: 1; at 0 the sheaf is constant, and diffusion is that of the graph's own Laplacian.
        asymmetric: 1; at 0 both ends of an edge have the same map.

    Source: Section 4 of arXiv:2202.04579 and the public code. Unlike there, the root of D + I has its
    exact derivative, so that nothing random is added to it in training.
    """

    restriction: ClassVar[Restriction]
    classes: int
    stalk: int = 3
    channels: int = 20
    layers: int = 2
    fixed: tuple[int, ...] = ()
    dropout: float = 0.0
    input_dropout: float = 0.0
    second_linear: bool = False
    learner: Learner = "whole"
    edge_weights: bool = False
    learned: float | Array = 1.0
    asymmetric: float | Array = 1.0

    @nn.compact
    def __call__(self, graph: GraphsTuple, *, train: bool = False) -> Float[Array, "n classes"]:
        rows = self.stalk + len(self.fixed)
        width = rows * self.channels
        features = Dropout(self.input_dropout)(graph.nodes, train=train)
        x = nn.elu(Dense(width, name="first")(features))
        x = Dropout(self.dropout)(x, train=train)
        if self.second_linear:
            x = Dense(width, name="second")(x)
        x = x.reshape(-1, rows, self.channels)
        stack = nn.scan(
            SheafLayer,
            variable_axes={"params": 0, "intermediates": 0},
            split_rngs={"params": True, "dropout": True},
            in_axes=nn.broadcast,
            length=self.layers,
        )
        fields = {name: getattr(self, name) for name in _OF_LAYER}
        (x, _), _ = stack(**fields, train=train, name="layers")((x, x), graph)
        return Dense(self.classes, name="last")(x.reshape(-1, width))


class DiagonalSheaf(SheafDiffusion):
    """Sheaf diffusion with diagonal maps."""

    restriction: ClassVar = Restriction(np.ones, lambda numbers, d: numbers)


class BundleSheaf(SheafDiffusion):
    """Sheaf diffusion with orthogonal maps.

    Attributes:
        orthogonal: a name of `ORTHOGONAL`. Transport never reflects, since all maps have the same
            determinant; with an odd d it is never -1 times the identity.
    """

    orthogonal: str = "householder"
    edge_weights: bool = True

    @property
    def restriction(self) -> Restriction:  # type: ignore[override]
        if self.orthogonal not in ORTHOGONAL:
            raise ExperimentError(f"{self.orthogonal!r} is none of {', '.join(ORTHOGONAL)}")
        return Restriction(_no_turn, ORTHOGONAL[self.orthogonal], True)


class GeneralSheaf(SheafDiffusion):
    """Sheaf diffusion with any maps."""

    restriction: ClassVar = Restriction(
        lambda d: np.eye(d).reshape(-1), lambda numbers, d: numbers.reshape(-1, d, d)
    )


def _no_turn(d: int) -> np.ndarray:
    return np.zeros(d * (d - 1) // 2)


def _identity(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    return np.broadcast_to(np.eye(shape[-1]), shape)


def _orthogonal(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    q, r = np.linalg.qr(generator.normal(size=shape))
    signs = np.sign(np.diagonal(r, axis1=-2, axis2=-1))
    return q * signs[..., None, :]


def _of_pairs(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    limit = 1 / np.sqrt(shape[-3] * shape[-2])
    return generator.uniform(-limit, limit, shape)


RULES: Mapping[str, Rule] = {
    **TORCH,
    "layers/left": _identity,
    "layers/right": _orthogonal,
    "layers/epsilon": zeros,
    "layers/learner": _of_pairs,
    "layers/weigher": _of_pairs,
}
"""How the public code begins, for `initial_by_numpy(model, generator, graph, rules=RULES)`."""


def layer_sheaf(model: SheafDiffusion, variables: Any, graph: GraphsTuple, layer: int) -> Sheaf:
    """The sheaf that a layer of a trained model learned on a graph.

    Raises:
        ExperimentError: there is no such layer.
    """
    if not 0 <= layer < model.layers:
        raise ExperimentError(f"layer {layer} is none of 0 to {model.layers - 1}")
    _, kept = model.apply(variables, graph, mutable=["intermediates"])
    near, far = (
        np.asarray(kept["intermediates"]["layers"][end][0][layer]) for end in ("near", "far")
    )
    senders, receivers = np.asarray(graph.senders), np.asarray(graph.receivers)
    return Sheaf(senders, receivers, near, far, num_nodes(graph), model.restriction.orthogonal)


def _fixed(graph: GraphsTuple, n: int, signs: tuple[int, ...]) -> SheafLaplacian:
    """The Laplacian of further rows, one sign each."""
    senders, receivers = jnp.asarray(graph.senders), jnp.asarray(graph.receivers)
    degrees = segment_sum(jnp.ones(len(senders)), receivers, n)
    scale = ((degrees[senders] + 1) * (degrees[receivers] + 1)) ** -0.5
    diagonal = jnp.broadcast_to((degrees / (degrees + 1))[:, None], (n, len(signs)))
    return SheafLaplacian(
        senders, receivers, diagonal, scale[:, None] * jnp.asarray(signs, scale.dtype)[None]
    )


def _below(parameters: Float[Array, "e p"], d: int) -> Float[Array, "e d d"]:
    rows, columns = np.tril_indices(d, -1)
    return jnp.zeros((len(parameters), d, d), parameters.dtype).at[:, rows, columns].set(parameters)
