"""How an ensemble is drawn: its size, its initial weights and what becomes of them."""

import dataclasses
import math

from ntkexec.errors import EnsembleError
from ntkexec.vocabulary import DESCENTS, DRAWS, Descent, Draw


@dataclasses.dataclass(frozen=True)
class EnsembleConfig:
    """How an ensemble is drawn.

    Args:
        members: N, independently initialised networks for every learning problem.
        width: h, hidden units of a network; infinite, whatever it says, for `gaussian`.
        weight_std: standard deviation of the weights at initialisation.
        bias_std: likewise of the biases; 0 for none. Certificates need 0.
        seed: member i of any ensemble with this seed is the same network, bit for bit on one kind
            of machine, whatever N and however the work is cut.
        tolerance: training stops when no output of a training pair is off by more.
        precision: float32 or float64.
        draw: `trained` by gradient descent; `antisymmetric`, likewise, but from two equal copies of
            half the width, one subtracted, so that the untrained output is 0 and the limit of
            infinite width has no spread; `linearised`, the end of training of the network linearised
            at its initial weights; `gaussian`, the end of training at infinite width.
        descent: how `trained` and `antisymmetric` networks descend, see `schedule`.

    Raises:
        EnsembleError: a value out of range.
    """

    members: int
    width: int = 1024
    weight_std: float = 1.0
    bias_std: float = 0.0
    seed: int = 0
    tolerance: float = 1e-4
    precision: str = "float32"
    draw: Draw = "trained"
    descent: Descent = "auto"

    @property
    def descended(self) -> bool:
        """Whether the networks are trained by gradient descent."""
        return self.draw in ("trained", "antisymmetric")

    @property
    def independent_units(self) -> int:
        """Hidden units of a network that are drawn independently."""
        return self.width // 2 if self.draw == "antisymmetric" else self.width

    def __post_init__(self) -> None:
        for name in ("members", "width"):
            if getattr(self, name) < 1:
                raise EnsembleError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 < self.weight_std < math.inf:
            raise EnsembleError(f"weight_std must be positive, got {self.weight_std}")
        if not self.bias_std >= 0:
            raise EnsembleError(f"bias_std cannot be negative, got {self.bias_std}")
        if not 0 < self.tolerance < 1:
            raise EnsembleError(f"tolerance must lie between 0 and 1, got {self.tolerance}")
        if self.precision not in ("float32", "float64"):
            raise EnsembleError(f"precision is float32 or float64, got {self.precision!r}")
        if not 0 <= self.seed < 1 << 32:
            raise EnsembleError(f"seed must lie between 0 and 2^32 - 1, got {self.seed}")
        if self.draw not in DRAWS:
            raise EnsembleError(f"draw is {', '.join(DRAWS)}, not {self.draw!r}")
        if self.descent not in DESCENTS:
            raise EnsembleError(f"descent is {', '.join(DESCENTS)}, not {self.descent!r}")
        if self.draw == "antisymmetric" and self.width % 2:
            raise EnsembleError(
                f"antisymmetric networks are two halves and need an even width, not {self.width}; "
                f"try {self.width + 1}"
            )
        if self.draw == "gaussian" and self.bias_std:
            raise EnsembleError(
                f"the closed form of gaussian draws is for networks without biases; bias_std is "
                f"{self.bias_std}"
            )
