"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.kits.transformer.tasks import VOCABULARY


@dataclasses.dataclass(frozen=True)
class FlexibleConfig:
    """Sizes of all studies, for each seed.

    Args:
        examples, steps: that each tiny model is trained on, and of its training.
        texts: of the corpus on which the tiny target is fused, and as many held out.
        noise: share of them whose answers are wrong.
        tests: of each task.
        fused: steps of a fusion of `batch` texts, at `rate`.
        share: of the fusion loss, the paper's 0.1.
        kept: likeliest tokens that are stored of every row.
        real: steps of fusing real experts; 0 does without them.
        grown: steps of growing each.
        real_texts, real_held: of each kind of text, pieces to fuse on and to judge by.
        real_length, real_batch, real_rate, real_kept: tokens of a piece, pieces of a step, rate of all
            adapters, and tokens stored of every row.
    """

    examples: int = 2048
    steps: int = 300
    texts: int = 512
    noise: float = 0.25
    tests: int = 200
    fused: int = 200
    batch: int = 32
    rate: float = 3e-3
    share: float = 0.1
    kept: int = 8
    real: int = 0
    grown: int = 24
    real_texts: int = 12
    real_held: int = 8
    real_length: int = 65
    real_batch: int = 4
    real_rate: float = 5e-3
    real_kept: int = 64

    def __post_init__(self) -> None:
        check_types(self)
        counts = ("examples", "steps", "texts", "tests", "fused", "batch", "grown", "real_batch")
        for name in (*counts, "real_texts", "real_held", "real_kept"):
            require(self, **{name: getattr(self, name) > 0})
        require(self, noise=0 <= self.noise < 1, share=0 <= self.share <= 1, rate=self.rate > 0)
        require(self, kept=0 < self.kept < VOCABULARY, real=self.real >= 0)
        require(self, real_length=self.real_length > 2, real_rate=self.real_rate > 0)
