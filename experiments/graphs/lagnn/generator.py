"""What a neighbour's features look like, given a node's own: a conditional variational autoencoder."""

import functools
import math
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.kits.graph.segments import GraphsTuple
from experiments.kits.initialisation import TORCH, initial_by_numpy
from ntkexec.errors import ExperimentError


class ConditionalVAE(nn.Module):
    """p(x | c) = E_z p(x | z, c), z ~ N(0, I), and q(z | x, c) to train it: x a neighbour, c a node.

    Args:
        features: of x and of c.
        hidden: width of the one hidden layer of encoder and decoder.
        latent: of z.
        scale: deviation of x around what is decoded; None for words that are there or not, whose
            chances are decoded.

    Source: Liu et al., arXiv:2109.03856, equation 2; widths and the cross-entropy from the public code.
    """

    features: int
    hidden: int = 256
    latent: int = 10
    scale: float | None = None

    def setup(self) -> None:
        # A layer on [x, c] is one on x plus one on c; so what conditions say is computed once.
        self.encoder_features = nn.Dense(self.hidden)
        self.encoder_condition = nn.Dense(self.hidden, use_bias=False)
        self.encoder_mean = nn.Dense(self.latent)
        self.encoder_log_variance = nn.Dense(self.latent)
        self.decoder_condition = nn.Dense(self.hidden)
        self.decoder_latent = nn.Dense(self.hidden, use_bias=False)
        self.decoder_features = nn.Dense(self.features)

    def encode(
        self, x: Float[Array, "n F"], c: Float[Array, "n F"]
    ) -> tuple[Float[Array, "n L"], Float[Array, "n L"]]:
        """Mean and log-variance of z given x and c."""
        hidden = nn.relu(self.encoder_features(x) + self.encoder_condition(c))
        return self.encoder_mean(hidden), self.encoder_log_variance(hidden)

    def project(self, c: Float[Array, "n F"]) -> Float[Array, "n h"]:
        """What the decoder reads of conditions, whatever z is."""
        projected: Array = self.decoder_condition(c)
        return projected

    def decode(self, z: Float[Array, "n L"], projected: Float[Array, "n h"]) -> Float[Array, "n F"]:
        """Means of x, or logits of its words."""
        decoded: Array = self.decoder_features(nn.relu(self.decoder_latent(z) + projected))
        return decoded

    def __call__(
        self, x: Float[Array, "n F"], c: Float[Array, "n F"], noise: Float[Array, "n L"]
    ) -> Float[Array, " n"]:
        """The evidence lower bound of log p(x | c), estimated at one standard normal draw each."""
        mean, log_variance = self.encode(x, c)
        z = mean + jnp.exp(log_variance / 2) * noise
        decoded = self.decode(z, self.project(c))
        if self.scale is None:
            log_p = -optax.sigmoid_binary_cross_entropy(decoded, x)
        else:
            log_p = -(((x - decoded) / self.scale) ** 2) / 2 - math.log(
                self.scale * math.sqrt(2 * math.pi)
            )
        return log_p.sum(-1) - divergence(mean, log_variance)


def divergence(mean: Float[Array, "n L"], log_variance: Float[Array, "n L"]) -> Float[Array, " n"]:
    """KL(N(mean, exp(log_variance)) || N(0, I))."""
    return (mean**2 + jnp.exp(log_variance) - 1 - log_variance).sum(-1) / 2


def fit_generator(
    network: ConditionalVAE,
    graph: GraphsTuple,
    *,
    generator: np.random.Generator,
    epochs: int = 10,
    batch: int = 64,
    learning_rate: float = 0.01,
    shuffled: bool = False,
) -> Any:
    """The variables of a generator trained on all edges of a graph, each way: once, for any network.

    Args:
        network: what is trained, by Adam on the mean bound of a batch.
        graph: `nodes` are dense features; self-loops are left out.
        generator: draws variables, batches and noise.
        epochs, batch, learning_rate: the public code's for citation graphs; the last batch of an epoch
            is filled up with more pairs.
        shuffled: gives every pair the condition of another one, which takes the method's idea out.

    Raises:
        ExperimentError: the graph has no edges but self-loops, or features that are no words where
            the network decodes chances of words.
    """
    senders, receivers = np.asarray(graph.senders), np.asarray(graph.receivers)
    pairs = np.stack([senders, receivers], 1)[senders != receivers]
    if not len(pairs):
        raise ExperimentError("a generator is trained on a graph's edges, and this one has none")
    if shuffled:
        pairs[:, 1] = generator.permutation(pairs[:, 1])
    order = [
        np.resize(generator.permutation(len(pairs)), -(-len(pairs) // batch) * batch)
        for _ in range(epochs)
    ]
    batches = pairs[np.concatenate(order)].reshape(-1, batch, 2)
    x = np.asarray(graph.nodes)
    if network.scale is None and not (x.min() >= 0 and x.max() <= 1):
        raise ExperimentError(
            f"words are there or not, 1 or 0, and features are from {x.min():g} to {x.max():g}: scale "
            "them into that, or give the generator a `scale`"
        )
    one = np.zeros((1, network.features), np.float32)
    variables = initial_by_numpy(
        network, generator, one, one, np.zeros((1, network.latent), np.float32), rules=TORCH
    )
    key = jax.random.key(int(generator.integers(2**32)))
    return jax.tree.map(
        np.asarray, _trained(network, x, batches, variables, key, jnp.float32(learning_rate))
    )


@functools.partial(jax.jit, static_argnums=0)
def _trained(
    network: ConditionalVAE,
    x: Float[Array, "n F"],
    batches: Int[Array, "steps batch 2"],
    variables: Any,
    key: Array,
    learning_rate: Float[Array, ""],
) -> Any:
    optimiser = optax.adam(learning_rate)

    def loss(variables: Any, pairs: Array, key: Array) -> Array:
        noise = jax.random.normal(key, (len(pairs), network.latent), x.dtype)
        bound = network.apply(variables, x[pairs[:, 0]], x[pairs[:, 1]], noise)
        return -jnp.mean(jnp.asarray(bound))

    def step(carry: Any, given: Any) -> tuple[Any, None]:
        variables, state = carry
        updates, state = optimiser.update(jax.grad(loss)(variables, *given), state)
        return (optax.apply_updates(variables, updates), state), None

    keys = jax.random.split(key, len(batches))
    (variables, _), _ = jax.lax.scan(step, (variables, optimiser.init(variables)), (batches, keys))
    return variables


def sample_neighbours(
    network: ConditionalVAE, variables: Any, features: Float[Array | np.ndarray, "n F"], key: Array
) -> Float[Array, "n F"]:
    """A drawn neighbour for each node: what is decoded from its features and a fresh z, as a mean.

    Rows of words' chances are scaled to sum 1, as bags of words are. A row depends on that node's
    features and z alone; of the graph only the weights know.

    Source: Liu et al., arXiv:2109.03856, section 3.1; scaling from the public code.
    """
    projected = network.apply(variables, features, method="project")
    return draw_neighbours(network, variables, jnp.asarray(projected), key)


def draw_neighbours(
    network: ConditionalVAE, variables: Any, projected: Float[Array, "n h"], key: Array
) -> Float[Array, "n F"]:
    """`sample_neighbours` of conditions that are projected already, which any z has in common."""
    z = jax.random.normal(key, (len(projected), network.latent), projected.dtype)
    decoded = jnp.asarray(network.apply(variables, z, projected, method="decode"))
    if network.scale is not None:
        return decoded
    chances = nn.sigmoid(decoded)
    return chances / chances.sum(1, keepdims=True)
