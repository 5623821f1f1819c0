"""What is trained: experts in one kind of problem each, mixtures of them, and what they are compared with."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float

from experiments.harness.study import Studies, Trial
from experiments.kits.transformer.decoder import run
from experiments.kits.transformer.peers import foreign_peers
from experiments.kits.transformer.tiny import fit_decoder
from experiments.language.mixture_of_thoughts import study_exact
from experiments.language.mixture_of_thoughts.experts import DecoderExpert
from experiments.language.mixture_of_thoughts.fitting import (
    Fitted,
    Weights,
    fit_mixture,
    fit_router,
)
from experiments.language.mixture_of_thoughts.model import MixtureOfThoughts, initial_mixture
from experiments.language.mixture_of_thoughts.router import Route, Router, choose
from experiments.language.mixture_of_thoughts.study_config import (
    HEADS,
    ROUTED,
    SEEN,
    SHAPES,
    SHARED,
    STACKS,
    UNSEEN,
    MixtureConfig,
)
from experiments.language.mixture_of_thoughts.texts import Texts, lessons, mixed

MODEL = MixtureOfThoughts(STACKS, SHARED, HEADS)
ROUTER = Router(len(SHAPES), ROUTED)
ACTIVE = 2
NOTHING = Weights(0.0, 0.0, 0.0)

Shares = dict[str, float]
"""Of right texts: of one problem, of two, of both halves together, and of two kinds not trained together."""


def trained(config: MixtureConfig, trial: Trial) -> dict[str, Any]:
    """Shares of texts all of whose answers are right, by arm and set."""
    generator = trial.generator
    case = _Case(config, trial, generator)
    found: dict[str, Any] = {f"expert_{m}": case.graded(one) for m, one in enumerate(case.lone)}
    found["best"] = max((found[f"expert_{m}"] for m in range(len(SHAPES))), key=_seen)
    found["average"] = case.graded(
        {name: sum(one[name] for one in case.lone) for name in case.sets}  # type: ignore[misc] # no 0
    )
    routed = case.router_alone()
    found["router_only"] = case.picked(routed)
    found["oracle"] = case.best_of_all()
    kept: dict[str, Any] = {"weights": NOTHING, "gated": 0.0, "noise": 0.0, "routed": routed}
    arms: dict[str, dict[str, Any]] = {
        "mixture": {"active": ACTIVE},
        "plain": {"active": ACTIVE, "weights": NOTHING},
        "staged": {"active": ACTIVE, **kept},
        "staged_alone": {"active": 1, **kept},
    }
    for done, (name, options) in enumerate(arms.items()):
        trial.report("mixtures", done, len(arms))
        fitted = case.fitted(**options)
        own, foreign = case.answered(fitted, options["active"])
        found |= {name: own, f"{name}_foreign": foreign, f"{name}_loss": float(fitted.losses[-1])}
    return found


def _seen(shares: Shares) -> float:
    return shares["seen"]


class _Case:
    """One seed's experts, encoder, texts, and what every expert says of the tests alone."""

    def __init__(self, config: MixtureConfig, trial: Trial, generator: np.random.Generator) -> None:
        self.config, self.generator = config, generator
        self.seeds = generator.integers(2**31, size=3 + len(SHAPES)).tolist()
        self.experts = []
        options = {"steps": config.lessons, "batch": 32, "rate": 5e-3}
        for kind, shape in enumerate(SHAPES):
            trial.report("experts", kind, len(SHAPES))
            texts, known = lessons(generator, config.texts, kind)
            params, _ = fit_decoder(
                shape,
                texts.tokens,
                known,
                seed=self.seeds[3 + kind],
                **options,  # type: ignore[arg-type]
            )
            self.experts.append(DecoderExpert(params, shape))
        every = mixed(generator, config.texts, [kinds for some in SEEN.values() for kinds in some])
        self.encoder, _ = fit_decoder(
            SHAPES[0],
            every.tokens,
            every.counted,
            seed=self.seeds[0],
            **options,  # type: ignore[arg-type]
        )
        halves = [*SEEN["single"] * len(SEEN["pair"]), *SEEN["pair"] * len(SEEN["single"])]
        self.texts = mixed(generator, config.texts, halves)
        self.sets = {
            name: mixed(generator, config.tests, kinds)
            for name, kinds in {**SEEN, "unseen": UNSEEN}.items()
        }
        self.fresh = initial_mixture(MODEL, generator, self.experts)
        self.lone = [
            {name: self.alone(texts, m) for name, texts in self.sets.items()}
            for m in range(len(SHAPES))
        ]

    def said(self, texts: Texts) -> Float[np.ndarray, "N d"]:
        """What the frozen encoder says of prompts: its mean state, scaled to the length of its width."""
        states = np.asarray(_states(self.encoder, texts.tokens))
        mean = np.where(texts.prompts[..., None], states, 0).sum(1) / texts.start[:, None]
        length = np.linalg.norm(mean, axis=1, keepdims=True)
        return np.asarray(mean / length * mean.shape[1] ** 0.5)

    def alone(self, texts: Texts, expert: int) -> Float[np.ndarray, "N T V"]:
        """Logarithms of an expert's probabilities: a fresh mixture whose primary it is."""
        scores = np.zeros((len(texts), len(SHAPES)), np.float32)
        primary = np.full(len(texts), expert)
        return self.spoken(self.fresh, texts, choose(scores, 1, primary=primary))  # type: ignore[arg-type]

    def spoken(
        self, params: Any, texts: Texts, route: Route, streams: Any = None
    ) -> Float[np.ndarray, "N T V"]:
        """Of all tokens, in portions of equal size."""
        given = [texts.tokens] * len(SHAPES) if streams is None else list(streams)
        size = self.config.tests
        parts = []
        for start in range(0, len(texts), size):
            rows = np.minimum(np.arange(start, start + size), len(texts) - 1)
            taken = jax.tree.map(lambda x, rows=rows: np.asarray(x)[rows], (given, route))
            parts.append(np.asarray(_spoken(params, self.experts, *taken)))
        return np.concatenate(parts)[: len(texts)]

    def router_alone(self) -> Any:
        """A router that knows what every lone expert loses on some of the training texts."""
        rows = slice(0, min(self.config.tests, len(self.texts)))
        some = Texts(self.texts.tokens[rows], self.texts.start[rows], self.texts.owner[rows])
        costs = [_costs(self.alone(some, m), some) for m in range(len(SHAPES))]
        return fit_router(
            ROUTER, self.said(some), np.stack(costs, 1), seed=self.seeds[1], steps=300
        )

    def route(self, router: Any, texts: Texts, active: int) -> Route:
        scores = ROUTER.apply({"params": router}, self.said(texts))
        return jax.tree.map(np.asarray, choose(jnp.asarray(scores), active))

    def fitted(self, **options: Any) -> Fitted:
        config, texts = self.config, self.texts
        return fit_mixture(
            MODEL, ROUTER, self.experts, texts.tokens, texts.counted, self.said(texts),
            seed=self.seeds[2], steps=config.steps, batch=config.batch, rate=config.rate, **options,
        )  # fmt: skip

    def answered(self, fitted: Fitted, active: int) -> tuple[Shares, Shares]:
        """Of a mixture with its own peers, and with those of another text of the same set."""
        own, foreign = {}, {}
        for name, texts in self.sets.items():
            route = self.route(fitted.router, texts, active)
            own[name] = self.spoken(fitted.mixture, texts, route)
            streams, _ = foreign_peers(
                [texts.tokens] * len(SHAPES), generator=self.generator, reader=route.primary
            )
            foreign[name] = self.spoken(fitted.mixture, texts, route, streams)
        return self.graded(own), self.graded(foreign)

    def picked(self, router: Any) -> Shares:
        """Of the expert that a router picks alone."""
        chosen = {}
        for name, texts in self.sets.items():
            primary = np.asarray(self.route(router, texts, 1).primary)
            every = np.stack([one[name] for one in self.lone])
            chosen[name] = every[primary, np.arange(len(texts))]
        return self.graded(chosen)

    def best_of_all(self) -> Shares:
        """Of texts that some expert answers alone."""
        return _with_seen(
            {
                name: float(np.any([_right(one[name], texts) for one in self.lone], 0).mean())
                for name, texts in self.sets.items()
            }
        )

    def graded(self, spoken: dict[str, Float[np.ndarray, "N T V"]]) -> Shares:
        return _with_seen(
            {name: float(_right(spoken[name], texts).mean()) for name, texts in self.sets.items()}
        )


