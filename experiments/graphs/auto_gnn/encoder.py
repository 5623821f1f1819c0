"""The recurrent network that proposes choices of one kind for all layers, from all other choices."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

SQUASH, TEMPERATURE = 2.5, 5.0
"""Logits are 2.5 tanh(raw / 5), so no option's probability ever vanishes."""


class Encoder(NamedTuple):
    """Parameters of an LSTM that reads choices, and of a layer that turns its last state into logits.

    Args:
        embedding: (V, E), a row for each option of each kind.
        kernel: ((E + H), 4 H), of input, forget, cell and output gates.
        bias: (4 H,).
        head: (H, L K), logits of K options for each of L layers.
        head_bias: (L K,).
    """

    embedding: Float[Array, "V E"]
    kernel: Float[Array, "EH 4H"]
    bias: Float[Array, " 4H"]
    head: Float[Array, "H LK"]
    head_bias: Float[Array, " LK"]


def drawn_encoder(
    generator: np.random.Generator, *, tokens: int, layers: int, options: int, hidden: int
) -> Encoder:
    """Parameters uniform within 0.1, as controllers of architecture search begin.

    Args:
        generator: draws them.
        tokens: options of all kinds together.
        layers: of an architecture.
        options: of the kind that has most; logits beyond a kind's own are not read.
        hidden: width of the LSTM and of its embeddings.
    """
    shapes = (
        (tokens, hidden),
        (2 * hidden, 4 * hidden),
        (4 * hidden,),
        (hidden, layers * options),
        (layers * options,),
    )
    drawn = (generator.uniform(-0.1, 0.1, shape).astype(np.float32) for shape in shapes)
    return Encoder(*drawn)  # type: ignore[arg-type] # NumPy until compiled


def logits_of(
    encoder: Encoder, tokens: Int[Array, " s"], num_options: Int[Array, ""], layers: int
) -> Float[Array, "L K"]:
    """Logits of every option for every layer; -inf beyond a kind's number of options.

    Args:
        encoder: of the kind.
        tokens: rows of the embedding, one a choice that was read.
        num_options: of the kind.
        layers: of an architecture.
    """
    hidden = encoder.head.shape[0]

    def read(carry: tuple[Array, Array], row: Array) -> tuple[tuple[Array, Array], None]:
        state, cell = carry
        gates = jnp.concatenate([row, state]) @ encoder.kernel + encoder.bias
        enter, forget, new, leave = jnp.split(gates, 4)
        cell = jax.nn.sigmoid(forget) * cell + jax.nn.sigmoid(enter) * jnp.tanh(new)
        return (jax.nn.sigmoid(leave) * jnp.tanh(cell), cell), None

    start = jnp.zeros(hidden, encoder.kernel.dtype)
    (state, _), _ = jax.lax.scan(read, (start, start), encoder.embedding[tokens])
    raw = (state @ encoder.head + encoder.head_bias).reshape(layers, -1)
    squashed = SQUASH * jnp.tanh(raw / TEMPERATURE)
    return jnp.where(jnp.arange(raw.shape[1])[None] < num_options, squashed, -jnp.inf)


@functools.partial(jax.jit, static_argnames="layers")
def read_logits(
    encoder: Encoder, tokens: Int[Array, " s"], num_options: Int[Array, ""], *, layers: int
) -> Float[Array, "L K"]:
    """`logits_of`, compiled: once for all kinds of a space."""
    return logits_of(encoder, tokens, num_options, layers)


@functools.partial(jax.jit, static_argnames="layers")
def reinforced(
    encoder: Encoder,
    moments: optax.OptState,
    tokens: Int[Array, " s"],
    num_options: Int[Array, ""],
    taken: Int[Array, " L"],
    advantage: Float[Array, ""],
    learning_rate: Float[Array, ""],
    *,
    layers: int,
) -> tuple[Encoder, optax.OptState, Float[Array, "L K"]]:
    """One step of Adam along advantage times the gradient of the choices' log probability.

    Returns:
        The encoder, Adam's moments, and the new logits after the same tokens.
    """

    def loss(encoder: Encoder) -> Array:
        chances = jax.nn.log_softmax(logits_of(encoder, tokens, num_options, layers))
        return -advantage * jnp.take_along_axis(chances, taken[:, None], 1).sum()

    updates, moments = optax.scale_by_adam().update(jax.grad(loss)(encoder), moments)
    encoder = jax.tree.map(lambda p, u: p - learning_rate * u, encoder, updates)
    return encoder, moments, logits_of(encoder, tokens, num_options, layers)
