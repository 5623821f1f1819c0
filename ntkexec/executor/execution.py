"""The outcome of a run."""

import dataclasses

import numpy as np
from jaxtyping import Bool

from ntkexec.executor.verification import Verification
from ntkexec.graphs.message_passing import GraphsTuple
from ntkexec.runtime.tables import as_html
from ntkexec.vocabulary import Until


@dataclasses.dataclass(frozen=True, repr=False)
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

    def __repr__(self) -> str:
        return f"Execution({', '.join(self._facts().values())})"

    def _repr_html_(self) -> str:
        return as_html(self._facts().items(), title="Execution")

    def _facts(self) -> dict[str, str]:
        """What it came to, in words."""
        facts = {
            "nodes": f"{len(self.states):,} nodes",
            "steps": f"{self.steps:,} steps, stopped by {self.stopped}",
        }
        if self.collisions:
            facts["collisions"] = f"void: {self.collisions:,} receptions in which two messages met"
        facts["verification"] = "not verified"
        if (found := self.verification) is not None:
            first = f", first at step {found.first_wrong_step}" if found.wrong_bits else ""
            facts["verification"] = f"{found.wrong_bits:,} wrong bits{first}, " + (
                "compared with the program alone"
                if found.smallest_margin is None
                else f"smallest margin {found.smallest_margin:.4f}"
            )
        facts["time"] = f"{self.run_seconds:.3g} s, compiled in {self.compile_seconds:.3g} s"
        return facts
