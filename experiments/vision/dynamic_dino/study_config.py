"""How much is measured at each scale."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class DynamicDinoConfig:
    """Sizes of all studies.

    Args:
        tie_tokens: whose experts are looked at.
        tie_copies: of the router there.
        width: of the detector's attention; its decoder's feed-forward layers have four times as many units.
        colours, shapes, patterns: words of each kind; a class is one of each.
        held_out: classes that no training picture shows.
        zipf: power by which classes grow rarer in training.
        scenes: pictures to train on.
        test_scenes: pictures to test on, of all classes alike; a multiple of 32.
        batch: pictures of a step.
        base_steps: of training the dense detector.
        tuned_steps: of tuning each arm.
        base_rate, tuned_rate: of AdamW, at their largest.
        copies, slices: of the mixture.
    """

    tie_tokens: int = 10_000
    tie_copies: int = 16
    width: int = 32
    colours: int = 4
    shapes: int = 3
    patterns: int = 2
    held_out: int = 6
    zipf: float = 1.2
    scenes: int = 512
    test_scenes: int = 192
    batch: int = 16
    base_steps: int = 180
    tuned_steps: int = 50
    base_rate: float = 4e-3
    tuned_rate: float = 1e-3
    copies: int = 4
    slices: int = 2

    def __post_init__(self) -> None:
        check_types(self)
        counts = {f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self)}
        require(self, **{**counts, "zipf": self.zipf >= 0, "base_rate": self.base_rate > 0,
                         "tuned_rate": self.tuned_rate > 0})  # fmt: skip
        most = max(self.colours, self.shapes, self.patterns)
        require(
            self,
            tie_tokens=self.tie_tokens >= 100,
            tie_copies=self.tie_copies >= 2,
            width=self.width % 32 == 0,
            colours=self.colours <= 6,
            shapes=self.shapes <= 6,
            patterns=self.patterns <= 4,
            held_out=self.held_out <= self.num_classes - most,
            test_scenes=self.test_scenes % 32 == 0,
            batch=self.batch <= self.scenes,
            copies=self.copies >= 2,
            slices=4 * self.width % self.slices == 0 and self.slices >= 2,
        )

    @property
    def num_classes(self) -> int:
        return self.colours * self.shapes * self.patterns


QUICK = DynamicDinoConfig()
STANDARD = DynamicDinoConfig(
    width=64,
    shapes=4,
    patterns=3,
    held_out=12,
    scenes=2048,
    test_scenes=512,
    base_steps=2000,
    tuned_steps=600,
    base_rate=2e-3,
)
TINY = DynamicDinoConfig(
    tie_tokens=1000,
    colours=2,
    shapes=2,
    patterns=2,
    held_out=2,
    scenes=8,
    test_scenes=32,
    batch=2,
    base_steps=2,
    tuned_steps=2,
)
