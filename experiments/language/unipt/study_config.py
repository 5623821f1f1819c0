"""Sizes of the studies of parallel tuning."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class UniptConfig:
    """Sizes of all studies, for each seed.

    Args:
        deepest: blocks of the backbone whose training step is compiled; a third and two thirds of it too.
        share: how many times narrower than SmolLM2-135M that backbone is.
        batch, places: texts of that step, and places of each.
        equal_steps: of training from stored states and from states made anew.
        pretraining: steps of the decoder of letters.
        letters: of a question that are read.
        questions, asked: of TREC to train on (half of them under each seed) and to test with.
        steps: of tuning on the decoder of letters.
        real_sets: sets of sentences tuned on SmolLM2-135M's states; none but at the standard scale.
        real_layers: of its states that are used.
        real_steps: of tuning on them.
    """

    deepest: int = 12
    share: int = 8
    batch: int = 32
    places: int = 64
    equal_steps: int = 50
    pretraining: int = 300
    letters: int = 36
    questions: int = 1000
    asked: int = 400
    steps: int = 250
    real_sets: tuple[str, ...] = ()
    real_layers: tuple[int, ...] = (0, 6, 12, 18, 24, 30)
    real_steps: int = 100

    def __post_init__(self) -> None:
        check_types(self)
        require(self, batch=self.batch > 0, places=self.places > 0, letters=self.letters > 1)
        require(self, equal_steps=self.equal_steps > 0, pretraining=self.pretraining > 0)
        require(self, steps=self.steps > 0, real_steps=self.real_steps > 0)
        require(self, deepest=self.deepest > 0 and self.deepest % 3 == 0)
        require(self, share=self.share > 0 and 32 % self.share == 0)
        require(self, questions=20 <= self.questions <= 5000, asked=1 <= self.asked <= 500)
        require(self, real_layers=len(self.real_layers) > 1 and min(self.real_layers) >= 0)