def _with_seen(shares: Shares) -> Shares:
    return {**shares, "seen": float(np.mean([shares[name] for name in SEEN]))}


def _right(spoken: Float[np.ndarray, "N T V"], texts: Texts) -> Bool[np.ndarray, "N"]:
    """Whether the most likely token is the answer wherever there is one, after the true ones before it.

    Decoding token by token makes the same answers exactly where all of them are right.
    """
    wrong = (spoken.argmax(-1)[:, :-1] != texts.tokens[:, 1:]) & texts.counted[:, 1:]
    return np.asarray(~wrong.any(1))


def _costs(spoken: Float[np.ndarray, "N T V"], texts: Texts) -> Float[np.ndarray, "N"]:
    """Mean loss of the answers of every text, in nats."""
    told = np.take_along_axis(spoken[:, :-1], texts.tokens[:, 1:, None], 2)[..., 0]
    counts = texts.counted[:, 1:]
    return np.asarray(-np.where(counts, told, 0).sum(1) / counts.sum(1))


@jax.jit
def _states(params: Any, tokens: Any) -> Any:
    return run(params, SHAPES[0], tokens).last


@jax.jit
def _spoken(params: Any, experts: Any, streams: Any, route: Route) -> Any:
    return jax.nn.log_softmax(
        MODEL.apply({"params": params}, experts, streams, route),  # type: ignore[arg-type] # no pair
        -1,
    )


STUDIES = Studies(
    configs={"quick": MixtureConfig()},
    tiny=MixtureConfig(texts=200, tests=40, lessons=10, steps=5),
    functions={"exact": study_exact.algebra, "trained": trained},
    num_seeds=3,
    slow=("exact", "trained"),
)
