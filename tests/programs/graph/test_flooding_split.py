"""Flooding on split graphs: every original node has the message, when networkx says."""

import dataclasses

import networkx as nx
import numpy as np
import pytest
from support.instances import batch_of, from_every_source, is_right, run
from support.split_graphs import hubs, random_cases

from ntkexec import graphs, pipeline, testing
from ntkexec.errors import ProgramError
from ntkexec.programs.graph import flooding_split
from ntkexec.programs.graph.floods import Message

KARATE = nx.convert_node_labels_to_integers(nx.karate_club_graph())
MESSAGE = Message.parse("1011")
FOR_ALL = flooding_split.sizes(degree=3, word=4, arrival_bits=6)


def assert_exact(cases, degree=3, *, message=MESSAGE):
    """Runs on all cases at once, pairs of a networkx graph and its sources."""
    batch, sources = batch_of(cases)
    parts = graphs.split(batch, degree)
    instance = flooding_split.instance(parts, sources=sources, message=message)
    found = testing.assert_exact(instance)
    answer = instance.decode(found.states)
    for place, (graph, own) in zip(batch.node_ranges(), cases, strict=True):
        starts = own if isinstance(own, list) else [own]
        hops = nx.multi_source_dijkstra_path_length(graph, set(starts), weight=lambda *_: 1)
        arrival = [hops.get(node, -1) for node in graph]
        assert answer["arrival"][place].tolist() == arrival
        assert answer["message"][place].tolist() == [
            -1 if at < 0 else message.value for at in arrival
        ]
    assert found.steps == 2 * (2 * max(1, parts.depth) + 1) * max(answer["arrival"])
    return instance


def test_the_karate_club_from_every_source():
    instance = assert_exact(from_every_source([KARATE]))
    assert (instance.split.depth, instance.sizes["degree"], instance.graph.degree) == (3, 3, 17)


@pytest.mark.parametrize("directed", [False, True], ids=["undirected", "directed"])
def test_random_graphs_from_several_sources_some_nodes_unreached(directed):
    instance = assert_exact(random_cases(number=60, seed=7, directed=directed))
    assert (instance.reference()["arrival"] == -1).any()


def test_hubs_and_a_message_of_zeros():
    cases = [(graph, len(graph) - 1) for graph in hubs()]
    assert_exact(cases, 4, message=Message.parse("00"))


def test_the_program_for_all_graphs_is_certified_in_all_states():
    certificate = pipeline.certify(flooding_split.program(**FOR_ALL), num_decisions=10**9)
    assert certificate.certified
    assert certificate.bound.basis.startswith("all states")
    # The largest that there is, whatever the program.
    assert certificate.smallest_margin == pytest.approx(1)
    assert certificate.max_matches <= 7


def test_a_hop_inside_less_is_too_few():
    # The message comes to the hub of a star by its deepest leaf, and leaves by all others.
    star = graphs.split(graphs.load("star:13"))
    for leaf in range(1, 13):
        instance = flooding_split.instance(star, sources=[leaf], message=MESSAGE, sizes=FOR_ALL)
        assert is_right(instance, run(instance))
    shallow = flooding_split.instance(star, sources=[1], message=MESSAGE, sizes=FOR_ALL)
    start = shallow.program.layout.bits("start")
    hasty = shallow.initial.copy()
    value = (1 << len(start)) - 2 * (star.depth - 1)
    hasty[:, list(start)] = np.array([value >> place & 1 for place in range(len(start))], bool)
    found = run(dataclasses.replace(shallow, initial=hasty))
    answer = shallow.decode(found.states)
    assert (answer["arrival"] != shallow.reference()["arrival"]).any()


def test_flooding_is_split_where_it_is_asked_to():
    found = pipeline.run(
        "flooding", "star:9", split_degree=3, engine="kernel", source=4, message="110"
    )
    assert found.exact
    assert found.instance.program.name == "flooding-split"
    assert found.by_node()[8] == {"informed": True, "message": "110", "arrival": 2}


def test_a_program_for_longer_messages_takes_a_shorter_one_and_none_that_is_longer():
    def asked(message):
        return pipeline.prepare(
            "flooding", "star:9", split_degree=3, source=4, message=message, sizes=FOR_ALL
        )

    found = pipeline.run(asked("010"), engine="kernel")
    assert found.exact
    assert found.by_node()[8] == {"informed": True, "message": "010", "arrival": 2}
    with pytest.raises(ProgramError, match="message 11010 has 5 bits, the program takes 4"):
        asked("11010")
