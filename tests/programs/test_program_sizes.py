"""The counts that a report prints, by counting anew."""

import json

import numpy as np
import pytest
from hypothesis import given
from support.programs import (
    FEW,
    TYPE_CHECKED_STRATEGIES,
    all_states,
    keeps,
    matched_table,
    small_programs,
    written_table,
)

from ntkexec.cli import main
from ntkexec.language import Builder, Flag
from ntkexec.programs.graph import bfs
from ntkexec.programs.sizes import sizes_of


@TYPE_CHECKED_STRATEGIES
@FEW
@given(small_programs(max_bits=8))
def test_a_report_counts_what_all_states_that_keep_the_invariants_show(program):
    found = sizes_of(program)
    states = all_states(program.layout.num_bits)
    states = states[keeps(program.kept_invariants, states)]
    matched, written = matched_table(program, states).astype(int), written_table(program)
    assert found.joint_matches == matched.sum(axis=1).max()
    assert found.factored_matches == (matched @ written).max()
    assert found.writers == written.sum(axis=0).max()
    busiest = program.layout.bit_names.index(found.busiest_bit)
    assert written[:, busiest].sum() == found.writers
    assert (found.templates, found.state_bits) == written.shape
    assert found.nonzeros == written.sum() + sum(len(t.condition) for t in program.templates)
    assert found.steps == program.round_length
    assert json.loads(json.dumps(found.to_data())) == found.to_data()


def test_a_report_tells_phases_from_steps_and_names_the_halt_flag():
    p = Builder("loop", slots=2, degree=1)
    done, inbox = p.flag("done"), p.message(Flag("noise"))
    p.halt = done
    with p.repeat(3), p.phase("shout"):
        p.send(inbox.noise)
    with p.phase("end"):
        p.set(done)
    found = sizes_of(p.compile())
    assert (found.phases, found.steps, found.message_bits, found.halt) == (2, 4, 2, "done")
    assert "steps       4 a round, 2 phases" in str(found)
    assert "halt flag   done" in str(found)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_show_prints_w_and_m(options, capsys):
    assert main(["show", "bfs", "--degree", "2", "--word", "3", "--slots", "5", *options]) == 0
    printed = capsys.readouterr().out
    found = sizes_of(bfs.program(degree=2, slots=5, word=3))
    if options:
        assert json.loads(printed)["report"] == found.to_data()
    else:
        lines = dict(line.split("  ", 1) for line in printed.splitlines() if line[0] != " ")
        assert lines["matches m"].strip().startswith(f"at most {found.joint_matches} in one state")
        assert lines["writers w"].strip().startswith(f"at most {found.writers} for one bit")
        assert str(np.max(found.templates)) in lines["templates"]
