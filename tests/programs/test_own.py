"""Somebody's own program on a graph: what it starts from, what judges it, and what is missing."""

import dataclasses
import functools
import re
from types import SimpleNamespace

import networkx as nx
import numpy as np
import pytest
from support.own import LOADED, PATH, flood, start

import ntkexec
from ntkexec import report, summary
from ntkexec.errors import NtkexecError
from ntkexec.language import Builder, Flag, any_of
from ntkexec.program.fields import Bits, OneHot, Table, Word
from ntkexec.program.layout import Layout
from ntkexec.program.program import Program
from ntkexec.program.templates import template
from ntkexec.programs import prepare

KERNEL = {"engine": "kernel", "steps": 8}
run = functools.partial(ntkexec.run, flood(), PATH, initial=start(), **KERNEL)


def loud(degree, slots, *, outputs=()):
    """Whether a neighbour, or the node, is loud; what has no effect on the outputs, if any, is left out."""
    p = Builder("loud", slots=slots, degree=degree)
    noise, heard, level = p.flag("noise", constant=True), p.flag("heard"), p.word("level", 2)
    inbox = p.message(Flag("noise"))
    p.halt = heard
    with p.phase("send"):
        p.send(inbox.noise, noise)
    with p.phase("receive"):
        p.set(heard, when=any_of(inbox.noise))
        p.assign(level, 2, when=any_of(inbox.noise))
    kept = {"level": level, "heard": heard, "noise": noise}
    return p.compile(outputs=[kept[name] for name in outputs] or None)


# What judges.


@pytest.mark.parametrize("kind", ["joint", "factored"])
def test_without_a_reference_every_bit_is_compared_with_the_program_s_own_execution(kind):
    found = run(kind=kind, trace=True)
    assert found.exact
    assert str(found).endswith(
        "EXACT: all 4 nodes equal the program's own Boolean execution, bit by bit"
    )
    assert "11 templates (1 writes nothing, 1 repeats a condition; + 0 padding)" in str(found)
    data = found.to_data()
    assert (data["judged_by"], data["algorithm"]) == ("program", "tell")
    assert (data["program"]["idle"], data["program"]["repeated"]) == (1, 1)
    assert data["answer"]["b"] == found.by_node()["b"]
    assert [fields["state"][0] for fields in found.by_node().values()] == ["1"] * 4
    assert {len(fields["inbox"]) for fields in found.by_node().values()} == {3}
    assert report.trace_data(found)["layout"]["fields"][0]["kind"] == "bits"
    assert "EXACT: all 4 nodes equal the program" in report.to_html(report.trace_data(found))


def test_a_single_wrong_bit_is_a_wrong_answer_though_no_field_shows_it():
    found = run(initial={"state": start()[:, :4]})
    states = np.array(found.execution.states)
    states[2, 6] ^= True
    other = dataclasses.replace(found.instance, final=states)
    wrong = dataclasses.replace(found, instance=other)
    assert wrong.wrong_nodes.tolist() == [2]
    assert repr(wrong).endswith(
        "NOT EXACT: 1 of 4 nodes differ from the program's own Boolean execution, bit by bit, first "
        "node c; every step was the program's: it is the program, or its states, that differ)"
    )


def test_a_reference_gets_the_graph_as_it_was_given_and_answers_by_field():
    seen = []

    def reference(graph):
        seen.append(graph)
        informed = nx.node_connected_component(graph, "a")
        colours = start()[:, 1:4]
        return {"state": {v: [v in informed, *c] for v, c in zip(graph, colours, strict=True)}}

    found = run(reference=reference)
    assert seen == [PATH]
    assert found.exact
    assert found.to_data()["judged_by"] == "reference"
    assert str(found).endswith("EXACT: all 4 nodes equal the reference")
    assert found.expected["state"].tolist() == [f["state"] for f in found.by_node().values()]
    late = run(reference=reference, steps=3)
    assert late.wrong_nodes.tolist() == [2, 3]
    assert str(late).endswith("it is the program, its states, or the reference")
    instance = prepare(
        *(flood(), LOADED),
        initial=start(),
        steps=3,
        reference=lambda graph: {"inbox": np.zeros((graph.num_nodes, 3))},
    )
    assert instance.final is None
    assert instance.reference()["inbox"].tolist() == ["000"] * 4


def test_fields_of_the_language_are_filled_in_and_told_as_values():
    noise = {"noise": np.array([1.0, 0.0, 0.0, 0.0])}
    found = ntkexec.run(
        loud,
        PATH,
        initial=noise,
        engine="kernel",
        steps=2,
        reference=lambda graph: {"heard": [True, True, False, False], "level": [2, 2, 0, 0]},
    )
    assert found.exact
    assert found.by_node()["b"] == {"heard": True, "level": 2, "noise": False}
    instance = prepare(loud, PATH, initial=noise, steps=9, until="fixed-point")
    assert instance.num_steps == 4  # one round that does something, and one that does not
    assert instance.until == "fixed-point"
    assert prepare(loud, PATH, initial={"noise": np.ones(4)}, steps=90, until="halt").num_steps == 2
    # Nobody is loud, so nobody halts.
    quiet = {"noise": dict.fromkeys(PATH, 0)}
    assert prepare(loud, PATH, initial=quiet, steps=9, until="halt").num_steps == 9


