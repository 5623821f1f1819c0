"""The page of a run: its data are the run's, and in a browser it steps, plays, selects and explains."""

import base64
import dataclasses
import json

import jax
import jax.numpy as jnp
import networkx as nx
import numpy as np
import pytest

from ntkexec import pipeline, report
from ntkexec.errors import NtkexecError
from ntkexec.executor.protocol import decide_states
from ntkexec.program.program import Program

ALGORITHMS = {
    "flooding": "petersen",
    "bfs": "florentine",
    "bfs-queue": "path:4",
    "dfs": "petersen",
    "dfs-forest": "florentine",
    "bellman-ford": "random-bounded:n=8,d=3,seed=1,directed=1",
}


def traced(algorithm, graph, **options):
    return pipeline.run(algorithm, graph, engine="kernel", trace=True, **options)


def test_an_execution_by_itself_is_refused_with_what_would_do():
    with pytest.raises(NtkexecError, match=r"ntkexec\.run\(program, graph, initial="):
        report.trace_data(traced("flooding", "path:2").execution)


# Without parents, and with them and weights; the others are tried on demand.
QUICK = ("flooding", "bellman-ford")


@pytest.mark.parametrize(
    "algorithm",
    [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in ALGORITHMS],
)
def test_states_and_means_are_those_of_the_run(algorithm):
    result = traced(algorithm, ALGORITHMS[algorithm])
    data = report.trace_data(result)
    trace = result.execution.trace
    bits = np.frombuffer(base64.b64decode(data["trace"]["bits"]), np.uint8)
    unpacked = np.unpackbits(bits, bitorder="little")[: trace.size].reshape(trace.shape)
    assert np.array_equal(unpacked, trace)
    # Every bit of every state is found again by its matches alone.
    states = trace[:-1].reshape(-1, trace.shape[2])
    matches, decision = jax.jit(decide_states)(result.update, jnp.asarray(states).T)
    for problem in data["problems"]:
        rows = np.asarray(matches.matched)[problem["templates"]]
        patterns, place = np.unique(rows, axis=1, return_inverse=True)
        listed = [problem["means"]["".join("01"[int(b)] for b in p)] for p in patterns.T]
        means = np.asarray(decision.means)[problem["bits"]]
        np.testing.assert_allclose(np.transpose(listed)[:, place.ravel()], means, atol=1e-6)
        # The page looks the threshold up by the number of matches.
        for bit, row in zip(problem["bits"], means, strict=True):
            thresholds = np.asarray(data["thresholds"][bit])
            threshold = thresholds[np.minimum(rows.sum(0), len(thresholds) - 1)]
            assert np.array_equal(row > threshold, np.asarray(decision.bits)[bit])
    assert len(data["answer"]) == result.instance.graph.num_nodes
    assert all(0 <= x <= 1 for place in data["graph"]["places"] for x in place)


def test_given_positions_are_used_and_missing_ones_named():
    result = traced("bfs", "path:3")
    places = report.trace_data(result, positions={0: (0, 5), 1: (10, 5), 2: (40, 5)})
    assert places["graph"]["places"] == [[0, 0.5], [0.25, 0.5], [1, 0.5]]
    with pytest.raises(NtkexecError, match="node 2 has no position"):
        report.trace_data(result, positions={0: (0, 0), 1: (1, 0)})


def test_a_run_without_a_trace_or_with_too_much_of_one_is_refused(monkeypatch):
    result = pipeline.run("bfs", "path:3", engine="kernel")
    with pytest.raises(NtkexecError, match="trace=True"):
        report.trace_data(result)
    monkeypatch.setattr(report.trace, "MAX_NODES", 2)
    with pytest.raises(NtkexecError, match=r"3 nodes .* too much for a page; 2 nodes"):
        report.trace_data(traced("bfs", "path:3"))


# What HTML reads as the end of a script, as a comment in which no script ends, or as another mark.
TRICKY = (
    "</script><b>",
    "<!--<script>",
    "<![CDATA[",
    "-->",
    "&amp;",
    "/*RUN*/",
    "/*VIEWER*/",
    "\u2028'\"\\",
)


def tricky():
    return traced("bfs", nx.Graph([("a", name) for name in TRICKY]), source="a")


