"""How much the SGS experiment measures."""

import dataclasses

from experiments.configuration import require


@dataclasses.dataclass(frozen=True)
class SgsConfig:
    """Sizes of all studies.

    Args:
        steps: of the exact trajectories.
    """

    steps: int = 500

    def __post_init__(self) -> None:
        require(self, steps=self.steps >= 1)
