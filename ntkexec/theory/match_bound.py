"""How many templates can match at once: over all valid states, or measured on executions."""

import dataclasses

import numpy as np
from jaxtyping import Bool, Int

from ntkexec.errors import CertificateError
from ntkexec.program.invariants import NOTHING
from ntkexec.program.problem import LearningProblem, structural_counts
from ntkexec.runtime.keeping import read_only
from ntkexec.theory import compatible_sets

NEVER = np.iinfo(np.int32).max
"""Marks, in `MatchBound.min_matched_writers`, a combination that does not occur."""


@dataclasses.dataclass(frozen=True)
class MatchBound:
    """What a certificate assumes of the states that occur.

    Args:
        max_matches: m_max of every component; shape (c,).
        min_matched_writers: for every bit and every m, the fewest matched writers that a 1 can have when
            its component has m matches, or `NEVER`; shape (k, largest m + 1).
        can_be_zero: for every bit and every m, whether the bit can be 0 then; shape as before.
        basis: how the bound was obtained, in words.
        given: whether it is somebody's word, neither proven nor measured.
    """

    max_matches: Int[np.ndarray, "c"]
    min_matched_writers: Int[np.ndarray, "k m"]
    can_be_zero: Bool[np.ndarray, "k m"]
    basis: str
    given: bool = False

    def __post_init__(self) -> None:
        for name in ("max_matches", "min_matched_writers", "can_be_zero"):
            object.__setattr__(self, name, read_only(getattr(self, name)))


def state_bound(
    problem: LearningProblem, *, only_valid: bool = True, time_limit: float = 20.0
) -> MatchBound:
    """A bound for every state, reachable or not; with `only_valid`, all that follow a valid one.

    For every component the largest compatible set of templates is an integer programme, solved by
    branch and bound (`compatible_sets`); where the time limit stops HiGHS, its upper bound is taken
    instead, so the result is always valid.

    Args:
        problem: templates divided among networks.
        only_valid: assume what the layout promises (one-hot fields hold at most one choice, tables
            at most `occupied` slots) as far as every step keeps it; False covers every assignment
            of the bits.
        time_limit: seconds for one component.
    """
    invariants = problem.program.kept_invariants if only_valid else NOTHING
    # Slots of a table make components of one shape, often thousands: one programme serves them all.
    known: dict[compatible_sets.Shape, tuple[int, bool]] = {}
    sizes = []
    for component in problem.components:
        shape = compatible_sets.shape_of(
            [problem.program.templates[t] for t in component.templates], invariants
        )
        if shape not in known:
            known[shape] = compatible_sets.largest(shape, time_limit)
        sizes.append(known[shape])
    exact = all(proven for _, proven in sizes)
    max_matches = np.array([size for size, _ in sizes])
    kept = " and ".join(sorted({i.reason for i in invariants}))
    assumption = f" where {kept}, which every step keeps" if kept else ""
    method = "integer programming" if exact else "upper bound of integer programming"
    return _bound_from_counts(problem, max_matches, f"all states{assumption} ({method})")


def given_bound(problem: LearningProblem, max_matches: int) -> MatchBound:
    """The bound m <= `max_matches` for every component, on the caller's word."""
    if max_matches < 1:
        raise CertificateError(f"a bound on the matches is at least 1, got {max_matches}")
    sizes = np.array([len(c.templates) for c in problem.components])
    basis = f"given: m <= {max_matches}"
    bound = _bound_from_counts(problem, np.minimum(sizes, max_matches), basis)
    return dataclasses.replace(bound, given=True)


def _bound_from_counts(problem: LearningProblem, max_matches: np.ndarray, basis: str) -> MatchBound:
    """What counting says of the bits, as far as components have so many matches."""
    writers, owner = problem.program.num_writers, problem.component_of_bit
    fewest, can_be_zero = structural_counts(problem)
    m = np.arange(problem.max_matches + 1)
    within = m <= max_matches[owner][:, None]
    can_be_one = within & (m >= 1) & (writers > 0)[:, None]
    min_matched_writers = np.where(can_be_one, np.maximum(1, fewest), NEVER)
    return MatchBound(max_matches, min_matched_writers, within & can_be_zero, basis)
