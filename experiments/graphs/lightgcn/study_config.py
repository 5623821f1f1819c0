"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.kits.recommendation.samplers import SAMPLERS

LARGE = ("gowalla", "amazon-cds")
SETS = ("lastfm", *LARGE)
VARIANTS = {"ngcf": (1.0, 1.0), "f": (0.0, 1.0), "n": (1.0, 0.0), "fn": (0.0, 0.0)}
"""Of the ablation: whether layers are transformed, and bent."""


@dataclasses.dataclass(frozen=True)
class LightConfig:
    """Sizes of all studies, for each seed.

    Args:
        users, items: of drawn sets.
        width: of embeddings on them.
        epochs, rate: of every training on them.
        every: epochs between two validations.
        controls: rewired sets of a seed.
        variants: of NGCF, in its ablation.
        real: epochs on LastFM.
        real_rate: of Adam there.
        sampler: of all trainings.
        timed: the set on which a step is timed; steps of one timing, and timings.
        timed_steps, timings: of one timing, and how many.
        large: of the large sets, those that are trained on; none at quick.
        large_epochs: on them, at most; the paper's 1,000.
        large_batch, large_rate: of a step there; the paper's are 2,048 and 0.001.
        large_seconds: of training each, after which no epochs begin; 0 for no such budget.
    """

    users: int = 400
    items: int = 500
    width: int = 32
    epochs: int = 200
    rate: float = 5e-3
    every: int = 50
    controls: int = 2
    variants: tuple[str, ...] = ("ngcf", "fn")
    real: int = 20
    real_rate: float = 1e-2
    sampler: str = "per-interaction"
    timed: str = "gowalla"
    timed_steps: int = 2
    timings: int = 2
    large: tuple[str, ...] = ()
    large_epochs: int = 1000
    large_batch: int = 2048
    large_rate: float = 1e-3
    large_seconds: float = 0.0

    def __post_init__(self) -> None:
        check_types(self)
        require(self, users=self.users >= 20, items=self.items >= 30, width=self.width > 0)
        require(self, epochs=self.epochs > 0, every=self.every > 0, real=self.real > 0)
        require(
            self, rate=self.rate > 0, real_rate=self.real_rate > 0, large_rate=self.large_rate > 0
        )
        require(self, sampler=self.sampler in SAMPLERS, timed=self.timed in SETS)
        require(self, variants={"ngcf", "fn"} <= set(self.variants) <= set(VARIANTS))
        require(
            self,
            controls=self.controls > 0,
            timed_steps=self.timed_steps > 0,
            timings=self.timings > 1,
        )
        require(self, large=set(self.large) <= set(LARGE), large_epochs=self.large_epochs > 0)
        require(self, large_batch=self.large_batch > 0, large_seconds=self.large_seconds >= 0)
