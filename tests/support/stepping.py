"""A program's steps as sums of products in NumPy, without engines and without JAX."""

import numpy as np
from scipy.sparse import csr_array, eye_array

from ntkexec.programs import inputs


def states_after(instance, num_steps=None):
    """The states of an instance after some steps, by default all; no two messages may meet."""
    program, graph = instance.program, instance.executed_graph
    conditions, targets = program.to_arrays()
    wanted = ((conditions == 1).astype(np.float32) - (conditions == 0)).T
    targets = targets.astype(np.float32)
    ones = (conditions == 1).sum(axis=1)
    hearing = csr_array((inputs.adjacency(graph).T + eye_array(graph.num_nodes)).astype(np.int32))
    cut = program.layout.num_computation_bits
    states = instance.initial
    for _ in range(instance.num_steps if num_steps is None else num_steps):
        # What must be 1 counts up and what must be 0 down, so all of the one and none of the other.
        matched = states.astype(np.float32) @ wanted == ones
        states = matched.astype(np.float32) @ targets > 0
        heard = hearing @ states[:, cut:].astype(np.int32)
        assert heard.max(initial=0) <= 1, "two messages meet"
        states[:, cut:] = heard
    return states
