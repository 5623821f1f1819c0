"""A trained ensemble as a table: every set of matches that can occur, evaluated once.

A node's update depends on which templates match and on nothing else, and a factored learning problem
has few templates. So its networks are evaluated beforehand at all sets of templates that a valid
state can match. Where they decide as the program does, which is what they were trained for, the
union of the matched templates is their decision; every other set becomes a correction.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

from ntkexec.engines.gaussian import GaussianEngine
from ntkexec.engines.packed.engine import PackedEngine
from ntkexec.engines.packed.plan import Correction, PackedProgram
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import Ensemble, GaussianEnsemble
from ntkexec.ensemble.decisions import decisions_of
from ntkexec.errors import CertificateError, EnsembleError
from ntkexec.program.match_sets import MAX_SETS, all_match_sets
from ntkexec.theory.certificate import Certificate

MAX_CORRECTIONS = 256


@dataclasses.dataclass(frozen=True)
class Table:
    """What an ensemble decides at all sets of matches.

    Args:
        num_sets: how many there are, over all learning problems.
        corrections: where the ensemble differs from the program.
        smallest_margin: of a mean, in exact arithmetic, to its threshold.
        largest_error: bound on what rounding in float32 can add to a mean, in whatever order sums
            are taken.
    """

    num_sets: int
    corrections: tuple[Correction, ...]
    smallest_margin: float
    largest_error: float


def memo_engine(networks: Ensemble | GaussianEnsemble, certificate: Certificate) -> PackedEngine:
    """The trained ensemble on packed states: `ensemble`, bit for bit.

    Raises:
        EnsembleError: networks of infinite width, which are drawn as they are asked; a learning
            problem with too many sets of matches (a joint one soon has);
            networks that decide too many of them wrong, or so narrowly that rounding could decide;
            or a certificate for another learning problem.
        CertificateError: networks so wide that nothing is known of their rounding error.
    """
    plain = ensemble_engine(networks, certificate)
    if isinstance(plain, GaussianEngine):
        raise EnsembleError(
            "ensemble-memo tabulates networks that have weights; gaussian draws run as 'ensemble'"
        )
    assert isinstance(networks, Ensemble)
    table = tabulate(networks, np.asarray(plain.thresholds, np.float64))
    invariants = sorted({found.reason for found in networks.problem.program.kept_invariants})
    where = f" where {' and '.join(invariants)}" if invariants else ""
    return PackedEngine(
        plain,
        PackedProgram(networks.problem.program, table.corrections),
        f"a table of {table.num_sets:,} sets of matches, all that states{where} can have, at "
        f"{len(table.corrections)} of which the networks are wrong; rounding moves a mean by at most "
        f"{table.largest_error:.1e}, the smallest margin is {table.smallest_margin:.4f}",
    )


def tabulate(networks: Ensemble, thresholds: Float[np.ndarray, "k m"]) -> Table:
    """Evaluates networks at every set of matches of every learning problem.

    Args:
        networks: what was trained.
        thresholds: by bit and number of matches.

    Raises:
        EnsembleError: see `memo_engine`.
    """
    problem = networks.problem
    invariants = problem.program.kept_invariants
    num_sets, corrections, margin, error = 0, list[Correction](), np.inf, 0.0
    for index, component in enumerate(problem.components):
        templates = [problem.program.templates[t] for t in component.templates]
        try:
            sets = all_match_sets(templates, invariants, limit=MAX_SETS)
        except CertificateError:
            raise EnsembleError(
                f"a {problem.kind} learning problem of {len(templates)} templates has more than "
                f"{MAX_SETS:,} sets of matches; use the engine 'ensemble'"
            ) from None
        num_sets += len(sets)
        decided = decisions_of(networks, index, sets, thresholds)
        distances, errors = np.abs(decided.distance), decided.evaluation.error()
        margin, error = min(margin, float(distances.min())), max(error, float(errors.max()))
        # What is no number is no margin.
        unsure = ~(distances > errors)
        if unsure.any():
            column = int(np.flatnonzero(unsure.any(axis=0))[0])
            raise EnsembleError(
                f"the networks decide {problem.program.layout.bit_names[component.bits[column]]} by a "
                f"margin of {distances[:, column].min():.1e}, within the rounding error of float32; "
                "use the engine 'ensemble', or more networks"
            )
        corrections += [
            Correction(
                component.bits[column],
                tuple(t for t, on in zip(component.templates, sets[row], strict=True) if on),
                tuple(t for t, on in zip(component.templates, sets[row], strict=True) if not on),
            )
            for column, row in np.argwhere(~decided.right.T)[: MAX_CORRECTIONS + 1].tolist()
        ]
        if len(corrections) > MAX_CORRECTIONS:
            raise EnsembleError(
                f"the networks decide more than {MAX_CORRECTIONS} sets of matches wrong; use the "
                "engine 'ensemble', or more networks"
            )
    return Table(num_sets, tuple(corrections), margin, error)
