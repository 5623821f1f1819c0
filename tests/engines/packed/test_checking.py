"""Comparing every step with the program alone finds what comparing with the plain engine finds."""

import dataclasses

import numpy as np
import pytest

from ntkexec import executor, pipeline
from ntkexec.engines.packed import engine
from ntkexec.engines.packed.checking import run_verified
from ntkexec.engines.packed.execution import prepare
from ntkexec.engines.packed.plan import Correction, PackedProgram
from ntkexec.engines.packed.resting import run_to_rest
from ntkexec.engines.packed.step import SEVERAL
from ntkexec.errors import ExecutionError, ProgramError
from ntkexec.runtime import compilation

SPEC = "random-bounded:n=40,d=3,seed=1,connected=0"


@pytest.fixture(scope="module")
def search():
    instance = pipeline.prepare("bfs", SPEC)
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    return instance, pipeline.make_engine("kernel-packed", certificate)


def run(search, *, engine=None, more=0, **options):
    instance, own = search
    return executor.execute(
        engine or own,
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps + more,
        **({"verify": "program"} | options),
    )


@pytest.mark.parametrize("more", [0, 1])
def test_a_right_run_is_right_and_says_that_no_mean_was_calculated(search, more):
    found = run(search, more=more)
    plain = run(search, more=more, verify=False)
    np.testing.assert_array_equal(found.states, plain.states)
    assert found.steps == plain.steps
    assert found.verification.exact
    assert found.verification.smallest_margin is found.verification.largest_matches is None
    assert "compared with the program alone" in repr(found)


def test_a_function_that_differs_from_the_program_is_found(search):
    """One bit is decided the other way round where a template matches alone."""
    instance, engine = search
    reached = instance.program.layout.bit("reached")
    writers = instance.program.writers[reached]
    wrong = PackedProgram(instance.program, (Correction(reached, (writers[0],), ()),))
    found = checked(instance, wrong)
    assert not found.exact
    assert found.wrong_bits > 0
    assert found.wrong_nodes.any()
    right = checked(instance, engine.packed)
    assert right.exact


def checked(instance, packed, mask=None):
    prepared = prepare(packed, instance.graphs)
    mask = np.ones(instance.graph.num_nodes, bool) if mask is None else mask
    return run_verified(prepared, instance.num_steps, mask)[1]


def test_an_execution_that_leaves_out_too_much_is_found(search, monkeypatch):
    """A plan that forgets a bit."""
    instance, _ = search
    distance = instance.program.layout.bit("distance")
    plan = PackedProgram._plan

    def forgetful(self, possible, clock):
        found = plan(self, possible, clock)
        if not clock:
            return found
        kept = [entry for entry in found.templates if distance not in entry.outputs]
        return found._replace(templates=tuple(kept))

    # What is compiled is known by its program alone.
    compilation.clear()
    with monkeypatch.context() as patch:
        patch.setattr(PackedProgram, "_plan", forgetful)
        assert not checked(instance, PackedProgram(instance.program)).exact
    compilation.clear()
    assert checked(instance, PackedProgram(instance.program)).exact


@pytest.fixture(scope="module")
def relaxing():
    """A run that ends when nothing changes; a round has several steps."""
    instance = pipeline.prepare("bellman-ford", "path:6", source=2)
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    return instance, pipeline.make_engine("kernel-packed", certificate)


def test_a_run_until_nothing_changes_is_compared_for_as_many_steps(relaxing):
    found = run(relaxing, until="fixed-point")
    plain = run(relaxing, until="fixed-point", verify=False)
    assert relaxing[0].program.round_length >= SEVERAL
    assert found.stopped == plain.stopped == "fixed-point"
    assert found.steps == plain.steps
    np.testing.assert_array_equal(found.states, plain.states)
    assert found.verification.exact
    assert found.verification.smallest_margin is None


# One of the clock and one of a sum; others decide wrong where this run never comes.
@pytest.mark.parametrize("bit", [0, 39])
def test_a_wrong_bit_in_one_of_several_steps_is_found(relaxing, bit):
    program = relaxing[0].program
    written = [b for b in range(program.layout.num_computation_bits) if program.writers[b]][bit]
    correction = Correction(written, (program.writers[written][0],), ())
    assert not checked(relaxing[0], PackedProgram(program, (correction,))).exact


def test_two_runs_that_end_in_different_states_are_a_fault(relaxing, monkeypatch):
    def other(prepared, num_steps, round_length):
        now, rests = run_to_rest(prepared, num_steps, round_length)
        bit = max(now.rows)
        return dataclasses.replace(now, rows=now.rows | {bit: ~now.rows[bit]}), rests

    monkeypatch.setattr(engine, "run_to_rest", other)
    with pytest.raises(ExecutionError, match="end in different states"):
        run(relaxing, until="fixed-point")


def test_what_it_cannot_do_is_refused(search):
    for options in ({"trace": True}, {"until": "halt", "halt": "reached"}):
        with pytest.raises(ProgramError, match="verify=True would do"):
            run(search, **options)
    with pytest.raises(ProgramError, match="True, False or 'program', not 'often'"):
        run(search, verify="often")


def test_a_plain_engine_compares_with_the_program_as_ever(search):
    found = run(search, engine=search[1].plain).verification
    assert found.exact
    assert found.smallest_margin > 0


def test_the_result_says_with_what_it_was_compared():
    result = pipeline.run("bfs", SPEC, engine="kernel-packed", verify="program")
    assert "0 wrong bits, compared with the program on packed states" in str(result)
    assert result.covered is None
    data = result.to_data()
    assert (data["mismatched_bits"], data["smallest_margin"]) == (0, None)
