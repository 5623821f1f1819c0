"""The house stands: imports point downwards, none run in a circle, files are short, names are one's own."""

import functools
import pathlib

import pytest

from benchmarks.architecture import layers
from benchmarks.architecture.imports import Import, import_graph, imports_of, modules_of
from benchmarks.architecture.layers import ALONE, MOUNTED, PACKAGES, ROOMS, circles, upward
from benchmarks.architecture.names import homonyms

ROOT = pathlib.Path(__file__).parents[2]
MODULES = modules_of(ROOT, PACKAGES)
MOST_LINES = 350
MOST_AT_THE_TOP = 8


@functools.cache
def imports():
    """Read when the first test asks."""
    return imports_of(MODULES)


# What is not so yet. An entry that is no longer needed fails.
HOMONYMS = {"ntkexec.complete.complete"}


@pytest.fixture
def house(tmp_path):
    """Builds packages of given files, and returns their modules."""

    def build(files):
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
            for folder in path.relative_to(tmp_path).parents[:-1]:
                (tmp_path / folder / "__init__.py").touch()
        return modules_of(tmp_path, [folder.name for folder in tmp_path.iterdir()])

    return build


# Layers.


def test_nothing_imports_upwards():
    assert list(upward(imports())) == []


def test_one_place_names_what_stands_beside_the_house():
    beside = {
        (one.importer, one.imported) for one in imports() if one.importer.startswith("ntkexec")
    }
    named = {pair for pair in beside if not pair[1].startswith("ntkexec")}
    assert sorted(named) == sorted(MOUNTED)


def test_every_room_has_one_layer_and_every_layer_rooms_that_are_there():
    assert sorted(ROOMS) == sorted({layers.room_of(module) for module in MODULES} - {*PACKAGES})


@pytest.mark.parametrize(
    "way",
    [
        "import ntkexec.theory.kernel",
        "import ntkexec.theory.kernel as k",
        "from ntkexec.theory.kernel import ntk",
        "from ntkexec import theory",
        "from ntkexec.theory import kernel",
        "from .theory import kernel",
        "from . import theory",
        "def f():\n    from ntkexec.theory import kernel",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from ntkexec.theory import kernel",
        "import importlib\nimportlib.import_module('ntkexec.theory.kernel')",
        "import importlib\nimportlib.import_module('.theory', 'ntkexec')",
        "import importlib\nimportlib.import_module(package='ntkexec', name='.theory')",
        "from importlib import import_module as take\ntake('ntkexec.theory')",
        "from importlib import util\nutil.find_spec('ntkexec.theory.kernel')",
        "__import__('ntkexec.theory')",
        "import importlib\nTABLE = {'K': 'theory.kernel'}\n"
        "def f(name):\n    importlib.import_module(f'ntkexec.{TABLE[name]}')",
        "import importlib\nTABLE = ('theory',)\n"
        "def f(name):\n    importlib.import_module('ntkexec.' + name)",
        "import importlib\ndef f(name):\n    importlib.import_module(f'ntkexec.theory.{name}')",
        "import sys\nk = sys.modules['ntkexec.theory.kernel']",
        "ENTRY = 'ntkexec.theory.kernel:ntk'",
    ],
)
def test_an_import_upwards_is_found_however_it_is_written(house, way):
    files = {"ntkexec/theory/kernel.py": "from ntkexec import errors\ndef ntk(): ..."}
    (found,) = {
        line.split(", imports")[0]
        for line in upward(imports_of(house({**files, "ntkexec/errors.py": way})))
    }
    assert found.startswith("ntkexec.errors, line ")
    # The same downwards is as it should be.
    other = way.replace("theory.kernel", "errors").replace("theory", "errors")
    other = other.replace("errors import kernel", "errors import Error")
    files = {"ntkexec/errors.py": "class Error: ...", "ntkexec/cli/app.py": other}
    assert list(upward(imports_of(house({**files, "ntkexec/theory/kernel.py": ""})))) == []


@pytest.mark.parametrize(
    "way",
    [
        "import proofs_check",
        "from proofs_check.registry import checks",
        "import importlib\nimportlib.import_module('proofs_check')",
        "import importlib\nNAMES = ('proofs_check',)\n[importlib.import_module(n) for n in NAMES]",
        "import importlib\ndef f(name):\n    importlib.import_module(f'proofs_check.{name}')",
    ],
)
def test_what_stands_beside_the_house_is_not_named_in_it(house, way):
    modules = house({"ntkexec/cli.py": way, "proofs_check/registry.py": ""})
    assert [line for line in upward(imports_of(modules)) if "proofs_check lies above cli" in line]


def test_prose_and_other_words_are_no_imports(house):
    text = '"""See ntkexec.theory."""\nKEYS = {"theory": 1, "theory.json": 2}\nlog("ntkexec.errors: x")'
    modules = house({"ntkexec/errors.py": text, "ntkexec/theory.py": ""})
    assert imports_of(modules) == ()


