"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class SemSpaceConfig:
    """Sizes of all studies.

    Args:
        cases: random draws of every exact study.
        satellites: in as many planes as make four of each, or one.
        rounds: gateway rounds, of 24 slots of 30 seconds each; two are a cloud round.
        size: height and width of pictures.
        width: of the codec's hidden layers.
        pictures: of a satellite at most, half of that at least.
        tested: pictures for each satellite.
        steps: of a satellite in a round.
        batch: pictures of a step.
        central_batch: the same where all pictures are in one place.
        rate: of Adam.
        devices: of the mesh, for each of four gateways.
    """

    cases: int = 20
    satellites: int = 24
    rounds: int = 30
    size: int = 16
    width: int = 32
    pictures: int = 48
    tested: int = 8
    steps: int = 8
    batch: int = 8
    central_batch: int = 64
    rate: float = 3e-3
    devices: int = 2

    def __post_init__(self) -> None:
        check_types(self)
        counts = {
            f.name: getattr(self, f.name) >= 1 for f in dataclasses.fields(self) if f.type is int
        }
        require(self, **counts, rate=self.rate > 0)
        require(self, satellites=self.satellites % 4 == 0, rounds=self.rounds % 2 == 0)
        require(self, size=self.size in (8, 16, 32), pictures=self.pictures >= 2)
        require(self, tested=self.tested * self.satellites <= 1000)


QUICK = SemSpaceConfig()
STANDARD = SemSpaceConfig(cases=100, rounds=60, size=32, steps=16, pictures=80, tested=16)
TINY = SemSpaceConfig(1, 4, 4, 8, 4, 4, 2, 1, 2, 4, 3e-3, 1)