def test_a_name_cannot_end_or_hide_the_script():
    data = report.trace_data(tricky())
    page = report.to_html(data)
    assert page.count("</script>") == 4
    start = page.index('type="application/json">') + len('type="application/json">')
    held = page[start : page.index("</script>", start)]
    assert "<" not in held
    assert json.loads(held) == data


def test_a_file_that_cannot_be_written_leaves_nothing(tmp_path):
    result = traced("bfs", "path:3")
    with pytest.raises(OSError, match="No such file"):
        report.save(result, tmp_path / "missing" / "page.html")
    (tmp_path / "page.html").mkdir()
    with pytest.raises(OSError, match="directory"):
        report.save(result, tmp_path / "page.html")
    assert [p.name for p in tmp_path.iterdir()] == ["page.html"]


# In a browser.


def test_a_name_of_marks_is_shown_and_blanks_nothing(visit):
    result = tricky()
    page = visit(result)
    assert f"EXACT: all {len(TRICKY) + 1} nodes" in page.locator("#verdict").text_content()
    names = [str(name) for name in result.by_node()]
    for name in TRICKY:
        page.locator(f'[data-node="{names.index(name)}"]').focus()
        page.keyboard.press("Enter")
        assert name in page.locator("#name").text_content()
    assert page.locator("b").count() == 0


def step_of(page):
    return int(page.locator("#step").text_content().split()[1])


def test_slider_buttons_and_keys_move_through_the_steps(visit):
    result = traced("bfs", "florentine", source="Medici")
    page, last = visit(result), result.execution.steps
    assert page.title() == "bfs on florentine"
    assert "EXACT: all 15 nodes" in page.locator("#verdict").text_content()
    # It opens on the answer.
    assert step_of(page) == last
    page.keyboard.press("Home")
    assert step_of(page) == 0
    page.locator("#next").click()
    page.keyboard.press("ArrowRight")
    assert step_of(page) == 2
    page.locator("#slider").fill(str(last - 1))
    assert step_of(page) == last - 1
    page.locator("#last").click()
    assert step_of(page) == last
    page.locator("#back").click()
    page.keyboard.press("Home")
    assert step_of(page) == 0
    page.keyboard.press("ArrowLeft")
    assert step_of(page) == 0


def test_play_runs_to_the_end_and_stops(visit):
    result = traced("bfs", "petersen")
    page = visit(result)
    page.locator("#speed").select_option("150")
    page.locator("#play").click()
    assert page.locator("#play").get_attribute("aria-pressed") == "true"
    page.wait_for_function(
        "last => document.getElementById('slider').value == last", arg=str(result.execution.steps)
    )
    page.wait_for_selector("#play[aria-pressed=false]")


def test_a_node_is_selected_by_mouse_and_by_keyboard_and_tells_its_state(visit):
    result = traced("bfs", "florentine", source="Medici")
    page = visit(result)
    names = list(result.by_node())
    node = names.index("Albizzi")
    page.keyboard.press("End")
    page.locator(f'[data-node="{node}"]').click()
    assert "Albizzi" in page.locator("#name").text_content()
    assert "distance 1, parent Medici" in page.locator("#answer").text_content()
    fields = dict(
        row.locator("td").all_text_contents()[:2] for row in page.locator("#fields tbody tr").all()
    )
    assert fields["reached"] == "yes"
    assert fields["distance"] == "1"
    other = page.locator(f'[data-node="{names.index("Pazzi")}"]')
    other.focus()
    page.keyboard.press("Enter")
    assert "Pazzi" in page.locator("#name").text_content()
    # The templates that it matches, and a mean for every bit.
    page.keyboard.press("ArrowLeft")
    program = result.instance.program
    state = result.execution.trace[result.execution.steps - 1, names.index("Pazzi")]
    matched = [
        program.describe(index)
        for index, entry in enumerate(program.templates)
        if all(state[bit] == value for bit, value in entry.condition)
    ]
    listed = page.locator("#templates li").all_text_contents()
    folded = page.locator("#kept li").all_text_contents()
    assert folded
    assert not page.locator("#kept li").first.is_visible()
    assert sorted(text.split(" ", 1)[1] for text in listed + folded) == sorted(matched)
    assert not [text for text in listed if " keep: " in text]
    page.locator("#means summary").click()
    page.wait_for_selector("#bits tbody tr")
    assert page.locator("#bits tbody tr").count() == program.layout.num_bits
    assert page.locator("#bits tr.mistake").count() == 0


