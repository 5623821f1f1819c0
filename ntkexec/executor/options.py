"""How a program is to be executed."""

import dataclasses

import numpy as np
from jaxtyping import Bool

from ntkexec.errors import ProgramError
from ntkexec.vocabulary import Until, Verify


@dataclasses.dataclass(frozen=True)
class Executing:
    """How an instance is executed, as far as it does not say so itself.

    Args:
        until: what ends the run, see `execute`; by default what suits the algorithm.
        verify: compare every step with the program's own Boolean update; see `execute`.
        trace: keep all states.
    """

    until: Until | None = None
    verify: Verify = True
    trace: bool = False

    def require_comparable(self, until: Until) -> None:
        """Raises unless a packed engine can be compared so, before anything is trained for it.

        Args:
            until: what ends the run, unless this says otherwise.

        Raises:
            ProgramError: it is to be compared with the program alone, and keeps a trace, or ends when
                all nodes halt.
        """
        ends = self.until or until
        if self.verify == "program" and (self.trace or ends == "halt"):
            why, instead = f"ends at {ends}", "--until steps"
            if self.trace:
                why, instead = "keeps a trace", "a run without one"
            raise ProgramError(
                f"this run {why}, but a packed engine is compared with the program alone for a number of "
                f"steps, or until nothing changes: --verify-with engine (verify=True) or {instead} would do"
            )


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
    verify: Verify
    trace: bool
