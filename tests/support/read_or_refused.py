"""The judge of damaged files: read as independent readers read them, or refused in words fit to show."""

import pytest
from support import graph_readings

from ntkexec.errors import GraphError
from ntkexec.graphs import load, read
from ntkexec.graphs.io.formats import suffix_of


def assert_fit_to_show(error):
    assert str(error).isprintable()
    assert len(str(error)) < 900


def check(path, *, directed=None):
    """Whether a file was read, which it must be as others read it; GraphError is the other way."""
    data = path.read_bytes()
    try:
        graph = read(path, directed=directed)
    except GraphError as error:
        assert_fit_to_show(error)
        with pytest.raises(GraphError):
            load(path, directed=directed, self_loops="drop")
        return False
    found = graph_readings.of_networkx(graph)
    reader = graph_readings.READERS[suffix_of(path)]
    is_list = reader is graph_readings.of_edge_list
    assert found in reader(data, bool(directed) if is_list else directed, path.name), data
    if len(graph) == 0:
        return True
    # The way without a networkx graph gives the same, but for what is dropped.
    loaded = load(path, directed=directed, self_loops="drop")
    is_directed, names, edges = graph_readings.of_networkx(loaded.to_networkx())
    kept = {ends for ends in found[2] if len(set(ends)) == 2}
    assert (is_directed, names, edges.keys()) == (found[0], found[1], kept), data
    weights = {ends: found[2][ends] for ends in kept}
    is_whole = all(
        w is not None and w.denominator == 1 and abs(w) < 2**31 for w in weights.values()
    )
    try:
        loaded = load(path, directed=directed, self_loops="drop", weight="weight")
    except GraphError:
        loops = [w for ends, w in found[2].items() if ends not in kept]
        assert not is_whole or any(w is None or w < 0 for w in loops), data
    else:
        assert graph_readings.of_networkx(loaded.to_networkx())[2] == weights, data
    return True
