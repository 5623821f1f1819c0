"""How much is measured at each scale."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.vision.catnet.arms import ARMS


@dataclasses.dataclass(frozen=True)
class CatnetConfig:
    """Sizes of all studies, for each seed.

    Args:
        boxes: drawn for regions on a ramp.
        arms: detectors that are trained, by name.
        width: channels of the neck with all modules; arms are as wide as to have its parameters.
        stages: of dense necks.
        levels: of all necks, from stride 4 on.
        train_scenes, test_scenes: top-view scenes of 64 x 64 pixels.
        steps: of training.
        batch: scenes of a step.
    """

    boxes: int = 200
    arms: tuple[str, ...] = ("fpn", "dense", "context", "regions")
    width: int = 16
    stages: int = 1
    levels: int = 3
    train_scenes: int = 512
    test_scenes: int = 160
    steps: int = 200
    batch: int = 16

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(self, **counts)
        require(self, levels=3 <= self.levels <= 5, batch=self.batch <= self.train_scenes)
        require(self, arms={"fpn"} <= set(self.arms) <= set(ARMS), width=self.width >= 4)


QUICK = CatnetConfig()
STANDARD = CatnetConfig(
    arms=tuple(ARMS), width=32, stages=5, levels=4, train_scenes=4096, test_scenes=512, steps=2000
)
TINY = CatnetConfig(boxes=10, width=4, train_scenes=8, test_scenes=4, steps=2, batch=4)
