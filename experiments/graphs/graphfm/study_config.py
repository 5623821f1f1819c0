"""Sizes of the studies."""

import dataclasses

from experiments.harness.configuration import check_types, require


@dataclasses.dataclass(frozen=True)
class GraphfmConfig:
    """For each seed.

    Args:
        width: of the encoder.
        checkpoints: of each pre-training; one of them is picked.
        null_steps, null_draws: of each method on null graphs, and how many of these.
        null_nodes: of each; of degree 4.
        steps: of each method on citation graphs.
    """

    width: int = 64
    checkpoints: int = 4
    null_steps: int = 20
    null_draws: int = 3
    null_nodes: int = 2000
    steps: int = 40

    def __post_init__(self) -> None:
        check_types(self)
        require(self, width=self.width > 1, checkpoints=self.checkpoints > 0)
        require(self, null_nodes=self.null_nodes >= 100, null_draws=self.null_draws > 1)
        for name in ("null_steps", "steps"):
            given = getattr(self, name)
            require(self, **{name: given > 0 and given % self.checkpoints == 0})
