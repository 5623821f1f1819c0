"""Steps that are compiled each for itself do what they do together."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from ntkexec import graphs
from ntkexec.engines.packed import step
from ntkexec.engines.packed.execution import prepare
from ntkexec.engines.packed.plan import PackedProgram
from ntkexec.engines.packed.writing import written
from ntkexec.language import Builder, Flag, initial_states
from ntkexec.runtime import compilation


def counting():
    """A flag travels, and whoever holds it counts: four phases, of which one only sends."""
    p = Builder("counting", slots=5, degree=2)
    here, count = p.flag("here"), p.word("count", 3)
    inbox = p.message(Flag("call"))
    with p.phase("send"):
        p.send(inbox.call, here)
    with p.phase("take"):
        for slot in p.slots:
            p.set(here, when=inbox[slot].call & ~p.colour[slot])
    for name in ("one", "two"):
        with p.phase(name), p.when(here):
            p.assign(count, count + 1)
    return p.compile()


@pytest.mark.parametrize("several", [4, 5])
def test_steps_alone_do_what_they_do_together(several, monkeypatch):
    program, graph = counting(), graphs.load("path:40")
    values = {"colour": graph.colours, "here": np.arange(40) == 17}
    states = initial_states(program, 40, values)
    prepared = prepare(PackedProgram(program), graph.tuple._replace(nodes=states))
    ring = prepared.orbit.ring
    assert len(ring) == 4
    calls = []
    apart = step._apart
    monkeypatch.setattr(step, "_apart", lambda *given: calls.append(given[3]) or apart(*given))
    together = prepared.run(24)
    assert not calls
    compilation.clear()
    monkeypatch.setattr(step, "SEVERAL", several)
    monkeypatch.setattr(step, "LARGE", 0)
    alone = prepared.run(24)
    assert set(calls) == (set(ring) if several == 4 else set())
    one, other = (prepared.states(now.clock, now.rows) for now in (together, alone))
    np.testing.assert_array_equal(one, other)
    assert other[:, program.layout.bit("here")].sum() == 13
    compilation.clear()


def test_the_first_round_shares_its_code_with_the_others():
    program, graph = counting(), graphs.load("path:40")
    values = {"colour": graph.colours, "here": np.arange(40) == 17}
    states = initial_states(program, 40, values)
    prepared = prepare(PackedProgram(program), graph.tuple._replace(nodes=states))
    found = []
    for now in (prepared.start, prepared.start_of_rounds):
        compilation.clear()
        for _ in range(8):
            _, now = prepared.step(now)
        kinds = [key for key in compilation._compiled if key[0] is step.single_step]
        found.append((len(kinds), prepared.states(now.clock, now.rows)))
    (first, one), (second, other) = found
    np.testing.assert_array_equal(one, other)
    assert second == 4 < first
    compilation.clear()


def test_what_is_written_down_is_what_the_function_says():
    """And zeros where the condition does not hold, so it must."""
    for always, meant in ((True, [1, 2, 3]), (False, [0, 0, 0])):
        found = jax.jit(written, static_argnums=1)(always, lambda a: a + 1, jnp.arange(3))
        assert found.tolist() == meant
