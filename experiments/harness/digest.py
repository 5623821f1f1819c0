"""A name for the code that a study reaches, which changes when what it computes may change."""

import ast
import functools
import re
from collections.abc import Callable, Iterator
from typing import Any

from experiments.files.storage import digest
from experiments.harness.definitions import Code, code_of, is_module
from ntkexec.errors import ExperimentError

EVERYTHING, LOADED = "*", ""
"""Of a module: all its definitions, or only what it does when it is loaded."""
BY_NAME = frozenset({"eval", "exec", "globals", "__import__", "importlib", "import_module"})
"""What reaches code by words that a program makes: no reader can follow it."""
LOADERS = ("experiments.data.room", "experiments.harness")
"""Here ports and readers of data are loaded by name, which a result's identity holds beside the study."""
LISTS = ("experiments.data.catalogue", "experiments.data.rows")
"""What sets there are: one that is added measures nothing anew. How a port's own ones are read, its results'
identities hold."""


class Package:
    """A package's modules as they are read once, for digests of many functions at one time.

    Args:
        root: its name.
    """

    def __init__(self, root: str = "experiments") -> None:
        self.root = root
        self.is_module = functools.cache(is_module)
        self._code: dict[str, Code] = {}

    def code(self, module: str) -> Code:
        """The code of a module; see `code_of`."""
        if module not in self._code:
            self._code[module] = code_of(module, self.root)
        return self._code[module]

    def holds(self, module: str) -> bool:
        """Whether a module, which need not be there, would belong to it."""
        return module.partition(".")[0] == self.root


def code_digest(function: Callable[..., Any], package: Package | None = None) -> str:
    """Twelve digits that name the definitions which a function reaches within a package.

    A definition is reached if its name occurs in one that is. A module's other statements, and what
    calls code of the package while it is loaded (a decorator, a default, a base that registers), are
    reached with the module, since they may register or change things; and they are so of every module
    that a reached one imports, for whatever use. Comments, docstrings, annotations and layout do not
    count. So a helper that is added to a module measures nothing anew, and nothing that a study runs
    can change without a new name.

    Args:
        function: at the top level of its module, or partial or closed over values that have a `repr`.
        package: whose code is followed, by default `experiments` as it is now; versions name the rest.

    Raises:
        ExperimentError: if something is imported through a package's `__init__` that only loads it
            by name, or reached by words (`importlib`, `eval`), and could not be followed.
    """
    package = package or Package()
    found: dict[str, str] = {}
    modules: set[str] = set()
    function, held = _parts(function)
    todo = [_home(function, package)]
    for value in held:
        said, reached = _described(value, package)
        found["arguments"] = found.get("arguments", "") + f"{said}\n"
        todo += reached
    while todo:
        module, name = todo.pop()
        if module.startswith(LISTS):
            continue
        code = package.code(module)
        if module not in modules:
            modules.add(module)
            if code.always:
                found[module] = "\n".join(map(_dumped, code.always))
            todo += _reached(module, code, code.always, package)
            todo += [(other, LOADED) for other in _loaded(module, code, package)]
        if name == LOADED:
            continue
        if name == EVERYTHING:
            todo += [
                (module, other) for other in code.definitions if f"{module}.{other}" not in found
            ]
            continue
        key = f"{module}.{name}"
        if key in found:
            continue
        todo += _imported(module, code, name, package)
        nodes = code.definitions.get(name, ())
        if not nodes:
            continue
        found[key] = "\n".join(map(_dumped, nodes))
        todo += _reached(module, code, nodes, package)
    return digest(found)


def _parts(function: Any) -> tuple[Any, list[Any]]:
    """A function without what it was given beforehand, and that."""
    held: list[Any] = []
    while isinstance(function, functools.partial):
        held += [*function.args, *function.keywords, *function.keywords.values()]
        function = function.func
    if "<locals>" in function.__qualname__:
        held += [cell.cell_contents for cell in getattr(function, "__closure__", None) or ()]
    return function, held


def _home(function: Any, package: Package) -> tuple[str, str]:
    """Where a function is defined; all of its module, where it is none of its definitions."""
    module, name = function.__module__, function.__qualname__
    return module, name if name in package.code(module).definitions else EVERYTHING


