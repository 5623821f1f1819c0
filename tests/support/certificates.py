"""Certificates of random programs, and of one bit whose writers interfere."""

import jax
import jax.numpy as jnp
import numpy as np
from hypothesis import strategies as st
from support.programs import (
    matched_table,
    small_programs,
)

from ntkexec.executor.encoding import encode
from ntkexec.executor.protocol import decide
from ntkexec.program.problem import LearningProblem
from ntkexec.theory.certificate import Certificate
from ntkexec.theory.match_bound import state_bound
from ntkexec.vocabulary import KINDS
from proofs_check.fixtures.programs import collision_program

# Two float64 routes, one of which solves a linear system with a condition number below 100.
TWO_ROUTES = 1e-11
# Means are sums of at most 40 float32 numbers below 1, each rounded a few times.
FLOAT32 = 1e-5

CROWDED = small_programs(
    max_bits=6, min_templates=8, max_templates=40, max_condition=2, max_written=3
)
ANY_PROGRAM = st.one_of(small_programs(), CROWDED)
PROBLEMS = st.builds(LearningProblem, ANY_PROGRAM, st.sampled_from(KINDS), st.sampled_from((0, 3)))

# By m: the most writers with which `collision_program` is certified without padding, from
# w - 1 < C(m, n0) with n0 = w + m - 1. Only a joint network has collisions.
LAST_CERTIFIED = {5: 10, 6: 6, 7: 5, 8: 4, 9: 3, 11: 2}
FLIPS = [("joint", m, w) for m, w in LAST_CERTIFIED.items()]


def certificate(problem, **options):
    return Certificate(problem, state_bound(problem), **options)


def collision(kind, num_matches, writers, padding=0, convention="shared"):
    """One bit whose writers collide: certified or not where bits share their thresholds."""
    program = collision_program(writers, num_matches - 1)
    return certificate(LearningProblem(program, kind, padding), convention=convention)


def read_states(program):
    """All values of what a `collision_program` reads; its other bits decide nothing."""
    picks = 1 << len(program.layout.bits("pick"))
    crowds = 1 << len(program.layout.bits("bystanders"))
    pick, crowd = (axis.ravel() for axis in np.meshgrid(np.arange(picks), np.arange(crowds)))
    return program.layout.pack(len(pick), {"pick": pick, "bystanders": crowd})


@jax.jit
def run_engine(engine, states):
    return decide(engine, encode(engine.encoding, states))


def decisions(engine, states):
    """Bits and margins of an engine, (states, bits)."""
    found = run_engine(engine, jnp.asarray(states.T))
    return np.asarray(found.bits).T, np.asarray(abs(found.means - found.thresholds)).T


def thresholds_of(found, states):
    """The certificate's threshold for every state and bit, looked up one state at a time."""
    problem = found.problem
    matched = matched_table(problem.program, states)
    table = np.ones((len(states), problem.program.layout.num_bits))
    for component in problem.components:
        count = matched[:, list(component.templates)].sum(axis=1)
        for bit in component.bits:
            table[:, bit] = found.thresholds[bit, count]
    return table


def with_a_match(problem, states):
    """Whether a bit's component has a match: without one its output is exactly 0, (states, bits)."""
    matched = matched_table(problem.program, states)
    table = np.zeros((len(states), problem.program.layout.num_bits), bool)
    for component in problem.components:
        some = matched[:, list(component.templates)].any(axis=1)
        table[:, list(component.bits)] = some[:, None]
    return table


CERTIFIED = collision("joint", 9, 3)
