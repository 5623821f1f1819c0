"""Sizes of the studies."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.kits.transformer.decoder import Shape
from experiments.language.mixture_of_thoughts.texts import VOCABULARY

SHAPES = (
    Shape(3, 32, 4, 2, 64, VOCABULARY),
    Shape(6, 24, 4, 2, 48, VOCABULARY),
    Shape(3, 32, 4, 2, 64, VOCABULARY),
)
"""Of the experts; the prompt encoder has the first one's."""
STACKS, SHARED, HEADS, ROUTED = 3, 32, 4, 32
SEEN = {
    "single": ((0,), (1,), (2,)),
    "pair": ((0, 1), (1, 0), (1, 2), (2, 1)),
}
"""Kinds of problems of the texts on which mixtures are trained, in halves."""
UNSEEN = ((0, 2), (2, 0))


@dataclasses.dataclass(frozen=True)
class MixtureConfig:
    """Sizes for each seed.

    Args:
        texts: on which experts, and then mixtures, are trained.
        tests: texts of every set on which all are graded.
        lessons: steps of an expert's training, of 32 texts.
        steps: of a mixture's training, of twice `batch` texts.
        batch: of it.
        rate: of it, at the first step.
    """

    texts: int = 4000
    tests: int = 500
    lessons: int = 300
    steps: int = 200
    batch: int = 16
    rate: float = 3e-3

    def __post_init__(self) -> None:
        check_types(self)
        require(self, texts=self.texts >= 100, tests=self.tests >= 20, batch=self.batch > 0)
        require(self, lessons=self.lessons > 0, steps=self.steps > 0, rate=self.rate > 0)
