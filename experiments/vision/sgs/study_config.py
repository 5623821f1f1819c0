"""How much is measured at each scale."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.vision.sgs.training import Course


@dataclasses.dataclass(frozen=True)
class SgsConfig:
    """Sizes of all studies.

    Args:
        steps: of the exact trajectories.
        pairs: of pixels, for the estimator.
        teachers: draws of rows, each with a teacher of every profile.
        widths: channels of the networks' convolutions.
        train_images: of the 1,797 digits.
        cifar_size: to which CIFAR's 32 x 32 pixels are averaged.
        batch: images of a step.
        refreshes: measurements of the scalings.
        between: steps from one to the next.
        cost_width: channels of the network whose steps are timed.
        cost_repeats: timed pairs of steps.
    """

    steps: int = 500
    pairs: int = 50_000
    teachers: int = 1000
    widths: tuple[int, ...] = (8, 16)
    train_images: int = 600
    cifar_size: int = 16
    batch: int = 64
    refreshes: int = 10
    between: int = 30
    cost_width: int = 32
    cost_repeats: int = 20

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(self, **counts, widths=bool(self.widths) and min(self.widths) >= 1)
        require(
            self,
            pairs=self.pairs >= 1000,
            train_images=self.train_images <= 1500,
            cifar_size=self.cifar_size in (8, 16, 32),
            batch=self.batch <= self.train_images,
        )

    @property
    def course(self) -> Course:
        return Course(self.batch, self.refreshes, self.between, measured_on=self.batch)


QUICK = SgsConfig()
STANDARD = SgsConfig(
    steps=2000,
    teachers=10_000,
    widths=(16, 32),
    train_images=1000,
    cifar_size=32,
    refreshes=20,
    between=60,
    cost_width=64,
    cost_repeats=60,
)
TINY = SgsConfig(3, 1000, 2, (2,), 20, 8, 4, 1, 2, 2, 2)
