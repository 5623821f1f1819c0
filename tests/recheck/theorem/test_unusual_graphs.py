"""On graphs without edges, directed, from several sources, with ports in any order, the hypotheses hold.

Runs are of the length that instances ask for, and what they leave satisfies what `final` assumes.
"""

import networkx as nx
import numpy as np
import pytest
from support.theorems import as_rechecked
from support.witnesses import near, trace

from ntkexec import graphs
from ntkexec.graphs.ports import with_ports
from ntkexec.programs.graph import bfs, flooding
from ntkexec.recheck.theorem import statements

WORD = 3
INFINITE = 1 << WORD + 1
CASES = {
    "no edges, degree 0": (nx.empty_graph(3), 0, [0]),
    "one edge and a lone source": (nx.disjoint_union(nx.path_graph(2), nx.empty_graph(1)), 1, [2]),
    "all are sources": (nx.path_graph(2), 1, [0, 1]),
    "directed, two sources": (nx.DiGraph([(0, 1), (0, 2), (1, 2), (2, 1), (3, 2)]), 3, [0, 3]),
}


def backwards(graph):
    """The same graph with every node's ports in the opposite order."""
    receivers = np.asarray(graph.tuple.receivers)
    count = np.bincount(receivers, minlength=graph.num_nodes)
    return with_ports(graph, count[receivers] - 1 - graph.edge_ports) if len(receivers) else graph


def search(graph, degree, sources):
    sizes = {"degree": degree, "slots": graph.num_colours, "word": WORD}
    steps = ("choose", "listen", "final")
    return bfs.instance(graph, sources=sources, sizes=sizes), statements.bfs, steps, {}


def flood(graph, degree, sources):
    sizes = {"degree": degree, "slots": graph.num_colours, "message_bits": 2, "arrival_bits": WORD}
    message = flooding.Message.parse("10")
    made = flooding.instance(graph, sources=sources, message=message, sizes=sizes)
    return made, statements.flooding, ("send", "receive", "final"), {"message": 0b10}


@pytest.mark.parametrize("run", [search, flood])
@pytest.mark.parametrize("name", CASES)
def test_every_state_satisfies_the_hypothesis_of_its_round(name, run):
    networkx_graph, degree, sources = CASES[name]
    lengths = nx.multi_source_dijkstra_path_length(networkx_graph, set(sources), weight=None)
    graph = backwards(graphs.from_networkx(networkx_graph))
    distance = [int(lengths.get(node, INFINITE)) for node in range(graph.num_nodes)]
    instance, statement, names, more = run(graph, degree, sources)
    program = as_rechecked(instance.program)
    *steps, final = (statement.build(one, program, instance.sizes) for one in names)
    states = trace(instance)
    for node in range(graph.num_nodes):
        at, members = near(graph, node, max(1, degree), {"distance": distance})
        at |= {f"distance{x}": INFINITE for x, other in enumerate(members) if other < 0} | more
        for time, now in enumerate(states):
            here = {f"state{x}": now[other] for x, other in enumerate(members) if other >= 0}
            assert steps[time % 2].failing(at | here | {"round": time // 2}) == []
        last = {"state0": states[-1][node], "round": instance.num_steps // 2}
        assert final.failing(at | last) == []
