"""Random programs on random graphs, from random states."""

import networkx as nx
import numpy as np
from hypothesis import strategies as st
from support.programs import small_programs

from ntkexec.graphs import message_passing

NODES = 35


@st.composite
def executions(draw):
    """A random program, graph and states, on one number of nodes."""
    program = draw(small_programs(max_bits=8, min_templates=3))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    states = rng.random((NODES, program.layout.num_bits)) < draw(st.sampled_from([0.0, 0.1, 0.5]))
    if draw(st.booleans()):
        states[:] = states[0]
    ends = rng.integers(NODES, size=(draw(st.integers(0, 60)), 2))
    graph = nx.DiGraph()
    graph.add_nodes_from(range(NODES))
    graph.add_edges_from(ends[ends[:, 0] != ends[:, 1]].tolist())
    edges = np.array(sorted(graph.edges), int).reshape(-1, 2)
    return program, message_passing.graphs_tuple(*edges.T, NODES, nodes=states)
