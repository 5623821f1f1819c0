"""An encoder of the decoder's stacked blocks in which every token sees all others, and what reads its states.

The blocks and their parameters are the decoder's, so that whatever holds of those holds here; places
are told by rotation or by a learned table, and what a block has made can be changed before the next.

```python
import numpy as np
from experiments.kits.transformer.decoder import Shape
from experiments.kits.transformer.encoder import encode, fit_classifier, initial_encoder, pooled

shape = Shape(blocks=4, width=32, heads=4, key_heads=4, hidden=64, vocabulary=50)
params = initial_encoder(shape, np.random.default_rng(0), places=8)  # or without, for rotation
tokens = np.array([[3, 1, 4, 1], [2, 7, 0, 0], [5, 9, 2, 6]])
real = np.array([[1, 1, 1, 1], [1, 1, 0, 0], [1, 1, 1, 1]], bool)
halved = lambda hidden, share: share * hidden  # what follows a block, with something of its own
found = encode(params, shape, tokens, real=real, after=halved, adapted=np.full(4, 0.5))
rows = np.asarray(pooled(found.last, real))  # (3, 32)
print(fit_classifier(rows, np.array([0, 1, 0])).logits(rows).argmax(-1))
```

Source: Devlin et al., BERT, arXiv:1810.04805, section 3; blocks as in Touvron et al., arXiv:2302.13971.
"""

import dataclasses
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from experiments.kits.transformer.decoder import (
    Params,
    Shape,
    States,
    along,
    block_of,
    initial,
    keys_and_values,
    refuse_misfits,
)
from ntkexec.errors import ExperimentError

After = Callable[[Float[Array, "B T D"], Any], Float[Array, "B T D"]]
PLACES = "places"
"""Of the parameters, the learned table of places, where there is one."""
CONSTANT = 1e-12
"""Of a feature's size: what deviates less never changes, but for rounding."""


def initial_encoder(
    shape: Shape,
    generator: np.random.Generator,
    *,
    places: int | None = None,
    deviation: float = 0.02,
) -> Params:
    """Random parameters, as `decoder.initial` draws them.

    Args:
        shape: of the encoder.
        generator: of the normal draws.
        places: tokens of the longest text, for a learned table of places; by default places are told
            by rotation, as in the decoder.
        deviation: of the draws.

    Raises:
        ExperimentError: a table for no place.
    """
    params = initial(shape, generator, deviation=deviation)
    if places is None:
        return params
    if places < 1:
        raise ExperimentError(f"a table of places has one at least, not {places}")
    table = generator.normal(size=(places, shape.width)) * deviation
    return {**params, PLACES: table.astype(np.float32)}


def encode(
    params: Params,
    shape: Shape,
    tokens: Int[ArrayLike, "B T"],
    *,
    real: Bool[ArrayLike, "B T"] | None = None,
    adapters: Any = None,
    after: After | None = None,
    adapted: Any = None,
    keep: bool = False,
) -> States:
    """States of all tokens, each of which sees all that are no padding.

    Args:
        params: see `initial_encoder`; a decoder's do as well.
        shape: of the encoder.
        tokens: numbers below the vocabulary's size.
        real: which tokens are no padding and may be seen; by default all.
        adapters: of matrices, see `lora`.
        after: what becomes of the states that a block has made, before the next block sees them.
        adapted: pytree whose leaves have a row for each block, the second argument of `after`.
        keep: whether states between blocks are kept, (blocks + 1, B, T, D) of them.

    Raises:
        ExperimentError: texts longer than the table of places, a padding of another shape, something
            for `after` without it; and see `decoder.refuse_misfits`.
    """
    refuse_misfits(params, shape, tokens, None, (adapters, adapted))
    if after is None and adapted is not None:
        raise ExperimentError("what is adapted after blocks needs a function `after` to do it")
    tokens = jnp.asarray(tokens)
    if real is not None and jnp.shape(real) != tokens.shape:
        raise ExperimentError(
            f"real tokens of shape {jnp.shape(real)} are not those of texts of shape {tokens.shape}"
        )
    hidden = jnp.asarray(params["embedding"])[tokens]  # NumPy cannot be indexed by what is traced
    place = jnp.broadcast_to(jnp.arange(tokens.shape[1])[None], tokens.shape)
    table = params.get(PLACES)
    if table is not None:
        if tokens.shape[1] > len(table):
            raise ExperimentError(
                f"texts of {tokens.shape[1]} tokens are longer than the table of {len(table)} places"
            )
        hidden = hidden + jnp.asarray(table)[None, : tokens.shape[1]]
        place = jnp.zeros_like(place)  # turned by nothing
    seen = jnp.ones(tokens.shape, bool) if real is None else jnp.asarray(real, bool)
    sees = jnp.broadcast_to(seen[:, None, :], (*tokens.shape, tokens.shape[1]))

    def step(hidden: Array, parts: Any) -> tuple[Array, Array | None]:
        block, own, following = parts
        keys, values = keys_and_values(block, shape, hidden, place, own)
        hidden = block_of(block, shape, hidden, place, keys, values, sees, own)
        if after is not None:
            hidden = after(hidden, following)
        return hidden, hidden if keep else None

    first = hidden
    hidden, inner = along(step, hidden, params["blocks"], adapters, None, adapted)
    if keep:
        inner = jnp.concatenate([first[None], inner])
    return States(hidden, inner)


