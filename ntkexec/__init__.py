"""Graph algorithms executed exactly by networks trained on a node's local instructions."""

import importlib

# Not from `typing`, whose import takes longer than all else here: until the command line is there,
# Ctrl-C ends in a traceback.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from ntkexec.certifying import certify
    from ntkexec.ensemble import Ensemble, EnsembleConfig
    from ntkexec.errors import NtkexecError
    from ntkexec.executor import execute
    from ntkexec.graphs import Graph, load
    from ntkexec.pipeline import prepare, run
    from ntkexec.program.fields import Flag, OneHot, Table, Word
    from ntkexec.program.layout import Layout
    from ntkexec.program.problem import LearningProblem
    from ntkexec.program.program import Program
    from ntkexec.program.templates import Template, template
    from ntkexec.result import Result
    from ntkexec.theory.certificate import Certificate
    from ntkexec.theory.dot_product import DotProductKernel

# Loaded on first use, so that `ntkexec --help` does not pay for JAX.
_HOMES = {
    "Certificate": "theory.certificate",
    "DotProductKernel": "theory.dot_product",
    "Ensemble": "ensemble",
    "EnsembleConfig": "ensemble",
    "Flag": "program.fields",
    "Graph": "graphs",
    "Layout": "program.layout",
    "LearningProblem": "program.problem",
    "NtkexecError": "errors",
    "OneHot": "program.fields",
    "Program": "program.program",
    "Result": "result",
    "Table": "program.fields",
    "Template": "program.templates",
    "Word": "program.fields",
    "certify": "certifying",
    "execute": "executor",
    "load": "graphs",
    "prepare": "pipeline",
    "run": "pipeline",
    "template": "program.templates",
}

__all__ = [
    "Certificate",
    "DotProductKernel",
    "Ensemble",
    "EnsembleConfig",
    "Flag",
    "Graph",
    "Layout",
    "LearningProblem",
    "NtkexecError",
    "OneHot",
    "Program",
    "Result",
    "Table",
    "Template",
    "Word",
    "certify",
    "execute",
    "load",
    "prepare",
    "run",
    "template",
]


# Subpackages and modules that are documented by name; loaded on first use too.
_MODULES = (
    "complete",
    "complexity",
    "ensemble",
    "graphs",
    "language",
    "pipeline",
    "plots",
    "programs",
    "report",
    "testing",
)


def __getattr__(name: str) -> object:
    if name in _MODULES:
        return importlib.import_module(f"{__name__}.{name}")
    if name == "__version__":
        from importlib import metadata

        return metadata.version(__name__)
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*__all__, *_MODULES, "__version__"})
