"""A trained ensemble as a table: every set of matches that can occur, evaluated once.

A node's update depends on which templates match and on nothing else, and a factored learning problem
has few templates. So its networks are evaluated beforehand at all sets of templates that a valid
state can match. Where they decide as the program does, which is what they were trained for, the
union of the matched templates is their decision; every other set becomes a correction.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float

from ntkexec.engines.gaussian import GaussianEngine
from ntkexec.engines.packed.engine import PackedEngine
from ntkexec.engines.packed.plan import Correction, PackedProgram
from ntkexec.engines.trained import ensemble_engine
from ntkexec.ensemble import Ensemble, GaussianEnsemble, evaluation
from ntkexec.errors import EnsembleError
from ntkexec.program.invariants import AtMost
from ntkexec.program.templates import Template
from ntkexec.theory.certificate import Certificate

MAX_SETS = 1 << 20
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
    for stack, weights in zip(problem.stacks, networks.weights, strict=True):
        for position, index in enumerate(stack.components):
            component = problem.components[index]
            templates = [problem.program.templates[t] for t in component.templates]
            sets = matching_sets(templates, invariants)
            if sets is None:
                raise EnsembleError(
                    f"a {problem.kind} learning problem of {len(templates)} templates has more than "
                    f"{MAX_SETS:,} sets of matches; use the engine 'ensemble'"
                )
            num_sets += len(sets)
            found = evaluation.evaluate(
                evaluation.networks_of(weights, networks.config, position, len(component.bits)),
                sets,
            )
            for column, bit in enumerate(component.bits):
                writes = problem.writes(index)[:, column]
                means, errors = found.mean[:, column], found.error[:, column]
                margins = means - thresholds[bit, sets.sum(axis=1)]
                margin = min(margin, float(np.abs(margins[errors != 0]).min(initial=np.inf)))
                error = max(error, float(errors.max()))
                # An exact 0 is decided whatever its margin; nan is no margin.
                if not ((np.abs(margins) > errors) | (errors == 0)).all():
                    raise EnsembleError(
                        f"the networks decide {problem.program.layout.bit_names[bit]} by a margin of "
                        f"{np.abs(margins).min():.1e}, within the rounding error of float32; "
                        "use the engine 'ensemble', or more networks"
                    )
                wrong = (margins > 0) != sets[:, writes].any(axis=1)
                corrections += [
                    Correction(
                        bit,
                        tuple(t for t, on in zip(component.templates, row, strict=True) if on),
                        tuple(t for t, on in zip(component.templates, row, strict=True) if not on),
                    )
                    for row in sets[wrong][: MAX_CORRECTIONS + 1]
                ]
        if len(corrections) > MAX_CORRECTIONS:
            raise EnsembleError(
                f"the networks decide more than {MAX_CORRECTIONS} sets of matches wrong; use the "
                "engine 'ensemble', or more networks"
            )
    return Table(num_sets, tuple(corrections), margin, error)


def matching_sets(
    templates: Sequence[Template], invariants: Sequence[AtMost]
) -> Bool[np.ndarray, "p t"] | None:
    """All sets of templates that some valid state may match, perhaps more; None if too many.

    A set is left out if two of its conditions contradict each other, or if what they require to be
    1 breaks an invariant.
    """
    read = sorted({bit for entry in templates for bit, _ in entry.condition})
    column = {bit: index for index, bit in enumerate(read)}
    groups = [
        (found.bound, [[column[b] for b in group if b in column] for group in found.groups])
        for found in invariants
    ]
    relevant = [
        (bound, [group for group in found if group])
        for bound, found in groups
        if sum(map(bool, found)) > bound
    ]
    sets = np.zeros((1, len(templates)), bool)
    ones, zeros = np.zeros((2, 1, len(read)), bool)
    for index, entry in enumerate(templates):
        on = [column[bit] for bit, value in entry.condition if value]
        off = [column[bit] for bit, value in entry.condition if not value]
        fits = ~(zeros[:, on].any(axis=1) | ones[:, off].any(axis=1))
        new_sets, new_ones, new_zeros = sets[fits], ones[fits], zeros[fits]
        new_sets[:, index], new_ones[:, on], new_zeros[:, off] = True, True, True
        for bound, found in relevant:
            occupied = sum(new_ones[:, group].any(axis=1).astype(int) for group in found)
            valid = occupied <= bound
            new_sets, new_ones, new_zeros = new_sets[valid], new_ones[valid], new_zeros[valid]
        if len(sets) + len(new_sets) > MAX_SETS:
            return None
        sets = np.concatenate([sets, new_sets])
        ones, zeros = np.concatenate([ones, new_ones]), np.concatenate([zeros, new_zeros])
    return sets
