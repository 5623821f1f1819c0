"""The package as it is met first: names are there without further imports, mean one thing however
they are reached, and print on a line."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import ntkexec

HERE = Path(__file__).parents[2]
# All modules but those that run when they are imported.
MODULES = [
    ".".join(path.relative_to(HERE).with_suffix("").parts).removesuffix(".__init__")
    for path in sorted((HERE / "ntkexec").rglob("*.py"))
    if path.stem != "__main__"
]
PACKAGES = [
    ".".join(path.parent.relative_to(HERE).parts)
    for path in sorted((HERE / "ntkexec").rglob("*/__init__.py"))
    if "__all__" in path.read_text()
]
# Prints what every public name means: before the modules are imported and after, or after only.
PUBLIC = """
import importlib, json, sys
import ntkexec

def meant():
    names = set(dir(ntkexec)) - {"__version__"}  # a text that is read anew
    found = {"ntkexec." + name: getattr(ntkexec, name) for name in names}
    for package in PACKAGES:
        module = importlib.import_module(package)
        found |= {f"{package}.{name}": getattr(module, name) for name in module.__all__}
    return found

before = meant() if NAMES_FIRST else None
for module in MODULES:
    importlib.import_module(module)
after = meant()
moved = [name for name in before or () if before[name] is not after[name]]
print(json.dumps([{name: repr(value)[:60] for name, value in after.items()}, moved]))
"""


def in_a_fresh_process(code, cwd=HERE):
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=cwd)
    assert (found.returncode, found.stderr) == (0, "")
    return found.stdout


def meanings(modules, *, names_first):
    given = f"MODULES, PACKAGES, NAMES_FIRST = {modules}, {PACKAGES}, {names_first}\n"
    return json.loads(in_a_fresh_process(given + PUBLIC))


@pytest.mark.parametrize(
    "expression",
    ["ntkexec.graphs.load", "ntkexec.programs.ALGORITHMS", "ntkexec.language.Builder"],
)
def test_subpackages_are_there_after_a_bare_import(expression):
    in_a_fresh_process(f"import ntkexec; {expression}")


# In the default suite no module takes a name over: by the sources, in test_layers.py.
@pytest.mark.slow
def test_a_public_name_is_the_same_object_however_it_is_reached():
    first, moved = meanings(MODULES, names_first=True)
    assert moved == []
    last, _ = meanings(MODULES[::-1], names_first=False)
    addresses = re.compile(r" at 0x\w+|\d{6,}")
    assert {k: addresses.sub("", v) for k, v in first.items()} == {
        k: addresses.sub("", v) for k, v in last.items()
    }
    assert {"ntkexec.template", "ntkexec.graphs", "ntkexec.complexity.study"} <= first.keys()


def test_a_name_that_a_module_takes_over_is_found(tmp_path):
    (tmp_path / "ntkexec").mkdir()
    (tmp_path / "ntkexec" / "run.py").touch()
    (tmp_path / "ntkexec" / "__init__.py").write_text("__all__ = ['run']\ndef run(): ...\n")
    code = f"MODULES, PACKAGES, NAMES_FIRST = ['ntkexec.run'], [], True\n{PUBLIC}"
    assert json.loads(in_a_fresh_process(code, tmp_path))[1] == ["ntkexec.run"]


def test_the_names_of_the_package_are_listed_once_and_alike():
    tree = ast.parse((HERE / "ntkexec" / "__init__.py").read_text())
    typed = {
        alias.name: node.module
        for block in tree.body
        if isinstance(block, ast.If)
        for node in block.body
        for alias in node.names
    }
    assert typed == {name: f"ntkexec.{home}" for name, home in ntkexec._HOMES.items()}
    assert ntkexec.__all__ == sorted(typed)
    assert dir(ntkexec) == sorted({*typed, *ntkexec._MODULES, "__version__"})
    names = {}
    exec("from ntkexec import *", names)
    assert {name for name in names if name != "__builtins__"} == {*typed}


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
