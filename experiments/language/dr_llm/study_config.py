"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class DrLlmConfig:
    """Sizes of all studies, for each seed.

    Args:
        blocks, width: of tiny decoders; all 3 ** blocks paths are taken.
        steps: of their training, 32 texts each.
        examples: that are labelled by search, and as many to test on.
        evaluations: of every search that is compared with the exhaustive answer.
        labelling: evaluations of a search for a label, at most; it ends as published.
        router_steps: of the training of routers.
        real: questions whose paths of the real decoder are searched; 0 leaves it out.
        real_evaluations: of each search there, at most.
        real_tests: questions of each set to test on.
        decoys: wrongly answered questions for which a path to another wrong answer is searched as well.
        real_steps: of the training of the real decoder's routers.
    """

    blocks: int = 6
    width: int = 32
    steps: int = 450
    examples: int = 160
    evaluations: int = 100
    labelling: int = 50
    router_steps: int = 300
    real: int = 0
    real_evaluations: int = 16
    real_tests: int = 48
    decoys: int = 32
    real_steps: int = 200

    def __post_init__(self) -> None:
        check_types(self)
        require(self, blocks=2 <= self.blocks <= 8, width=self.width > 0 and self.width % 8 == 0)
        require(self, steps=self.steps > 0, examples=self.examples >= 8)
        require(self, labelling=self.labelling > 0)
        require(self, evaluations=self.evaluations > 0, router_steps=self.router_steps > 0)
        require(self, real=self.real >= 0, real_evaluations=self.real_evaluations > 1)
        require(self, real_tests=self.real_tests > 1, decoys=self.decoys > 0)
        require(self, real_steps=self.real_steps > 0)


QUICK = DrLlmConfig()
STANDARD = DrLlmConfig(real=128)
FULL = DrLlmConfig(steps=2000, examples=400, evaluations=200, real=1000, real_tests=400, decoys=200)
TINY = DrLlmConfig(
    blocks=2, width=8, steps=4, examples=16, evaluations=6, labelling=4, router_steps=2
)
