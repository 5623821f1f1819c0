"""LOCAL algorithms by their own functions, without any program, and programs without any engine."""

import numpy as np
from support.programs import expected_bits

from ntkexec.programs.local import simulate
from ntkexec.programs.local.judging import outputs
from ntkexec.programs.local.simulation import nodes_of


def simulated(family, graph, instance):
    """The answer by the algorithm's own functions."""
    compiled = family.compiled(**instance.sizes)
    given = None if family.node_inputs is None else family.node_inputs(graph)
    rounds = instance.num_steps // compiled.steps_per_round
    states = simulate(compiled.algorithm, graph, rounds=rounds, inputs=given)
    return outputs(compiled.algorithm, nodes_of(graph, given), states)


def run(program, graph, states, num_steps):
    """The naive semantics: templates one by one, messages summed edge by edge."""
    own = program.layout.num_computation_bits
    senders, receivers = np.asarray(graph.tuple.senders), np.asarray(graph.tuple.receivers)
    for _ in range(num_steps):
        bits = expected_bits(program, states)
        held = bits[:, own:].astype(int)
        np.add.at(held, receivers, bits[senders][:, own:])
        assert held.max(initial=0) <= 1, "two messages met"
        states = np.concatenate([bits[:, :own], held > 0], axis=1)
    return states
