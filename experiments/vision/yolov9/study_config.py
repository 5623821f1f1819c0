"""How much is measured at each scale."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.vision.yolov9.guidance import KINDS


@dataclasses.dataclass(frozen=True)
class YoloConfig:
    """Sizes of all studies.

    Args:
        resolution: of the picture for which the published networks are counted.
        couplings: of each of the reversible branch's two resolutions.
        digits: pictures of 8 x 8 pixels whose information is followed.
        depths: units after which it is measured, rising from 1.
        gradient_depth: units of the stack whose gradients are compared.
        gradient_batches: of 64 digits.
        width: channels of the detector's first convolution.
        levels: at which it predicts: strides 8, 16 and so on.
        arms: auxiliary branches that it is trained with.
        train_scenes, test_scenes: generated.
        classes: digits from 0 that are in them.
        size: height and width of them.
        objects: fewest and most digits in one.
        pixels: the smallest and the largest longer side of a digit.
        steps, batch: of each training.
        rate: of its first step.
    """

    resolution: int = 640
    couplings: int = 4
    digits: int = 300
    depths: tuple[int, ...] = (1, 10, 20)
    gradient_depth: int = 20
    gradient_batches: int = 8
    width: int = 8
    levels: int = 1
    arms: tuple[str, ...] = ("none", "deep", "integrated")
    train_scenes: int = 1200
    test_scenes: int = 300
    classes: int = 4
    size: int = 32
    objects: tuple[int, int] = (1, 2)
    pixels: tuple[int, int] = (16, 20)
    steps: int = 250
    batch: int = 16
    rate: float = 6e-3

    def __post_init__(self) -> None:
        check_types(self)
        require(self, resolution=self.resolution % 32 == 0 < self.resolution)
        require(self, couplings=self.couplings > 0, digits=20 <= self.digits <= 1797)
        require(self, depths=sorted({*self.depths, 1}) == list(self.depths))
        require(self, gradient_depth=self.gradient_depth % 2 == 0 < self.gradient_depth)
        require(self, gradient_batches=2 <= self.gradient_batches <= 28)
        require(self, levels=1 <= self.levels <= 4)
        require(self, width=self.width % 2 == 0 < self.width, steps=self.steps > 0)
        require(self, train_scenes=self.train_scenes > 0)
        require(self, batch=0 < self.batch <= self.train_scenes)
        require(self, arms="none" in self.arms and set(self.arms) <= set(KINDS))
        stride = 8 * 2 ** (self.levels - 1)
        require(self, size=self.size % stride == 0 < self.size)
        require(self, classes=2 <= self.classes <= 10)
        require(self, objects=len(self.objects) == 2, pixels=len(self.pixels) == 2)
        require(self, test_scenes=self.test_scenes > 0, rate=self.rate > 0)


QUICK = YoloConfig()
STANDARD = YoloConfig(
    couplings=8,
    digits=1200,
    depths=(1, 2, 5, 10, 20, 50),
    gradient_batches=28,
    width=12,
    levels=2,
    arms=("none", "deep", "pyramid", "integrated", "reversible"),
    train_scenes=4000,
    test_scenes=500,
    classes=10,
    size=64,
    objects=(1, 4),
    pixels=(12, 28),
    steps=600,
)
TINY = YoloConfig(
    couplings=1,
    digits=40,
    depths=(1, 2),
    gradient_depth=4,
    gradient_batches=2,
    width=2,
    arms=("none", "deep", "integrated"),
    train_scenes=4,
    test_scenes=3,
    steps=2,
    batch=2,
)
