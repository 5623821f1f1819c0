"""What is trained: on drawn communities and their rewired control, on LastFM, Gowalla and Amazon."""

import dataclasses
import functools
import time
from collections.abc import Sequence
from typing import Any

import flax.linen as nn
import numpy as np

from experiments.data.interactions import Interactions
from experiments.graphs.lightgcn import study_exact
from experiments.graphs.lightgcn.model import LightGCN, bipartite
from experiments.graphs.lightgcn.ngcf import NGCF
from experiments.graphs.lightgcn.study_config import LARGE, VARIANTS, LightConfig
from experiments.harness.study import NotMeasured, Studies, Trial
from experiments.kits.initialisation import FLAX, Rule, glorot_uniform, initial_by_numpy
from experiments.kits.recommendation.evaluation import dot_scores, evaluate, holdout
from experiments.kits.recommendation.fitting import Fitted, fit
from experiments.kits.recommendation.generators import planted_communities, rewired
from experiments.kits.recommendation.models import first_embedding, popularity, pure_svd

QUICK = LightConfig()
STANDARD = LightConfig(
    epochs=1000, real=200, timings=10, controls=4, variants=tuple(VARIANTS), large=LARGE,
    large_epochs=200, large_batch=65536, large_rate=0.02,
)  # fmt: skip
FULL = dataclasses.replace(STANDARD, large_epochs=1000)
TINY = LightConfig(
    users=40, items=40, width=4, epochs=4, every=2, real=2, timed="lastfm", timed_steps=1, timings=2
)

DECAYS = (1e-4, 1e-2)
"""Penalties of matrix factorisation, of which the better one counts; the others have the first."""
LAYERS, VALIDATION, DRAWN_BATCH = 3, 0.1, 4096


def communities(config: LightConfig, trial: Trial) -> dict[str, float]:
    """Test recall at 20 on planted communities, by method; LightGCN of 3 layers."""
    data = planted_communities(trial.generator, users=config.users, items=config.items)
    train = _Training(config, data, trial)
    found = {"lightgcn": train.light(), "mf": train.factorised()}
    shape = (config.users, config.items, config.width)
    found["ngcf"] = train.recall(NGCF(*shape), ())
    found["svd"] = train.spectral(rank=min(config.width, config.users - 1))
    found["popularity"] = evaluate(popularity(data.train), data).recall
    return found


def control(config: LightConfig, trial: Trial) -> dict[str, float]:
    """The same on sets rewired so that nothing but degrees is left; means over a few sets."""
    generator, rows = trial.generator, []
    for _ in range(config.controls):
        drawn = planted_communities(generator, users=config.users, items=config.items)
        data = rewired(drawn, generator)
        train = _Training(config, data, trial)
        plain = evaluate(popularity(data.train), data).recall
        rows.append((train.light(), train.factorised(), plain))
    return dict(zip(("lightgcn", "mf", "popularity"), np.mean(rows, axis=0).tolist(), strict=True))


def ablation(config: LightConfig, trial: Trial) -> dict[str, float]:
    """NGCF with layers summed: whole, without transforms (f), without non-linearities (n), without both."""
    data = planted_communities(trial.generator, users=config.users, items=config.items)
    train = _Training(config, data, trial)
    model = NGCF(config.users, config.items, config.width, read_out="summed")
    return {
        name: train.recall(model, tuple(map(np.float32, VARIANTS[name])))
        for name in config.variants
    }


