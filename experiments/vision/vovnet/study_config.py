"""How much is measured at each scale."""

import dataclasses

from experiments.harness.configuration import check_types, require
from experiments.vision.vovnet.network import NETWORKS


@dataclasses.dataclass(frozen=True)
class VovnetConfig:
    """Sizes of all studies, for each seed.

    Args:
        layers_drawn: convolutions whose memory access is held against the bound.
        depths: layers of the blocks whose reads are counted.
        counted: names of the published networks that are counted by both routes.
        widths: of the chains of one-shot aggregation that is trained, for each stage.
        features: channels of the stages' outputs.
        layers: of each chain.
        stem: channels of the first convolution, which halves the picture.
        size: pixels of a side to which CIFAR's are averaged.
        steps: of training, on batches of 64.
        timed: convolutions of drawn shapes that are timed.
        most_pixels: of a side of their pictures.
        repeats: timed runs of each.
    """

    layers_drawn: int = 10_000
    depths: tuple[int, ...] = (8, 16, 32, 64)
    counted: tuple[str, ...] = ("27-slim", "39", "57")
    widths: tuple[int, ...] = (16, 24)
    features: tuple[int, ...] = (32, 48)
    layers: int = 4
    stem: int = 16
    size: int = 16
    steps: int = 200
    timed: int = 24
    most_pixels: int = 28
    repeats: int = 7

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(self, **counts, counted=set(self.counted) <= set(NETWORKS))
        require(self, depths=len(set(self.depths)) > 1 and min(self.depths) > 0)
        require(self, widths=min(self.widths, default=0) > 0, size=self.size in (8, 16, 32))
        require(self, features=len(self.features) == len(self.widths), timed=self.timed >= 4)
        require(self, most_pixels=self.most_pixels >= 7)


QUICK = VovnetConfig()
STANDARD = VovnetConfig(
    widths=(24, 32), features=(64, 96), stem=32, size=32, steps=1000, timed=40, most_pixels=56
)
TINY = VovnetConfig(
    layers_drawn=100,
    depths=(2, 4),
    counted=("27-slim",),
    widths=(4,),
    features=(8,),
    layers=2,
    stem=4,
    size=8,
    steps=2,
    timed=4,
    most_pixels=7,
    repeats=1,
)
