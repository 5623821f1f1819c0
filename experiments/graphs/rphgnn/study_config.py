"""How much is measured."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class RphgnnConfig:
    """Sizes of all studies, for each seed.

    Args:
        nodes: of each type but the target of drawn graphs; the target has twice as many.
        noise: of their features.
        runs: drawn graphs on which squashes are compared.
        widths: of squashes among which the meter chooses.
        keep: what it is asked to keep.
        steps, hidden: of every network.
        iterations, width: of what is collected of real graphs.
        hops: of the longest path that is enumerated there.
    """

    nodes: int = 300
    noise: float = 0.2
    runs: int = 3
    widths: tuple[int, ...] = (4, 8, 16, 32, 64, 128, 256)
    keep: float = 0.8
    steps: int = 100
    hidden: int = 64
    iterations: int = 4
    width: int = 128
    hops: int = 4

    def __post_init__(self) -> None:
        check_types(self)
        require(
            self,
            nodes=self.nodes >= 60,
            noise=self.noise >= 0,
            runs=self.runs > 0,
            keep=0 < self.keep <= 1,
        )
        require(self, widths=len(self.widths) > 1 and min(self.widths) > 0)
        require(self, steps=self.steps > 0, hidden=self.hidden > 0, hops=self.hops > 0)
        require(self, iterations=self.iterations > 0, width=self.width > 0)
