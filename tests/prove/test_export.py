"""The files for other people's checkers say what they should."""

import hashlib

import pytest

from ntkexec.errors import NtkexecError
from ntkexec.prove.export import write_dimacs, write_proofs
from ntkexec.prove.refutation import refute
from tests.support.formulas import pigeons


def follows_by_units(clauses, clause):
    """Whether a clause follows by unit propagation: by looking at everything again and again."""
    false = set(clause)
    while True:
        left = [[one for one in own if one not in false] for own in clauses]
        if [] in left:
            return True
        units = {-own[0] for own in left if len(own) == 1} - false
        if not units:
            return False
        false |= units


def test_the_files_hold_the_formula_and_two_proofs(tmp_path):
    formula = pigeons(4)
    write_proofs(tmp_path, "pigeons", formula)
    assert {path.name for path in tmp_path.iterdir()} == {
        f"pigeons.{end}" for end in ("cnf", "drat", "lrat")
    }
    cnf = (tmp_path / "pigeons.cnf").read_text()
    assert hashlib.sha256(cnf.encode()).hexdigest() == formula.sha256
    header, *lines = cnf.splitlines()
    assert header == f"p cnf {formula.num_variables} {len(formula.clauses)}"
    clauses = [[int(word) for word in line.split()[:-1]] for line in lines]
    assert clauses == formula.clauses
    assert (tmp_path / "pigeons.lrat").read_text() == refute(formula)
    learned = 0
    for line in (tmp_path / "pigeons.drat").read_text().splitlines():
        *words, end = line.removeprefix("d ").split()
        clause = [int(word) for word in words]
        assert end == "0"
        if line.startswith("d"):
            clauses.remove(next(own for own in clauses if sorted(own) == sorted(clause)))
        else:
            assert follows_by_units(clauses, clause)
            clauses.append(clause)
            learned += 1
    assert learned > 1
    assert [] in clauses


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(NtkexecError, match="nowhere"):
        write_dimacs(tmp_path / "nowhere", "pigeons", pigeons(2))
