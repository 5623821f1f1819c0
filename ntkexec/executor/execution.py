"""The outcome of a run."""

import dataclasses

import numpy as np
from jaxtyping import Bool

from ntkexec.executor.verification import Verification
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.vocabulary import Until


@dataclasses.dataclass(frozen=True)
class Execution:
    """The outcome of a run.

    Args:
        graphs: the input graphs with the final states, (n, k), as nodes.
        steps: steps that were executed.
        stopped: what ended it.
        collisions: receptions, over all steps, in which two neighbours wrote the same message bit;
            0 under a two-hop colouring. If not, the states are void.
        verification: comparison with the program, if asked for.
        trace: the states before every step and after the last, (steps + 1, n, k), if asked for.
        compile_seconds: time to compile; 0 if these shapes had been compiled before.
        run_seconds: time to run.
    """

    graphs: GraphsTuple
    steps: int
    stopped: Until
    collisions: int
    verification: Verification | None
    trace: Bool[np.ndarray, "s n k"] | None
    compile_seconds: float
    run_seconds: float

    @property
    def states(self) -> Bool[np.ndarray, "n k"]:
        return self.graphs.nodes
