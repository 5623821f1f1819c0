"""The first wrong bit of an execution, explained."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from ntkexec.executor.deciding import decided
from ntkexec.executor.protocol import Engine
from ntkexec.executor.verification import Verification
from ntkexec.program.program import Program


@dataclasses.dataclass(frozen=True)
class Diagnosis:
    """The first wrong bit of an execution, with everything that decided it."""

    step: int
    node: int
    bit_name: str
    expected: bool
    mean: float
    threshold: float
    matched: tuple[str, ...]

    def __str__(self) -> str:
        matched = "".join(f"\n    {line}" for line in self.matched)
        return (
            f"step {self.step}, node {self.node}: {self.bit_name} should be {int(self.expected)}, but "
            f"its mean {self.mean:.5f} is {'not above' if self.expected else 'above'} the threshold "
            f"{self.threshold:.5f}; matched templates:{matched}"
        )


def diagnose(engine: Engine, program: Program, verification: Verification) -> Diagnosis | None:
    """The first wrong node and bit of an execution that was verified, or None if all was right."""
    if verification.snapshot is None or verification.first_wrong_step is None:
        return None
    states = jnp.asarray(verification.snapshot).T
    matches, decision = decided(engine, states)
    expected = np.asarray(matches.matched_writers > 0)
    wrong = (np.asarray(decision.bits) != expected) & verification.wrong_nodes
    node, bit = (int(i) for i in np.argwhere(wrong.T)[0])
    return Diagnosis(
        step=verification.first_wrong_step,
        node=node,
        bit_name=program.layout.bit_names[bit],
        expected=bool(expected[bit, node]),
        mean=float(decision.means[bit, node]),
        threshold=float(decision.thresholds[bit, node]),
        matched=tuple(
            program.describe(int(t)) for t in np.flatnonzero(np.asarray(matches.matched)[:-1, node])
        ),
    )
