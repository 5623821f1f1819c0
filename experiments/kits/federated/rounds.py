"""Federated rounds: all clients' local steps at once, then one aggregation; a whole training in one scan.

Clients hold no state between rounds: each begins with the server's model and a new optimiser.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, Int

from experiments.kits.federated.averages import weighted_mean
from experiments.kits.federated.partitions import Partition
from ntkexec.errors import ExperimentError

Params = Any
# (params, examples with a first axis, key) -> mean loss
Loss = Callable[[Params, Any, Array], Array]
# (params of all clients, stacked; their weights; params before the round) -> params
Aggregation = Callable[[Params, Array, Params], Params]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Clients:
    """Examples of all clients beside each other.

    Args:
        examples: a pytree whose leaves are of shape (clients, most, ...).
        counts: how many of them are a client's own; the others repeat those, and are never drawn.
    """

    examples: Any
    counts: Int[Array, "clients"]


def stacked(examples: Any, partition: Partition, most: int | None = None) -> Clients:
    """Examples as their clients have them.

    Args:
        examples: a pytree of arrays with a common first axis.
        partition: places of each client's examples, none empty.
        most: examples of each client in the result, so that several draws have one shape; by default as
            many as the largest client has.

    Raises:
        ExperimentError: a client is empty, has more than `most`, or a place is none of an example.
    """
    leaves = jax.tree.leaves(examples)
    number = min((len(leaf) for leaf in leaves), default=0)
    counts = [len(part) for part in partition]
    if not counts or min(counts) < 1:
        raise ExperimentError("every client has at least one example")
    places = np.concatenate([np.asarray(part) for part in partition])
    if places.dtype.kind not in "iu" or places.min() < 0 or places.max() >= number:
        raise ExperimentError(f"the partition names examples beyond the {number} that there are")
    most = max(counts) if most is None else most
    if max(counts) > most:
        raise ExperimentError(f"a client has {max(counts)} examples, more than {most}")
    rows = np.stack([np.resize(part, most) for part in partition])
    found = jax.tree.map(lambda leaf: jnp.asarray(np.asarray(leaf)[rows]), examples)
    return Clients(found, jnp.asarray(counts, jnp.int32))


@dataclasses.dataclass(frozen=True)
class LocalTraining:
    """What a client does in a round; programs are told apart by it, so make it once.

    Args:
        loss: `(params, examples, key) -> mean loss`, a function at the top of a module.
        optimiser: Optax's; its state is new in every round.
        steps: a round.
        batch: examples of a step, drawn with replacement.
    """

    loss: Loss
    optimiser: optax.GradientTransformation
    steps: int
    batch: int

    def __post_init__(self) -> None:
        if self.steps < 1 or self.batch < 1:
            raise ExperimentError(f"there are no {self.steps} steps of {self.batch} examples")


def local_update(
    training: LocalTraining,
    params: Params,
    examples: Any,
    count: Int[Array, ""],
    key: Array,
    proximal: Float[Array, ""] | float = 0.0,
) -> tuple[Params, Float[Array, "steps"]]:
    """One client's model after its steps, and the loss of each.

    Args:
        training: what it does.
        params: with which it begins.
        examples: of the client, leaves of shape (most, ...).
        count: how many of them are its own.
        key: of batches and of the loss.
        proximal: FedProx's mu: half of it times the squared distance from `params` is added to the
            loss that is descended, not to the one that is returned; 0 is FedAvg.

    Source: McMahan et al., arXiv:1602.05629; Li et al., arXiv:1812.06127 (FedProx).
    """

    def pulled(gradient: Array, now: Array, begun: Array) -> Array:
        return gradient + (proximal * (now - begun)).astype(gradient.dtype)

    def step(carry: Any, index: Array) -> tuple[Any, Array]:
        now, state = carry
        draw, noise = jax.random.split(jax.random.fold_in(key, index))
        rows = jax.random.randint(draw, (training.batch,), 0, count)
        shown = jax.tree.map(lambda leaf: leaf[rows], examples)
        value, gradient = jax.value_and_grad(training.loss)(now, shown, noise)
        gradient = jax.tree.map(pulled, gradient, now, params)
        updates, state = training.optimiser.update(gradient, state, now)
        return (optax.apply_updates(now, updates), state), value

    start = (params, training.optimiser.init(params))
    (after, _), losses = jax.lax.scan(step, start, jnp.arange(training.steps))
    return after, losses


def fedavg(trained: Params, weights: Float[Array, "clients"], before: Params) -> Params:
    """The weighted mean of the clients' models; the model before the round if all weights are 0."""
    return weighted_mean(trained, weights, otherwise=before)


