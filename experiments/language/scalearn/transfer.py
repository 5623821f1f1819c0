"""Learning a task on a frozen backbone: source adapters first, then nothing but how they are combined.

One compiled program learns adapters, one all variants of ScaLearn, one AdapterFusion: sizes alike, what
differs is data. The backbone is a callable, so that an encoder whose blocks are adapted and states that
were kept on disk are learned from alike.
"""

import dataclasses
import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, ArrayLike, Bool, Float, Int

from experiments.language.scalearn.backbones import Backbone, refuse_other_inputs
from experiments.language.scalearn.bank import Arrays
from experiments.language.scalearn.misfits import (
    refuse_other_head,
    refuse_other_labels,
    refuse_other_mixing,
    refuse_other_rows,
    refuse_other_targets,
)
from experiments.language.scalearn.scaling import ScaLearn, Ties, attended, scaled, tied
from ntkexec.errors import ExperimentError

NOT = -1e9
"""Score of what is no class of a task: a likelihood of 0 whose gradient is no nan."""


class Examples(NamedTuple):
    """A task's texts.

    Args:
        inputs: pytree with a row for each text.
        targets: chances of the classes, (N, C); of what is no class, 0.
    """

    inputs: Any
    targets: Any

    @classmethod
    def of(cls, inputs: Any, labels: Int[ArrayLike, "N"], classes: int) -> "Examples":
        """Examples of one class each.

        Raises:
            ExperimentError: names a label that is no class; or there are not as many as texts.
        """
        refuse_other_labels(inputs, labels, classes)
        return cls(inputs, np.eye(classes, dtype=np.float32)[np.asarray(labels)])


class Head(NamedTuple):
    """A linear map from a state to the scores of the classes that there are."""

    weights: Float[ArrayLike, "D C"]
    bias: Float[ArrayLike, "C"]
    classes: Bool[ArrayLike, "C"]

    @classmethod
    def initial(
        cls, generator: np.random.Generator, width: int, classes: int, *, room: int
    ) -> "Head":
        """Normal of deviation 0.02, as in BERT; `room` for classes of other tasks.

        Raises:
            ExperimentError: no class, or no room for all.
        """
        if not 1 <= classes <= room or width < 1:
            raise ExperimentError(
                f"{classes} classes of states of width {width} do not fit room for {room}"
            )
        weights = generator.normal(size=(width, room)) * 0.02
        return cls(
            weights.astype(np.float32), np.zeros(room, np.float32), np.arange(room) < classes
        )

    def scores(self, states: Float[Array, "B D"]) -> Float[Array, "B C"]:
        told = states @ self.weights + jnp.asarray(self.bias)[None]
        return jnp.where(jnp.asarray(self.classes)[None], told, NOT)


@dataclasses.dataclass(frozen=True)
class Rates:
    """Learning rates at the start, from which they fall linearly to 0; at 0 nothing is learned.

    Args:
        mixing: of factors or of AdapterFusion's matrices.
        head: of the head.
        bank: of the adapters.
        dropout: of factors: the share that is 0 in a step.

    Raises:
        ExperimentError: names a rate that is no number from 0, or a share that is not below 1.
    """

    mixing: float = 6e-3
    head: float = 6e-3
    bank: float = 0.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        for name, one in dataclasses.asdict(self).items():
            below = 1 if name == "dropout" else np.inf
            if not 0 <= one < below:
                raise ExperimentError(f"{name} is a number from 0 to below {below}, not {one}")


@dataclasses.dataclass(frozen=True)
class Learned:
    """A task after learning, at the lowest validation loss of all looks.

    Args:
        mixing: free factors (L, S, D), of which `ScaLearn.ties` says what is used, or AdapterFusion's.
        head: of the task.
        bank: the adapters, as they were given unless they were learned.
        losses: on validation texts, by look.
        scores: of the test texts.
    """

    mixing: Any
    head: Head
    bank: Arrays
    losses: Float[np.ndarray, "looks"]
    scores: Float[np.ndarray, "N C"]