def test_tables_are_told_as_text_and_compared_with_what_a_reference_says():
    layout = Layout(
        (
            Table("cells", 2, (Word("size", 2), OneHot("kind", 2), Bits("bits", 2))),
            Table("flags", 3, (Flag("set"),)),
        )
    )
    keep = [template({bit: 1}, [bit]) for bit in range(layout.num_bits)]
    values = {
        "cells.size": np.array([[3, 0]]),
        "cells.kind": np.array([[-1, 1]]),
        "cells.bits": np.array([[[1, 0], [0, 1]]]),
        "flags.set": np.array([[1, 0, 1]]),
    }
    found = ntkexec.run(
        Program("keep", layout, tuple(keep)),
        nx.empty_graph(1),
        initial=values,
        reference=lambda graph: values,
        engine="kernel",
        steps=1,
    )
    assert found.exact
    expected = {
        "cells.size": "3 0",
        "cells.kind": "- 1",
        "cells.bits": "10 01",
        "flags.set": "101",
    }
    assert found.by_node()[0] == expected


def exchange(**options):
    """Two bits that are exchanged at every step: after two steps a round has changed nothing."""
    rows, then = [[1, -1], [-1, 1]], [[0, 1], [1, 0]]
    program = Program.from_arrays(rows, then, message_start=2, round_length=2)
    states = [[1, 0], [1, 0]]
    return prepare(program, nx.path_graph(2), initial=states, steps=5, **options)


def test_an_instance_that_is_to_end_otherwise_is_judged_by_an_execution_that_ends_so():
    found = ntkexec.run(exchange(), engine="kernel", until="fixed-point")
    assert (found.execution.steps, found.exact) == (2, True)
    assert found.by_node()[0]["state"] == found.expected["state"][0] == "10"
    assert ntkexec.run(exchange(), engine="kernel").by_node()[0]["state"] == "01"
    with pytest.raises(NtkexecError, match="no halt flag"):
        ntkexec.run(exchange(), engine="kernel", until="halt")


def test_a_run_that_ended_early_is_no_fault_of_the_program():
    answer = {"state": [[0, 1], [0, 1]]}
    instance = exchange(reference=lambda graph: answer)
    assert ntkexec.run(instance, engine="kernel").exact
    found = ntkexec.run(instance, engine="kernel", until="fixed-point")
    assert not found.exact
    assert str(found).endswith("every step was the program's, and the run ended after 2 of 5 steps")


@pytest.mark.parametrize(("sizes", "named"), [({"degree": 2}, "bfs"), ({}, "PROGRAM")])
def test_one_s_own_program_may_be_called_like_a_shipped_one(sizes, named):
    finite = SimpleNamespace(covered=False, verdict=lambda: "not covered")
    program = dataclasses.replace(flood(), name="bfs")
    instance = dataclasses.replace(exchange(), program=program, sizes=sizes)
    told = summary.width_told(SimpleNamespace(finite_width=finite, instance=instance))
    assert f"'ntkexec certify {named} --ensemble DIR'" in told


# Where states come from.


def test_states_are_an_array_values_or_a_file(tmp_path):
    states, layout = start(), flood().layout
    np.savez(tmp_path / "whole.npz", states=states.astype(int))
    np.savez(tmp_path / "fields.npz", state=states[:, :4], inbox=states[:, 4:])
    for initial in (
        states,
        states.astype(float),
        states.tolist(),
        layout.unpack(states),
        {"state": states[:, :4]},
        tmp_path / "whole.npz",
        str(tmp_path / "fields.npz"),
    ):
        found = prepare(flood(), PATH, initial=initial, steps=8)
        np.testing.assert_array_equal(found.initial, states)
    assert found.inputs == {"initial": str(tmp_path / "fields.npz"), "steps": 8}


