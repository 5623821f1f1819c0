"""Compressed tables of indices: what went in comes out, in the bytes that were promised."""

import jax
import numpy as np
import pytest

from ntkexec import graphs
from ntkexec.engines.packed.execution import prepare
from ntkexec.engines.packed.indices import compress
from ntkexec.engines.packed.plan import PackedProgram
from ntkexec.programs.graph import bfs


@pytest.mark.parametrize("ports", [0, 1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    ("largest", "halves_of_a_byte"),
    [(2**16 - 1, 4), (2**16, 5), (2**20 - 1, 5), (2**20, 6), (2**24 - 1, 6), (2**24, 8)],
)
def test_indices_are_kept(ports, largest, halves_of_a_byte):
    rng = np.random.default_rng(ports)
    table = rng.integers(0, largest + 1, (ports, 3, 32), dtype=np.int32)
    table.flat[:2] = 0, largest
    found = compress(table, largest)
    assert found.ports == ports
    np.testing.assert_array_equal(jax.jit(lambda indices: indices.expand())(found), table)
    nodes = np.array([0, 95, 31, 32], np.int32)
    some = jax.jit(lambda indices: indices.at_nodes(nodes))(found)
    np.testing.assert_array_equal(some, table.reshape(ports, 96)[:, nodes])
    # Two ports share a byte, so an odd one may leave half a byte unused.
    entries = 96 * (ports + ports % 2 if halves_of_a_byte == 5 else ports)
    size = sum(array.nbytes for array in jax.tree.leaves(found))
    assert size == (table.size * 4 + entries * (halves_of_a_byte - 4)) / 2


@pytest.mark.parametrize("num_nodes", [60_000, 70_000])
def test_a_graph_takes_at_most_four_times_its_packed_state(num_nodes):
    graph = graphs.random_regular(num_nodes, 4, seed=0)
    instance = bfs.instance(graph, sources=[0])
    prepared = prepare(PackedProgram(instance.program), instance.graphs)
    state = sum(row.nbytes for row in prepared.start.rows.values())
    assert prepared.neighbours.num_bytes <= 4 * state
