"""Names of code: they change with what a study reaches, and with nothing else."""

import ast
import dataclasses
import importlib
import sys

import pytest

from experiments.harness.digest import Package, code_digest
from ntkexec.errors import ExperimentError

STUDY = """
import functools
from somepackage import tools
from somepackage.model import f
SIZE = 3
UNUSED = 4

def helper(x):
    return f(x) + tools.scale

def measure(config, trial):
    return {"value": helper(SIZE)}

partial = functools.partial(measure, trial=1)
"""
MODEL = """
def f(x):
    return Model(x).value

def unused():
    return 1

class Model:
    def __init__(self, x):
        self.value = x
"""
TOOLS = "scale = 2\nother = 3\n"


@pytest.fixture
def package(tmp_path, monkeypatch):
    root = tmp_path / "somepackage"
    root.mkdir()
    (root / "__init__.py").touch()
    for name, code in {"study": STUDY, "model": MODEL, "tools": TOOLS}.items():
        (root / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    # Of a file that changes within a second and keeps its length, Python would load the old code.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield root
    for name in [name for name in sys.modules if name.split(".")[0] == "somepackage"]:
        sys.modules.pop(name)


def name_of(function="measure"):
    module = importlib.import_module("somepackage.study")
    return code_digest(getattr(module, function), Package("somepackage"))


def edit(package, module, old, new):
    path = package / f"{module}.py"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


REACHED = [
    ("study", "SIZE = 3", "SIZE = 5"),
    ("study", "f(x) + tools.scale", "f(x) - tools.scale"),
    ("study", '"value"', '"values"'),
    ("model", "self.value = x", "self.value = -x"),
    ("model", "return Model(x).value", "return 1"),
    ("tools", "scale = 2", "scale = 1"),
    (
        "tools",
        "scale = 2",
        "scale = 2\nprint(1)",
    ),  # whatever a reached module does when it is loaded
    ("model", "class Model:", "class Model(object):"),
]
BESIDE = [
    ("study", "UNUSED = 4", "UNUSED = 5"),
    ("study", "(config, trial)", "(config: 'Config', trial: 'Trial') -> dict"),
    ("model", "return 1", "return 2"),
    ("model", "def unused():", "def more():\n    return 3\n\ndef unused():"),
    ("tools", "other = 3", "other = 4  # more"),
    ("model", "def f(x):", 'def f(x):\n    """It."""'),
    ("study", "import functools\n", "import functools\n\n\n# Here\n"),
    (
        "study",
        "import functools\n",
        "import functools\nTYPE_CHECKING = False\nif TYPE_CHECKING:\n    import os\n",
    ),
]


@pytest.mark.parametrize("module, old, new", REACHED)
def test_what_a_study_reaches_changes_its_name(package, module, old, new):
    before = name_of()
    edit(package, module, old, new)
    assert name_of() != before


@pytest.mark.parametrize("module, old, new", BESIDE)
def test_what_it_does_not_reach_changes_nothing(package, module, old, new):
    before = name_of()
    edit(package, module, old, new)
    assert name_of() == before


PLAIN = "def measure(config, trial):\n    return f(1)\n"
WAYS = {  # what runs changes by "+ 1" for "+ 2", in ways that a search for names might miss
    "the other branch of what is for type checkers": {
        "study": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    f = None\nelse:\n"
        "    def f(x):\n        return x + 1\n" + PLAIN,
    },
    "an import that is tried before another": {
        "study": "try:\n    from somepackage.one import f\nexcept ImportError:\n"
        "    from somepackage.model import f\n" + PLAIN,
        "one": "def f(x):\n    return x + 1\n",
    },
    "an import under the name of what is made of it": {
        "study": "import functools\nfrom somepackage.one import f\nf = functools.cache(f)\n"
        + PLAIN,
        "one": "def f(x):\n    return x + 1\n",
    },
    "a name that an import inside of another function binds, too": {
        "study": "def f(x):\n    return x\n\ndef measure(config, trial):\n"
        "    from somepackage.one import f\n    return f(1)\n",
        "one": "def f(x):\n    return x + 1\n",
    },
    "a module by its whole name": {
        "study": "import somepackage.one\n" + PLAIN.replace("f(", "somepackage.one.f("),
        "one": "def f(x):\n    return x + 1\n",
    },
    "a module that is imported for what it does": {
        "study": "import somepackage.one\nfrom somepackage.model import f\n" + PLAIN,
        "one": "from somepackage import model\nmodel.f = lambda x: x + 1\n",
    },
    "one that a module imports which is imported": {
        "study": "from somepackage import two\nfrom somepackage.model import f\n" + PLAIN,
        "two": "from somepackage.one import patch\n",
        "one": "from somepackage import model\npatch = 1\nmodel.f = lambda x: x + 1\n",
    },
    "the packages above": {
        "study": "from somepackage.model import f\n" + PLAIN,
        "__init__": "import math\nmath.tau = 5 + 1\n",
    },
    "a table that a call fills whose result has a name": {
        "study": "TABLE = {}\ndone = TABLE.update(f=lambda x: x + 1)\n"
        + PLAIN.replace("f(", "TABLE['f']("),
    },
    "a table that a function fills": {
        "study": "from somepackage.one import TABLE\n" + PLAIN.replace("f(", "TABLE['f']("),
        "one": "TABLE = {}\ndef add(g):\n    TABLE['f'] = g\n    return g\n"
        "def g(x):\n    return x + 1\ndone = add(g)\n",
    },
    "one that a loop fills": {
        "study": "from somepackage.one import TABLE\n" + PLAIN.replace("f(", "TABLE['f']("),
        "one": "TABLE = {}\nfor name in 'efg':\n    TABLE[name] = lambda x: x + 1\n",
    },
    "one that a default fills": {
        "study": "TABLE = {}\ndef unused(x=TABLE.setdefault('f', lambda x: x + 1)):\n    pass\n"
        + PLAIN.replace("f(", "TABLE['f']("),
    },
    "one that a base fills": {
        "study": "from somepackage.one import TABLE\n" + PLAIN.replace("f(1)", "TABLE['F'].value"),
        "one": "TABLE = {}\nclass Base:\n    def __init_subclass__(cls):\n"
        "        TABLE[cls.__name__] = cls\nclass Unused(Base):\n    pass\nclass F(Unused):\n"
        "    value = 1 + 1\n",
    },
    "a name that a loop binds": {
        "study": "from somepackage.one import size\n" + PLAIN.replace("f(1", "str(size"),
        "one": "for size in (1, 1 + 1):\n    pass\n",
    },
    "a name that is bound in passing": {
        "study": "other = (size := 1 + 1) * 2\n" + PLAIN.replace("f(1", "str(size"),
    },
    "one that tries bind": {
        "study": "from somepackage.one import size\n" + PLAIN.replace("f(1", "str(size"),
        "one": "try:\n    import numpy\n    size = 1 + 1\nexcept ImportError:\n    size = 0\n",
    },
    "annotations by which is dispatched": {
        "study": "import functools\nfrom somepackage.one import Kind\n@functools.singledispatch\n"
        "def f(x):\n    return 0\n@f.register\ndef _(x: Kind):\n    return 1\n" + PLAIN,
        "one": "Kind = (int, str)[1 - 1 + 1 - 1]\n",
    },
    "the default of a field": {
        "study": "import dataclasses\n@dataclasses.dataclass\nclass F:\n    size: int = 1 + 1\n"
        + PLAIN.replace("f(1", "F("),
    },
    "a base in another module": {
        "study": "from somepackage.one import Base\nclass F(Base):\n    pass\n"
        + PLAIN.replace("f(1)", "F().f(1)"),
        "one": "class Base:\n    def f(self, x):\n        return x + 1\n",
    },
    "a closure": {
        "study": "def made(size):\n    def study(config, trial):\n        return size\n    return study\n"
        "measure = made(1 + 1)\n",
    },
    "what a closure of a kit holds": {
        "study": "from somepackage.one import made\ndef g():\n    return 1 + 1\nmeasure = made(g)\n",
        "one": "def made(g):\n    def study(config, trial):\n        return g()\n    return study\n",
    },
    "what a partial function of a kit is given": {
        "study": "import functools\nfrom somepackage.one import study\ndef g():\n    return 1 + 1\n"
        "measure = functools.partial(study, functools.partial(g))\n",
        "one": "def study(g, config, trial):\n    return g()\n",
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_no_way_in_which_code_is_reached_is_missed(package, way):
    for module, code in WAYS[way].items():
        (package / f"{module}.py").write_text(code)
    changed = next(module for module, code in WAYS[way].items() if "+ 1" in code)
    before = name_of()
    assert before == name_of()
    edit(package, changed, "+ 1", "+ 2")
    for name in [name for name in sys.modules if name.startswith("somepackage.")]:
        sys.modules.pop(name)
    assert name_of() != before


def test_names_do_not_depend_on_where_in_memory_something_lies(package):
    code = "import functools\ndef f(g, config, trial):\n    pass\nmeasure = functools.partial(f, object())\n"
    (package / "study.py").write_text(code)
    before = name_of()
    sys.modules.pop("somepackage.study")
    assert name_of() == before


def test_a_module_that_only_defines_is_loaded_for_nothing(package):
    before = name_of()
    (package / "one.py").write_text("SIZE = 3\ndef g():\n    return SIZE\n")
    edit(package, "model", "def unused", "from somepackage import one\n\ndef unused")
    assert name_of() == before


def test_a_module_that_is_used_as_a_value_counts_as_a_whole(package):
    edit(package, "study", "+ tools.scale", "+ len(vars(tools))")
    before = name_of()
    edit(package, "tools", "other = 3", "other = 4")
    assert name_of() != before


def test_what_code_of_ours_decorates_counts_with_its_module(package):
    edit(
        package,
        "model",
        "def unused():",
        "def register(g):\n    return g\n\n@register\ndef unused():",
    )
    before = name_of()
    edit(package, "model", "return 1", "return 2")
    assert name_of() != before


def test_arguments_of_a_partial_function_count(package):
    before = name_of("partial")
    assert before != name_of()
    edit(package, "study", "trial=1", "trial=2")
    sys.modules.pop("somepackage.study")
    assert name_of("partial") != before


@pytest.mark.parametrize(
    "line, says",
    [
        ("from somepackage import something", "import it from its module"),
        ("import importlib", "uses importlib"),
        ("from .model import f", "imports relatively"),
        ("from somepackage.model import *", "imports everything of somepackage.model"),
        ("from importlib import import_module as f", "uses import"),
        ("import importlib as f", "uses importlib"),
        ("from sys import modules as f", "uses sys.modules"),
        ("import sys as f", "uses sys.modules"),
        ("import builtins as f", "uses builtins.eval"),
    ],
)
def test_what_cannot_be_followed_is_refused(package, line, says):
    used = {"something": "something", "importlib": "importlib.x"}.get(line.split()[-1], "f")
    used = {"import sys as f": "f.modules", "import builtins as f": "f.eval"}.get(line, used)
    edit(package, "study", "from somepackage.model import f", line)
    edit(package, "study", "f(x) +", f"{used} or")
    module = type(sys)("somepackage.study")
    exec("def measure(config, trial):\n    pass", vars(module))
    module.measure.__module__ = "somepackage.study"
    with pytest.raises(ExperimentError, match=says):
        code_digest(module.measure, Package("somepackage"))


def test_a_data_set_that_is_added_to_the_list_measures_nothing_anew(monkeypatch):
    from experiments.harness import digest, study

    before, asked = code_digest(study.Trial.load), digest.code_of

    def longer(module, root):
        code = asked(module, root)
        more = ast.parse("ROWS = (*ROWS, 1)").body if module.startswith("experiments.data.") else []
        return dataclasses.replace(code, always=(*code.always, *more))

    lists = digest.LISTS
    monkeypatch.setattr(
        digest, "code_of", lambda m, root: (longer if m.startswith(lists) else asked)(m, root)
    )
    assert code_digest(study.Trial.load) == before
    # What lies beside the list counts.
    monkeypatch.setattr(digest, "code_of", longer)
    assert code_digest(study.Trial.load) != before
