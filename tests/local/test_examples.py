"""The shipped LOCAL algorithms are exact, by the closed form of the trained networks' mean, on all
small graphs and on random ones at once, against references that know nothing of rounds."""

import networkx as nx
import numpy as np
import pytest

from ntkexec import executor, graphs, pipeline
from ntkexec.programs import ALGORITHMS
from ntkexec.programs.local import simulate
from ntkexec.programs.local.examples import FAMILIES

SMALL = [graph for graph in nx.graph_atlas_g()[1:] if len(graph) <= 5]


def random_graphs(number, degree, seed):
    for index in range(number):
        spec = (
            f"random-bounded:n={6 + index % 6},d={degree},seed={seed + index},connected={index % 2}"
        )
        yield graphs.load(spec)


BATCH = graphs.batch([*map(graphs.from_networkx, SMALL), *random_graphs(40, 4, 0)])
TESTED = {family.name: family for family in FAMILIES}
GENERAL = [family for family in FAMILIES if family.node_inputs is None]


def execute(instance):
    certificate = pipeline.certify(instance.program, num_decisions=instance.num_decisions)
    assert certificate.certified
    found = executor.execute(
        pipeline.make_engine("kernel", certificate),
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps,
    )
    assert found.verification.exact
    assert found.collisions == 0
    assert certificate.covers(found.verification.largest_matches)
    return instance.decode(found.states)


def assert_exact(instance):
    answer, expected = execute(instance), instance.reference()
    assert answer.keys() == expected.keys()
    for field in answer:
        assert np.array_equal(answer[field], expected[field]), field
    return answer


@pytest.mark.parametrize("family", GENERAL, ids=lambda family: family.name)
def test_exact_on_all_graphs_up_to_five_nodes_and_on_random_ones(family):
    assert len(SMALL) == 1 + 2 + 4 + 11 + 34  # OEIS A000088
    assert_exact(family.prepare(BATCH))


@pytest.mark.parametrize("family", GENERAL, ids=lambda family: family.name)
def test_the_functions_agree_with_the_reference_too(family):
    # So a body, which the program was compiled from, does what its function says.
    instance = family.prepare(BATCH)
    compiled = family.compiled(**instance.parameters)
    states = simulate(
        compiled.algorithm, BATCH, rounds=instance.num_steps // compiled.steps_per_round
    )
    expected = instance.reference()
    nodes = [node for part in BATCH.node_ranges() for node in range(part.stop - part.start)]
    assert len(nodes) == len(states)
    found = instance.decode(compiled_states(compiled, states, instance))
    assert all(np.array_equal(found[field], expected[field]) for field in expected)


def compiled_states(compiled, states, instance):
    """The initial bits with other states of the algorithm in them."""
    bits = instance.initial.copy()
    columns = compiled._state_columns
    for row, state in zip(bits, states):
        row[columns] = compiled.algorithm.state.encode(state)
    return bits


def test_all_are_registered():
    for family in FAMILIES:
        assert ALGORITHMS[family.name].summary == family.summary
