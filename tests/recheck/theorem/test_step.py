"""First states are shown to be as the layout promises, and a promise that they break is not proved."""

import pytest
from support.theorems import as_rechecked

from ntkexec.programs.graph import bfs
from ntkexec.prove.solve import model_of
from ntkexec.recheck.theorem.statements import bfs as statement

SIZES = {"degree": 2, "slots": 5, "word": 3}


def base(program):
    return statement.build("base", program, SIZES)


@pytest.mark.parametrize(("bound", "kept"), [(3, True), (2, False), (1, False)])
def test_first_states_are_as_promised_or_are_refused(bound, kept):
    program = as_rechecked(bfs.program(**SIZES))
    assert model_of(base(program).formula("promises")) is None
    # All three bits of a distance are 1 at first: -1.
    groups = tuple(1 << bit for bit in program.fields["distance"])
    other = program._replace(promised={(bound, groups)})
    assert (model_of(base(other).formula("promises")) is None) is kept


def test_a_program_without_promises_has_none_to_show():
    program = as_rechecked(bfs.program(**SIZES))._replace(promised=set())
    assert "promises" not in base(program).parts
