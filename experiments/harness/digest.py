"""A name for the code that a study reaches, which changes when what it computes may change."""

import ast
import dataclasses
import functools
import importlib.util
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.files.storage import digest
from ntkexec.errors import ExperimentError

EVERYTHING = "*"
BY_NAME = frozenset({"eval", "exec", "globals", "__import__", "importlib", "import_module"})
"""What reaches code by words that a program makes: no reader can follow it."""
LOADERS = ("experiments.data.room", "experiments.harness")
"""Here ports and readers of data are loaded by name, which a result's identity holds beside the study."""


def code_digest(function: Callable[..., Any], root: str = "experiments") -> str:
    """Twelve digits that name the definitions which a function reaches within `root`.

    A definition is reached if its name occurs in one that is; a module's other statements, and what
    is decorated by code of `root`, are reached with the module, since they may register or change
    things. Comments, docstrings, annotations and layout do not count. So a helper that is added to a
    module measures nothing anew, and nothing that a study runs can change without a new name.

    Args:
        function: at the top level of its module.
        root: the package whose code is followed; versions name the rest.

    Raises:
        ExperimentError: if something is imported through a package's `__init__` that only loads it
            by name, or reached by words (`importlib`, `eval`), and could not be followed.
    """
    found: dict[str, str] = {}
    modules: set[str] = set()
    while isinstance(function, functools.partial):
        found["arguments"] = found.get("arguments", "") + repr((function.args, function.keywords))
        function = function.func
    start = function.__module__
    named = function.__name__ in _code(start, root).definitions
    todo = [(start, function.__name__ if named else EVERYTHING)]
    while todo:
        module, name = todo.pop()
        code = _code(module, root)
        if module not in modules:
            modules.add(module)
            found[module] = "\n".join(ast.dump(node) for node in code.always)
            todo += _reached(module, code, code.always, root)
        if name == EVERYTHING:
            todo += [
                (module, other) for other in code.definitions if f"{module}.{other}" not in found
            ]
            continue
        key = f"{module}.{name}"
        if key in found:
            continue
        nodes = code.definitions.get(name, ())
        if not nodes:
            todo += _imported(module, code, name, root)
            continue
        found[key] = "\n".join(ast.dump(node) for node in nodes)
        todo += _reached(module, code, nodes, root)
    return digest(found)


@dataclasses.dataclass(frozen=True)
class _Code:
    """A module: what it defines and imports by name, and the statements that always run."""

    definitions: dict[str, tuple[ast.stmt, ...]]
    imports: dict[str, tuple[str, str]]
    always: tuple[ast.stmt, ...]


def _reached(
    module: str, code: _Code, nodes: tuple[ast.stmt, ...], root: str
) -> Iterator[tuple[str, str]]:
    """What statements name: definitions of their own module, and those of imported ones."""
    for top in nodes:
        inner: set[int] = set()
        for node in ast.walk(top):
            if isinstance(node, ast.Attribute):
                path = _path(node)
                if path and id(node) not in inner:
                    inner |= {id(part) for part in ast.walk(node)}
                    yield from _attribute(module, code, path, root)
            elif isinstance(node, ast.Name) and id(node) not in inner:
                yield from _name(module, code, node.id, root)


def _attribute(module: str, code: _Code, path: list[str], root: str) -> Iterator[tuple[str, str]]:
    """What `a.b.c` reaches: a definition of an imported module, or whatever `a` is."""
    start, *rest = path
    if start in BY_NAME or start not in code.imports:
        yield from _name(module, code, start, root)
        return
    source, name = code.imports[start]
    while rest and name and _is_module(f"{source}.{name}"):
        source, name = f"{source}.{name}", rest.pop(0)
    yield from _definition(module, source, name, root)


def _name(module: str, code: _Code, name: str, root: str) -> Iterator[tuple[str, str]]:
    if name in BY_NAME and not module.startswith(LOADERS):
        raise ExperimentError(f"{module} uses {name}, and what that reaches cannot be followed")
    if name in code.definitions:
        yield module, name
    else:
        yield from _imported(module, code, name, root)


def _imported(module: str, code: _Code, name: str, root: str) -> Iterator[tuple[str, str]]:
    if name in code.imports:
        yield from _definition(module, *code.imports[name], root)


def _definition(module: str, source: str, name: str, root: str) -> Iterator[tuple[str, str]]:
    """A name of a module of ours; all of that module, where the name is a module used as a value."""
    if source.split(".")[0] != root:
        return
    if not name or _is_module(f"{source}.{name}"):
        yield (f"{source}.{name}" if name else source), EVERYTHING
        return
    code = _code(source, root)
    if name not in code.definitions and name not in code.imports:
        raise ExperimentError(
            f"{module} imports {name} from the package {source}; import it from its module, so that "
            "its code is found"
        )
    yield source, name


def _code(module: str, root: str) -> _Code:
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        raise ExperimentError(f"there is no module {module}")
    return _parsed(module, root, Path(spec.origin).read_bytes())


@functools.cache  # by the code itself, since studies share modules
def _parsed(module: str, root: str, source: bytes) -> _Code:
    tree = ast.parse(source)
    _Bare().visit(tree)
    imports = dict(_bindings(module, tree))
    definitions: dict[str, tuple[ast.stmt, ...]] = {}
    always: list[ast.stmt] = []
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom) or _only_for_types(node):
            continue
        names = _defined(node)
        if not names:
            always.append(node)
        for name in names:
            definitions[name] = (*definitions.get(name, ()), node)
    for nodes in tuple(definitions.values()):
        for node in nodes:
            for decorator in getattr(node, "decorator_list", ()):
                start = _start(decorator)
                if start in definitions or imports.get(start, ("",))[0].split(".")[0] == root:
                    always.append(node)
    return _Code(definitions, imports, tuple(always))


def _bindings(module: str, tree: ast.AST) -> Iterator[tuple[str, tuple[str, str]]]:
    """What every import of a module, wherever it stands, binds: (source, name), name empty for all."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name if alias.asname else alias.name.split(".")[0]
                source, _, name = top.rpartition(".")
                yield (alias.asname or top), ((source, name) if source else (top, ""))
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                raise ExperimentError(f"{module} imports relatively; name the module in full")
            for alias in node.names:
                yield alias.asname or alias.name, (str(node.module), alias.name)


def _defined(node: ast.stmt) -> list[str]:
    """Names that a statement defines and does nothing else."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.AnnAssign):
        return [node.target.id] if isinstance(node.target, ast.Name) else []
    if isinstance(node, ast.Assign):
        targets = [t for target in node.targets for t in getattr(target, "elts", [target])]
        if all(isinstance(target, ast.Name) for target in targets):
            return [target.id for target in targets]
    return []


def _only_for_types(node: ast.stmt) -> bool:
    return isinstance(node, ast.If) and _start(node.test) == "TYPE_CHECKING"


def _path(node: ast.expr) -> list[str]:
    """The names of `a.b.c`; none if something else is at its start."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def _start(node: ast.expr) -> str:
    while isinstance(node, ast.Attribute | ast.Call):
        node = node.value if isinstance(node, ast.Attribute) else node.func
    return node.id if isinstance(node, ast.Name) else ""


def _is_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


class _Bare(ast.NodeTransformer):
    """Takes away what computes nothing: docstrings and annotations of functions."""

    def visit(self, node: ast.AST) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:] or [ast.Pass()]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
        return node