def pooled(
    states: Float[ArrayLike, "... B T D"],
    real: Bool[ArrayLike, "B T"] | None = None,
    *,
    how: str = "mean",
) -> Float[Array, "... B D"]:
    """One state for each text.

    Args:
        states: of its tokens.
        real: which of them are no padding; by default all.
        how: "mean" of the real tokens, or the "first" or the "last" of them.

    Raises:
        ExperimentError: another way, or a text without real tokens, where they are known.
    """
    states = jnp.asarray(states)
    rows, length = states.shape[-3:-1]
    known = real is None or isinstance(real, np.ndarray)
    if known and (not length or (real is not None and not np.any(real, -1).all())):
        raise ExperimentError("a text without a real token has no state")
    kept = jnp.ones((rows, length), bool) if real is None else jnp.asarray(real, bool)
    places = jnp.arange(length)[None]
    if how == "mean":
        weights = kept.astype(states.dtype)
    elif how == "first":
        weights = (places == kept.argmax(-1)[:, None]).astype(states.dtype)
    elif how == "last":
        weights = (places == jnp.where(kept, places, -1).max(-1)[:, None]).astype(states.dtype)
    else:
        raise ExperimentError(f"states are pooled by mean, first or last, not {how!r}")
    weights = weights / weights.sum(-1, keepdims=True)
    # Not a product with 0 alone, which lets through what padding holds if that is not finite.
    chosen = jnp.expand_dims((weights > 0)[..., None], range(states.ndim - 3))
    return jnp.einsum("...btd,bt->...bd", jnp.where(chosen, states, 0), weights)


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A linear map from states to the scores of classes.

    Args:
        weights, bias: of it; states that were standardised are contained.
        strength: of the penalty, as it was picked.
    """

    weights: Float[np.ndarray, "D C"]
    bias: Float[np.ndarray, "C"]
    strength: float

    def logits(self, states: Float[ArrayLike, "... D"]) -> Float[np.ndarray, "... C"]:
        return np.asarray(states) @ self.weights + self.bias.reshape(
            (1,) * (np.ndim(states) - 1) + (-1,)
        )


def fit_classifier(
    states: Float[ArrayLike, "N D"],
    labels: Int[ArrayLike, "N"],
    *,
    classes: int | None = None,
    strengths: Sequence[float] = (1.0,),
    validation: tuple[Float[ArrayLike, "M D"], Int[ArrayLike, "M"]] | None = None,
    steps: int = 500,
) -> Classifier:
    """Logistic regression on frozen states, standardised by the deviations of the training ones.

    Args:
        states: one a text.
        labels: of the texts, counted from 0.
        classes: in all; by default those that there are. One that no text has scores -inf.
        strengths: factors of half the squared weights of standardised states, beside the sum of losses.
        validation: states and labels by whose accuracy a strength is picked, the first of the best.
        steps: of the solver at most; one that has not converged is used as it is.

    Raises:
        ExperimentError: no states, states and labels of other numbers, a label that is no class, fewer
            than two classes, a strength that is none, or several without a validation set.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    rows, given = _labelled(states, labels)
    number = int(given.max()) + 1 if classes is None and given.size else classes or 0
    if not np.issubdtype(given.dtype, np.integer) or given.min() < 0 or given.max() >= number:
        raise ExperimentError(f"labels are whole numbers below {number}, the number of classes")
    if len(np.unique(given)) < 2:
        raise ExperimentError("texts of one class leave nothing to tell apart")
    if not strengths or not min(strengths) > 0 or (len(strengths) > 1 and validation is None):
        raise ExperimentError(
            f"of the strengths {list(strengths)} one is picked, all above 0, by a validation set"
        )
    held = None if validation is None else _labelled(*validation)
    middle, spread = rows.mean(0), rows.std(0)
    # What never changes has a deviation of rounding, by which nothing is to be divided.
    spread = np.where(spread > CONSTANT * np.abs(rows).max(0), spread, 1.0)
    found: list[tuple[float, Classifier]] = []
    for strength in strengths:
        model = LogisticRegression(C=1 / strength, max_iter=steps)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit((rows - middle[None]) / spread[None], given)
        told, offset = model.coef_, model.intercept_
        if len(model.classes_) == 2:  # one score, of the second class
            told, offset = np.stack([-told[0], told[0]]) / 2, np.stack([-offset[0], offset[0]]) / 2
        weights, bias = np.zeros((rows.shape[1], number)), np.full(number, -np.inf)
        weights[:, model.classes_] = (told / spread[None]).T
        bias[model.classes_] = offset - (told / spread[None]) @ middle
        made = Classifier(weights, bias, strength)
        score = 0.0
        if held is not None:
            score = float((made.logits(held[0]).argmax(-1) == held[1]).mean())
        found.append((score, made))
    return max(found, key=lambda one: one[0])[1]


def _labelled(states: ArrayLike, labels: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    rows, given = np.asarray(states, np.float64), np.asarray(labels)
    fitting = rows.ndim == 2 and rows.shape[:1] == given.shape
    if not fitting or not rows.size or not np.isfinite(rows).all():
        raise ExperimentError(
            f"states of shape {rows.shape} are no finite rows of {given.shape} labels"
        )
    return rows, given
