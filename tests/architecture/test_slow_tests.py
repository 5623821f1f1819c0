"""Which slow tests a change touches is read from the imports, and none that it touches is forgotten."""

import importlib.util
import pathlib

import pytest

from experiments.harness import registry

ROOT = pathlib.Path(__file__).parents[2]
SCRIPT = importlib.util.spec_from_file_location("slow_tests", ROOT / ".ci" / "slow_tests.py")
slow_tests = importlib.util.module_from_spec(SCRIPT)
SCRIPT.loader.exec_module(slow_tests)

MARK = "mark.{}".format("slow")  # written apart: this file has none
SLOW = f"import pytest\n@pytest.{MARK}\ndef test(): ...\n"
FILES = {
    "ntkexec/__init__.py": "LAZY = ('top',)",
    "ntkexec/low.py": "",
    "ntkexec/middle/__init__.py": "from ntkexec.middle.part import x",
    "ntkexec/middle/part.py": "from ..low import y",
    "ntkexec/middle/page.js": "",
    "ntkexec/top.py": "def f():\n    from ntkexec import middle",
    "ntkexec/other.py": "",
    "tests/conftest.py": "from support import everywhere",
    "tests/support/everywhere.py": "",
    "tests/support/helper.py": "from ntkexec.other import z",
    "tests/test_low.py": SLOW + "from ntkexec import low",
    "tests/test_top.py": SLOW + "import ntkexec.top",
    "tests/test_lazy.py": SLOW + "import ntkexec",
    "tests/test_by_name.py": SLOW + "CODE = 'from ntkexec.other import z'",
    "tests/deep/test_helper.py": SLOW + "from support.helper import z",
    "tests/test_docs.py": SLOW + 'PAGES = "docs"',
    "tests/test_quick.py": "from ntkexec import low",
    "docs/page.md": "",
}
EVERY = sorted(name for name, text in FILES.items() if MARK in text)


@pytest.fixture
def tree(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("changed", "names"),
    [
        ("ntkexec/low.py", ["test_low", "test_top", "test_lazy"]),
        ("ntkexec/middle/part.py", ["test_top", "test_lazy"]),
        ("ntkexec/middle/page.js", ["test_top", "test_lazy"]),
        ("ntkexec/top.py", ["test_top", "test_lazy"]),
        ("ntkexec/other.py", ["test_by_name", "deep/test_helper"]),
        ("tests/support/helper.py", ["deep/test_helper"]),
        ("tests/test_low.py", ["test_low"]),
        ("tests/test_quick.py", []),
        ("docs/page.md", ["test_docs"]),
        ("ntkexec/gone.py", []),
    ],
)
def test_a_change_touches_what_imports_it_the_nearest_first(tree, changed, names):
    assert slow_tests.touched([changed], tree) == [f"tests/{name}.py" for name in names]


def test_what_every_test_reads_first_touches_all_and_several_changes_add_up(tree):
    for changed in ("tests/support/everywhere.py", "tests/conftest.py"):
        assert sorted(slow_tests.touched([changed], tree)) == EVERY
    assert slow_tests.all_slow(tree) == EVERY
    both = slow_tests.touched(["docs/page.md", "tests/test_low.py"], tree)
    assert both == ["tests/test_docs.py", "tests/test_low.py"]


def test_here_a_change_of_the_loop_touches_its_tests_and_one_of_a_single_port_few():
    loop = slow_tests.touched(["ntkexec/executor/loop.py"])
    assert "tests/exactness/test_exactness.py" in loop
    port = slow_tests.touched(["experiments/systems/op_fusion/__init__.py"])
    assert len(port) < len(loop) <= len(slow_tests.all_slow())
    assert slow_tests.PORTS in port


def test_tiny_runs_are_those_of_the_ports_that_a_change_touches():
    found = slow_tests.reached(["experiments/systems/op_fusion/graph.py"])
    assert slow_tests.touched_ports(found) == ["op-fusion"]
    every = slow_tests.touched_ports(slow_tests.reached(["experiments/harness/study.py"]))
    assert set(every) == set(registry.slugs())
    assert set(slow_tests.AREAS) == set(registry.AREAS)
