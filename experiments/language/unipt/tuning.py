"""Parallel tuning: a small network beside a frozen one, which reads the states of all its layers at once.

Every layer's states are projected to a small width; the last layer's are the anchor. Each other layer answers
the anchor by an attention without softmax, a confidence weighs the answers, and their mean is added to the
anchor. Nothing of the backbone is differentiated, and no layer waits for another.

Source: Diao et al., UniPT, arXiv:2308.14316, section 3.2; details as in the public code (Paranioar/UniPT).
"""

from collections.abc import Sequence
from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ntkexec.errors import ExperimentError

Similarity = Literal["relu", "softmax"]
Weighing = Literal["confidence", "mean"]
LEAST = 1e-6
"""The smallest sum by which a row of similarities is divided."""
KEPT = (5.5, 3.5), (8.5, 1.0)
"""Numbers of a place that a training step keeps for each layer, and once: times the small width and times
the places. Fitted to within 6 % of XLA's account a layer, with 16 to 128 places and widths of 16 to 64."""


class ParallelTuning(nn.Module):
    """A task's outputs from the states of all layers of a frozen backbone.

    Attributes:
        outputs: numbers for each place: of classes, or the width of the last layer if `residual`.
        reduction: how many times narrower than the last layer's states the projections are.
        similarity: "relu" and a division by the row's sum, or "softmax" of dot products over the root
            of the width.
        weighing: of layers, by "confidence" or all alike.
        identity: whether a layer's own states at the place are added to what its attention finds.
        residual: whether the outputs are added to the last layer's states and begin at 0, so that the
            backbone's own answer is where training starts.
    """

    outputs: int
    reduction: int = 2
    similarity: Similarity = "relu"
    weighing: Weighing = "confidence"
    identity: bool = True
    residual: bool = False

    @nn.compact
    def __call__(
        self, states: Sequence[Float[Array, "B T d"]], real: Bool[Array, "B T"] | None = None
    ) -> Float[Array, "B T o"]:
        """The outputs of every place.

        Args:
            states: of each layer, of any widths; the last one is the anchor.
            real: which places are no padding and may be seen; by default all.

        Raises:
            ExperimentError: fewer than two layers, or outputs that cannot be added to the anchor.
        """
        width = states[-1].shape[-1] // self.reduction
        if len(states) < 2 or width < 1 or (self.residual and self.outputs != states[-1].shape[-1]):
            raise ExperimentError(
                f"{len(states)} layers, the last of width {states[-1].shape[-1]}, cannot be reduced by "
                f"{self.reduction} to {self.outputs} outputs{' added to it' if self.residual else ''}"
            )
        states = [jax.lax.stop_gradient(one) for one in states]
        kind = states[-1].dtype
        real = jnp.ones(states[-1].shape[:2], bool) if real is None else real
        small = [
            nn.LayerNorm(name=f"norm_{number}", param_dtype=kind)(
                nn.Dense(width, name=f"down_{number}", param_dtype=kind)(one)
            )
            for number, one in enumerate(states)
        ]
        *others, anchor = small
        told = [
            answers(anchor, one, real, similarity=self.similarity, identity=self.identity)
            for one in others
        ]
        weigh = nn.Dense(1, name="confidence", param_dtype=kind)
        means = [mean_of_real(one, real) for one in small]
        scores = jnp.concatenate([weigh(means[-1] * one) for one in means[:-1]], -1)
        if self.weighing == "mean":
            scores = jnp.zeros_like(scores)
        weights = jax.nn.softmax(scores, -1)
        mixed = sum(weights[:, number, None, None] * one for number, one in enumerate(told))
        mixed = nn.Dense(width, name="mix", param_dtype=kind)(mixed)
        hidden = nn.relu(anchor + nn.LayerNorm(name="mix_norm", param_dtype=kind)(mixed))
        start = nn.initializers.zeros if self.residual else nn.initializers.lecun_normal()
        found = nn.Dense(self.outputs, name="up", kernel_init=start, param_dtype=kind)(hidden)
        return states[-1] + found if self.residual else found


def similarities(
    anchor: Float[Array, "B T w"],
    layer: Float[Array, "B T w"],
    real: Bool[Array, "B T"],
    *,
    similarity: Similarity = "relu",
) -> Float[Array, "B T T"]:
    """How much each place of the anchor takes of each of a layer's: rows sum to 1, or are 0 with relu."""
    scores = jnp.einsum("btw,bsw->bts", anchor, layer)
    if similarity == "softmax":
        scores = jnp.where(real[:, None], scores * anchor.shape[-1] ** -0.5, -jnp.inf)
        return jax.nn.softmax(scores, -1)
    scores = jnp.where(real[:, None], nn.relu(scores), 0)
    return scores / jnp.maximum(scores.sum(-1, keepdims=True), LEAST)


def answers(
    anchor: Float[Array, "B T w"],
    layer: Float[Array, "B T w"],
    real: Bool[Array, "B T"],
    *,
    similarity: Similarity = "relu",
    identity: bool = True,
) -> Float[Array, "B T w"]:
    """What a layer tells each place of the anchor: a mixture of its places, and its own state there."""
    found = similarities(anchor, layer, real, similarity=similarity) @ layer
    return found + layer if identity else found


def mean_of_real(states: Float[Array, "B T w"], real: Bool[Array, "B T"]) -> Float[Array, "B w"]:
    """Over the places of each text that are no padding; 0 where there are none."""
    counted = jnp.maximum(real.sum(1), 1).astype(states.dtype)
    return jnp.where(real[:, :, None], states, 0).sum(1) / counted[:, None]


def num_tuned(widths: Sequence[int], outputs: int, *, reduction: int = 2) -> int:
    """Trainable numbers of `ParallelTuning` on layers of these widths, in closed form."""
    width = widths[-1] // reduction
    projections = sum(one * width + 3 * width for one in widths)
    return projections + width**2 + 3 * width + width + 1 + width * outputs + outputs


def predict_tuning(
    widths: Sequence[int],
    *,
    batch: int,
    places: int,
    reduction: int = 2,
    itemsize: int = 4,
) -> int:
    """Bytes that a training step on given states needs beside them, about, before anything is compiled.

    Projections, answers and similarities wait for the backward pass in several forms, some of which share
    memory; how many was fitted to XLA's account of five shapes on a processor, see `KEPT`.

    Args:
        widths: of the layers' states.
        batch, places: texts of a step, and places of each.
        reduction: of `ParallelTuning`.
        itemsize: bytes of a number.
    """
    width = widths[-1] // reduction
    each, once = (small * width + square * places for small, square in KEPT)
    return round(itemsize * batch * places * ((len(widths) - 1) * each + once))
