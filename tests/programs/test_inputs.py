"""How long a search takes, found in Python for few edges and by SciPy for many."""

import networkx as nx
import pytest

from ntkexec import graphs
from ntkexec.programs import inputs


def rounds(graph, sources):
    """The largest finite distance, by networkx."""
    return max(nx.multi_source_dijkstra_path_length(graph, set(sources), weight=None).values())


GRAPHS = {
    "path": nx.path_graph(7),
    "no edge": nx.empty_graph(3),
    "two components": nx.disjoint_union(nx.path_graph(4), nx.cycle_graph(9)),
    "directed": nx.gnp_random_graph(12, 0.15, seed=3, directed=True),
    "random": nx.gnp_random_graph(30, 0.08, seed=1),
}


@pytest.mark.parametrize("few", [0, inputs.FEW_EDGES], ids=["SciPy", "Python"])
@pytest.mark.parametrize("sources", [[0], [2, 0], [1, 2]])
@pytest.mark.parametrize("name", GRAPHS)
def test_both_ways_count_the_rounds_that_networkx_counts(name, sources, few, monkeypatch):
    monkeypatch.setattr(inputs, "FEW_EDGES", few)
    found = inputs.rounds_needed(graphs.from_networkx(GRAPHS[name]), sources)
    assert found == rounds(GRAPHS[name], sources)
    assert rounds(GRAPHS["path"], [0]) != rounds(GRAPHS["path"], [3])
