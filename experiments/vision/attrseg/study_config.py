"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class AttrsegConfig:
    """Sizes of all studies, for each seed.

    Args:
        scenes: to train on.
        tests: scenes of held-out classes, and as many of others.
        width: of all vectors; a multiple of 8.
        word_steps: of training the word space, 16 pictures each.
        steps: of training each segmenter, 8 pictures each.
        rate: of the first step.
        ablated: whether two stages are trained without the image in them, too.
    """

    scenes: int = 400
    tests: int = 60
    width: int = 32
    word_steps: int = 250
    steps: int = 200
    rate: float = 2e-3
    ablated: bool = False

    def __post_init__(self) -> None:
        check_types(self)
        require(self, scenes=self.scenes >= 16, tests=self.tests > 0)
        require(self, width=self.width % 8 == 0 < self.width)
        require(self, word_steps=self.word_steps > 0, steps=self.steps > 0, rate=self.rate > 0)


QUICK = AttrsegConfig()
STANDARD = AttrsegConfig(2000, 200, word_steps=1500, steps=1500, ablated=True)
TINY = AttrsegConfig(scenes=16, tests=2, width=8, word_steps=2, steps=2)
