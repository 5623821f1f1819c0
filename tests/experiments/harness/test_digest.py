"""Names of code: they change with what a study reaches, and with nothing else."""

import importlib
import sys

import pytest

from experiments.harness import registry
from experiments.harness.digest import code_digest
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
    yield root
    for name in [name for name in sys.modules if name.split(".")[0] == "somepackage"]:
        sys.modules.pop(name)


def name_of(function="measure"):
    module = importlib.import_module("somepackage.study")
    return code_digest(getattr(module, function), "somepackage")


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
    ],
)
def test_what_cannot_be_followed_is_refused(package, line, says):
    used = {"something": "something", "importlib": "importlib.x"}.get(line.split()[-1], "f")
    edit(package, "study", "from somepackage.model import f", line)
    edit(package, "study", "f(x) +", f"{used} or")
    module = type(sys)("somepackage.study")
    exec("def measure(config, trial):\n    pass", vars(module))
    module.measure.__module__ = "somepackage.study"
    with pytest.raises(ExperimentError, match=says):
        code_digest(module.measure, "somepackage")


def test_every_study_has_a_name_of_its_own_code():
    for slug in registry.slugs():
        functions = registry.find(slug).studies.functions
        names = {name: code_digest(function) for name, function in functions.items()}
        assert len(set(names.values())) == len(names), slug
