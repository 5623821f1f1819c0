"""Instances as tests of algorithms run them: many graphs at once, as long as is asked, and judged."""

import functools

import networkx as nx
import numpy as np

from ntkexec import executor, graphs, pipeline, testing


@functools.cache
def connected_atlas(most):
    """All connected graphs of one to `most` nodes, of seven at most."""
    found = [g for g in nx.graph_atlas_g()[1:] if len(g) <= most and nx.is_connected(g)]
    assert len(found) == sum((1, 1, 2, 6, 21, 112, 853)[:most])  # OEIS A001349
    return found


def from_every_source(networkx_graphs):
    """Pairs of a graph and a source, for all of its nodes."""
    return [(graph, source) for graph in networkx_graphs for source in graph]


def random_copies(number, *, max_nodes, degree, seed):
    """Random graphs of bounded degree with a source each; every second need not be connected."""
    rng = np.random.default_rng(seed)
    for index in range(number):
        n, connected = int(rng.integers(1, max_nodes + 1)), bool(index % 2)
        graph = graphs.generators.samplers.random_bounded(n, degree, rng, connected=connected)
        yield graph, int(rng.integers(n))


def batch_of(copies, *, weight=None):
    """A batch of pairs of a graph on 0..n-1 and its source or sources, and these as its indices."""
    loaded = {id(graph): graphs.from_networkx(graph, weight=weight) for graph, _ in copies}
    batch = graphs.batch([loaded[id(graph)] for graph, _ in copies])
    starts = [part.start for part in batch.node_ranges()]
    sources = [
        start + source
        for start, (_, some) in zip(starts, copies, strict=True)
        for source in (some if isinstance(some, list) else [some])
    ]
    return batch, sources


@functools.cache
def kernel_engine_for(program):
    """The mean of the networks in closed form, which do not depend on the instance."""
    return pipeline.make_engine("kernel", pipeline.certify(program, num_decisions=10**8))


def run(instance, *, num_steps=None, until="steps"):
    """Executes an instance by the mean of the networks, whether it is right or not."""
    return executor.execute(
        kernel_engine_for(instance.program),
        instance.program,
        instance.graphs,
        num_steps=instance.num_steps if num_steps is None else num_steps,
        until=until,
    )


def is_right(instance, found):
    """Whether an execution ended with the reference's answer."""
    answer, expected = instance.decode(found.states), instance.reference()
    assert answer.keys() == expected.keys()
    return all(np.array_equal(answer[field], expected[field]) for field in expected)


def exact_answer(instance, **options):
    """The answer, asserted to be exact; options as for `testing.assert_exact`."""
    found = testing.assert_exact(instance, **options)
    assert is_right(instance, found)
    return instance.decode(found.states)