def federated_round(
    training: LocalTraining,
    params: Params,
    clients: Clients,
    key: Array,
    *,
    aggregate: Aggregation = fedavg,
    weights: Float[Array, "clients"] | None = None,
    proximal: Float[Array, ""] | float = 0.0,
) -> tuple[Params, Float[Array, "clients"]]:
    """The server's model after one round, and every client's mean loss.

    Args:
        training: what each client does; all do it, those of weight 0 in vain.
        params: the server's model.
        clients: their examples.
        key: of the round; client i draws with it and i.
        aggregate: makes one model of all.
        weights: of the clients; by default how many examples each has.
        proximal: as for `local_update`.
    """
    number = clients.counts.shape[0]
    keys = jax.vmap(functools.partial(jax.random.fold_in, key))(jnp.arange(number))

    def update(examples: Any, count: Array, key: Array) -> tuple[Params, Array]:
        return local_update(training, params, examples, count, key, proximal)

    trained, losses = jax.vmap(update)(clients.examples, clients.counts, keys)
    given = clients.counts.astype(jnp.float32) if weights is None else weights
    return aggregate(trained, given, params), losses.mean(1)


def federated_training(
    training: LocalTraining,
    params: Params,
    clients: Clients,
    key: Array,
    *,
    rounds: int,
    aggregate: Aggregation = fedavg,
    participation: Float[np.ndarray, "rounds clients"] | None = None,
    proximal: float = 0.0,
    evaluate: Callable[[Params], Any] | None = None,
) -> tuple[Params, Float[Array, "rounds clients"], Any]:
    """The server's model after all rounds, in one compiled scan.

    Example:
        ```python
        parts = by_dirichlet(labels, 10, 0.3, np.random.default_rng(0))  # of 10 clients
        clients = stacked((pictures, labels), parts)
        # loss(params, (pictures, labels), key), defined at the top of a module
        training = LocalTraining(loss, optax.sgd(0.1), steps=5, batch=16)
        after, losses, _ = federated_training(training, params, clients, key, rounds=20)
        ```

    Args:
        training, params, clients, key, aggregate, proximal: as for `federated_round`; functions are told
            apart by identity, so give the same ones again and nothing is compiled anew.
        rounds: how many.
        participation: factors of the clients' counts, round by round: 1 for who takes part, 0 for who
            does not; by default all do.
        evaluate: applied to the model after every round, such as a loss on held-out examples.

    Returns:
        The model; each client's mean loss in each round; what `evaluate` gave, round by round.

    Raises:
        ExperimentError: there is no round, participation is of another shape, or a factor or the proximal
            term is negative or not finite.
    """
    number = clients.counts.shape[0]
    factors = np.ones((rounds, number)) if participation is None else np.asarray(participation)
    if rounds < 1 or factors.shape != (rounds, number):
        raise ExperimentError(
            f"{rounds} rounds of {number} clients do not fit a participation of {factors.shape}"
        )
    if not (np.isfinite(factors) & (factors >= 0)).all():
        bad = factors[~(np.isfinite(factors) & (factors >= 0))][0]
        raise ExperimentError(f"a client takes part with a factor of 0 or more, not {bad}")
    if not np.isfinite(proximal) or proximal < 0:
        raise ExperimentError(f"a proximal term is not negative, as {proximal!r} is")
    return _trained(
        training, aggregate, evaluate, params, clients, key, jnp.asarray(factors, jnp.float32),
        jnp.float32(proximal),
    )  # fmt: skip


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _trained(
    training: LocalTraining,
    aggregate: Aggregation,
    evaluate: Callable[[Params], Any] | None,
    params: Params,
    clients: Clients,
    key: Array,
    factors: Array,
    proximal: Array,
) -> tuple[Params, Array, Any]:
    def step(params: Params, given: tuple[Array, Array]) -> tuple[Params, tuple[Array, Any]]:
        index, factor = given
        after, losses = federated_round(
            training, params, clients, jax.random.fold_in(key, index), aggregate=aggregate,
            weights=clients.counts * factor, proximal=proximal,
        )  # fmt: skip
        return after, (losses, None if evaluate is None else evaluate(after))

    rounds = jnp.arange(factors.shape[0])
    after, (losses, found) = jax.lax.scan(step, params, (rounds, factors))
    return after, losses, found
