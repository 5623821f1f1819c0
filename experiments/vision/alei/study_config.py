"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class AleiConfig:
    """Sizes of all studies.

    Args:
        cases: random draws of every exact study.
        size: height and width of what detectors see: the middle of pictures of 32 x 32.
        width, blocks: of the backbone, with patches of 4 x 4 and 4 heads.
        backbone_steps: on classes, 64 pictures each.
        train_pairs, test_pairs: real pictures, each with its fake.
        expert_steps, fusion_steps: of the first stage and of the second.
        batch: pictures of a step, half of them fake.
        expert_rate, fusion_rate: of the first step.
        parts: whether parts are left out one at a time.
        real_pairs: real pictures to train a read-out on, as many to test it with, where the backbone is
            EfficientNet-Lite0; 0 for none.
    """

    cases: int = 3
    size: int = 16
    width: int = 32
    blocks: int = 2
    backbone_steps: int = 200
    train_pairs: int = 600
    test_pairs: int = 150
    expert_steps: int = 150
    fusion_steps: int = 60
    batch: int = 32
    expert_rate: float = 1e-2
    fusion_rate: float = 3e-3
    parts: bool = False
    real_pairs: int = 0

    def __post_init__(self) -> None:
        check_types(self)
        require(self, cases=self.cases > 0, size=self.size in (8, 16, 32))
        require(self, width=self.width % 4 == 0 < self.width, blocks=self.blocks > 0)
        require(self, backbone_steps=self.backbone_steps > 0)
        require(self, train_pairs=0 < self.train_pairs <= 2000)
        require(self, test_pairs=1 < self.test_pairs <= 1000)
        require(self, expert_steps=self.expert_steps > 0, fusion_steps=self.fusion_steps > 0)
        require(self, batch=2 <= self.batch <= 2 * self.train_pairs)
        require(self, expert_rate=self.expert_rate > 0, fusion_rate=self.fusion_rate > 0)
        require(self, real_pairs=self.real_pairs == 0 or 10 <= self.real_pairs <= 1000)


QUICK = AleiConfig()
STANDARD = AleiConfig(cases=10, test_pairs=300, parts=True, real_pairs=300)
TINY = AleiConfig(
    cases=1, size=8, width=8, blocks=1, backbone_steps=2, train_pairs=32, test_pairs=8,
    expert_steps=2, fusion_steps=2, batch=8,
)  # fmt: skip