def test_whole_states_stand_alone_in_a_file(tmp_path):
    np.savez(tmp_path / "more.npz", states=start(), note=1)
    with pytest.raises(NtkexecError, match="holds 'note' beside 'states', which is whole states"):
        prepare(flood(), PATH, initial=tmp_path / "more.npz", steps=8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": None}, "tell needs a number of steps: steps=..., or --steps (a round takes 1)"),
        ({"steps": 2.5}, "steps are a whole number, not 2.5"),
        ({"steps": -1}, "the number of steps cannot be negative"),
        ({"initial": None}, "zeros and ones of shape (4, 7) or values of state, inbox"),
        ({"initial": start()[:3]}, "have shape (3, 7), not (4, 7): a row for each node"),
        ({"initial": start() * 2}, "the initial states have 2 at node 0, bit 0; 0 or 1 fits"),
        ({"initial": start().astype(str)}, "are zeros and ones, not <U5 values"),
        ({"initial": {"stat": 1}}, "no field 'stat'; the layout has state, inbox"),
        ({"initial": {}}, "values of state, inbox"),
        ({"initial": {"state": [1, 0, 0, 0]}}, "takes shape (4, 4), with values for each node, not "),
        ({"initial": {"state": [1, 0]}}, "'state' takes shape (4, 4), with values for each node, not "),
        ({"initial": {"state": {"a": [1, 0, 0, 0]}}}, "no state for node 'b' in the initial states"),
        ({"initial": {"state": [[1, 0], [1]]}}, "values of 'state' of the initial states are no array"),
        ({"initial": [[1, 0], [1]]}, "the initial states are no array"),
        ({"initial": np.ma.masked_equal(start(), 1)}, "the initial states are masked"),
        ({"initial": {"inbox": np.ma.masked_equal(start()[:, 4:], 1)}}, "initial states are masked"),
        ({"initial": "none.npz"}, "there is no file none.npz"),
        ({"until": "halt"}, "tell has no halt flag; it can run until steps or fixed-point"),
        ({"source": "a"}, "takes initial, steps, until, reference and, for a function, degree"),
        ({"reference": "x"}, "a reference is a function of the graph, not 'x'"),
        ({"reference": lambda graph: {"state": [[1, 0, 0, 0]]}}, "not (1, 4) as in the reference's answer"),
        ({"reference": lambda graph: {"state": [1, 0, 0, 0]}}, "not (4,) as in the reference"),
        ({"reference": lambda graph: {"state": dict.fromkeys("abcd", 1)}}, "not (4,) as in the reference"),
        ({"reference": lambda graph: {"state": 1}}, "not () as in the reference"),
        ({"reference": lambda graph: [1]}, "a reference gives an answer by field"),
        ({"reference": lambda graph: {"x": 1}}, "answers 'x', but the program has state, inbox"),
        ({"reference": lambda graph: {"state": {"a": 1}}}, "no state for node 'b' in the reference"),
        (
            {"reference": lambda graph: {"state": np.full((4, 4), 7)}},
            "the reference's answer does not fit: value 7 of 'state' at node 0",
        ),
    ],
)  # fmt: skip
def test_what_is_missing_or_does_not_fit_is_said(options, message):
    with pytest.raises(NtkexecError, match=re.escape(message)):
        run(**options)


def test_a_program_of_the_language_is_told_what_its_states_lack():
    for initial in (None, {}):
        with pytest.raises(NtkexecError, match=r"loud needs .* values of noise, heard, level"):
            prepare(loud, PATH, initial=initial, steps=2)


def test_a_state_that_breaks_what_the_layout_promises_is_refused():
    layout = Layout((OneHot("choice", 2),))
    program = Program("p", layout, (template({0: 1}, [0]),))
    with pytest.raises(
        NtkexecError, match="node 'b' in the initial states breaks: choice is one-hot"
    ):
        prepare(program, PATH, initial=[[0, 0], [1, 1], [0, 0], [0, 0]], steps=1)


def test_a_program_for_other_graphs_is_refused():
    star = nx.star_graph(3)
    small = loud(2, 3)
    with pytest.raises(NtkexecError, match="loud has 3 slots, but graph needs 4 colours"):
        prepare(small, star, steps=1)
    with pytest.raises(NtkexecError, match="loud is for degree 2 at most, but graph has degree 3"):
        prepare(loud(2, 4), star, steps=1)
    prepare(loud(3, 4), star, initial={"noise": np.zeros(4)}, steps=1)


def test_messages_that_meet_are_refused_before_anything_is_trained():
    # Everybody writes the same bit, whoever listens.
    shout = Program.from_arrays([[-1, -1]], [[0, 1]], message_start=1, name="shout")
    with pytest.raises(NtkexecError, match="two neighbours of a node write the same message bit"):
        prepare(shout, PATH, initial=np.zeros((4, 2)), steps=1)
    alone = prepare(shout, nx.empty_graph(2), initial=np.zeros((2, 2)), steps=1)
    assert alone.num_decisions == 4


def test_fields_that_were_left_out_of_a_program_are_no_part_of_the_answer():
    def fields(**options):
        function = functools.partial(loud, **options)
        initial = {"noise": [True, False, False, False]}
        found = ntkexec.run(function, PATH, initial=initial, **KERNEL)
        assert found.exact
        return set(found.by_node()["b"])

    assert fields() == fields(outputs=("level",)) == {"noise", "heard", "level"}
    assert fields(outputs=("heard",)) == {"noise", "heard"}
