"""Which experts a token takes and how much of each: gates, balance, and who is chosen with whom.

The paper's text leaves the gates open, and its code is not public: all readings are here by name. Where the
k experts of one copy tie and are chosen together, the sum of what they say is the dense network if the gates
are 1. So they are for two of them:

| gate | weight of a chosen expert | at ties |
| --- | --- | --- |
| unit | 1 | 1 |
| scaled | k times the softmax over the chosen | 1 |
| chosen | softmax over the chosen | 1 / k |
| all | softmax over all experts | below 1 / k |
| sigmoid | logistic function of its own logit | any |

Source: Lu et al., arXiv:2507.17436; balance: Fedus et al., Switch Transformers, arXiv:2101.03961, eq. 4.
"""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float, Int

from ntkexec.errors import ExperimentError

Gate = Callable[[Float[Array, "... E"], Int[Array, "... k"]], Float[Array, "... k"]]
"""(logits, experts chosen) -> their weights."""


def _of_chosen(values: Array, chosen: Array) -> Array:
    return jnp.take_along_axis(values, chosen, -1)


GATES: Mapping[str, Gate] = {
    "unit": lambda logits, chosen: jnp.ones(chosen.shape, logits.dtype),
    "scaled": lambda logits, chosen: (
        chosen.shape[-1] * jax.nn.softmax(_of_chosen(logits, chosen), -1)
    ),
    "chosen": lambda logits, chosen: jax.nn.softmax(_of_chosen(logits, chosen), -1),
    "all": lambda logits, chosen: _of_chosen(jax.nn.softmax(logits, -1), chosen),
    "sigmoid": lambda logits, chosen: jax.nn.sigmoid(_of_chosen(logits, chosen)),
}
EXACT = ("unit", "scaled")
"""Gates that are 1 where the chosen tie."""


class Routing(NamedTuple):
    """Where tokens go.

    Args:
        chosen: experts of each token, the one with the largest logit first, of equal ones the first.
        gates: their weights.
        probabilities: softmax over all experts.
    """

    chosen: Int[Array, "... k"]
    gates: Float[Array, "... k"]
    probabilities: Float[Array, "... E"]

    def weights(self) -> Float[Array, "... E"]:
        """The gate of every expert, 0 for those not chosen."""
        hot = jax.nn.one_hot(self.chosen, self.probabilities.shape[-1], dtype=self.gates.dtype)
        return (hot * self.gates[..., None]).sum(-2)


def gate_of(gate: str | Gate) -> Gate:
    """A gate by its name, or the function itself.

    Raises:
        ExperimentError: names the gates that there are.
    """
    if not isinstance(gate, str):
        return gate
    if gate not in GATES:
        raise ExperimentError(f"there is no gate {gate!r}, but {', '.join(GATES)}")
    return GATES[gate]


def route(
    logits: Float[ArrayLike, "... E"],
    active: int,
    *,
    gate: str | Gate = "scaled",
    start: Float[ArrayLike, "... E"] | None = None,
) -> Routing:
    """The experts with the largest logits, and their weights.

    Args:
        logits: of the router, in float32 at least: coarser ones tie what does not.
        active: experts of a token, k.
        gate: see `GATES`, or a function of logits and chosen.
        start: logits of the router as it began, under which no gate would have changed anything yet: a gate
            is then 1 plus what it has become more than it was. So any gate begins at exactly 1, with the
            gradient that it has.

    Raises:
        ExperimentError: more active experts than there are, or no gate of that name.
    """
    logits, of = jnp.asarray(logits), gate_of(gate)
    if not 1 <= active <= logits.shape[-1]:
        raise ExperimentError(f"{active} of {logits.shape[-1]} experts cannot be active")
    chosen = jax.lax.top_k(jax.lax.stop_gradient(logits), active)[1]
    gates = of(logits, chosen)
    if start is not None:
        gates = 1 + (gates - jax.lax.stop_gradient(of(jnp.asarray(start), chosen)))
    return Routing(chosen, gates, jax.nn.softmax(logits, -1))


def balance_loss(
    routing: Routing, *, real: Float[ArrayLike, "..."] | None = None
) -> Float[Array, ""]:
    """How uneven experts are used: 1 if all alike, up to their number over k.

    E times the sum over experts of the share of (token, slot) pairs that they get and their mean
    probability. Shares have no gradient.

    Args:
        routing: of tokens; all axes of tokens are averaged over, the batch's too.
        real: 1 for tokens that count, 0 for padding; by default all.

    Returns:
        0 if no token counts.
    """
    number = routing.probabilities.shape[-1]
    tokens = routing.probabilities.reshape(-1, number)
    counted = jnp.ones(len(tokens)) if real is None else jnp.asarray(real).reshape(-1)
    total = counted.sum()
    counted = (counted / jnp.where(total > 0, total, 1)).astype(tokens.dtype)
    slots = routing.chosen.reshape(len(tokens), -1)
    hot = jax.nn.one_hot(slots, number, dtype=tokens.dtype).mean(1)
    return number * (counted @ hot) @ (counted @ tokens)


def co_activation(chosen: Int[ArrayLike, "... k"], experts: int) -> Int[np.ndarray, "E E"]:
    """How many tokens chose both of two experts; nothing on the diagonal.

    Args:
        chosen: of each token, as in `Routing`.
        experts: how many there are.

    Raises:
        ExperimentError: an expert that is none.
    """
    rows = np.asarray(chosen)
    rows = rows.reshape(-1, rows.shape[-1])
    if rows.size and not (rows.min() >= 0 and rows.max() < experts):
        raise ExperimentError(f"there are {experts} experts, and {rows.max()} was chosen")
    hot = np.zeros((len(rows), experts), np.int64)
    np.put_along_axis(hot, rows, 1, 1)
    found = hot.T @ hot
    np.fill_diagonal(found, 0)
    return np.asarray(found)


def partners(together: Int[ArrayLike, "E E"]) -> Float[np.ndarray, "E"]:
    """The effective number of each expert's partners: exp of the entropy of whom it is chosen with.

    Args:
        together: see `co_activation`; an expert that was never chosen with another has nan.
    """
    counts = np.asarray(together, np.float64)
    totals = counts.sum(1, keepdims=True)
    share = np.divide(counts, totals, out=np.zeros_like(counts), where=totals > 0)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    return np.where(totals[:, 0] > 0, np.exp(-(share * logs).sum(1)), np.nan)


def unpaired(chosen: Int[ArrayLike, "... k"], generator: np.random.Generator) -> Any:
    """The same choices with slots drawn anew among tokens: as often each, paired by chance."""
    rows = np.asarray(chosen)
    rows = rows.reshape(-1, rows.shape[-1])
    return np.stack([generator.permutation(slot) for slot in rows.T], 1)
