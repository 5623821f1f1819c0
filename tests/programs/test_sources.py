"""Where programs come from: a name, a file, a function, an object; and what is wrong with each."""

import re

import pytest
from support.own import LOADED, PATH, flood, start

import ntkexec
from ntkexec.errors import NtkexecError
from ntkexec.program import files
from ntkexec.programs import prepare
from ntkexec.programs.own import own_instance


def test_an_instance_brings_all_it_needs():
    instance = own_instance(flood(), LOADED, initial=start(), steps=8)
    assert ntkexec.run(instance, engine="kernel").exact
    assert prepare(instance) is instance
    for options in (
        {"steps": 3},
        {"initial": start()},
        {"weights": "w"},
        {"directed": False},
        {"weight_scale": 2},
        {"degree": 3},
    ):
        with pytest.raises(NtkexecError, match=f"brings its own {min(options)}"):
            prepare(instance, **options)
    with pytest.raises(NtkexecError, match="type does not say what parameters it has"):
        prepare(type, PATH)
    with pytest.raises(NtkexecError, match="an instance of tell brings its own graph"):
        prepare(instance, PATH)


def test_a_file_or_a_function_is_as_good_as_the_program(tmp_path, monkeypatch):
    files.save(flood(), tmp_path / "tell.json")
    (tmp_path / "brought.py").write_text(
        "from ntkexec.program import files\n"
        f"PROGRAM = files.load({str(tmp_path / 'tell.json')!r})\n"
        "class Inner:\n    program = PROGRAM\n"
        "def of(graph, degree, word=5, *, slots, **rest):\n"
        "    assert (graph.num_nodes, degree, word, slots, rest) == (4, 2, 5, 3, {})\n"
        "    return PROGRAM\n"
        "def sized(degree, word, slots): return degree, word, slots\n"
        "def odd(values): ...\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    for source in (
        tmp_path / "tell.json",
        str(tmp_path / "tell.json"),
        "brought:PROGRAM",
        "brought:Inner.program",
        "brought:of",
        lambda graph: flood(),
    ):
        found = prepare(source, PATH, initial=start(), steps=8)
        assert found.program == flood()
    for source, options, message in (
        ("brought:sized", {}, "brought:sized asks for word; give --word, or word=..."),
        ("brought:sized", {"word": 2}, "brought:sized gives 'tuple'; a Program or an Instance is"),
        ("brought:odd", {}, "has a parameter 'values' without a default; what it can be given is"),
        ("brought:offf", {}, "module brought has no 'offf'; did you mean 'of'?"),
        ("nowhere:of", {}, "there is no module 'nowhere', neither here nor installed"),
        ("brought:", {}, "'brought:' is no program; one's own is a file (.npz or .json) or module"),
        ("brouht", {}, "a program of one's own is FILE.npz, FILE.json or module:function"),
    ):
        with pytest.raises(NtkexecError, match=re.escape(message)):
            prepare(source, PATH, initial=start(), steps=8, **options)
    with pytest.raises(NtkexecError, match="brought:of asks for a graph; give one"):
        prepare("brought:of", initial=start(), steps=8)
    with pytest.raises(NtkexecError, match="tell needs a graph, such as 'karate'"):
        prepare("brought:PROGRAM", initial=start(), steps=8)


def test_a_module_s_own_errors_are_its_own(tmp_path, monkeypatch):
    (tmp_path / "lacking.py").write_text("import no_such_module_anywhere\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_module_anywhere"):
        prepare("lacking:of", PATH)


def test_a_shipped_algorithm_starts_by_itself_and_needs_a_graph():
    with pytest.raises(NtkexecError, match="bfs starts by itself; steps is for programs"):
        prepare("bfs", PATH, steps=3)
    with pytest.raises(NtkexecError, match="bfs needs a graph, such as 'karate'"):
        ntkexec.run("bfs")
