"""The package as it is met first: names are there without further imports, and print on a line."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ntkexec

HERE = Path(__file__).parents[2]


@pytest.mark.parametrize(
    "expression",
    ["ntkexec.graphs.load", "ntkexec.programs.ALGORITHMS", "ntkexec.language.Builder"],
)
def test_subpackages_are_there_after_a_bare_import(expression):
    code = f"import ntkexec; {expression}"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (found.returncode, found.stderr) == (0, "")


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    assert ntkexec.__version__ == project["version"]
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        _ = ntkexec.nonsense


def test_what_a_run_gives_prints_on_a_line():
    result = ntkexec.run("flooding", "path:2", message="1")
    told = {name: repr(getattr(result, name)) for name in ("certificate", "ensemble")}
    assert (
        repr(result)
        == "Result(flooding on path:2 by ensemble: EXACT: all 2 nodes equal the reference)"
    )
    assert re.fullmatch(r"Ensemble\(flooding, factored: .* width 1024, trained\)", told["ensemble"])
    assert told["certificate"].startswith(
        "Certificate(flooding, factored, padding 0, thresholds by bit"
    )
    assert all(len(text) < 200 and "\n" not in text for text in told.values())
