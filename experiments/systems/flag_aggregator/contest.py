"""The same network trained by many rules under many attacks at once: a small one, of two layers."""

import dataclasses
import functools
import itertools
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Float, Int

from experiments.kits.federated.partitions import evenly
from experiments.systems.flag_aggregator.attacks import ATTACKS, Attack
from experiments.systems.flag_aggregator.rules import RULES, Rule

MOMENTUM = 0.9
RATES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)
"""Among which every rule's is picked, by a run without attacks."""
RELEASED = ("random", "reverse", "drop", "ALIE", "IPM")
"""Attacks of the paper's experiments."""


@dataclasses.dataclass(frozen=True)
class Task:
    """Pictures as rows of numbers: to train on, to pick rates by, to be judged by.

    Args:
        train, train_labels: dealt to the workers.
        judged, judged_labels: validation pictures first, then those of the test.
        validation: how many of those are for validation.
    """

    train: Float[np.ndarray, "n d"]
    train_labels: Int[np.ndarray, "n"]
    judged: Float[np.ndarray, "k d"]
    judged_labels: Int[np.ndarray, "k"]
    validation: int


@dataclasses.dataclass(frozen=True)
class Setting:
    """How the networks are trained.

    Args:
        workers: that send a gradient each step.
        faulty: of them, the last ones, which attack.
        steps: of training; the learning rate falls to 0 over them.
        batch: pictures of one worker in one step.
        hidden: width of the network.
    """

    workers: int
    faulty: int
    steps: int
    batch: int
    hidden: int


def accuracies(
    task: Task,
    setting: Setting,
    *,
    rules: Mapping[str, Rule] = RULES,
    generator: np.random.Generator,
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Test accuracies by rule and attack, each rule at its own learning rate, and those rates.

    All networks start alike and see the same pictures in the same order; each rule's rate is the one
    of `RATES` with which it does best on the validation pictures where nobody attacks.

    Args:
        task: the pictures.
        setting: how the networks are trained.
        rules: by name.
        generator: of shards, batches, first weights and attacks.
    """
    shards = evenly(len(task.train), setting.workers, generator)
    picks = [generator.choice(shard, (setting.steps, setting.batch)) for shard in shards]
    sizes = (task.train.shape[1], setting.hidden, 10)
    layers = [
        generator.normal(size=(fan_in + 1, out)) * np.r_[np.ones(fan_in), 0][:, None] / fan_in**0.5
        for fan_in, out in itertools.pairwise(sizes)
    ]
    given = (
        np.concatenate([layer.ravel() for layer in layers]).astype(np.float32),
        np.stack(picks, 1),
        jax.random.key(int(generator.integers(2**31))),
        task.train,
        task.train_labels,
        task.judged,
        task.judged_labels,
    )
    train = functools.partial(_judged, tuple(rules.values()), setting)
    names = tuple(ATTACKS)
    choices = np.array(RATES, np.float32)
    nothing = np.full(len(RATES), names.index("none"))
    tried = np.asarray(train(np.tile(choices, (len(rules), 1)), nothing, *given), np.float64)
    best = tried[:, :, : task.validation].mean(2).argmax(1)
    rates = choices[best]
    attacks = ("none", *RELEASED)
    columns = np.tile(rates[:, None], (1, len(attacks)))
    right = np.asarray(train(columns, np.array([names.index(a) for a in attacks]), *given))
    tested = right[:, :, task.validation :].mean(2)
    by_attack = {
        rule: dict(zip(attacks, map(float, row), strict=True))
        for rule, row in zip(rules, tested, strict=True)
    }
    return by_attack, dict(zip(rules, (RATES[one] for one in best), strict=True))


def _logits(flat: Float[Array, "w"], pictures: Float[Array, "b d"], hidden: int) -> Array:
    inputs = pictures.shape[1]
    split = (inputs + 1) * hidden
    first, second = flat[:split].reshape(inputs + 1, hidden), flat[split:].reshape(hidden + 1, 10)
    inside = jax.nn.relu(pictures @ first[:-1] + first[-1][None])
    return inside @ second[:-1] + second[-1][None]


@functools.partial(jax.jit, static_argnums=(0, 1))
def _judged(
    rules: Sequence[Rule],
    setting: Setting,
    rates: Float[Array, "r c"],
    attacks: Int[Array, "c"],
    first: Float[Array, "w"],
    picks: Int[Array, "t p b"],
    key: Array,
    train: Float[Array, "n d"],
    labels: Int[Array, "n"],
    judged: Float[Array, "k d"],
    judged_labels: Int[Array, "k"],
) -> Array:
    """Whether each judged picture is told by each network: rules, columns, pictures."""
    faulty = jnp.arange(setting.workers) >= setting.workers - setting.faulty
    branches = [functools.partial(_sent, attack, faulty) for attack in ATTACKS.values()]

    def loss(flat: Array, pictures: Array, wanted: Array) -> Array:
        logits = _logits(flat, pictures, setting.hidden)
        return optax.softmax_cross_entropy_with_integer_labels(logits, wanted).mean()

    of_workers = jax.vmap(jax.grad(loss), (None, 0, 0))

    def column(given: tuple[Array, Array]) -> Array:
        rates, attack = given

        def step(state: tuple[Array, Array], now: tuple[Array, Array]) -> tuple[tuple, None]:
            (weights, speed), (pick, done) = state, now
            gradients = jax.vmap(of_workers, (0, None, None))(weights, train[pick], labels[pick])
            sent = lax.switch(attack, branches, gradients, jax.random.fold_in(key, done))
            updates = [rule(one, setting.faulty) for rule, one in zip(rules, sent, strict=True)]
            speed = MOMENTUM * speed + jnp.stack(updates)
            left = 1 - done / setting.steps
            return (weights - left * rates[:, None] * speed, speed), None

        start = jnp.broadcast_to(first, (len(rules), first.size))
        steps = (picks, jnp.arange(setting.steps))
        (weights, _), _ = lax.scan(step, (start, jnp.zeros_like(start)), steps)
        told = jax.vmap(lambda flat: _logits(flat, judged, setting.hidden).argmax(-1))(weights)
        return told == judged_labels[None]

    # One after the other, so that an attack is a branch, and what is in hand fits a cache.
    return lax.map(column, (rates.T, attacks)).swapaxes(0, 1)


def _sent(attack: Attack, faulty: Array, gradients: Array, key: Array) -> Array:
    """What arrives of all networks' workers."""
    return jax.vmap(attack, (0, None, None))(gradients, faulty, key)
