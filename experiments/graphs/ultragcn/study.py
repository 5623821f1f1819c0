"""What is trained: planted communities, LastFM, and at the standard scale Gowalla and Amazon CDs."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import numpy as np

from experiments.data.interactions import Interactions
from experiments.graphs.lightgcn import LightGCN, bipartite
from experiments.graphs.ultragcn import study_exact
from experiments.graphs.ultragcn.fitting import Drawing, fit
from experiments.graphs.ultragcn.model import RELEASED, Settings
from experiments.graphs.ultragcn.study_config import UltraConfig
from experiments.graphs.ultragcn.weights import Formula, cooccurrence, distance_to_limit
from experiments.harness.study import NotMeasured, Studies, Trial
from experiments.kits.recommendation import fitting as pairwise
from experiments.kits.recommendation.evaluation import Ranking, dot_scores, evaluate, holdout
from experiments.kits.recommendation.generators import planted_communities
from experiments.kits.recommendation.models import MatrixFactorisation, first_embedding

QUICK = UltraConfig()
STANDARD = UltraConfig(lastfm_epochs=200, gowalla_epochs=300, cds_epochs=300)
TINY = UltraConfig(
    planted_users=60, planted_items=80, planted_epochs=2, planted_width=4, lastfm_epochs=1,
    lastfm_width=4, large_width=4,
)  # fmt: skip
# Cross-entropy of seen pairs and as many drawn ones, which weigh as much, with no item-item term.
PLAIN: dict[str, float] = {
    "plain": 1.0, "weighted": 0.0, "plain_negative": 1.0, "weighted_negative": 0.0, "item_weight": 0.0,
}  # fmt: skip
DECAY = 1e-2
"""Of matrix factorisation and LightGCN; validation preferred it to the released 1e-4 for both."""


@dataclasses.dataclass(frozen=True)
class _Bench:
    """A set with a validation part taken out, on which methods are compared.

    Args:
        whole: ranked at the end, with its own test part.
        held: trained and validated on.
        width: of all embeddings.
        epochs: of UltraGCN, scored `times` times.
        block: users at a step of the mean, and pairs at a step of rivals.
    """

    whole: Interactions
    held: Interactions
    width: int
    epochs: int
    block: int
    times: int = 12

    def judged(self, users: np.ndarray, items: np.ndarray) -> Ranking:
        """By the test part."""
        return evaluate(dot_scores(users, items), self.whole)

    def validated(self, users: np.ndarray, items: np.ndarray) -> float:
        """Recall at 20 of what was held out."""
        return evaluate(dot_scores(users, items), self.held).recall

    def ours(self, trial: Trial, settings: Settings, drawing: Drawing, what: str) -> Any:
        """UltraGCN's embeddings at the epoch that validation picks."""
        return fit(
            self.held.train, dataclasses.replace(settings, dimension=self.width),
            generator=trial.generator, epochs=self.epochs, drawing=drawing, block=self.block,
            score=self.validated, every=-(-self.epochs // self.times), report=trial.report, what=what,
        )  # fmt: skip

    def rival(self, trial: Trial, model: Any, operands: tuple[Any, ...], rate: float) -> float:
        """Recall of a model trained by BPR, at the epoch that validation picks."""
        users, items = self.whole.train.shape
        table = first_embedding(trial.generator, users, items, self.width)
        seed = int(trial.generator.integers(2**31))
        found = pairwise.fit(
            model, operands, self.held, {pairwise.TABLE: table}, seed=seed, batch=self.block,
            epochs=self.epochs, every=-(-self.epochs // self.times), rate=rate, decay=DECAY,
        )  # fmt: skip
        return found.judged(self.whole).recall


def planted(config: UltraConfig, trial: Trial) -> dict[str, float]:
    """Recall at 20 on planted communities, of UltraGCN, of parts of it, and of its rivals."""
    generator = trial.generator
    whole = planted_communities(generator, users=config.planted_users, items=config.planted_items)
    held = holdout(whole, generator)
    bench = _Bench(whole, held, config.planted_width, config.planted_epochs, 1024)
    usual = Settings()
    without = dataclasses.replace(usual, item_weight=0.0)
    plain = dataclasses.replace(usual, **PLAIN)  # type: ignore[arg-type] # none of the whole numbers
    few = dataclasses.replace(bench, block=128)
    arms: dict[str, Callable[[], Any]] = {
        "ultragcn": lambda: bench.ours(trial, usual, "sampled", "UltraGCN"),
        "without_items": lambda: bench.ours(trial, without, "sampled", "no item-item term"),
        "cross_entropy": lambda: bench.ours(trial, plain, "sampled", "cross-entropy"),
        "expected": lambda: few.ours(trial, usual, "expected", "negatives in the mean"),
    }
    found = {}
    for name, train in arms.items():
        fitted = train()
        found[name] = bench.judged(fitted.users, fitted.items).recall
    users, items = whole.train.shape
    factorised = MatrixFactorisation(users, items, bench.width)
    convolved = LightGCN(users, items, bench.width)
    graph = bipartite(held.train, dense=True)
    return {
        **found,
        "mf": bench.rival(trial, factorised, (), 5e-3),
        "lightgcn": bench.rival(trial, convolved, (graph,), 5e-3),
    }


def lastfm(config: UltraConfig, trial: Trial) -> dict[str, float]:
    """Recall at 20 on LastFM's own split, negatives in the mean, and how far the limit is."""
    whole = trial.load("lastfm")
    held = holdout(whole, trial.generator)
    bench = _Bench(whole, held, config.lastfm_width, config.lastfm_epochs, 256, times=5)
    settings = Settings(negative_weight=100.0, std=0.1, rate=3e-2)
    fitted = bench.ours(trial, settings, "expected", "UltraGCN on LastFM")
    ranked = bench.judged(fitted.users, fitted.items)
    off = distance_to_limit(fitted.users, fitted.items, held.train)
    users, items = whole.train.shape
    rival = dataclasses.replace(bench, block=2048)
    return {
        "ultragcn": ranked.recall,
        "ndcg": ranked.ndcg,
        "distance": float(np.nanmedian(off)),
        "mf": rival.rival(trial, MatrixFactorisation(users, items, bench.width), (), 1e-2),
    }


def published(
    config: UltraConfig, trial: Trial, *, name: str, formula: Formula
) -> dict[str, float]:
    """Recall and NDCG at 20 in full ranking, with the released loss and negatives in the mean.

    A fiftieth of the pairs is held out and picks the epoch. As in the public code, means are over all
    users, those with nothing to be tested with among them.
    """
    epochs = {"gowalla": config.gowalla_epochs, "amazon-cds": config.cds_epochs}[name]
    if not epochs:
        raise NotMeasured(f"{name} at full size is measured at the standard scale alone")
    whole: Interactions = trial.load(name)
    held = holdout(whole, trial.generator, share=0.02)
    settings = dataclasses.replace(RELEASED[name], rate=1e-2, std=0.1, dimension=config.large_width)
    fitted = fit(
        held.train, settings, generator=trial.generator, epochs=epochs, drawing="expected",
        neighbours=cooccurrence(held.train, formula=formula), every=5, what=f"UltraGCN on {name}",
        score=lambda users, items: evaluate(dot_scores(users, items), held).recall,
        report=trial.report,
        checkpoint=None if trial.folder is None else trial.folder / f"{name}.safetensors",
    )  # fmt: skip
    ranked = evaluate(dot_scores(fitted.users, fitted.items), whole)
    share = len(ranked.users) / whole.num_users
    off = distance_to_limit(fitted.users, fitted.items, held.train)
    return {
        "recall": share * ranked.recall,
        "ndcg": share * ranked.ndcg,
        "epoch": float(fitted.epoch),
        "distance": float(np.nanmedian(off)),
    }


STUDIES = Studies(
    configs={"quick": QUICK, "standard": STANDARD},
    tiny=TINY,
    functions={
        "algebra": study_exact.algebra,
        "limit": study_exact.limit,
        "costs": study_exact.costs,
        "planted": planted,
        "lastfm": lastfm,
        "gowalla": functools.partial(published, name="gowalla", formula="code"),
        "amazon_cds": functools.partial(published, name="amazon-cds", formula="code"),
    },
    slow=("planted", "lastfm", "gowalla", "amazon_cds"),
)