def test_a_room_without_a_layer_and_the_names_of_users_are_above_everything():
    said = [Import("ntkexec.attic", "ntkexec.errors", 1), Import("ntkexec.cli", "ntkexec", 2)]
    assert list(upward(said)) == [
        "ntkexec.attic, line 1, imports ntkexec.errors: attic has no layer",
        "ntkexec.cli, line 2, imports ntkexec: ntkexec lies above cli",
    ]


def test_the_checker_stands_alone():
    assert {
        layers.room_of(one.imported) for one in imports() if layers.room_of(one.importer) == ALONE
    } == {ALONE}
    (told,) = upward([Import("ntkexec.recheck.reading", "ntkexec.errors", 3)])
    assert told.endswith("recheck stands alone")


def test_the_house_does_not_speak_of_the_proofs_beside_it():
    spoken = {
        name
        for name, path in MODULES.items()
        if name.startswith("ntkexec") and "proofs_check" in path.read_text()
    }
    assert spoken == {importer for importer, _ in MOUNTED}


# Circles.


def test_no_modules_import_each_other_in_a_circle():
    graph = import_graph(MODULES, imports())
    graph.remove_edges_from(MOUNTED)
    assert circles(graph) == []


@pytest.mark.parametrize(
    "files",
    [
        {"a/b.py": "from a import c", "a/c.py": "from a import d", "a/d.py": "import a.b"},
        {"a/b.py": "from a import c", "a/c.py": "def f():\n    from a.b import x"},
        {"a/b.py": "if TYPE_CHECKING:\n    from a.c import C", "a/c.py": "from a.b import B"},
        # By the package that comes first.
        {"a/b.py": "from a.c.d import x", "a/c/__init__.py": "from a.b import y", "a/c/d.py": ""},
    ],
)
def test_a_circle_is_found(house, files):
    modules = house(files)
    (found,) = circles(import_graph(modules, imports_of(modules)))
    assert {"a.b", "a.c"} <= {*found}


def test_a_package_that_gathers_its_modules_is_no_circle(house):
    files = {"a/__init__.py": "from a.b import x", "a/b.py": "from a.c import x", "a/c.py": ""}
    modules = house(files)
    assert circles(import_graph(modules, imports_of(modules))) == []


# Names.


def test_no_function_is_called_like_a_module_beside_it():
    assert {line.split(" ")[0] for line in homonyms(MODULES)} == HOMONYMS


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"a/b.py": "def b(): ..."}, "a.b.b"),
        ({"a/b.py": "def c(): ...", "a/c.py": ""}, "a.b.c"),
        ({"a/b.py": "def c(): ...", "a/c/d.py": ""}, "a.b.c"),
        ({"a/__init__.py": "from a.b import c", "a/b.py": "c = 1", "a/c.py": ""}, "a.c"),
        ({"a/__init__.py": "from .b import x as c", "a/b.py": "x = 1", "a/c.py": ""}, "a.c"),
        ({"a/c/__init__.py": "from a.b import x as c", "a/b.py": "x = 1"}, "a.c.c"),
        (
            {
                "a/__init__.py": "if TYPE_CHECKING:\n    from a.b import c",
                "a/b.py": "",
                "a/c.py": "",
            },
            "a.c",
        ),
    ],
)
def test_a_homonym_is_found(house, files, name):
    assert list(homonyms(house(files))) == [f"{name} is called like a module"]


def test_a_package_may_have_its_modules_and_a_function_the_name_of_a_module_elsewhere(house):
    files = {"a/__init__.py": "from a import b\nfrom a.b import c", "a/b.py": "def c(): ..."}
    assert list(homonyms(house({**files, "d/c.py": ""}))) == []


# Sizes.


def too_long(root, folders):
    """Files of code with more lines than a person reads in one go."""
    return {
        path.relative_to(root).as_posix()
        for folder in folders
        for path in (root / folder).rglob("*")
        if path.suffix in {".py", ".js", ".html", ".css"}
        and len(path.read_text().splitlines()) > MOST_LINES
    }


# `ntkexec live` puts it together, from files that are counted themselves.
GENERATED = {"docs/live.html"}


def test_no_file_is_too_long():
    assert too_long(ROOT, (*PACKAGES, "tests", "docs")) == GENERATED


def test_a_file_that_is_too_long_is_found(tmp_path):
    (tmp_path / "a").mkdir()
    for name, lines in (("fits.py", 350), ("long.py", 351), ("long.js", 999), ("long.md", 999)):
        (tmp_path / "a" / name).write_text("\n" * lines)
    assert too_long(tmp_path, ["a"]) == {"a/long.py", "a/long.js"}


def test_few_modules_lie_at_the_top():
    top = [path.stem for path in (ROOT / "ntkexec").glob("*.py") if path.stem[:2] != "__"]
    assert len(top) <= MOST_AT_THE_TOP, sorted(top)
