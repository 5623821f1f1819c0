"""Encoding: the vectorised matches are those of a loop over nodes and templates."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.programs import FEW, TYPE_CHECKED_STRATEGIES, all_states, is_matched, small_programs

from ntkexec.engines.boolean import boolean_engine
from ntkexec.engines.kernel import kernel_engine
from ntkexec.executor.encoding import encode, index_arrays
from ntkexec.executor.protocol import decide
from ntkexec.program.fields import Flag, Word
from ntkexec.program.layout import Layout
from ntkexec.program.problem import LearningProblem
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import given_bound
from ntkexec.vocabulary import KINDS

pytestmark = TYPE_CHECKED_STRATEGIES


def encode_states(problem, states):
    matches = jax.jit(encode)(index_arrays(problem), jnp.asarray(states.T))
    return {
        name: np.asarray(getattr(matches, name)) for name in ("matched", "count", "matched_writers")
    }


def encode_naively(problem, states):
    """The same by one node, one template and one bit at a time."""
    program, num_nodes = problem.program, len(states)
    matched = np.zeros((program.num_templates + 1, num_nodes), bool)
    count = np.zeros((len(problem.components), num_nodes), int)
    matched_writers = np.zeros((program.layout.num_bits, num_nodes), int)
    for node, state in enumerate(states):
        for index, entry in enumerate(program.templates):
            if not is_matched(entry, state):
                continue
            matched[index, node] = True
            for bit in entry.outputs:
                matched_writers[bit, node] += 1
            for component, part in enumerate(problem.components):
                count[component, node] += index in part.templates
    return {"matched": matched, "count": count, "matched_writers": matched_writers}


@settings(FEW, max_examples=12)  # every example compiles its own shape
@given(small_programs(), st.sampled_from(KINDS), st.integers(0, 2), st.data())
def test_matches_are_those_of_a_loop_over_nodes_and_templates(drawn, kind, padding, data):
    bits = drawn.layout.num_bits
    rows = st.lists(st.booleans(), min_size=bits, max_size=bits)
    # Always four nodes, so that few shapes are compiled; states need not be valid.
    states = np.array(data.draw(st.lists(rows, min_size=4, max_size=4)), bool)
    problem = LearningProblem(drawn, kind, padding)
    found, expected = encode_states(problem, states), encode_naively(problem, states)
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def test_all_conditions_on_two_bits_match_what_they_say():
    conditions = [{}, {0: 0}, {0: 1}, {1: 0}, {1: 1}]
    conditions += [{0: a, 1: b} for a in (0, 1) for b in (0, 1)]
    layout = Layout((Flag("a"), Flag("b")))
    program = Program("all", layout, tuple(template(when, [1]) for when in conditions))
    states = all_states(2)
    found = encode_states(LearningProblem(program, "joint"), states)
    for index, when in enumerate(conditions):
        expected = [all(state[bit] == value for bit, value in when.items()) for state in states]
        assert found["matched"][index].tolist() == expected
    # Of every state the empty condition, two of one bit and one of two bits hold.
    assert found["count"].tolist() == [[4] * 4]
    assert found["matched_writers"].tolist() == [[0] * 4, [4] * 4]


def test_a_template_without_conditions_always_matches():
    layout = Layout((Flag("a"), Flag("b"), Flag("c")))
    states = all_states(3)
    alone = Program("always", layout, (template({}, [0]),))
    beside = Program("beside", layout, (template({}, [0]), template({0: 1, 1: 0, 2: 1}, [1])))
    for kind in KINDS:
        found = encode_states(LearningProblem(alone, kind), states)
        assert found["matched"].tolist() == [[True] * 8, [False] * 8]
        assert found["matched_writers"][0].tolist() == [1] * 8
        assert not found["matched_writers"][1:].any()
        found = encode_states(LearningProblem(beside, kind), states)
        assert found["matched"][0].all()
        assert found["matched"][1].tolist() == [state.tolist() == [1, 0, 1] for state in states]


@pytest.mark.parametrize(
    "size",
    [128, 256, *(pytest.param(size, marks=pytest.mark.slow) for size in (127, 129, 255, 257))],
)
def test_counts_beyond_a_byte_do_not_overflow(size):
    layout = Layout((Word("crowd", 9), Flag("out")))
    crowd, out = layout.bits("crowd"), layout.bit("out")
    # Template i asks for ones in the places of i: all of them match the state of all ones.
    conditions = [
        {bit: 1 for place, bit in enumerate(crowd) if i >> place & 1} for i in range(size)
    ]
    program = Program("crowd", layout, tuple(template(when, [out]) for when in conditions))
    problem = LearningProblem(program, "joint")
    states = layout.pack(2, {"crowd": [511, 0]})
    found = encode_states(problem, states)
    assert found["count"].tolist() == [[size, 1]]
    assert found["matched_writers"][out].tolist() == [size, 1]
    certificate = Certificate(problem, given_bound(problem, size))
    for engine in (kernel_engine(certificate), boolean_engine(certificate)):
        arrays = jax.jit(lambda e, s: decide(e, encode(e.encoding, s)))(
            engine, jnp.asarray(states.T)
        )
        assert np.asarray(arrays.bits[out]).tolist() == [True, True]


def test_a_bit_that_nothing_writes_belongs_to_no_component_of_a_factored_problem():
    layout = Layout((Flag("a"), Flag("b"), Flag("c")))
    program = Program("p", layout, (template({0: 1}, [0]), template({1: 1}, [2])))
    arrays = index_arrays(LearningProblem(program))
    assert np.asarray(arrays.component_of_bit).tolist() == [0, 2, 1]
    assert np.asarray(arrays.num_writers).tolist() == [1, 0, 1]