def test_mistakes_are_shown_where_they_happen(visit):
    result = traced("bfs", "path:4")
    # Thresholds above every mean: all bits become 0.
    update = dataclasses.replace(result.update, thresholds=result.update.thresholds + 2)
    page = visit(dataclasses.replace(result, update=update))
    page.keyboard.press("Home")
    assert page.locator("g.node.wrong").count() == 4
    assert "wrong;" in page.locator("#summary").text_content()
    page.locator("#means summary").click()
    page.wait_for_selector("#bits tr.mistake")


def test_messages_move_along_edges_in_their_direction(visit):
    graph = nx.DiGraph([(0, 1), (1, 2)])
    page = visit(traced("bfs", graph, source=0))
    page.keyboard.press("Home")
    assert page.locator("circle.message").count() == 0
    page.keyboard.press("ArrowRight")  # the source calls
    assert page.locator("circle.message").count() == 1
    assert page.locator("line.edge.active").count() == 1
    page.locator("#field").select_option("distance")
    assert "distance" in page.locator("#legend").text_content()


def test_the_tree_is_drawn_as_nodes_settle_and_the_answer_only_in_the_end(visit):
    result = traced("bfs", nx.path_graph([*"abc"]), source="a")
    assert report.trace_data(result)["parents"] == [None, 0, 1]
    assert report.trace_data(result)["phases"] == {"0": "choose", "1": "listen"}
    page = visit(result)
    page.locator('[data-node="2"]').focus()
    page.keyboard.press("Enter")
    tree = page.locator("line.edge.tree")
    assert tree.count() == 2
    assert "distance 2, parent b" in page.locator("#answer").text_content()
    page.keyboard.press("Home")
    assert tree.count() == 0
    assert page.locator("#answer").text_content() == ""
    assert page.locator("#step").text_content().endswith("phase choose")
    # Its bits count the hops before it is reached; that is no distance yet.
    distance = page.locator("#fields tr", has_text="distance").locator("td").nth(1)
    for _ in range(4):
        page.keyboard.press("ArrowRight")
        assert distance.text_content() == "\u2013"
    assert tree.count() == 1
    assert report.trace_data(traced("flooding", "path:2"))["parents"] is None


def test_weights_stand_at_their_edges_where_there_is_room(visit):
    graph = nx.DiGraph()
    graph.add_weighted_edges_from([(0, 1, 4), (1, 0, -3), (1, 2, 7)])
    result = traced("bellman-ford", graph, source=0, weights="weight")
    data = report.trace_data(result)["graph"]
    assert dict(zip(map(tuple, data["arcs"]), data["weights"], strict=True)) == {
        (u, v): weight for u, v, weight in graph.edges(data="weight")
    }
    page = visit(result)
    assert sorted(page.locator("text.weight").all_text_contents()) == ["-3", "4", "7"]
    places = [box.bounding_box() for box in page.locator("text.weight").all()]
    assert len({(round(box["x"]), round(box["y"])) for box in places}) == 3
    assert report.trace_data(traced("bfs", "path:3"))["graph"]["weights"] is None


def test_numbers_that_are_not_finite_are_refused_and_blank_no_page():
    with pytest.raises(NtkexecError, match="not finite; a page cannot show them"):
        report.to_html({"means": [float("nan")]})


def test_a_raw_program_s_bits_are_shown_as_they_stand(visit):
    conditions = [[1, -1, -1], [-1, 1, -1], [-1, -1, 1], [1, -1, -1]]
    targets = [[1, 0, 0], [0, 0, 1], [0, 1, 0], [0, 0, 0]]
    program = Program.from_arrays(conditions, targets, message_start=2, name="swap")
    result = pipeline.run(
        *(program, nx.empty_graph(3)),
        initial=[[1, 0, 0], [0, 1, 0], [1, 1, 1]],
        steps=3,
        engine="kernel",
        kind="joint",
        trace=True,
    )
    page = visit(result)
    assert "own Boolean execution, bit by bit" in page.locator("#verdict").text_content()
    assert page.locator("#legend").text_content().startswith("state, bits that are 1: 0 1 2")
    page.keyboard.press("End")
    for node, fields in enumerate(result.by_node().values()):
        page.locator(f'[data-node="{node}"]').focus()
        page.keyboard.press("Enter")
        shown = dict(
            row.locator("td").all_text_contents()[:2]
            for row in page.locator("#fields tbody tr").all()
        )
        assert shown == fields
