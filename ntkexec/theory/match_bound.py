"""How many templates can match at once: over all valid states, or measured on executions."""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Int
from scipy import optimize, sparse

from ntkexec.errors import CertificateError
from ntkexec.program.invariants import NOTHING, Invariants
from ntkexec.program.problem import LearningProblem, structural_counts
from ntkexec.program.templates import Template
from ntkexec.runtime.keeping import read_only

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

    For every component the largest compatible set of templates is found by integer programming
    (HiGHS); where the time limit stops the search, its upper bound is taken instead, so the result
    is always valid.

    Args:
        problem: templates divided among networks.
        only_valid: assume what the layout promises (one-hot fields hold at most one choice, tables
            at most `occupied` slots) as far as every step keeps it; False covers every assignment
            of the bits.
        time_limit: seconds for one component.
    """
    invariants = problem.program.kept_invariants if only_valid else NOTHING
    # Slots of a table make components of one shape, often thousands: one programme serves them all.
    known: dict[_Shape, tuple[int, bool]] = {}
    largest = []
    for component in problem.components:
        shape = _shape_of([problem.program.templates[t] for t in component.templates], invariants)
        if shape not in known:
            known[shape] = _largest_compatible_set(shape, time_limit)
        largest.append(known[shape])
    exact = all(proven for _, proven in largest)
    max_matches = np.array([size for size, _ in largest])
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


class _Shape(NamedTuple):
    """Conditions of templates, and what is assumed of the bits that they read, by places of bits.

    conditions: by template, pairs of a place and the required value.
    at_most: pairs of a bound and groups of places, of which so many may hold a 1.
    """

    conditions: tuple[tuple[tuple[int, bool], ...], ...]
    at_most: tuple[tuple[int, tuple[tuple[int, ...], ...]], ...]


def _shape_of(templates: Sequence[Template], invariants: Invariants) -> _Shape:
    """The shape of a component."""
    place: dict[int, int] = {}
    for template in templates:
        for bit, _ in template.condition:
            place.setdefault(bit, len(place))
    return _Shape(
        tuple(
            tuple((place[bit], bool(value)) for bit, value in template.condition)
            for template in templates
        ),
        tuple(
            sorted(
                (one.bound, tuple(sorted(tuple(sorted(place[b] for b in g)) for g in one.groups)))
                for one in invariants.among(place)
            )
        ),
    )


def _largest_compatible_set(shape: _Shape, time_limit: float) -> tuple[int, bool]:
    """Size of the largest set of templates that one state can match, and whether it is proven.

    Variables: a 0/1 for every bit that some condition reads, one for every template (its maximum
    is integral by itself), one for every group of an invariant.
    """
    num_templates = len(shape.conditions)
    if num_templates == 1:
        return 1, True
    num_bits = len({bit for condition in shape.conditions for bit, _ in condition})
    if num_bits == 0:
        return num_templates, True  # nothing is asked, and all match
    num_columns = num_bits + num_templates + sum(len(groups) for _, groups in shape.at_most)
    rows: list[tuple[dict[int, float], float]] = []  # (coefficients, upper bound)
    for index, condition in enumerate(shape.conditions):
        column = num_bits + index
        for bit, value in condition:
            sign = -1.0 if value else 1.0
            rows.append(({column: 1.0, bit: sign}, 0.0 if value else 1.0))
    column = num_bits + num_templates
    for bound, groups in shape.at_most:
        occupied: dict[int, float] = {}
        for group in groups:
            rows += [({bit: 1.0, column: -1.0}, 0.0) for bit in group]
            occupied[column] = 1.0
            column += 1
        rows.append((occupied, float(bound)))
    entries = [(r, c, v) for r, (row, _) in enumerate(rows) for c, v in row.items()]
    row_index, column_index, coefficients = zip(*entries, strict=True) if entries else ((), (), ())
    matrix = sparse.csr_array(
        (coefficients, (row_index, column_index)), shape=(len(rows), num_columns)
    )
    is_template = (np.arange(num_columns) >= num_bits) & (
        np.arange(num_columns) < num_bits + num_templates
    )
    result = optimize.milp(
        -is_template.astype(float),
        integrality=~is_template,
        bounds=optimize.Bounds(0, 1),
        constraints=optimize.LinearConstraint(matrix, ub=[upper for _, upper in rows]),
        # The default gap would let a large component end a little below its maximum.
        options={"time_limit": time_limit, "mip_rel_gap": 0},
    )
    if result.status == 0:
        return round(-result.fun), True
    if result.status != 1:
        raise CertificateError(f"integer programming failed: {result.message}")
    if result.mip_dual_bound is None or not np.isfinite(result.mip_dual_bound):
        return num_templates, False
    return min(num_templates, int(np.floor(-result.mip_dual_bound + 1e-6))), False
