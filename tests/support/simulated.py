"""LOCAL algorithms by their own functions, without any program."""

from ntkexec.programs.local import simulate
from ntkexec.programs.local.family import outputs
from ntkexec.programs.local.simulation import nodes_of


def simulated(family, graph, instance):
    """The answer by the algorithm's own functions."""
    compiled = family.compiled(**instance.sizes)
    given = None if family.node_inputs is None else family.node_inputs(graph)
    rounds = instance.num_steps // compiled.steps_per_round
    states = simulate(compiled.algorithm, graph, rounds=rounds, inputs=given)
    return outputs(compiled.algorithm, nodes_of(graph, given), states)