class _Training:
    """What all methods on one drawn set share: its split, its graph, its triples."""

    def __init__(self, config: LightConfig, data: Interactions, trial: Trial) -> None:
        self.config, self.data, self.trial = config, data, trial
        self.held = holdout(data, trial.generator, share=VALIDATION)
        self.graph = bipartite(self.held.train, entries=DRAWN_BATCH)

    def recall(self, model: nn.Module, operands: tuple[Any, ...], *, decay: float = 1e-4) -> float:
        return self._fitted(model, operands, decay).judged(self.data).recall

    def light(self) -> float:
        """LightGCN with equal weights."""
        return self.recall(self._network(LAYERS), ())

    def factorised(self) -> float:
        """Matrix factorisation, LightGCN of no layers, with the penalty that validation picks."""
        fits = [self._fitted(self._network(0), (), decay) for decay in DECAYS]
        return max(fits, key=lambda one: float(one.curve.max())).judged(self.data).recall

    def spectral(self, *, rank: int) -> float:
        """PureSVD of everything trained on, with the rank that validation picks."""
        ranks = sorted({max(1, rank // 4), max(1, rank // 2), rank})

        def scores(train: Any, rank: int) -> Any:
            return dot_scores(*pure_svd(train, self.trial.generator, rank=rank))

        picked = max(ranks, key=lambda r: evaluate(scores(self.held.train, r), self.held).recall)
        return evaluate(scores(self.data.train, picked), self.data).recall

    def _network(self, layers: int) -> LightGCN:
        return LightGCN(self.config.users, self.config.items, self.config.width, layers)

    def _fitted(self, model: nn.Module, operands: tuple[Any, ...], decay: float) -> Fitted:
        whole = (self.graph, *operands)
        return fit(
            model, whole, self.held, begun(model, self.trial.generator, whole), seed=self.trial.seed,
            epochs=self.config.epochs, every=min(self.config.every, self.config.epochs),
            batch=DRAWN_BATCH, rate=self.config.rate, decay=decay, sampler=self.config.sampler,
        )  # fmt: skip


def begun(model: nn.Module, generator: np.random.Generator, operands: tuple[Any, ...]) -> Any:
    """First parameters: a normal table of deviation 0.1, Glorot's for what transforms."""
    rules: dict[str, Rule] = {**FLAX, "embedding": _tenth, "kernel": glorot_uniform}
    return initial_by_numpy(model, generator, *operands, rules=rules)["params"]


def _tenth(generator: np.random.Generator, shape: tuple[int, ...], fan_in: int) -> np.ndarray:
    return generator.normal(0, 0.1, shape)


def listeners(config: LightConfig, trial: Trial) -> dict[str, float]:
    """Test recall and NDCG at 20 on LastFM, of LightGCN and of matrix factorisation."""
    data: Interactions = trial.load("lastfm")
    held = holdout(data, trial.generator, share=VALIDATION)
    # Filled up, since the validation part's size differs by a few pairs between seeds.
    graph = bipartite(held.train, entries=data.train.nnz)
    arms: Sequence[tuple[str, int, Any, float]] = (
        ("lightgcn", 3, graph, DECAYS[0]),
        *((f"mf_{decay:g}", 0, None, decay) for decay in DECAYS),
    )
    fits, start = {}, first_embedding(trial.generator, data.num_users, data.num_items, 64)
    for done, (name, layers, along, decay) in enumerate(arms):
        trial.report("trainings on lastfm", done, len(arms))
        fits[name] = fit(
            LightGCN(data.num_users, data.num_items, layers=layers), (along,), held,
            {"embedding": start}, seed=trial.seed, epochs=config.real, every=max(1, config.real // 6),
            rate=config.real_rate, decay=decay, sampler=config.sampler,
        )  # fmt: skip
    best = max(
        (f"mf_{decay:g}" for decay in DECAYS), key=lambda name: float(fits[name].curve.max())
    )
    found = {"popularity": evaluate(popularity(data.train), data).recall}
    for name, one in (("lightgcn", fits["lightgcn"]), ("mf", fits[best])):
        ranked = one.judged(data)
        found |= {name: ranked.recall, f"{name}_ndcg": ranked.ndcg}
    return found


def published(config: LightConfig, trial: Trial, *, name: str) -> dict[str, float]:
    """Test recall and NDCG at 20 of a large set, trained within a budget and continued when killed."""
    if name not in config.large:
        raise NotMeasured(f"training on {name} takes hours: it is measured with --scale standard")
    data: Interactions = trial.load(name)
    held = holdout(data, trial.generator, share=VALIDATION)
    users, items = data.train.shape
    ranked_by = fit(
        LightGCN(users, items), (bipartite(held.train),), held,
        {"embedding": first_embedding(trial.generator, users, items, 64)}, seed=trial.seed,
        epochs=config.large_epochs, every=10, batch=config.large_batch, rate=config.large_rate,
        sampler=config.sampler, seconds=config.large_seconds or None, report=trial.report,
        checkpoint=None if trial.folder is None else trial.folder / f"{name}.safetensors",
    )  # fmt: skip
    start = time.perf_counter()
    ranked = ranked_by.judged(data)
    return {
        "recall": ranked.recall, "ndcg": ranked.ndcg, "validation": float(ranked_by.curve.max()),
        "epochs": float(ranked_by.epochs), "picked": float(ranked_by.epoch),
        "seconds": ranked_by.seconds, "ranking_seconds": time.perf_counter() - start,
    }  # fmt: skip


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD, "full": FULL},
    tiny=TINY,
    functions={
        "algebra": study_exact.algebra,
        "preconditioner": study_exact.preconditioner,
        "speed": study_exact.speed,
        "communities": communities,
        "control": control,
        "ablation": ablation,
        "lastfm": listeners,
        **{name: functools.partial(published, name=name) for name in LARGE},
    },
    num_seeds=3,
    slow=("speed", "communities", "control", "ablation", "lastfm"),
)
