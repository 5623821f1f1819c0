"""Sizes of all studies."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.kits.transformer.decoder import Shape
from experiments.language.scalearn.scaling import ScaLearn
from experiments.language.scalearn.study_strings import LETTERS
from experiments.language.scalearn.transfer import Rates

ARMS: dict[str, tuple[ScaLearn | None, Rates]] = {
    "scalearn": (ScaLearn(), Rates(dropout=0.3)),
    "uniform": (ScaLearn("ScaLearnUniform"), Rates(dropout=0.3)),
    "shared": (ScaLearn("ScaLearn++"), Rates(dropout=0.3)),
    "uniform_shared": (ScaLearn("ScaLearnUniform++"), Rates()),
    "softmax": (ScaLearn(constraint="softmax"), Rates(dropout=0.3)),
    "mean": (ScaLearn(constraint="mean"), Rates(dropout=0.3)),
    "random": (ScaLearn("ScaLearnUniform++"), Rates(mixing=0.0)),
    "fusion": (None, Rates(mixing=6e-4)),
}
"""How sources are combined, with the paper's rates and dropout; of AdapterFusion, a tenth of the rate.

`random`: one factor a source, drawn with deviation 1 / S around 1 / S, stays as it is. AdapterFusion's own
rate is 5e-5, over many more steps.
"""


@dataclasses.dataclass(frozen=True)
class ScaConfig:
    """Sizes of all studies, for each seed.

    Args:
        blocks, width, rank: of the tiny encoder and its adapters.
        length: of a string.
        pretraining: steps of the encoder, the same for all seeds.
        many, few: examples of large and of small tasks.
        held, tests: of each task, to look at and to test with.
        source_steps, steps: of learning adapters, and of combining them, in `looks` parts.
        looks: at the validation loss.
        pace: times the paper's rates of combining, since steps are a hundredth of the paper's.
        arms: of `study_config.ARMS`.
        planted: strings by which planted factors are found.
        sentences: data sets whose real hidden states are learned from; at standard.
        kept_steps: of combining there; adapters take twice as many.
        kept_pace: there, as `pace`.
    """

    blocks: int = 3
    width: int = 32
    rank: int = 4
    length: int = 12
    pretraining: int = 200
    many: int = 1000
    few: int = 100
    held: int = 100
    tests: int = 300
    source_steps: int = 120
    steps: int = 64
    looks: int = 8
    pace: float = 10.0
    arms: tuple[str, ...] = ("scalearn", "uniform_shared", "softmax", "random", "fusion")
    planted: int = 300
    sentences: tuple[str, ...] = ()
    kept_steps: int = 80
    kept_pace: float = 0.5

    def __post_init__(self) -> None:
        check_types(self)
        require(self, blocks=self.blocks > 0, width=self.width > 0 and self.width % 8 == 0)
        require(self, rank=self.rank > 0, length=self.length > 3, pretraining=self.pretraining > 0)
        require(self, many=self.many > 1, few=self.few > 1, held=self.held > 1)
        require(self, tests=self.tests >= self.held, looks=self.looks > 0, pace=self.pace > 0)
        require(self, source_steps=self.source_steps > 0 and self.source_steps % self.looks == 0)
        require(self, steps=self.steps > 0 and self.steps % self.looks == 0)
        require(self, kept_steps=self.kept_steps > 0 and self.kept_steps % self.looks == 0)
        require(self, planted=self.planted > 1)
        require(self, kept_pace=self.kept_pace > 0)
        require(self, arms=set(self.arms) <= set(ARMS))

    @property
    def shape(self) -> Shape:
        return Shape(self.blocks, self.width, 4, 4, 2 * self.width, LETTERS)

    def rates(self, arm: str) -> Rates:
        """Of an arm, at this pace."""
        return _paced(ARMS[arm][1], self.pace)

    def kept_rates(self, arm: str) -> Rates:
        """The same for real states, which are wider."""
        return _paced(ARMS[arm][1], self.kept_pace)


def _paced(rates: Rates, pace: float) -> Rates:
    return dataclasses.replace(rates, mixing=rates.mixing * pace, head=rates.head * pace)
