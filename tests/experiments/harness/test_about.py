"""about.toml: read without loading a port, or refused with the file and what is wrong in it."""

import subprocess
import sys
import types

import pytest

from experiments.harness import registry
from experiments.harness.about import read_about
from ntkexec.errors import ExperimentError

WHOLE = """
title = "One line"
data = ["cora"]
cpu_seconds = 0

[paper]
title = "A title"
authors = "Somebody"
year = 2020
arxiv = "2000.00001"

[expected]
small = "holds"
large = "undecided"
"""


@pytest.fixture
def folder(tmp_path):
    found = tmp_path / "graphs" / "a_method"
    found.mkdir(parents=True)
    (found / "about.toml").write_text(WHOLE)
    return found


def test_what_is_known_of_a_port(folder):
    about = read_about(folder)
    assert (about.slug, about.area, about.title) == ("a-method", "graphs", "One line")
    assert about.package == "experiments.graphs.a_method"
    assert str(about.paper) == "Somebody: A title (arXiv:2000.00001, 2020)"
    assert list(about.expected.items()) == [("small", "holds"), ("large", "undecided")]
    assert about.to_data()["paper"]["provenance"] == "paper"


@pytest.mark.parametrize(
    "old, new, says",
    [
        ('title = "One line"\n', "", "title is missing or no text"),
        ("cpu_seconds = 0", 'cpu_seconds = "0"', "cpu_seconds is missing or no number"),
        ('data = ["cora"]', "data = 1", "data is missing or no list"),
        ("year = 2020", "year = '2020'", "year is missing or no whole number"),
        ('authors = "Somebody"\n', "", r"\[paper\] says nothing of authors"),
        ("[expected]", "[expect]", "expected is missing or no table"),
        ('small = "holds"', 'small = "true"', "expected.small is 'true', and can be holds, fails"),
        ('arxiv = "2000.00001"', "arxive = 'x'", "nothing is called 'arxive'"),
        ('arxiv = "2000.00001"', 'provenance = "mine"', "provenance is 'mine', and can be paper"),
        ("cpu_seconds = 0", "cpu_seconds = ", "cannot be read"),
        ("cpu_seconds = 0", "cpu_seconds = nan", "cpu_seconds cannot be nan"),
        ("cpu_seconds = 0", "cpu_seconds = true", "cpu_seconds is missing or no number"),
        ("year = 2020", "year = true", "year is missing or no whole number"),
        ('data = ["cora"]', "data = [3]", "data names sets, and 3 is no text"),
    ],
)
def test_what_is_wrong_is_named(folder, old, new, says):
    (folder / "about.toml").write_text(WHOLE.replace(old, new, 1))
    with pytest.raises(ExperimentError, match=says) as found:
        read_about(folder)
    assert str(folder / "about.toml") in str(found.value)


def test_ports_are_listed_without_loading_them_or_jax():
    code = (
        "import sys\nfrom experiments.harness import registry\nregistry.abouts()\n"
        "assert not {'jax', 'numpy'} & set(sys.modules)"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr


def test_every_port_is_in_an_area_once():
    areas = [about.area for about in registry.abouts()]
    assert areas == sorted(areas, key=registry.AREAS.index)


def test_a_port_that_lacks_a_part_is_refused_by_the_file(folder, monkeypatch):
    monkeypatch.setattr(registry, "folders", lambda: {"a-method": folder})
    with pytest.raises(ExperimentError, match=r"a-method lacks .*study\.py, which defines STUDIES"):
        registry.find("a-method")
    (folder / "study.py").touch()
    for name in ("a_method", "a_method.study"):
        monkeypatch.setitem(sys.modules, f"experiments.graphs.{name}", types.ModuleType(name))
    with pytest.raises(ExperimentError, match=r"study\.py defines no STUDIES"):
        registry.find("a-method")
    with pytest.raises(ExperimentError, match=r"__init__\.py is missing or defines no __all__"):
        registry.exports(read_about(folder))
