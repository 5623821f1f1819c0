"""A whole mission: satellites train a codec between gateways and cloud, in one compiled scan."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from experiments.kits.costs import num_bytes
from experiments.kits.federated.averages import weighted_mean
from experiments.kits.federated.rounds import Clients, LocalTraining, local_update
from experiments.kits.federated.traffic import Traffic
from experiments.systems.semspacefl.aggregation import two_tier_average
from experiments.systems.semspacefl.codec import (
    SemanticCodec,
    channel,
    check_pictures,
    initial_codec,
    loss_of,
    psnr,
)
from experiments.systems.semspacefl.missions import Mission, Plan, planned
from experiments.systems.semspacefl.tracks import Tracks
from ntkexec.errors import ExperimentError

TESTED_AT = 10.0
"""Decibels of SNR at which progress is measured."""


@functools.lru_cache
def training_of(codec: SemanticCodec, steps: int, batch: int, rate: float) -> LocalTraining:
    """What a satellite does in a round: Adam, begun anew."""
    return LocalTraining(loss_of(codec), optax.adam(rate), steps, batch)


@dataclasses.dataclass(frozen=True, eq=False)
class Flight:
    """What came of a mission.

    Args:
        params: the cloud's codec at the end.
        quality: PSNR in dB at 10 dB of SNR after every gateway round, of what the cloud has then; the mean
            of the test pictures' decibels.
        losses: mean squared error over each satellite's steps of a round; nan for those that took no part.
        plan: of the rounds; none for a training without satellites.
        traffic: by hop.
        joules: spent by all satellites.
    """

    params: Any
    quality: Float[np.ndarray, "R"]
    losses: Float[np.ndarray, "R S"]
    plan: Plan | None = None
    traffic: Traffic = dataclasses.field(default_factory=Traffic)
    joules: float = 0.0


def run(
    mission: Mission,
    tracks: Tracks,
    clients: Clients,
    tested: Float[np.ndarray, "m h w 3"],
    *,
    key: Array,
    codec: SemanticCodec | None = None,
    scheme: str = "mobility",
    steps: int = 4,
    batch: int = 8,
    rate: float = 3e-3,
    noon: float = 0.0,
) -> Flight:
    """Trains a codec over a constellation, and keeps the books of bits, joules and hand-overs.

    In every gateway round each satellite that is in sight and affords it trains from the model of the
    gateway that serves it first, and its update is given to all gateways that serve it, by the shares of
    the scheme. After every cloud round all gateways have the cloud's model.

    Args:
        mission: when, where and with which power.
        tracks: of the satellites, such as `Constellation.tracks(mission.seconds)`.
        clients: pictures of each satellite, floats from 0 to 1, as `federated.rounds.stacked` puts them
            beside each other.
        tested: pictures on which progress is measured, the same.
        key: of the first parameters and of all training.
        codec: that is trained; by default a `SemanticCodec` of rate 1/6.
        scheme: mobility, naive, uniform or unbiased; see `weights_by`.
        steps, batch, rate: of a satellite's training in a round, with Adam.
        noon: longitude over which the Sun stands at first.

    Raises:
        ExperimentError: satellites and clients are not as many, pictures are not from 0 to 1, nobody is
            ever served, or what `planned` and `weights_by` refuse.
    """
    if len(tracks.names) != len(clients.counts):
        raise ExperimentError(f"{len(tracks.names)} satellites, and {len(clients.counts)} clients")
    for pictures in (clients.examples, tested):
        check_pictures(pictures)
    codec = SemanticCodec() if codec is None else codec
    begun, trained = jax.random.split(key)
    generator = np.random.default_rng(np.asarray(jax.random.key_data(begun)))
    params = initial_codec(codec, tested.shape[1], generator)
    plan = planned(tracks, mission, num_bytes(params), noon=noon)
    if not plan.shares.any():
        raise ExperimentError(
            f"nothing is trained: of {plan.served.shape[1]} satellites {plan.served.any(0).sum()} are ever "
            f"{mission.least:g} degrees above one of {len(mission.sites)} gateways, of which "
            f"{plan.failed.sum()} updates take longer than a pass, and batteries afford no other"
        )
    training = training_of(codec, steps, batch, rate)
    return flown(plan, scheme, training, codec, params, clients, tested, trained)


def flown(
    plan: Plan,
    scheme: str,
    training: LocalTraining,
    codec: SemanticCodec,
    params: Any,
    clients: Clients,
    tested: Float[np.ndarray, "m h w 3"],
    key: Array,
) -> Flight:
    """As `run`, from a plan and given parameters."""
    satellites, gateways = plan.weights(scheme, np.asarray(clients.counts, float))
    ends = (np.arange(len(gateways)) + 1) % plan.every == 0
    after, quality, losses = _flown(
        training, codec, params, clients, jnp.asarray(tested), key,
        jnp.asarray(satellites, jnp.float32), jnp.asarray(gateways, jnp.float32),
        jnp.asarray(plan.first), jnp.asarray(ends),
    )  # fmt: skip
    traffic, joules = plan.traffic(num_bytes(params)), float(plan.books.spent.sum())
    return Flight(after, np.asarray(quality), np.asarray(losses), plan, traffic, joules)


def centralised(
    rounds: int,
    training: LocalTraining,
    codec: SemanticCodec,
    params: Any,
    pictures: Clients,
    tested: Float[np.ndarray, "m h w 3"],
    key: Array,
) -> Flight:
    """One client with all pictures, in every round, for as many steps as the training says."""
    ones = jnp.ones((rounds, 1, 1))
    after, quality, losses = _flown(
        training, codec, params, pictures, jnp.asarray(tested), key, ones, ones[:, 0],
        jnp.zeros((rounds, 1), int), jnp.ones(rounds, bool),
    )  # fmt: skip
    return Flight(after, np.asarray(quality), np.asarray(losses))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _flown(
    training: LocalTraining,
    codec: Any,  # a module, called with fields of its own
    params: Any,
    clients: Clients,
    tested: Array,
    key: Array,
    satellites: Array,
    gateways: Array,
    first: Array,
    ends: Array,
) -> tuple[Any, Array, Array]:
    number = clients.counts.shape[0]
    test_key, train_key = jax.random.split(key)

    def update(given: Any) -> tuple[Any, Array]:
        active, *rest = given

        def idle(params: Any, *others: Array) -> tuple[Any, Array]:
            return params, jnp.full(training.steps, jnp.nan)

        return jax.lax.cond(active, functools.partial(local_update, training), idle, *rest)

    def step(carry: tuple[Any, Any], given: Any) -> tuple[tuple[Any, Any], tuple[Array, Array]]:
        cloud, held = carry
        index, weights, above, start, end = given
        keys = jax.random.split(jax.random.fold_in(train_key, index), number)
        begun = jax.tree.map(lambda leaf: leaf[start], held)
        # One after the other, not under vmap, so that nothing is computed for who takes no part.
        given = (weights.sum(1) > 0, begun, clients.examples, clients.counts, keys)
        trained, losses = jax.lax.map(update, given)
        # The cloud takes means of what gateways hold, also of earlier gateway rounds of its round.
        _, held = two_tier_average(trained, weights, weights.sum(0), before=held)
        merged = weighted_mean(held, above, otherwise=cloud)
        cloud = jax.tree.map(lambda new, old: jnp.where(end, new, old), merged, cloud)
        held = jax.tree.map(lambda mine, new: jnp.where(end, new[None], mine), held, cloud)
        received = codec.apply({"params": cloud}, tested, test_key, TESTED_AT)
        return (cloud, held), (psnr(tested, received).mean(), losses.mean(1))

    def copies(leaf: Array) -> Array:
        return jnp.broadcast_to(leaf, (gateways.shape[1], *leaf.shape))

    start = jax.tree.map(jnp.asarray, params)
    given = (jnp.arange(len(ends)), satellites, gateways, first, ends)
    (cloud, _), noted = jax.lax.scan(step, (start, jax.tree.map(copies, start)), given)
    return cloud, *noted


def quality_by_snr(
    codec: SemanticCodec,
    params: Any,
    pictures: Array | np.ndarray,
    key: Array,
    snrs: Array | np.ndarray,
    order: Array | np.ndarray | None = None,
) -> Float[Array, "snrs"]:
    """Mean of the pictures' PSNR in dB, at each SNR in dB, with noise of its own for each.

    Args:
        codec: a `SemanticCodec`.
        params: of it.
        pictures: between 0 and 1.
        key: of the noise.
        snrs: in decibels.
        order: in which a picture's symbols arrive; but for the one in which they are sent it is a mistake,
            for tests.
    """
    check_pictures(pictures)
    quality: Array = _by_snr(codec, params, pictures, key, snrs, order)
    return quality


@functools.partial(jax.jit, static_argnums=0)
def _by_snr(
    codec: Any, params: Any, pictures: Array, key: Array, snrs: Array, order: Array | None
) -> Array:
    given = {"params": params}
    sent = codec.apply(given, pictures, method="encode")
    sent = sent if order is None else sent[:, order]
    _, height, width, _ = pictures.shape

    def at(one: tuple[Array, Array]) -> Array:
        received = channel(sent, *one)
        decoded = codec.apply(given, received, (height, width), method="decode")
        return psnr(pictures, decoded).mean()

    return jax.lax.map(at, (jax.random.split(key, len(snrs)), snrs))
