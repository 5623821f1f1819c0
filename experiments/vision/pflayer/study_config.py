"""How much is measured at each scale."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class PfLayerConfig:
    """Sizes of all studies.

    Args:
        pairs: of pictures, for what pools do to distances.
        widths: channels in the middle of the blocks of each stage.
        depth: blocks of a stage.
        size: to which pictures are averaged.
        train_images, test_images: of every set; the samples have 2,000 and 1,000 that all can spare.
        batch: images of a step.
        parts: of 50 steps, of an arm of the comparison.
        candidates: chains that are drawn in the search.
        search_parts: for which each of them is trained.
    """

    pairs: int = 1000
    widths: tuple[int, ...] = (8, 16)
    depth: int = 2
    size: int = 16
    train_images: int = 2000
    test_images: int = 1000
    batch: int = 32
    parts: int = 6
    candidates: int = 40
    search_parts: int = 1

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(self, **counts, widths=bool(self.widths) and min(self.widths) >= 1)
        require(
            self,
            size=self.size in (16, 32),
            train_images=self.train_images <= 2000,
            test_images=self.test_images <= 1000,
            batch=self.batch <= self.train_images,
            candidates=self.candidates >= 10,
        )


QUICK = PfLayerConfig()
STANDARD = PfLayerConfig(
    widths=(16, 32), depth=3, size=32, parts=30, candidates=200, search_parts=2
)
TINY = PfLayerConfig(10, (2,), 1, 16, 64, 40, 8, 1, 10, 1)
