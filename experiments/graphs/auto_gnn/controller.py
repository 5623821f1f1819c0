"""RCNAS: the best architecture so far is changed in one kind of choice, picked by entropy."""

import dataclasses
import functools
from typing import Any, Literal, Self

import numpy as np
import optax
from jaxtyping import Float64, Int64

from experiments.graphs.auto_gnn.encoder import (
    Encoder,
    drawn_encoder,
    read_logits,
    reinforced,
)
from experiments.graphs.auto_gnn.space import ArchitectureSpace
from experiments.kits.search.ledger import Ledger, Trace
from experiments.kits.search.methods import draw, softmax
from experiments.kits.search.spaces import Candidate
from ntkexec.errors import ExperimentError

Guidance = Literal["softmax", "argmax", "uniform"]
"""How the kind that changes is picked: by a draw from softmax(entropies), the largest, or blindly."""


@dataclasses.dataclass(frozen=True)
class Proposal:
    """An offspring of the best candidate.

    Args:
        kind: what was chosen anew in all layers.
        places: the new options' places among the kind's, layer by layer.
        candidate: the offspring; the best candidate itself, if the same was drawn.
    """

    kind: str
    places: tuple[int, ...]
    candidate: Candidate


@dataclasses.dataclass(frozen=True, eq=False)
class Controller:
    """The state of a conservative search: its best candidate, and one encoder a kind of choice.

    Begin with `start`, then `propose`, evaluate, `learn`; a controller is never changed, `learn` gives
    the next one.

    Args:
        space: of the architectures.
        best, value: the best candidate so far, and its score.
        encoders: by kind, of those with more than one option.
        moments: Adam's, by kind.
        baselines: moving mean of rewards by kind; none before the first.
        known: logits after reading the best candidate, by kind, as far as they were computed.
        learning_rate: of Adam.
        memory: weight of the past in the baselines.

    Source: arXiv:1909.03184, algorithm 1. Reconstructed: one linear head reads the LSTM's last state,
    and there is a baseline for each kind, which begins with its first reward.
    """

    space: ArchitectureSpace
    best: Candidate
    value: float
    encoders: dict[str, Encoder]
    moments: dict[str, Any]
    baselines: dict[str, float | None]
    known: dict[str, Float64[np.ndarray, "L K"]]
    learning_rate: float
    memory: float

    @classmethod
    def start(
        cls,
        space: ArchitectureSpace,
        best: Candidate,
        value: float,
        generator: np.random.Generator,
        *,
        learning_rate: float = 3.5e-4,
        memory: float = 0.95,
        hidden: int = 100,
    ) -> Self:
        """A controller that has learned nothing.

        Args:
            space: of the architectures.
            best, value: what is changed first, and its score.
            generator: draws the encoders.
            learning_rate, memory: of the class.
            hidden: width of the encoders; the paper's 100.

        Raises:
            ExperimentError: the space holds one candidate.
        """
        kinds = [kind for kind, found in space.options.items() if len(found) > 1]
        if not kinds:
            raise ExperimentError("a space of one architecture leaves nothing to propose")
        sizes = {
            "tokens": sum(len(found) for found in space.options.values()),
            "layers": space.layers,
            "options": max(len(found) for found in space.options.values()),
        }
        encoders = {k: drawn_encoder(generator, hidden=hidden, **sizes) for k in kinds}
        moments = {kind: optax.scale_by_adam().init(each) for kind, each in encoders.items()}
        nothing: dict[str, float | None] = dict.fromkeys(kinds)
        return cls(space, best, value, encoders, moments, nothing, {}, learning_rate, memory)

    def distribution(self, kind: str) -> Float64[np.ndarray, "L K"]:
        """Probabilities of a kind's options, layer by layer, after reading all other choices."""
        if kind not in self.known:
            tokens, count = self._read(kind)
            found = read_logits(self.encoders[kind], tokens, count, layers=self.space.layers)
            self.known[kind] = np.asarray(found, np.float64)
        return softmax(self.known[kind][:, : len(self.space.options[kind])])

    def entropies(self) -> dict[str, float]:
        """Of each kind, the sum over layers of its distribution's entropy, in nats."""
        found = {kind: self.distribution(kind) for kind in self.encoders}
        return {kind: float(-(p * np.log(p)).sum()) for kind, p in found.items()}

    def guide(self, guidance: Guidance = "softmax") -> dict[str, float]:
        """The probability of each kind to be the one that changes."""
        entropies = np.array(list(self.entropies().values()))
        if guidance == "argmax":
            chances = np.eye(len(entropies))[int(entropies.argmax())]
        else:
            chances = softmax(entropies if guidance == "softmax" else np.zeros(len(entropies)))
        return dict(zip(self.encoders, chances.tolist(), strict=True))

    def propose(self, generator: np.random.Generator, guidance: Guidance = "softmax") -> Proposal:
        """The best candidate with one kind of choice drawn anew in all layers."""
        chances = self.guide(guidance)
        kind = tuple(chances)[int(draw(np.array(list(chances.values())), generator))]
        places = tuple(draw(self.distribution(kind), generator).tolist())
        return Proposal(kind, places, self._changed(kind, places))

    def learn(self, proposal: Proposal, value: float) -> Self:
        """The controller after an offspring's score: its kind's encoder reinforced, the better kept.

        Args:
            proposal: of this controller.
            value: of its candidate. The reward is what it gains on the best one.
        """
        kind, reward = proposal.kind, value - self.value
        before = self.baselines[kind]
        baseline = reward if before is None else before
        tokens, count = self._read(kind)
        encoder, moments, logits = reinforced(
            self.encoders[kind],
            self.moments[kind],
            tokens,
            count,
            np.array(proposal.places, np.int32),
            np.float32(reward - baseline),
            np.float32(self.learning_rate),
            layers=self.space.layers,
        )
        # Other kinds' encoders read this kind's choices, so a new best candidate makes all read anew.
        moved = value > self.value
        # This kind's encoder does not read its own, so what it says stays.
        known = {} if moved else dict(self.known)
        known[kind] = np.asarray(logits, np.float64)
        return dataclasses.replace(
            self,
            best=proposal.candidate if moved else self.best,
            value=value if moved else self.value,
            encoders={**self.encoders, kind: encoder},
            moments={**self.moments, kind: moments},
            baselines={
                **self.baselines,
                kind: self.memory * baseline + (1 - self.memory) * reward,
            },
            known=known,
        )

    def _changed(self, kind: str, places: tuple[int, ...]) -> Candidate:
        options = self.space.options[kind]
        architecture = self.space.architecture(self.best)
        pairs = zip(architecture, places, strict=True)
        return self.space.candidate(
            tuple(layer._replace(**{kind: options[place]}) for layer, place in pairs)
        )

    def _read(self, kind: str) -> tuple[Int64[np.ndarray, " s"], np.int32]:
        """What the kind's encoder reads of the best candidate, and the number of its options."""
        starts, places = _starts(self.space), self.space.choices.positions(self.best)
        width = len(self.space.options)
        own = tuple(self.space.options).index(kind)
        read = [starts[i % width] + p for i, p in enumerate(places) if i % width != own]
        return np.array(read), np.int32(len(self.space.options[kind]))


def rcnas(
    space: ArchitectureSpace,
    ledger: Ledger,
    generator: np.random.Generator,
    *,
    guidance: Guidance = "softmax",
    learning_rate: float = 3.5e-4,
    hidden: int = 100,
) -> Trace:
    """Reinforced conservative search, from a random architecture on.

    Args:
        space: of the architectures; the ledger is asked for candidates of its `choices`.
        ledger: is spent.
        generator: draws all.
        guidance: how the kind that changes is picked; the paper's is `softmax`.
        learning_rate, hidden: of the controller.
    """
    first = space.choices.sample(generator)
    rates = {"learning_rate": learning_rate, "hidden": hidden}
    controller = Controller.start(space, first, ledger(first), generator, **rates)  # type: ignore[arg-type]
    while not ledger.spent:
        proposal = controller.propose(generator, guidance)
        controller = controller.learn(proposal, ledger(proposal.candidate))
    return ledger.trace()


@functools.lru_cache
def _starts_of(counts: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(np.cumsum([0, *counts[:-1]]).tolist())


def _starts(space: ArchitectureSpace) -> tuple[int, ...]:
    """Of each kind, the number of its first option among all options."""
    return _starts_of(tuple(len(found) for found in space.options.values()))