def learn(
    backbone: Backbone,
    frozen: Any,
    bank: Arrays,
    mixing: Any,
    head: Head,
    train: Examples,
    validation: Examples,
    test: Any,
    *,
    scaling: ScaLearn | None,
    rates: Rates,
    seed: int,
    steps: int,
    looks: int,
    batch: int = 32,
    room: int | None = None,
    look_room: int | None = None,
) -> Learned:
    """Learns the mixing and the head, and the adapters where their rate is not 0.

    Args:
        backbone, frozen: the frozen model and its parameters.
        bank: `SourceBank.arrays`.
        mixing: factors (l, S, d) as `scaling` has them, or `AdapterFusion.initial`.
        head: to begin with.
        train, validation: the task's examples.
        test: inputs alone.
        scaling: the variant; none for AdapterFusion.
        rates: of learning.
        seed: of the batches and of dropout.
        steps: in all, a multiple of `looks`.
        looks: how often the validation loss is looked at.
        batch: texts a step, drawn with replacement.
        room, look_room: rows to which training and test texts, and those of looks, are filled up, so that
            tasks of other sizes share a program.

    Raises:
        ExperimentError: steps that are no multiple of looks, a batch of no text, more texts than room,
            factors of another variant or size, inputs that do not fit the backbone, targets that are no
            chances of the head's classes, or a loss that is no number at any look.
    """
    if looks < 1 or steps < 1 or steps % looks:
        raise ExperimentError(f"{steps} steps cannot be cut into {looks} equal parts")
    if batch < 1:
        raise ExperimentError(f"a step learns from 1 text or more, not {batch}")
    sides = np.shape(bank["down"])[:3]
    refuse_other_mixing(mixing, bank, scaling)
    refuse_other_head(head, sides[2])
    for name, part in (("training", train), ("validation", validation)):
        refuse_other_targets(name, part, head.classes)
    refuse_other_rows(test, len(jax.tree.leaves(test)[0]), "first inputs of the test")
    for inputs in (train.inputs, validation.inputs, test):
        refuse_other_inputs(backbone, frozen, inputs, bank)
    ties = None
    if scaling is not None:
        ties = scaling.ties
        mixing = jnp.asarray(np.broadcast_to(mixing, sides))
    number, tests = len(train.targets), len(jax.tree.leaves(test)[0])
    for texts, most in ((max(number, tests), room), (len(validation.targets), look_room)):
        if most is not None and texts > most:
            raise ExperimentError(f"{texts} texts are more than there is room for, {most}")
    filled = (_filled(train, room), _filled(validation, look_room), _filled(test, room))
    data = (*filled, jnp.asarray(number))
    chosen = {"mixing": rates.mixing, "head": rates.head, "bank": rates.bank}
    best, losses, scores = _learned(
        (backbone, steps // looks, looks, batch, rates.bank > 0),
        (frozen, bank, ties), {"mixing": mixing, "head": head[:2]}, head.classes, data,
        {name: jnp.float32(one) for name, one in chosen.items()}, jnp.float32(rates.dropout),
        jax.random.key(seed),
    )  # fmt: skip
    if not np.isfinite(losses).any():
        raise ExperimentError(f"learning at rates of {rates} ended in no number")
    made = jax.tree.map(np.asarray, best)
    return Learned(
        made["mixing"], _headed(made["head"], np.asarray(head.classes)), made.get("bank", bank),
        np.asarray(losses), np.asarray(scores)[:tests],
    )  # fmt: skip


def scores_of(
    backbone: Backbone, frozen: Any, bank: Arrays, mixing: Any, head: Head, inputs: Any,
    *, ties: Ties | None,
) -> Float[Array, "N C"]:  # fmt: skip
    """Scores of texts; differentiable in everything.

    Args:
        mixing: free factors (L, S, D) with `ties`, or AdapterFusion's without.
        backbone, frozen, bank, head, inputs: as for `learn`.
    """
    if ties is None:
        states = backbone(frozen, inputs, attended, (bank, mixing))
    else:
        states = backbone(frozen, inputs, scaled, (bank, tied(mixing, ties)))
    return head.scores(states)


def told_by_source(
    backbone: Backbone, frozen: Any, bank: Arrays, head: Head, inputs: Any, factors: Array
) -> tuple[Float[Array, "N C"], Float[Array, "N C S"]]:
    """Scores by one factor a source, and their derivatives, as `influence` and `newton_start` take them.

    Raises:
        ExperimentError: there is not one factor a source, or head or inputs do not fit.
    """
    _, sources, width = np.shape(bank["down"])[:3]
    if np.shape(factors) != (sources,):
        raise ExperimentError(
            f"{sources} sources need one factor each, not shape {np.shape(factors)}"
        )
    refuse_other_head(head, width)
    refuse_other_inputs(backbone, frozen, inputs, bank)
    found: tuple[Array, Array] = _told_by_source(backbone, frozen, bank, head, inputs, factors)
    return found


@functools.partial(jax.jit, static_argnums=0)
def _told_by_source(
    backbone: Backbone, frozen: Any, bank: Arrays, head: Head, inputs: Any, factors: Array
) -> tuple[Array, Array]:
    blocks, sources, width = np.shape(bank["down"])[:3]

    def scores(factors: Array) -> tuple[Array, Array]:
        whole = jnp.broadcast_to(factors[None, :, None], (blocks, sources, width))
        found = head.scores(backbone(frozen, inputs, scaled, (bank, whole)))
        return found, found

    slopes, found = jax.jacfwd(scores, has_aux=True)(factors)
    return found, slopes


def cross_entropy(scores: Float[Array, "N C"], targets: Float[Array, "N C"]) -> Float[Array, ""]:
    """Mean over texts, in nats; rows whose targets are all 0 are none."""
    return -(targets * jax.nn.log_softmax(scores)).sum() / targets.sum()


@functools.partial(jax.jit, static_argnums=0)
def _learned(
    settings: tuple[Backbone, int, int, int, bool],
    fixed: Any,
    start: dict[str, Any],
    classes: Array,
    data: Any,
    rates: Mapping[str, Array],
    dropout: Array,
    key: Array,
) -> tuple[Any, Array, Array]:
    backbone, steps, looks, batch, with_bank = settings
    (frozen, bank, ties), (train, validation, test, number) = fixed, data
    if with_bank:
        start = {**start, "bank": bank}

    def told(learned: Any, inputs: Any, kept: Array | float = 1.0) -> Array:
        head = _headed(learned["head"], classes)
        mixing = learned["mixing"] if ties is None else learned["mixing"] * kept
        own = learned.get("bank", bank)
        return scores_of(backbone, frozen, own, mixing, head, inputs, ties=ties)

    adam = optax.scale_by_adam()

    def step(carry: Any, index: Array) -> tuple[Any, None]:
        learned, state = carry
        drawn, masked = jax.random.split(jax.random.fold_in(key, index))
        rows = jax.random.randint(drawn, (batch,), 0, number)
        some = jax.tree.map(lambda x: jnp.asarray(x)[rows], train)
        kept: Array | float = 1.0
        if ties is not None:
            chance = 1 - dropout
            kept = jax.random.bernoulli(masked, chance, learned["mixing"].shape) / chance

        slopes = jax.grad(lambda one: cross_entropy(told(one, some.inputs, kept), some.targets))
        moves, state = adam.update(slopes(learned), state)
        left = 1 - index / (steps * looks)
        moved = {
            name: jax.tree.map(lambda x, m, r=rates[name]: x - r * left * m, one, moves[name])
            for name, one in learned.items()
        }
        return (moved, state), None

    def look(carry: Any, chunk: Array) -> tuple[Any, Array]:
        learned, state, best, lowest = carry
        (learned, state), _ = jax.lax.scan(
            step, (learned, state), chunk * steps + jnp.arange(steps)
        )
        loss = cross_entropy(told(learned, validation.inputs), validation.targets)
        better = loss < lowest
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), learned, best)
        return (learned, state, best, jnp.where(better, loss, lowest)), loss

    start = jax.tree.map(jnp.asarray, start)
    begun = (start, adam.init(start), start, jnp.inf)
    (_, _, best, _), losses = jax.lax.scan(look, begun, jnp.arange(looks))
    return best, losses, told(best, test)


def _headed(learned: tuple[Any, Any], classes: Any) -> Head:
    return Head(learned[0], learned[1], classes)


def _filled(rows: Any, room: int | None) -> Any:
    if room is None:
        return rows

    def filled(x: Any) -> np.ndarray:
        x = np.asarray(x)
        return np.pad(x, [(0, room - len(x))] + [(0, 0)] * (x.ndim - 1))

    return jax.tree.map(filled, rows)
