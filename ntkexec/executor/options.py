"""How a program is to be executed."""

import dataclasses

import numpy as np
from jaxtyping import Bool

from ntkexec.vocabulary import Until


@dataclasses.dataclass(frozen=True)
class Options:
    """How to execute: the checked arguments of `execute`.

    Args:
        num_steps: steps to run, or at most to run.
        until: what ends the run.
        halt_bit: for `until="halt"`, else None.
        node_mask: False at padding nodes.
        verify: compare every step with the program.
        trace: keep all states.
    """

    num_steps: int
    until: Until
    halt_bit: int | None
    node_mask: Bool[np.ndarray, "n"]
    verify: bool
    trace: bool
