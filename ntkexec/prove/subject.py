"""What a theorem is to be about: a program, its sizes, and the statement."""

import contextlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ntkexec import complete, ensemble, programs
from ntkexec.complete.storage import as_written, program_data
from ntkexec.errors import CertificateError, EnsembleError, NtkexecError, ProofError
from ntkexec.program.program import Program
from ntkexec.programs.registry import program_learned
from ntkexec.prove.export import write_proofs
from ntkexec.prove.specifications import SHIPPED, specified
from ntkexec.prove.tables import tables_of
from ntkexec.recheck.program import parse_program
from ntkexec.recheck.reading import Rejected
from ntkexec.recheck.theorem.statements import STATEMENTS
from ntkexec.recheck.theorem.theorem import Theorem

LOCAL = "local"
"""The statement that takes an algorithm as data."""


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
        """What the statement says about the program.

        Raises:
            ProofError: nothing, since it does not fit.
        """
        # As it is read back from a file: no tuple, and no key that is no text.
        program = parse_program(json.loads(json.dumps(program_data(self.program))))
        specification = json.loads(json.dumps(self.specification))
        try:
            return STATEMENTS[self.statement](program, self.sizes, specification)
        except Rejected as reason:
            raise ProofError(
                f"{self.statement} says nothing about this program: {reason}"
            ) from reason


def asked_for(source: str, **sizes: int | None) -> Subject:
    """A shipped algorithm, or a LOCAL algorithm of one's own, for all graphs of its sizes.

    Args:
        source: a name, or `module:name` of what `specified` takes.
        sizes: those that are given.

    Raises:
        ProofError: nothing is stated about it.
        NtkexecError: no such algorithm, or sizes that are not its own.
    """
    if source not in STATEMENTS or source == LOCAL:
        return _local(source, sizes)
    found = programs.find_algorithm(source)
    chosen = found.sizes(**sizes)
    return Subject(found.name, found.program(**chosen), chosen)


def learned(folder: Path, source: str, **given: int | None) -> Subject:
    """What an ensemble learned, of the sizes that are stored with it.

    Raises:
        ProofError: nothing is stated about it.
        EnsembleError: no ensemble, one of something else, or other sizes than those given.
    """
    if not programs.is_shipped(source):
        # Only the program says what sizes an ensemble of one's own has; it is compared with it later.
        return _local(source, given)
    stored, digest = ensemble.read_manifest(folder).parameters, None
    # Algorithms of two names can be one program.
    with contextlib.suppress(NtkexecError):
        digest = program_learned(source, stored).digest
    ensemble.find_stored(folder, algorithm=source, digest=digest)
    for name, size in given.items():
        # Of flooding the word is its message.
        own = name if name in stored or name != "word" else "message_bits"
        if size is not None and stored.get(own) != size:
            raise EnsembleError(
                f"the ensemble in {folder} has {name} {stored.get(own, 'of no kind')}, not {size}"
            )
    if source in SHIPPED:
        compiled = SHIPPED[source].compiled(**stored)
        return Subject(LOCAL, compiled.program, stored, tables_of(compiled))
    if source not in STATEMENTS:
        return _local(source, stored)
    return Subject(source, program_learned(source, stored), stored)


def _local(source: str, sizes: Mapping[str, int | None]) -> Subject:
    given = {name: size for name, size in sizes.items() if size is not None}
    if programs.is_shipped(source) and source not in SHIPPED:
        programs.find_algorithm(source)
        stated = [*(name for name in STATEMENTS if name != LOCAL), *SHIPPED]
        raise ProofError(
            f"no theorem is stated about {source}; there are {', '.join(stated)}, and LOCAL algorithms of"
            " one's own, module:name"
        )
    if unknown := given.keys() - {"degree", "slots", "word"}:
        raise ProofError(f"{source} has no {min(unknown).replace('_', ' ')}")
    return Subject(*specified(source, **given))


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


def write_for_others(subject: Subject, folder: Path) -> None:
    """Writes every formula in DIMACS, and proofs in DRAT and LRAT, for other people's checkers.

    Raises:
        NtkexecError: nothing can be written there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for build in subject.theorem.obligations.values():
        obligation = build()
        for part in obligation.parts:
            write_proofs(folder, f"{obligation.name}-{part}", obligation.formula(part))
