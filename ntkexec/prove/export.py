"""Formulas and proofs as files that other people's checkers read.

`drat-trim NAME.cnf NAME.drat` and `lrat-check NAME.cnf NAME.lrat` (Heule and others) take them as they
are. The formula is the very one that `ntkexec.recheck` builds; its sha256 is that of the file.
"""

import os
import pathlib

from ntkexec.prove.refutation import refute, solver_proof
from ntkexec.recheck.theorem.obligation import Formula
from ntkexec.runtime import files


def write_dimacs(folder: str | os.PathLike[str], name: str, formula: Formula) -> None:
    """Writes NAME.cnf, the formula in DIMACS.

    Raises:
        NtkexecError: nothing can be written there.
    """
    _write(folder, f"{name}.cnf", formula.dimacs())


def write_proofs(folder: str | os.PathLike[str], name: str, formula: Formula) -> None:
    """Writes the formula, NAME.drat, the solver's own proof, and NAME.lrat, what was made of it.

    Raises:
        SatisfiableError: the formula has a model.
        MissingExtraError: python-sat is not there.
        NtkexecError: nothing can be written there.
    """
    write_dimacs(folder, name, formula)
    _write(folder, f"{name}.drat", "".join(f"{line}\n" for line in solver_proof(formula)))
    _write(folder, f"{name}.lrat", refute(formula))


def _write(folder: str | os.PathLike[str], name: str, text: str) -> None:
    path = pathlib.Path(folder) / name
    files.check_target(path)
    files.write(path, text.encode())
