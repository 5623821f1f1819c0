"""networkx's own tests, with every call handed to the backend: each passes, or is declined by name."""

import json
import os
import pathlib
import re
import subprocess
import sys
from importlib.metadata import entry_points

import pytest

MODULES = {
    "traversal.tests.test_bfs": 18,
    "traversal.tests.test_dfs": 20,
    "shortest_paths.tests.test_unweighted": 17,
    "shortest_paths.tests.test_generic": 28,
    "shortest_paths.tests.test_weighted": 56,
    "components.tests.test_connected": 9,
    "components.tests.test_weakly_connected": 7,
    "bipartite.tests.test_basic": 15,
    "tests.test_dag": 67,
}
"""By module how many tests it has at least."""

REASONS = (
    "a graph without nodes",
    "a directed graph, in which a token cannot walk back",
    "depth-first search with a limit on depth",
    "weights that are not integers",
    "weights that are floats",
    "weights beyond 32 bits",
    "sort_neighbors that leaves neighbours out, or adds some",
    "weights that depend on the direction of an undirected edge",
    "a weight function that hides edges",
    "Dijkstra's algorithm with negative weights",
    r"degree \d+, with which the program would be large; max_degree is \d+",
    r".* may take [\d,]+ steps on this graph; max_steps is [\d,]+",
    "a cycle of length 0 through the source.*",
)
HERE = pathlib.Path(__file__).parents[2]


def carried_out(tmp_path, modules, **environment):
    """The last lines of pytest, and how many calls were run or declined, by reason."""
    places = [str(HERE), str(HERE / "tests")]
    if not entry_points(group="networkx.backends", name="ntkexec"):
        installed = tmp_path / "ntkexec_entry-0.dist-info"
        installed.mkdir()
        (installed / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: ntkexec-entry\nVersion: 0\n"
        )
        (installed / "entry_points.txt").write_text(
            "[networkx.backends]\nntkexec = ntkexec.networkx_backend.interface:BACKEND\n"
            "[networkx.backend_info]\nntkexec = ntkexec.networkx_backend.info:get_info\n"
        )
        places.append(str(tmp_path))
    counts = tmp_path / "counts.json"
    told = {
        "NETWORKX_TEST_BACKEND": "ntkexec",
        "NETWORKX_FALLBACK_TO_NX": "True",
        "PYTHONPATH": os.pathsep.join(places),
        "COUNTS": str(counts),
        **environment,
    }
    found = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *("-p", "support.networkx_plugin", "--pyargs"),
            *(f"networkx.algorithms.{module}" for module in modules),
        ],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, **told},
    )
    assert found.returncode == 0, found.stdout[-4000:] + found.stderr[-2000:]
    return found.stdout, json.loads(counts.read_text())


@pytest.mark.slow
def test_each_of_networkx_own_tests_passes_or_is_declined_by_name(tmp_path):
    shown, counts = carried_out(tmp_path, MODULES, PLAIN="1")
    assert int(re.search(r"(\d+) passed", shown)[1]) >= sum(MODULES.values())
    assert "failed" not in shown
    run = counts.pop("run")
    assert run >= 690
    for reason in counts:
        assert any(re.fullmatch(known, reason) for known in REASONS), reason
    assert run > 6 * sum(counts.values())


@pytest.mark.slow
def test_breadth_first_search_passes_them_with_a_learned_update(tmp_path):
    shown, counts = carried_out(tmp_path, ["traversal.tests.test_bfs"])
    assert int(re.search(r"(\d+) passed", shown)[1]) >= MODULES["traversal.tests.test_bfs"]
    assert counts["run"] >= 39


@pytest.mark.slow
def test_a_wrong_answer_would_be_found_out(tmp_path):
    with pytest.raises(AssertionError, match="test_bfs"):
        carried_out(tmp_path, ["traversal.tests.test_bfs"], PLAIN="1", BROKEN="1")
