"""The theory, statement by statement, each checked by a measurement that could refute it."""

from ntkexec.check import Check, Scale
from proofs_check import gram_spectrum, interference, kernels, padding

CHECKS: tuple[Check[Scale], ...] = (
    kernels.CHECK,
    gram_spectrum.CHECK,
    interference.INSIDE,
    interference.OUTSIDE,
    padding.CHECK,
)

__all__ = ["CHECKS"]
