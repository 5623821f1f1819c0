"""What a theorem is to be about: a program, its sizes, and the statement."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ntkexec import complete, ensemble, programs
from ntkexec.complete.storage import as_written, program_data
from ntkexec.errors import CertificateError, EnsembleError, ProofError, did_you_mean
from ntkexec.program.program import Program
from ntkexec.prove.export import write_proofs
from ntkexec.recheck.program import parse_program
from ntkexec.recheck.theorem.statements import STATEMENTS
from ntkexec.recheck.theorem.theorem import Theorem


class Subject(NamedTuple):
    """What a theorem is about.

    Args:
        statement: its name.
        program: of which something is claimed.
        sizes: of the program.
        specification: what the statement takes as data, if it does.
    """

    statement: str
    program: Program
    sizes: Mapping[str, int]
    specification: Any = None

    @property
    def theorem(self) -> Theorem:
        """What the statement says about the program."""
        # As it is read back from a file: no tuple, and no key that is no text.
        program = parse_program(json.loads(json.dumps(program_data(self.program))))
        specification = json.loads(json.dumps(self.specification))
        return STATEMENTS[self.statement](program, self.sizes, specification)


def shipped(algorithm: str, **sizes: int | None) -> Subject:
    """A shipped algorithm, for all graphs of its sizes.

    Raises:
        ProofError: nothing is stated about it.
        NtkexecError: no such algorithm, or sizes that are not its own.
    """
    found = programs.find_algorithm(algorithm)
    if found.name not in STATEMENTS:
        known = ", ".join(STATEMENTS)
        raise ProofError(
            f"no theorem is stated about {found.name}; there are {known}"
            f"{did_you_mean(found.name, STATEMENTS)}"
        )
    chosen = found.sizes(**sizes)
    return Subject(found.name, found.program(**chosen), chosen)


def sizes_stored(folder: Path, algorithm: str, given: Mapping[str, int | None]) -> dict[str, int]:
    """The sizes of an ensemble, which are those of the theorem about it.

    Raises:
        EnsembleError: no ensemble, one of something else, or other sizes than those given.
    """
    stored = ensemble.find_stored(folder, algorithm=algorithm).manifest.parameters
    for name, size in given.items():
        if size is not None and stored.get(name) != size:
            raise EnsembleError(
                f"the ensemble in {folder} has {name} {stored.get(name, 'of no kind')}, not {size}"
            )
    return dict(stored)


def certificate_of(
    folder: Path, subject: Subject, report: Callable[[int, int], None] = lambda _done, _total: None
) -> tuple[bytes, complete.CompleteCertificate]:
    """The complete certificate of an ensemble, also as a file holds it.

    Raises:
        ProofError: match sets of all states that are too many to list, as those of many a joint
            ensemble are.
        EnsembleError: it learned another program.
    """
    program = subject.program
    stored = ensemble.find_stored(folder, algorithm=program.name, digest=program.digest)
    try:
        found = complete.complete(stored.load(program), report=report)
    except CertificateError as error:
        words = str(error).removesuffix("; name a graph to cover instead")
        raise ProofError(f"a theorem is about all states of this ensemble: {words}") from error
    return as_written(complete.to_data(found, stored.manifest, folder)), found


def export(subject: Subject, folder: Path) -> None:
    """Writes every formula in DIMACS, and proofs in DRAT and LRAT, for other people's checkers.

    Raises:
        NtkexecError: nothing can be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for build in subject.theorem.obligations.values():
        obligation = build()
        for part in obligation.parts:
            write_proofs(folder, f"{obligation.name}-{part}", obligation.formula(part))
