"""One model made of several: trained on text and on what sources expect in it, by weights of each text.

The loss is (1 - share) next token + share * fusion + feedback * usage. Sources are read as
`distributions.TopK`, so that a vocabulary of any size fits; sum_v P log Q is linear in P, hence in the
weights, and neither the mixed distribution nor any whole row of a source is ever made.

Source: Kong et al., arXiv:2505.23844, section 3, and its public trainer; `bilevel` is ours.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Bool, Float, Int

from experiments.kits.transformer.decoder import Params, Shape, logits, refuse_misfits, run
from experiments.language.flexible_llm.distributions import TopK, cross_entropies
from experiments.language.flexible_llm.selection import SourceSelector, usage_loss
from ntkexec.errors import ExperimentError

Way = Literal["joint", "frozen", "released", "bilevel", "uniform", "least", "softmax", "none"]
"""How sources are weighted: by a selector trained with the rest; by one that is never trained; by one made
anew at every step, as the public trainer does; by one trained on held-out text; evenly; the one of least loss
alone (FuseLLM's MinCE); by softmax(-loss) (its AvgCE); or not at all."""
LEARNED = ("joint", "bilevel")
RANDOM = ("frozen", "released")


class Rule(NamedTuple):
    """A way of weighting as numbers, so that all of them are one program.

    Args:
        fixed: weights of every text, where they are not a selector's.
        by_selector, redrawn: whether they are, and whether it is made anew at every step.
        rate: of the selector's optimiser.
        share, feedback: of the fusion and the usage loss.
        present: sources that may be used.
    """

    fixed: Float[Array, "N n"]
    by_selector: Float[Array, ""]
    redrawn: Float[Array, ""]
    rate: Float[Array, ""]
    share: Float[Array, ""]
    feedback: Float[Array, ""]
    present: Bool[Array, "n"]


class Fused(NamedTuple):
    """What came of it.

    Args:
        trained: parameters, or adapters if there were any.
        selector: variables of `SourceSelector`; of no meaning where weights were fixed.
        losses: next token, fusion and usage, of every step.
        usage: mean weight of every source at every step.
    """

    trained: Any
    selector: Any
    losses: Float[np.ndarray, "steps 3"]
    usage: Float[np.ndarray, "steps n"]


def fuse(
    params: Params,
    shape: Shape,
    texts: Int[np.ndarray, "N T"],
    counted: Bool[np.ndarray, "N T"],
    stored: TopK,
    loss: Float[np.ndarray, "n N"],
    *,
    how: Way = "joint",
    share: float = 0.1,
    feedback: float = 0.5,
    present: Bool[np.ndarray, "n"] | None = None,
    held: tuple[Int[np.ndarray, "M T"], Bool[np.ndarray, "M T"]] | None = None,
    adapters: Any = None,
    seed: int,
    steps: int,
    batch: int = 32,
    rate: float = 1e-3,
    selector_rate: float = 1e-3,
) -> Fused:
    """A decoder trained on texts and on what sources expect in them.

    Args:
        params, shape: of the target to begin with.
        texts: in its tokens.
        counted: tokens that count as targets; the first of a text never does.
        stored: of every source what follows each token but the last: axes (n, N, T - 1).
        loss: of every source its own cross-entropy of each text, in nats a token.
        how: sources are weighted, see `Way`.
        share: of the fusion loss; the paper's is 0.1. 0 for "none".
        feedback: of the usage loss, which acts on a trained selector alone; the paper's is 0.5.
        present: sources that may be used; by default all.
        held: texts, and what counts in them, on which a "bilevel" selector is judged.
        adapters: to begin with, see `lora`; then only they are trained.
        seed: of the selector and the batches; the same batches for every way.
        steps, batch, rate: of AdamW (decay 0.01), whose rate falls as a cosine.
        selector_rate: of Adam on the selector.

    Raises:
        ExperimentError: an unknown way, numbers that are none of a training, sources that do not fit the
            texts, or "bilevel" without held-out text.
    """
    if how not in get_args(Way):
        raise ExperimentError(f"sources are weighted {', '.join(get_args(Way))}, not {how!r}")
    if steps < 1 or batch < 1 or not rate > 0 or not 0 <= share <= 1 or feedback < 0:
        raise ExperimentError(
            f"cannot train {steps} steps of {batch} at rate {rate:g}, share {share:g}, feedback {feedback:g}"
        )
    refuse_misfits(params, shape, texts, None, adapters)
    number = loss.shape[0] if loss.ndim == 2 else 0
    rows = (number, len(texts), texts.shape[1] - 1)
    if (
        not number
        or stored.tail.shape != rows
        or loss.shape != rows[:2]
        or counted.shape != texts.shape
    ):
        raise ExperimentError(
            f"sources of {stored.tail.shape} places and losses {loss.shape} do not fit texts {texts.shape}"
        )
    if how == "bilevel" and held is None:
        raise ExperimentError("a bilevel selector is judged on held-out text; give `held`")
    if not np.isfinite(loss).all():
        raise ExperimentError(
            "a source's loss of a text is not finite: no weight can be told from it"
        )
    may = np.ones(number, bool) if present is None else np.asarray(present, bool)
    if may.shape != (number,) or not may.any():
        raise ExperimentError(f"of {number} sources, {may.tolist()} may be used")
    trained = how in LEARNED
    rule = Rule(
        fixed=jnp.asarray(weights_by(loss, how, may)),
        by_selector=jnp.float32(trained or how in RANDOM),
        redrawn=jnp.float32(how == "released"),
        rate=jnp.float32(selector_rate if trained else 0),
        share=jnp.float32(0 if how == "none" else share),
        feedback=jnp.float32(feedback if trained else 0),
        present=jnp.asarray(may),
    )
    draws = np.random.default_rng([seed, 2])
    chosen = draws.integers(len(texts), size=(steps, batch))
    watched = None
    if held is not None and how == "bilevel":
        rows_held = draws.integers(len(held[0]), size=(steps, batch))
        watched = tuple(jnp.asarray(one)[rows_held] for one in held)
    scores = np.exp(-loss.T).astype(np.float32)
    found = _fused(
        shape, how == "bilevel", params, adapters, rule, jnp.asarray(chosen), (texts, counted),
        TopK(*map(jnp.asarray, stored)), jnp.asarray(scores), watched,
        jax.random.key(seed), jnp.float32(rate),
    )  # fmt: skip
    return Fused(*jax.tree.map(np.asarray, found))


def weights_by(
    loss: Float[np.ndarray, "n N"], how: Way, present: Bool[np.ndarray, "n"]
) -> Float[np.ndarray, "N n"]:
    """Fixed weights of every text; even ones where a selector is to weigh.

    Args:
        loss: of every source and text.
        how: "least" and "softmax" use it; see `Way`.
        present: sources that may be used.
    """
    seen = np.where(present[:, None], loss, np.inf).T
    if how == "least":
        found = np.eye(len(loss))[seen.argmin(1)]
    elif how == "softmax":
        found = np.exp(seen.min(1, keepdims=True) - seen)
    else:
        found = np.isfinite(seen).astype(float)
    return (found / found.sum(1, keepdims=True)).astype(np.float32)


def drawn_selector(key: Array, sources: int) -> Any:
    """Variables of a fresh `SourceSelector`: uniform within fan_in ** -0.5, as PyTorch's layers begin."""
    made, wide = {}, sources
    for name, out in (("first", 2 * sources), ("second", sources), ("third", sources)):
        key, one, other = jax.random.split(key, 3)
        most = wide**-0.5
        made[name] = {
            "kernel": jax.random.uniform(one, (wide, out), minval=-most, maxval=most),
            "bias": jax.random.uniform(other, (out,), minval=-most, maxval=most),
        }
        wide = out
    return {"params": made}


def terms(
    told: Float[Array, "B T-1 V"],
    tokens: Int[Array, "B T"],
    counted: Bool[Array, "B T"],
    stored: TopK,
) -> tuple[Float[Array, ""], Float[Array, "B n"]]:
    """The next-token loss, and what each source adds to the fusion loss in each text for a weight of 1.

    Args:
        told: log Q of what follows each token but the last.
        tokens, counted: of the texts, and which of their tokens count.
        stored: of the sources, axes (n, B, T - 1).
    """
    counts = counted[:, 1:]
    number = counts.astype(told.dtype).sum()
    next_token = -jnp.take_along_axis(told, tokens[:, 1:, None], -1)[..., 0]
    # What does not count may be infinite, which no factor of 0 takes away.
    each = jnp.where(counts[None], cross_entropies(stored, told), 0)
    return jnp.where(counts, next_token, 0).sum() / number, each.sum(-1).T / number


def influence(
    each: Callable[[Any], Array],
    loss: Callable[[Any], Array],
    trained: Any,
    slopes: Any,
    rate: Float[Array, ""] | float,
) -> Float[Array, "B n"]:
    """By how much weights of sources lower a held-out loss, through one step of gradient descent.

    The step is along slopes that are linear in the weights, so the derivative is exact without a second
    one: minus the step's rate times, for each weight, the slope of its term along the held-out gradient.

    Args:
        each: from parameters to what every weight is multiplied with in the loss that is descended.
        loss: held-out, of parameters.
        trained: the parameters; slopes: of the loss that is descended, there.
        rate: of the step.
    """
    moved = jax.tree.map(lambda one, slope: one - rate * slope, trained, slopes)
    return jax.jvp(each, (trained,), (jax.grad(loss)(moved),))[1]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _fused(
    shape: Shape, bilevel: bool, params: Params, adapters: Any, rule: Rule, chosen: Array, data: Any,
    stored: TopK, scores: Array, watched: Any, key: Array, rate: Array,
) -> Any:  # fmt: skip
    module = SourceSelector(scores.shape[1])
    steps, adapted = len(chosen), adapters is not None
    texts, counted = jnp.asarray(data[0]), jnp.asarray(data[1])

    def told_by(trained: Any, tokens: Array) -> Array:
        whole, own = (params, trained) if adapted else (trained, None)
        last = run(whole, shape, tokens[:, :-1], adapters=own).last
        return jax.nn.log_softmax(logits(whole, shape, last))

    def terms_of(trained: Any, rows: Array) -> tuple[Array, Array]:
        part = TopK(*(one[:, rows] for one in stored))
        return terms(told_by(trained, texts[rows]), texts[rows], counted[rows], part)

    outer = optax.adamw(lambda t: rate * 0.5 * (1 + jnp.cos(jnp.pi * t / steps)), weight_decay=0.01)
    inner = optax.scale_by_adam()

    def weights(selector: Any, rows: Array) -> Array:
        learned: Any = module.apply(selector, scores[rows], rule.present)
        return jnp.where(rule.by_selector > 0, learned, rule.fixed[rows])

    def total(both: Any, rows: Array) -> tuple[Array, tuple[Array, Array]]:
        trained, selector = both
        plain, each = terms_of(trained, rows)
        given = weights(selector, rows)
        fusion, usage = (given * each).sum(), usage_loss(given)
        loss = (1 - rule.share) * plain + rule.share * fusion + rule.feedback * usage
        return loss, (jnp.stack([plain, fusion, usage]), given.mean(0))

    def on_held_out(trained: Any, selector: Any, slopes: Any, rows: Array, seen: Any) -> Any:
        """The selector's slope of the held-out loss after a step of the target, for a rate of 1 there."""

        def loss(one: Any) -> Array:
            told, counts = told_by(one, seen[0]), seen[1][:, 1:]
            found = jnp.take_along_axis(told, seen[0][:, 1:, None], -1)[..., 0]
            return -jnp.where(counts, found, 0).sum() / counts.sum()

        found = influence(lambda one: terms_of(one, rows)[1], loss, trained, slopes, rate)
        given, back = jax.vjp(lambda one: weights(one, rows), selector)
        even = jax.grad(usage_loss)(given)
        return back(rule.feedback * even - rule.share * found)[0]

    def step(carry: Any, parts: Any) -> Any:
        trained, selector, outer_state, inner_state = carry
        index, rows, seen = parts
        fresh = drawn_selector(jax.random.fold_in(key, index + 1), scores.shape[1])
        selector = jax.tree.map(lambda a, b: jnp.where(rule.redrawn > 0, a, b), fresh, selector)
        (slopes, turn), (losses, usage) = jax.grad(total, has_aux=True)((trained, selector), rows)
        if bilevel:
            turn = on_held_out(trained, selector, slopes, rows, seen)
        move, outer_state = outer.update(slopes, outer_state, trained)
        shift, inner_state = inner.update(turn, inner_state)
        selector = jax.tree.map(lambda one, by: one - rule.rate * by, selector, shift)
        trained = optax.apply_updates(trained, move)
        return (trained, selector, outer_state, inner_state), (losses, usage)

    first = jax.tree.map(jnp.asarray, adapters if adapted else params)
    selector = drawn_selector(jax.random.fold_in(key, 0), scores.shape[1])
    begun = (first, selector, outer.init(first), inner.init(selector))
    parts = (jnp.arange(steps), chosen, watched)
    (trained, selector, _, _), (losses, usage) = jax.lax.scan(step, begun, parts)
    return trained, selector, losses, usage
