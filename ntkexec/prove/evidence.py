"""Proofs and witnesses of a theorem's obligations."""

from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from ntkexec.errors import ProofError, SatisfiableError
from ntkexec.prove.pool import refutations
from ntkexec.prove.solve import model_of
from ntkexec.recheck.theorem.obligation import Formula, Obligation
from ntkexec.recheck.theorem.theorem import Theorem

Report = Callable[[int, int], None]


class Proof(NamedTuple):
    """One part of an obligation, and what proves it.

    Args:
        obligation: its name.
        part: of it.
        clauses: of its formula.
        formula: SHA-256 of its formula.
        text: the proof, in LRAT.
    """

    obligation: str
    part: str
    clauses: int
    formula: str
    text: str


class Evidence(NamedTuple):
    """What a theorem's folder brings: proofs, and an instance of each obligation's assumptions."""

    proofs: tuple[Proof, ...]
    witnesses: Mapping[str, Mapping[str, int]]


def evidence_for(
    theorem: Theorem, *, jobs: int = 1, report: Report = lambda _done, _total: None
) -> Evidence:
    """Proves a theorem.

    Args:
        theorem: about a program.
        jobs: processes that prove at once.
        report: called with the parts that are proved, and how many there are.

    Raises:
        SatisfiableError: a part does not follow; says where it fails.
        ProofError: assumptions that nothing satisfies.
    """
    obligations = [build() for build in theorem.obligations.values()]
    witnesses = {one.name: witness_of(one) for one in obligations}
    parts = [(one, part) for one in obligations for part in one.parts]
    taken: list[tuple[int, str]] = []

    def formulas() -> Iterator[Formula]:
        for obligation, part in parts:
            formula = obligation.formula(part)
            taken.append((len(formula.clauses), formula.sha256))
            yield formula

    proofs: list[Proof] = []
    try:
        for text in refutations(formulas(), jobs):
            obligation, part = parts[len(proofs)]
            proofs.append(Proof(obligation.name, part, *taken[len(proofs)], text))
            report(len(proofs), len(parts))
    except SatisfiableError as error:
        obligation, part = parts[len(proofs)]
        where = in_words(inputs_of(obligation, part, error.model))
        raise SatisfiableError(
            f"{theorem.name}: {part} of {obligation.name} does not follow; it fails where {where}",
            error.model,
        ) from error
    return Evidence(tuple(proofs), witnesses)


def witness_of(obligation: Obligation) -> dict[str, int]:
    """An instance of the assumptions, with as many neighbours as there can be if that is possible.

    Raises:
        ProofError: nothing satisfies the assumptions, so that they would imply anything.
    """
    cone = cone_of(obligation, None)
    formula = obligation.formula(None)
    present = [[cone[bit]] for bit in obligation.inputs.get("present", []) if bit in cone]
    model = None
    if present:
        model = model_of(formula._replace(clauses=formula.clauses + present))
    model = model or model_of(formula)
    if model is None:
        raise ProofError(f"the assumptions of {obligation.name} contradict each other")
    witness = inputs_of(obligation, None, model)
    broken = obligation.failing(witness)
    assert not broken, broken
    return witness


def cone_of(obligation: Obligation, part: str | None) -> dict[int, int]:
    """The number in a part's formula of each of the obligation's variables that are in it."""
    literals = [one for one, _ in obligation.assumptions]
    literals += [one for one, own in obligation.conclusions if own == part]
    return {
        variable: number for number, variable in enumerate(obligation.circuit.cone(literals), 1)
    }


def inputs_of(obligation: Obligation, part: str | None, model: list[bool]) -> dict[str, int]:
    """What a model of a part's formula gives to the inputs by name; those that are 0 are left out."""
    cone = cone_of(obligation, part)
    found = {
        name: sum(1 << place for place, bit in enumerate(bits) if bit in cone and model[cone[bit]])
        for name, bits in obligation.inputs.items()
    }
    return {name: value for name, value in found.items() if value}


def in_words(inputs: Mapping[str, int]) -> str:
    """Values by name; of a state its number in hexadecimal."""
    shown = (
        f"{name} = {value:#x}" if value > 999 else f"{name} = {value}"
        for name, value in inputs.items()
    )
    return ", ".join([*shown, "all else is 0"])