def _described(value: Any, package: Package) -> tuple[str, list[tuple[str, str]]]:
    """What names a value that a function holds, and the code that it brings."""
    if isinstance(value, functools.partial):
        function, held = _parts(value)
        parts = [_described(part, package) for part in (function, *held)]
        return repr([said for said, _ in parts]), [one for _, reached in parts for one in reached]
    kind = value if hasattr(value, "__qualname__") else type(value)
    said = f"{kind.__module__}.{kind.__qualname__}"
    if kind is not value:
        said += re.sub(r" at 0x[0-9a-f]+", "", repr(value))
    return said, [_home(kind, package)] if package.holds(str(kind.__module__)) else []


def _loaded(module: str, code: Code, package: Package) -> Iterator[str]:
    """Modules of ours that are loaded with one: those that it imports, and the packages above."""
    wanted = {module}
    for bindings in code.imports.values():
        for source, name in bindings:
            if package.holds(source):
                whole = f"{source}.{name}"
                wanted.add(whole if name and package.is_module(whole) else source)
    for one in wanted:
        parts = one.split(".")
        yield from (".".join(parts[:end]) for end in range(1, len(parts) + 1))


def _reached(
    module: str, code: Code, nodes: tuple[ast.stmt, ...], package: Package
) -> Iterator[tuple[str, str]]:
    """What statements name: definitions of their own module, and those of imported ones."""
    for path in dict.fromkeys(path for top in nodes for path in _named(top)):
        yield from _resolved(module, code, path, package)


# Both by the statement itself: a module's code is parsed once, and studies share most modules.
@functools.cache
def _dumped(top: ast.stmt) -> str:
    return ast.dump(top)


@functools.cache
def _named(top: ast.stmt) -> tuple[tuple[str, ...], ...]:
    """The names `a` and paths `a.b.c` in a statement, each once, the longest alone of a path."""
    inner: set[int] = set()
    found: dict[tuple[str, ...], None] = {}
    for node in ast.walk(top):
        if isinstance(node, ast.Attribute):
            path = _path(node)
            if path and id(node) not in inner:
                inner |= {id(part) for part in ast.walk(node)}
                found[tuple(path)] = None
        elif isinstance(node, ast.Name) and id(node) not in inner:
            found[(node.id,)] = None
    return tuple(found)


def _resolved(
    module: str, code: Code, path: tuple[str, ...], package: Package
) -> Iterator[tuple[str, str]]:
    """What `a` or `a.b.c` reaches: a definition of an imported module, and whatever else `a` is."""
    start = path[0]
    _check_followed(module, code, path, package)
    if start in code.definitions:
        yield module, start
    for source, name in code.imports.get(start, ()):
        rest = list(path[1:])
        while rest and package.is_module(f"{source}.{name}" if name else source):
            source, name = (f"{source}.{name}" if name else source), rest.pop(0)
        yield from _definition(module, source, name, package)


def _check_followed(module: str, code: Code, path: tuple[str, ...], package: Package) -> None:
    """Refuses what reaches code by words, under whatever name it was imported."""
    if not package.holds(module):  # a script or test of somebody
        return
    start, *rest = path
    origins = code.imports.get(start, ())
    used = {start, *(name for _, name in origins), *(source.split(".")[0] for source, _ in origins)}
    used &= BY_NAME
    for source, name in origins:
        whole = ".".join([part for part in (source, name) if part] + rest[:1])
        used |= {whole} & {"sys.modules", *(f"builtins.{word}" for word in BY_NAME)}
    if used and not module.startswith(LOADERS):
        raise ExperimentError(
            f"{module} uses {min(used)}, and what that reaches cannot be followed"
        )


def _imported(module: str, code: Code, name: str, package: Package) -> Iterator[tuple[str, str]]:
    for source, found in code.imports.get(name, ()):
        yield from _definition(module, source, found, package)


def _definition(module: str, source: str, name: str, package: Package) -> Iterator[tuple[str, str]]:
    """A name of a module of ours; all of that module, where the name is a module used as a value."""
    if not package.holds(source):
        return
    whole = f"{source}.{name}" if name else source
    if not name or package.is_module(whole):
        yield whole, EVERYTHING
        return
    code = package.code(source)
    if not any(name in names for names in (code.definitions, code.imports, code.bound)):
        if name.startswith("__"):  # that every module has, such as __dict__
            yield source, EVERYTHING
            return
        raise ExperimentError(
            f"{module} imports {name} from the package {source}; import it from its module, so that "
            "its code is found"
        )
    yield source, name


def _path(node: ast.expr) -> list[str]:
    """The names of `a.b.c`; none if something else is at its start."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []
