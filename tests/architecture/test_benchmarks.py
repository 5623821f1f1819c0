"""The benchmarks' own arithmetic, and that their reports go where they should."""

import importlib

import numpy as np
import pytest

from benchmarks import __main__ as command
from benchmarks import aims, exactness_page, families, measure, report, roofline, scale
from ntkexec import pipeline
from ntkexec.engines.packed.execution import prepare
from ntkexec.engines.packed.plan import PackedProgram


def test_every_named_benchmark_exists():
    for name in command.NAMES:
        assert callable(importlib.import_module(f"benchmarks.{name}").run)


def test_slope_is_the_exponent_of_a_power_law():
    sizes = np.array([10.0, 100.0, 1000.0])
    assert measure.slope(sizes, 3 * sizes**1.5) == pytest.approx(1.5)


def test_measured_tables_replace_what_stands_between_the_marks():
    page = f"# Title\n{report.BEGIN}old\n{report.END}after\n"
    assert report.splice(page, "new\n") == page.replace("old", "new")
    for broken in ("# Title\n", report.BEGIN, report.END + report.BEGIN, page + page):
        with pytest.raises(ValueError, match="once"):
            report.splice(broken, "new\n")


def test_the_page_has_its_marks():
    page = (report.DOCS / "performance.md").read_text()
    assert report.splice(page, "") != ""


def test_bytes_of_a_turn_are_counted_from_rows_and_tables():
    instance = pipeline.prepare("bfs", "grid:9x9")
    prepared = prepare(PackedProgram(instance.program), instance.graphs)
    counted = roofline.count(prepared)
    words, ports = 4, 4
    layout = instance.program.layout
    slot = len(layout.bits("colour"))
    # Before a round, calls lie in the table of ports; the inbox is empty.
    changing = 2 + 2 * ports + len(layout.bits("distance"))
    slots = layout.leaves["colour"].size
    # Two bytes an index, and which of the slots in binary, 0 for none.
    tables = ports * words * (32 * 2 + 4 * slots.bit_length())
    assert counted["bytes"] == 4 * words * ((1 + ports) * slot + 2 * changing) + tables
    assert counted["gathered"] == ports * words * 32
    assert counted["operations"] > 0


def test_parents_are_the_smallest_neighbours_of_the_previous_level():
    # 0 - 1 - 3 and 0 - 2 - 3, and a node alone.
    edges = np.array([(0, 1), (0, 2), (1, 3), (2, 3)])
    senders, receivers = np.append(edges, edges[:, ::-1], axis=0).T
    distance = np.array([0, 1, 1, 2, -1])
    assert scale._parents(distance, senders, receivers).tolist() == [-1, 0, 0, 1, -1]


def test_the_page_of_wrong_answers_is_written_as_it_was_read():
    text = exactness_page.PAGE.read_text(encoding="utf-8")
    lines = exactness_page.recorded(text)
    assert exactness_page.page(lines) == text
    absent = families.plan()[0]
    del lines[absent]
    assert f"Not recorded yet: {', '.join(absent.head)}." in exactness_page.page(lines)


@pytest.mark.slow
def test_scale_compares_with_its_rivals():
    row = scale.one("grid", 400)
    assert row["nodes"] == 400
    assert min(row["seconds"], row["networkx"], row["scipy"], row["kernel"]) > 0


def measured(grid=0.5, share=1.2, slope=1.0):
    """Results as the benchmarks give them."""
    row = {"times_networkx": grid, "times_scipy": 0.9}
    row |= {"memory_to_first_state": 3.9, "memory_to_state": 3.0}
    families = ("random-regular", "grid")
    rows = [
        {"graph": family, "nodes": nodes} | (row if nodes == 9 else dict.fromkeys(row, 50.0))
        for family in families
        for nodes in (3, 9, 5)
    ]
    return {
        "scale": {"rows": rows} | {f"slope_{family}": slope for family in families},
        "batch": {"share_of_networkx": share},
        "verify": {"rows": [{"times_alone": 1.5}, {"times_alone": 2.9}]},
        "work": {"slope_large": 1.05},
        "members": {"slope": 0.95},
    }


def test_aims_are_judged_by_the_largest_graphs_alone():
    rows = aims.judged(measured())["rows"]
    assert len(rows) == len(aims.AIMS)
    assert {row["verdict"] for row in rows} == {"reached"}


@pytest.mark.parametrize(
    ("broken", "missed"),
    [({"grid": 1.01}, 1), ({"share": 0.99}, 1), ({"slope": 1.11}, 2), ({"grid": np.nan}, 1)],
)
def test_an_aim_that_is_missed_is_said_to_be(broken, missed):
    rows = aims.judged(measured(**broken))["rows"]
    assert [row["verdict"] for row in rows].count("missed") == missed
