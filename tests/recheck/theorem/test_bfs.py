"""The theorem about breadth-first search: proved, not vacuous, and refused where it should be."""

import pytest

from ntkexec.programs.graph import bfs
from ntkexec.recheck.theorem.statements import bfs as statement
from tests.support.theorems import as_rechecked, failing, theorem_of, vacuous

SIZES = {"degree": 2, "slots": 5, "word": 3}


def test_every_obligation_is_proved_and_none_is_vacuous() -> None:
    theorem = theorem_of("bfs", bfs.program(**SIZES), SIZES)
    assert list(theorem.obligations) == list(statement.OBLIGATIONS)
    for build in theorem.obligations.values():
        obligation = build()
        assert not vacuous(obligation)
        assert failing(obligation) == []


@pytest.mark.parametrize(
    ("control", "broken"),
    [
        ({"coloured": False}, {"choose": ["messages-apart"], "listen": ["calls"]}),
        ({"distances": False}, {"choose": [], "listen": ["called"]}),
    ],
)
def test_each_assumption_is_needed(control: dict[str, bool], broken: dict[str, list[str]]) -> None:
    program = as_rechecked(bfs.program(**SIZES))
    for name, parts in broken.items():
        found = failing(statement.build(name, program, SIZES, **control))
        assert set(parts) <= set(found)
