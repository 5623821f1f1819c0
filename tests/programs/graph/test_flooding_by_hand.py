"""Flooding in the language answers as the program that was written by hand, and needs less for it."""

import dataclasses
import functools

import networkx as nx
import numpy as np
import pytest
from support import flooding_by_hand

from ntkexec import graphs, pipeline, testing
from ntkexec.programs.graph import flooding


def by_hand(found):
    """The same execution, by the program that was written by hand."""
    program = flooding_by_hand.program(**found.parameters)
    fields = found.program.layout.unpack(found.initial)
    values = {path: fields[path] for path in ("colour", "informed", "message")}
    return dataclasses.replace(
        found,
        program=program,
        initial=program.layout.pack(found.graph.num_nodes, values),
        decode=functools.partial(flooding.answer, program),
    )


def answers(found):
    states = testing.assert_exact(found).states
    return found.decode(states)


def same(graph, sources, message, sizes):
    found = flooding.instance(
        graph, sources=sources, message=flooding.Message.parse(message), parameters=sizes
    )
    ours, theirs = answers(found), answers(by_hand(found))
    for field, values in ours.items():
        np.testing.assert_array_equal(values, theirs[field])


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_answers_are_equal_on_all_small_graphs_and_sources(number):
    copies = [
        (graph, [(first + more) % len(graph) for more in range(number)])
        for graph in nx.graph_atlas_g()[1:209]
        for first in range(len(graph))
    ]
    batch = graphs.batch([graphs.from_networkx(graph) for graph, _ in copies])
    starts = [part.start for part in batch.node_ranges()]
    sources = sorted({s + v for s, (_, some) in zip(starts, copies) for v in some})
    sizes = {"degree": 5, "slots": 6, "message_bits": 3, "arrival_bits": 3}
    same(batch, sources, "101", sizes)


@pytest.mark.parametrize("seed", range(3))
def test_the_answers_are_equal_on_random_graphs(seed):
    rng = np.random.default_rng(seed)
    sample = [
        graphs.load(f"random-bounded:n={rng.integers(5, 21)},d=4,seed={100 * seed + index}")
        for index in range(100)
    ]
    batch = graphs.batch(sample)
    sources = [int(rng.integers(part.start, part.stop)) for part in batch.node_ranges()]
    message = "".join("01"[bit] for bit in rng.integers(2, size=4))
    sizes = {"degree": 4, "slots": 17, "message_bits": 4, "arrival_bits": 5}
    same(batch, sources, message, sizes)


@pytest.mark.parametrize(
    ("sizes", "before", "after"),
    [
        ((3, 10, 4, 4), (134, 70), (128, 64)),
        ((17, 18, 4, 3), (216, 117), (203, 104)),
        ((4, 17, 1, 4), (106, 58), (94, 46)),
    ],
)
def test_it_is_smaller_at_the_same_margins(sizes, before, after):
    names = ("degree", "slots", "message_bits", "arrival_bits")
    parameters = dict(zip(names, sizes, strict=True))
    old, new = flooding_by_hand.program(**parameters), flooding.program(**parameters)
    assert (old.num_templates, old.layout.num_bits) == before
    assert (new.num_templates, new.layout.num_bits) == after
    margins = [pipeline.certify(one, num_decisions=1).smallest_margin for one in (old, new)]
    assert margins[0] == margins[1]
