"""Which sources a text is learned from: scores, the selection network, and the losses that train with it.

Source: Kong et al., arXiv:2505.23844, section 3, and the trainer in its public code (ZLKong/LLM_Integration),
which makes the selection network anew in every call of its loss and hands it to no optimiser. How it is to be
trained is therefore reconstructed: here its parameters are the caller's, like all others.
"""

from typing import Literal

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from ntkexec.errors import ExperimentError

THRESHOLD = 0.15
"""Below which a source is left out; at most six of any number are above."""


class SourceSelector(nn.Module):
    """An MLP n -> 2n -> n -> n from the sources' scores to their gates.

    Args:
        sources: n.
        threshold: gates above it select their sources; the largest gate always does.
    """

    sources: int
    threshold: float = THRESHOLD

    @nn.compact
    def __call__(
        self, scores: Float[Array, "B n"], present: Bool[Array, "n"] | None = None
    ) -> Float[Array, "B n"]:
        """Weights that sum to 1 over the selected sources and are 0 elsewhere; see `selected`.

        Args:
            scores: of every text and source, see `scores_of`.
            present: sources that may be selected; by default all.
        """
        hidden = nn.gelu(nn.Dense(2 * self.sources, name="first")(scores))
        hidden = nn.gelu(nn.Dense(self.sources, name="second")(hidden))
        raw = nn.Dense(self.sources, name="third")(hidden)
        if present is not None:
            raw = jnp.where(present[None], raw, -jnp.inf)
        return selected(jax.nn.softmax(raw), threshold=self.threshold)


def scores_of(loss: Float[Array, "..."]) -> Float[Array, "..."]:
    """exp(-loss), in (0, 1]: of a source's cross-entropy of a text, in nats a token."""
    return jnp.exp(-loss)


def selected(
    gates: Float[Array, "... n"], *, threshold: float = THRESHOLD
) -> Float[Array, "... n"]:
    """Gates above a threshold, or else the largest one, divided by their sum.

    The gradient is the gates' own, straight through the selection, so that a source that was left out
    can come back.
    """
    largest = jax.nn.one_hot(gates.argmax(-1), gates.shape[-1], dtype=gates.dtype)
    mask = jnp.where(gates > threshold, jnp.ones_like(gates), largest)
    chosen = gates * mask
    chosen = chosen / chosen.sum(-1, keepdims=True)
    return gates + jax.lax.stop_gradient(chosen - gates)


def mixed(weights: Float[Array, "B n"], sources: Float[Array, "n B T V"]) -> Float[Array, "B T V"]:
    """The distribution to be learned: the sources', by the weights of every text."""
    return jnp.einsum("bn,nbtv->btv", weights, sources)


def fusion_loss(
    target: Float[Array, "B T V"],
    told: Float[Array, "B T V"],
    counted: Bool[Array, "B T"],
    *,
    kind: Literal["ce", "kl"] = "ce",
) -> Float[Array, ""]:
    """How far a model is from a distribution, a mean over the places that count.

    What has no probability in P costs nothing, even where log Q is -inf; nor do places that do not count.

    Args:
        target: P, see `mixed`.
        told: log Q, the model's.
        counted: places that count; one at least.
        kind: "ce" is -sum P log Q; "kl" is less by the entropy of P, on which the weights of sources act.

    Raises:
        ExperimentError: another kind.
    """
    if kind not in ("ce", "kl"):
        raise ExperimentError(f"a fusion loss is 'ce' or 'kl', not {kind!r}")
    each = -(target * jnp.where((target == 0) & jnp.isneginf(told), 0, told)).sum(-1)
    if kind == "kl":
        each = each + jax.scipy.special.xlogy(target, target).sum(-1)
    return jnp.where(counted, each, 0).sum() / counted.sum()


def usage_loss(weights: Float[Array, "B n"]) -> Float[Array, ""]:
    """The squared coefficient of variation of what the sources are used in a batch; 0 for one source.

    It is 0 where all are used equally, and n where one alone is.
    """
    if weights.shape[-1] == 1:
        return jnp.zeros((), weights.dtype)
    used = weights.sum(0)
    return used.var(ddof=1) / (jnp.square(used.mean()) + 1e-10)
