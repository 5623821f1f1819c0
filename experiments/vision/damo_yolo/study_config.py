"""How much is measured at each scale."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.kits.detection.assigners import ASSIGNERS
from experiments.vision.damo_yolo.backbone import Architecture, Stage
from experiments.vision.damo_yolo.detector import DamoYolo

CLASSES = 10
"""Digits in the generated pictures."""


@dataclasses.dataclass(frozen=True)
class DamoYoloConfig:
    """Sizes of all studies, for each seed.

    Args:
        resolution: of the picture for which the T network is counted.
        draws: of weights, for the mean log deviation of a map.
        stacks: of three convolutions, whose deviations are measured.
        backbones: whose neighbours are scored.
        evaluations: of a search without a budget.
        matrices: of costs, on which objects are given priors.
        grid: scores and overlaps on a side of the grid on which costs are compared.
        width: channels at a stride of 4; a multiple of 8.
        teacher_width: of the teacher.
        rounds: trainings of the teacher, each from where the one before ended.
        scenes, tested: generated pictures to train on, and to test with.
        size: height and width of them.
        objects: fewest and most digits in one.
        pixels: the smallest and the largest longer side of a digit.
        steps, batch: of each training.
        rate: at its highest.
        least: score that is asked of a prior with an object, see `Objective`.
        rivals: assigners beside the released one.
    """

    resolution: int = 640
    draws: int = 50
    stacks: int = 4
    backbones: int = 20
    evaluations: int = 4000
    matrices: int = 200
    grid: int = 99
    width: int = 16
    teacher_width: int = 16
    rounds: int = 2
    scenes: int = 1000
    tested: int = 200
    size: int = 32
    objects: tuple[int, int] = (1, 2)
    pixels: tuple[int, int] = (12, 22)
    steps: int = 200
    batch: int = 16
    rate: float = 6e-3
    least: float = 0.3
    rivals: tuple[str, ...] = ("sim_ota",)

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(self, **counts)
        require(self, resolution=self.resolution % 32 == 0, width=self.width % 8 == 0)
        require(self, teacher_width=self.teacher_width % 8 == 0, size=self.size % 16 == 0)
        require(self, objects=len(self.objects) == 2, pixels=len(self.pixels) == 2)
        require(
            self, batch=self.batch <= self.scenes, rate=self.rate > 0, least=0 <= self.least < 1
        )
        require(self, rivals=set(self.rivals) <= set(ASSIGNERS) - {"align_ota_code"})
        require(self, grid=self.grid % 2 == 1)


def digit_detector(width: int, *, depth: int = 1) -> DamoYolo:
    """A small detector of digits, with predictions at strides 4, 8 and 16.

    Args:
        width: channels at a stride of 4.
        depth: of the neck's fusions.
    """
    stages = (
        Stage(width, width // 2, 2, 1),
        Stage(3 * width // 2, width, 2, 1),
        Stage(2 * width, 3 * width // 2, 2, 1),
    )
    backbone = Architecture(width, stages)
    features = (width, 3 * width // 2, 2 * width)
    return DamoYolo(backbone, features, CLASSES, depth=depth, bins=9)


QUICK = DamoYoloConfig()
STANDARD = DamoYoloConfig(
    draws=200,
    evaluations=10_000,
    width=24,
    teacher_width=32,
    rounds=3,
    scenes=4000,
    tested=500,
    size=64,
    objects=(1, 4),
    pixels=(10, 28),
    steps=600,
    rivals=("sim_ota", "align_ota_paper", "task_aligned", "atss"),
)
TINY = DamoYoloConfig(
    resolution=64,
    draws=5,
    stacks=1,
    backbones=2,
    evaluations=200,
    matrices=50,
    grid=9,
    width=8,
    teacher_width=8,
    scenes=16,
    tested=8,
    steps=2,
    batch=4,
)
